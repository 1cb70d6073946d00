"""Parametric functions of the mixture h: the coefficients and exponents that laws are made of.

Two functions are enough for the paper's laws and for ours:

- `Constant`: one number;
- `PowerSum`: ``(sum_i C_i h_i^gamma_i)^outer``, of which the paper's mixture term
  ``1 / sum C_i h_i^gamma_i`` (eq. 4) and ``(sum C_i h_i)^gamma`` (eqs. 5, 9, 11) are cases.

Each is evaluated at a vector theta of *internal* parameters, chosen so that a solver moves well in
them, and is reported in the *natural* parameters of the paper (see `mixfit.laws.parameters`).
`docs/adding-a-coefficient.md` shows how to write another one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.laws.parameters import FREE, NONNEGATIVE, POSITIVE, Param, Start, within
from mixfit.laws.power_mean import PowerMean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from mixfit.base.arrays import Array

# log(0) as a finite number: gamma * LOG_ZERO stays finite and exp() of it is exactly 0, so that
# neither 0^gamma nor its derivative is ever NaN.
LOG_ZERO = -1e30

_LARGEST_OUTER = 1e6  # beyond it (sum C_i h_i)^outer is exp(sum b_i h_i) to six digits
_LARGEST_RECIPROCAL = 30.0  # of an outer exponent
_LARGEST_LOG = 690.0  # exp() of more overflows
_USUAL_UPPER = 40.0  # bound on logs and exponents
_LARGEST_LOSS = 1e12  # in any unit


def log_weights(h: Array) -> Array:
    """Give log h, with `LOG_ZERO` in place of log 0.

    Args:
        h: weights, any shape.
    """
    positive = h > 0
    return np.where(positive, np.log(np.where(positive, h, 1.0)), LOG_ZERO)


def along_simplex(partial: Array, h: Array) -> Array:
    """Turn partial derivatives at mixtures into those along the simplex.

    They are the derivatives of the function at h / sum(h). A weight of 0 takes no part in the mean
    that is subtracted, even where its own derivative is infinite.

    Args:
        partial: with respect to each weight, (m, k).
        h: the mixtures, (m, k).
    """
    finite = np.where(h > 0, partial, 0.0)
    slope: Array = partial - (h * finite).sum(axis=1, keepdims=True)
    return slope


class NotContainedError(ValueError):
    """A coefficient cannot take the form of another one."""


class Coefficient(ABC):
    """A function of h with parameters; subclasses are frozen dataclasses that hold their names.

    What a subclass must have is its parameters, its value and slopes, and its text. The rest
    follows from the parameters, but where internal and natural ones are not of one kind.
    """

    @property
    @abstractmethod
    def params(self) -> tuple[Param, ...]:
        """The parameters, in the order in which theta holds them."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The formula as people write it, with at most one `` / ``."""

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

    def split(self, theta: Array) -> list[Array]:
        """Cut theta into the numbers of each parameter, (1,) or (k,)."""
        params = self.params
        shared = sum(not param.per_domain for param in params)
        k = (len(theta) - shared) // max(1, len(params) - shared)
        ends = np.cumsum([param.size(k) for param in params])
        return np.split(theta, ends[:-1])

    def natural(self, theta: Array) -> dict[str, Array]:
        """Convert internal to natural parameters, name to (1,) or (k,)."""
        pairs = zip(self.params, self.split(theta), strict=True)
        return {param.name: param.natural(numbers) for param, numbers in pairs}

    def internal(self, natural: Mapping[str, Array]) -> Array:
        """Convert natural to internal parameters; the inverse of `natural`."""
        return np.concatenate([param.internal(natural[param.name]) for param in self.params])

    def impossible(
        self, natural: Mapping[str, Array], *, as_exponent: bool
    ) -> Iterator[tuple[str, int | None, str]]:
        """Name the natural numbers that no theta stands for.

        Args:
            natural: name to (1,) or (k,).
            as_exponent: whether the function is an exponent, which no change of units scales.

        Yields:
            The parameter, the index of the domain or None, and what the number must be.
        """
        for param in self.params:
            yield from self._impossible(param, natural[param.name], as_exponent or not param.scale)

    def _impossible(
        self, param: Param, numbers: Array, bounded: bool
    ) -> Iterator[tuple[str, int | None, str]]:
        allowed, text = param.possible(numbers, bounded=bounded)
        for index in np.flatnonzero(~allowed):
            yield param.name, int(index) if param.per_domain else None, text

    def scaled(self, theta: Array, log_factor: float) -> Array:
        """Give the theta of this function times exp(log_factor)."""
        pieces = []
        for param, numbers in zip(self.params, self.split(theta), strict=True):
            if not param.scale:
                pieces.append(numbers)
            elif param.kind == POSITIVE:
                pieces.append(numbers + log_factor)
            else:
                pieces.append(numbers * np.exp(log_factor))
        return np.concatenate(pieces)

    def random(self, rng: np.random.Generator, k: int) -> Array:
        """Draw a start: a function of order 1."""
        return np.concatenate([param.draw(rng, k) for param in self.params])

    def as_power_mean(self, theta: Array, k: int) -> PowerMean:
        """Write this function as a power mean.

        Raises:
            NotContainedError: if it has no such form (a value that is not positive).
        """
        raise NotContainedError("not a power mean")

    def from_power_mean(self, mean: PowerMean) -> Array:
        """Find the theta at which this function equals a power mean.

        Raises:
            NotContainedError: if there is none.
        """
        raise NotContainedError("not a power mean")

    def bound(self, domains: Sequence[str], target: str) -> Self:
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

    def alone(self) -> Coefficient:
        """Give the function where an exponent with which it shares a parameter is not there."""
        return self

    @property
    def family(self) -> object:
        """Equal for functions that differ only in their parameters' names and pulls."""
        names = {param.name for param in self.params}
        forgotten: dict[str, object] = {}
        for field in fields(self):  # type: ignore[arg-type]
            if getattr(self, field.name) in names:
                forgotten[field.name] = ""
            elif field.name in ("pull", "across"):
                forgotten[field.name] = 0.0
        return replace(self, **forgotten)  # type: ignore[type-var]

    @property
    def depends_on_mixture(self) -> bool:
        """Whether the value differs from mixture to mixture."""
        return any(param.per_domain for param in self.params)


