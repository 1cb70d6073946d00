"""One term of the laws of several targets, evaluated at one mixture for all of them at once.

The functions of h of a term are power means (`mixfit.laws.power_mean`), stacked into (targets, k)
arrays, so that values, gradients and exact second derivatives cost a few array operations whatever
the number of targets. `mixfit.mixture.losses_of_h` sums the terms to losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.laws.coefficients import log_weights
from mixfit.laws.formula import TermAt
from mixfit.laws.power_mean import PowerMean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.laws.coefficients import Coefficient

# An infinite one-sided derivative at a weight of 0 comes out as this: finite, squares of it too,
# and larger than any that matters.
STEEPEST = float(np.exp(300.0))
_LARGEST_LOG = 300.0  # of values likewise; it leaves room for products


@dataclass(frozen=True, eq=False)
class StackedFunction:
    """One coefficient or exponent of several targets.

    Attributes:
        numbers: (p,) its values where it does not depend on h, or None.
        means: the power means that it is where it does, (p, k).
    """

    numbers: Array | None
    means: PowerMean | None

    @classmethod
    def of(cls, thetas: Sequence[tuple[Coefficient, Array]], k: int) -> StackedFunction:
        """Stack functions of one kind, each with its theta.

        Raises:
            NotContainedError: if one depends on h and is no power mean.
        """
        if not thetas[0][0].depends_on_mixture:
            h = np.full((1, k), 1.0 / k)
            numbers = [function.value(theta, h, log_weights(h))[0][0] for function, theta in thetas]
            return cls(np.array(numbers), None)
        means = [function.as_power_mean(theta, k) for function, theta in thetas]
        gammas = [mean.gamma for mean in means if mean.gamma is not None]
        return cls(
            None,
            PowerMean(
                np.array([mean.b for mean in means]),
                np.array(gammas) if gammas else None,
                np.array([mean.s for mean in means]),
            ),
        )

    def at(self, h: Array, log_h: Array) -> FunctionsAt:
        """Evaluate at one mixture, h (1, k)."""
        if self.means is None:
            assert self.numbers is not None
            nothing = np.zeros((len(self.numbers), h.shape[1]))
            return FunctionsAt(self.numbers, nothing, nothing, np.ones(len(self.numbers)))
        at = self.means.at(h, log_h)
        e, q = at.in_h(STEEPEST)
        value = np.exp(np.minimum(at.log_value[:, 0], _LARGEST_LOG))
        return FunctionsAt(value, e[:, 0], q[:, 0], np.asarray(self.means.s))

    def value(self, h: Array, log_h: Array) -> Array:
        """Evaluate at one mixture without derivatives, (p,)."""
        if self.means is None:
            assert self.numbers is not None
            return self.numbers
        value: Array = np.exp(np.minimum(self.means.at(h, log_h).log_value[:, 0], _LARGEST_LOG))
        return value

    def convex(self, allowed: Mask) -> Mask:
        """Tell which functions are proven convex (p,), on the face of the domains allowed (k,).

        With T the sum of a power mean: a negative power of a concave T is convex, and so is a power
        of 1 or more of a convex one. T is concave where all gamma_i <= 1 and convex where all
        gamma_i >= 1; a linear T may also have s = 0, where the function is an exponential.
        """
        if self.means is None:
            assert self.numbers is not None
            return np.ones(len(self.numbers), bool)
        s, gamma = np.asarray(self.means.s), self.means.gamma
        if gamma is None:
            return s <= 1
        gamma = gamma[:, allowed]
        concave, convex = (gamma <= 1).all(axis=1), (gamma >= 1).all(axis=1)
        proven: Mask = (concave & (s < 0)) | (convex & (s > 0) & (s <= 1))
        return proven

    def log_convex(self, allowed: Mask) -> Mask:
        """Tell which functions have a log that is proven convex (p,), likewise.

        That of a negative power of a concave T has, and an exponential's is linear. Sums of such
        functions are of the kind, and so are their positive powers.
        """
        if self.means is None:
            assert self.numbers is not None
            return self.numbers >= 0
        s, gamma = np.asarray(self.means.s), self.means.gamma
        if gamma is None:
            return s <= 0
        proven: Mask = (gamma[:, allowed] <= 1).all(axis=1) & (s < 0)
        return proven


@dataclass(frozen=True, eq=False)
class FunctionsAt:
    """Functions at one mixture.

    Attributes:
        value: (p,).
        e: (p, k); the gradient is the value times e.
        q: (p, k); the second derivative is the value times ((1 - s) e e^T + diag(q)).
        s: (p,).
    """

    value: Array
    e: Array
    q: Array
    s: Array

    @property
    def gradient(self) -> Array:
        """The derivatives, (p, k)."""
        return self.value[:, None] * self.e


@dataclass(frozen=True, eq=False)
class StackedTerm:
    """One term of several targets, ``c(h) N^-p(h) D^-q(h)``, each target at most once.

    Attributes:
        target: (p,) which target each row belongs to.
        coefficient: c.
        exponents: p and q, those that there are, each with 0 for N or 1 for D.
        inside: whether the terms stand under the outer power of their law.
    """

    target: Indices
    coefficient: StackedFunction
    exponents: tuple[tuple[StackedFunction, int], ...]
    inside: bool

    @property
    def fixed(self) -> bool:
        """Whether no exponent depends on h."""
        return all(exponent.means is None for exponent, _ in self.exponents)

    def at(self, h: Array, log_h: Array, logs: Array) -> StackedTermAt:
        """Evaluate at one mixture, h (1, k), and at log N and log D, (2,)."""
        exponents = [(exponent.at(h, log_h), logs[side]) for exponent, side in self.exponents]
        return StackedTermAt(self, self.coefficient.at(h, log_h), tuple(exponents))

    def value(self, h: Array, log_h: Array, logs: Array) -> Array:
        """Evaluate likewise without derivatives, (p,)."""
        exponents = [(exponent.value(h, log_h), logs[side]) for exponent, side in self.exponents]
        return TermAt(self.coefficient.value(h, log_h), tuple(exponents)).value


@dataclass(frozen=True, eq=False)
class StackedTermAt:
    """A stack at one mixture.

    Attributes:
        stack: the terms.
        coefficient: theirs.
        exponents: theirs, each with log N or log D.
    """

    stack: StackedTerm
    coefficient: FunctionsAt
    exponents: tuple[tuple[FunctionsAt, float], ...]

    @cached_property
    def term(self) -> TermAt:
        """The terms."""
        exponents = tuple((exponent.value, log_scale) for exponent, log_scale in self.exponents)
        return TermAt(self.coefficient.value, exponents)

    @property
    def gradient(self) -> Array:
        """Their derivatives, (p, k)."""
        slopes = [exponent.gradient for exponent, _ in self.exponents]
        return self.term.gradient(self.coefficient.gradient, slopes)

    def curvature(self, weights: Array) -> tuple[Array, Array, Array]:
        """Give the second derivatives of a weighted sum of the terms; weights is (p,).

        Returns:
            A diagonal (k,), vectors v (n, k) and factors f (n,): diag + sum f v v^T.
        """
        c, each = self.coefficient, weights * self.term.value
        diagonal = each @ c.q
        if self.stack.fixed:
            return diagonal, c.e, each * (1.0 - c.s)
        slope = c.e  # of the log of the term
        vectors, factors = [c.e], [-each * c.s]
        for p, log_scale in self.exponents:
            of_p = -each * log_scale * p.value
            slope = slope - log_scale * p.gradient
            diagonal += of_p @ p.q
            vectors.append(p.e)
            factors.append(of_p * (1.0 - p.s))
        return diagonal, np.concatenate([slope, *vectors]), np.concatenate([each, *factors])
