"""A feasible interior-point method for smooth functions with smooth and linear constraints.

Newton steps on the logarithmic barrier with primal-dual weights. Every iterate obeys every
constraint strictly, the linear equalities to rounding. Second derivatives are exact, so that the
last digits cost few steps; where the function is not convex, directions of negative curvature are
turned around. Knows nothing of mixtures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array

_TO_BOUNDARY = 0.99
_BACKTRACKS = 40
_MOST_STEPS = 150


class Program(Protocol):
    """A function f to be minimised and functions c that must stay below 0."""

    def values(self, x: Array) -> tuple[float, Array]:
        """Give f and c (m,)."""
        ...

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """Give the gradients of f (n,) and of c (m, n)."""
        ...

    def curvature(self, x: Array, multipliers: Array) -> Array:
        """Give the second derivatives (n, n) of f + multipliers c."""
        ...


@dataclass(frozen=True, eq=False)
class Region:
    """Linear constraints: bounds, equalities ``equal x = const`` and ``matrix x <= limit``.

    Attributes:
        lower: (n,), may be -inf.
        upper: (n,), may be inf.
        equal: (e, n) rows along which x does not move.
        matrix: (r, n).
        limit: (r,).
    """

    lower: Array
    upper: Array
    equal: Array
    matrix: Array
    limit: Array


@dataclass(frozen=True, eq=False)
class Solved:
    """Where the method ended.

    Attributes:
        x: (n,).
        value: f there.
        multipliers: (m,) of the constraints c, of 0 or more.
    """

    x: Array
    value: float
    multipliers: Array


def solve(
    program: Program,
    region: Region,
    start: Array,
    *,
    scale: float,
    first: float = 1e-2,
    last: float = 1e-13,
    sharpen: int = 3,
) -> Solved:
    """Minimise f over a region, from a start strictly inside it.

    Args:
        program: f and c.
        region: the linear constraints.
        start: (n,) where every constraint is slack and c < 0.
        scale: the size of f, in the units of which the barriers are.
        first: the first barrier's weight, in units of `scale`.
        last: the last barrier's weight: f ends above its minimum by about so much for each
            constraint.
        sharpen: Newton steps at the last barrier; each squares the error that is left.
    """
    state = _State(program, region, start, first * scale)
    goal, left = last * scale, sharpen
    for _ in range(_MOST_STEPS):
        decrement, moved = state.step()
        converged = decrement <= 0.1 * state.weight * state.count or not moved
        if state.weight <= goal:
            if converged:
                left -= 1
            if left <= 0 or not moved:
                break
        elif converged:
            state.weight = max(goal, 0.1 * state.weight)
    return Solved(state.x, state.value, state.multipliers)


class _State:
    """An iterate with its multipliers."""

    def __init__(self, program: Program, region: Region, start: Array, weight: float) -> None:
        self._program, self._region = program, region
        self.x, self.weight = start, weight
        n = len(start)
        below, above = np.isfinite(region.lower), np.isfinite(region.upper)
        eye = np.eye(n)
        # All linear inequalities as rows x <= limits: bounds first, whose rows are diagonal.
        self._below, self._above = np.flatnonzero(below), np.flatnonzero(above)
        self._matrix = np.vstack([-eye[below], eye[above], region.matrix])
        self._limit = np.concatenate([-region.lower[below], region.upper[above], region.limit])
        self._bounds = len(self._below) + len(self._above)
        self.value, self._c = program.values(start)
        self.count = max(len(self._limit) + len(self._c), 1)
        self._slack = self._slacks(start, self._c)
        self._dual = weight / self._slack

    @property
    def multipliers(self) -> Array:
        return self._dual[len(self._limit) :]

    def _slacks(self, x: Array, c: Array) -> Array:
        linear = np.empty(len(self._limit))
        region, count = self._region, len(self._below)
        # Without a matrix product, so that tiny weights keep their digits.
        linear[:count] = x[self._below] - region.lower[self._below]
        linear[count : self._bounds] = region.upper[self._above] - x[self._above]
        linear[self._bounds :] = region.limit - region.matrix @ x
        return np.concatenate([linear, -c])

    def _barrier(self, value: float, slack: Array) -> float:
        return value - self.weight * float(np.log(slack).sum())

    def step(self) -> tuple[float, bool]:
        """Take a Newton step; give the decrease it promised, and whether x moved."""
        gradient, jacobian = self._program.slopes(self.x)
        curvature = self._program.curvature(self.x, self.multipliers)
        rows = np.vstack([self._matrix, jacobian]) if len(jacobian) else self._matrix
        stiff = self._dual / self._slack
        slope = gradient + rows.T @ (self.weight / self._slack)
        dense = rows[self._bounds :]
        hessian = curvature + dense.T @ (stiff[self._bounds :, None] * dense)
        count = len(self._below)
        hessian[self._below, self._below] += stiff[:count]
        hessian[self._above, self._above] += stiff[count : self._bounds]
        move = self._direction(slope, hessian)
        decrement = -float(slope @ move)
        change = rows @ move  # of the constraints; slacks change by minus that
        target = self.weight / self._slack + stiff * change
        moved = self._advance(move, change, decrement)
        # The multipliers move too, but stay in reach of what the barrier says.
        central = self.weight / self._slack
        self._dual = np.clip(target, central * 1e-2, central * 1e2)
        return decrement, moved

    def _direction(self, slope: Array, hessian: Array) -> Array:
        from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr

        # In units of the distance to the nearest bound, in which curvatures are comparable.
        near = np.minimum(self.x - self._region.lower, self._region.upper - self.x)
        units = np.where(np.isfinite(near), near, 1.0)
        scaled = hessian * units[:, None] * units
        equal = self._region.equal * units
        rank = len(equal)
        # The columns beyond the rank span the moves that keep the equalities.
        basis = qr(equal.T, check_finite=False)[0][:, rank:] if rank else np.eye(len(units))
        reduced = basis.T @ scaled @ basis
        right = -(basis.T @ (units * slope))
        if not len(right):
            return np.zeros(len(units))
        try:
            if not np.isfinite(reduced).all():
                raise LinAlgError
            inner = cho_solve(cho_factor(reduced, check_finite=False), right, check_finite=False)
        except LinAlgError:
            inner = _turned(reduced, right)
        move: Array = units * (basis @ inner)
        return move

    def _advance(self, move: Array, change: Array, promised: float) -> bool:
        top = float((change / self._slack).max(initial=0.0))
        length = min(1.0, _TO_BOUNDARY / top) if top > 0 else 1.0
        before = self._barrier(self.value, self._slack)
        # Below this a change of the barrier function is rounding, and any step is as good.
        rounding = 1e-14 * (abs(before) + abs(self.value))
        for _ in range(_BACKTRACKS):
            x = self.x + length * move
            value, c = self._program.values(x)
            slack = self._slacks(x, c)
            if slack.min(initial=np.inf) > 0 and np.isfinite(value):
                gain = before - self._barrier(value, slack)
                if gain >= 1e-4 * length * promised - rounding:
                    moved = not np.array_equal(x, self.x)
                    self.x, self.value, self._c, self._slack = x, value, c, slack
                    return moved
            length *= 0.5
        return False


def _turned(matrix: Array, right: Array) -> Array:
    """Solve with the absolute values of the eigenvalues: a direction of descent."""
    matrix = np.nan_to_num(matrix, posinf=1e200, neginf=-1e200)
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    size = np.maximum(np.abs(values), 1e-10 * max(float(np.abs(values).max()), 1e-300))
    solution: Array = vectors @ ((vectors.T @ right) / size)
    return solution
