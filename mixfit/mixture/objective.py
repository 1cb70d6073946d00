"""What is minimised and what must not be exceeded, as functions of the mixture.

The functions that `mixfit.simplex.minimise` takes, made of `mixfit.mixture.losses_of_h`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.mixture.losses_of_h import LossesAt

_SMALLEST = 1e-300


@dataclass(frozen=True, eq=False)
class WeightedLoss:
    """``sum_j w_j L_j(h) + strength KL(h || prior)``, eq. (13) with a pull.

    Attributes:
        losses: the losses L_j.
        weights: (t,) w_j.
        prior: (k,), or None where nothing pulls. Where it is 0, h must be.
        strength: of the pull.
    """

    losses: LossesAt
    weights: Array
    prior: Array | None = None
    strength: float = 0.0

    def loss(self, h: Array) -> float:
        """Give the first part."""
        return float(self.weights @ self.losses.values(h))

    def value(self, h: Array) -> float:
        """Give the value at h (k,)."""
        return self.loss(h) + self._pull(h)

    def gradient(self, h: Array) -> tuple[float, Array]:
        """Give the value and the gradient (k,)."""
        values, gradients = self.losses.gradients(h)
        slope = self.weights @ gradients
        if self.prior is not None:
            held = self.prior > 0
            log_ratio = np.log(np.maximum(h[held], _SMALLEST)) - np.log(self.prior[held])
            slope[held] += self.strength * log_ratio
        return float(self.weights @ values) + self._pull(h), slope

    def curvature(self, h: Array) -> Array:
        """Give the second derivatives (k, k)."""
        curvature = self.losses.curvature(h, self.weights)
        if self.prior is not None:
            curvature = curvature + np.diag(self.strength / np.maximum(h, 1e-100))
        return curvature

    def convex(self, allowed: Mask) -> bool:
        """Tell whether it is proven convex where only the domains allowed (k,) have weight."""
        return bool(self.losses.convex(allowed)[self.weights > 0].all())

    def _pull(self, h: Array) -> float:
        if self.prior is None:
            return 0.0
        held = (self.prior > 0) & (h > 0)
        return self.strength * float(h[held] @ np.log(h[held] / self.prior[held]))


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
