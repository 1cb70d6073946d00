"""Mixtures that obey linear constraints: bounds on weights and on sums of weights.

Knows nothing of losses. Linear programs that have no closed form go to HiGHS through SciPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Mask

EQUAL = 1e-9  # a weight, or a sum of weights, that cannot move by more is fixed
FEASIBLE = 1e-9  # how far rounding may carry a weight or a sum over its bound
_LEAST_SLACK = 1e-7  # a constraint that cannot be slack by more is an equality
_LITTLE = 1e-9  # cost that keeps a linear program from numbers larger than it needs
_STEEPEST = 1e9  # slopes beyond it times the typical one are cut, for the linear program's sake


@dataclass(frozen=True, eq=False)
class Polytope:
    """Mixtures h with ``lower <= h <= upper``, ``low <= rows h <= high`` and sum 1.

    Attributes:
        lower: (k,) of 0 or more.
        upper: (k,).
        rows: (r, k) of 0 and 1: which domains each sum has.
        low: (r,) the smallest each sum may be; 0 if there is no limit.
        high: (r,) the largest; 1 if there is no limit.
    """

    lower: Array
    upper: Array
    rows: Array
    low: Array
    high: Array

    @classmethod
    def simplex(cls, k: int) -> Polytope:
        """Give all mixtures of k domains."""
        return cls(np.zeros(k), np.ones(k), np.zeros((0, k)), np.zeros(0), np.zeros(0))

    @property
    def k(self) -> int:
        """The number of domains."""
        return len(self.lower)

    @cached_property
    def interior(self) -> Interior | None:
        """What moves and what cannot, with a point well inside; None where there is no mixture."""
        if np.any(self.lower > self.upper + FEASIBLE) or np.any(self.low > self.high + FEASIBLE):
            return None
        whole = self.rows.all(axis=1)
        if np.any(self.low[whole] > 1 + FEASIBLE) or np.any(self.high[whole] < 1 - FEASIBLE):
            return None
        p = self._parts
        return _interior_with_rows(p) if len(p.rows) else _interior_of_box(p)

    @cached_property
    def _parts(self) -> Polytope:
        """The same without sums of all weights, which are 1 whatever is asked of them."""
        part = ~self.rows.all(axis=1)
        return Polytope(self.lower, self.upper, self.rows[part], self.low[part], self.high[part])

    def violation(self, h: Array) -> float:
        """Give by how much a mixture breaks the constraint that it breaks most; 0 if none."""
        sums = self.rows @ h
        excesses = (self.lower - h, h - self.upper, self.low - sums, sums - self.high)
        over = float(np.concatenate(excesses).max(initial=0.0))
        return max(over, abs(float(h.sum()) - 1.0))

    def lowest(self, slope: Array) -> Array:
        """Find the mixture (k,) at which a linear function is lowest.

        Args:
            slope: (k,) of the function; entries may be huge, but not infinite.
        """
        rows, low, high = self._parts.rows, self._parts.low, self._parts.high
        if not len(rows):
            h = self.lower.copy()
            left = 1.0 - h.sum()
            for index in np.argsort(slope, kind="stable"):
                take = min(left, self.upper[index] - h[index])
                h[index] += max(take, 0.0)
                left -= take
                if left <= 0:
                    break
            return h
        typical = np.median(np.abs(slope - np.median(slope))) + 1e-300
        middle = float(np.median(slope))
        cut = np.clip((slope - middle) / typical, -_STEEPEST, _STEEPEST)
        for loose in (0.0, FEASIBLE):  # mixtures may be such within rounding only
            vertex = _linear_program(
                cut,
                np.vstack([rows, -rows]),
                np.concatenate([high, -low]) + loose,
                np.ones((1, self.k)),
                np.ones(1),
                np.column_stack(
                    [
                        np.maximum(self.lower - loose, 0.0),
                        np.maximum(self.upper, self.lower) + loose,
                    ]
                ),
            )
            if vertex is not None:
                break
        assert vertex is not None
        return np.clip(vertex, self.lower, self.upper)


@dataclass(frozen=True, eq=False)
class Interior:
    """A polytope's relative interior.

    Attributes:
        centre: (k,) a mixture that meets no bound that it could keep away from.
        free: (k,) which weights can move.
        equal: (e, k) sums that cannot, beginning with the sum of all weights.
        sums: (e,) what those sums are.
        rows: (r', k) sums that can move.
        low: (r',) their lower limits.
        high: (r',) their upper limits.
    """

    centre: Array
    free: Mask
    equal: Array
    sums: Array
    rows: Array
    low: Array
    high: Array


def _interior_of_box(p: Polytope) -> Interior | None:
    least, most = p.lower.sum(), p.upper.sum()
    if least > 1 + FEASIBLE or most < 1 - FEASIBLE:
        return None
    share = (1.0 - least) / (most - least) if most > least else 0.0
    centre = p.lower + (p.upper - p.lower) * np.clip(share, 0.0, 1.0)
    free = p.upper - p.lower > EQUAL
    if least > 1 - EQUAL or most < 1 + EQUAL:
        free = np.zeros(p.k, bool)
    return _make_interior(p, centre, free, np.zeros(0, bool))


def _interior_with_rows(p: Polytope) -> Interior | None:
    """Find which constraints can be slack at all, and a point where all of those are."""
    k, r = p.k, len(p.rows)
    # matrix h <= limit
    matrix = np.vstack([-np.eye(k), np.eye(k), -p.rows, p.rows])
    limit = np.concatenate([-p.lower, p.upper, -p.low, p.high])
    m = len(limit)
    least = _linear_program(
        np.concatenate([np.zeros(k), [1.0]]),
        np.hstack([matrix, -np.ones((m, 1))]),
        limit,
        np.concatenate([np.ones(k), [0.0]])[None],
        np.ones(1),
        np.array([(0.0, 1.0)] * (k + 1)),
    )
    if least is None or least[k] > FEASIBLE:
        return None
    slack, inside = _slack_at_once(matrix, limit)
    if inside is None:
        slack, inside = _slack_one_by_one(matrix, limit)
    tight = ~slack
    # Then as far inside as can be, measured by the smallest of the slacks that can be positive.
    best = _linear_program(
        np.concatenate([np.zeros(k), [-1.0]]),
        np.hstack([matrix, slack[:, None].astype(float)]),
        limit + np.where(tight, FEASIBLE / 10, 0.0),
        np.concatenate([np.ones(k), [0.0]])[None],
        np.ones(1),
        np.array([(0.0, 1.0)] * k + [(0.0, 1.0)]),
    )
    centre = inside if best is None else best[:k]
    free = ~(tight[:k] | tight[k : 2 * k])
    stuck = tight[2 * k : 2 * k + r] | tight[2 * k + r :]
    return _make_interior(p, np.clip(centre, p.lower, p.upper), free, stuck)


def _slack_at_once(matrix: Array, limit: Array) -> tuple[Mask, Array | None]:
    """Tell which of ``matrix h <= limit`` can be slack, (m,), and give a mixture where all are.

    There is no mixture where the numbers are too far apart for a linear program.
    """
    m, k = matrix.shape
    # Freund, Roundy and Todd 1985: over the homogenised polytope the largest sum of slacks, each
    # counted up to 1, is attained where every constraint that can be slack is. The variables are
    # h times theta, theta of 1 or more, and the slacks.
    found = _linear_program(
        np.concatenate([np.zeros(k), [_LITTLE], -np.ones(m)]),
        np.hstack([matrix, -limit[:, None], np.eye(m)]),
        np.zeros(m),
        np.concatenate([np.ones(k), [-1.0], np.zeros(m)])[None],
        np.zeros(1),
        np.array([(0.0, np.inf)] * k + [(1.0, 1.0 / _LEAST_SLACK)] + [(0.0, 1.0)] * m),
    )
    if found is None:
        return np.zeros(m, bool), None
    return found[k + 1 :] > 0.5, found[:k] / found[k]


def _slack_one_by_one(matrix: Array, limit: Array) -> tuple[Mask, Array]:
    """Do the same by a linear program for each inequality."""
    m, k = matrix.shape
    slack, points = np.zeros(m, bool), []
    for index in range(m):
        point = _linear_program(
            matrix[index],
            matrix,
            limit + FEASIBLE,
            np.ones((1, k)),
            np.ones(1),
            np.array([(0.0, 1.0)] * k),
        )
        if point is not None:
            slack[index] = limit[index] - matrix[index] @ point > _LEAST_SLACK
            points.append(point)
    return slack, np.mean(points, axis=0)


def _make_interior(p: Polytope, centre: Array, free: Mask, stuck: Mask) -> Interior:
    centre = centre.copy()
    at_upper = np.abs(p.upper - centre) < np.abs(centre - p.lower)
    centre[~free] = np.where(at_upper, p.upper, p.lower)[~free]
    sums = p.rows @ centre
    goals = np.where(np.abs(sums - p.high) < np.abs(sums - p.low), p.high, p.low)
    equal = np.vstack([np.ones((1, p.k)), p.rows[stuck]])
    goal = np.concatenate([[1.0], goals[stuck]])
    centre = corrected(centre, free, equal, goal)
    # Sums of weights none of which moves are no constraint any more.
    moving = ~stuck & (p.rows[:, free].any(axis=1))
    return Interior(centre, free, equal, goal, p.rows[moving], p.low[moving], p.high[moving])


def corrected(h: Array, free: Mask, equal: Array, sums: Array) -> Array:
    """Move the free weights the least, relative to their sizes, so that sums come out right.

    Args:
        h: (k,) a mixture that is nearly right.
        free: (k,) which weights may move.
        equal: (e, k) of 0 and 1.
        sums: (e,) what ``equal h`` should be.
    """
    for _ in range(3):
        off = sums - equal @ h
        if not free.any() or np.abs(off).max() < 1e-16:
            break
        scale = np.where(free, np.maximum(h, 0.0), 0.0)
        system = (equal * scale) @ equal.T
        h = h + scale * (equal.T @ np.linalg.lstsq(system, off, rcond=1e-12)[0])
    return h


def _linear_program(
    cost: Array, matrix: Array, limit: Array, equal: Array, sums: Array, bounds: Array
) -> Array | None:
    """Minimise cost x with matrix x <= limit, equal x = sums and bounds; None if there is none."""
    from scipy.optimize import linprog

    finite = np.isfinite(limit)
    # Presolve at such tolerances now and then leaves HiGHS without an answer.
    for presolve in (True, False):
        found = linprog(
            cost,
            A_ub=matrix[finite],
            b_ub=limit[finite],
            A_eq=equal,
            b_eq=sums,
            bounds=bounds,
            method="highs",
            options={
                "presolve": presolve,
                "primal_feasibility_tolerance": 1e-10,
                "dual_feasibility_tolerance": 1e-10,
            },
        )
        if found.status in (0, 2):
            break
    # HiGHS tells programs without a solution, and such that it fails on, not apart.
    return np.asarray(found.x, dtype=np.float64) if found.status == 0 else None
