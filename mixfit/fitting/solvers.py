"""From an objective to the lowest point that can be found; knows nothing of laws or tables.

`search` is the default: random starts and hops, each followed down by `descend`, a second-order
trust-region method on a positive semidefinite model. `basin_hopping` is the paper's method
(section 2.3), and `early_stopping` that of some other laws, both by SciPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixfit.base.arrays import Array, Indices

    Sampler = Callable[[np.random.Generator], Array]

_ROUGH, _FINE = 1e-4, 1e-7  # smallest relative decreases that are worth another step
_SAME = 1e-3  # relative difference below which two solves have found the same optimum
_ENOUGH = 4  # independent starts that must agree before no more are tried
_HARDER = 3  # times as many hops where no two starts agree
_POOL = 4  # distinct optima that hops set out from
_FROM_BEST = 0.6  # share of the hops that set out from the lowest of them
_MOST_HOPS = 10  # times the number asked for, even if they go on finding lower points
_MAX_STEPS, LAST_STEPS = 400, 4000
_EARLY = 20  # steps of L-BFGS after which it ends early: PyTorch's number for one call


class Model(Protocol):
    """A quadratic model of an objective around a point."""

    @property
    def gradient(self) -> Array:
        """The gradient of the objective there, (n,)."""

    @property
    def matrix(self) -> Array:
        """A positive semidefinite curvature, (n, n)."""


class At(Protocol):
    """An objective at a point, evaluated as far as it is asked."""

    @property
    def value(self) -> float:
        """The objective; infinite or NaN where it is not defined."""

    @property
    def gradient(self) -> Array:
        """Its gradient, (n,)."""

    @property
    def model(self) -> Model:
        """Its quadratic model."""


class Smooth(Protocol):
    """What a solver needs to know of an objective."""

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The lower and the upper bound of each variable, each (n,)."""

    def at(self, theta: Array) -> At:
        """Evaluate at a point (n,)."""


@dataclass(frozen=True, eq=False)
class Point:
    """Where a solve ended.

    Attributes:
        theta: (n,).
        value: of the objective.
        converged: whether no step decreased the objective any more.
    """

    theta: Array
    value: float
    converged: bool


@dataclass(frozen=True, eq=False)
class Solution:
    """The lowest point of a search.

    Attributes:
        point: the point.
        hops: how many hops were tried.
    """

    point: Point
    hops: int


def descend(
    objective: Smooth, theta: Array, *, tolerance: float = _FINE, steps: int = _MAX_STEPS
) -> Point:
    """Follow an objective down to a local minimum within the bounds.

    A Levenberg trust-region method: steps minimise the quadratic model plus a multiple of the
    squared length, the multiple going up and down with how well the model foretold the decrease.
    Variables that a bound holds back are left out of the step.

    Args:
        objective: what is minimised.
        theta: where to start, (n,); clipped to the bounds.
        tolerance: relative decrease below which a step counts as no progress.
        steps: the most that are taken.
    """
    lower, upper = objective.bounds
    theta = np.clip(theta, lower, upper)
    here = objective.at(theta)
    damping, idle = 1e-2, 0
    for _ in range(steps):
        gradient, matrix = here.model.gradient, here.model.matrix
        held = ((theta <= lower) & (gradient > 0)) | ((theta >= upper) & (gradient < 0))
        free: slice | Indices = slice(None)
        if held.any():
            free = np.flatnonzero(~held)
            matrix = matrix[np.ix_(free, free)]
        scale = matrix.trace() / max(len(matrix), 1)
        if not (np.isfinite(scale) and np.all(np.isfinite(gradient))):
            return Point(theta, np.inf, False)
        while True:
            trial = theta.copy()
            trial[free] -= _solve(matrix, damping * scale, gradient[free])
            trial = np.minimum(np.maximum(trial, lower), upper)
            step = trial[free] - theta[free]
            foretold = -(gradient[free] @ step + 0.5 * step @ matrix @ step)
            if foretold > 0:
                there = objective.at(trial)
                gain = here.value - there.value
                if gain > 1e-3 * foretold:
                    break
            damping = 4 * damping
            if damping > 1e12:
                return Point(theta, here.value, True)
        idle = idle + 1 if gain < tolerance * abs(here.value) else 0
        theta, here = trial, there
        if idle == 2:
            return Point(theta, here.value, True)
        if gain > 0.75 * foretold:
            damping = max(damping / 5, 1e-12)
        elif gain < 0.25 * foretold:
            damping = 2 * damping
    return Point(theta, here.value, False)


def _solve(matrix: Array, shift: float, right: Array) -> Array:
    """Solve (matrix + shift I) x = right for a positive semidefinite matrix."""
    shifted = matrix.copy()
    shifted.flat[:: len(matrix) + 1] += shift + 1e-14 * matrix.trace()
    return np.asarray(np.linalg.solve(shifted, right))


