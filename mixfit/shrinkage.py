"""How hard to pull the domains' coefficients together: chosen by held-out rows.

A law with a coefficient for every domain in its terms in N and D, such as ``coupled-linear``, fits
the rows best and can go astray beyond them; the same law with all of them equal is ``coupled``. In
between, the objective gains

    shrink / 2 * sum over domains of (log of A_i over the geometric mean of all A_i)^2

and the same for B_i. Infinite shrinkage gives the tied law, and 0 the free one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.errors import UsageError
from mixfit.fits import ShrinkPath
from mixfit.metrics import mean_relative_error
from mixfit.parallel import map_tasks
from mixfit.splits import selection_splits
from mixfit.targets import TargetSearch, TargetTask, target_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixfit.coefficients import Array
    from mixfit.fits import FitOptions
    from mixfit.runs import Runs

GRID = (np.inf, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0)
# A held-out error needs no better an optimum than these find; the fit itself has its own.
_RESTARTS, _HOPS = 2, 0
_ALIKE = 3e-3  # relative difference of held-out errors that means nothing


class _Part(NamedTuple):
    """Rows to fit and rows to predict, for one target and law."""

    fit: TargetTask
    N: Array
    D: Array
    h: Array
    loss: Array


def choose_shrink(
    cases: Sequence[tuple[Runs, str]],
    options: FitOptions,
    *,
    jobs: int | str | None = 1,
    done: Callable[[], None] = lambda: None,
) -> list[ShrinkPath]:
    """Choose one shrinkage for all targets of some rows, within these rows.

    Two held-out errors weigh alike: folds over mixtures, and the largest size left out where there
    are three sizes or more, or else the longest trainings.

    Args:
        cases: rows and the name of a law, each apart from the others.
        options: of the fits; those compared make fewer restarts and hops.
        jobs: as for `mixfit.parallel.map_tasks`; the result does not depend on it.
        done: called whenever a target of a split is done, `count_tasks` times for each case.

    Raises:
        UsageError: if the rows have too few mixtures, sizes and lengths to hold any out.
    """
    quick = options.at_most(restarts=_RESTARTS, hops=_HOPS)
    plans = [selection_splits(runs, seed=options.seed) for runs, _ in cases]
    tasks, owners = [], []
    for case, (plan, (runs, law)) in enumerate(zip(plans, cases, strict=True)):
        for split in plan.splits:
            for held in split.tests:
                for target in runs.targets:
                    loss = held.runs.losses_of(target)
                    rows = np.flatnonzero(~np.isnan(loss))
                    task = target_task(split.train, target, (law,), quick)
                    if len(rows) and len(task.loss):
                        test = (held.runs.N[rows], held.runs.D[rows], held.runs.h[rows], loss[rows])
                        tasks.append(_Part(task, *test))
                        owners.append((case, held.column))
    results = map_tasks(_errors, tasks, jobs=jobs, done=done)
    found = []
    for case, plan in enumerate(plans):
        errors = {
            column: tuple(
                np.mean(
                    [
                        r
                        for r, owner in zip(results, owners, strict=True)
                        if owner == (case, column)
                    ],
                    axis=0,
                ).tolist()
            )
            for column in plan.columns
            if (case, column) in owners
        }
        if not errors:
            raise UsageError(
                "No target has losses both in the rows to fit and in those held out, as auto needs."
                " Name a shrinkage."
            )
        mean = np.mean(list(errors.values()), axis=0)
        # Of values that do alike the strongest, which stands first.
        chosen = GRID[int(np.argmax(mean <= (1 + _ALIKE) * mean.min()))]
        found.append(ShrinkPath(GRID, errors, tuple(mean.tolist()), chosen, plan.title))
    return found


def count_tasks(runs: Runs, seed: int = 0) -> int:
    """Count the calls of `done` that `choose_shrink` makes for one case, at the most."""
    splits = selection_splits(runs, seed=seed).splits
    return sum(len(split.tests) for split in splits) * len(runs.targets)


def _errors(part: _Part) -> list[float]:
    """Give the error on the rows held out for each value of the grid, in percent."""
    (law,) = part.fit.laws
    search = TargetSearch(part.fit)
    formula = search.objective(law).formula
    errors = []
    for theta in search.path(law, GRID):
        # Far from the rows fitted a law may overflow: such a value must not be chosen.
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = formula.predict(theta, part.N, part.D, part.h)
            error = mean_relative_error(predicted, part.loss)
        sound = np.all(np.isfinite(predicted)) and np.all(predicted > 0)
        errors.append(error if sound else np.inf)
    return errors
