"""A delta for the Huber loss, eq. (6), in proportion to the residuals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.base.metrics import robust_deviation
from mixfit.base.numbers import counted
from mixfit.base.parallel import Executor
from mixfit.fitting.fit import applicable
from mixfit.fitting.options import FitOptions
from mixfit.fitting.search import TargetSearch
from mixfit.laws.pooled import PooledLaw, law_of
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from mixfit.laws.law import Law
    from mixfit.laws.pooled import AutoLaw
    from mixfit.runs.runs import Runs

# Where residuals are normal, Huber's estimate is 95% as efficient as least squares.
_TIMES = 1.345
_FIRST_DELTA = 3e-4  # of the first fit, in shares of the losses: about the paper's
_EXACT = 1e-7  # residuals that are smaller shares of the losses are those of a law that is exact
_FEWEST = 5  # rows more than parameters, below which residuals say nothing
_DIGITS = 3


class _Task(NamedTuple):
    """A law to be fitted to the rows of a target."""

    rows: TargetRows
    law: Law
    options: FitOptions


def choose_delta(
    runs: Runs,
    law: str | Law | PooledLaw | AutoLaw,
    *,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> tuple[float, Note]:
    """Choose delta by the residuals of a first fit: 1.345 times their robust standard deviation.

    That is the median of the absolute residuals times 1.4826 (of a normal distribution the standard
    deviation), without as many of the smallest as the law has parameters: a fit that is nearly L1
    goes through as many rows. Of several targets the median counts.

    Args:
        runs: the rows to fit.
        law: to be fitted; here it is not pooled.
        options: of the fits; the first one makes no hops.
        jobs: as for `mixfit.fitting.fit.fit`; the result does not depend on it.

    Returns:
        delta, to three digits, and a note on how it was chosen.

    Raises:
        UsageError: the law can be fitted to no target, the rows are hardly more than its
            parameters, or it is exact.
    """
    declared, runs = law_of(law).law, runs.varying()
    executor = Executor.of(jobs)
    usual = float(np.nanmedian(runs.losses))
    first = replace(options or FitOptions(), delta=_FIRST_DELTA * usual, hops=0)
    targets = applicable(declared, runs)
    tasks = [_Task(TargetRows.of(runs, target), declared, first) for target in targets]
    scales = [x for x in executor.map(_scale, tasks, "choosing delta") if x is not None]
    scale = float(np.median(scales)) if scales else 0.0
    if not scale > _EXACT * usual:
        why = "the law is exact" if scales else "the rows are hardly more than the law's parameters"
        raise UsageError(
            f"{parameter('delta')} auto has no residuals to go by: {why}. Give a number."
        )
    delta = float(f"{_TIMES * scale:.{_DIGITS}g}")
    of_targets = "" if len(scales) == 1 else f", in the median of {counted(len(scales), 'target')}"
    text = (
        f"auto chose delta {delta:g}: {_TIMES} times the robust standard deviation of the residuals"
        f" of a first fit, {scale:.2g}{of_targets}"
    )
    return delta, Note("delta", text)


def _scale(task: _Task) -> float | None:
    """Give the robust standard deviation of the residuals; None where rows are too few."""
    rows = task.rows
    solved = TargetSearch(rows, task.options).solve(PooledLaw(task.law))
    fitted = solved.formula.size
    if len(rows) < fitted + _FEWEST:
        return None
    predicted = solved.formula.predict(solved.theta, rows.N, rows.D, rows.h)
    largest = np.sort(np.abs(rows.loss - predicted))[fitted:]
    return robust_deviation(largest)
