"""Smooth functions minimised over mixtures, with a certificate.

The search is an interior-point method with exact second derivatives: from several starts a first,
rough pass, and from the distinct ends of these one that finds the last digits and puts weights that
belong at a bound there exactly. The certificate is the Frank-Wolfe gap. Knows nothing of laws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.simplex.certificate import certificate
from mixfit.simplex.over_mixtures import THIN, OverMixtures
from mixfit.simplex.polytope import FEASIBLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array
    from mixfit.simplex.functions import Function, Limits
    from mixfit.simplex.polytope import Interior, Polytope

_MOST_STARTS = 12  # of the rough pass, those with the lowest values
_FEW_STARTS = 2
_MOST_POLISHED = 5  # of its ends
_SAME = 1e-3  # ends that differ by less in every weight are one


class InfeasibleError(ValueError):
    """No mixture obeys the constraints."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """The lowest mixture that was met.

    Attributes:
        h: (k,), on the polytope.
        value: the function there.
        gap: the certificate, see `certificate`.
        convex: whether the problem is proven convex, so that no mixture is lower by more than the
            gap; if not, the gap says only that no direction goes down from h.
        multipliers: (m,) of the limits.
    """

    h: Array
    value: float
    gap: float
    convex: bool
    multipliers: Array


def minimise(
    function: Function,
    polytope: Polytope,
    limits: Limits | None = None,
    starts: Sequence[Array] = (),
    *,
    convex: bool = False,
    few: bool = False,
) -> Optimum:
    """Minimise a function over the mixtures that obey constraints.

    Args:
        function: to be minimised.
        polytope: the linear constraints.
        limits: the others.
        starts: mixtures (k,) to start from, beside a central one and, where the problem is not
            proven convex, one near each corner; they need not obey the constraints.
        convex: whether the function and the limits are proven convex where only the domains that
            may have weight have any.
        few: start from fewer of them and from no corners, as where the optimum of a problem
            nearby is among them.

    Raises:
        InfeasibleError: if no mixture obeys them.
    """
    inside = polytope.interior
    if inside is None:
        raise InfeasibleError
    limits, centre = _with_inside(limits, polytope, inside, starts)
    if not inside.free.any():
        h = inside.centre
        multipliers = np.zeros(0 if limits is None else len(limits.values(h)))
        return Optimum(h, function.value(h), 0.0, True, multipliers)
    problem = OverMixtures(function, limits, polytope, inside, centre)
    points = list(starts) if few else [*starts, *_near_corners(polytope.k)]
    if convex:
        points = [*starts, inside.centre]
    points = sorted((problem.pulled_in(h) for h in points), key=function.value)
    points = points[: 1 if convex else _FEW_STARTS if few else _MOST_STARTS]
    if not convex:
        # The central start stays whatever its value.
        points.append(problem.pulled_in(inside.centre))
        points = _distinct([problem.inside_limits(h) for h in points])
        ends = sorted((problem.approach(h) for h in points), key=lambda end: end[0])
        points = _distinct([h for _, h in ends])[: _FEW_STARTS if few else _MOST_POLISHED]
    value, h, multipliers = min((problem.polish(h) for h in points), key=lambda end: end[0])
    gap = certificate(function, polytope, h, limits, multipliers)
    return Optimum(h, value, gap, convex, multipliers)


def widest(polytope: Polytope, limits: Limits, start: Array) -> Array:
    """Find the range of each weight over the mixtures that obey limits.

    Where the limits are not convex these are the ranges around the start.

    Args:
        polytope: the linear constraints.
        limits: the others, c < 0 at the start.
        start: (k,) on the polytope.

    Returns:
        (k, 2) lowest and highest weights, to 2e-5 or so.
    """
    inside = polytope.interior
    assert inside is not None
    ranges = np.repeat(start[:, None], 2, axis=1)
    for index in np.flatnonzero(inside.free):
        for side, sign in enumerate((1.0, -1.0)):
            line = _Line(int(index), sign, polytope.k)
            problem = OverMixtures(line, limits, polytope, inside, start)
            ranges[index, side] = problem.approach(problem.pulled_in(start), scale=1.0)[1][index]
    ranges[ranges < 1e-5] = 0.0
    return ranges


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

    def worst(h: Array) -> float:
        return float(limits.values(h).max()) if polytope.violation(h) <= FEASIBLE else np.inf

    best = min([centre, *starts], key=worst)
    ends = [best]
    if inside.free.any():
        problem = OverMixtures(_Line(0, 0.0, polytope.k), limits, polytope, inside, centre)
        for start in {id(h): h for h in (best, centre)}.values():
            ends.append(problem.slackest(problem.pulled_in(start)))
    slackest = min(ends, key=worst)
    return worst(slackest), slackest


@dataclass(frozen=True, eq=False)
class _Relaxed:
    """Limits, each wider by one number.

    For limits that hold at one mixture only, such as the losses of one that cannot be bettered:
    without an inside there is no way to a certificate.
    """

    limits: Limits
    by: float

    def values(self, h: Array) -> Array:
        return self.limits.values(h) - self.by

    def gradients(self, h: Array) -> Array:
        return self.limits.gradients(h)

    def curvature(self, h: Array, multipliers: Array) -> Array:
        return self.limits.curvature(h, multipliers)


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


def _distinct(mixtures: Sequence[Array]) -> list[Array]:
    kept: list[Array] = []
    for h in mixtures:
        if all(np.abs(h - other).max() > _SAME for other in kept):
            kept.append(h)
    return kept
