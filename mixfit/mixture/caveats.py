"""What a careful reader of a best mixture should know of it, alone and beside others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note
from mixfit.base.numbers import fixed, short
from mixfit.fitting.diagnosis import outside_notes
from mixfit.mixture.constraints import FRESH_PASSES
from mixfit.mixture.result import Worse
from mixfit.runs.transforms import as_logged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit, Range
    from mixfit.mixture.result import Baseline, Mixture

_MUCH = 0.05  # of a target's loss
_MEAN_OF_NORMAL = float(np.sqrt(2 / np.pi))  # of its absolute value, in standard deviations
_OUTSIDE = 5e-4  # a weight that leaves the range fitted by less is not worth a note
# What `outside_notes` calls N and D.
_SIZE, _LENGTH = ("size", "model-size", ""), ("length", "tokens", " tokens")
_SAME = 1e-4  # an N or D that differs by this share is the same
_ROUNDED = 1.001  # weights as they are written may pass a limit by a hair


def notes_outside(fit: Fit, mixture: Mixture) -> Iterable[Note]:
    """Say where N, D and the weights leave what the runs had."""
    data, law, each = fit.data, fit.law.law, fit.targets.values()
    without = {
        "N": [own.target for own in each if law.uses_model_size > own.form.uses_model_size],
        "D": [own.target for own in each if law.uses_tokens > own.form.uses_tokens],
    }
    for name, value, known, depends, words in (
        ("N", mixture.model_size, data.model_size, fit.depends_on[0], _SIZE),
        ("D", mixture.tokens, data.tokens, fit.depends_on[1], _LENGTH),
    ):
        if value is not None and depends:
            yield from outside_notes(value, known, *words)
        if value is not None and without[name]:
            yield from _fixed(name, value, known, without[name])
    outside = []
    for domain, weight in mixture.shares.items():
        fitted = data.weights[domain]
        if not fitted.min - _OUTSIDE <= weight <= fitted.max + _OUTSIDE:
            outside.append(
                f"{domain} {100 * weight:.1f}% (runs: {100 * fitted.min:.1f} to "
                f"{100 * fitted.max:.1f}%)"
            )
    if outside:
        text = f"weights outside of what the runs had: {', '.join(outside)}; "
        yield Note("weight-outside", text + "--within-observed 1 keeps to what they had")


def _fixed(name: str, value: float, known: Range, targets: Sequence[str]) -> Iterable[Note]:
    """Say where losses are those of the only N or D fitted, whatever is asked for.

    Args:
        name: N or D.
        value: that is asked for.
        known: what the runs had.
        targets: whose forms of the law have lost their terms in it.
    """
    unit = " parameters" if name == "N" else " tokens"
    if known.min < known.max:
        text = (
            f"the fit of {', '.join(targets)} has no term in {name}, since all rows with such a"
            f" loss have one: it is predicted for that, not for {short(value)}{unit}"
        )
        yield Note(f"fixed-{name}", text)
    elif not np.isclose(value, known.min, rtol=_SAME):
        text = (
            f"the fit has no term in {name}, since all its rows have {short(known.min)}{unit}:"
            f" losses are predicted for that, not for {short(value)}"
        )
        yield Note(f"fixed-{name}", text)


def notes_on_passes(mixture: Mixture) -> Iterable[Note]:
    """Name the domains whose tokens are repeated more often than the laws can know of."""
    passes = mixture.blend.passes
    many = {domain: own for domain, own in passes.items() if own > FRESH_PASSES * _ROUNDED}
    if many:
        listed = ", ".join(f"{domain} {own:.3g} times" for domain, own in many.items())
        text = (
            f"tokens are repeated more than {FRESH_PASSES:g} times: {listed}. The laws know only"
            " fresh tokens, so that this mixture is worse than predicted"
        )
        yield Note("repeated-tokens", text)


def worse_targets(mixture: Mixture, compared: Sequence[Baseline]) -> tuple[Worse, ...]:
    """Find the targets whose loss is higher by over 5% than that of a mixture to compare with.

    The objective need not see them: the best mixture for one target may be of no use for others.

    Args:
        mixture: the best one.
        compared: mixtures of which each target is held against the one with the lowest loss.
    """
    found = []
    for target, loss in mixture.predicted_loss.items():
        other = min(compared, key=lambda baseline: baseline.predicted_loss[target])
        share = loss / other.predicted_loss[target] - 1.0
        if share > _MUCH:
            found.append(Worse(target, other.name, 100 * share))
    return tuple(found)


def notes_on_worse(
    mixture: Mixture, worse: Sequence[Worse], compared: Sequence[Baseline]
) -> Iterable[Note]:
    """Say which targets become much worse, and than with which mixture."""
    here = as_logged(mixture.predicted_loss, mixture.transforms)
    for baseline in compared:
        there = as_logged(baseline.predicted_loss, mixture.transforms)
        named = [
            f"{own.target} {fixed(here[own.target], 4)} against {fixed(there[own.target], 4)}"
            for own in worse
            if own.baseline == baseline.name
        ]
        if not named:
            continue
        text = f"over {100 * _MUCH:g}% worse than with {baseline.name}: {', '.join(named)}"
        yield Note("target-worse", f"{text}; --no-worse-than bounds them")


def notes_on_errors(fit: Fit, mixture: Mixture, others: Sequence[Baseline]) -> Iterable[Note]:
    """Name the mixtures whose loss differs by less than predictions are off.

    Of a fit that was resampled `mixfit.mixture.certainty` says more.
    """
    if not others:
        return
    each = np.array([other.weights for other in others])
    off = np.zeros(len(others))
    for target, weight in mixture.target_weights.items():
        off += weight * _off(fit, target, mixture, each)
    alike = []
    for other, error in zip(others, (100 * off / mixture.loss).tolist(), strict=True):
        gain = 100 * (1.0 - mixture.loss / other.loss)
        if abs(gain) <= error:
            alike.append(f"{other.name} (gain {gain:.2f}%, off by {error:.2f}%)")
    if alike:
        text = (
            "h* cannot be told from mixtures that it gains less over than predictions are off by,"
            f" as far as the runs fitted tell: {', '.join(alike)}. A fit with --resamples gives"
            " probabilities"
        )
        yield Note("not-told-apart", text)


def _off(fit: Fit, target: str, mixture: Mixture, others: Array) -> Array:
    """Give how far predictions of a target are off between a mixture and others, a mean.

    Args:
        fit: the fit.
        target: one of its targets.
        mixture: the mixture.
        others: weights (m, k).

    Returns:
        (m,), in the unit of the loss.
    """
    own = fit.targets[target]
    if own.discrepancy is None:
        return np.full(len(others), own.mre / 100 * mixture.predicted_loss[target])
    N = mixture.model_size or fit.data.model_size.max
    D = mixture.tokens or fit.data.tokens.max
    return _MEAN_OF_NORMAL * own.discrepancy.between(N, D, mixture.weights, others)
