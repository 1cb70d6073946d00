"""What a law leaves of the losses: a Gaussian process over the mixture, log N and log D.

The loss is the law plus a discrepancy, which is no part of the law and changes none of its
parameters. The discrepancies of two trainings are alike where their mixtures are, with a covariance

    v k(h, h') (everywhere + by_model_size e^(-|log N/N'| / a) + by_tokens e^(-|log D/D'| / b))
      + v (common_model_size e^(-|log N/N'| / a) + common_tokens e^(-|log D/D'| / b))

where k is ``e^(-|h - h'|^2 / 2 l^2)`` and v the variance of the noise of a point. So beyond the
sizes and lengths fitted it fades to what a mixture has everywhere, and far from all mixtures to
nothing. It is smooth in h, at weights of 0 too.

A point is the mean of some neighbouring checkpoints of a run; what these have in common besides is
the noise of the run. `mixfit.fitting.kriging` finds the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.plain import NotNegative  # noqa: TC001, the fit file reads it by its type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array, Indices

AUTO, GP, NONE = "auto", "gp", "none"
KINDS = (AUTO, GP, NONE)
_NOTHING = 1e-6  # of a variance: less is rounding


@dataclass(frozen=True)
class Kernel:
    """How alike discrepancies are; variances are in units of that of a point's noise.

    Attributes:
        mixture: the length l, a distance between mixtures.
        model_size: the length a, a difference of logs.
        tokens: the length b, likewise.
        everywhere: the variance of what a mixture has at all sizes and lengths.
        by_model_size: of what it has near a size.
        by_tokens: of what it has near a length.
        common_model_size: of what all mixtures have in common near a size.
        common_tokens: of what they have near a length.
        run: of the noise of a run.
    """

    mixture: NotNegative = 1.0
    model_size: NotNegative = 1.0
    tokens: NotNegative = 1.0
    everywhere: NotNegative = 0.0
    by_model_size: NotNegative = 0.0
    by_tokens: NotNegative = 0.0
    common_model_size: NotNegative = 0.0
    common_tokens: NotNegative = 0.0
    run: NotNegative = 0.0

    @property
    def variance(self) -> float:
        """That of a discrepancy of which nothing is seen."""
        of_mixture = self.everywhere + self.by_model_size + self.by_tokens
        return of_mixture + self.common_model_size + self.common_tokens

    @property
    def fades(self) -> tuple[bool, bool]:
        """Whether what is alike fades with a difference of log N, and of log D."""
        by_model_size = self.by_model_size + self.common_model_size > 0
        return by_model_size, self.by_tokens + self.common_tokens > 0


@dataclass(frozen=True, eq=False)
class Points:
    """Means of neighbouring checkpoints, the same for all targets.

    Attributes:
        mixtures: weights (m, k).
        mixture: (points,) index into them.
        N: parameters, (points,).
        D: tokens, (points,).
    """

    mixtures: Array
    mixture: Indices
    N: Array
    D: Array

    def __len__(self) -> int:
        """Count the points."""
        return len(self.N)

    @property
    def h(self) -> Array:
        """The weights, (points, k)."""
        return self.mixtures[self.mixture]

    def select(self, kept: Indices) -> Points:
        """Take some points; the mixtures keep their numbers."""
        return Points(self.mixtures, self.mixture[kept], self.N[kept], self.D[kept])


@dataclass(frozen=True, eq=False)
class Apart:
    """How far trainings are from each other: each (rows, points)."""

    mixture: Array
    model_size: Array
    tokens: Array

    @classmethod
    def of(cls, N: Array, D: Array, h: Array, points: Points) -> Apart:
        """Measure from trainings to points: squares of distances, and differences of logs."""
        each = h @ points.mixtures.T
        squares = (h**2).sum(axis=1)[:, None] + (points.mixtures**2).sum(axis=1) - 2 * each
        return cls(
            np.maximum(squares, 0.0)[:, points.mixture],
            np.abs(np.log(N)[:, None] - np.log(points.N)),
            np.abs(np.log(D)[:, None] - np.log(points.D)),
        )


def alike(kernel: Kernel, apart: Apart) -> tuple[Array, Array, Array]:
    """Give k(h, h'), what it is multiplied by, and what is added: their covariance without v."""
    of_mixture = np.exp(-apart.mixture / (2 * kernel.mixture**2))
    near_n = np.exp(-apart.model_size / kernel.model_size)
    near_d = np.exp(-apart.tokens / kernel.tokens)
    factor = kernel.everywhere + kernel.by_model_size * near_n + kernel.by_tokens * near_d
    common = kernel.common_model_size * near_n + kernel.common_tokens * near_d
    return of_mixture, factor, common


def noise(kernel: Kernel, points: Points) -> Array:
    """Give the covariance of the noise of points without v, (points, points)."""
    same = points.mixture[:, None] == points.mixture
    same &= points.N[:, None] == points.N
    covariance: Array = kernel.run * same + np.eye(len(points))
    return covariance


def covariance(kernel: Kernel, points: Points) -> Array:
    """Give the covariance of what is observed at points, without v, (points, points)."""
    of_mixture, factor, common = alike(kernel, Apart.of(points.N, points.D, points.h, points))
    return of_mixture * factor + common + noise(kernel, points)


class _Observed:
    """The covariance of what is observed at points, ready to be divided by."""

    def __init__(self, kernel: Kernel, points: Points) -> None:
        from scipy.linalg import cho_factor

        self._factor = cho_factor(covariance(kernel, points), lower=True)

    def solve(self, right: Array) -> Array:
        """Divide (points, ...) by it."""
        from scipy.linalg import cho_solve

        solution: Array = cho_solve(self._factor, right)
        return solution


@dataclass(frozen=True, eq=False)
class Discrepancy:
    """The discrepancy of one target.

    Attributes:
        kernel: how alike discrepancies are, the same for all targets of a fit.
        points: where losses were seen, likewise.
        weights: by which each point counts, (points,): the inverse covariance times what was left
            there; 0 where the target has no loss.
        variance: v, of a point's noise, in the unit of the loss, squared.
        off: by how much it is off in one of its `draws`, at the N and D of that draw, or None.
    """

    kernel: Kernel
    points: Points
    weights: Array
    variance: float
    off: DiscrepancyAt | None = None

    @classmethod
    def of(cls, kernel: Kernel, points: Points, left: Array) -> list[Discrepancy]:
        """Condition on what a law leaves of the losses at points.

        Args:
            kernel: how alike discrepancies are.
            points: where losses were seen.
            left: (targets, points), NaN where a target has no loss.
        """
        found: dict[int, Discrepancy] = {}
        for places, targets in alike_seen(left):
            own = left[np.ix_(targets, places)]
            weights = np.zeros((len(targets), len(points)))
            weights[:, places] = _Observed(kernel, points.select(places)).solve(own.T).T
            variances = (own * weights[:, places]).mean(axis=1)
            for target, each, variance in zip(targets, weights, variances, strict=True):
                found[int(target)] = cls(kernel, points, each, float(variance))
        return [found[target] for target in range(len(left))]

    @cached_property
    def _seen(self) -> Indices:
        """The points at which the target has a loss."""
        return np.flatnonzero(self.weights)

    @cached_property
    def _observed(self) -> _Observed:
        return _Observed(self.kernel, self.points.select(self._seen))

    def moved(self, change: Array) -> Discrepancy:
        """Give the discrepancy where the law's predictions at the points change, (points,)."""
        weights = self.weights.copy()
        weights[self._seen] -= self._observed.solve(change[self._seen])
        return replace(self, weights=weights)

    def taken_up(self, changes: Array, N: Array, D: Array, h: Array) -> Array:
        """Give how predictions move with it, (cases, rows), for changes (cases, points)."""
        covariance = self._with_points(N, D, h)[:, self._seen]
        moved: Array = -covariance @ self._observed.solve(changes[:, self._seen].T)
        return moved.T

    def predict(self, N: Array, D: Array, h: Array) -> Array:
        """Give what is to be added to the law, (rows,); arguments as in `Formula.predict`."""
        added: Array = self._with_points(N, D, h) @ self.weights
        return added

    def deviation(self, N: Array, D: Array, h: Array) -> Array:
        """Give the standard deviation of the discrepancy, (rows,), in the unit of the loss."""
        covariance = self._with_points(N, D, h)[:, self._seen]
        known = (covariance.T * self._observed.solve(covariance.T)).sum(axis=0)
        left = np.maximum(self.kernel.variance - known, 0.0)
        deviation: Array = np.sqrt(self.variance * left)
        return deviation

    def between(self, N: float, D: float, h: Array, others: Array) -> Array:
        """Give the standard deviation of how it differs between a mixture and others at one N, D.

        Near mixtures have most of it in common.

        Args:
            N: parameters.
            D: tokens.
            h: weights (k,).
            others: weights (m, k).

        Returns:
            (m,), in the unit of the loss.
        """
        each = np.concatenate([h[None], others])
        covariance = self._with_points(np.full(len(each), N), np.full(len(each), D), each)
        change = (covariance[1:] - covariance[:1])[:, self._seen]
        known = (change.T * self._observed.solve(change.T)).sum(axis=0)
        kernel = self.kernel
        of_mixture = kernel.everywhere + kernel.by_model_size + kernel.by_tokens
        common = np.exp(-((others - h) ** 2).sum(axis=1) / (2 * kernel.mixture**2))
        left = np.maximum(2 * of_mixture * (1 - common) - known, 0.0)
        deviation: Array = np.sqrt(self.variance * left)
        return deviation

    def draws(self, N: float, D: float, numbers: Array, places: Array) -> list[DiscrepancyAt]:
        """Draw by how much it may be off at one N and D, apart from what all mixtures share.

        At the places draws vary as it does given what was seen at the points; elsewhere a draw is
        what is then expected, so that it is as smooth.

        Args:
            N: parameters.
            D: tokens.
            numbers: drawn from the standard normal distribution, (draws, places).
            places: weights (places, k).
        """
        here = np.full(len(places), N), np.full(len(places), D), places
        own = Points(places, np.arange(len(places)), *here[:2])
        of_mixture, factor, _ = alike(self.kernel, Apart.of(*here, own))
        near, seen_from, _ = alike(self.kernel, Apart.of(*here, self.points))
        with_points = (near * seen_from)[:, self._seen]
        solved = self._observed.solve(with_points.T)
        values, vectors = np.linalg.eigh(of_mixture * factor - with_points @ solved)
        kept = values > _NOTHING * self.kernel.variance
        vectors = vectors[:, kept]
        around = (numbers @ vectors * np.sqrt(self.variance / values[kept])) @ vectors.T
        back = np.zeros((len(numbers), len(self.points)))
        back[:, self._seen] = around @ solved.T
        back *= seen_from[0]
        count = len(self.points.mixtures)
        heights = [
            np.append(-np.bincount(self.points.mixture, one, count), bumps)
            for one, bumps in zip(back, around * factor[0], strict=True)
        ]
        every = np.concatenate([self.points.mixtures, places])
        return [DiscrepancyAt(every, self.kernel.mixture, each, 0.0) for each in heights]

    def _with_points(self, N: Array, D: Array, h: Array) -> Array:
        """Give the covariance of trainings with points, without v, (rows, points)."""
        of_mixture, factor, common = alike(self.kernel, Apart.of(N, D, h, self.points))
        return of_mixture * factor + common

    def at(self, N: float, D: float) -> DiscrepancyAt:
        """Give it as a function of h at one N and D: with a draw, at those of the draw."""
        anywhere = np.zeros((1, self.points.mixtures.shape[1]))
        apart = Apart.of(np.array([N]), np.array([D]), anywhere, self.points)
        _, factor, common = alike(self.kernel, apart)
        count = len(self.points.mixtures)
        own = DiscrepancyAt(
            mixtures=self.points.mixtures,
            length=self.kernel.mixture,
            heights=np.bincount(self.points.mixture, factor[0] * self.weights, count).astype(float),
            constant=float(common[0] @ self.weights),
        )
        return own if self.off is None else own.plus(self.off)


def alike_seen(left: Array) -> list[tuple[Indices, Indices]]:
    """Group targets that have losses at the same points, since they share work.

    Args:
        left: (targets, points), NaN where a target has no loss.

    Returns:
        Points and targets of each group; a target without any loss is in none.
    """
    masks, group = np.unique(~np.isnan(left), axis=0, return_inverse=True)
    groups = group.reshape(-1)
    return [
        (np.flatnonzero(mask), np.flatnonzero(groups == number))
        for number, mask in enumerate(masks)
        if mask.any()
    ]


@dataclass(frozen=True, eq=False)
class DiscrepancyAt:
    """The discrepancy of a target, or of several, at one (N, D), as a function of the mixture.

    Attributes:
        mixtures: weights (m, k) of the mixtures seen.
        length: a distance between mixtures.
        heights: of the bump around each, (m,), or (t, m).
        constant: what is added everywhere; one number, or (t,).
    """

    mixtures: Array
    length: float
    heights: Array
    constant: float | Array

    @classmethod
    def stacked(cls, each: Sequence[DiscrepancyAt]) -> DiscrepancyAt:
        """Put those of targets of one fit, each one's own, together."""
        heights = np.array([own.heights for own in each])
        constant = np.array([own.constant for own in each])
        return replace(each[0], heights=heights, constant=constant)

    def plus(self, other: DiscrepancyAt) -> DiscrepancyAt:
        """Add another one, with bumps around mixtures of which the first ones are those here."""
        heights = other.heights.copy()
        heights[: len(self.mixtures)] += self.heights
        return replace(other, heights=heights, constant=self.constant + other.constant)

    def summed(self, weights: Array) -> DiscrepancyAt:
        """Give the weighted sum of those of several targets; weights is (t,)."""
        return replace(self, heights=weights @ self.heights, constant=weights @ self.constant)

    def _bumps(self, h: Array) -> tuple[Array, Array]:
        """Give heights of bumps at h, (..., m), and -1 times the slopes of their logs, (m, k)."""
        away = h - self.mixtures
        slope = away / self.length**2
        return self.heights * np.exp(-0.5 * (away * slope).sum(axis=1)), slope

    def value(self, h: Array) -> float | Array:
        """Give what is added at one mixture, (k,): one number, or (t,)."""
        value: float | Array = self._bumps(h)[0].sum(axis=-1) + self.constant
        return value

    def gradient(self, h: Array) -> Array:
        """Give its derivatives, (..., k)."""
        bumps, slope = self._bumps(h)
        gradient: Array = -bumps @ slope
        return gradient

    def curvature(self, h: Array) -> Array:
        """Give its second derivatives, (k, k), of one target."""
        bumps, slope = self._bumps(h)
        round_each = slope.T @ (bumps[:, None] * slope)
        curvature: Array = round_each - np.eye(len(h)) * bumps.sum() / self.length**2
        return curvature
