"""How far a mixture can be from the lowest one: the Frank-Wolfe gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.simplex.polytope import FEASIBLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixfit.base.arrays import Array
    from mixfit.simplex.functions import Function, Limits
    from mixfit.simplex.polytope import Polytope

_SMALLEST = -300  # log10 of the smallest weight that a certificate looks at


def certificate(
    function: Function,
    polytope: Polytope,
    h: Array,
    limits: Limits | None = None,
    multipliers: Array | None = None,
) -> float:
    """Give the Frank-Wolfe gap, max over mixtures v of <slope at h, h - v>.

    For a convex function no mixture that obeys the constraints is lower than h by more (Jaggi
    2013, eq. 2). With limits the function is the Lagrangian, f + multipliers c, and what its second
    term falls short of 0 is added. Where the slope at a weight of 0 is -infinity, as for
    ``h^gamma`` with gamma < 1, the weight belongs at a positive number, though perhaps one far
    smaller than 1e-16: the gap is then taken at the mixture with that number, and the difference
    of the two values is added.

    Args:
        function: that was minimised.
        polytope: its linear constraints.
        h: (k,) the mixture to be certified.
        limits: the other constraints.
        multipliers: (m,) theirs.

    Returns:
        The gap, 0 or more; NaN where the function or its slope is not finite.
    """
    multipliers = np.zeros(0) if multipliers is None else multipliers

    def lagrangian(at: Array) -> tuple[float, Array]:
        value, slope = function.gradient(at)
        if limits is not None:
            value += float(multipliers @ limits.values(at))
            slope = slope + multipliers @ limits.gradients(at)
        return value, slope

    lifted = _lifted(lagrangian, polytope, h)
    value, slope = lagrangian(lifted)
    if not (np.isfinite(value) and np.isfinite(slope).all()):
        return np.nan
    gap = float(slope @ (lifted - polytope.lowest(slope))) + function.value(h) - value
    return gap if gap > 0 or np.isnan(gap) else 0.0


def _lifted(
    lagrangian: Callable[[Array], tuple[float, Array]], polytope: Polytope, h: Array
) -> Array:
    """Move weights of 0 with a slope of -infinity to where the slope is that of the others.

    Without it, exact zeros under a law with gamma < 1 or under a pull are never certified.
    """
    slope = lagrangian(h)[1]
    level = _prices(polytope, h, slope)
    zeros = (h == 0) & (polytope.upper > 0) & (slope < level)
    if not zeros.any():
        return h
    level, largest = level[zeros], int(np.argmax(h))

    def at(exponents: Array) -> Array:
        point = h.copy()
        point[zeros] = 10.0**exponents
        point[largest] -= point[zeros].sum()
        return point

    low = np.full(len(level), float(_SMALLEST))
    high = np.full(len(level), -7.0)
    for _ in range(50):
        middle = (low + high) / 2
        below = lagrangian(at(middle))[1][zeros] < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return at(high)


def _prices(polytope: Polytope, h: Array, slope: Array) -> Array:
    """Give the slope (k,) that a weight strictly between its bounds has at an optimum.

    It is a number common to all domains, and one more for each sum of weights at a limit. Without
    these, weights of 0 in such a sum are lifted to where they do not belong: the gap is too wide.
    """
    between = (h > polytope.lower + FEASIBLE) & (
        (h < polytope.upper - FEASIBLE) | (polytope.upper >= 1)
    )
    if not between.any():
        return np.full(polytope.k, float(slope[h > 0] @ h[h > 0]))
    sums = polytope.rows @ h
    tight = (sums < polytope.low + FEASIBLE) | (sums > polytope.high - FEASIBLE)
    rows = np.vstack([np.ones((1, polytope.k)), polytope.rows[tight]])
    prices = np.linalg.lstsq(rows[:, between].T, slope[between], rcond=1e-9)[0] @ rows
    return np.asarray(prices, dtype=np.float64)
