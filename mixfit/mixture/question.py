"""The search for the best mixture at one (N, D)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError
from mixfit.base.numbers import short
from mixfit.mixture.constraints import Constraints, feasible_polytope, linear_items, polytope_of
from mixfit.mixture.losses import AllLimits, LossLimits, ValueLimit, WeightedLoss
from mixfit.mixture.result import CERTIFIED, Baseline, Cost, Mixture
from mixfit.simplex.minimise import InfeasibleError, minimise, most_slack, widest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit, Range
    from mixfit.mixture.constraints import Item
    from mixfit.mixture.surface import Landscape
    from mixfit.simplex.functions import Limits
    from mixfit.simplex.minimise import Optimum
    from mixfit.simplex.polytope import Polytope

_MOST_OBSERVED = 3  # observed mixtures that are started from, those with the lowest objective
_LIMIT_ACTIVE = 1e-6
_OUTSIDE = 5e-4  # a weight that leaves the range fitted by less is not worth a note


@dataclass(frozen=True, eq=False)
class Problem:
    """What is asked for, at any budget.

    Attributes:
        fit: the fitted laws.
        target_weights: target to its weight in the objective; they sum to 1.
        constraints: what mixtures must obey.
        prior: (k,) what the mixture is pulled towards, or None.
        reference: (k,) the mixture that no target may be worse than, or None.
        observed: (m, k) mixtures of the runs.
        wanted: the laws of the targets in `target_weights`.
        everything: the laws of all targets.
    """

    fit: Fit
    target_weights: dict[str, float]
    constraints: Constraints
    prior: Array | None
    reference: Array | None
    observed: Array
    wanted: Landscape
    everything: Landscape

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the k domains."""
        return self.fit.domains

    def unconstrained(self) -> Problem:
        """Give the same problem without any constraint or pull."""
        return replace(self, constraints=Constraints(), prior=None, reference=None)


