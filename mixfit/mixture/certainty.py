"""How sure a best mixture is: optima over resamples of the fit, and what the best one gains."""

from __future__ import annotations

import zlib
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError
from mixfit.fitting.uncertainty import (
    LEVEL,
    deviation,
    ends,
    intervals,
    resampled,
    tails,
    widening,
)
from mixfit.mixture.result import Certainty, Gain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.discrepancy import Discrepancy
    from mixfit.fitting.result import Fit
    from mixfit.mixture.question import Question
    from mixfit.mixture.result import Baseline, Mixture

_NORMAL = NormalDist()
_QUANTILE = _NORMAL.inv_cdf(0.5 + LEVEL / 2)
_SURE = 0.9  # probability from which a gain, or a loss, is told from nothing
_ALARM = 0.8  # percent of the loss; see docs/intervals.md


class OverResamples:
    """A question that every resample of its fit is asked too, at any budget."""

    def __init__(self, question: Question) -> None:
        """Make the fits.

        Args:
            question: of a fit that was resampled.

        Raises:
            UsageError: it was not.
        """
        self._question = question
        self._each = [replace(question, fit=own, risk=None) for own in _fits(question)]

    def certainty(self, mixture: Mixture, others: Sequence[Baseline] = ()) -> Certainty:
        """Find how sure a best mixture is.

        Every resample of the fit is asked the same question, with a draw of how far discrepancies
        may be off. The losses that it predicts at the answer and at the others are compared without
        such a draw: there the misfit of the law counts as the same for all targets, and as
        independent between mixtures unless a discrepancy says how alike it is, which makes
        intervals rather wide.

        Args:
            mixture: the answer to the question.
            others: mixtures to compare with.

        Raises:
            UsageError: no resample has an answer.
        """
        fit, weights = self._question.fit, mixture.target_weights
        each = [mixture.weights, *(other.weights for other in others)]
        budget = mixture.model_size, mixture.tokens
        wide = float(np.mean([widening(fit, target) for target in weights]))
        wider = wide * tails(fit, weights)
        uniform = np.full(len(mixture.weights), 1.0 / len(mixture.weights))
        best, losses = [], []
        # What is drawn of the discrepancy has its own size; what resamples find is widened below.
        for own, off in zip(self._each, self._off(mixture, 1 / wider), strict=True):
            try:
                here = own.at(*budget)
                best.append(off.at(*budget).best([mixture.weights]).weights)
            except UsageError:  # losses that are not finite, or limits that it cannot meet
                continue
            losses.append([here.objective.loss(h) for h in (*each, uniform)])
        if not best:
            raise UsageError(
                "no resample of the fit has a best mixture: the losses that they predict are not"
                " finite, or meet no limit. Fit a smaller law, or loosen the limits."
            )
        point = np.array([mixture.loss, *(other.loss for other in others)])
        parts, between = self._misfits(mixture, np.array(each))
        found = np.array(losses)
        moved = mixture.weights + wider * (np.array(best) - mixture.weights)
        spread = wide * float(deviation(found[:, 0]))
        total = float(np.sqrt(spread**2 + sum(part[0] ** 2 for part in parts.values())))
        gains = {}
        for place, other in enumerate(others, start=1):
            gain = point[place] - point[0]
            off = wide * (found[:, place] - found[:, 0] - gain)
            gains[other.name] = _gain(gain, off, float(between[place - 1]), point[place])
        # What all mixtures share beyond the runs is not what makes a pick a bad one.
        apart = min(spread, wide * float(deviation(found[:, 0] - found[:, -1])))
        return Certainty(
            count=len(best),
            weights=ends(np.clip(moved, 0.0, 1.0)).T,
            low=mixture.loss - _QUANTILE * total,
            high=mixture.loss + _QUANTILE * total,
            standard_error=float(100 * spread / mixture.loss),
            gains=gains,
            notes=tuple(
                _notes(100 * apart / mixture.loss, total, gains, len(best), len(self._each))
            ),
        )

    def _off(self, mixture: Mixture, scale: float) -> list[Question]:
        """Give each resample's question with discrepancies off by a draw, times a number."""
        added = {
            name: target.discrepancy
            for name, target in self._each[0].fit.targets.items()
            if target.discrepancy is not None
        }
        if not added:
            return self._each
        targets = [dict(own.fit.targets) for own in self._each]
        resamples, _ = resampled(self._question.fit)
        N, D = mixture.model_size or 1.0, mixture.tokens or 1.0
        for name, discrepancy in added.items():
            places = _places(mixture.weights, discrepancy)
            rng = np.random.default_rng([resamples.seed, zlib.crc32(f"drawn {name}".encode())])
            numbers = scale * rng.standard_normal((len(targets), len(places)))
            draws = discrepancy.draws(N, D, numbers, places)
            for of_resample, draw in zip(targets, draws, strict=True):
                of_resample[name] = of_resample[name].off_by(draw)
        return [
            replace(own, fit=replace(own.fit, targets=of_resample))
            for own, of_resample in zip(self._each, targets, strict=True)
        ]

    def _misfits(self, mixture: Mixture, each: Array) -> tuple[dict[str, Array], Array]:
        """Give errors besides parameters, in units of the loss.

        Args:
            mixture: the best one.
            each: its weights, and those of others, (1 + m, k).

        Returns:
            The parts of the error of each loss, (1 + m,), and the misfit between the first and
            each other one, (m,).
        """
        fit = self._question.fit
        N = np.full(len(each), mixture.model_size or fit.data.model_size.max)
        D = np.full(len(each), mixture.tokens or fit.data.tokens.max)
        known = {target: intervals(fit, target, N, D, each) for target in mixture.target_weights}
        parts: dict[str, Array] = {}
        for name in ("shift", "own", "noise"):
            parts[name] = np.zeros(len(each))
            for target, weight in mixture.target_weights.items():
                parts[name] += weight * known[target].loss * getattr(known[target], name) / 100
        between = np.zeros(len(each) - 1)
        for target, weight in mixture.target_weights.items():
            own = known[target].loss * known[target].own / 100
            misfit = np.hypot(own[0], own[1:])
            added = fit.targets[target].discrepancy
            if added is not None:
                alike = added.between(float(N[0]), float(D[0]), each[0], each[1:])
                misfit = np.where(np.isnan(misfit), np.nan, alike)
            between += weight * misfit
        return parts, between


