"""How sure a best mixture is: optima over resamples of the fit, and what the best one gains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError
from mixfit.fitting.uncertainty import intervals, resampled, widening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit
    from mixfit.mixture.question import Question
    from mixfit.mixture.result import Baseline, Mixture

_ENDS = (0.05, 0.95)
_NORMAL = NormalDist()
_QUANTILE = _NORMAL.inv_cdf(_ENDS[1])
_SURE = 0.9  # probability from which a gain is told from nothing
_ALARM = 0.8  # percent of the loss; see docs/design.md


@dataclass(frozen=True)
class Gain:
    """What the best mixture gains over another one, in percent of that one's loss.

    Attributes:
        mean: as predicted.
        low: lower end of its 90% interval.
        high: upper end.
        probability: that it gains anything.
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
        weights: (k, 2) the 90% interval of each weight of the best mixture over resamples.
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


def certainty_of(question: Question, mixture: Mixture, others: Sequence[Baseline]) -> Certainty:
    """Find how sure a best mixture is.

    Every resample of the fit is asked the same question, and the losses that it predicts at the
    mixtures found are compared. The misfit of the law counts as the same for all targets, and as
    independent between mixtures, which makes intervals rather wide.

    Args:
        question: that the mixture answers, of a fit that was resampled.
        mixture: the answer.
        others: mixtures to compare with.
    """
    fit = question.fit
    resampled(fit)
    N = mixture.model_size or fit.data.model_size.max
    D = mixture.tokens or fit.data.tokens.max
    weights = mixture.target_weights
    each = [mixture.weights, *(other.weights for other in others)]
    best, losses = [], []
    for own in _fits(fit):
        try:
            here = replace(question, fit=own, risk=None).at(mixture.model_size, mixture.tokens)
            best.append(here.best([mixture.weights]).weights)
        except UsageError:  # losses that are not finite, or limits that it cannot meet
            continue
        losses.append([here.objective.loss(h) for h in each])
    known = {
        target: intervals(fit, target, np.full(len(each), N), np.full(len(each), D), np.array(each))
        for target in weights
    }
    point = np.array([mixture.loss, *(other.loss for other in others)])
    # In units of the loss, for mixtures: what parameters, and what the law's misfit, are off by.
    parts = {
        name: sum(
            weight * known[target].loss * getattr(known[target], name) / 100
            for target, weight in weights.items()
        )
        for name in ("shift", "own", "noise")
    }
    wide = np.mean([widening(fit, target) for target in weights])
    drawn = np.array(losses).reshape(-1, len(each))
    spread = float(wide * _deviation(drawn[:, 0]))
    total = float(np.sqrt(spread**2 + sum(part[0] ** 2 for part in parts.values())))
    gains = {}
    for place, other in enumerate(others, start=1):
        misfit = np.hypot(parts["own"][0], parts["own"][place])
        gain = point[place] - point[0]
        off = wide * (drawn[:, place] - drawn[:, 0] - gain)
        gains[other.name] = _gain(gain, off, misfit, point[place])
    return Certainty(
        count=len(best),
        weights=np.quantile(best, _ENDS, axis=0).T,
        low=mixture.loss - _QUANTILE * total,
        high=mixture.loss + _QUANTILE * total,
        standard_error=float(100 * spread / mixture.loss),
        gains=gains,
        notes=tuple(
            _notes(100 * spread / mixture.loss, gains, len(best), len(fit.resamples or ()))
        ),
    )


def _fits(fit: Fit) -> list[Fit]:
    """Give the fit with the parameters of each resample."""
    resamples, _ = resampled(fit)
    by_target = {target: list(resamples.of(target)) for target in fit.targets}
    return [
        replace(
            fit,
            targets={
                name: own.with_params(by_target[name][index]) for name, own in fit.targets.items()
            },
        )
        for index in range(len(resamples))
    ]


def _deviation(values: Array) -> float:
    """Give the standard deviation of a normal distribution with the same 90% interval."""
    low, high = np.quantile(values, _ENDS)
    return float(high - low) / (2 * _QUANTILE)


def _gain(gain: float, off: Array, misfit: float, loss: float) -> Gain:
    if misfit > 0:
        probability = float(np.mean([_NORMAL.cdf(float(gain + x) / misfit) for x in off]))
    else:
        probability = float(np.mean(gain + off > 0))
    total = float(np.hypot(_deviation(off), misfit))
    low, high = gain - _QUANTILE * total, gain + _QUANTILE * total
    mean, low, high = (float(100 * x / loss) for x in (gain, low, high))
    return Gain(mean, low, high, probability)


def _notes(error: float, gains: dict[str, Gain], found: int, count: int) -> list[Note]:
    notes = []
    if error > _ALARM:
        text = (
            f"the parameters alone leave the loss at h* unsure by {error:.2f}%, a standard error;"
            f" above {_ALARM:g}% many such picks were wrong. Train more mixtures, take a smaller"
            " law, or bound the weights to what runs had"
        )
        notes.append(Note("unsure-optimum", text))
    alike = [f"{name} ({own.probability:.0%})" for name, own in gains.items() if _alike(own)]
    if alike:
        text = (
            "the errors of the law cannot tell h* from these mixtures (the probability that it is"
            f" better): {', '.join(alike)}"
        )
        notes.append(Note("not-told-apart", text))
    if found < count:
        text = f"{count - found} of {count} resamples gave no best mixture, and do not count"
        notes.append(Note("lost-resamples", text))
    return notes


def _alike(gain: Gain) -> bool:
    return not gain.probability >= _SURE
