"""Rows held out of fits, and the errors of their predictions by mixture.

Rows of one mixture are not independent; mixtures are. So a mean error has the standard error of a
mean over mixtures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from mixfit.base.metrics import means_by_mixture
from mixfit.evaluation.rule import logs_of
from mixfit.fitting.search import TargetSearch
from mixfit.runs.identity import group_together

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from mixfit.base.arrays import Array, Indices
    from mixfit.fitting.options import FitOptions
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs
    from mixfit.runs.splits import Splits
    from mixfit.runs.target_rows import TargetRows

CONVERGED = "converged"


class Result(NamedTuple):
    """What a contender makes of one target of one split.

    Attributes:
        predicted: losses of the rows fitted, and of those of each part held out.
        parameters: how many, or None where that says nothing.
        seconds: that it took, with all that it started from.
        status: ``converged`` or what happened instead.
        failed: whether there is no fit at all.
    """

    predicted: tuple[Array, ...]
    parameters: int | None
    seconds: float
    status: str
    failed: bool = False


class Contender(Protocol):
    """What takes part in a comparison: a law, or a regression."""

    @property
    def label(self) -> str:
        """What tables call it."""

    @property
    def declared(self) -> Law | None:
        """The law as it was declared, or None."""

    @property
    def excluded(self) -> str:
        """Why it can never be chosen, or ""."""

    def refused(self, runs: Runs) -> dict[str, str]:
        """Give the targets that it cannot be fitted to or cannot predict, each with the reason."""

    def result(self, search: TargetSearch, parts: Sequence[TargetRows], split: int) -> Result:
        """Fit the rows of a search, and predict parts.

        Args:
            search: with the rows, the options and what other laws have solved.
            parts: rows to be predicted.
            split: the number of the split, for a stream of random numbers of its own.
        """


class Task(NamedTuple):
    """A target of a split: rows to fit, the parts held out, and who takes part under which label.

    Attributes:
        split: its number.
        fitted: the rows to fit.
        held_out: the rows of each part to predict.
        contenders: by label.
        options: of the fits.
    """

    split: int
    fitted: TargetRows
    held_out: tuple[TargetRows, ...]
    contenders: Mapping[str, Contender]
    options: FitOptions

    @property
    def parts(self) -> tuple[TargetRows, ...]:
        """The rows fitted, and those of each part held out."""
        return (self.fitted, *self.held_out)


def run(task: Task) -> dict[str, Result]:
    """Fit what a task asks for, and predict its parts; gives label to result."""
    search = TargetSearch(task.fitted, task.options)
    return {
        label: contender.result(search, task.parts, task.split)
        for label, contender in task.contenders.items()
    }


@dataclass(frozen=True, eq=False)
class MixtureNumbers:
    """One numbering of the mixtures of all parts held out.

    Attributes:
        mixtures: (m, k).
        numbers: (split, part) to the number (mixtures of the part,) of each of its mixtures.
    """

    mixtures: Array
    numbers: dict[tuple[int, int], Indices]

    @classmethod
    def of(cls, splits: Splits) -> MixtureNumbers:
        """Number them in the order in which they come."""
        keys = [(s, p) for s, split in enumerate(splits.splits) for p in range(len(split.tests))]
        tables = [splits.splits[s].tests[p].runs.mixtures for s, p in keys]
        numbers, mixtures = group_together(*tables)
        return cls(mixtures, dict(zip(keys, numbers, strict=True)))


@dataclass(eq=False)
class HeldOutErrors:
    """The mean errors of the mixtures held out, for each contender, target and label of a part."""

    _errors: dict[tuple[Hashable, str, str], dict[int, list[float]]] = field(default_factory=dict)

    def add(
        self, contender: Hashable, target: str, label: str, mixture: Indices, errors: Array
    ) -> None:
        """Add the errors of a part.

        Args:
            contender: whose they are.
            target: of the losses.
            label: of the part.
            mixture: the number of the mixture, (rows,).
            errors: in percent, (rows,).
        """
        numbers, means = means_by_mixture(mixture, errors)
        of_part = self._errors.setdefault((contender, target, label), {})
        for number, mean in zip(numbers.tolist(), means.tolist(), strict=True):
            of_part.setdefault(number, []).append(mean)

    def by_mixture(
        self, contender: Hashable, targets: Sequence[str], label: str
    ) -> dict[int, float]:
        """Give the mean error of each mixture over splits and targets, in percent."""
        means: dict[int, list[float]] = {}
        for target in targets:
            for number, errors in self._errors.get((contender, target, label), {}).items():
                means.setdefault(number, []).append(float(np.mean(errors)))
        return {number: float(np.mean(errors)) for number, errors in means.items()}

    def logs(self, contender: Hashable, targets: Sequence[str], label: str) -> Array:
        """Give the logs of the errors, (mixtures, targets), NaN where there are none.

        Mixtures are those that any contender has under the label.
        """
        numbers = sorted({n for key, own in self._errors.items() if key[2] == label for n in own})
        place = {number: row for row, number in enumerate(numbers)}
        table = np.full((len(numbers), len(targets)), np.nan)
        for column, target in enumerate(targets):
            for number, errors in self._errors.get((contender, target, label), {}).items():
                table[place[number], column] = np.mean(errors)
        return logs_of(table)

    def standard_error(self, contender: Hashable, targets: Sequence[str], label: str) -> float:
        """Give that of the mean over mixtures; NaN for fewer than two."""
        each = list(self.by_mixture(contender, targets, label).values())
        if len(each) < 2 or not np.all(np.isfinite(each)):
            return float("nan")
        return float(np.std(each, ddof=1) / np.sqrt(len(each)))