@dataclass(frozen=True)
class Constant(Coefficient):
    """One number, the same for all mixtures.

    Attributes:
        name: of the number.
        kind: `POSITIVE` (theta is its log), `NONNEGATIVE` (with a bound at 0), or `FREE`.
        sign: -1 where the term has the number with the opposite sign, as N^eta has in N^-p.
        lower: bound on theta.
        upper: bound on theta; None for the usual one, which no loss comes near.
        start: where a search may start; None for the usual one of the kind.
        across: how hard a prior pulls the number to that of other targets.
        usual: near which published fits have it; None for not known.
    """

    name: str
    kind: str = POSITIVE
    sign: float = 1.0
    lower: float = -20.0
    upper: float | None = None
    start: Start | None = None
    across: float = 0.0
    usual: float | None = None

    @property
    def params(self) -> tuple[Param, ...]:
        lower = 0.0 if self.kind == NONNEGATIVE else self.lower
        usual = _LARGEST_LOSS if self.kind == NONNEGATIVE else _USUAL_UPPER
        upper = usual if self.upper is None else self.upper
        return (
            Param(
                self.name,
                False,
                self.kind,
                lower,
                upper,
                self.start,
                scale=True,
                across=self.across,
                usual=self.usual,
            ),
        )

    @property
    def text(self) -> str:
        return self.name if self.sign > 0 else f"-{self.name}"

    def number(self, theta: Array) -> tuple[float, float]:
        """Give the value at any mixture, and its derivative with respect to theta, (1,)."""
        number = self.sign * float(np.exp(theta[0]) if self.kind == POSITIVE else theta[0])
        return number, number if self.kind == POSITIVE else self.sign

    def value(self, theta: Array, h: Array, log_h: Array) -> tuple[Array, Array]:
        number, slope = self.number(theta)
        return np.full(len(h), number), np.full((len(h), 1), slope)

    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        return np.zeros_like(h)

    def as_power_mean(self, theta: Array, k: int) -> PowerMean:
        number, _ = self.number(theta)
        if number <= 0:
            raise NotContainedError(f"{self.name} is not positive")
        return PowerMean(np.full(k, np.log(number)), None, 1.0)

    def from_power_mean(self, mean: PowerMean) -> Array:
        if np.ptp(mean.b) > 0 or not mean.linear or self.sign < 0:
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
        pull: how hard a prior pulls the b_i together, beside the log gamma_i.
        across: likewise how hard to those of other targets.
    """

    name: str
    inner: str | None = None
    outer: float | str = 1.0
    negative: bool = False
    pull: float = 0.01
    across: float = 0.1

    @property
    def params(self) -> tuple[Param, ...]:
        corners = Param(
            self.name,
            True,
            POSITIVE,
            -30.0,
            40.0,
            Start(0.0, 0.7),
            scale=True,
            pull=self.pull,
            across=self.across,
        )
        params = [corners]
        if self.inner is not None:
            params.append(
                Param(self.inner, True, POSITIVE, -7.0, 4.0, Start(-0.7, 0.7), pull=1.0, across=1.0)
            )
        if isinstance(self.outer, str) and self.negative:
            params.append(Param(self.outer, False, POSITIVE, -5.0, 7.0, Start(0.0, 0.5)))
        elif isinstance(self.outer, str):
            most = _LARGEST_RECIPROCAL
            params.append(Param(self.outer, False, FREE, -most, most, Start(0.0, 1.5)))
        return tuple(params)

    @property
    def text(self) -> str:
        inside = f"sum {self.name}_i h_i" + (f"^{self.inner}_i" if self.inner else "")
        if self.outer == -1.0:
            return f"1 / {inside}"
        if self.outer == 1.0:
            return f"({inside})"
        return f"({inside})^{'-' if self.negative else ''}{self.outer}"

    @property
    def _reciprocal(self) -> bool:
        """Whether theta holds the reciprocal of the outer exponent."""
        return isinstance(self.outer, str) and not self.negative

    def _mean(self, theta: Array) -> PowerMean:
        k, rest = self._split(theta)
        b = theta[:k]
        gamma = None if self.inner is None else np.exp(theta[k : 2 * k])
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
        at = mean.at(h, log_h)
        value = np.exp(at.log_value)
        jacobian = np.empty((len(h), len(theta)))
        scaled = np.multiply(at.share, value[:, None], out=jacobian[:, :k])
        if mean.gamma is not None:
            slope = np.multiply(scaled, log_h, out=jacobian[:, k : 2 * k])
            slope *= mean.gamma / mean.s
        if isinstance(self.outer, str):
            jacobian[:, -1] = value * (at.in_s * -mean.s if self.negative else at.in_s)
        return value, jacobian

    @np.errstate(over="ignore", invalid="ignore")
    def weight_gradient(self, theta: Array, h: Array, log_h: Array) -> Array:
        at = self._mean(theta).at(h, log_h)
        slope: Array = np.exp(at.log_value)[:, None] * at.in_h()[0]
        return slope

    def natural(self, theta: Array) -> dict[str, Array]:
        mean = self._mean(theta)
        s = float(mean.s)
        if self._reciprocal:
            # Where C_i would overflow, with the outer exponent at which they just do not the values
            # at the corners stay, and between corners that are alike all others.
            least, most = 1 / _LARGEST_OUTER, _LARGEST_LOG / max(float(np.abs(mean.b).max()), 1.0)
            s = float(np.copysign(np.clip(abs(s), least, most), s))
        natural = {self.name: np.exp(np.clip(s * mean.b, -_LARGEST_LOG, _LARGEST_LOG))}
        if self.inner is not None and mean.gamma is not None:
            natural[self.inner] = mean.gamma
        if isinstance(self.outer, str):
            natural[self.outer] = np.array([-1.0 / s if self.negative else 1.0 / s])
        return natural

    def internal(self, natural: Mapping[str, Array]) -> Array:
        outer = natural[self.outer][0] if isinstance(self.outer, str) else self.outer
        b = np.log(natural[self.name]) * (-outer if self.negative else outer)
        pieces = [b]
        if self.inner is not None:
            pieces.append(np.log(natural[self.inner]))
        if isinstance(self.outer, str):
            pieces.append(np.array([np.log(outer) if self.negative else 1.0 / outer]))
        return np.concatenate(pieces)

    def _impossible(
        self, param: Param, numbers: Array, bounded: bool
    ) -> Iterator[tuple[str, int | None, str]]:
        if param.name == self.outer and self._reciprocal:
            least = 1 / _LARGEST_RECIPROCAL
            if not within(np.abs(numbers), least, np.finfo(float).max / 2).all():
                size = f"{least:.3g}"
                yield param.name, None, f"a number of {size} or more, or of -{size} or less"
        else:
            yield from super()._impossible(param, numbers, bounded and not param.scale)

    def as_power_mean(self, theta: Array, k: int) -> PowerMean:
        return self._mean(theta)

    def from_power_mean(self, mean: PowerMean) -> Array:
        s = float(mean.s)
        if mean.linear and np.ptp(mean.b) == 0:  # a constant has this form at any s
            fixed = -1.0 if self.negative else 1.0
            s = fixed if isinstance(self.outer, str) else 1.0 / self.outer
        pieces = [mean.b]
        if self.inner is not None:
            pieces.append(np.zeros_like(mean.b) if mean.gamma is None else np.log(mean.gamma))
        elif not mean.linear:
            raise NotContainedError("inner exponents differ from 1")
        if not isinstance(self.outer, str):
            if s != 1.0 / self.outer:
                raise NotContainedError("the outer exponents differ")
        elif not self.negative:
            pieces.append(np.array([s]))
        elif s < 0:
            pieces.append(np.array([-np.log(-s)]))
        else:
            raise NotContainedError("the outer exponent is positive")
        return np.concatenate(pieces)