def _places(h: Array, added: Discrepancy) -> Array:
    """Give mixtures at which a draw is exact: those seen, and around one from here to corners."""
    corners = np.eye(len(h))
    far = np.linalg.norm(corners - h, axis=1, keepdims=True)
    near = h + (corners - h) * np.minimum(0.5, 0.5 * added.kernel.mixture / np.maximum(far, 1e-9))
    return np.concatenate([added.points.mixtures, h[None], near, corners])


def _fits(question: Question) -> list[Fit]:
    """Give the fit with the parameters of each resample, of the targets that have a say."""
    fit, limited = question.fit, question.constraints.no_worse_than
    resamples, _ = resampled(fit)
    needed = [
        target
        for target in fit.targets
        if target in question.target_weights or target in limited or question.reference is not None
    ]
    by_target = {target: list(resamples.of(target)) for target in needed}
    return [
        replace(
            fit,
            targets={
                name: fit.targets[name].with_params(by_target[name][index]) for name in needed
            },
        )
        for index in range(len(resamples))
    ]


def _gain(gain: float, off: Array, misfit: float, loss: float) -> Gain:
    if np.isnan(misfit):
        probability = float("nan")
    elif misfit > 0:
        probability = float(np.mean([_NORMAL.cdf(float(gain + x) / misfit) for x in off]))
    else:
        probability = float(np.mean(np.heaviside(gain + off, 0.5)))
    total = float(np.hypot(deviation(off), misfit))
    low, high = gain - _QUANTILE * total, gain + _QUANTILE * total
    mean, low, high = (float(100 * x / loss) for x in (gain, low, high))
    return Gain(mean, low, high, probability)


def _notes(
    error: float, total: float, gains: dict[str, Gain], found: int, count: int
) -> list[Note]:
    notes = []
    if np.isnan(total):
        text = (
            "no interval of the loss so far beyond the runs: their sizes or lengths are too few to"
            " leave some out and see how errors grow"
        )
        notes.append(Note("no-interval", text))
    if error > _ALARM:
        text = (
            f"the parameters alone leave how good h* is unsure by {error:.2f}% of the loss, a"
            f" standard error; of picks above {_ALARM:g}% two in five gave away over 0.5% of the"
            " loss in studies, of others one in twenty. Train more mixtures, take a smaller law,"
            " bound the weights to what runs had, or take the mixture of --risk upper"
        )
        notes.append(Note("unsure-optimum", text))
    alike = [
        f"{name} ({own.probability:.0%})"
        for name, own in gains.items()
        if 1 - _SURE < own.probability < _SURE
    ]
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
