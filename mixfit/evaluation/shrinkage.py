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
from mixfit.base.metrics import relative_errors
from mixfit.base.parallel import map_tasks
from mixfit.fitting.result import ShrinkPath
from mixfit.fitting.search import TargetSearch, TargetTask, target_task
from mixfit.runs.splits import selection_splits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import FitOptions
    from mixfit.runs.runs import Runs

GRID = (np.inf, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0)
# A held-out error needs no better an optimum than these find; the fit itself has its own.
_RESTARTS, _HOPS = 1, 0
_ALIKE = 1e-3  # relative difference of held-out errors that a solver may make
_CLEARLY = 2.0  # standard errors
_SMALLEST = 1e-4  # percent; smaller errors are the solver's


class _Part(NamedTuple):
    """Rows to fit and rows to predict, for one target and law."""

    fit: TargetTask
    N: Array
    D: Array
    h: Array
    loss: Array


class _HeldOut(NamedTuple):
    """Which rows a part predicts; `mixture` (rows,) numbers their mixtures within the split."""

    case: int
    column: str
    split: int
    mixture: NDArray[np.intp]


def choose_shrink(
    cases: Sequence[tuple[Runs, str]],
    options: FitOptions,
    *,
    jobs: int | str | None = 1,
    done: Callable[[], None] = lambda: None,
) -> list[ShrinkPath]:
    """Choose one shrinkage for all targets of some rows, within these rows.

    Two held-out errors weigh alike: folds over mixtures, and the largest size left out where there
    are three sizes or more, or else the longest trainings. See `_choose` for what they decide.

    Args:
        cases: rows and the name of a law, each apart from the others.
        options: of the fits; those compared make fewer restarts and hops.
        jobs: as for `mixfit.base.parallel.map_tasks`; the result does not depend on it.
        done: called whenever a target of a split is done, `count_tasks` times for each case.

    Raises:
        UsageError: if the rows have too few mixtures, sizes and lengths to hold any out.
    """
    quick = options.at_most(restarts=_RESTARTS, hops=_HOPS)
    plans = [selection_splits(runs, seed=options.seed) for runs, _ in cases]
    tasks, owners = [], []
    for case, (plan, (runs, law)) in enumerate(zip(plans, cases, strict=True)):
        for number, split in enumerate(plan.splits):
            for held in split.tests:
                for target in runs.targets:
                    loss = held.runs.losses_of(target)
                    rows = np.flatnonzero(~np.isnan(loss))
                    task = target_task(split.train, target, (law,), quick)
                    if len(rows) and len(task.loss):
                        test = (held.runs.N[rows], held.runs.D[rows], held.runs.h[rows], loss[rows])
                        tasks.append(_Part(task, *test))
                        owners.append(_HeldOut(case, held.column, number, held.runs.mixture[rows]))
    results = map_tasks(_errors, tasks, jobs=jobs, done=done)
    found = []
    for case, plan in enumerate(plans):
        pairs = [
            (owner, result)
            for owner, result in zip(owners, results, strict=True)
            if owner.case == case
        ]
        errors, by_mixture = {}, []
        for column in plan.columns:
            own = [(owner, result) for owner, result in pairs if owner.column == column]
            if own:
                errors[column] = np.mean([result.mean(axis=1) for _, result in own], axis=0)
                by_mixture.append(_by_mixture(own))
        if not errors:
            raise UsageError(
                "No target has losses both in the rows to fit and in those held out, as auto needs."
                " Name a shrinkage."
            )
        mean, index = _choose(by_mixture)
        paths = {column: tuple(path.tolist()) for column, path in errors.items()}
        found.append(ShrinkPath(GRID[index], plan.title, GRID, paths, tuple(mean.tolist())))
    return found


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


def _by_mixture(results: Sequence[tuple[_HeldOut, Array]]) -> Array:
    """Give the mean error of each mixture over rows and targets, (mixtures, values)."""
    found: dict[tuple[int, int], list[Array]] = {}
    for owner, errors in results:
        for mixture in np.unique(owner.mixture).tolist():
            of_it = errors[:, owner.mixture == mixture].mean(axis=1)
            found.setdefault((owner.split, mixture), []).append(of_it)
    return np.array([np.mean(own, axis=0) for own in found.values()])


def can_choose_shrink(runs: Runs) -> bool:
    """Tell whether rows have enough mixtures, sizes or lengths to hold any out."""
    try:
        selection_splits(runs)
    except UsageError:
        return False
    return True


def count_tasks(runs: Runs, seed: int = 0) -> int:
    """Count the calls of `done` that `choose_shrink` makes for one case, at the most."""
    splits = selection_splits(runs, seed=seed).splits
    return sum(len(split.tests) for split in splits) * len(runs.targets)


def _errors(part: _Part) -> Array:
    """Give the errors on the rows held out, in percent, (values, rows)."""
    (law,) = part.fit.laws
    search = TargetSearch(part.fit)
    formula = search.objective(law).formula
    errors = []
    for theta in search.path(law, GRID):
        # Far from the rows fitted a law may overflow: such a value must not be chosen.
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = formula.predict(theta, part.N, part.D, part.h)
            error = relative_errors(predicted, part.loss)
        sound = np.all(np.isfinite(predicted)) and np.all(predicted > 0)
        errors.append(error if sound else np.full(len(error), np.inf))
    return np.array(errors)
