"""Mixtures drawn at random from a polytope, evenly.

Rejection fails beyond a few domains, as nearly all of a simplex lies outside of a polytope in it.
Here chains walk inside: weights exchange what they have in pairs, which mixes quickly in many
domains, and whole mixtures move along random lines (hit-and-run), which reach what pairs cannot
where sums of weights are fixed. Both leave the even distribution as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices
    from mixfit.simplex.polytope import Interior, Polytope

_SWEEPS = 50  # of pairs; from one point 20 are enough for 300 domains
_FLAT = 1e-12


def draw(polytope: Polytope, count: int, rng: np.random.Generator) -> Array:
    """Draw mixtures evenly from a polytope.

    Args:
        polytope: with at least one mixture.
        count: how many.
        rng: of the draws.

    Returns:
        (count, k) mixtures in it, to rounding. Each comes from a chain of its own.
    """
    inside = polytope.interior
    if inside is None:
        raise ValueError("there is no mixture to draw")
    h = np.tile(inside.centre, (count, 1))
    free = np.flatnonzero(inside.free)
    if len(free) < 2:
        return h
    counted = np.vstack([inside.equal[1:], inside.rows])[:, free]
    alike = _alike(counted, free)
    fixed_alike = _alike(counted[: len(inside.equal) - 1], free)
    lines = _directions(inside, free) if len(counted) else None
    for _ in range(_SWEEPS):
        for group in alike:
            _exchange(h, polytope, rng.permutation(group), rng)
        if lines is not None:
            for group in fixed_alike:
                order = rng.permutation(group)
                for one, other in zip(order[::2], order[1::2], strict=False):
                    step = np.zeros(polytope.k)
                    step[[one, other]] = 1.0, -1.0
                    _along(h, polytope, inside, step, rng)
            _along(h, polytope, inside, rng.standard_normal(len(lines)) @ lines, rng)
    h = np.maximum(h, 0.0)
    drawn: Array = h / h.sum(axis=1, keepdims=True)
    return drawn


def _alike(counted: Array, free: Indices) -> list[Indices]:
    """Group the weights that the same sums count, so that an exchange changes none of them.

    Args:
        counted: which of the free weights each sum counts, (s, f).
        free: indices of the free weights (f,).
    """
    if not len(counted):
        return [free]
    _, group = np.unique(counted, axis=1, return_inverse=True)
    group = np.asarray(group).reshape(-1)
    groups = [free[group == number] for number in range(group.max() + 1)]
    return [members for members in groups if len(members) > 1]


def _exchange(h: Array, polytope: Polytope, order: Indices, rng: np.random.Generator) -> None:
    """Share what the weights of each pair have together anew between them, in every chain."""
    half = len(order) // 2
    one, other = order[:half], order[half : 2 * half]
    total = h[:, one] + h[:, other]
    low = np.maximum(polytope.lower[one], total - polytope.upper[other])
    high = np.minimum(polytope.upper[one], total - polytope.lower[other])
    # Rounding may leave a hair less than no room.
    share = low + (np.maximum(high, low) - low) * rng.random(total.shape)
    h[:, one], h[:, other] = share, total - share


def _directions(inside: Interior, free: Indices) -> Array:
    """Give a basis (d, k) of the directions in which no sum changes that must not."""
    _, sizes, basis = np.linalg.svd(inside.equal[:, free])
    rank = int(np.count_nonzero(sizes > 1e-10 * sizes[0]))
    directions = np.zeros((len(free) - rank, len(inside.centre)))
    directions[:, free] = basis[rank:]
    return directions


def _along(
    h: Array, polytope: Polytope, inside: Interior, step: Array, rng: np.random.Generator
) -> None:
    """Move every chain to a random place on the line in a direction (k,) through where it is."""
    ahead, behind = np.full(len(h), np.inf), np.full(len(h), np.inf)
    moving = np.flatnonzero(np.abs(step) > _FLAT)
    for index in moving:
        below, above = h[:, index] - polytope.lower[index], polytope.upper[index] - h[:, index]
        _shorten(ahead, behind, below, above, float(step[index]))
    for row, low, high in zip(inside.rows, inside.low, inside.high, strict=True):
        change = float(row @ step)
        if abs(change) > _FLAT:
            sums = h @ row
            _shorten(ahead, behind, sums - low, high - sums, change)
    if len(moving):
        along = rng.random(len(h)) * (ahead + behind) - behind
        moved = h[:, moving] + along[:, None] * step[moving]
        h[:, moving] = np.clip(moved, polytope.lower[moving], polytope.upper[moving])


def _shorten(ahead: Array, behind: Array, below: Array, above: Array, change: float) -> None:
    """Keep a number that a step changes within what it has below and above it."""
    if change < 0:
        below, above, change = above, below, -change
    np.minimum(ahead, np.maximum(above, 0.0) / change, out=ahead)
    np.minimum(behind, np.maximum(below, 0.0) / change, out=behind)
