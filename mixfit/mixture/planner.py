"""The best mixture for a budget: eqs. (7), (8) and (13), under constraints.

>>> import numpy as np
>>> from mixfit import Runs, fit
>>> rng = np.random.default_rng(0)
>>> h, N, D = rng.dirichlet([1, 1], 40), 10 ** rng.uniform(8, 9, 40), 10 ** rng.uniform(9, 10, 40)
>>> loss = 1 + 1 / (0.5 * h[:, 0] ** 0.5 + 0.5 * h[:, 1] ** 0.5) + 50 / N**0.2 + 900 / D**0.3
>>> runs = Runs.from_arrays(N, D, h, {"c4": loss}, ["web", "code"])
>>> best = optimize(fit(runs, jobs=1), model_size=7e9, tokens=150e9)
>>> {domain: round(float(weight), 2) for domain, weight in best.shares.items()}
{'web': 0.5, 'code': 0.5}
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError, nearest, parameter
from mixfit.base.numbers import short
from mixfit.base.targets import target_weights
from mixfit.mixture.caveats import notes_on_errors, notes_on_worse, worse_targets
from mixfit.mixture.certainty import OverResamples
from mixfit.mixture.constraints import Constraints, check_pull, mixture_of
from mixfit.mixture.known import PROPORTIONAL, UNIFORM, UNIMAX, proportional, unimax
from mixfit.mixture.objective import RISKS
from mixfit.mixture.question import Question
from mixfit.mixture.result import Mixture, PureTarget, Study, jensen_shannon
from mixfit.runs.transforms import as_logged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit

_COLUMNS = ("unconstrained", "least change")  # names that tables have for mixtures of their own
_SIZES_SEARCHED = 25
_BEYOND = 100.0  # how far beyond the runs N and D are searched for a given number of FLOPs


def optimize(
    fit: Fit,
    *,
    model_size: float | None = None,
    tokens: float | None = None,
    targets: Mapping[str, float] | Sequence[str] | None = None,
    constraints: Constraints | None = None,
    observed: Array | None = None,
    risk: str | None = None,
) -> Mixture:
    """Find the mixture with the lowest predicted loss for one budget.

    Args:
        fit: the fitted laws.
        model_size: N in parameters; needed if the law depends on it.
        tokens: D; likewise, and for limits on available data.
        targets: names or globs, or these to their weights; by default all alike.
        constraints: what the mixture must obey.
        observed: (m, k) mixtures to start from too.
        risk: of a fit with resamples, what to minimise over them: ``mean``, the mean loss, or
            ``upper``, its upper 90% quantile. By default it is the loss that the fit predicts.

    Raises:
        UsageError: a name is unknown, a number is missing or of no use, or the constraints cannot
            hold together.
    """
    return Planner(fit, targets, constraints, observed, risk).best(model_size, tokens)


class Planner:
    """The best mixtures of one fit for given targets and constraints, at any budget."""

    def __init__(
        self,
        fit: Fit,
        targets: Mapping[str, float] | Sequence[str] | None = None,
        constraints: Constraints | None = None,
        observed: Array | None = None,
        risk: str | None = None,
    ) -> None:
        """Check what does not depend on the budget; arguments as in `optimize`.

        Raises:
            UsageError: a name is unknown or a number is of no use, or there are no resamples that a
                risk could be over.
        """
        _check_risk(risk, fit)
        weights = target_weights(tuple(fit.targets), targets)
        asked = constraints or Constraints()
        check_pull(asked)
        _check_limits(asked, fit)

        def mixture(weights: Mapping[str, float] | None, name: str) -> Array | None:
            return None if weights is None else mixture_of(weights, fit.domains, parameter(name))

        self.question = Question(
            fit=fit,
            target_weights=weights,
            constraints=asked,
            prior=mixture(asked.prior, "prior") if asked.pulls else None,
            reference=mixture(asked.no_worse_than_mixture, "no_worse_than_mixture"),
            observed=np.zeros((0, len(fit.domains))) if observed is None else observed,
            risk=risk,
        )

    def best(self, model_size: float | None = None, tokens: float | None = None) -> Mixture:
        """Find the best mixture for one budget.

        Raises:
            UsageError: a number is missing or of no use, or the constraints cannot hold.
        """
        return self.question.at(model_size, tokens).best()

    def grid(
        self, model_sizes: Sequence[float | None], tokens: Sequence[float | None]
    ) -> tuple[Mixture, ...]:
        """Find the best mixture for every pair of a model size and a number of tokens (Fig. 6)."""
        best: list[Mixture] = []
        for N in model_sizes:
            for D in tokens:
                # After the first, neighbours are the starts that matter.
                near = [m.weights for m in best[-1:]]
                if len(best) >= len(tokens):
                    near.append(best[-len(tokens)].weights)
                best.append(self.question.at(N, D).best(near))
        return tuple(best)

    def for_flops(
        self,
        flops: float,
        model_sizes: tuple[float, float] | None = None,
        tokens: tuple[float, float] | None = None,
    ) -> Mixture:
        """Choose N, D and h together for a compute budget, with 6 N D FLOPs.

        Args:
            flops: the budget.
            model_sizes: the smallest and the largest N searched; by default from the smallest
                that was fitted to 100 times the largest.
            tokens: likewise for D.

        Raises:
            UsageError: the law does not depend on both N and D, or the ranges and the budget do
                not go together.
        """
        from scipy.optimize import minimize_scalar

        low, high = self._sizes_for(flops, model_sizes, tokens)
        known: list[Mixture] = []
        refused: list[UsageError] = []

        def lowest(log_N: float) -> float:
            N = float(np.exp(log_N))
            near = sorted(known, key=lambda m: abs(np.log(m.model_size or 1.0) - log_N))
            try:
                here = self.question.at(N, flops / (6.0 * N))
                mixture = here.best([m.weights for m in near[:2]])
            except UsageError as error:  # such as less data than this many tokens need
                refused.append(error)
                return np.inf
            known.append(mixture)
            return mixture.objective

        logs = np.linspace(np.log(low), np.log(high), _SIZES_SEARCHED if high > low else 1)
        values = [lowest(x) for x in logs]
        if not known:
            raise refused[0]
        at = int(np.argmin(values))
        if len(logs) > 1 and np.isfinite(values[at]):
            around = logs[max(at - 1, 0)], logs[min(at + 1, len(logs) - 1)]
            minimize_scalar(
                lambda x: min(lowest(x), 1e300),
                bounds=around,
                method="bounded",
                options={"xatol": 1e-5},
            )
        best = min(known, key=lambda m: m.objective)
        return self._noting_ends(best, flops, low, high)

    def _noting_ends(self, best: Mixture, flops: float, low: float, high: float) -> Mixture:
        N = best.model_size or 0.0
        for end, word in ((low, "smallest"), (high, "largest")):
            if abs(np.log(N / end)) < 1e-3:
                text = (
                    f"the best model size, {short(N)} for {short(best.tokens or 0.0)} tokens, is "
                    f"the {word} of those searched for {flops:.3g} FLOPs; widen "
                    "--model-size-range or --tokens-range to look further"
                )
                return replace(best, notes=(*best.notes, Note("range-end", text)))
        return best

    def _sizes_for(
        self,
        flops: float,
        model_sizes: tuple[float, float] | None,
        tokens: tuple[float, float] | None,
    ) -> tuple[float, float]:
        if not (flops > 0 and np.isfinite(flops)):
            raise UsageError(f"{parameter('flops')} must be a positive number, such as 1e21.")
        if not (self.question.everything.uses_model_size and self.question.everything.uses_tokens):
            raise UsageError(
                f"{parameter('flops')} needs a law of both N and D, fitted to runs with several of "
                f"each. Give {parameter('model_size')} and {parameter('tokens')} instead."
            )
        data = self.question.fit.data
        N_low, N_high = model_sizes or (data.model_size.min, data.model_size.max * _BEYOND)
        D_low, D_high = tokens or (data.tokens.min, data.tokens.max * _BEYOND)
        sizes_searched, tokens_searched = parameter("model_size_range"), parameter("tokens_range")
        for name, (least, most) in (
            (sizes_searched, (N_low, N_high)),
            (tokens_searched, (D_low, D_high)),
        ):
            if not 0 < least <= most < np.inf:
                raise UsageError(
                    f"{name} {least:g},{most:g}: give the smallest and the largest, such as "
                    "1e8,1e11."
                )
        low, high = max(N_low, flops / (6 * D_high)), min(N_high, flops / (6 * D_low))
        if low > high:
            raise UsageError(
                f"{parameter('flops')} {flops:g}: no N from {short(N_low)} to {short(N_high)} and "
                f"D from {short(D_low)} to {short(D_high)} have 6 N D = {flops:g}; these ranges "
                f"hold {6 * N_low * D_low:.2g} to {6 * N_high * D_high:.2g}. Change "
                f"{sizes_searched} or {tokens_searched}."
            )
        return low, high

    def each_target(
        self, model_size: float | None = None, tokens: float | None = None
    ) -> tuple[PureTarget, ...]:
        """Find the best mixture for every target alone (Fig. 7), under the same constraints.

        Where the fit was resampled, with how sure each is.
        """
        each = []
        domains = self.question.domains
        for target in self.question.target_weights:
            alone = replace(self.question, target_weights={target: 1.0})
            mixture = alone.at(model_size, tokens).best()
            if self.question.fit.resamples is not None:
                mixture = replace(mixture, certainty=OverResamples(alone).certainty(mixture))
            distance = None
            if target in domains:
                corner = np.eye(len(domains))[domains.index(target)]
                distance = jensen_shannon(corner, mixture.weights)
            each.append(PureTarget(target, mixture, distance))
        return tuple(each)

    @cached_property
    def _over_resamples(self) -> OverResamples:
        return OverResamples(self.question)

    def with_certainty(self, mixtures: Sequence[Mixture]) -> tuple[Mixture, ...]:
        """Say how sure best mixtures of this planner's are, where the fit was resampled."""
        if self.question.fit.resamples is None:
            return tuple(mixtures)
        sure = self._over_resamples.certainty
        return tuple(replace(mixture, certainty=sure(mixture)) for mixture in mixtures)

    def study(
        self,
        mixture: Mixture,
        baselines: Mapping[str, Array] | None = None,
        *,
        least_change: Array | None = None,
        within: float = 0.002,
    ) -> Study:
        """Find what helps to judge a best mixture of this planner's.

        Args:
            mixture: the best mixture.
            baselines: name to mixture (k,), beside the uniform, the best observed, with a risk that
                of the lowest prediction and, where it is known what there is of every domain, the
                proportional one and UniMax, as far as none is called so.
            least_change: a mixture (k,) in use, to find the nearest to it that is nearly as good.
            within: the share of the best loss that this one may give up.

        Raises:
            UsageError: there is no such mixture, or a baseline has the name of another one.
        """
        budget = mixture.model_size, mixture.tokens
        here = self.question.at(*budget)
        k, given = len(self.question.domains), baselines or {}
        compared = []
        if UNIFORM not in given:
            compared.append(here.baseline(UNIFORM, np.full(k, 1.0 / k)))
        observed = here.best_observed()
        compared += [] if observed is None else [observed]
        if self.question.risk is not None:
            plain = replace(self.question, risk=None).at(*budget).best([mixture.weights])
            compared.append(here.baseline("lowest prediction", plain.weights))
        asked, domains = self.question.constraints, self.question.domains
        for name, h in (
            (PROPORTIONAL, proportional(asked, domains)),
            (UNIMAX, unimax(asked, domains, mixture.tokens)),
        ):
            if h is not None and name not in given:
                compared.append(here.baseline(name, h))
        taken = {*_COLUMNS, *(other.name for other in compared)}
        for name in given:
            if name in taken:
                raise UsageError(
                    f"{parameter('baselines')} {name}: a mixture that is compared in any case is"
                    " called so. Give yours another name."
                )
        own = [here.baseline(name, h) for name, h in given.items()]
        compared += own
        nearest_one = None
        if least_change is not None:
            if not 0 < within < 1:
                raise UsageError(
                    f"{parameter('within')} {within:g}: it must be a share of the loss between 0 "
                    "and 1, such as 0.002 or 0.2%."
                )
            nearest_one = here.least_change(mixture, least_change, within)
        constrained = self.question.constraints.any
        worse = worse_targets(mixture, own or compared[:1])
        notes = [*notes_on_worse(mixture, worse, own or compared[:1])]
        certainty = None
        if self.question.fit.resamples is None:
            notes += notes_on_errors(self.question.fit, mixture, compared)
        else:
            certainty = self._over_resamples.certainty(mixture, compared)
        return Study(
            mixture=replace(mixture, notes=(*mixture.notes, *notes), certainty=certainty),
            ranges=here.ranges(mixture),
            baselines=tuple(compared),
            unconstrained=self.question.unconstrained().at(*budget).best() if constrained else None,
            costs=here.costs(mixture) if constrained else (),
            least_change=nearest_one,
            worse=worse,
        )


def _check_risk(risk: str | None, fit: Fit) -> None:
    if risk is None:
        return
    if risk not in RISKS:
        raise UsageError(
            f"{parameter('risk')} {risk}: there is no such risk.{nearest(risk, RISKS)} There are"
            f" {', '.join(RISKS)}."
        )
    if fit.resamples is None:
        raise UsageError(
            f"{parameter('risk')} {risk} is over resamples, and the fit has none. Make it with"
            " 'mixfit fit --resamples 200'."
        )


def _check_limits(constraints: Constraints, fit: Fit) -> None:
    for target, limit in constraints.no_worse_than.items():
        if target not in fit.targets:
            hint = nearest(target, fit.targets)
            raise UsageError(
                f"{parameter('no_worse_than')} {target}={limit:g}: the fit has no such "
                f"target.{hint} Its targets are {', '.join(fit.targets)}."
            )
        if not (limit > 0 and np.isfinite(limit)):
            transforms = fit.data.columns.transforms or {}
            given = as_logged({target: limit}, transforms)[target]
            what = f"{transforms[target]}, which is fitted," if target in transforms else "a loss"
            raise UsageError(
                f"{parameter('no_worse_than')} {target}={given:g}: {what} is a positive number."
            )
