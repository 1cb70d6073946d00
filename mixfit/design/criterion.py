"""How well mixtures that are to be trained will let a law predict the others.

Near any parameters a law is linear in them, and its prediction at h has the variance

    f(h)^T (P + sum over runs of f f^T / noise^2)^-1 f(h)

with f its derivatives and P the precision of what is known beforehand. A design is I-optimal where
the mean of this over the mixtures of interest is lowest. Before there is a fit, f is that of the
mixture term 1 / sum C_i h_i^gamma_i where all domains are alike and gamma is 1,

    b_0 + sum b_i h_i + sum c_i h_i log h_i,

with prior standard deviations of 1, 0.7 and 0.5 and a noise of 0.01, all in units of that term.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixfit.base.arrays import Array, Indices, Mask

NOISE = 0.01  # of a run, in units of the mixture term
_PRIOR = (1.0, 0.7, 0.5)
_SMALLEST = 1e-300
_MOST_PASSES = 10
_WORTH = 5e-3  # a pass of exchanges that lowers the mean variance by a smaller share is the last


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A prediction that is linear in its parameters, of whose values something is known.

    Attributes:
        features: from mixtures (n, k) to derivatives (n, p).
        precision: of what is known of the parameters beforehand, (p, p).
        noise: standard deviation of the loss of a run.
        weight: of the model beside others.
        wanted: from mixtures (n, k) to the derivatives (n, p) of what is to be predicted, where
            that is not what runs show, such as the loss of a larger training.
    """

    features: Callable[[Array], Array]
    precision: Array
    noise: float
    weight: float = 1.0
    wanted: Callable[[Array], Array] | None = None

    def with_runs(self, mixtures: Array) -> Array:
        """Give the precision (p, p) once runs of mixtures (n, k) are known."""
        f = self.features(mixtures)
        known: Array = self.precision + f.T @ f / self.noise**2
        return known

    def deviations(self, mixtures: Array, at: Array) -> Array:
        """Give the standard error (n,) of the predictions for mixtures, once runs are known.

        Args:
            mixtures: that were run, (m, k).
            at: that are predicted, (n, k).
        """
        f = self.features(at)
        errors: Array = np.sqrt(_quadratic(f, _inverse(self.with_runs(mixtures))))
        return errors


def neutral_model(k: int) -> LinearModel:
    """Give the model for k domains of which nothing is known yet."""
    deviations = np.repeat(_PRIOR, (1, k, k))
    return LinearModel(neutral_features, np.diag(deviations**-2.0), NOISE)


def neutral_features(h: Array) -> Array:
    """Give 1, h_i and h_i log h_i, (n, 2k + 1), for mixtures (n, k)."""
    logs = h * np.log(np.maximum(h, _SMALLEST))
    return np.hstack([np.ones((len(h), 1)), h, logs])


def _inverse(matrix: Array) -> Array:
    """Invert a positive definite matrix whose rows may differ in scale."""
    scale = 1.0 / np.sqrt(np.diag(matrix))
    inverse: Array = np.linalg.inv(matrix * scale * scale[:, None]) * scale * scale[:, None]
    return (inverse + inverse.T) / 2


def _quadratic(f: Array, matrix: Array) -> Array:
    values: Array = np.maximum(np.einsum("np,np->n", f @ matrix, f), 0.0)
    return values


class _Search:
    """The candidates under one model, as runs come and go.

    What a run changes is of rank one, so that a step costs candidates times parameters.
    """

    def __init__(self, model: LinearModel, candidates: Array, known: Array) -> None:
        """Begin with some runs.

        Args:
            model: the model.
            candidates: mixtures (n, k), which are those of interest too.
            known: mixtures (m, k) that are run in any case.
        """
        self.model, self.f = model, model.features(candidates)
        wanted = self.f if model.wanted is None else model.wanted(candidates)
        self._interest = wanted.T @ wanted / len(wanted)
        self._start = model.with_runs(known)
        self.begin([])

    def begin(self, chosen: Sequence[int]) -> None:
        """Work everything out anew for some candidates that are run."""
        f = self.f[list(chosen)]
        covariance = _inverse(self._start + f.T @ f / self.model.noise**2)
        self._reach = self.f @ covariance  # (n, p)
        self._spread = np.einsum("np,np->n", self._reach, self.f)
        self._effect = _quadratic(self._reach, self._interest)
        self.mean = float((covariance * self._interest).sum())

    def gains(self) -> Array:
        """Give by how much each candidate would lower the mean variance, (n,)."""
        gains: Array = self._effect / (self.model.noise**2 + self._spread)
        return gains

    def change(self, index: int, sign: float) -> None:
        """Run a candidate once more, or once less where the sign is -1."""
        from scipy.linalg.blas import dger

        row = self._reach[index].copy()
        factor = sign / (self.model.noise**2 + sign * self._spread[index])
        self.mean -= factor * float(self._effect[index])
        along, effect = self.f @ row, self._interest @ row
        own = float(row @ effect)
        self._effect += (factor * along) ** 2 * own - 2 * factor * along * (self._reach @ effect)
        np.maximum(self._effect, 0.0, out=self._effect)
        self._spread = np.maximum(self._spread - factor * along**2, 0.0)
        # In place, as the rows are many; BLAS takes the transpose, whose columns are contiguous.
        dger(-factor, row, along, a=self._reach.T, overwrite_a=True)


def i_optimal(
    models: Sequence[LinearModel],
    candidates: Array,
    count: int,
    known: Array,
    near: Callable[[Array], Mask],
) -> Indices:
    """Choose mixtures whose runs leave the lowest mean variance over the candidates.

    One by one the candidate is taken that gains most; then each in turn is exchanged for a better
    one, as long as that gains something.

    Args:
        models: whose mean variances count, each with its weight.
        candidates: mixtures (n, k).
        count: how many to choose.
        known: mixtures (m, k) that are run in any case.
        near: from a mixture (k,) to which candidates (n,) are as good as it, and so not taken
            beside it.

    Returns:
        Their indices (count,), fewer where candidates that are far enough apart run out.
    """
    searches = [_Search(model, candidates, known) for model in models]
    weights = [model.weight for model in models]
    taken = np.zeros(len(candidates), int)  # by how many mixtures each is ruled out
    for h in known:
        taken += near(h)

    def best() -> int:
        gains = sum(w * s.gains() for w, s in zip(weights, searches, strict=True))
        return int(np.argmax(np.where(taken > 0, -1.0, gains)))

    def change(index: int, sign: int) -> None:
        taken[:] += sign * near(candidates[index])
        for search in searches:
            search.change(index, float(sign))

    def total() -> float:
        return sum(w * s.mean for w, s in zip(weights, searches, strict=True))

    chosen: list[int] = []
    while len(chosen) < count and (taken == 0).any():
        chosen.append(best())
        change(chosen[-1], 1)
    for _ in range(_MOST_PASSES):
        for search in searches:
            search.begin(chosen)  # so that rounding does not gather
        before = total()
        for place, index in enumerate(chosen):
            change(index, -1)
            chosen[place] = best()
            change(chosen[place], 1)
        if total() > before * (1 - _WORTH):
            break
    return np.array(chosen, dtype=int)
