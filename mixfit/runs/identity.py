"""What is one mixture, and what is one checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices

_SAME_WEIGHT = 1e-6
_NEAR = 1e-3  # in every weight; logs may round a mixture so
_SAME_LENGTH = 1.005  # ratio of the training lengths that one checkpoint is logged with
_SAME_LOSS = 1e-9  # relative


def group_mixtures(h: Array) -> tuple[Indices, Indices]:
    """Group the rows that are one mixture: equal to 1e-6 in every weight.

    Args:
        h: weights (rows, k).

    Returns:
        The mixture (rows,) of each row, numbered in the order of first rows, and the first row
        (m,) of each mixture.
    """
    # Summed weight by weight, so that equal rows come out equal to the last bit.
    direction = _direction(h.shape[1])
    along = sum(weight * length for weight, length in zip(h.T, direction, strict=True))
    _, first, inverse = np.unique(along, return_index=True, return_inverse=True)
    if np.abs(h - h[first][inverse]).max(initial=0.0) > _SAME_WEIGHT:
        _, first, inverse = np.unique(h, axis=0, return_index=True, return_inverse=True)
    label = _join_near(h[first], direction, _SAME_WEIGHT)[inverse.reshape(-1)]
    _, first, number = np.unique(label, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[number], first[order]


def near_alike(mixtures: Array) -> Indices:
    """Number mixtures so that those within 0.001 of each other in every weight share a number.

    >>> near_alike(np.array([[0.333, 0.667], [0.5, 0.5], [0.33333, 0.66667]]))
    array([0, 1, 0])

    Args:
        mixtures: weights (m, k), distinct.

    Returns:
        (m,), numbered in the order of the first ones.
    """
    label = _join_near(mixtures, _direction(mixtures.shape[1]), _NEAR)
    _, first, number = np.unique(label, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    numbers: Indices = rank[number.reshape(-1)]
    return numbers


def _direction(k: int) -> Array:
    """Give a direction along which distinct mixtures hardly ever coincide, (k,)."""
    direction: Array = np.sqrt(np.arange(2.0, 2.0 + k))
    return direction


def group_together(*tables: Array) -> tuple[list[Indices], Array]:
    """Number the mixtures of several tables alike.

    >>> group_together(np.array([[0.2, 0.8], [0.5, 0.5]]), np.array([[0.5, 0.5 + 1e-8]]))
    ([array([0, 1]), array([1])], array([[0.2, 0.8],
           [0.5, 0.5]]))

    Args:
        tables: weights (rows, k) each; the numbers follow the order of first rows over all tables.

    Returns:
        For each table the mixture (rows,) of each row, and the mixtures (m, k) of all tables.
    """
    h = np.concatenate(tables)
    mixture, first = group_mixtures(h)
    return np.split(mixture, np.cumsum([len(table) for table in tables])[:-1]), h[first]


def logged_twice(mixture: Indices, N: Array, D: Array, losses: Array) -> tuple[Indices, Indices]:
    """Find the pairs of rows that are one checkpoint, logged twice.

    They have one mixture and model size, lengths within 0.5% of each other, and equal losses
    wherever both have one, which must be somewhere. Loggers make such rows when they write the last
    checkpoint again, at the length that was asked for.

    Args:
        mixture: (rows,), numbered by `group_mixtures`.
        N: model sizes (rows,).
        D: training lengths (rows,).
        losses: (rows, t), NaN where missing.

    Returns:
        The earlier row (pairs,) and the later row (pairs,) of each pair.
    """
    order = np.lexsort((D, N, mixture))
    mixture, N, D, losses = mixture[order], N[order], D[order], losses[order]
    one = np.arange(len(order))
    earlier, later = [one[:0]], [one[:0]]
    for step in range(1, len(order)):
        # Rows that lie between two near ones are near them too, so that none is passed over.
        one = one[one + step < len(order)]
        other = one + step
        near = (mixture[other] == mixture[one]) & (N[other] == N[one])
        near &= D[other] <= D[one] * _SAME_LENGTH
        one, other = one[near], other[near]
        if not len(one):
            break
        common = ~np.isnan(losses[one]) & ~np.isnan(losses[other])
        # A comparison with a missing loss is False.
        equal = np.abs(losses[other] - losses[one]) <= _SAME_LOSS * losses[one]
        same = (equal | ~common).all(axis=1) & common.any(axis=1)
        earlier.append(order[one[same]])
        later.append(order[other[same]])
    return np.concatenate(earlier), np.concatenate(later)


def _join_near(points: Array, direction: Array, gap: float) -> Indices:
    """Label points (m, k) so that points no farther apart in any coordinate share a label."""
    # Rounding would part 0.1234565 from 0.12345649. Points that are near each other are near in
    # the order along a direction too.
    along = points @ direction
    order = np.argsort(along, kind="stable")
    points, along = points[order], along[order]
    joined = np.arange(len(points))
    for step in range(1, len(points)):
        close = np.flatnonzero(along[step:] - along[:-step] <= gap * direction.sum())
        if not len(close):
            break
        apart = np.abs(points[close + step] - points[close]).max(axis=1)
        near = close[apart <= gap]
        joined[near + step] = np.minimum(joined[near + step], joined[near])
    while not np.array_equal(joined, joined[joined]):
        joined = joined[joined]
    label = np.empty_like(joined)
    label[order] = joined
    return label
