"""How hard to pull the domains' coefficients together: chosen by held-out rows.

A law with a coefficient for every domain in its terms in N and D, such as ``coupled-linear``, fits
the rows best and can go astray beyond them; the same law with all of them equal is ``coupled``. In
between, the objective gains

    shrink / 2 * sum over domains of (log of A_i over the geometric mean of all A_i)^2

and the same for B_i. Infinite shrinkage gives the tied law, and 0 the free one. These two limits
are laws in their own right: a value between them is chosen only where it predicts what was held
out clearly better than both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import UsageError
from mixfit.base.parallel import Executor
from mixfit.evaluation.heldout import HeldOutErrors, MixtureNumbers, percent_errors
from mixfit.fitting.result import ShrinkPath
from mixfit.fitting.search import TargetSearch
from mixfit.laws.shrunk import ShrunkLaw
from mixfit.runs.splits import selection_splits
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import FitOptions
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs

GRID = (np.inf, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0)
# A held-out error needs no better an optimum than these find; the fit itself has its own.
_RESTARTS, _HOPS = 1, 0
_ALIKE = 1e-3  # relative difference of held-out errors that a solver may make
_CLEARLY = 2.0  # standard errors
_SMALLEST = 1e-4  # percent; smaller errors are the solver's


class _Task(NamedTuple):
    """Rows to fit and rows to predict, of one target."""

    law: Law
    fitted: TargetRows
    held_out: TargetRows
    options: FitOptions


def choose_shrink(
    cases: Sequence[tuple[Runs, Law]], options: FitOptions, *, jobs: int | Executor | None = 1
) -> list[ShrinkPath]:
    """Choose one shrinkage for all targets of some rows, within these rows.

    Two held-out errors weigh alike: folds over mixtures, and the largest size left out where there
    are three sizes or more, or else the longest trainings. See `_choose` for what they decide.

    Args:
        cases: rows and a law, each apart from the others.
        options: of the fits; those compared make fewer restarts and hops.
        jobs: as for `mixfit.fitting.fit.fit`; the result does not depend on it.

    Raises:
        UsageError: if the rows have too few mixtures, sizes and lengths to hold any out.
    """
    quick = options.at_most(restarts=_RESTARTS, hops=_HOPS)
    plans = [selection_splits(runs, seed=options.seed) for runs, _ in cases]
    places, tasks = [], []
    for case, (plan, (runs, law)) in enumerate(zip(plans, cases, strict=True)):
        for number, split in enumerate(plan.splits):
            for part, held in enumerate(split.tests):
                for target in runs.targets:
                    fitted, held_out = (
                        TargetRows.of(side, target) for side in (split.train, held.runs)
                    )
                    if len(fitted) and len(held_out):
                        places.append((case, number, part))
                        tasks.append(_Task(law, fitted, held_out, quick))
    results = Executor.of(jobs).map(_errors, tasks, "choosing a shrinkage")
    paths = []
    for case, plan in enumerate(plans):
        numbers = MixtureNumbers.of(plan).numbers
        table = HeldOutErrors()
        means: dict[str, list[Array]] = {}
        for (of_case, at, part), task, errors in zip(places, tasks, results, strict=True):
            if of_case != case:
                continue
            label, target = plan.splits[at].tests[part].label, task.held_out.target
            mixture = numbers[at, part][task.held_out.mixture]
            means.setdefault(label, []).append(errors.mean(axis=1))
            for shrink, own in zip(GRID, errors, strict=True):
                table.add(shrink, target, label, mixture, own)
        if not means:
            raise UsageError(
                "No target has losses both in the rows to fit and in those held out, as auto needs."
                " Name a shrinkage."
            )
        targets = cases[case][0].targets
        by_mixture = [
            np.transpose([list(table.by_mixture(s, targets, label).values()) for s in GRID])
            for label in plan.labels
            if label in means
        ]
        mean, index = _choose(by_mixture)
        by_label = {
            label: tuple(np.mean(means[label], axis=0).tolist())
            for label in plan.labels
            if label in means
        }
        paths.append(ShrinkPath(GRID, by_label, tuple(mean.tolist()), GRID[index], plan.title))
    return paths


def _choose(by_mixture: Sequence[Array]) -> tuple[Array, int]:
    """Choose the better of the two limits, or a value between that is clearly better.

    Clearly means: by more than two standard errors of the difference, mixtures being independent.
    Errors are compared as logs: one mixture far from all others must not decide alone.

    Args:
        by_mixture: for each kind of rows held out, the errors of each mixture, (mixtures, values).

    Returns:
        The geometric mean of the errors for each value, (values,), and the index of the value.
    """
    logs = [np.log(np.maximum(errors, _SMALLEST)) for errors in by_mixture]
    mean = np.mean([own.mean(axis=0) for own in logs], axis=0)
    tied, free = 0, len(mean) - 1
    limit = free if mean[free] < mean[tied] - _ALIKE else tied
    best = min(range(1, free), key=lambda index: mean[index])
    if not (np.isfinite(mean[limit]) and np.isfinite(mean[best])):
        return np.exp(mean), best if np.isfinite(mean[best]) else limit
    gains = [own[:, limit] - own[:, best] for own in logs]
    variances = [float(np.var(g, ddof=1)) / len(g) if len(g) > 1 else np.inf for g in gains]
    error = np.sqrt(sum(variances)) / len(gains)
    return np.exp(mean), best if mean[limit] - mean[best] > _CLEARLY * error else limit


def can_choose_shrink(runs: Runs) -> bool:
    """Tell whether rows have enough mixtures, sizes or lengths to hold any out."""
    try:
        selection_splits(runs)
    except UsageError:
        return False
    return True


def _errors(task: _Task) -> Array:
    """Give the errors on the rows held out, in percent, (values, rows)."""
    search, rows = TargetSearch(task.fitted, task.options), task.held_out
    formula = search.objective(ShrunkLaw(task.law)).formula
    errors = []
    for theta in search.path(task.law, GRID):
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = formula.predict(theta, rows.N, rows.D, rows.h)
        sound = np.all(np.isfinite(predicted)) and np.all(predicted > 0)
        # What overflows must not be chosen.
        error = percent_errors(predicted, rows.loss)
        errors.append(error if sound else np.full(len(error), np.inf))
    return np.array(errors)