def search(
    objective: Smooth,
    sample: Sampler,
    known: Sequence[Array],
    *,
    rng: np.random.Generator,
    restarts: int,
    hops: int,
    rough: Smooth | None = None,
) -> Solution:
    """Find the lowest point that random starts and hops lead to.

    Starts end early once several independent ones agree on the lowest value. Hops then change some
    variables of the best points found (see `_hop`); unlike the random walk of basin hopping they
    never leave a better point for a worse one.

    Args:
        objective: what is minimised.
        sample: draws a start.
        known: starts that are tried besides, such as the optimum of a special case; the solution is
            never worse than any of them.
        rng: the only source of randomness.
        restarts: how many random starts, at the most.
        hops: how many hops in a row must find nothing lower before the search ends; half as many
            where enough starts agree, and three times as many where no two do.
        rough: an objective that is quicker to evaluate and nearly the same; starts and hops run on
            it, and only the last descents on `objective`.
    """
    rough = rough or objective
    pool: list[Point] = []
    values: list[float] = []
    for theta in known:
        _add(pool, descend(rough, theta, tolerance=_ROUGH))
    for _ in range(restarts):
        point = descend(rough, sample(rng), tolerance=_ROUGH)
        _add(pool, point)
        values.append(point.value)
        if _agreeing(values, pool[0].value) >= _ENOUGH:
            break
    agreeing = _agreeing(values, pool[0].value)
    if agreeing >= _ENOUGH:
        hops = -(-hops // 2)
    elif agreeing < 2 <= len(values):
        hops *= _HARDER
    tried = idle = 0
    while idle < hops and tried < _MOST_HOPS * hops:
        before = pool[0].value
        start = _hop([point.theta for point in pool], sample, rng)
        _add(pool, descend(rough, start, tolerance=_ROUGH))
        tried += 1
        idle = 0 if pool[0].value < before * (1 - _SAME) else idle + 1
    candidates = [pool[0].theta] if rough is objective else [*(p.theta for p in pool), *known]
    last = [descend(objective, theta, steps=LAST_STEPS) for theta in candidates]
    best = min(last, key=lambda p: p.value)
    return Solution(best, tried)


def _agreeing(values: Sequence[float], best: float) -> int:
    return sum(value <= best * (1 + _SAME) for value in values)


def _add(pool: list[Point], point: Point) -> None:
    """Put a point into the pool of the lowest distinct optima, lowest first."""
    for index, other in enumerate(pool):
        if abs(point.value - other.value) <= _SAME * abs(other.value):
            if point.value < other.value:
                pool[index] = point
            break
    else:
        pool.append(point)
    pool.sort(key=lambda p: p.value)
    del pool[_POOL:]


def _hop(pool: Sequence[Array], sample: Sampler, rng: np.random.Generator) -> Array:
    """Change some variables of one of the best points found.

    They move by random amounts, or take their values from a fresh start or from another of the
    best points: what is right in one part of the law is often known already, and elsewhere not.
    """
    theta = pool[0 if rng.random() < _FROM_BEST else int(rng.integers(len(pool)))]
    changed = rng.random(len(theta)) < rng.choice([0.05, 0.1, 0.2, 0.4])
    changed[rng.integers(len(theta))] = True
    kind = rng.integers(3)
    if kind == 0:
        other = theta + 10 ** rng.uniform(-1.0, 0.4) * rng.standard_normal(len(theta))
    elif kind == 1 or len(pool) == 1:
        other = sample(rng)
    else:
        other = pool[int(rng.integers(1, len(pool)))]
    return np.where(changed, other, theta)


def basin_hopping(
    objective: Smooth,
    sample: Sampler,
    known: Sequence[Array],
    *,
    rng: np.random.Generator,
    restarts: int,
    hops: int,
    rough: Smooth | None = None,
) -> Solution:
    """Minimise as the paper does (section 2.3): basin hopping over L-BFGS, from random starts.

    SciPy's `basinhopping` with its temperature of 1 and steps of 0.5, over L-BFGS-B with exact
    gradients. Arguments as for `search`, but `hops` is the number of hops from each start, and
    `rough` is not used.
    """
    from scipy.optimize import Bounds, basinhopping

    lower, upper = objective.bounds
    points = []
    for start in [*known, *(sample(rng) for _ in range(restarts))]:
        walk = basinhopping(
            _value_and_gradient(objective),
            np.clip(start, lower, upper),
            niter=hops,
            rng=rng,
            minimizer_kwargs={
                "method": "L-BFGS-B",
                "jac": True,
                "bounds": Bounds(lower, upper),
                # The objective is near 1e-2 and SciPy compares its decrease with 1.
                "options": {"maxiter": 3000, "maxfun": 6000, "ftol": 1e-12, "gtol": 1e-8},
            },
        )
        local = walk.lowest_optimization_result
        points.append(Point(np.asarray(local.x), float(local.fun), bool(local.success)))
    return Solution(min(points, key=lambda p: p.value), hops * len(points))


def early_stopping(
    objective: Smooth,
    sample: Sampler,
    known: Sequence[Array],
    *,
    rng: np.random.Generator,
    restarts: int,
    hops: int,
    rough: Smooth | None = None,
) -> Solution:
    """Take a few steps of L-BFGS from each random start, and the lowest point that they reach.

    Where an optimum lies far out, in parameters that rows hardly tell, this stays near the starts:
    it is a way to regularise. Arguments as for `search`, but there are no hops, and `rough` is not
    used. That the steps are few is the method, so that its points count as converged.
    """
    from scipy.optimize import minimize

    lower, upper = objective.bounds
    points = []
    for start in [*known, *(sample(rng) for _ in range(restarts))]:
        local = minimize(
            _value_and_gradient(objective),
            np.clip(start, lower, upper),
            method="L-BFGS-B",
            jac=True,
            bounds=list(zip(lower, upper, strict=True)),
            options={"maxiter": _EARLY},
        )
        points.append(Point(np.asarray(local.x), float(local.fun), True))
    return Solution(min(points, key=lambda p: p.value), 0)


def _value_and_gradient(objective: Smooth) -> Callable[[Array], tuple[float, Array]]:
    """Give an objective as SciPy wants it."""

    def evaluate(theta: Array, /) -> tuple[float, Array]:
        here = objective.at(theta)
        if np.isfinite(here.value) and np.all(np.isfinite(here.gradient)):
            return here.value, here.gradient
        return 1e10, np.zeros_like(theta)

    return evaluate


SOLVERS = {
    "trust-region": search,
    "basin-hopping": basin_hopping,
    "early-stopping": early_stopping,
}
