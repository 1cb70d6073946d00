"""Mixtures in steps of 1/grid, as a sampler takes them, that obey linear constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.simplex.polytope import Polytope

_ROUNDING = 1e-6  # of a step; a limit that is nearer to a step than this is on it


def to_steps(polytope: Polytope, h: Array, grid: int) -> Array:
    """Round a mixture to steps, and stay in a polytope.

    A limit that no number of steps meets is itself rounded to the nearest one, so that weights and
    sums pass it by at most half a step, but where several such limits meet.

    Args:
        polytope: the linear constraints.
        h: (k,) in it.
        grid: steps in 1.

    Returns:
        (k,) whole numbers of steps, whose sum is `grid`.
    """
    lower, upper = _limits(polytope.lower, polytope.upper, grid)
    exact = h * grid
    steps = _fill(np.clip(np.floor(exact), lower, upper), exact, lower, upper, grid)
    if len(polytope.rows):
        low, high = _limits(polytope.low, polytope.high, grid)
        sums = polytope.rows @ steps
        if np.any(sums < low) or np.any(sums > high):
            return _near(polytope, exact, lower, upper, grid)
    return steps


def _limits(low: Array, high: Array, grid: int) -> tuple[Array, Array]:
    least, most = np.ceil(low * grid - _ROUNDING), np.floor(high * grid + _ROUNDING)
    none = least > most
    middle = np.round((low + high) / 2 * grid)
    return np.where(none, middle, least), np.where(none, middle, most)


def _fill(steps: Array, exact: Array, lower: Array, upper: Array, grid: int) -> Array:
    """Change steps one by one, where they are farthest off, until their sum is right."""
    steps = steps.copy()
    missing = int(grid - steps.sum())
    sign = 1 if missing > 0 else -1
    while missing:
        left = upper - steps if sign > 0 else steps - lower
        if not np.any(left > 0):  # limits that were rounded leave none
            left = np.full(len(steps), np.inf) if sign > 0 else steps
        room = left > 0
        # To nine digits, so that the first of equals goes first.
        off = np.where(room, np.round(sign * (exact - steps), 9), -np.inf)
        order = np.argsort(-off, kind="stable")[: min(abs(missing), int(room.sum()))]
        # All that have room change alike while more is missing than they are.
        at_once = sign * max(1, int(min(abs(missing) // len(order), left[order].min())))
        steps[order] += at_once
        missing -= at_once * len(order)
    return steps


def _near(polytope: Polytope, exact: Array, lower: Array, upper: Array, grid: int) -> Array:
    """Find the nearest steps that obey sums too, by an integer program."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    k, rows = len(exact), polytope.rows
    low, high = _limits(polytope.low, polytope.high, grid)
    base = np.clip(np.floor(exact), lower, upper)
    # Whether each goes one up, and how far beyond that each goes up and down; and by how much each
    # sum passes its limits, which costs more than any way around it.
    up, r = exact - base, len(rows)
    cost = np.concatenate([1 - 2 * up, np.full(2 * k, 3.0), np.full(2 * r, 10.0 * k)])
    sums = np.hstack([rows, rows, -rows, np.eye(r), -np.eye(r)])
    total = np.concatenate([np.ones(2 * k), -np.ones(k), np.zeros(2 * r)])[None]
    single = np.hstack([np.eye(k), np.eye(k), -np.eye(k), np.zeros((k, 2 * r))])
    most = np.concatenate([np.ones(k), np.full(2 * k + 2 * r, float(grid))])
    found = milp(
        cost,
        integrality=np.ones(len(cost)),
        bounds=Bounds(np.zeros(len(cost)), most),
        constraints=[
            LinearConstraint(sums, low - rows @ base, high - rows @ base),
            LinearConstraint(total, grid - base.sum(), grid - base.sum()),
            LinearConstraint(single, lower - base, upper - base),
        ],
    )
    if found.x is None:
        raise RuntimeError(f"HiGHS: {found.message}")
    moves = np.round(found.x)
    steps: Array = base + moves[:k] + moves[k : 2 * k] - moves[2 * k : 3 * k]
    return steps
