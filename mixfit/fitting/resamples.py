"""A fit made again and again with random weights on its mixtures, to see how far it may be off.

The rows of a mixture are not independent, so that mixtures and not rows are weighted. Weights are
drawn from a Dirichlet distribution: unlike mixtures drawn with replacement, none is ever left out,
which with few mixtures would let laws run away. In one resample all targets have the same weights,
so that what is common to them stays common. The strengths of pooling stay as they are in the fit;
where it pulls to is drawn too (`mixfit.fitting.pulls`).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import UsageError, parameter
from mixfit.base.parallel import Executor
from mixfit.fitting.errors import errors_of
from mixfit.fitting.optimum import optima, weighted, weights_of
from mixfit.fitting.pulls import pulled, variance_of
from mixfit.fitting.search import draw_start
from mixfit.fitting.solvers import descend
from mixfit.fitting.uncertainty import TOO_FEW, Resamples, decided_in_h

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.fitting.optimum import Optimum
    from mixfit.fitting.result import Fit
    from mixfit.runs.runs import Runs

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
    if fit.options.of(fit.law.law).solver == "early-stopping":
        raise UsageError(
            f"{parameter('resamples')}: {fit.law.name} is fitted with early stopping, so that no"
            f" minimum is there to be followed. Fit it with {parameter('treatment')} mixfit."
        )
    executor = Executor.of(jobs)
    weights = weights_of(mixtures, count, seed)
    known = optima(fit, runs)
    pulls = variance_of(known)
    tasks = [
        _Task(optimum, weights[first : first + _CHUNK], first, pulls, seed)
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
    decided = [decided_in_h(target) for target in fit.targets.values()]
    errors = errors_of(known, decided, pulls, seed, executor)
    return replace(fit, resamples=Resamples(seed, params), errors=errors)


@dataclass(frozen=True, eq=False)
class _Task:
    """Some resamples of a target.

    Attributes:
        optimum: the target.
        weights: of all mixtures of the runs, (some, mixtures).
        first: number of the first one.
        pulls: how far off pulls may be, see `mixfit.fitting.pulls`.
        seed: of what is drawn.
    """

    optimum: Optimum
    weights: Array
    first: int
    pulls: float
    seed: int


def _resample(task: _Task) -> list[dict[str, Array]]:
    """Give the natural parameters of each resample."""
    objective, theta = task.optimum.objective()
    name = zlib.crc32(task.optimum.rows.target.encode())
    found = []
    for index, of_mixtures in enumerate(task.weights, start=task.first):
        own = weighted(objective, task.optimum.rows, of_mixtures)
        own = pulled(own, task.optimum, task.pulls, task.seed, index)
        point = descend(own, theta, tolerance=_TOLERANCE)
        if index % _FRESH == _FRESH - 1:
            rng = np.random.default_rng([task.seed, name, index])
            other = descend(own, draw_start(own, rng), tolerance=_TOLERANCE)
            point = min(point, other, key=lambda p: p.value)
        found.append(own.formula.natural(point.theta))
    return found
