"""How hard to pull the domains' parameters together: chosen by mixtures held out.

The strength of the pull (see `mixfit.fitting.prior`) that serves best falls with the number of
mixtures, and rises with that of domains and with the noise. So it is chosen within the rows: the
mixtures are dealt out to folds, each fold is predicted from the others at every strength of a grid,
and the one with the lowest error is taken for all targets. Errors are compared as logs: one
mixture far from all others must not decide alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import UsageError
from mixfit.base.parallel import Executor
from mixfit.evaluation.heldout import means_by_mixture, percent_errors
from mixfit.fitting.result import PoolPath
from mixfit.fitting.search import TargetSearch
from mixfit.laws.pooled import PooledLaw
from mixfit.runs.splits import split_folds
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import FitOptions
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs
    from mixfit.runs.splits import Splits

GRID = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0)
_FOLDS = 5
_RESTARTS, _HOPS = 2, 0  # where all domains are nearly alike, one start finds the optimum
_SMALLEST = 1e-4  # percent; smaller errors are the solver's


class _Task(NamedTuple):
    """Rows to fit and rows to predict, of one target."""

    law: Law
    fitted: TargetRows
    held_out: TargetRows
    options: FitOptions


def choose_pool(
    cases: Sequence[tuple[Runs, Law]], options: FitOptions, *, jobs: int | Executor | None = 1
) -> list[PoolPath]:
    """Choose one strength for all targets of some rows, within these rows.

    Args:
        cases: rows and a law, each apart from the others.
        options: of the fits; those compared make fewer restarts and hops.
        jobs: as for `mixfit.fitting.fit.fit`; the result does not depend on it.

    Raises:
        UsageError: if the rows have one mixture, or none that could be fitted and held out.
    """
    quick = options.at_most(restarts=_RESTARTS, hops=_HOPS)
    plans = [_folds(runs, options.seed) for runs, _ in cases]
    owners, tasks = [], []
    for case, (plan, (runs, law)) in enumerate(zip(plans, cases, strict=True)):
        for split in plan.splits:
            (held,) = split.tests
            for target in runs.targets:
                fitted, held_out = (TargetRows.of(r, target) for r in (split.train, held.runs))
                if len(fitted) and len(held_out):
                    owners.append(case)
                    tasks.append(_Task(law, fitted, held_out, quick))
    results = Executor.of(jobs).map(_errors, tasks, "choosing how hard to pool")
    paths = []
    for case, plan in enumerate(plans):
        own = [errors for owner, errors in zip(owners, results, strict=True) if owner == case]
        if not own:
            raise UsageError(
                "No target has losses both in the rows to fit and in those held out, as auto needs."
                " Name a strength."
            )
        errors = np.concatenate(own, axis=1)
        mean = np.exp(np.log(np.maximum(errors, _SMALLEST)).mean(axis=1))
        paths.append(
            PoolPath(
                chosen=GRID[int(np.argmin(mean))],
                tests=plan.title,
                values=GRID,
                errors={plan.labels[0]: tuple(errors.mean(axis=1).tolist())},
                mean=tuple(mean.tolist()),
            )
        )
    return paths


def _folds(runs: Runs, seed: int) -> Splits:
    return split_folds(runs, min(_FOLDS, len(runs.mixtures)), seed=seed)


def can_choose_pool(runs: Runs) -> bool:
    """Tell whether rows have mixtures to hold out."""
    return len(runs.mixtures) > 1


def _errors(task: _Task) -> Array:
    """Give the mean error of each mixture held out, in percent, (strengths, mixtures)."""
    search, rows = TargetSearch(task.fitted, task.options), task.held_out
    formula = search.objective(PooledLaw(task.law)).formula
    errors = []
    for theta in search.path(task.law, GRID):
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = formula.predict(theta, rows.N, rows.D, rows.h)
        sound = np.all(np.isfinite(predicted)) and np.all(predicted > 0)
        # What overflows must not be chosen.
        error = percent_errors(predicted, rows.loss)
        error = error if sound else np.full(len(error), np.inf)
        errors.append(means_by_mixture(rows.mixture, error)[1])
    return np.array(errors)
