"""The power mean: the one function of h behind the paper's laws and ours, with its derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Mask

_SERIES_BELOW = 1e-5  # below this |s|, differences lose more digits than the series
_LEAST_SUM = 1e-290
_LEAST_WEIGHT = 1e-100


@dataclass(frozen=True, eq=False)
class PowerMean:
    """A function of h, or several, in the form that every coefficient of the paper has.

    ``(sum_i exp(s b_i) h_i^gamma_i)^(1/s)``: b_i is the log of the value at the corner of domain i,
    where h_i = 1, whatever s is. With gamma = 1 it is the weighted power mean of the corner values,
    which passes smoothly through ``exp(sum_i b_i h_i)`` at s = 0.

    Attributes:
        b: log corner values, (k,), or (p, k) for p functions.
        gamma: inner exponents, likewise; None where all are 1.
        s: the reciprocal of the outer exponent, or (p,) of them.
    """

    b: Array
    gamma: Array | None
    s: float | Array

    @property
    def linear(self) -> bool:
        """Whether all inner exponents are 1."""
        return self.gamma is None or bool(np.all(self.gamma == 1.0))

    def at(self, h: Array, log_h: Array) -> PowerMeanAt:
        """Evaluate at mixtures.

        Args:
            h: mixtures, (m, k).
            log_h: their logs, see `mixfit.laws.coefficients.log_weights`.
        """
        small = self._near_0
        if not small.any():
            return self._in_logs(h, log_h)
        series = self._series(h, log_h)
        if small.all():
            return series
        others = replace(self, s=np.where(small, 1.0, self.s))._in_logs(h, log_h)
        small = small[:, None]
        log_value = np.where(small, series.log_value, others.log_value)
        share = np.where(small[..., None], series.share, others.share)
        return PowerMeanAt(self, h, log_h, log_value, share)

    @cached_property
    def _near_0(self) -> Mask:
        """Where the series is taken, () or (p,)."""
        return np.asarray((np.abs(self.s) < _SERIES_BELOW) & (self.gamma is None))

    @cached_property
    def _scaled(self) -> Array:
        """The logs of the C_i = exp(s b_i), (1, k) or (p, 1, k)."""
        return (np.asarray(self.s)[..., None] * self.b)[..., None, :]

    def _in_logs(self, h: Array, log_h: Array) -> PowerMeanAt:
        powers = log_h if self.gamma is None else self.gamma[..., None, :] * log_h
        exponent = powers + self._scaled
        top = exponent.max(axis=(-2, -1), keepdims=True)
        share = np.exp(exponent - top)
        total = share.sum(axis=-1, keepdims=True)
        if total.min() < _LEAST_SUM:  # a mixture far below the others needs a scale of its own
            top = exponent.max(axis=-1, keepdims=True)
            share = np.exp(exponent - top)
            total = share.sum(axis=-1, keepdims=True)
        share /= total
        log_value = (np.log(total) + top)[..., 0] / np.asarray(self.s)[..., None]
        return PowerMeanAt(self, h, log_h, log_value, share)

    def _series(self, h: Array, log_h: Array) -> PowerMeanAt:
        """Evaluate near s = 0, where the log value is K(s) / s.

        K is the cumulant generating function of b under h.
        """
        s = np.asarray(self.s)[..., None]
        centre, away, second, third = self._moments(h)
        share = h * np.exp(s[..., None] * away)
        share /= share.sum(axis=-1, keepdims=True)
        return PowerMeanAt(self, h, log_h, centre + s * second / 2 + s**2 * third / 6, share)

    def _moments(self, h: Array) -> tuple[Array, Array, Array, Array]:
        """Give the mean of b under h, (m,) or (p, m), b - mean, and its second and third moment."""
        centre = (h @ self.b[..., None])[..., 0]
        away = self.b[..., None, :] - centre[..., None]
        return centre, away, (h * away**2).sum(axis=-1), (h * away**3).sum(axis=-1)


@dataclass(frozen=True, eq=False)
class PowerMeanAt:
    """Power means at mixtures, (m,) or (p, m).

    Attributes:
        mean: the function or functions.
        h: the mixtures, (m, k).
        log_h: their logs.
        log_value: the log of the value.
        share: derivatives of the log value in b, with an axis (k,) more; they sum to 1.
    """

    mean: PowerMean
    h: Array
    log_h: Array
    log_value: Array
    share: Array

    @property
    def in_s(self) -> Array:
        """The derivative of the log value in s."""
        mean, s = self.mean, np.asarray(self.mean.s)[..., None]
        small = mean._near_0[..., None]
        if not small.any():
            slope: Array = ((self.share @ mean.b[..., None])[..., 0] - self.log_value) / s
            return slope
        _, _, second, third = mean._moments(self.h)
        near = second / 2 + s * third / 3
        far = ((self.share @ mean.b[..., None])[..., 0] - self.log_value) / np.where(small, 1.0, s)
        return np.where(small, near, far)

    @np.errstate(over="ignore", invalid="ignore")
    def in_h(self, steepest: float = np.inf) -> tuple[Array, Array]:
        """Give the derivatives in h along the simplex, those at h / sum(h).

        Args:
            steepest: what a power of h_i that is infinite at h_i = 0 is cut off at.

        Returns:
            e and q, each with an axis (k,) more. The gradient is the value times e, and the second
            derivative along the simplex the value times ((1 - s) e e^T + diag(q)).
        """
        s = np.asarray(self.mean.s)[..., None, None]
        above = self.mean.b[..., None, :] - self.log_value[..., None]
        limit = np.log(steepest)
        if self.mean.gamma is None:
            flat = s == 0
            grown = np.expm1(np.minimum(s * above, limit)) / np.where(flat, 1.0, s)
            slope = np.where(flat, above, grown)
            return slope, np.zeros_like(slope)
        gamma = self.mean.gamma[..., None, :]
        # h^(gamma - 1) alone: where gamma < 1 it is infinite at h = 0, as it should be. One
        # exponential, so that a factor that overflows never meets one that is 0.
        power = np.exp(np.minimum(s * above + (gamma - 1.0) * self.log_h, limit))
        partial = gamma * power / s
        common = (self.share * gamma).sum(axis=-1, keepdims=True) / s
        return partial - common, partial * (gamma - 1.0) / np.maximum(self.h, _LEAST_WEIGHT)
