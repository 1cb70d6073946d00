"""Smooth functions minimised over mixtures, with a certificate.

The search is mirror descent (exponentiated gradient, the paper's section 5) from several starts,
with a step length that adapts itself. Where it ends, an interior-point method takes over, whose
Newton steps find the last digits, and weights that belong at a bound are put there exactly. The
certificate is the Frank-Wolfe gap. Knows nothing of laws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.simplex.descent import THIN, Function, Limits, Problem
from mixfit.simplex.polytope import FEASIBLE, Interior, Polytope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mixfit.base.arrays import Array

_MOST_STARTS = 12  # of mirror descent, those with the lowest values
_FEW_STARTS = 2
_MOST_POLISHED = 5  # of its ends
_CERTAIN = 1e-9  # relative gap that is as good as none
_SAME = 1e-3  # ends that differ by less in every weight are one
_RANGE_FIRST, _RANGE_LAST = 1e-4, 1e-6
_SMALLEST = -300  # log10 of the smallest weight that a certificate looks at


class InfeasibleError(ValueError):
    """No mixture obeys the constraints."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """The lowest point found.

    Attributes:
        h: (k,), on the polytope.
        value: the function there.
        gap: the certificate, see `certificate`.
        convex: whether the problem is proven convex, so that no mixture is lower by more than the
            gap; if not, the gap says only that no direction goes down from h.
        multipliers: (m,) of the limits.
        ends: distinct ends of mirror descent that were polished.
    """

    h: Array
    value: float
    gap: float
    convex: bool
    multipliers: Array
    ends: int


def minimise(
    function: Function,
    polytope: Polytope,
    limits: Limits | None = None,
    starts: Sequence[Array] = (),
    *,
    few: bool = False,
) -> Optimum:
    """Minimise a function over the mixtures that obey constraints.

    Args:
        function: to be minimised.
        polytope: the linear constraints.
        limits: the others.
        starts: mixtures (k,) to start from, beside a central one and, where the problem is not
            proven convex, one near each corner; they need not obey the constraints.
        few: start from fewer of them and from no corners, as where the optimum of a problem
            nearby is among them.

    Raises:
        InfeasibleError: if no mixture obeys them.
    """
    inside = polytope.interior
    if inside is None:
        raise InfeasibleError
    limits, centre = _with_inside(limits, polytope, inside, starts)
    allowed = polytope.upper > 0
    convex = function.convex(allowed) and (limits is None or limits.convex(allowed))
    if not inside.free.any():
        h = inside.centre
        multipliers = np.zeros(0 if limits is None else len(limits.values(h)))
        return Optimum(h, function.value(h), 0.0, True, multipliers, 1)
    problem = Problem(function, limits, polytope, inside, centre)
    points = list(starts) if few else [*starts, *_near_corners(polytope.k)]
    if convex:
        points = [*starts, inside.centre]
    points = sorted((problem.pulled_in(h) for h in points), key=function.value)
    points = points[: 1 if convex else _FEW_STARTS if few else _MOST_STARTS]
    if not convex:
        # The central start stays whatever its value.
        points.append(problem.pulled_in(inside.centre))
    ends = _distinct(sorted((problem.descend(h) for h in points), key=lambda end: end[0]))
    solved = [problem.polish(h) for _, h in ends[: _FEW_STARTS if few else _MOST_POLISHED]]
    best = min(solved, key=lambda found: found[0])
    value, h, multipliers = best
    gap = certificate(function, polytope, h, limits, multipliers)
    if gap > _CERTAIN * abs(value):
        value, h, multipliers, gap = _on_face(problem, function, polytope, limits, best, gap)
    return Optimum(h, value, gap, convex, multipliers, len(solved))


def _on_face(
    problem: Problem,
    function: Function,
    polytope: Polytope,
    limits: Limits | None,
    best: tuple[float, Array, Array],
    gap: float,
) -> tuple[float, Array, Array, float]:
    """Search again where the weights that ended at 0 are 0, and keep what has the smaller gap.

    A function may rise from a weight of 0 as steeply as ``h^(1/30)``. The barrier, which keeps
    weights off 0, then keeps the others from where they belong.
    """
    value, h, multipliers = best
    upper = np.where((h == polytope.lower) & (h == 0), 0.0, polytope.upper)
    face = replace(polytope, upper=upper)
    inside = face.interior
    if inside is None or not inside.free.any() or np.array_equal(upper, polytope.upper):
        return value, h, multipliers, gap
    centre = problem.centre if limits is not None else inside.centre
    found = Problem(function, limits, face, inside, centre).polish(h)
    new = certificate(function, polytope, found[1], limits, found[2])
    lower = found[0] <= value + _CERTAIN * abs(value)
    return (*found, new) if lower and new < gap else (value, h, multipliers, gap)


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
    part falls short of 0 is added. Where the slope at a weight of 0 is -infinity, as for
    ``h^gamma`` with gamma < 1, the weight belongs at a positive number, though perhaps one far
    smaller than 1e-16: the gap is then taken at the mixture with that number, and the difference
    of the two values is added.

    Args:
        function: that was minimised.
        polytope: its linear constraints.
        h: (k,) the mixture to be certified.
        limits: the other constraints.
        multipliers: (m,) theirs.
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
    gap = float(slope @ (lifted - polytope.lowest(slope)))
    return max(gap + function.value(h) - value, 0.0)


def _lifted(
    lagrangian: Callable[[Array], tuple[float, Array]], polytope: Polytope, h: Array
) -> Array:
    """Move weights of 0 with a slope of -infinity to where the slope is that of the others."""
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

    It is a number common to all domains, and one more for each sum of weights at a limit.
    """
    between = (h > polytope.lower + FEASIBLE) & (
        (h < polytope.upper - FEASIBLE) | (polytope.upper >= 1)
    )
    if not between.any():
        return np.full(polytope.k, float(slope[h > 0] @ h[h > 0]))
    sums = polytope.rows @ h
    tight = (sums < polytope.low + FEASIBLE) | (sums > polytope.high - FEASIBLE)
    parts = np.vstack([np.ones((1, polytope.k)), polytope.rows[tight]])
    found = np.linalg.lstsq(parts[:, between].T, slope[between], rcond=1e-9)[0] @ parts
    return np.asarray(found, dtype=np.float64)


