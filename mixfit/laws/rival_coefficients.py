"""The functions of the mixture h that the other published laws are made of.

- `ExpSum`: ``E + sum_i C_i exp(gamma_i h_i)``, with a C for each domain or one for all;
- `ExpProduct`: ``C exp(gamma prod_i k h_i)``;
- `ExpLinear`: ``exp(sum_i t_i h_i)``;
- `InversePowerSum`: ``sum_i F_i h_i^-alpha_i``;
- `ShiftedPowerSum`: ``sum_i (n (a_i + h_i))^-g_i``;
- `OwnPower`: a power of the weight of the one domain that is the target;
- `EffectiveShare`: ``(sum_i C_i h_i)^-beta`` with the beta that D has too.

As in `mixfit.laws.coefficients` each is evaluated at internal parameters theta and reported in
natural ones. Where a formula was published with more parameters than runs can tell apart, the class
is of the form that they can, and says so.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import NotApplicableError
from mixfit.laws.coefficients import (
    Coefficient,
    Constant,
    NotContainedError,
    PowerSum,
    along_simplex,
)
from mixfit.laws.parameters import FREE, NONNEGATIVE, ORDER_ONE, POSITIVE, Param, Start
from mixfit.laws.power_mean import PowerMean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array

_RATE = 60.0  # exp() of it times any weight is far from overflow
_LEAST_RATE = 1e-6  # below it exp() is linear to the digits that losses have
_SERIES_BELOW = 1e-3  # below it differences lose more digits than the series
_NEWTON_STEPS = 50


class _DomainSum(Coefficient):
    """A sum over domains of a function of the domain's weight alone."""

    @abstractmethod
    def _addends(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, list[Array]]:
        """Give the addends and their derivatives with respect to the parameters.

        Returns:
            (m, k), and for each group of parameters the derivative (m, k) of every addend with
            respect to its own parameter of the group, or to the one that all share.
        """

    @abstractmethod
    def _slopes(self, theta: Array, h: Array, addends: Array) -> Array:
        """Give the derivatives of the addends with respect to their weights, (m, k)."""

    def value(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        addends, derivatives = self._addends(theta, h, log_h)
        columns = [
            derivative if param.per_domain else derivative.sum(axis=1, keepdims=True)
            for param, derivative in zip(self.params, derivatives, strict=True)
        ]
        return addends.sum(axis=1), np.hstack(columns)

    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        addends, _ = self._addends(theta, h, log_h)
        return along_simplex(self._slopes(theta, h, addends), h)


def _grown(rate: Array, at: Array) -> tuple[Array, Array]:
    """Give ``(exp(rate x) - 1) / rate``, which is x at rate 0, and its derivative in the rate."""
    with np.errstate(over="ignore", invalid="ignore"):
        exponent = rate * at
        small = np.abs(exponent) < _SERIES_BELOW
        safe = np.where(small, 1.0, rate)
        grown = np.expm1(exponent) / safe
        slope = (at * np.exp(exponent) - grown) / safe
    return (
        np.where(small, at * (1 + exponent / 2 + exponent**2 / 6), grown),
        np.where(small, at**2 * (1 / 2 + exponent / 3 + exponent**2 / 8), slope),
    )


@dataclass(frozen=True)
class ExpSum(Coefficient):
    """``E + sum_i C_i exp(gamma_i h_i)``, or ``E + C sum_i exp(gamma_i h_i)``; C of either sign.

    Runs often ask for a nearly linear function of h, which is huge C that E cancels and tiny gamma.
    Internal parameters are those in which nothing is huge then: the value at the uniform mixture in
    place of E; with a C for each domain, the slopes there in place of the C_i; with one C, its
    reciprocal, and the slopes C gamma_i at weight 0 in place of the gamma_i.

    Attributes:
        offset: the name of E.
        name: of C.
        rate: the name of gamma.
        common: whether one C serves all domains.
    """

    offset: str
    name: str
    rate: str
    common: bool = False

    @property
    def params(self) -> tuple[Param, ...]:
        rate = 1e3 if self.common else _RATE
        return (
            Param(self.offset, False, FREE, -1e3, 1e3, scale=True),
            Param(self.name, not self.common, FREE, -1e3, 1e3, scale=True),
            # With one C theta holds slopes, of which the natural numbers are multiples.
            Param(self.rate, True, FREE, -rate, rate, scale=self.common),
        )

    @property
    def text(self) -> str:
        first, inside = (f"{self.name} sum ", "") if self.common else ("sum ", f"{self.name}_i ")
        return f"{self.offset} + {first}{inside}exp({self.rate}_i h_i)"

    def _split(self, theta: Array) -> tuple[float, Array, Array]:
        count = 2 if self.common else 1 + len(theta) // 2
        return float(theta[0]), theta[1:count], theta[count:]

    def value(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        middle, first, second = self._split(theta)
        uniform = 1.0 / h.shape[1]
        one = np.ones((len(h), 1))
        if not self.common:
            grown, in_rate = _grown(second, h - uniform)
            return middle + grown @ first, np.hstack([one, grown, in_rate * first])
        rate = first * second
        (grown, in_rate), (less, in_less) = _grown(rate, h), _grown(rate, np.full_like(h, uniform))
        with np.errstate(over="ignore", invalid="ignore"):
            grown, in_rate = grown - less, in_rate - in_less
            in_first = (in_rate @ second**2)[:, None]
            jacobian = np.hstack([one, in_first, grown + in_rate * rate])
            return middle + grown @ second, jacobian

    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        _, first, second = self._split(theta)
        if self.common:
            return along_simplex(second * np.exp(first * second * h), h)
        return along_simplex(first * np.exp(second * (h - 1.0 / h.shape[1])), h)

    def scaled(self, theta: Array, log_factor: float) -> Array:
        middle, first, second = self._split(theta)
        factor = np.exp(log_factor)
        if self.common:
            return np.concatenate([[middle * factor], first / factor, second * factor])
        return np.concatenate([[middle * factor], first * factor, second])

    def random(self, rng: np.random.Generator, k: int) -> Array:
        slope, rate = rng.normal(-0.5, 1.0, k), rng.normal(-1.0, 3.0, k)
        if self.common:
            return np.concatenate([[1.0], np.exp(rng.normal(1.0, 0.7, 1)), slope])
        return np.concatenate([[1.0], slope, rate])

    def natural(self, theta: Array) -> dict[str, Array]:
        middle, first, second = self._split(theta)
        if self.common:
            size = 1.0 / _away_from_zero(first)
            rate = second / size
            at_uniform = size * np.exp(rate / len(rate))
        else:
            rate = _away_from_zero(second)
            at_uniform = first / rate
            size = at_uniform * np.exp(-rate / len(rate))
        offset = np.array([middle - at_uniform.sum()])
        return {self.offset: offset, self.name: size, self.rate: rate}

    def internal(self, natural: Mapping[str, Array]) -> Array:
        offset, size, rate = natural[self.offset], natural[self.name], natural[self.rate]
        at_uniform = size * np.exp(rate / len(rate))
        rest = [1.0 / size, size * rate] if self.common else [at_uniform * rate, rate]
        return np.concatenate([offset + at_uniform.sum(), *rest])


def _away_from_zero(rate: Array) -> Array:
    return np.where(np.abs(rate) < _LEAST_RATE, np.copysign(_LEAST_RATE, rate), rate)


@dataclass(frozen=True)
class ExpProduct(Coefficient):
    """``C exp(gamma prod_i k h_i)`` with C positive.

    Published as ``C exp(prod_i t_i h_i)``, of which only the product of the t_i can be told. With
    the k in it the product of weights is 1 at the uniform mixture, and gamma, which is that product
    divided by k^k, is of order 1.

    Attributes:
        name: of C.
        rate: the name of gamma.
    """

    name: str
    rate: str

    @property
    def params(self) -> tuple[Param, ...]:
        return (
            Param(self.name, False, POSITIVE, -20.0, 10.0, Start(-0.5, 0.7), scale=True),
            Param(self.rate, False, FREE, -_RATE, _RATE, Start(0.0, 1.0)),
        )

    @property
    def text(self) -> str:
        return f"{self.name} exp({self.rate} prod k h_i)"

    @property
    def depends_on_mixture(self) -> bool:
        return True

    def value(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        product = (h.shape[1] * h).prod(axis=1)
        value = np.exp(theta[0] + theta[1] * product)
        return value, np.column_stack([value, value * product])

    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        k = h.shape[1]
        # Not the product over h_i, which is 0 / 0 at a zero weight.
        others = np.column_stack([np.delete(k * h, i, axis=1).prod(axis=1) for i in range(k)])
        value, _ = self.value(theta, h, log_h)
        return along_simplex(value[:, None] * theta[1] * k * others, h)


@dataclass(frozen=True)
class ExpLinear(Coefficient):
    """``exp(sum_i t_i h_i)``.

    Also ``C exp(sum_i t_i h_i)``: the weights sum to 1, so that C is a constant added to every t_i.

    Attributes:
        name: of t.
        spread: of the t at a start.
    """

    name: str
    spread: float = 2.0

    @property
    def params(self) -> tuple[Param, ...]:
        start = Start(-0.5, self.spread)
        return (Param(self.name, True, FREE, -_RATE, _RATE, start, scale=True),)

    @property
    def text(self) -> str:
        return f"exp(sum {self.name}_i h_i)"

    def value(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        value = np.exp(h @ theta)
        return value, value[:, None] * h

    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        return along_simplex(np.exp(h @ theta)[:, None] * theta, h)

    def scaled(self, theta: Array, log_factor: float) -> Array:
        return theta + log_factor

    def as_power_mean(self, theta: Array, k: int) -> PowerMean:
        return PowerMean(theta.copy(), None, 0.0)

    def from_power_mean(self, mean: PowerMean) -> Array:
        if not mean.linear or (mean.s != 0 and np.ptp(mean.b) > 0):
            raise NotContainedError("not the exponential of a linear function")
        return mean.b.copy()


@dataclass(frozen=True)
class InversePowerSum(_DomainSum):
    """``sum_i F_i h_i^-alpha_i`` with F and alpha positive; infinite where a weight is 0.

    Attributes:
        name: of F.
        inner: the name of alpha.
    """

    name: str
    inner: str

    @property
    def params(self) -> tuple[Param, ...]:
        size = Start(-0.5, 0.7, in_log_k=-1.0)
        return (
            Param(self.name, True, POSITIVE, -30.0, 10.0, size, scale=True),
            Param(self.inner, True, POSITIVE, -7.0, 3.0, Start(-1.5, 0.7)),
        )

    @property
    def text(self) -> str:
        return f"sum {self.name}_i h_i^-{self.inner}_i"

    def check(self, h: Array, domains: Sequence[str]) -> None:
        at_zero = [domain for domain, w in zip(domains, h.T, strict=True) if np.any(w == 0)]
        if at_zero:
            raise NotApplicableError(
                f"it is infinite at a weight of 0, which rows have for {', '.join(at_zero)}"
            )

    def _addends(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, list[Array]]:
        log_size, log_inner = np.split(theta, 2)
        power = -np.exp(log_inner) * log_h
        with np.errstate(over="ignore"):
            addends = np.exp(log_size + power)
        return addends, [addends, addends * power]

    def _slopes(self, theta: Array, h: Array, addends: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(-np.exp(np.split(theta, 2)[1]) * addends / h)


@dataclass(frozen=True)
class ShiftedPowerSum(_DomainSum):
    """``sum_i (n (a_i + h_i))^-g_i`` with n, a and g positive.

    Published with n the number of training samples, known beforehand. The function is not the same
    in another unit of n, of which the authors' text leaves the choice open; n is therefore fitted,
    which makes the law at least as good as with any n that a user would have given.

    Attributes:
        scale: the name of n.
        shift: the name of a.
        inner: the name of g.
    """

    scale: str
    shift: str
    inner: str

    @property
    def params(self) -> tuple[Param, ...]:
        return (
            Param(self.scale, False, POSITIVE, -5.0, 60.0, scale=True),
            Param(self.shift, True, POSITIVE, -12.0, 5.0, Start(0.0, 1.0, in_log_k=-1.0)),
            Param(self.inner, True, POSITIVE, -7.0, 3.0, Start(-0.7, 0.7)),
        )

    @property
    def text(self) -> str:
        return f"sum ({self.scale} ({self.shift}_i + h_i))^-{self.inner}_i"

    def _split(self, theta: Array) -> tuple[float, Array, Array]:
        shift, inner = np.split(theta[1:], 2)
        return float(theta[0]), np.exp(shift), np.exp(inner)

    def _addends(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, list[Array]]:
        log_scale, shift, inner = self._split(theta)
        power = -inner * (log_scale + np.log(shift + h))
        with np.errstate(over="ignore"):
            addends = np.exp(power)
        return addends, [-inner * addends, -inner * shift / (shift + h) * addends, power * addends]

    def _slopes(self, theta: Array, h: Array, addends: Array) -> Array:
        _, shift, inner = self._split(theta)
        return np.asarray(-inner / (shift + h) * addends)

    def scaled(self, theta: Array, log_factor: float) -> Array:
        """Give the theta of this function times exp(log_factor), at the uniform mixture.

        The published form has no free factor: n is what comes nearest to one.
        """
        log_scale, shift, inner = self._split(theta)
        if log_factor == 0:
            return theta.copy()
        reach = np.log(shift + 1 / len(shift))
        start = np.exp(-inner * (log_scale + reach))
        goal = np.log(start.sum()) + log_factor
        for _ in range(_NEWTON_STEPS):
            addends = np.exp(np.clip(-inner * (log_scale + reach), -600.0, 600.0))
            # The log of the sum is a convex and decreasing function of log n.
            miss = np.log(addends.sum()) - goal
            log_scale += miss * addends.sum() / (inner @ addends)
            if abs(miss) < 1e-12:
                break
        return np.concatenate([[log_scale], theta[1:]])

    def random(self, rng: np.random.Generator, k: int) -> Array:
        _, shift, inner = self.params
        theta = np.concatenate([[0.0], shift.draw(rng, k), inner.draw(rng, k)])
        return self.scaled(theta, -float(np.log(k)))


@dataclass(frozen=True)
class OwnPower(Coefficient):
    """``C h_own^p`` or ``C (h_own + eps)^p``, h_own being the weight of the target's own domain.

    Attributes:
        name: of C.
        exponent: the name of the exponent.
        negative: whether p is minus the number named.
        shift: the name of eps, or None where it is 0.
        own: the place of the target among the domains, which `bound` sets.
    """

    name: str
    exponent: str
    negative: bool = False
    shift: str | None = None
    own: int = 0

    @property
    def params(self) -> tuple[Param, ...]:
        power = Start(0.0, 0.3, of=np.abs)
        params = [
            Param(self.name, False, POSITIVE, -30.0, 40.0, ORDER_ONE, scale=True),
            Param(self.exponent, False, NONNEGATIVE, 0.0, 10.0, power),
        ]
        if self.shift is not None:
            params.append(Param(self.shift, False, POSITIVE, -12.0, 2.0, Start(-3.0, 1.5)))
        return tuple(params)

    @property
    def text(self) -> str:
        base = "h_own" if self.shift is None else f"(h_own + {self.shift})"
        return f"{self.name}{' / ' if self.negative else ' '}{base}^{self.exponent}"

    @property
    def depends_on_mixture(self) -> bool:
        return True

    def bound(self, domains: Sequence[str], target: str) -> OwnPower:
        if target not in domains:
            raise NotApplicableError("it needs a target that is a training domain")
        return replace(self, own=list(domains).index(target))

    def check(self, h: Array, domains: Sequence[str]) -> None:
        if self.negative and self.shift is None and np.any(h[:, self.own] == 0):
            own = domains[self.own]
            raise NotApplicableError(f"it is infinite at a weight of 0, which rows have for {own}")

    def _reach(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        """Give h_own + eps and its log, each (m,)."""
        if self.shift is None:
            return h[:, self.own], log_h[:, self.own]
        reach = h[:, self.own] + np.exp(theta[2])
        return reach, np.log(reach)

    def value(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        reach, log_reach = self._reach(theta, h, log_h)
        sign = -1.0 if self.negative else 1.0
        with np.errstate(over="ignore"):
            value = np.exp(theta[0] + sign * theta[1] * log_reach)
        # 0^p does not move with p, at p = 0 neither.
        columns = [value, np.where(reach > 0, sign * value * log_reach, 0.0)]
        if self.shift is not None:
            columns.append(sign * theta[1] * value * np.exp(theta[2]) / reach)
        return value, np.column_stack(columns)

    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        _, log_reach = self._reach(theta, h, log_h)
        power = theta[1] * (-1.0 if self.negative else 1.0)
        partial = np.zeros_like(h)
        with np.errstate(over="ignore"):
            # h^(p - 1) alone: where p < 1 it is infinite at h = 0, as it should be.
            partial[:, self.own] = power * np.exp(theta[0] + (power - 1.0) * log_reach)
        return along_simplex(partial, h)


@dataclass(frozen=True)
class EffectiveShare(PowerSum):
    """``(sum_i C_i h_i)^-beta``, beta being the exponent of D in the same term too.

    With it the term is ``(D sum_i C_i h_i)^-beta``: each token counts as much as its domain's C.

    Attributes:
        outer: the name of beta.
        exponent: the same, as the term has it.
        without: the name of beta where all rows have one D, and nothing else of beta is left.
    """

    negative: bool = field(default=True, init=False)
    exponent: Constant = field(kw_only=True)
    without: str = field(kw_only=True)

    @property
    def params(self) -> tuple[Param, ...]:
        corners, _ = super().params
        return (corners, *self.exponent.params)

    def scaled(self, theta: Array, log_factor: float) -> Array:
        return np.concatenate([theta[:-1] + log_factor, theta[-1:]])

    def alone(self) -> PowerSum:
        return PowerSum(self.name, outer=self.without, negative=True, pull=self.pull)
