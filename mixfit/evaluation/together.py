"""Laws over all targets at once, fitted to each split before its targets are predicted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mixfit.evaluation.heldout import CONVERGED, Result
from mixfit.evaluation.kkt import KktLaw, fit_kkt
from mixfit.laws.law import OURS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.parallel import Executor
    from mixfit.evaluation.heldout import Contender
    from mixfit.fitting.options import FitOptions
    from mixfit.fitting.search import TargetSearch
    from mixfit.runs.runs import Runs
    from mixfit.runs.splits import Splits
    from mixfit.runs.target_rows import TargetRows

JOINT_LAWS = ("kkt",)


@dataclass(frozen=True)
class TogetherContender:
    """A law over all targets at once.

    Attributes:
        label: its name.
        excluded: why it cannot be chosen.
    """

    label: str
    excluded: str = "it is fitted to all targets together, for comparison only"
    declared: None = None

    def refused(self, runs: Runs) -> dict[str, str]:
        """Give the targets that are no training domains, each with the reason."""
        reason = "it needs a target that is a training domain"
        return {target: reason for target in runs.targets if target not in runs.domains}

    def result(self, search: TargetSearch, parts: Sequence[TargetRows], split: int) -> Result:
        """Be fitted before, see `fit_together`."""
        raise AssertionError("a law over all targets is fitted before its targets are predicted")


@dataclass(frozen=True, eq=False)
class FittedTogether(TogetherContender):
    """Such a law fitted to the rows of a split.

    Attributes:
        law: the law.
        targets: in the order of its predictions.
        seconds: that the fit took.
        status: of the fit.
    """

    law: KktLaw | None = None
    targets: tuple[str, ...] = ()
    seconds: float = 0.0
    status: str = CONVERGED

    def result(self, search: TargetSearch, parts: Sequence[TargetRows], split: int) -> Result:
        """Predict (see `mixfit.evaluation.heldout.Contender`)."""
        assert self.law is not None
        place, count = self.targets.index(search.rows.target), len(self.targets)
        predicted = tuple(self.law.predict(rows.N, rows.D, rows.h)[:, place] for rows in parts)
        # A share of what all targets took and need.
        parameters = -(-self.law.parameters // count)
        return Result(predicted, parameters, self.seconds / count, self.status)


class _Task(NamedTuple):
    label: str
    train: Runs
    targets: tuple[str, ...]
    options: FitOptions


def fit_together(
    splits: Splits,
    contenders: Sequence[Contender],
    targets: Sequence[str],
    refused: Mapping[tuple[str, str], str],
    options: FitOptions,
    executor: Executor,
) -> dict[tuple[int, str], FittedTogether]:
    """Fit the laws over all targets at once to each split.

    Args:
        splits: whose rows to fit are fitted.
        contenders: among which there may be such laws.
        targets: to be predicted.
        refused: (label, target) that are not.
        options: how.
        executor: runs the fits.

    Returns:
        (split, label) to what was fitted.
    """
    tasks, keys = [], []
    for contender in contenders:
        label = contender.label
        own = tuple(target for target in targets if (label, target) not in refused)
        if not isinstance(contender, TogetherContender) or not own:
            continue
        for number, split in enumerate(splits.splits):
            tasks.append(_Task(label, split.train, own, options))
            keys.append((number, label))
    if not tasks:
        return {}
    return dict(zip(keys, executor.map(_fit, tasks, "fitting all targets together"), strict=True))


def _fit(task: _Task) -> FittedTogether:
    begin = time.perf_counter()
    how = task.options.treated(OURS)
    law, converged = fit_kkt(task.train, task.targets, how, seed=task.options.seed)
    seconds = time.perf_counter() - begin
    status = CONVERGED if converged else "not converged"
    return FittedTogether(task.label, law=law, targets=task.targets, seconds=seconds, status=status)
