"""A law's curves for some mixtures, with the runs that have these mixtures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import UsageError, nearest, parameter
from mixfit.runs.transforms import undone

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.fitting.result import Fit, Range
    from mixfit.runs.runs import Runs

MODEL_SIZE, TOKENS, FLOPS = "N", "D", "6ND"
_FIXED = {MODEL_SIZE: "N", TOKENS: "D", FLOPS: "N or D"}
_POINTS = 40  # of a curve
_MOST_SIZES = 5  # that have curves of their own
_NEAR = 1.02  # ratio of the training lengths that count as one
_WIDER = 1.6  # how far beyond the runs curves go, as a factor


class Curve(NamedTuple):
    """The predictions for one mixture.

    Attributes:
        weight: of the domain that tells mixtures apart.
        x: N, D or 6ND, (points,), ascending.
        loss: predicted, (points,), as the target was logged.
        beyond: whether the point lies outside of the N and D that were fitted, (points,).
    """

    weight: float
    x: Array
    loss: Array
    beyond: Mask


@dataclass(frozen=True, eq=False)
class TargetCurves:
    """The curves of one target, and the losses observed for the same mixtures.

    Attributes:
        target: its name.
        domain: whose weight tells mixtures apart.
        x: N, D or 6ND of the runs drawn, (p,).
        loss: theirs, (p,), as it was logged.
        weight: of the domain in them, (p,).
        curves: a few for each mixture.
        tokens: D where x is N, else None.
        transform: what is fitted in place of the target's values, if that is another.
    """

    target: str
    domain: str
    x: Array
    loss: Array
    weight: Array
    curves: tuple[Curve, ...]
    tokens: float | None
    transform: str | None = None


def curves_of(
    fit: Fit, target: str, along: str, runs: Runs | None = None, domain: str | None = None
) -> TargetCurves:
    """Give the curves of a target for mixtures with little, some and much of a domain.

    Args:
        fit: the fitted laws.
        target: one of its targets.
        along: `MODEL_SIZE` (at one D), `TOKENS` or `FLOPS` (both for a few N).
        runs: whose mixtures to take; left out, mixtures within the ranges that were fitted.
        domain: whose weight tells mixtures apart; left out, the target's own domain, or else the
            one whose weight changes the loss most.

    Raises:
        UsageError: there is no such domain, or the loss does not change along what is asked for.
    """
    if domain is None:
        domain = target if target in fit.domains else _that_matters(fit, target)
    elif domain not in fit.domains:
        hint = nearest(domain, fit.domains)
        raise UsageError(
            f"{parameter('domain')} '{domain}': the fit has no such domain.{hint}"
            f" Its domains are {', '.join(fit.domains)}."
        )
    law = fit.targets[target].form
    needed = {MODEL_SIZE: (law.uses_model_size,), TOKENS: (law.uses_tokens,)}
    if not all(needed.get(along, (law.uses_model_size, law.uses_tokens))):
        raise UsageError(
            f"The fit of {target} has no term in {_FIXED[along]}: its rows have one value, and"
            " there is no curve to draw. Draw another kind of picture."
        )
    column = fit.domains.index(domain)
    if runs is None or target not in runs.targets:
        return _without_runs(fit, target, along, column)
    known = runs.select(~np.isnan(runs.losses_of(target)))
    length = None
    if along == MODEL_SIZE:
        length = _shared_length(known)
        known = known.select(np.abs(np.log(known.D / length)) <= np.log(_NEAR))
    chosen = _choose_mixtures(known, column)
    rows = np.flatnonzero(np.isin(known.mixture, chosen))
    spans = {float(N): _span(known.D[known.N == N]) for N in _few(np.unique(known.N))}
    curves = [
        curve
        for mixture in known.mixtures[chosen]
        for curve in _curves(fit, target, along, mixture, column, spans, length)
    ]
    x = _place(along, known.N[rows], known.D[rows])
    how = (fit.data.columns.transforms or {}).get(target)
    loss, weight = undone(known.losses_of(target)[rows], how), known.h[rows, column]
    return TargetCurves(target, domain, x, loss, weight, tuple(curves), length, how)


def _without_runs(fit: Fit, target: str, along: str, column: int) -> TargetCurves:
    """Give curves for mixtures in the middle of those fitted, with one domain's weight changed."""
    data = fit.data
    middle = np.array([(data.weights[d].min + data.weights[d].max) / 2 for d in fit.domains])
    own = data.weights[fit.domains[column]]
    mixtures = []
    for weight in np.linspace(own.min, own.max, 3):
        h = middle.copy()
        h[column] = 0.0
        h *= (1.0 - weight) / h.sum() if h.sum() else 0.0
        h[column] = weight
        mixtures.append(h / h.sum())
    length = float(np.sqrt(data.tokens.min * data.tokens.max)) if along == MODEL_SIZE else None
    span = (data.tokens.min, data.tokens.max * _WIDER)
    sizes = np.geomspace(data.model_size.min, data.model_size.max, 2)
    spans = {float(N): span for N in np.unique(sizes)}
    curves = [
        curve
        for mixture in mixtures
        for curve in _curves(fit, target, along, mixture, column, spans, length)
    ]
    none = np.zeros(0)
    how = (data.columns.transforms or {}).get(target)
    found = tuple(curves)
    return TargetCurves(target, fit.domains[column], none, none, none, found, length, how)


