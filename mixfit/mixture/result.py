"""Results of the search for the best mixture."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.numbers import fixed, short
from mixfit.base.shown import Drawn, Shown
from mixfit.mixture.blend import Blend
from mixfit.runs.transforms import as_logged

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mixfit.base.arrays import Array
    from mixfit.base.errors import Note

CERTIFIED = 1e-6  # of the objective
_PINNED = 0.1  # a weight that can move by less is pinned


@dataclass(frozen=True)
class Gain:
    """What the best mixture gains over another one, in percent of that one's loss.

    Attributes:
        mean: as predicted.
        low: lower end of its 90% interval.
        high: upper end.
        probability: that it gains anything; it and the ends are NaN where the misfit of the law
            is not known so far beyond the runs.
    """

    mean: float
    low: float
    high: float
    probability: float


@dataclass(frozen=True, eq=False)
class Certainty:
    """How sure a best mixture is.

    Attributes:
        count: of resamples that it is taken from.
        weights: (k, 2) the 90% interval of each weight of the best mixture over resamples, in each
            of which the discrepancy is off by a draw too; widened as that of predictions, and as
            mixtures are few (see `widening` and `tails` of `mixfit.fitting.uncertainty`).
        low: lower end of the 90% interval of the weighted loss of a training on it.
        high: upper end.
        standard_error: of the loss at it by the parameters alone, in percent.
        gains: name of another mixture to what the best one gains over it.
        notes: what a careful reader should know.
    """

    count: int
    weights: Array
    low: float
    high: float
    standard_error: float
    gains: dict[str, Gain]
    notes: tuple[Note, ...]


@dataclass(frozen=True, eq=False)
class Mixture(Shown, Drawn):
    """The best mixture found for one budget.

    Attributes:
        domains: names of the k domains.
        weights: (k,) h*; they sum to 1 to rounding.
        model_size: N in parameters, or None where the law needs none.
        tokens: D, likewise.
        target_weights: target to its weight in the objective; they sum to 1.
        predicted_loss: target to loss, for all targets of the fit.
        loss: the weighted loss.
        objective: what was minimised: the loss, or a risk, and the pull towards a prior.
        gap: the certificate, in units of the objective (see `mixfit.simplex.certificate`).
        convex: whether the problem is proven convex: then no mixture that obeys the constraints
            has an objective lower by more than the gap. If not, this is the best end of several
            starts, and the gap says that no small change makes it better.
        notes: what a careful reader should know.
        available: domain to the unique tokens that there are of it, where that is known.
        transforms: target to what was fitted in place of its values, if that is another (see
            `mixfit.runs.transforms`).
        risk: what was minimised over resamples of the fit in place of the loss that it predicts,
            ``mean`` or ``upper``; None for that loss.
        certainty: over resamples of the fit, where it has some and it was asked for.
    """

    domains: tuple[str, ...]
    weights: Array
    model_size: float | None
    tokens: float | None
    target_weights: dict[str, float]
    predicted_loss: dict[str, float]
    loss: float
    objective: float
    gap: float
    convex: bool
    notes: tuple[Note, ...] = ()
    available: dict[str, float] = field(default_factory=dict)
    transforms: Mapping[str, str] = field(default_factory=dict)
    risk: str | None = None
    certainty: Certainty | None = None

    @property
    def blend(self) -> Blend:
        """The mixture to be trained on, with the tokens of each domain and passes over them."""
        return Blend(self.domains, self.weights, self.model_size, self.tokens, self.available)

    def as_logged(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Give the values, of those targets where that is something else than the loss."""
        return as_logged({t: losses[t] for t in self.transforms}, self.transforms)

    @property
    def shares(self) -> dict[str, float]:
        """Domain to weight."""
        return dict(zip(self.domains, self.weights.tolist(), strict=True))

    @property
    def certified(self) -> bool:
        """Whether the gap is at most 1e-6 of the objective; a gap of NaN is not."""
        return bool(self.gap <= CERTIFIED * abs(self.objective))

    @property
    def budget(self) -> str:
        """N and D in words, such as ``7B parameters, 150B tokens``; "" where neither is given."""
        numbers = ((self.model_size, "parameters"), (self.tokens, "tokens"))
        return ", ".join(f"{short(x)} {unit}" for x, unit in numbers if x is not None)

    def __repr__(self) -> str:
        largest_first = np.argsort(-self.weights, kind="stable")
        shares = ", ".join(f"{self.domains[i]} {100 * self.weights[i]:.1f}%" for i in largest_first)
        budget = f" at {self.budget}" if self.budget else ""
        return f"Mixture({shares}{budget}: loss {fixed(self.loss, 4)})"

    def to_frame(self) -> pd.DataFrame:
        """Give the weights as a table with columns ``domain`` and ``weight``."""
        import pandas as pd

        return pd.DataFrame({"domain": self.domains, "weight": self.weights})


