"""One problem over mixtures: mirror descent, and the Newton steps that find the last digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mixfit.simplex.interior import Region, solve
from mixfit.simplex.polytope import FEASIBLE, Interior, Polytope, corrected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixfit.base.arrays import Array

THIN = 1e-9  # relative slack below which limits have no inside
_DESCENT_STEPS = 60
_DESCENT_GAIN = 1e-5  # relative gain of a step below which Newton steps do better
_INWARD = 1e-3  # how far starts are pulled towards the centre
_NEAR_BOUND = 1e-8  # a weight this near a bound is tried at the bound
_LOSSLESS = 1e-11  # relative rise of the function that putting it there may cause


class Function(Protocol):
    """A function of h, with derivatives along the simplex.

    At a weight of 0 a slope may be huge, as the stand-in of an infinite one, but not infinite.
    """

    def value(self, h: Array) -> float:
        """Give the value at h (k,)."""
        ...

    def gradient(self, h: Array) -> tuple[float, Array]:
        """Give the value and the gradient (k,)."""
        ...

    def curvature(self, h: Array) -> Array:
        """Give the second derivatives (k, k)."""
        ...

    def convex(self, allowed: NDArray[np.bool_]) -> bool:
        """Tell whether it is proven convex where only the domains allowed (k,) have weight."""
        ...


class Limits(Protocol):
    """Functions c of h that must not pass 0, in units in which 1 is large."""

    def values(self, h: Array) -> Array:
        """Give c (m,)."""
        ...

    def gradients(self, h: Array) -> Array:
        """Give the gradients (m, k)."""
        ...

    def curvature(self, h: Array, multipliers: Array) -> Array:
        """Give the second derivatives (k, k) of multipliers c."""
        ...

    def convex(self, allowed: NDArray[np.bool_]) -> bool:
        """Tell whether all are proven convex where only the domains allowed (k,) have weight."""
        ...


class Problem:
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
        found = self._function.curvature(h)
        if self._limits is not None:
            found = found + self._limits.curvature(h, multipliers)
        return np.asarray(found[np.ix_(self._free, self._free)])

    def _limit_values(self, h: Array) -> Array:
        return np.zeros(0) if self._limits is None else self._limits.values(h)

    def pulled_in(self, h: Array) -> Array:
        """Bring a mixture onto the polytope, and a little towards its centre."""
        if self._polytope.violation(h) > FEASIBLE:
            with np.errstate(divide="ignore"):
                h = self._polytope.nearest(np.maximum(np.log(h), -50.0))
        inside = self._inside
        h = np.where(self._free, h, inside.centre)
        mixed = (1.0 - _INWARD) * h + _INWARD * inside.centre
        mixed = corrected(mixed, self._free, inside.equal, inside.sums)
        return np.asarray(mixed if self._slack(mixed) > 0 else self._towards(mixed, inside.centre))

    def _towards(self, h: Array, goal: Array) -> Array:
        for share in (0.01, 0.1, 0.3, 0.6, 0.9):
            mixed = (1.0 - share) * h + share * goal
            if self._slack(mixed) > 0:
                return mixed
        return goal

    def _slack(self, h: Array) -> float:
        """Give the smallest distance to a linear constraint."""
        x, region = h[self._free], self._region
        parts = (x - region.lower, region.upper - x, region.limit - region.matrix @ x)
        return min(float(part.min(initial=np.inf)) for part in parts)

    def inside_limits(self, h: Array) -> Array:
        """Move a mixture towards the centre until it is strictly inside the limits."""
        if self._limits is None or self._limits.values(h).max() < -THIN / 10:
            return h
        for share in (0.01, 0.03, 0.1, 0.3, 0.6):
            mixed: Array = (1.0 - share) * h + share * self.centre
            if self._limits.values(mixed).max() < -THIN / 10 and self._slack(mixed) > 0:
                return mixed
        return self.centre if self._slack(self.centre) > 0 else self._nudged()

    def _nudged(self) -> Array:
        """Move the centre off the linear constraints without leaving the limits."""
        assert self._limits is not None
        for share in 10.0 ** -np.arange(1.0, 13.0):
            mixed: Array = (1.0 - share) * self.centre + share * self._inside.centre
            if self._limits.values(mixed).max() < 0 and self._slack(mixed) > 0:
                return mixed
        return self.centre

    def descend(self, h: Array) -> tuple[float, Array]:
        """Run mirror descent, giving the value at its end, and the end.

        A step goes to the mixture with the lowest ``<slope, v> + KL(v || h) / length`` and is taken
        if the function at v lies below that model of it; the length grows after steps that were
        taken at once, and is halved until they are (Beck and Teboulle 2003; Lu, Freund and
        Nesterov 2018).
        """
        function = self._function
        value, slope = function.gradient(h)
        slope = np.where(self._free, slope, 0.0)
        length = 1.0 / (np.ptp(slope[self._free]) + 1e-300)
        for _ in range(_DESCENT_STEPS):
            log_h = np.log(np.maximum(h, 1e-300))
            for tries in range(40):  # noqa: B007
                new = self._polytope.nearest(log_h - length * slope)
                new = np.where(self._free, np.maximum(new, 1e-300), new)
                divergence = float(new @ (np.log(np.maximum(new, 1e-300)) - log_h))
                model = value + float(slope @ (new - h)) + max(divergence, 0.0) / length
                now = function.value(new)
                if now <= model + 1e-14 * abs(value):
                    break
                length *= 0.5
            else:
                break
            length *= 1.0 if tries else 1.5
            gain = value - now
            h = new
            value, slope = function.gradient(h)
            slope = np.where(self._free, slope, 0.0)
            if gain <= _DESCENT_GAIN * abs(value):
                break
        return value, h

    def solve(
        self, h: Array, *, scale: float, first: float, last: float, sharpen: int = 3
    ) -> _Solved:
        """Run the interior-point method from a mixture; one not strictly inside stays."""
        x = h[self._free]
        limits = self._limit_values(h)
        if not (self._slack(h) > 0 and limits.max(initial=-1.0) < 0):
            return _Solved(x, self._function.value(h), np.zeros(len(limits)))
        found = solve(
            self, self._region, h[self._free], scale=scale, first=first, last=last, sharpen=sharpen
        )
        return _Solved(found.x, found.value, found.multipliers)

    def polish(self, h: Array) -> tuple[float, Array, Array]:
        """Find the minimum near a mixture: value, mixture and multipliers of the limits."""
        start = self.inside_limits(self.pulled_in(h))
        value = self._function.value(start)
        scale = max(abs(value), 1e-8)
        found = self.solve(start, scale=scale, first=1e-4, last=1e-14)
        settled = self._settled(self.whole(found.x), found.value)
        return self._function.value(settled), settled, found.multipliers

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
        found = solve(program, wider, x, scale=1.0, first=1e-1, last=1e-12)
        h = self.whole(found.x[:n])
        return corrected(h, self._free, self._inside.equal, self._inside.sums)


@dataclass(frozen=True, eq=False)
class _Solved:
    x: Array
    value: float
    multipliers: Array


class _Slackest:
    """The program whose last variable t is minimised, with c(h) - t below 0."""

    def __init__(self, problem: Problem, limits: Limits) -> None:
        self._problem, self._limits = problem, limits

    def values(self, x: Array) -> tuple[float, Array]:
        return float(x[-1]), self._limits.values(self._problem.whole(x[:-1])) - x[-1]

    def slopes(self, x: Array) -> tuple[Array, Array]:
        slope = np.zeros(len(x))
        slope[-1] = 1.0
        rows = self._problem.slopes(x[:-1])[1]
        return slope, np.hstack([rows, -np.ones((len(rows), 1))])

    def curvature(self, x: Array, multipliers: Array) -> Array:
        found = np.zeros((len(x), len(x)))
        found[:-1, :-1] = self._problem.curvature(x[:-1], multipliers)
        return found


def _independent(rows: Array) -> Array:
    """Drop rows that follow from the others."""
    kept: list[Array] = []
    for row in rows:
        stack = np.array([*kept, row])
        if np.linalg.matrix_rank(stack) == len(stack):
            kept.append(row)
    return np.array(kept).reshape(-1, rows.shape[1])
