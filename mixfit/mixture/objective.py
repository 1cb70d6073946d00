"""What is minimised and what must not be exceeded, as functions of the mixture.

The functions that `mixfit.simplex.minimise` takes, made of `mixfit.mixture.losses_of_h`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.mixture.losses_of_h import LossesAt

_SMALLEST = 1e-300
_LEAST = 1e-9  # a standard deviation, in units of the loss: it has no slope at 0
MEAN, UPPER = "mean", "upper"
RISKS = (MEAN, UPPER)  # what is minimised over resamples, in place of the loss of the fit


@dataclass(frozen=True, eq=False)
class WeightedLoss:
    """``sum_j w_j L_j(h) + strength KL(h || prior)``, eq. (13) with a pull.

    Over resamples the first part is one number F_r for each of them, and what counts is
    ``mean_r F_r + above sd_r F_r``: their mean, or an upper quantile of the normal distribution
    with their mean and standard deviation. The sample's own quantile has a kink wherever resamples
    change places; this is smooth.

    Attributes:
        losses: the losses L_j, (t,), or those of r resamples one after the other, (r t,).
        weights: (t,) w_j.
        prior: (k,), or None where nothing pulls. Where it is 0, h must be.
        strength: of the pull.
        above: how many standard deviations over resamples count beside the mean.
    """

    losses: LossesAt
    weights: Array
    prior: Array | None = None
    strength: float = 0.0
    above: float = 0.0

    def loss(self, h: Array) -> float:
        """Give the first part."""
        return self._over(self.losses.values(h)).value

    def value(self, h: Array) -> float:
        """Give the value at h (k,)."""
        return self.loss(h) + self._pull(h)

    def gradient(self, h: Array) -> tuple[float, Array]:
        """Give the value and the gradient (k,)."""
        values, gradients = self.losses.gradients(h)
        over = self._over(values)
        slope = over.weights @ gradients
        if self.prior is not None:
            held = self.prior > 0
            log_ratio = np.log(np.maximum(h[held], _SMALLEST)) - np.log(self.prior[held])
            slope[held] += self.strength * log_ratio
        return over.value + self._pull(h), slope

    def curvature(self, h: Array) -> Array:
        """Give the second derivatives (k, k)."""
        if self.above:
            values, gradients = self.losses.gradients(h)
            over = self._over(values)
            curvature = self.losses.curvature(h, over.weights) + self._bend(over, gradients)
        else:
            curvature = self.losses.curvature(h, self._even)
        if self.prior is not None:
            curvature = curvature + np.diag(self.strength / np.maximum(h, 1e-100))
        return curvature

    def convex(self, allowed: Mask) -> bool:
        """Tell whether it is proven convex where only the domains allowed (k,) have weight."""
        proven = self.losses.convex(allowed)[self._even > 0].all()
        return bool(proven) and not self.above

    @property
    def _even(self) -> Array:
        """The weight of each loss in the mean over resamples, (r t,)."""
        count = self.losses.count // len(self.weights)
        return np.tile(self.weights / count, count)

    def _over(self, values: Array) -> _Over:
        """Put the losses, (r t,), together."""
        if not self.above:
            return _Over(float(self._even @ values), self._even, np.zeros(1), _LEAST)
        each = values.reshape(-1, len(self.weights)) @ self.weights
        mean = float(each.mean())
        away = each - mean
        deviation = float(np.sqrt(away @ away / len(away) + _LEAST**2))
        shares = (1.0 + self.above * away / deviation) / len(each)
        weights = np.outer(shares, self.weights).ravel()
        return _Over(mean + self.above * deviation, weights, away, deviation)

    def _bend(self, over: _Over, gradients: Array) -> Array:
        """Give what the standard deviation adds to the second derivatives of the losses."""
        count = len(over.away)
        slopes = self.weights @ gradients.reshape(count, len(self.weights), -1)
        slopes = slopes - slopes.mean(axis=0)
        own = over.away @ slopes / (count * over.deviation)
        spread = slopes.T @ slopes / count - np.outer(own, own)
        return np.asarray(self.above * spread / over.deviation)

    def _pull(self, h: Array) -> float:
        if self.prior is None:
            return 0.0
        held = (self.prior > 0) & (h > 0)
        return self.strength * float(h[held] @ np.log(h[held] / self.prior[held]))


class _Over(NamedTuple):
    """Losses put together.

    Attributes:
        value: what counts.
        weights: its derivatives in the losses, (r t,).
        away: of each resample from their mean, (r,).
        deviation: their standard deviation.
    """

    value: float
    weights: Array
    away: Array
    deviation: float


@dataclass(frozen=True, eq=False)
class LossLimits:
    """``L_j(h) / limit_j - 1`` for some targets.

    Attributes:
        losses: the losses.
        targets: (m,) indices of the targets.
        limits: (m,) their largest losses.
    """

    losses: LossesAt
    targets: Indices
    limits: Array

    def values(self, h: Array) -> Array:
        """Give c (m,)."""
        above: Array = self.losses.values(h)[self.targets] / self.limits - 1.0
        return above

    def gradients(self, h: Array) -> Array:
        """Give the gradients (m, k)."""
        slopes: Array = self.losses.gradients(h)[1][self.targets] / self.limits[:, None]
        return slopes

    def curvature(self, h: Array, multipliers: Array) -> Array:
        """Give the second derivatives (k, k) of multipliers c."""
        weights = np.zeros(self.losses.count)
        np.add.at(weights, self.targets, multipliers / self.limits)
        return self.losses.curvature(h, weights)

    def convex(self, allowed: Mask) -> bool:
        """Tell whether it is proven convex where only the domains allowed (k,) have weight."""
        return bool(self.losses.convex(allowed)[self.targets].all())


@dataclass(frozen=True, eq=False)
class AsGood:
    """``f(h) / largest - 1`` for an objective, and then the limits on losses, if there are any."""

    objective: WeightedLoss
    largest: float
    limits: LossLimits | None

    def values(self, h: Array) -> Array:
        """Give c (m,)."""
        own = np.array([self.objective.value(h) / self.largest - 1.0])
        return own if self.limits is None else np.append(own, self.limits.values(h))

    def gradients(self, h: Array) -> Array:
        """Give the gradients (m, k)."""
        own = self.objective.gradient(h)[1][None] / self.largest
        return own if self.limits is None else np.vstack([own, self.limits.gradients(h)])

    def curvature(self, h: Array, multipliers: Array) -> Array:
        """Give the second derivatives (k, k) of multipliers c."""
        own = self.objective.curvature(h) * (float(multipliers[0]) / self.largest)
        return own if self.limits is None else own + self.limits.curvature(h, multipliers[1:])
