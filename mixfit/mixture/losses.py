"""What is minimised and what must not be exceeded, as functions of the mixture.

The functions that `mixfit.simplex.minimise` takes, made of the losses of `mixfit.mixture.surface`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixfit.base.arrays import Array
    from mixfit.mixture.surface import Surface
    from mixfit.simplex.functions import Function, Limits

_SMALLEST = 1e-300


@dataclass(frozen=True, eq=False)
class WeightedLoss:
    """``sum_j w_j L_j(h) + strength KL(h || prior)``, eq. (13) with a pull.

    Attributes:
        surface: the losses L_j.
        weights: (t,) w_j.
        prior: (k,), or None where nothing pulls. Where it is 0, h must be.
        strength: of the pull.
    """

    surface: Surface
    weights: Array
    prior: Array | None = None
    strength: float = 0.0

    def loss(self, h: Array) -> float:
        """Give the first part."""
        return float(self.weights @ self.surface.values(h))

    def value(self, h: Array) -> float:
        """Give the value at h (k,)."""
        return self.loss(h) + self._pull(h)

    def gradient(self, h: Array) -> tuple[float, Array]:
        """Give the value and the gradient (k,)."""
        values, gradients = self.surface.gradients(h)
        slope = self.weights @ gradients
        if self.prior is not None:
            held = self.prior > 0
            log_ratio = np.log(np.maximum(h[held], _SMALLEST)) - np.log(self.prior[held])
            slope[held] += self.strength * log_ratio
        return float(self.weights @ values) + self._pull(h), slope

    def curvature(self, h: Array) -> Array:
        """Give the second derivatives (k, k)."""
        found = self.surface.curvature(h, self.weights)
        if self.prior is not None:
            found = found + np.diag(self.strength / np.maximum(h, 1e-100))
        return found

    def convex(self, allowed: NDArray[np.bool_]) -> bool:
        """Tell whether it is proven convex where only the domains allowed (k,) have weight."""
        return bool(self.surface.convex(allowed)[self.weights > 0].all())

    def _pull(self, h: Array) -> float:
        if self.prior is None:
            return 0.0
        held = (self.prior > 0) & (h > 0)
        return self.strength * float(h[held] @ np.log(h[held] / self.prior[held]))


@dataclass(frozen=True, eq=False)
class LossLimits:
    """``L_j(h) / limit_j - 1`` for some targets.

    Attributes:
        surface: the losses.
        targets: (m,) indices of the targets.
        limits: (m,) their largest losses.
    """

    surface: Surface
    targets: NDArray[np.intp]
    limits: Array

    def values(self, h: Array) -> Array:
        """Give c (m,)."""
        found: Array = self.surface.values(h)[self.targets] / self.limits - 1.0
        return found

    def gradients(self, h: Array) -> Array:
        """Give the gradients (m, k)."""
        found: Array = self.surface.gradients(h)[1][self.targets] / self.limits[:, None]
        return found

    def curvature(self, h: Array, multipliers: Array) -> Array:
        """Give the second derivatives (k, k) of multipliers c."""
        weights = np.zeros(self.surface.count)
        np.add.at(weights, self.targets, multipliers / self.limits)
        return self.surface.curvature(h, weights)

    def convex(self, allowed: NDArray[np.bool_]) -> bool:
        """Tell whether it is proven convex where only the domains allowed (k,) have weight."""
        return bool(self.surface.convex(allowed)[self.targets].all())


@dataclass(frozen=True, eq=False)
class ValueLimit:
    """``f(h) / limit - 1`` for one function."""

    function: Function
    limit: float

    def values(self, h: Array) -> Array:
        """Give c (m,)."""
        return np.array([self.function.value(h) / self.limit - 1.0])

    def gradients(self, h: Array) -> Array:
        """Give the gradients (m, k)."""
        return self.function.gradient(h)[1][None] / self.limit

    def curvature(self, h: Array, multipliers: Array) -> Array:
        """Give the second derivatives (k, k) of multipliers c."""
        return self.function.curvature(h) * (float(multipliers[0]) / self.limit)

    def convex(self, allowed: NDArray[np.bool_]) -> bool:
        """Tell whether it is proven convex where only the domains allowed (k,) have weight."""
        return self.function.convex(allowed)


@dataclass(frozen=True, eq=False)
class AllLimits:
    """Limits, one after the other."""

    parts: Sequence[Limits]

    def values(self, h: Array) -> Array:
        """Give c (m,)."""
        return np.concatenate([part.values(h) for part in self.parts])

    def gradients(self, h: Array) -> Array:
        """Give the gradients (m, k)."""
        return np.vstack([part.gradients(h) for part in self.parts])

    def curvature(self, h: Array, multipliers: Array) -> Array:
        """Give the second derivatives (k, k) of multipliers c."""
        found = np.zeros((len(h), len(h)))
        start = 0
        for part in self.parts:
            count = len(part.values(h))
            found += part.curvature(h, multipliers[start : start + count])
            start += count
        return found

    def convex(self, allowed: NDArray[np.bool_]) -> bool:
        """Tell whether it is proven convex where only the domains allowed (k,) have weight."""
        return all(part.convex(allowed) for part in self.parts)