def _curves(
    fit: Fit,
    target: str,
    along: str,
    mixture: Array,
    column: int,
    spans: dict[float, tuple[float, float]],
    length: float | None,
) -> list[Curve]:
    data, law = fit.data, fit.targets[target].law_alone()
    curves = []
    if along == MODEL_SIZE:
        assert length is not None
        N = np.geomspace(min(spans) / _WIDER, max(spans) * _WIDER, _POINTS)
        cases = [(N, np.full(_POINTS, length))]
    else:
        cases = [
            (np.full(_POINTS, N), np.geomspace(low, high, _POINTS))
            for N, (low, high) in spans.items()
        ]
    for N, D in cases:
        loss = law.predict(N, D, np.broadcast_to(mixture, (_POINTS, len(mixture))))
        loss = undone(loss, (data.columns.transforms or {}).get(target))
        beyond = _outside(N, data.model_size) | _outside(D, data.tokens)
        curves.append(Curve(float(mixture[column]), _place(along, N, D), loss, beyond))
    return curves


def _outside(values: Array, fitted: Range) -> Mask:
    """Tell which N or D lie outside of what was fitted, but for rounding."""
    inside: Mask = (values >= fitted.min * 0.999) & (values <= fitted.max * 1.001)
    return ~inside


def _place(along: str, N: Array, D: Array) -> Array:
    return {MODEL_SIZE: N, TOKENS: D}.get(along, 6.0 * N * D)


def _span(D: Array) -> tuple[float, float]:
    low, high = float(D.min()), float(D.max())
    return low, high * (_WIDER if high == low else 1.0)


def _few(sizes: Array) -> Array:
    """Take a few of many sizes, the smallest and the largest among them."""
    if len(sizes) <= _MOST_SIZES:
        return sizes
    chosen: Array = sizes[np.linspace(0, len(sizes) - 1, _MOST_SIZES).round().astype(int)]
    return chosen


def _choose_mixtures(runs: Runs, column: int, most: int = 4) -> Indices:
    """Choose mixtures with little, some and much of a domain, of those with the most sizes."""
    pairs = np.unique(np.column_stack([runs.mixture, runs.N]), axis=0)
    sizes = np.bincount(pairs[:, 0].astype(int), minlength=len(runs.mixtures))
    able = np.flatnonzero(sizes == sizes.max())
    by_weight = able[np.argsort(runs.mixtures[able, column], kind="stable")]
    weights = runs.mixtures[by_weight, column]
    wanted = np.linspace(weights[0], weights[-1], most)
    places = np.unique([int(np.argmin(np.abs(weights - w))) for w in wanted])
    chosen: Indices = by_weight[places]
    return chosen


def _shared_length(runs: Runs) -> float:
    """Find the training length at which the most sizes have a row, the longest of such."""
    step = np.log(_NEAR)
    steps = np.log(runs.D) / step
    best = (0, -np.inf)
    for place in np.unique(steps.round()):
        near = np.abs(steps - place) <= 0.5
        best = max(best, (len(np.unique(runs.N[near])), float(np.median(runs.D[near]))))
    return best[1]


def _that_matters(fit: Fit, target: str) -> str:
    """Find the domain whose weight changes the loss most within the range that was fitted."""
    data, law = fit.data, fit.targets[target].law_alone()
    k = len(fit.domains)
    middle = np.array([(data.weights[d].min + data.weights[d].max) / 2 for d in fit.domains])
    middle /= middle.sum()
    N = np.full(2, np.sqrt(data.model_size.min * data.model_size.max))
    D = np.full(2, np.sqrt(data.tokens.min * data.tokens.max))
    changes = []
    for column, domain in enumerate(fit.domains):
        own = data.weights[domain]
        h = np.tile(middle, (2, 1))
        h[:, column] = 0.0
        rest = h.sum(axis=1, keepdims=True)
        ends = np.array([[own.min], [own.max]])
        h = np.where(rest > 0, h * (1.0 - ends) / np.where(rest > 0, rest, 1.0), 0.0)
        h[:, column] = ends[:, 0]
        h /= h.sum(axis=1, keepdims=True) if k > 1 else 1.0
        changes.append(abs(float(np.diff(law.predict(N, D, h))[0])))
    return fit.domains[int(np.argmax(changes))]
