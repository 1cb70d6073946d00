"""What is asked of a mixture, and the search for the best one at one (N, D)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.fitting.uncertainty import widening
from mixfit.mixture.caveats import notes_on_passes, notes_outside
from mixfit.mixture.constraints import (
    Constraints,
    Item,
    feasible_polytope,
    linear_items,
    polytope_of,
    smallest_clash,
)
from mixfit.mixture.losses_of_h import LossesOfH
from mixfit.mixture.objective import UPPER, AsGood, LossLimits, WeightedLoss
from mixfit.mixture.result import Baseline, Cost, LeastChange, Mixture
from mixfit.runs.transforms import as_logged
from mixfit.simplex.minimise import InfeasibleError, minimise, most_slack, widest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit
    from mixfit.simplex.minimise import Optimum
    from mixfit.simplex.polytope import Polytope

_MOST_OBSERVED = 3  # observed mixtures that are started from, those with the lowest objective
_LIMIT_ACTIVE = 1e-6
_UPPER_QUANTILE = NormalDist().inv_cdf(0.9)
_FLAT = 1e-3  # mixtures whose objective is higher by this share are as good


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked for, at any budget.

    Attributes:
        fit: the fitted laws.
        target_weights: target to its weight in the objective; they sum to 1.
        constraints: what mixtures must obey.
        prior: (k,) what the mixture is pulled towards, or None.
        reference: (k,) the mixture that no target may be worse than, or None.
        observed: (m, k) mixtures of the runs.
        risk: one of `mixfit.mixture.objective.RISKS`, to minimise that over resamples of the fit;
            None for the loss that the fit predicts.
    """

    fit: Fit
    target_weights: dict[str, float]
    constraints: Constraints
    prior: Array | None
    reference: Array | None
    observed: Array
    risk: str | None = None

    @cached_property
    def wanted(self) -> LossesOfH:
        """The laws of the targets in `target_weights`."""
        if self.risk is None and [*self.target_weights] == [*self.fit.targets]:
            return self.everything
        return LossesOfH(self.fit, list(self.target_weights), resamples=self.risk is not None)

    @cached_property
    def above(self) -> float:
        """How many standard deviations over resamples count beside their mean."""
        if self.risk != UPPER:
            return 0.0
        wide = [widening(self.fit, target) for target in self.target_weights]
        return _UPPER_QUANTILE * float(np.mean(wide))

    @cached_property
    def everything(self) -> LossesOfH:
        """The laws of all targets."""
        return LossesOfH(self.fit, list(self.fit.targets))

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the k domains."""
        return self.fit.domains

    def unconstrained(self) -> Question:
        """Give the same question without any constraint or pull."""
        return replace(self, constraints=Constraints(), prior=None, reference=None)

    def at(self, model_size: float | None, tokens: float | None) -> BudgetSearch:
        """Ask it at one (N, D).

        Args:
            model_size: N.
            tokens: D.

        Raises:
            UsageError: a number is missing or of no use, the constraints cannot hold together, or
                the fit predicts losses that are not finite.
        """
        return BudgetSearch(self, model_size, tokens)


class BudgetSearch:
    """A question at one (N, D)."""

    def __init__(self, question: Question, model_size: float | None, tokens: float | None) -> None:
        """Check the budget against the law, and the linear constraints against each other."""
        self.question = question
        self.model_size, self.tokens = model_size, tokens
        everything, law = question.everything, f"the {question.fit.law.name} law"
        on_size, on_tokens = question.fit.depends_on
        for used, needed, given, name, letter, example in (
            (everything.uses_model_size, on_size, model_size, "model_size", "N", "7B"),
            (everything.uses_tokens, on_tokens, tokens, "tokens", "D", "150B"),
        ):
            if given is not None and not (given > 0 and np.isfinite(given)):
                raise UsageError(f"{parameter(name)} {given:g}: it must be a positive number.")
            if needed and given is None:
                raise UsageError(
                    f"{law if used else f'what is added to {law}'} depends on {letter}: give"
                    f" {parameter(name)}, such as {parameter(name)} {example}."
                )
        self._N, self._D = model_size or 1.0, tokens or 1.0
        self.objective = WeightedLoss(
            question.wanted.at(self._N, self._D),
            np.array(list(question.target_weights.values())),
            question.prior,
            question.constraints.kl if question.prior is not None else 0.0,
            question.above,
        )
        self.items = linear_items(
            question.constraints, question.domains, tokens, question.fit.data.weights
        )
        self.polytope = feasible_polytope(self.items, len(question.domains))
        self.all = question.everything.at(self._N, self._D)
        self._loss_limits = self._largest_losses()
        self._require_finite()

    def predicted(self, h: Array) -> dict[str, float]:
        """Predict the losses of all targets of the fit."""
        return dict(zip(self.question.fit.targets, self.all.values(h).tolist(), strict=True))

    def baseline(self, name: str, h: Array) -> Baseline:
        """Predict the losses of a mixture (k,)."""
        losses = self.predicted(h)
        return Baseline(name, h, losses, self._weighted(losses))

    def _weighted(self, losses: Mapping[str, float]) -> float:
        return sum(w * losses[target] for target, w in self.question.target_weights.items())

    def best_observed(self) -> Baseline | None:
        """Find the observed mixture with the lowest predicted loss, or risk where one is asked."""
        observed = self.question.observed
        if not len(observed):
            return None
        losses = [self.objective.loss(h) for h in observed]
        return self.baseline("best observed", observed[int(np.argmin(losses))])

    def least_change(self, mixture: Mixture, start: Array, within: float) -> LeastChange:
        """Find the mixture nearest to another whose loss is hardly higher than the best.

        Args:
            mixture: the best one.
            start: the other, (k,), to be changed least in Kullback-Leibler divergence.
            within: the share of the best loss that may be given up.

        Raises:
            UsageError: no mixture of the domains that the other has comes so near the best loss.
        """
        loss = replace(self.objective, prior=None, strength=0.0)
        change = WeightedLoss(loss.losses, 0.0 * loss.weights, start, strength=1.0)
        lacking = [
            Item("least_change", f"gives {domain} no weight", (index,), 0.0, 0.0)
            for index, domain in enumerate(self.question.domains)
            if start[index] == 0
        ]
        polytope = polytope_of([*self.items, *lacking], len(self.question.domains))
        as_good = AsGood(loss, loss.value(mixture.weights) * (1.0 + within), self._every_limit)
        allowed = polytope.upper > 0
        limits = self._every_limit
        convex = loss.convex(allowed) and (limits is None or limits.convex(allowed))
        try:
            found = minimise(change, polytope, as_good, [mixture.weights, start], convex=convex)
        except InfeasibleError:
            without = ", ".join(self.question.domains[i] for i in np.flatnonzero(start == 0))
            raise UsageError(
                f"{parameter('least_change')}: no mixture without {without}, to which this one "
                f"gives no weight, has a loss within {100 * within:g}% of the best. Give them some "
                f"weight, or more room by {parameter('within')}."
            ) from None
        predicted = self.predicted(found.h)
        return LeastChange(
            weights=found.h,
            start=start,
            within=within,
            divergence=max(found.value, 0.0),
            predicted_loss=predicted,
            loss=self._weighted(predicted),
        )

    def _largest_losses(self) -> dict[str, float]:
        """Give target to the largest loss that it may have."""
        limits: dict[str, float] = {}
        if self.question.reference is not None:
            limits = self.predicted(self.question.reference)
        for target, limit in self.question.constraints.no_worse_than.items():
            limits[target] = min(limits.get(target, np.inf), limit)
        return limits

    def _require_finite(self) -> None:
        """Refuse a fit that predicts no finite losses where the search begins."""
        inside = self.polytope.interior
        assert inside is not None
        predicted = self.predicted(inside.centre)
        wrong = [target for target, loss in predicted.items() if not np.isfinite(loss)]
        if not wrong and not np.isfinite(self.objective.value(inside.centre)):
            raise UsageError(
                "resamples of the fit predict losses that are not finite numbers, so that"
                f" {parameter('risk')} has no meaning. Fit a smaller law, or leave it out."
            )
        if wrong or not np.isfinite(list(self._loss_limits.values())).all():
            named = ", ".join(wrong or self._loss_limits)
            raise UsageError(
                f"the fit predicts losses that are not finite numbers for {named}, so that no "
                "mixture is best. Check the parameters in the fit, and N and D."
            )

    def limits(self, targets: Sequence[str]) -> LossLimits | None:
        """Give the limits on the losses of some targets; None for no target."""
        if not targets:
            return None
        places = list(self.question.fit.targets)
        return LossLimits(
            self.all,
            np.array([places.index(target) for target in targets]),
            np.array([self._loss_limits[target] for target in targets]),
        )

    @property
    def _every_limit(self) -> LossLimits | None:
        return self.limits(list(self._loss_limits))

    def best(self, near: Sequence[Array] = ()) -> Mixture:
        """Find the best mixture.

        Args:
            near: best mixtures (k,) of budgets nearby; given some, fewer other starts are tried.

        Raises:
            UsageError: the constraints cannot hold together.
        """
        return self._mixture(self._minimise(self.objective, self.polytope, self._every_limit, near))

    def _minimise(
        self,
        objective: WeightedLoss,
        polytope: Polytope,
        limits: LossLimits | None,
        near: Sequence[Array] = (),
    ) -> Optimum:
        starts = list(near)
        observed = self.question.observed
        if len(observed):
            losses = [objective.value(h) if self._allowed(h) else np.inf for h in observed]
            starts += [observed[i] for i in np.argsort(losses, kind="stable")[:_MOST_OBSERVED]]
        if self.question.reference is not None:
            starts.append(self.question.reference)
        allowed = polytope.upper > 0
        convex = objective.convex(allowed) and (limits is None or limits.convex(allowed))
        try:
            return minimise(objective, polytope, limits, starts, convex=convex, few=bool(near))
        except InfeasibleError:
            raise UsageError(self._clash(starts)) from None

    def _allowed(self, h: Array) -> bool:
        """Tell whether the pull is finite at a mixture."""
        prior = self.question.prior
        return prior is None or not np.any(h[prior == 0] > 0)

    def _clash(self, starts: Sequence[Array]) -> str:
        """Name the constraints that cannot hold together with the limits on losses."""
        k = len(self.question.domains)

        def possible(chosen: Sequence[str | Item]) -> bool:
            limits = self.limits([target for target in chosen if isinstance(target, str)])
            if limits is None:
                return True
            linear = polytope_of((item for item in chosen if isinstance(item, Item)), k)
            return most_slack(limits, linear, starts)[0] <= 1e-9

        every: list[str | Item] = [*self._loss_limits, *self.items]
        clash = smallest_clash(every, possible)
        labels = [
            f"{parameter('no_worse_than')} {self._limit_text(one)}"
            if isinstance(one, str)
            else one.marked
            for one in clash
        ]
        what = "These cannot hold together" if len(labels) > 1 else "This cannot hold"
        return f"{what}, as far as the search can tell: {', '.join(labels)}. Loosen one of them."

    def _limit_text(self, target: str) -> str:
        transforms = self.question.fit.data.columns.transforms
        limit = as_logged({target: self._loss_limits[target]}, transforms)[target]
        return f"{target}={limit:.4g}"

    def _mixture(self, optimum: Optimum) -> Mixture:
        predicted = self.predicted(optimum.h)
        mixture = Mixture(
            domains=self.question.domains,
            weights=optimum.h,
            model_size=self.model_size,
            tokens=self.tokens,
            target_weights=self.question.target_weights,
            predicted_loss=predicted,
            loss=self._weighted(predicted),
            objective=optimum.value,
            gap=optimum.gap,
            convex=optimum.convex,
            available=dict(self.question.constraints.available),
            transforms=self.question.fit.data.columns.transforms or {},
            risk=self.question.risk,
        )
        return replace(mixture, notes=tuple(self._notes(mixture)))

    def _notes(self, mixture: Mixture) -> Iterable[Note]:
        question = self.question
        yield from notes_outside(question.fit, mixture)
        yield from notes_on_passes(mixture)
        each = question.fit.targets.values()
        if not any(own.form.mixture_groups or own.discrepancy is not None for own in each):
            text = f"the {question.fit.law.name} law does not depend on the mixture: any is as good"
            yield Note("any-mixture", text)
        if question.prior is not None:
            yield from self._prior_notes()
        if not mixture.certified:
            text = f"the gap, {mixture.gap:.1g}, is over 1e-6 of the objective: " + (
                "the search stopped before it could certify this mixture"
            )
            yield Note("not-certified", text)

    def _prior_notes(self) -> Iterable[Note]:
        prior = self.question.prior
        assert prior is not None
        if not np.any(prior == 0):
            return
        free = self.question.unconstrained().at(self.model_size, self.tokens).best()
        for domain, weight, pull in zip(self.question.domains, free.weights, prior, strict=True):
            if pull == 0 and weight > 0:
                text = (
                    f"the prior gives {domain} no weight, so that it gets none; without the prior "
                    f"it would get {100 * weight:.1f}%"
                )
                yield Note("prior-zero", text)

    def ranges(self, mixture: Mixture) -> Array:
        """Find how far each weight can go while the objective stays as good.

        Returns:
            (k, 2) the lowest and the highest weight among mixtures that obey the constraints; if
            the problem is not convex, among those around the best mixture given.
        """
        limits = self._every_limit
        if limits is not None:
            # The optimum may lean on a limit; what is as good may pass it by a hair.
            limits = replace(limits, limits=limits.limits * (1.0 + _FLAT / 10))
        as_good = AsGood(self.objective, mixture.objective * (1.0 + _FLAT), limits)
        return widest(self.polytope, as_good, mixture.weights)

    def costs(self, mixture: Mixture) -> tuple[Cost, ...]:
        """Find what each constraint that a best mixture leans on costs, by solving without it."""
        k, h = len(self.question.domains), mixture.weights
        costs = []

        def lowest(objective: WeightedLoss, polytope: Polytope, limits: LossLimits | None) -> float:
            return self._minimise(objective, polytope, limits, [h]).value

        for item in self.items:
            if item.active(h):
                others = polytope_of((other for other in self.items if other is not item), k)
                fall = mixture.objective - lowest(self.objective, others, self._every_limit)
                costs.append(Cost(item.label, max(fall, 0.0)))
        for target, limit in self._loss_limits.items():
            if mixture.predicted_loss[target] > limit * (1 - _LIMIT_ACTIVE):
                rest = self.limits([other for other in self._loss_limits if other != target])
                fall = mixture.objective - lowest(self.objective, self.polytope, rest)
                costs.append(Cost(f"--no-worse-than {self._limit_text(target)}", max(fall, 0.0)))
        if self.question.prior is not None:
            plain = replace(self.objective, prior=None, strength=0.0)
            fall = plain.value(h) - lowest(plain, self.polytope, self._every_limit)
            costs.append(Cost(f"--kl {self.question.constraints.kl:g}", max(fall, 0.0)))
        return tuple(costs)