class Budget:
    """The problem at one (N, D)."""

    def __init__(self, problem: Problem, model_size: float | None, tokens: float | None) -> None:
        """Check the budget against the law, and the linear constraints against each other.

        Raises:
            UsageError: a number is missing or of no use, or the constraints cannot hold together.
        """
        self.problem = problem
        self.model_size, self.tokens = model_size, tokens
        everything = problem.everything
        for needed, given, option, example in (
            (everything.uses_model_size, model_size, "--model-size", "7B"),
            (everything.uses_tokens, tokens, "--tokens", "150B"),
        ):
            if given is not None and not (given > 0 and np.isfinite(given)):
                raise UsageError(f"{option} {given:g}: it must be a positive number.")
            if needed and given is None:
                what = "N" if option == "--model-size" else "D"
                raise UsageError(
                    f"the {problem.fit.law} law depends on {what}: give {option}, such as "
                    f"{option} {example}."
                )
        self._N, self._D = model_size or 1.0, tokens or 1.0
        self.objective = WeightedLoss(
            problem.wanted.at(self._N, self._D),
            np.array(list(problem.target_weights.values())),
            problem.prior,
            problem.constraints.kl if problem.prior is not None else 0.0,
        )
        self.items = linear_items(problem.constraints, problem.domains, tokens)
        self.polytope = feasible_polytope(self.items, len(problem.domains))
        self.all = problem.everything.at(self._N, self._D)
        self._loss_limits = self._limits()

    def predicted(self, h: Array) -> dict[str, float]:
        """Predict the losses of all targets of the fit."""
        return dict(zip(self.problem.fit.targets, self.all.values(h).tolist(), strict=True))

    def baseline(self, name: str, h: Array) -> Baseline:
        """Predict the losses of a mixture (k,)."""
        losses = self.predicted(h)
        loss = sum(w * losses[target] for target, w in self.problem.target_weights.items())
        return Baseline(name, h, losses, loss)

    def best_observed(self) -> Baseline | None:
        """Find the observed mixture with the lowest predicted loss."""
        observed = self.problem.observed
        if not len(observed):
            return None
        losses = [self.objective.loss(h) for h in observed]
        return self.baseline("best observed", observed[int(np.argmin(losses))])

    def _limits(self) -> dict[str, float]:
        """Give target to the largest loss that it may have."""
        found: dict[str, float] = {}
        if self.problem.reference is not None:
            found = self.predicted(self.problem.reference)
        for target, limit in self.problem.constraints.no_worse_than.items():
            found[target] = min(found.get(target, np.inf), limit)
        return found

    def limits(self, without: str | None = None) -> LossLimits | None:
        """Give the limits on losses, perhaps without one target's."""
        chosen = {t: limit for t, limit in self._loss_limits.items() if t != without}
        if not chosen:
            return None
        places = list(self.problem.fit.targets)
        return LossLimits(
            self.all,
            np.array([places.index(t) for t in chosen]),
            np.array(list(chosen.values())),
        )

    def best(self, near: Sequence[Array] = ()) -> Mixture:
        """Find the best mixture.

        Args:
            near: best mixtures (k,) of budgets nearby; given some, fewer other starts are tried.

        Raises:
            UsageError: the constraints cannot hold together.
        """
        found = self._minimise(self.objective, self.polytope, self.limits(), near)
        return self._mixture(found)

    def _minimise(
        self,
        objective: WeightedLoss,
        polytope: Polytope,
        limits: LossLimits | None,
        near: Sequence[Array] = (),
    ) -> Optimum:
        starts = list(near)
        observed = self.problem.observed
        if len(observed):
            losses = [objective.value(h) if self._allowed(h) else np.inf for h in observed]
            starts += [observed[i] for i in np.argsort(losses, kind="stable")[:_MOST_OBSERVED]]
        if self.problem.reference is not None:
            starts.append(self.problem.reference)
        try:
            return minimise(objective, polytope, limits, starts, few=bool(near))
        except InfeasibleError:
            raise UsageError(self._clash(polytope, starts)) from None

    def _allowed(self, h: Array) -> bool:
        """Tell whether the pull is finite at a mixture."""
        prior = self.problem.prior
        return prior is None or not np.any(h[prior == 0] > 0)

    def _clash(self, polytope: Polytope, starts: Sequence[Array]) -> str:
        """Name the constraints that cannot hold together with the limits on losses."""
        k = len(self.problem.domains)

        def possible(items: Sequence[Item], targets: Iterable[str]) -> bool:
            places = list(self.problem.fit.targets)
            chosen = list(targets)
            if not chosen:
                return True
            limits = LossLimits(
                self.all,
                np.array([places.index(t) for t in chosen]),
                np.array([self._loss_limits[t] for t in chosen]),
            )
            return most_slack(limits, polytope_of(items, k), starts)[0] <= 1e-9

        targets, items = list(self._loss_limits), list(self.items)
        for target in list(targets):
            rest = [other for other in targets if other != target]
            if not possible(items, rest):
                targets = rest
        for item in list(items):
            others = [other for other in items if other is not item]
            if not possible(others, targets):
                items = others
        labels = [self._limit_label(t) for t in targets] + [item.label for item in items]
        what = "These cannot hold together" if len(labels) > 1 else "This cannot hold"
        return f"{what}, as far as the search can tell: {', '.join(labels)}. Loosen one of them."

    def _limit_label(self, target: str) -> str:
        return f"--no-worse-than {target}={self._loss_limits[target]:.4g}"

    def _mixture(self, found: Optimum) -> Mixture:
        problem = self.problem
        predicted = self.predicted(found.h)
        return Mixture(
            domains=problem.domains,
            weights=found.h,
            model_size=self.model_size,
            tokens=self.tokens,
            target_weights=problem.target_weights,
            predicted_loss=predicted,
            loss=self.objective.loss(found.h),
            objective=found.value,
            gap=found.gap,
            convex=found.convex,
            notes=tuple(self._notes(found)),
        )

    def _notes(self, found: Optimum) -> Iterable[Note]:
        problem = self.problem
        data = problem.fit.data
        if problem.everything.uses_model_size and self.model_size is not None:
            yield from _outside(self.model_size, data.model_size, "size", "model-size", "")
        if problem.everything.uses_tokens and self.tokens is not None:
            yield from _outside(self.tokens, data.tokens, "length", "tokens", " tokens")
        yield from self._weight_notes(found.h)
        if not any(fit.law.mixture_groups for fit in problem.fit.targets.values()):
            text = f"the {problem.fit.law} law does not depend on the mixture: any is as good"
            yield Note("any-mixture", text)
        if problem.prior is not None:
            yield from self._prior_notes()
        if found.gap > CERTIFIED * abs(found.value):
            text = f"the gap, {found.gap:.1g}, is over 1e-6 of the objective: " + (
                "the search stopped before it could certify this mixture"
            )
            yield Note("not-certified", text)

    def _weight_notes(self, h: Array) -> Iterable[Note]:
        outside = []
        for domain, weight in zip(self.problem.domains, h, strict=True):
            fitted = self.problem.fit.data.weights[domain]
            if not fitted.min - _OUTSIDE <= weight <= fitted.max + _OUTSIDE:
                outside.append(
                    f"{domain} {100 * weight:.1f}% (runs: {100 * fitted.min:.1f} to "
                    f"{100 * fitted.max:.1f}%)"
                )
        if outside:
            text = "weights outside of what the runs had: " + ", ".join(outside)
            yield Note("weight-outside", text)

    def _prior_notes(self) -> Iterable[Note]:
        prior = self.problem.prior
        assert prior is not None
        if not np.any(prior == 0):
            return
        free = Budget(self.problem.unconstrained(), self.model_size, self.tokens).best()
        for domain, weight, pull in zip(self.problem.domains, free.weights, prior, strict=True):
            if pull == 0 and weight > 0:
                text = (
                    f"the prior gives {domain} no weight, so that it gets none; without the prior "
                    f"it would get {100 * weight:.1f}%"
                )
                yield Note("prior-zero", text)

    def ranges(self, mixture: Mixture, tolerance: float) -> Array:
        """Find how far each weight can go (k, 2) while the objective rises by a share at most."""
        flat = ValueLimit(self.objective, mixture.objective * (1.0 + tolerance))
        parts: list[Limits] = [flat]
        limits = self.limits()
        if limits is not None:
            # The optimum may lean on a limit; what is as good may pass it by a hair.
            parts.append(replace(limits, limits=limits.limits * (1.0 + tolerance / 10)))
        every = list(range(len(self.problem.domains)))
        return widest(self.polytope, AllLimits(parts), mixture.weights, every)

    def costs(self, mixture: Mixture) -> tuple[Cost, ...]:
        """Find what each constraint that a best mixture leans on costs."""
        k, h = len(self.problem.domains), mixture.weights
        found = []
        limits = self.limits()
        for item in self.items:
            if item.active(h):
                others = [other for other in self.items if other is not item]
                free = self._minimise(self.objective, polytope_of(others, k), limits, [h])
                found.append(Cost(item.label, max(mixture.objective - free.value, 0.0)))
        for target, limit in self._loss_limits.items():
            if mixture.predicted_loss[target] > limit * (1 - _LIMIT_ACTIVE):
                free = self._minimise(self.objective, self.polytope, self.limits(target), [h])
                cost = max(mixture.objective - free.value, 0.0)
                found.append(Cost(self._limit_label(target), cost))
        if self.problem.prior is not None:
            plain = replace(self.objective, prior=None, strength=0.0)
            free = self._minimise(plain, self.polytope, limits, [h])
            label = f"--kl {self.problem.constraints.kl:g}"
            found.append(Cost(label, max(mixture.loss - free.value, 0.0)))
        return tuple(found)


def _outside(value: float, fitted: Range, what: str, code: str, unit: str) -> Iterable[Note]:
    def times(ratio: float) -> str:
        return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"

    if value > fitted.max * 1.0001:
        extreme, ratio, most = (
            fitted.max,
            value / fitted.max,
            "largest" if what == "size" else "longest",
        )
        text = f"{short(value)}{unit} is {times(ratio)} times the {most} {what} fitted"
    elif value < fitted.min * 0.9999:
        extreme, ratio, most = (
            fitted.min,
            fitted.min / value,
            "smallest" if what == "size" else "shortest",
        )
        text = f"{short(value)}{unit} is {times(ratio)} times below the {most} {what} fitted"
    else:
        return
    yield Note(f"{code}-outside", f"{text}, {short(extreme)}")