def widest(
    polytope: Polytope,
    limits: Limits,
    start: Array,
    domains: Sequence[int],
) -> Array:
    """Find the range of each weight over the mixtures that obey limits.

    Where the limits are not convex these are the ranges around the start.

    Args:
        polytope: the linear constraints.
        limits: the others, c < 0 at the start.
        start: (k,) on the polytope.
        domains: indices of the weights wanted.

    Returns:
        (len(domains), 2) lowest and highest weights, to 2e-5 or so.
    """
    inside = polytope.interior
    assert inside is not None
    found = np.repeat(start[list(domains), None], 2, axis=1)
    for row, index in enumerate(domains):
        if not inside.free[index]:
            continue
        for side, sign in enumerate((1.0, -1.0)):
            line = _Line(index, sign, len(start))
            problem = Problem(line, limits, polytope, inside, start)
            begin = problem.inside_limits(problem.pulled_in(start))
            h = problem.solve(begin, scale=1.0, first=_RANGE_FIRST, last=_RANGE_LAST, sharpen=1).x
            found[row, side] = problem.whole(h)[index]
    found[found < 1e-5] = 0.0
    return found


@dataclass(frozen=True)
class _Line:
    """A weight, or minus it, as a function."""

    index: int
    sign: float
    k: int

    def value(self, h: Array) -> float:
        return self.sign * float(h[self.index])

    def gradient(self, h: Array) -> tuple[float, Array]:
        slope = np.zeros(self.k)
        slope[self.index] = self.sign
        return self.value(h), slope

    def curvature(self, h: Array) -> Array:
        return np.zeros((self.k, self.k))

    def convex(self, allowed: NDArray[np.bool_]) -> bool:
        return True


def most_slack(
    limits: Limits, polytope: Polytope, starts: Sequence[Array] = ()
) -> tuple[float, Array]:
    """Find the mixture at which the largest of the limits' functions is lowest.

    Returns:
        That lowest value, above 0 if no mixture obeys the limits, and the mixture (k,).

    Raises:
        InfeasibleError: if no mixture obeys the linear constraints.
    """
    inside = polytope.interior
    if inside is None:
        raise InfeasibleError
    centre = inside.centre
    best = min([centre, *starts], key=lambda h: _worst(limits, polytope, h))
    found = best, _worst(limits, polytope, best)
    if inside.free.any():
        for start in {id(h): h for h in (best, centre)}.values():
            problem = Problem(_Line(0, 0.0, polytope.k), limits, polytope, inside, centre)
            h = problem.slackest(problem.pulled_in(start))
            worst = float(limits.values(h).max())
            if worst < found[1]:
                found = h, worst
    return found[1], found[0]


def _worst(limits: Limits, polytope: Polytope, h: Array) -> float:
    if polytope.violation(h) > FEASIBLE:
        return np.inf
    return float(limits.values(h).max())


@dataclass(frozen=True, eq=False)
class _Relaxed:
    """Limits, each wider by one number."""

    limits: Limits
    by: float

    def values(self, h: Array) -> Array:
        return self.limits.values(h) - self.by

    def gradients(self, h: Array) -> Array:
        return self.limits.gradients(h)

    def curvature(self, h: Array, multipliers: Array) -> Array:
        return self.limits.curvature(h, multipliers)

    def convex(self, allowed: NDArray[np.bool_]) -> bool:
        return self.limits.convex(allowed)


def _with_inside(
    limits: Limits | None, polytope: Polytope, inside: Interior, starts: Sequence[Array]
) -> tuple[Limits | None, Array]:
    """Find a point strictly inside limits; where there is hardly one, widen them by a hair."""
    if limits is None:
        return None, inside.centre
    slack, centre = most_slack(limits, polytope, starts)
    if slack > THIN:
        raise InfeasibleError
    if slack > -THIN:
        return _Relaxed(limits, max(slack, 0.0) + THIN), centre
    return limits, centre


def _near_corners(k: int) -> Array:
    """Give points near the corners, and nearer: some laws have an optimum in the corner itself."""
    corners = np.eye(k)
    return np.concatenate([0.3 / k + 0.7 * corners, 0.01 / k + 0.99 * corners])


def _distinct(ends: Sequence[tuple[float, Array]]) -> list[tuple[float, Array]]:
    found: list[tuple[float, Array]] = []
    for end in ends:
        if all(np.abs(end[1] - other[1]).max() > _SAME for other in found):
            found.append(end)
    return found