@dataclass(frozen=True)
class Cost:
    """What a constraint costs.

    Attributes:
        label: the constraint, as it is written on the command line.
        cost: by how much the objective falls where it alone is left out. For a pull towards a
            prior: by how much the loss falls.
    """

    label: str
    cost: float


@dataclass(frozen=True, eq=False)
class Baseline:
    """A mixture to compare with.

    Attributes:
        name: of the mixture.
        weights: (k,).
        predicted_loss: target to loss, for all targets of the fit.
        loss: the weighted loss.
    """

    name: str
    weights: Array
    predicted_loss: dict[str, float]
    loss: float


@dataclass(frozen=True)
class Worse:
    """A target whose loss is much higher than with another mixture.

    Attributes:
        target: its name.
        baseline: the name of the other mixture.
        percent: by how much it is higher, of the loss with the other.
    """

    target: str
    baseline: str
    percent: float


@dataclass(frozen=True)
class Freedom:
    """How far a weight can go: over resamples, and while the objective stays within 0.1%.

    Attributes:
        domain: its name.
        low: the lower end of both ranges together.
        high: the upper end.
        by_runs: whether the resamples leave it open, by more than 10 points.
        by_loss: whether the objective does.
    """

    domain: str
    low: float
    high: float
    by_runs: bool
    by_loss: bool


@dataclass(frozen=True, eq=False)
class LeastChange:
    """The mixture nearest to one in use whose loss is hardly higher than the best.

    Attributes:
        weights: (k,).
        start: the one in use, (k,).
        within: the share of the best loss that may be given up.
        divergence: KL(weights || start).
        predicted_loss: target to loss, for all targets of the fit.
        loss: the weighted loss.
    """

    weights: Array
    start: Array
    within: float
    divergence: float
    predicted_loss: dict[str, float]
    loss: float


@dataclass(frozen=True, eq=False)
class PureTarget:
    """The best mixture for one target alone.

    Attributes:
        target: its name.
        mixture: h* for it.
        distance: Jensen-Shannon distance from h* to the corner of the domain of the same name
            (the paper's appendix D), or None where there is no such domain.
    """

    target: str
    mixture: Mixture
    distance: float | None


@dataclass(frozen=True, eq=False)
class Study(Shown, Drawn):
    """A best mixture with all that helps to judge it.

    Attributes:
        mixture: the best one.
        ranges: (k, 2) how far each weight can go while the objective stays within 0.1%.
        baselines: mixtures to compare with.
        unconstrained: the best mixture without constraints; None where there are none.
        costs: what each constraint that the mixture leans on costs.
        least_change: the mixture nearest to one in use that is nearly as good, where one is asked
            for.
        worse: the targets that become much worse than with the baselines given, or with the uniform
            mixture where none are.
    """

    mixture: Mixture
    ranges: Array
    baselines: tuple[Baseline, ...]
    unconstrained: Mixture | None
    costs: tuple[Cost, ...]
    least_change: LeastChange | None = None
    worse: tuple[Worse, ...] = ()

    @property
    def certainty(self) -> Certainty | None:
        """How sure the best mixture is, with what it gains over the baselines."""
        return self.mixture.certainty

    @property
    def freedom(self) -> tuple[Freedom, ...]:
        """How far each weight can go; nothing where the fit was not resampled."""
        if self.certainty is None:
            return ()
        found = []
        for index, domain in enumerate(self.mixture.domains):
            by_runs, by_loss = self.certainty.weights[index], self.ranges[index]
            low, high = min(by_runs[0], by_loss[0]), max(by_runs[1], by_loss[1])
            open_ = [bool(np.diff(ends)[0] > _PINNED) for ends in (by_runs, by_loss)]
            if high - low > _PINNED and not any(open_):
                open_ = [True, True]  # neither alone
            found.append(Freedom(domain, float(low), float(high), *open_))
        return tuple(found)

    @property
    def blend(self) -> Blend:
        """The mixture to be trained on: the best one, or that of least change where there is."""
        best = self.mixture.blend
        return (
            best if self.least_change is None else replace(best, weights=self.least_change.weights)
        )


def jensen_shannon(p: Array, q: Array) -> float:
    """Give the Jensen-Shannon distance of two mixtures, in natural units.

    ``sqrt((KL(p || m) + KL(q || m)) / 2)`` with m their mean, as in the paper's appendix D; it runs
    from 0 to sqrt(log 2) = 0.83.

    >>> round(jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])), 3)
    0.833
    """
    mean = (p + q) / 2
    total = 0.0
    for one in (p, q):
        held = one > 0
        total += float(one[held] @ np.log(one[held] / mean[held]))
    return float(np.sqrt(max(total / 2, 0.0)))
