"""A fit made again and again with random weights on its mixtures: how far its parameters may be off.

The rows of a mixture are not independent, so that mixtures and not rows are weighted. Weights are
drawn from a Dirichlet distribution: unlike mixtures drawn with replacement, none is ever left out,
which with few mixtures would let laws run away. In one resample all targets have the same weights,
so that what is common to them stays common. The strengths of pooling, and where other targets pull,
stay as they are in the fit.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import UsageError, parameter
from mixfit.base.parallel import Executor
from mixfit.fitting.errors import errors_of
from mixfit.fitting.pooling import goals_of
from mixfit.fitting.search import TargetSearch, draw_start
from mixfit.fitting.solvers import descend
from mixfit.fitting.uncertainty import TOO_FEW, Resamples
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.fitting.objective import Objective
    from mixfit.fitting.prior import Shapes
    from mixfit.fitting.result import Fit, FitOptions, TargetFit
    from mixfit.laws.pooled import PooledLaw
    from mixfit.runs.runs import Runs

CONCENTRATION = 1.0  # of the Dirichlet distribution
_FRESH = 10  # each resample of so many is also searched for from a fresh start
_TOLERANCE = 1e-4
_CHUNK = 25  # resamples of a target that one task makes


def resample(
    fit: Fit, runs: Runs, count: int = 200, *, seed: int = 0, jobs: int | Executor | None = 1
) -> Fit:
    """Make a fit again with random weights on its mixtures.

    The result depends on the rows, the fit, the number and the seed, and not on `jobs`.

    Args:
        fit: made on these runs.
        runs: the rows that were fitted.
        count: how many resamples.
        seed: of the weights.
        jobs: as in `mixfit.fit`.

    Returns:
        The fit with its `resamples`, and the `errors` that they do not tell of.

    Raises:
        UsageError: if there are too few resamples or mixtures for intervals.
    """
    if count < TOO_FEW:
        raise UsageError(
            f"{parameter('resamples')} {count}: give {TOO_FEW} or more, such as 200; the ends of"
            " an interval would be single resamples."
        )
    mixtures = len(runs.mixtures)
    if mixtures < 2:
        raise UsageError(
            f"{parameter('resamples')}: the rows have one mixture, so that there is nothing to"
            " weight. Leave it out."
        )
    executor = Executor.of(jobs)
    rng = np.random.default_rng([seed, zlib.crc32(b"resamples")])
    weights = mixtures * rng.dirichlet(np.full(mixtures, CONCENTRATION), count)
    known = optima(fit, runs)
    tasks = [
        _Task(optimum, weights[first : first + _CHUNK], first, seed)
        for optimum in known
        for first in range(0, count, _CHUNK)
    ]
    parts = executor.map(_resample, tasks, "resampling")
    found: dict[str, list[dict[str, Array]]] = {}
    for task, part in zip(tasks, parts, strict=True):
        found.setdefault(task.optimum.rows.target, []).extend(part)
    params = {
        target: {name: np.array([one[name] for one in each]) for name in each[0]}
        for target, each in found.items()
    }
    decided = [_decided(target) for target in fit.targets.values()]
    errors = errors_of(known, decided, executor)
    return replace(fit, resamples=Resamples(seed, params), errors=errors)


def _decided(fit: TargetFit) -> float:
    """Count the numbers in h that the rows decided."""
    k = len(fit.domains)
    return sum(fit.effective.get(g.name, g.size(k)) for g in fit.form.mixture_groups)


@dataclass(frozen=True, eq=False)
class Optimum:
    """A target of a fit with what is needed to fit it again from where it is.

    Attributes:
        rows: that were fitted.
        law: with the strengths of pooling.
        goal: where other targets pull it, if they do.
        params: its natural parameters.
        options: of the fit.
    """

    rows: TargetRows
    law: PooledLaw
    goal: Shapes | None
    params: dict[str, Array]
    options: FitOptions

    def objective(self, rows: TargetRows | None = None) -> tuple[Objective, Array]:
        """Give what was minimised, on its rows or on others, and the internal parameters."""
        search = TargetSearch(self.rows if rows is None else rows, self.options)
        objective = replace(search.objective(self.law, self.goal), blocks=search.rough_blocks)
        names = [param.name for param in objective.formula.law.groups]
        theta = objective.formula.internal({name: self.params[name] for name in names})
        lower, upper = objective.bounds
        return objective, np.clip(theta, lower, upper)


def optima(fit: Fit, runs: Runs) -> list[Optimum]:
    """Give the targets of a fit with what is needed to fit them again.

    Args:
        fit: made on these runs.
        runs: the rows that were fitted.
    """
    rows = [TargetRows.of(runs, target) for target in fit.targets]
    goals: list[Shapes | None] = [None for _ in rows]
    if fit.law.pool is not None and fit.law.pool.across and len(rows) > 1:
        formulas, thetas = zip(*(own.formula() for own in fit.targets.values()), strict=True)
        goals = [*goals_of(rows, formulas, thetas)]
    return [
        Optimum(own, fit.law, goal, target.params, fit.options)
        for own, goal, target in zip(rows, goals, fit.targets.values(), strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Task:
    """Some resamples of a target: the weights of all mixtures of the runs, (some, mixtures)."""

    optimum: Optimum
    weights: Array
    first: int
    seed: int


def _resample(task: _Task) -> list[dict[str, Array]]:
    """Give the natural parameters of each resample."""
    objective, theta = task.optimum.objective()
    blocks = objective.blocks
    present = np.unique(task.optimum.rows.mixture)
    name = zlib.crc32(task.optimum.rows.target.encode())
    found = []
    for index, of_mixtures in enumerate(task.weights, start=task.first):
        weight = blocks.weight * of_mixtures[present][blocks.mixture, None]
        own = replace(objective, blocks=replace(blocks, weight=weight / weight.sum()))
        point = descend(own, theta, tolerance=_TOLERANCE)
        if index % _FRESH == _FRESH - 1:
            rng = np.random.default_rng([task.seed, name, index])
            other = descend(own, draw_start(own, rng), tolerance=_TOLERANCE)
            point = min(point, other, key=lambda p: p.value)
        found.append(own.formula.natural(point.theta))
    return found
