"""What taking a law's pick costs: users take the mixture that a law puts first.

Among mixtures held out, at the largest N and then D that five or more of them have, the losses
observed say what the pick of a law gives away. Studies of laws rarely report it, and it need not go
with the mean error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.metrics import means_by_mixture, rank_correlation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array, Indices
    from mixfit.runs.target_rows import TargetRows

# What mixtures are picked for: the objective, or single targets, of which the mean is taken.
OBJECTIVE, EACH_TARGET = "objective", "each target"
_ENOUGH = 5  # mixtures to choose among
_FIRST = 5  # of a law's order, for `best_of_five`
_BEST_SHARE = 0.25  # of the mixtures, for `order_of_best`


@dataclass(frozen=True)
class Decision:
    """What a law's order of some mixtures is worth.

    Attributes:
        mixtures: to choose among.
        regret: the loss observed at the mixture put first minus the lowest, in percent of this.
        best_of_five: the same for the best of the first five.
        optimism: the loss observed minus that predicted at the pick, in percent of the former.
        order: Spearman's correlation of the losses predicted and observed, NaN if not defined.
        order_of_best: the same among the quarter of the mixtures with the lowest losses observed.
        noise: standard deviation of the difference of two runs of a mixture, in percent, where some
            were trained again; a regret within it is none. None where none was.
    """

    mixtures: int
    regret: float
    best_of_five: float
    optimism: float
    order: float
    order_of_best: float
    noise: float | None = None


@dataclass(frozen=True)
class Decisions:
    """The means of decisions over splits.

    Attributes:
        mixtures: to choose among, in all splits together.
        optimism_error: standard error of `optimism` over splits, NaN for fewer than two.
        noise: the mean of what is known, None where nothing is.
    """

    mixtures: int
    regret: float
    best_of_five: float
    optimism: float
    optimism_error: float
    order: float
    order_of_best: float
    noise: float | None = None

    @property
    def within_noise(self) -> bool:
        """Whether the regret is no more than what two runs of a mixture are apart by."""
        return self.noise is not None and self.regret <= self.noise

    @classmethod
    def of(cls, decisions: Sequence[Decision]) -> Decisions:
        """Average one decision or more."""
        optimism = [decision.optimism for decision in decisions]
        several = len(optimism) > 1
        noises = [decision.noise for decision in decisions if decision.noise is not None]
        return cls(
            mixtures=sum(decision.mixtures for decision in decisions),
            regret=float(np.mean([decision.regret for decision in decisions])),
            best_of_five=float(np.mean([decision.best_of_five for decision in decisions])),
            optimism=float(np.mean(optimism)),
            optimism_error=_error(optimism) if several else float("nan"),
            order=_known_mean([decision.order for decision in decisions]),
            order_of_best=_known_mean([decision.order_of_best for decision in decisions]),
            noise=float(np.mean(noises)) if noises else None,
        )


def _error(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def _known_mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


class Choosable(NamedTuple):
    """Mixtures that one may choose among, at one N and D.

    Attributes:
        observed: the objective of each mixture, (mixtures,).
        predicted: likewise.
        noise: standard deviation of one run's objective, None where no mixture was trained twice.
    """

    observed: Array
    predicted: Array
    noise: float | None


def decide(observed: Array, predicted: Array, noise: float | None = None) -> Decision | None:
    """Judge an order of mixtures.

    Args:
        observed: the objective of each mixture, (mixtures,).
        predicted: likewise; one that is not finite counts as put last.
        noise: standard deviation of one run's objective, if it is known.

    Returns:
        The decision, or None where there are too few mixtures or nothing is predicted.
    """
    sound = np.isfinite(predicted) & (predicted > 0)
    if len(observed) < _ENOUGH or not sound.any():
        return None
    ranked = np.where(sound, predicted, np.inf)
    order = np.argsort(ranked, kind="stable")
    lowest, pick = observed.min(), order[0]
    best = np.argsort(observed, kind="stable")[: max(_ENOUGH, round(_BEST_SHARE * len(observed)))]
    last = np.where(sound, predicted, 2 * predicted[sound].max())
    return Decision(
        mixtures=len(observed),
        regret=float(100 * (observed[pick] / lowest - 1)),
        best_of_five=float(100 * (observed[order[:_FIRST]].min() / lowest - 1)),
        optimism=float(100 * (observed[pick] - predicted[pick]) / observed[pick]),
        order=rank_correlation(last, observed),
        order_of_best=rank_correlation(last[best], observed[best]),
        noise=None if noise is None else float(100 * 2**0.5 * noise / lowest),
    )


def decisions_of(
    parts: Sequence[TargetRows], predicted: Sequence[Array], weights: Mapping[str, float]
) -> dict[str, list[Decision]]:
    """Judge the picks among mixtures held out, for the objective and for single targets.

    Args:
        parts: rows held out, of one target each, with mixtures numbered alike.
        predicted: losses, (rows,) of each.
        weights: target to its weight in the objective.

    Returns:
        `OBJECTIVE` and `EACH_TARGET` to decisions, none where mixtures are too few.
    """
    known = {rows.target for rows in parts}
    kinds = [(EACH_TARGET, {target: 1.0}) for target in weights if target in known]
    if known >= set(weights):
        kinds.append((OBJECTIVE, dict(weights)))
    made: dict[str, list[Decision]] = {}
    for kind, own in kinds:
        among = objectives(parts, predicted, own)
        decision = None if among is None else decide(*among)
        if decision is not None:
            made.setdefault(kind, []).append(decision)
    return made


def objectives(
    parts: Sequence[TargetRows], predicted: Sequence[Array], weights: Mapping[str, float]
) -> Choosable | None:
    """Give the observed and the predicted objective of each mixture, at the largest scale.

    Args:
        parts: rows held out, of one target each, with mixtures numbered alike.
        predicted: losses, (rows,) of each.
        weights: target to its weight in the objective.

    Returns:
        The mixtures for which all targets are known there; None where fewer than `_ENOUGH` have
        any one scale in common.
    """
    used = [
        (rows, values, weights[rows.target])
        for rows, values in zip(parts, predicted, strict=True)
        if rows.target in weights
    ]
    if not used or any(not len(rows) for rows, _, _ in used):
        return None
    scales = np.unique(np.column_stack([used[0][0].N, used[0][0].D]), axis=0)
    for N, D in scales[::-1]:
        tables = []
        for rows, values, weight in used:
            there = (rows.N == N) & (rows.D == D)
            own: Indices = rows.mixture[there]
            numbers, observed = means_by_mixture(own, rows.loss[there])
            _, of_law = means_by_mixture(own, values[there])
            tables.append((numbers, weight * observed, weight * of_law))
        common = tables[0][0]
        for numbers, _, _ in tables[1:]:
            common = np.intersect1d(common, numbers)
        if len(common) >= _ENOUGH:
            share = sum(weight for _, _, weight in used)
            places = [np.searchsorted(numbers, common) for numbers, _, _ in tables]
            pairs = list(zip(tables, places, strict=True))
            observed = np.sum([table[1][place] for table, place in pairs], axis=0) / share
            of_law = np.sum([table[2][place] for table, place in pairs], axis=0) / share
            noise = _noise([(rows, weight / share) for rows, _, weight in used], N, D)
            return Choosable(observed, of_law, noise)
    return None


def _noise(used: Sequence[tuple[TargetRows, float]], N: float, D: float) -> float | None:
    """Give the standard deviation of the objective of runs of one mixture, None if unknown.

    Targets have their rows in one order, so that those of one run are added up; what is logged
    twice has the same losses and is no second run.
    """
    first = used[0][0]
    there = (first.N == N) & (first.D == D)
    if any(len(rows) != len(first) for rows, _ in used):
        return None
    total = np.sum([weight * rows.loss[there] for rows, weight in used], axis=0)
    runs = np.unique(np.column_stack([first.mixture[there], total]), axis=0)
    mixture = np.unique(runs[:, 0], return_inverse=True)[1]
    count = np.bincount(mixture)
    means = np.bincount(mixture, runs[:, 1]) / count
    again = len(runs) - len(count)
    return float(np.sqrt(np.sum((runs[:, 1] - means[mixture]) ** 2) / again)) if again else None
