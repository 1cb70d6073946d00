"""A mixture file of mixfit's own, read back as the study that it was written from."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mixfit.base.errors import InputError, nearest
from mixfit.base.plain import read_document
from mixfit.mixture.files import MIXTURE_SCHEMA
from mixfit.mixture.result import Baseline, Certainty, Cost, Gain, LeastChange, Mixture, Study
from mixfit.mixture.stored import MixtureFile

if TYPE_CHECKING:
    from pathlib import Path

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit
    from mixfit.mixture.stored import StoredCertainty, StoredMixture

T = TypeVar("T")


def load_study(path: str | Path, fit: Fit, sha256: str) -> Study:
    """Read the only mixture of a mixture file, with all that is known of it.

    Args:
        path: of the file.
        fit: that the mixture was found with.
        sha256: of the fit's file.

    Raises:
        InputError: the file cannot be used, or was made from another fit.
    """
    file = read_document(MixtureFile, MIXTURE_SCHEMA, path)
    if file.fit.sha256 != sha256:
        raise InputError(
            f"{path}: was made from another fit, {file.fit.path} as it was then. Make it anew with"
            " 'mixfit optimize', or give that fit."
        )
    count = len(file.mixtures)
    spans = file.mixtures[0].as_good if count == 1 else None
    if spans is None:
        what = "the best mixtures for each target" if count and file.mixtures[0].target else ""
        raise InputError(
            f"{path}: holds {what or f'{count} mixtures'}. Give a file with one, for one budget."
        )
    stored = file.mixtures[0]
    _check_targets(path, fit, file.targets, stored.predicted_loss)

    def vector(weights: dict[str, float]) -> Array:
        if list(weights) != list(fit.domains):
            raise InputError(
                f"{path}: has the domains {', '.join(weights)}, and the fit has"
                f" {', '.join(fit.domains)}. Make the file anew."
            )
        return np.array(list(weights.values()))

    def losses(h: Array) -> dict[str, float]:
        N, D = stored.model_size or 1.0, stored.tokens or 1.0
        return {target: float(loss[0]) for target, loss in fit.predict(N, D, h).items()}

    def mixture(weights: dict[str, float], loss: float) -> Mixture:
        h = vector(weights)
        return Mixture(
            domains=fit.domains,
            weights=h,
            model_size=stored.model_size,
            tokens=stored.tokens,
            target_weights=file.targets,
            predicted_loss=losses(h / h.sum()),
            loss=loss,
            objective=loss,
            gap=float("nan"),
            convex=False,
        )

    best = Mixture(
        domains=fit.domains,
        weights=vector(stored.weights),
        model_size=stored.model_size,
        tokens=stored.tokens,
        target_weights=file.targets,
        predicted_loss=stored.predicted_loss,
        loss=stored.loss,
        objective=stored.objective,
        gap=stored.gap,
        convex=stored.convex,
        notes=stored.notes,
        available=_available(stored),
        transforms=fit.data.columns.transforms or {},
        risk=stored.risk,
        certainty=None if stored.certainty is None else _certainty(path, fit, stored.certainty),
    )
    free, change = stored.unconstrained, stored.least_change
    return Study(
        mixture=best,
        ranges=np.array([(own.min, own.max) for own in _in_order(path, fit, spans, "as_good")]),
        baselines=tuple(
            Baseline(b.name, vector(b.weights), b.predicted_loss, b.loss)
            for b in stored.baselines or ()
        ),
        unconstrained=None if free is None else mixture(free.weights, free.loss),
        costs=tuple(Cost(cost.constraint, cost.cost) for cost in stored.costs or ()),
        least_change=None
        if change is None
        else LeastChange(
            weights=vector(change.weights),
            start=vector(change.start),
            within=change.within,
            divergence=change.divergence,
            predicted_loss=change.predicted_loss,
            loss=change.loss,
        ),
    )


def _available(stored: StoredMixture) -> dict[str, float]:
    """Give domain to the unique tokens that there are of it, of those that are trained on."""
    tokens = stored.domain_tokens or {}
    return {
        domain: tokens[domain] / passes
        for domain, passes in (stored.passes or {}).items()
        if passes > 0 and domain in tokens
    }


def _certainty(path: str | Path, fit: Fit, stored: StoredCertainty) -> Certainty:
    ends = _in_order(path, fit, stored.weights, "certainty.weights")
    return Certainty(
        count=stored.resamples,
        weights=np.array([(own.low, own.high) for own in ends]),
        low=stored.loss.low,
        high=stored.loss.high,
        standard_error=stored.standard_error,
        gains={g.name: Gain(g.mean, g.low, g.high, g.probability) for g in stored.gains},
        notes=stored.notes,
    )


def _in_order(path: str | Path, fit: Fit, spans: dict[str, T], key: str) -> list[T]:
    missing = [domain for domain in fit.domains if domain not in spans]
    if missing:
        raise InputError(f"{path}: '{key}' has no {', '.join(missing)}. Make the file anew.")
    return [spans[domain] for domain in fit.domains]


def _check_targets(
    path: str | Path, fit: Fit, weights: dict[str, float], losses: dict[str, float]
) -> None:
    for target in (*weights, *losses):
        if target not in fit.targets:
            raise InputError(
                f"{path}: the fit has no target '{target}'.{nearest(target, fit.targets)}"
            )
    if set(losses) != set(fit.targets):
        raise InputError(f"{path}: lacks losses of targets that the fit has. Make the file anew.")
