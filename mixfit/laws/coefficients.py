"""Parametric functions of the mixture h: the coefficients and exponents that laws are made of.

Two functions are enough for the paper's laws and for ours:

- `Constant`: one number;
- `PowerSum`: ``(sum_i C_i h_i^gamma_i)^outer``, of which the paper's mixture term
  ``1 / sum C_i h_i^gamma_i`` (eq. 4) and ``(sum C_i h_i)^gamma`` (eqs. 5, 9, 11) are cases.

Each is evaluated at a vector theta of *internal* parameters, chosen so that a solver moves well in
them, and is reported in the *natural* parameters of the paper. `Coefficient.natural` and
`Coefficient.internal` convert.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array

# log(0) as a finite number: gamma * LOG_ZERO stays finite and exp() of it is exactly 0, so that
# neither 0^gamma nor its derivative is ever NaN.
LOG_ZERO = -1e30

_LARGEST_OUTER = 1e6  # beyond it (sum C_i h_i)^outer is exp(sum b_i h_i) to six digits
_SERIES_BELOW = 1e-5  # below this |s|, differences lose more digits than the series
_LARGEST_LOG = 690.0  # exp() of more overflows


def log_weights(h: Array) -> Array:
    """Give log h, with `LOG_ZERO` in place of log 0.

    Args:
        h: weights, any shape.
    """
    positive = h > 0
    return np.where(positive, np.log(np.where(positive, h, 1.0)), LOG_ZERO)


@dataclass(frozen=True)
class Group:
    """The parameters that share a name: one number, or one for each domain.

    Attributes:
        name: as in the fit file, such as ``C_A``.
        per_domain: whether there is one for each domain.
        lower: bound on the internal parameters.
        upper: bound on the internal parameters.
    """

    name: str
    per_domain: bool
    lower: float
    upper: float

    def size(self, k: int) -> int:
        """Count the numbers in the group for k domains."""
        return k if self.per_domain else 1


@dataclass(frozen=True)
class PowerMean:
    """A function of h in the form that every coefficient here can be written in.

    ``(sum_i exp(s b_i) h_i^gamma_i)^(1/s)``: b_i is the log of the value at the corner of domain i,
    where h_i = 1, whatever s is. With gamma = 1 it is the weighted power mean of the corner values.

    Attributes:
        b: (k,) log corner values.
        gamma: (k,) inner exponents.
        s: the reciprocal of the outer exponent.
    """

    b: Array
    gamma: Array
    s: float


class NotContainedError(ValueError):
    """A coefficient cannot take the form of another one."""


class Coefficient(ABC):
    """A function of h with parameters."""

    @abstractmethod
    def groups(self) -> tuple[Group, ...]:
        """Name the parameters, in the order in which theta holds them."""

    @abstractmethod
    def value(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        """Evaluate at mixtures.

        Args:
            theta: internal parameters, (size,).
            h: mixtures, (m, k).
            log_h: their logs, (m, k), see `log_weights`.

        Returns:
            The values (m,) and their derivatives with respect to theta (m, size).
        """

    @abstractmethod
    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        """Give the derivatives along the simplex, (m, k): those of the value at h / sum(h).

        They differ from the plain partial derivatives by a number common to all domains, which no
        direction inside the simplex sees. At h_i = 0 the derivative is the one-sided one, which for
        an inner exponent below 1 is infinite.
        """

    @abstractmethod
    def scaled(self, theta: Array, log_factor: float) -> Array:
        """Give the theta of this function times exp(log_factor)."""

    @abstractmethod
    def random(self, rng: np.random.Generator, k: int) -> Array:
        """Draw a start: a function of order 1."""

    @abstractmethod
    def natural(self, theta: Array) -> dict[str, Array]:
        """Convert internal to natural parameters, name to (1,) or (k,)."""

    @abstractmethod
    def internal(self, natural: Mapping[str, Array]) -> Array:
        """Convert natural to internal parameters; the inverse of `natural`."""

    @abstractmethod
    def as_power_mean(self, theta: Array, k: int) -> PowerMean:
        """Write this function as a power mean.

        Raises:
            NotContainedError: if it has no such form (a value that is not positive).
        """

    @abstractmethod
    def from_power_mean(self, mean: PowerMean) -> Array:
        """Find the theta at which this function equals a power mean.

        Raises:
            NotContainedError: if there is none.
        """

    def bound(self, domains: Sequence[str], target: str) -> Coefficient:
        """Give the function for one target; most are the same for all.

        Args:
            domains: in the order of the columns of h.
            target: which may or may not be one of them.

        Raises:
            NotApplicableError: if the function means nothing for this target.
        """
        return self

    def check(self, h: Array, domains: Sequence[str]) -> None:  # noqa: B027
        """Refuse mixtures, (m, k), at which the function is infinite whatever its parameters.

        Raises:
            NotApplicableError: if there is one.
        """

    def tied(self) -> Coefficient | None:
        """Give the function in which all domains share one number, or None if there is none."""
        return None

    def log_ratios(self, theta: Array) -> tuple[Array, Array]:
        """Give the logs of the values at the corners over their geometric mean.

        Returns:
            (k,), and the derivatives with respect to theta, (k, size).

        Raises:
            NotImplementedError: if the function cannot be tied.
        """
        raise NotImplementedError

    @property
    @abstractmethod
    def family(self) -> object:
        """Equal for functions that differ only in the names of their parameters."""

    @property
    def depends_on_mixture(self) -> bool:
        """Whether the value differs from mixture to mixture."""
        return any(group.per_domain for group in self.groups())


POSITIVE, NONNEGATIVE, FREE = "positive", "nonnegative", "free"


@dataclass(frozen=True)
class Constant(Coefficient):
    """One number, the same for all mixtures.

    Attributes:
        name: of the number.
        kind: `POSITIVE` (theta is its log), `NONNEGATIVE` (with a bound at 0), or `FREE`.
        sign: -1 where the term has the number with the opposite sign, as N^eta has in N^-p.
        lower: bound on theta.
        upper: bound on theta.
    """

    name: str
    kind: str = POSITIVE
    sign: float = 1.0
    lower: float = -20.0
    upper: float = 40.0

    def groups(self) -> tuple[Group, ...]:
        lower = 0.0 if self.kind == NONNEGATIVE else self.lower
        return (Group(self.name, False, lower, self.upper),)

    @property
    def family(self) -> object:
        return replace(self, name="")

    def _number(self, theta: Array) -> float:
        return float(np.exp(theta[0]) if self.kind == POSITIVE else theta[0])

    def number(self, theta: Array) -> tuple[float, float]:
        """Give the value at any mixture, and its derivative with respect to theta, (1,)."""
        number = self.sign * self._number(theta)
        return number, number if self.kind == POSITIVE else self.sign

    def value(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        number, slope = self.number(theta)
        return np.full(len(h), number), np.full((len(h), 1), slope)

    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        return np.zeros_like(h)

    def scaled(self, theta: Array, log_factor: float) -> Array:
        return theta + log_factor if self.kind == POSITIVE else theta * np.exp(log_factor)

    def random(self, rng: np.random.Generator, k: int) -> Array:
        if self.kind == FREE:
            return rng.normal(0.0, 0.2, 1)
        log_number = rng.normal(-1.0, 0.7, 1)
        return log_number if self.kind == POSITIVE else np.exp(log_number)

    def natural(self, theta: Array) -> dict[str, Array]:
        return {self.name: np.array([self._number(theta)])}

    def internal(self, natural: Mapping[str, Array]) -> Array:
        number = natural[self.name]
        return np.log(number) if self.kind == POSITIVE else number.copy()

    def as_power_mean(self, theta: Array, k: int) -> PowerMean:
        number = self.sign * self._number(theta)
        if number <= 0:
            raise NotContainedError(f"{self.name} is not positive")
        return PowerMean(np.full(k, np.log(number)), np.ones(k), 1.0)

    def from_power_mean(self, mean: PowerMean) -> Array:
        if np.ptp(mean.b) > 0 or np.any(mean.gamma != 1.0) or self.sign < 0:
            raise NotContainedError("not a constant")
        return mean.b[:1].copy() if self.kind == POSITIVE else np.exp(mean.b[:1])


@dataclass(frozen=True)
class PowerSum(Coefficient):
    """``(sum_i C_i h_i^gamma_i)^outer``, with each of the exponents free or fixed.

    Internal parameters: b_i, the log of the value at the corner of domain i, so C_i = exp(s b_i)
    with s = 1 / outer; log gamma_i; and s itself, or log kappa where outer is -kappa. In b and s
    the function passes smoothly through s = 0, where outer is infinite and the value is
    exp(sum b_i h_i): a solver meets no wall between positive and negative outer exponents.

    Attributes:
        name: of the coefficients, such as ``C_A``.
        inner: the name of the inner exponents, or None where they are all 1.
        outer: the name of the outer exponent, or its fixed value.
        negative: whether the outer exponent is minus the number named, which is then positive.
    """

    name: str
    inner: str | None = None
    outer: float | str = 1.0
    negative: bool = False

    def groups(self) -> tuple[Group, ...]:
        found = [Group(self.name, True, -30.0, 40.0)]
        if self.inner is not None:
            found.append(Group(self.inner, True, -7.0, 4.0))
        if isinstance(self.outer, str):
            low, high = (-5.0, 7.0) if self.negative else (-30.0, 30.0)
            found.append(Group(self.outer, False, low, high))
        return tuple(found)

    @property
    def family(self) -> object:
        return replace(
            self,
            name="",
            inner=None if self.inner is None else "",
            outer="" if isinstance(self.outer, str) else self.outer,
        )

    def _mean(self, theta: Array) -> PowerMean:
        k, rest = self._split(theta)
        b = theta[:k]
        gamma = np.ones(k) if self.inner is None else np.exp(theta[k : 2 * k])
        if not isinstance(self.outer, str):
            return PowerMean(b, gamma, 1.0 / self.outer)
        return PowerMean(b, gamma, -np.exp(-rest[0]) if self.negative else float(rest[0]))

    def _split(self, theta: Array) -> tuple[int, Array]:
        end = len(theta) - isinstance(self.outer, str)
        return (end if self.inner is None else end // 2), theta[end:]

    @np.errstate(over="ignore", invalid="ignore")  # a solver steps back from what overflows
    def value(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        mean = self._mean(theta)
        k = h.shape[1]
        log_value, share, slope_in_s = self._evaluate(mean, h, log_h)
        value = np.exp(log_value)
        jacobian = np.empty((len(h), len(theta)))
        scaled = np.multiply(share, value[:, None], out=jacobian[:, :k])
        if self.inner is not None:
            slope = np.multiply(scaled, log_h, out=jacobian[:, k : 2 * k])
            slope *= mean.gamma / mean.s
        if isinstance(self.outer, str):
            jacobian[:, -1] = value * (slope_in_s * -mean.s if self.negative else slope_in_s)
        return value, jacobian

    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        mean = self._mean(theta)
        log_value, share, _ = self._evaluate(mean, h, log_h)
        above = mean.b - log_value[:, None]
        with np.errstate(over="ignore"):
            value = np.exp(log_value)[:, None]
            if self.inner is None:
                if mean.s == 0:
                    return value * above
                return value * np.expm1(mean.s * above) / mean.s
            # h^(gamma - 1) alone: where gamma < 1 it is infinite at h = 0, as it should be. One
            # exponential, so that a factor that overflows never meets one that is 0.
            partial = mean.gamma * np.exp(mean.s * above + (mean.gamma - 1.0) * log_h)
            common = (share * mean.gamma).sum(axis=1, keepdims=True)
            slope: Array = value * (partial - common) / mean.s
            return slope

    def scaled(self, theta: Array, log_factor: float) -> Array:
        k, _ = self._split(theta)
        return np.concatenate([theta[:k] + log_factor, theta[k:]])

    def tied(self) -> Coefficient | None:
        return Constant(self.name) if self.inner is None else None

    def log_ratios(self, theta: Array) -> tuple[Array, Array]:
        # Of the values at the corners, C_i^outer: the ratios of the C_i themselves vanish where
        # outer grows without limit, while the function still differs from domain to domain.
        k, _ = self._split(theta)
        b = theta[:k]
        jacobian = np.zeros((k, len(theta)))
        jacobian[:, :k] = np.eye(k) - 1.0 / k
        return b - b.mean(), jacobian

    def random(self, rng: np.random.Generator, k: int) -> Array:
        parts = [rng.normal(0.0, 0.7, k)]
        if self.inner is not None:
            parts.append(rng.normal(-0.7, 0.7, k))
        if isinstance(self.outer, str):
            parts.append(rng.normal(0.0, 0.5 if self.negative else 1.5, 1))
        return np.concatenate(parts)

    def natural(self, theta: Array) -> dict[str, Array]:
        mean = self._mean(theta)
        s = mean.s
        if isinstance(self.outer, str) and not self.negative and abs(s) < 1 / _LARGEST_OUTER:
            s = np.copysign(1 / _LARGEST_OUTER, s)
        found = {self.name: np.exp(np.clip(s * mean.b, -_LARGEST_LOG, _LARGEST_LOG))}
        if self.inner is not None:
            found[self.inner] = mean.gamma
        if isinstance(self.outer, str):
            found[self.outer] = np.array([-1.0 / s if self.negative else 1.0 / s])
        return found

    def internal(self, natural: Mapping[str, Array]) -> Array:
        outer = natural[self.outer][0] if isinstance(self.outer, str) else self.outer
        b = np.log(natural[self.name]) * (-outer if self.negative else outer)
        parts = [b]
        if self.inner is not None:
            parts.append(np.log(natural[self.inner]))
        if isinstance(self.outer, str):
            parts.append(np.array([np.log(outer) if self.negative else 1.0 / outer]))
        return np.concatenate(parts)

    def as_power_mean(self, theta: Array, k: int) -> PowerMean:
        return self._mean(theta)

    def from_power_mean(self, mean: PowerMean) -> Array:
        linear = bool(np.all(mean.gamma == 1.0))
        s = mean.s
        if linear and np.ptp(mean.b) == 0:  # a constant has this form at any s
            s = (
                1.0 / self.outer
                if not isinstance(self.outer, str)
                else -1.0
                if self.negative
                else 1.0
            )
        parts = [mean.b]
        if self.inner is not None:
            parts.append(np.log(mean.gamma))
        elif not linear:
            raise NotContainedError("inner exponents differ from 1")
        if not isinstance(self.outer, str):
            if s != 1.0 / self.outer:
                raise NotContainedError("the outer exponents differ")
        elif not self.negative:
            parts.append(np.array([s]))
        elif s < 0:
            parts.append(np.array([-np.log(-s)]))
        else:
            raise NotContainedError("the outer exponent is positive")
        return np.concatenate(parts)

    def _evaluate(self, mean: PowerMean, h: Array, log_h: Array) -> tuple[Array, Array, Array]:
        """Give the log value (m,), its derivatives in b (m, k) and its derivative in s (m,)."""
        s = mean.s
        if self.inner is None and abs(s) < _SERIES_BELOW:
            # The log value is K(s) / s, K being the cumulant generating function of b under h.
            centre = h @ mean.b
            away = mean.b - centre[:, None]
            second, third = (h * away**2).sum(axis=1), (h * away**3).sum(axis=1)
            share = h * np.exp(s * away)
            share /= share.sum(axis=1, keepdims=True)
            return (
                centre + s * second / 2 + s**2 * third / 6,
                share,
                second / 2 + s * third / 3,
            )
        exponent = log_h + s * mean.b if self.inner is None else mean.gamma * log_h + s * mean.b
        top = exponent.max()
        share = np.exp(exponent - top)
        total = share.sum(axis=1, keepdims=True)
        if total.min() < 1e-290:  # a mixture so far below the others needs a scale of its own
            top = exponent.max(axis=1, keepdims=True)
            share = np.exp(exponent - top)
            total = share.sum(axis=1, keepdims=True)
        share /= total
        log_value: Array = (np.log(total) + top)[:, 0] / s
        return log_value, share, (share @ mean.b - log_value) / s
