"""A problem over mixtures as one over the weights that can move, solved from one start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.simplex.interior_point import Region, Solved, solve
from mixfit.simplex.polytope import FEASIBLE, corrected

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.simplex.functions import Function, Limits
    from mixfit.simplex.polytope import Interior, Polytope

THIN = 1e-9  # relative slack below which limits have no inside
_INWARD = 1e-3  # how far starts are pulled towards the centre
_NEAR_BOUND = 1e-8  # a weight this near a bound is tried at the bound
_LOSSLESS = 1e-11  # relative rise of the function that putting it there may cause


class OverMixtures:
    """A function, its constraints, and a mixture strictly inside them."""

    def __init__(
        self,
        function: Function,
        limits: Limits | None,
        polytope: Polytope,
        inside: Interior,
        centre: Array,
    ) -> None:
        self._function, self._limits = function, limits
        self._polytope, self._inside, self.centre = polytope, inside, centre
        free = inside.free
        self._free = free
        self._base = np.where(free, 0.0, inside.centre)
        rows = inside.rows[:, free]
        held = inside.rows @ self._base
        # Limits that the bounds imply would be walls without need.
        wants_low = inside.low > inside.rows @ polytope.lower
        wants_high = inside.high < np.minimum(inside.rows @ polytope.upper, 1.0)
        self._region = Region(
            polytope.lower[free],
            np.where(polytope.upper[free] < 1.0, polytope.upper[free], np.inf),
            _independent(inside.equal[:, free]),
            np.vstack([rows[wants_high], -rows[wants_low]]),
            np.concatenate([(inside.high - held)[wants_high], (held - inside.low)[wants_low]]),
        )

    def whole(self, x: Array) -> Array:
        """Give the mixture (k,) of free weights."""
        h = self._base.copy()
        h[self._free] = x
        return h

    def values(self, x: Array) -> tuple[float, Array]:
        """Give the function and the limits at free weights: what `interior.solve` takes."""
        h = self.whole(x)
        return self._function.value(h), self._limit_values(h)

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """Give their gradients."""
        h = self.whole(x)
        slope = self._function.gradient(h)[1][self._free]
        if self._limits is None:
            return slope, np.zeros((0, len(x)))
        return slope, self._limits.gradients(h)[:, self._free]

    def curvature(self, x: Array, multipliers: Array) -> Array:
        """Give the second derivatives of the function + multipliers limits."""
        h = self.whole(x)
        bent = self._function.curvature(h)
        if self._limits is not None:
            bent = bent + self._limits.curvature(h, multipliers)
        return np.asarray(bent[np.ix_(self._free, self._free)])

    def _limit_values(self, h: Array) -> Array:
        return np.zeros(0) if self._limits is None else self._limits.values(h)

    def pulled_in(self, h: Array) -> Array:
        """Bring a mixture strictly inside the linear constraints, on the way to their centre."""
        centre = self._inside.centre
        # All free weights positive, so that they can be moved in proportion.
        h = (1.0 - _INWARD) * np.where(self._free, h, centre) + _INWARD * centre
        h = corrected(h, self._free, self._inside.equal, self._inside.sums)
        room, left = self._slacks(centre), self._slacks(h)
        beyond = left < 0
        share = (room[beyond] / (room[beyond] - left[beyond])).min(initial=1.0)
        return np.asarray(centre + (1.0 - _INWARD) * share * (h - centre))

    def _slacks(self, h: Array) -> Array:
        """Give the distances to the linear constraints that can be slack."""
        x, region = h[self._free], self._region
        slacks = (x - region.lower, region.upper - x, region.limit - region.matrix @ x)
        each = np.concatenate(slacks)
        return each[np.isfinite(each)]

    def _slack(self, h: Array) -> float:
        return float(self._slacks(h).min(initial=np.inf))

    def inside_limits(self, h: Array) -> Array:
        """Give a mixture itself where it is strictly inside the limits, and the centre if not."""
        if self._limits is None or self._limits.values(h).max() < -THIN / 10:
            return h
        return self.centre if self._slack(self.centre) > 0 else self._nudged()

    def _nudged(self) -> Array:
        """Move the centre off the linear constraints without leaving the limits.

        Limits with hardly an inside may have it where weights are 0, from where no step
        is possible.
        """
        assert self._limits is not None
        for share in 10.0 ** -np.arange(1.0, 13.0):
            mixed: Array = (1.0 - share) * self.centre + share * self._inside.centre
            if self._limits.values(mixed).max() < 0 and self._slack(mixed) > 0:
                return mixed
        return self.centre

    def approach(self, h: Array, scale: float | None = None) -> tuple[float, Array]:
        """Come near the minimum near a mixture: the value there, and the mixture.

        Args:
            h: (k,) strictly inside the linear constraints.
            scale: the size of the function; by default its value at the start.
        """
        start = self.inside_limits(h)
        solved = self._solve(start, scale, last=1e-6, sharpen=1)
        return solved.value, self.whole(solved.x)

    def polish(self, h: Array) -> tuple[float, Array, Array]:
        """Find the minimum near a mixture: value, mixture and multipliers of the limits."""
        start = self.inside_limits(self.pulled_in(h))
        solved = self._solve(start, None, last=1e-14, sharpen=3)
        settled = self._settled(self.whole(solved.x), solved.value)
        return self._function.value(settled), settled, solved.multipliers

    def _solve(self, h: Array, scale: float | None, *, last: float, sharpen: int) -> Solved:
        """Run the interior-point method from a mixture; one not strictly inside stays."""
        x, limits, value = h[self._free], self._limit_values(h), self._function.value(h)
        if not (self._slack(h) > 0 and limits.max(initial=-1.0) < 0):
            return Solved(x, value, np.zeros(len(limits)))
        size = max(abs(value), 1e-8) if scale is None else scale
        return solve(self, self._region, x, scale=size, first=1e-4, last=last, sharpen=sharpen)

    def _settled(self, h: Array, value: float) -> Array:
        """Put weights on the bounds that they lean on, and make sums exact."""
        polytope, inside = self._polytope, self._inside
        h = np.clip(h, polytope.lower, polytope.upper)
        for reach in (_NEAR_BOUND, 1e-10, 1e-12):
            low = self._free & (h - polytope.lower < reach)
            high = self._free & (polytope.upper - h < reach) & ~low
            moved = np.where(low, polytope.lower, np.where(high, polytope.upper, h))
            equal, sums = self._tight_sums(h, reach)
            moved = corrected(moved, self._free & ~low & ~high, equal, sums)
            if self._keeps(moved, value):
                return moved
        rest = corrected(h, self._free, inside.equal, inside.sums)
        return rest if polytope.violation(rest) <= FEASIBLE else h

    def _tight_sums(self, h: Array, reach: float) -> tuple[Array, Array]:
        inside = self._inside
        sums = inside.rows @ h
        at_low, at_high = sums - inside.low < reach, inside.high - sums < reach
        tight = at_low | at_high
        goals = np.where(at_low, inside.low, inside.high)[tight]
        return np.vstack([inside.equal, inside.rows[tight]]), np.concatenate([inside.sums, goals])

    def _keeps(self, h: Array, value: float) -> bool:
        """Tell whether a mixture is as good, and obeys the constraints as well."""
        if self._polytope.violation(h) > FEASIBLE / 100 or h.min() < 0:
            return False
        if self._limits is not None and self._limits.values(h).max() > THIN:
            return False
        return self._function.value(h) <= value + _LOSSLESS * max(abs(value), 1e-8)

    def slackest(self, start: Array) -> Array:
        """Find the mixture at which the largest of the limits is lowest."""
        assert self._limits is not None
        program = _Slackest(self, self._limits)
        first = float(self._limits.values(start).max()) + 0.1
        region, n = self._region, int(self._free.sum())
        wider = Region(
            np.append(region.lower, -np.inf),
            np.append(region.upper, np.inf),
            np.hstack([region.equal, np.zeros((len(region.equal), 1))]),
            np.hstack([region.matrix, np.zeros((len(region.matrix), 1))]),
            region.limit,
        )
        x = np.append(start[self._free], first)
        h = self.whole(solve(program, wider, x, scale=1.0, first=1e-1, last=1e-12).x[:n])
        return corrected(h, self._free, self._inside.equal, self._inside.sums)


class _Slackest:
    """The program whose last variable t is minimised, with c(h) - t below 0."""

    def __init__(self, problem: OverMixtures, limits: Limits) -> None:
        self._problem, self._limits = problem, limits

    def values(self, x: Array) -> tuple[float, Array]:
        return float(x[-1]), self._limits.values(self._problem.whole(x[:-1])) - x[-1]

    def slopes(self, x: Array) -> tuple[Array, Array]:
        slope = np.zeros(len(x))
        slope[-1] = 1.0
        rows = self._problem.slopes(x[:-1])[1]
        return slope, np.hstack([rows, -np.ones((len(rows), 1))])

    def curvature(self, x: Array, multipliers: Array) -> Array:
        bent = np.zeros((len(x), len(x)))
        bent[:-1, :-1] = self._problem.curvature(x[:-1], multipliers)
        return bent


def _independent(rows: Array) -> Array:
    """Drop rows that follow from the others."""
    kept: list[Array] = []
    for row in rows:
        stack = np.array([*kept, row])
        if np.linalg.matrix_rank(stack) == len(stack):
            kept.append(row)
    return np.array(kept).reshape(-1, rows.shape[1])
