"""The predicted losses of all targets at one (N, D), as smooth functions of the mixture.

Every term whose functions of h are power means is stacked with its like of the other targets
(`mixfit.mixture.stacked_terms`). A target with another kind of coefficient is evaluated through its
`Formula`.

What a law leaves (`mixfit.fitting.discrepancy`) is added to its losses.

Derivatives are along the simplex: a number common to all domains is left out, as no direction
inside the simplex sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.fitting.discrepancy import DiscrepancyAt
from mixfit.fitting.uncertainty import resampled
from mixfit.laws.coefficients import NotContainedError, log_weights
from mixfit.laws.formula import Formula, OuterAt
from mixfit.mixture.stacked_terms import STEEPEST, StackedFunction, StackedTerm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array, Mask
    from mixfit.fitting.result import Fit, TargetFit
    from mixfit.laws.coefficients import Coefficient
    from mixfit.laws.law import Term
    from mixfit.mixture.stacked_terms import StackedTermAt

_DIFFERENCE = 1e-5  # relative step of numerical second derivatives


@dataclass(frozen=True, eq=False)
class _Odd:
    """A target with a coefficient that is no power mean."""

    target: int
    formula: Formula
    theta: Array

    def value(self, h: Array, N: float, D: float) -> float:
        """Give the loss at one mixture, (k,)."""
        with np.errstate(all="ignore"):
            return float(self.formula.predict(self.theta, np.array([N]), np.array([D]), h[None])[0])

    def gradient(self, h: Array, N: float, D: float) -> Array:
        """Give the derivatives at mixtures, (m, k)."""
        with np.errstate(all="ignore"):
            gradient = self.formula.weight_gradient(
                self.theta, np.full(len(h), N), np.full(len(h), D), h
            )
        return np.nan_to_num(gradient, nan=0.0, posinf=STEEPEST, neginf=-STEEPEST)

    def curvature(self, h: Array, N: float, D: float) -> Array:
        """Give the second derivatives at one mixture by differences, (k, k)."""
        # Each weight grows by the same fraction of itself and the mixture is brought back to sum
        # 1, so that steps suit weights of every size: a step from h towards the corner e_i.
        step = _DIFFERENCE * h
        points = (h + np.diag(step)) / (1.0 + step)[:, None]
        slopes = self.gradient(np.vstack([points, h]), N, D)
        length = np.maximum(step / (1.0 + step), 1e-300)
        columns = (slopes[:-1] - slopes[-1]) / length[:, None]
        symmetric: Array = (columns + columns.T) / 2
        return symmetric


class LossesOfH:
    """The laws of some targets, ready to be evaluated at any (N, D)."""

    def __init__(self, fit: Fit, targets: Sequence[str], *, resamples: bool = False) -> None:
        """Stack the terms of a fit.

        Args:
            fit: the fit.
            targets: names of its t targets, in the order wanted.
            resamples: stack the laws of all its resamples in place of its own, as so many times t
                targets, one resample after the other.
        """
        self.k = len(fit.domains)
        own = [fit.targets[name] for name in targets]
        fits = _resampled(fit, own) if resamples else own
        self.count = len(fits)
        self.uses_model_size = any(fit.targets[t].form.uses_model_size for t in targets)
        self.uses_tokens = any(fit.targets[t].form.uses_tokens for t in targets)
        self.odd: list[_Odd] = []
        self.kappas = np.ones(self.count)
        rows: dict[tuple[Term, bool], list[tuple[int, Formula, Array]]] = {}
        for index, of_target in enumerate(fits):
            formula, theta = of_target.formula()
            if not _all_power_means(formula, theta):
                self.odd.append(_Odd(index, formula, theta))
                continue
            self.kappas[index] = formula.kappa(theta)
            for term in formula.law.terms:
                inside = formula.law.under_outer(term)
                rows.setdefault((term, inside), []).append((index, formula, theta))
        known = [(index, own.discrepancy) for index, own in enumerate(fits)]
        self.discrepancies = [(index, added) for index, added in known if added is not None]
        self.stacks = [self._stack(*key, of_term) for key, of_term in rows.items()]

    def _stack(
        self, term: Term, inside: bool, rows: list[tuple[int, Formula, Array]]
    ) -> StackedTerm:
        def stacked(function: Coefficient) -> StackedFunction:
            thetas = [(function, theta[formula.places(function)]) for _, formula, theta in rows]
            return StackedFunction.of(thetas, self.k)

        exponents = [
            (stacked(exponent), side)
            for side, exponent in enumerate((term.n, term.d))
            if exponent is not None
        ]
        target = np.array([row[0] for row in rows])
        return StackedTerm(target, stacked(term.coefficient), tuple(exponents), inside)

    def at(self, N: float, D: float) -> LossesAt:
        """Give the losses as functions of h.

        Args:
            N: parameters; anything positive where no law uses it.
            D: tokens; likewise.
        """
        return LossesAt(self, N, D)


def _resampled(fit: Fit, targets: Sequence[TargetFit]) -> list[TargetFit]:
    """Give targets as each resample of a fit has them, one resample after the other."""
    drawn = resampled(fit)[0]
    each = zip(*(drawn.of(own.target) for own in targets), strict=True)
    return [
        own.with_params(params)
        for of_targets in each
        for own, params in zip(targets, of_targets, strict=True)
    ]


def _all_power_means(formula: Formula, theta: Array) -> bool:
    for term in formula.law.terms:
        for function in term.functions:
            if function.depends_on_mixture:
                try:
                    function.as_power_mean(theta[formula.places(function)], formula.k)
                except NotContainedError:
                    return False
    return True


class LossesAt:
    """The losses (t,) of some targets at one (N, D), as functions of one mixture (k,)."""

    def __init__(self, losses: LossesOfH, N: float, D: float) -> None:
        self.k = losses.k
        self.count = losses.count
        self._odd = losses.odd
        self._N, self._D = N, D
        self._logs = np.log([N, D])
        # What does not depend on h is evaluated once; under an outer power (1) and beside it (0).
        self._constant = np.zeros((2, self.count))
        self._stacks = []
        uniform = np.full((1, self.k), 1.0 / self.k)
        for stack in losses.stacks:
            if stack.fixed and stack.coefficient.means is None:
                value = stack.value(uniform, log_weights(uniform), self._logs)
                self._constant[int(stack.inside), stack.target] += value
            else:
                self._stacks.append(stack)
        self._added = None
        self._with_added = np.array([index for index, _ in losses.discrepancies], int)
        if losses.discrepancies:
            self._added = DiscrepancyAt.stacked([own.at(N, D) for _, own in losses.discrepancies])
        has_outer = {i for stack in losses.stacks if stack.inside for i in stack.target}
        self._powered = np.array(sorted(has_outer), int)
        self._kappa = losses.kappas[self._powered]

    def _outer(self, sums: Array) -> OuterAt:
        """Give the outer powers of the targets that have one, from the sums under them, (t,)."""
        return OuterAt(sums[self._powered], self._kappa)

    def values(self, h: Array) -> Array:
        """Predict the losses, (t,)."""
        row, log_h = h[None], log_weights(h[None])
        values, sums = self._constant.copy()
        for stack in self._stacks:
            into = sums if stack.inside else values
            into[stack.target] += stack.value(row, log_h, self._logs)
        values[self._powered] += self._outer(sums).value
        for odd in self._odd:
            values[odd.target] += odd.value(h, self._N, self._D)
        if self._added is not None:
            values[self._with_added] += self._added.value(h)
        return values

    def gradients(self, h: Array) -> tuple[Array, Array]:
        """Give the losses (t,) and their derivatives along the simplex (t, k)."""
        values, gradients, outer, slopes, _ = self._at(h)
        values[self._powered] += outer.value
        gradients[self._powered] += outer.slope[:, None] * slopes[self._powered]
        for odd in self._odd:
            values[odd.target] += odd.value(h, self._N, self._D)
            gradients[odd.target] += odd.gradient(h[None], self._N, self._D)[0]
        if self._added is not None:
            values[self._with_added] += self._added.value(h)
            gradients[self._with_added] += self._added.gradient(h)
        return values, gradients

    def _at(self, h: Array) -> tuple[Array, Array, OuterAt, Array, list[StackedTermAt]]:
        """Evaluate the stacks.

        Returns:
            The sums (t,) of what stands beside an outer power and their derivatives (t, k), the
            outer powers, the derivatives (t, k) of the sums under them, and the stacks.
        """
        row, log_h = h[None], log_weights(h[None])
        sums = self._constant.copy()
        gradients = np.zeros((2, self.count, self.k))
        each = [stack.at(row, log_h, self._logs) for stack in self._stacks]
        for at in each:
            side = int(at.stack.inside)
            sums[side, at.stack.target] += at.term.value
            gradients[side, at.stack.target] += at.gradient
        return sums[0], gradients[0], self._outer(sums[1]), gradients[1], each

    def curvature(self, h: Array, weights: Array) -> Array:
        """Give the second derivatives (k, k) of the weighted sum of losses; weights is (t,)."""
        curvature = np.zeros((self.k, self.k))
        _, _, outer, slopes, each = self._at(h)
        inside = np.zeros(self.count)  # the weights of the sums under outer powers
        inside[self._powered] = weights[self._powered] * outer.slope
        for at in each:
            own = (inside if at.stack.inside else weights)[at.stack.target]
            diagonal, vectors, factors = at.curvature(own)
            curvature += np.diag(diagonal) + vectors.T @ (factors[:, None] * vectors)
        slopes = slopes[self._powered]
        curvature += slopes.T @ ((weights[self._powered] * outer.bend)[:, None] * slopes)
        for odd in self._odd:
            curvature += weights[odd.target] * odd.curvature(h, self._N, self._D)
        if self._added is not None:
            curvature += self._added.summed(weights[self._with_added]).curvature(h)
        return curvature

    def convex(self, allowed: Mask) -> Mask:
        """Tell which targets' losses are proven convex in h, (t,).

        Args:
            allowed: (k,) which domains may have weight.
        """
        proven = np.ones(self.count, bool)
        for stack in self._stacks:
            # A positive outer power is convex where the logs of all terms under it are.
            own = stack.coefficient.log_convex if stack.inside else stack.coefficient.convex
            proven[stack.target] &= own(allowed) & stack.fixed
        proven[self._powered] &= self._kappa > 0
        for odd in self._odd:
            proven[odd.target] = False
        proven[self._with_added] = False
        return proven
