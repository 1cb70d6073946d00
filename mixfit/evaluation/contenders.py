"""Who takes part in a comparison.

Laws, laws that the rows choose how hard to pool, laws over all targets at once, and regressions.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import NotApplicableError, UsageError, nearest, parameter
from mixfit.evaluation.heldout import CONVERGED, Result
from mixfit.evaluation.regressors import REGRESSORS
from mixfit.evaluation.together import JOINT_LAWS, TogetherContender
from mixfit.fitting.fit import refusals
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import AUTO, law_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.evaluation.heldout import Contender
    from mixfit.evaluation.regressors import Fitter
    from mixfit.fitting.result import Fit
    from mixfit.fitting.search import TargetSearch
    from mixfit.laws.law import Law
    from mixfit.laws.pooled import AutoLaw, PooledLaw
    from mixfit.runs.runs import Runs
    from mixfit.runs.splits import Splits
    from mixfit.runs.target_rows import TargetRows


@dataclass(frozen=True)
class LawContender:
    """A law.

    Attributes:
        law: which may be pooled; how hard may be chosen for each split anew.
    """

    law: PooledLaw | AutoLaw
    excluded: str = ""

    @property
    def label(self) -> str:
        """What tables call it."""
        return str(self.law)

    @property
    def declared(self) -> Law:
        """The law as it was declared."""
        return self.law.law

    def refused(self, runs: Runs) -> dict[str, str]:
        """Give the targets that it cannot be fitted to or cannot predict, each with the reason."""
        return refusals(self.declared, runs)

    def result(self, search: TargetSearch, parts: Sequence[TargetRows], split: int) -> Result:
        """Fail: a law is fitted to all targets of a split first (see `FittedContender`)."""
        raise AssertionError(f"{self.label} is not fitted")


@dataclass(frozen=True, eq=False)
class FittedContender:
    """A law that is fitted to the rows of a split.

    Attributes:
        label: what tables call it.
        fit: to all its targets.
        seconds: target to the time that it took, with all that it started from.
        excluded: why it can never be chosen, or "".
    """

    label: str
    fit: Fit
    seconds: dict[str, float]
    excluded: str = ""

    @property
    def declared(self) -> Law:
        """The law as it was declared."""
        return self.fit.law.law

    def refused(self, runs: Runs) -> dict[str, str]:
        """Give the targets that it cannot be fitted to or cannot predict, each with the reason."""
        return refusals(self.declared, runs)

    def result(self, search: TargetSearch, parts: Sequence[TargetRows], split: int) -> Result:
        """Predict (see `mixfit.evaluation.heldout.Contender`)."""
        fitted = self.fit.targets[search.rows.target]
        # A law may overflow far from the rows fitted; whoever counts nonsense sees it.
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = tuple(fitted.predict(rows.N, rows.D, rows.h) for rows in parts)
        return Result(
            predicted,
            fitted.form.count(len(search.rows.domains)),
            self.seconds[search.rows.target],
            fitted.status,
            failed=not np.isfinite(fitted.huber),
        )


@dataclass(frozen=True)
class RegressionContender:
    """A regression that is no law.

    Attributes:
        label: its name.
        fitter: from rows and random numbers to what predicts.
        excluded: why it cannot be chosen.
    """

    label: str
    fitter: Fitter
    excluded: str = "it is no law"
    declared: None = None

    def refused(self, runs: Runs) -> dict[str, str]:
        """Give nothing: whatever has rows can be fitted."""
        return {}

    def result(self, search: TargetSearch, parts: Sequence[TargetRows], split: int) -> Result:
        """Fit and predict (see `mixfit.evaluation.heldout.Contender`)."""
        begin = time.perf_counter()
        names = (search.rows.target, self.label)
        seeds = [search.options.seed, *(zlib.crc32(name.encode()) for name in names), split]
        try:
            fitted = self.fitter(search.rows, np.random.default_rng(seeds))
        except NotApplicableError as error:
            nothing = tuple(np.full(len(rows), np.nan) for rows in parts)
            return Result(nothing, None, 0.0, str(error), failed=True)
        predicted = tuple(fitted.predict(rows.N, rows.D, rows.h) for rows in parts)
        return Result(predicted, fitted.parameters, time.perf_counter() - begin, CONVERGED)


def contenders_of(
    laws: Sequence[str | Law | PooledLaw | AutoLaw],
) -> tuple[Contender, ...]:
    """Take laws and regressions by name, and laws of a user's own.

    Raises:
        UsageError: if a name is neither, one is given twice, or a regression needs an extra that
            is not installed.
    """
    contenders = tuple(_contender(law) for law in laws)
    labels = [contender.label for contender in contenders]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"{parameter('law')} {twice} is given twice.")
    return contenders


def _contender(law: str | Law | PooledLaw | AutoLaw) -> Contender:
    if isinstance(law, str) and law in REGRESSORS:
        return RegressionContender(law, REGRESSORS[law]())
    if law == AUTO:
        raise UsageError(
            f"{parameter('law')} {AUTO} is no law: 'mixfit fit' chooses with it. Name the laws to"
            " compare, or leave them out."
        )
    if isinstance(law, str) and law in JOINT_LAWS:
        return TogetherContender(law)
    if isinstance(law, str) and ":" not in law and law not in CATALOGUE:
        known = [*CATALOGUE, *JOINT_LAWS, *REGRESSORS]
        raise UsageError(
            f"There is no law '{law}'.{nearest(law, known)} Laws: {', '.join(CATALOGUE)};"
            f" over all targets at once: {', '.join(JOINT_LAWS)}; regressions:"
            f" {', '.join(REGRESSORS)}."
        )
    return LawContender(law_of(law))


def refusals_in(
    splits: Splits,
    contenders: Sequence[Contender],
    targets: Sequence[str],
) -> dict[tuple[str, str], str]:
    """Give (label, target) that cannot be compared in some part of some split, to the reason."""
    refused: dict[tuple[str, str], str] = {}
    for contender in contenders:
        for runs in splits.tables:
            for target, reason in contender.refused(runs).items():
                if target in targets:
                    refused.setdefault((contender.label, target), reason)
    return refused
