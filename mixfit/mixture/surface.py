"""The predicted losses of all targets at one (N, D), as smooth functions of the mixture.

Every term whose parts are power means (`mixfit.laws.coefficients.PowerMean`) is stacked with its
like of the other targets into (targets, k) arrays, so that values, gradients and exact second
derivatives cost a few array operations whatever the number of targets. A target with another kind
of coefficient is evaluated through its `Formula`.

Derivatives are along the simplex: a number common to all domains is left out, as no direction
inside the simplex sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.laws.coefficients import NotContainedError, log_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit
    from mixfit.laws.coefficients import Coefficient
    from mixfit.laws.formula import Formula
    from mixfit.laws.law import Term

# An infinite one-sided derivative at a weight of 0 comes out as exp(300): finite, squares of it
# too, and larger than any that matters.
_STEEPEST = 300.0
_LARGEST_LOG = 300.0  # likewise for values; it leaves room for products
_WIDEST = 600.0  # spread of s b beyond which sums of exp(s b_i) h_i need logs of the weights
_NARROWEST = 0.1  # spread of s b below which they need log1p and expm1
_SMALLEST_S = 1e-200  # stands for s = 0; s b is then far from the smallest number
_DIFFERENCE = 1e-5  # relative step of numerical second derivatives


@dataclass(frozen=True, eq=False)
class PowerMeans:
    """Functions of h of one kind, ``scale (sum_i exp(s b_i) h_i^gamma_i)^(1/s)``, one a row.

    Attributes:
        scale: (p,) factors, of any sign.
        b: (p, k) log corner values.
        gamma: (p, k) inner exponents.
        s: (p,) reciprocals of the outer exponents.
    """

    scale: Array
    b: Array
    gamma: Array
    s: Array

    @classmethod
    def of(cls, parts: Sequence[tuple[Coefficient, Array]], k: int) -> PowerMeans:
        """Stack coefficients, each with its theta.

        Raises:
            NotContainedError: if one of them depends on h and is no power mean.
        """
        scale, b, gamma, s = [], [], [], []
        for part, theta in parts:
            if part.depends_on_mixture:
                mean = part.as_power_mean(theta, k)
                scale.append(1.0)
                b.append(mean.b)
                gamma.append(mean.gamma)
                s.append(mean.s if abs(mean.s) > _SMALLEST_S else _SMALLEST_S)
            else:
                scale.append(constant_value(part, theta, k))
                b.append(np.zeros(k))
                gamma.append(np.ones(k))
                s.append(1.0)
        return cls(np.array(scale), np.array(b), np.array(gamma), np.array(s))

    def convex(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell which functions are proven convex (p,), on the face of the domains allowed (k,).

        With T the sum: a negative power of a concave T is convex, and so is a power of 1 or more
        of a convex one. T is concave where all gamma_i <= 1 and convex where all gamma_i >= 1; a
        linear T may also have s = 0, where the function is an exponential.
        """
        gamma = self.gamma[:, allowed]
        concave, convex = (gamma <= 1).all(axis=1), (gamma >= 1).all(axis=1)
        rising = (self.s > 0) & (self.s <= 1)
        found: NDArray[np.bool_] = (self.scale >= 0) & (
            (concave & (self.s < 0)) | (convex & rising)
        )
        return found

    @cached_property
    def _kinds(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Rows to be summed in logs, rows that need log1p, and the remaining rows."""
        spread = np.ptp(self.s[:, None] * self.b, axis=1)
        logs = (self.gamma != 1).any(axis=1) | (spread > _WIDEST)
        small = ~logs & (spread < _NARROWEST)
        return np.flatnonzero(logs), np.flatnonzero(small), np.flatnonzero(~logs & ~small)

    @cached_property
    def _tops(self) -> Array:
        """The corner at which s b is largest, (p,): its b."""
        at = np.argmax(self.s[:, None] * self.b, axis=1)
        found: Array = self.b[np.arange(len(at)), at]
        return found

    @cached_property
    def _factors(self) -> Array:
        """exp(s (b - top)), (p, k), for the rows that are summed without logs."""
        exponent = self.s[:, None] * (self.b - self._tops[:, None])
        return np.exp(np.maximum(exponent, -_WIDEST))

    @cached_property
    def _shifts(self) -> Array:
        """expm1(s (b - top)), (p, k)."""
        exponent = self.s[:, None] * (self.b - self._tops[:, None])
        return np.expm1(np.maximum(exponent, -_WIDEST))

    def values(self, h: Array, log_h: Array) -> Array:
        """Evaluate at one mixture (k,), giving (p,)."""
        return self.scale * np.exp(np.minimum(self._log_values(h, log_h), _LARGEST_LOG))

    def _log_values(self, h: Array, log_h: Array) -> Array:
        logs, small, plain = self._kinds
        log_value = np.empty(len(self.s))
        if len(plain):
            log_value[plain] = np.log(self._factors[plain] @ h)
        if len(small):
            log_value[small] = np.log1p(self._shifts[small] @ h)
        log_value = log_value / self.s + self._tops
        if len(logs):
            exponent = self.s[logs, None] * self.b[logs] + self.gamma[logs] * log_h
            top = exponent.max(axis=1)
            total = np.exp(exponent - top[:, None]).sum(axis=1)
            log_value[logs] = (np.log(total) + top) / self.s[logs]
        return log_value

    def derivatives(self, h: Array, log_h: Array) -> tuple[Array, Array, Array]:
        """Evaluate with derivatives at one mixture (k,).

        Returns:
            The values v (p,), e (p, k) and q (p, k): the gradient is v e, and the second derivative
            v ((1 - s) e e^T + diag(q)).
        """
        log_value = self._log_values(h, log_h)
        s = self.s[:, None]
        e = np.empty_like(self.b)
        q = np.zeros_like(self.b)
        logs, small, plain = self._kinds
        if len(plain):
            # exp(s (b - log v)), from the factors already made.
            total = np.exp(self.s[plain] * (log_value[plain] - self._tops[plain]))
            steep = np.minimum(self._factors[plain] / total[:, None], np.exp(_STEEPEST))
            e[plain] = (steep - 1.0) / s[plain]
        if len(small):
            exponent = s[small] * (self.b[small] - log_value[small, None])
            e[small] = np.expm1(exponent) / s[small]
        if len(logs):
            gamma = self.gamma[logs]
            exponent = s[logs] * (self.b[logs] - log_value[logs, None]) + (gamma - 1.0) * log_h
            ratio = np.exp(np.minimum(exponent, _STEEPEST)) * gamma / s[logs]
            e[logs] = ratio
            q[logs] = ratio * (gamma - 1.0) / np.maximum(h, 1e-100)
        return self.scale * np.exp(np.minimum(log_value, _LARGEST_LOG)), e, q


def constant_value(part: Coefficient, theta: Array, k: int) -> float:
    """Give the value of a coefficient that does not depend on h."""
    h = np.full((1, k), 1.0 / k)
    return float(part.value(theta, h, log_weights(h))[0][0])


@dataclass(frozen=True, eq=False)
class _Stack:
    """One term of several targets, ``c(h) N^-p(h) D^-q(h)``, each target at most once.

    Attributes:
        target: (p,) which target each row belongs to.
        c: the coefficients.
        exponents: p and q, those that depend on h; None where none does.
        fixed: (p, 2) p and q that do not depend on h.
    """

    target: NDArray[np.intp]
    c: PowerMeans
    exponents: tuple[PowerMeans | None, PowerMeans | None]
    fixed: Array


@dataclass(frozen=True, eq=False)
class _Odd:
    """A target with a coefficient that is no power mean."""

    target: int
    formula: Formula
    theta: Array


class Landscape:
    """The laws of some targets, ready to be evaluated at any (N, D)."""

    def __init__(self, fit: Fit, targets: Sequence[str]) -> None:
        """Stack the terms of a fit.

        Args:
            fit: the fit.
            targets: names of its targets, in the order wanted.
        """
        self.k = len(fit.domains)
        self.targets = tuple(targets)
        self.uses_model_size = any(fit.targets[t].form.uses_model_size for t in targets)
        self.uses_tokens = any(fit.targets[t].form.uses_tokens for t in targets)
        self.constants: list[tuple[int, float, float, float]] = []
        self.odd: list[_Odd] = []
        rows: dict[tuple[object, ...], list[tuple[int, Term, Formula, Array]]] = {}
        for index, name in enumerate(targets):
            formula, theta = fit.targets[name].formula()
            if not _all_power_means(formula, theta):
                self.odd.append(_Odd(index, formula, theta))
                continue
            for number, term in enumerate(formula.law.terms):
                depends = tuple(p is not None and p.depends_on_mixture for p in _slots(term))
                if any(depends):
                    key = (term.role, number, depends)
                    rows.setdefault(key, []).append((index, term, formula, theta))
                else:
                    c, p, q = (self._number(part, formula, theta) for part in _slots(term))
                    self.constants.append((index, c, p, q))
        self.stacks = [self._stack(group) for group in rows.values()]

    def _number(self, part: Coefficient | None, formula: Formula, theta: Array) -> float:
        return 0.0 if part is None else constant_value(part, theta[formula.places(part)], self.k)

    def _stack(self, rows: list[tuple[int, Term, Formula, Array]]) -> _Stack:
        def means(slot: int) -> PowerMeans | None:
            parts = []
            for _, term, formula, theta in rows:
                part = _slots(term)[slot]
                if part is None or (slot and not part.depends_on_mixture):
                    return None
                parts.append((part, theta[formula.places(part)]))
            return PowerMeans.of(parts, self.k)

        c = means(0)
        assert c is not None
        fixed = np.zeros((len(rows), 2))
        for row, (_, term, formula, theta) in enumerate(rows):
            for side, part in enumerate((term.n, term.d)):
                if part is not None and not part.depends_on_mixture:
                    fixed[row, side] = self._number(part, formula, theta)
        return _Stack(np.array([row[0] for row in rows]), c, (means(1), means(2)), fixed)

    def at(self, N: float, D: float) -> Surface:
        """Give the losses as functions of h.

        Args:
            N: parameters; anything positive where no law uses it.
            D: tokens; likewise.
        """
        return Surface(self, N, D)


def _slots(term: Term) -> tuple[Coefficient, Coefficient | None, Coefficient | None]:
    return term.coefficient, term.n, term.d


def _all_power_means(formula: Formula, theta: Array) -> bool:
    for term in formula.law.terms:
        for part in term.parts:
            if part.depends_on_mixture:
                try:
                    part.as_power_mean(theta[formula.places(part)], formula.k)
                except NotContainedError:
                    return False
    return True


class Surface:
    """The losses (t,) of some targets at one (N, D), as functions of one mixture (k,)."""

    def __init__(self, landscape: Landscape, N: float, D: float) -> None:
        self.k = landscape.k
        self.count = len(landscape.targets)
        self._landscape = landscape
        self._N, self._D = N, D
        self._logs = np.log([N, D])
        self._constant = np.zeros(self.count)
        for target, c, p, q in landscape.constants:
            self._constant[target] += c * np.exp(-p * self._logs[0] - q * self._logs[1])
        self._factors = [np.exp(-stack.fixed @ self._logs) for stack in landscape.stacks]

    def values(self, h: Array) -> Array:
        """Predict the losses, (t,)."""
        log_h = log_weights(h)
        values = self._constant.copy()
        for stack, factor in zip(self._landscape.stacks, self._factors, strict=True):
            value = stack.c.values(h, log_h) * factor
            for exponent, log_scale in zip(stack.exponents, self._logs, strict=True):
                if exponent is not None:
                    value = value * np.exp(-log_scale * exponent.values(h, log_h))
            values[stack.target] += value
        for odd in self._landscape.odd:
            values[odd.target] += self._odd_value(odd, h)
        return values

    def gradients(self, h: Array) -> tuple[Array, Array]:
        """Give the losses (t,) and their derivatives along the simplex (t, k)."""
        log_h = log_weights(h)
        values = self._constant.copy()
        gradients = np.zeros((self.count, self.k))
        for stack, factor in zip(self._landscape.stacks, self._factors, strict=True):
            value, slope, _, _ = self._term(stack, factor, h, log_h)
            values[stack.target] += value
            gradients[stack.target] += value[:, None] * slope
        for odd in self._landscape.odd:
            values[odd.target] += self._odd_value(odd, h)
            gradients[odd.target] += self._odd_gradient(odd, h[None])[0]
        return values, gradients

    def curvature(self, h: Array, weights: Array) -> Array:
        """Give the second derivatives (k, k) of the weighted sum of losses; weights is (t,)."""
        log_h = log_weights(h)
        diagonal = np.zeros(self.k)
        vectors, factors = [], []
        for stack, factor in zip(self._landscape.stacks, self._factors, strict=True):
            value, slope, c, exponents = self._term(stack, factor, h, log_h)
            each = weights[stack.target] * value
            _, e, q = c
            diagonal += each @ q
            if not exponents:
                vectors.append(e)
                factors.append(each * (1.0 - stack.c.s))
                continue
            vectors += [slope, e]
            factors += [each, -each * stack.c.s]
            for means, log_scale, (p, e_p, q_p) in exponents:
                of_p = -each * log_scale * p
                diagonal += of_p @ q_p
                vectors.append(e_p)
                factors.append(of_p * (1.0 - means.s))
        found: Array = np.diag(diagonal)
        if vectors:
            stacked = np.concatenate(vectors)
            found += stacked.T @ (np.concatenate(factors)[:, None] * stacked)
        for odd in self._landscape.odd:
            found += weights[odd.target] * self._odd_curvature(odd, h)
        return found

    def convex(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell which targets' losses are proven convex in h, (t,).

        Args:
            allowed: (k,) which domains may have weight.
        """
        found = np.ones(self.count, bool)
        for stack in self._landscape.stacks:
            fixed = all(exponent is None for exponent in stack.exponents)
            found[stack.target] &= stack.c.convex(allowed) & fixed
        for odd in self._landscape.odd:
            found[odd.target] = False
        return found

    def _term(
        self, stack: _Stack, factor: Array, h: Array, log_h: Array
    ) -> tuple[
        Array,
        Array,
        tuple[Array, Array, Array],
        list[tuple[PowerMeans, float, tuple[Array, Array, Array]]],
    ]:
        c = stack.c.derivatives(h, log_h)
        value, slope = c[0] * factor, c[1]
        exponents = []
        for means, log_scale in zip(stack.exponents, self._logs, strict=True):
            if means is not None:
                found = means.derivatives(h, log_h)
                value = value * np.exp(-log_scale * found[0])
                slope = slope - log_scale * found[0][:, None] * found[1]
                exponents.append((means, float(log_scale), found))
        return value, slope, c, exponents

    def _odd_value(self, odd: _Odd, h: Array) -> float:
        N, D = np.array([self._N]), np.array([self._D])
        with np.errstate(all="ignore"):
            return float(odd.formula.predict(odd.theta, N, D, h[None])[0])

    def _odd_gradient(self, odd: _Odd, h: Array) -> Array:
        rows = len(h)
        N, D = np.full(rows, self._N), np.full(rows, self._D)
        with np.errstate(all="ignore"):
            found = odd.formula.weight_gradient(odd.theta, N, D, h)
        steepest = np.exp(_STEEPEST)
        return np.nan_to_num(found, nan=0.0, posinf=steepest, neginf=-steepest)

    def _odd_curvature(self, odd: _Odd, h: Array) -> Array:
        # Each weight grows by the same fraction of itself and the mixture is brought back to sum
        # 1, so that steps suit weights of every size: a step from h towards the corner e_i.
        step = _DIFFERENCE * h
        points = (h + np.diag(step)) / (1.0 + step)[:, None]
        slopes = self._odd_gradient(odd, np.vstack([points, h]))
        length = np.maximum(step / (1.0 + step), 1e-300)
        columns = (slopes[:-1] - slopes[-1]) / length[:, None]
        found: Array = (columns + columns.T) / 2
        return found
