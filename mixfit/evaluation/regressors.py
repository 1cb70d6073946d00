"""Regressions of losses on the mixture that are no laws, for comparison only.

They know nothing of how losses scale: the logs of N and D are features where they vary. What has to
be chosen is chosen on mixtures held out from the rows fitted, never on the rows tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mixfit.base.errors import NotApplicableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixfit.base.arrays import Array, Indices
    from mixfit.runs.target_rows import TargetRows

    Fitter = Callable[[TargetRows, np.random.Generator], "Regression"]

_PENALTIES = 10.0 ** np.arange(-8.0, 3.1)
_FOLDS = 5
_VALIDATION_SHARE = 0.2
_ROUNDS, _RATE, _PATIENCE = 1000, 0.01, 3


class Regression(Protocol):
    """What has been fitted."""

    @property
    def parameters(self) -> int | None:
        """How many numbers were fitted, or None where that says nothing."""

    def predict(self, N: Array, D: Array, h: Array) -> Array:
        """Predict losses, (rows,); N and D of shape (rows,), h of shape (rows, k)."""


@dataclass(frozen=True)
class _Features:
    """The weights, and the logs of N and D where the rows fitted have several."""

    with_N: bool
    with_D: bool

    @classmethod
    def of(cls, rows: TargetRows) -> _Features:
        return cls(bool(np.ptp(rows.N) > 0), bool(np.ptp(rows.D) > 0))

    def __call__(self, N: Array, D: Array, h: Array) -> Array:
        logs = [np.log(x) for x, used in ((N, self.with_N), (D, self.with_D)) if used]
        return np.column_stack([h, *logs])


@dataclass(frozen=True, eq=False)
class _Linear:
    features: _Features
    mean: Array
    scale: Array
    slope: Array
    level: float

    @property
    def parameters(self) -> int:
        return len(self.slope) + 1

    def predict(self, N: Array, D: Array, h: Array) -> Array:
        x = (self.features(N, D, h) - self.mean) / self.scale
        return np.asarray(self.level + x @ self.slope)


def fit_ridge(rows: TargetRows, rng: np.random.Generator) -> Regression:
    """Fit a linear function with a penalty on the squares of the standardised slopes.

    The penalty is the one with the lowest squared error in a cross-validation over the mixtures
    fitted.

    Args:
        rows: to be fitted.
        rng: deals the mixtures out to folds.
    """
    features = _Features.of(rows)
    x = features(rows.N, rows.D, rows.h)
    scale = x.std(axis=0)
    mean, scale = x.mean(axis=0), np.where(scale > 0, scale, 1.0)
    x = (x - mean) / scale
    fold = _deal(rows.mixture, rng, _FOLDS)
    errors = np.zeros(len(_PENALTIES))
    for number in np.unique(fold):
        held = fold == number
        if held.all():
            continue
        level = rows.loss[~held].mean()
        slopes = _slopes(x[~held], rows.loss[~held] - level)
        errors += ((rows.loss[held] - level - slopes @ x[held].T) ** 2).sum(axis=1)
    level = float(rows.loss.mean())
    slope = _slopes(x, rows.loss - level)[int(np.argmin(errors))]
    return _Linear(features, mean, scale, slope, level)


def _slopes(x: Array, y: Array) -> Array:
    """Solve for every penalty, (penalties, features)."""
    left, size, right = np.linalg.svd(x, full_matrices=False)
    shrunk = size / (size**2 + len(x) * _PENALTIES[:, None])
    return np.asarray((shrunk * (left.T @ y)) @ right)


def _deal(mixture: Indices, rng: np.random.Generator, folds: int) -> Indices:
    """Deal mixtures out to folds; gives the fold (rows,) of each row."""
    present, row = np.unique(mixture, return_inverse=True)
    return np.asarray(rng.permutation(len(present)) % folds)[row]


@dataclass(frozen=True, eq=False)
class _Trees:
    features: _Features
    booster: Any
    parameters: None = None

    def predict(self, N: Array, D: Array, h: Array) -> Array:
        return np.asarray(self.booster.predict(self.features(N, D, h), num_threads=1))


def fit_trees(rows: TargetRows, rng: np.random.Generator) -> Regression:
    """Fit gradient-boosted trees with RegMix's settings: LightGBM, 1,000 rounds at rate 0.01.

    Boosting ends early when the squared error on a fifth of the mixtures fitted, which takes no
    part in growing the trees, has not fallen for three rounds.

    Args:
        rows: to be fitted.
        rng: chooses the fifth.

    Raises:
        UsageError: if LightGBM is not installed.
        NotApplicableError: if there are fewer than two mixtures.
    """
    lightgbm = import_lightgbm()
    present = rng.permutation(np.unique(rows.mixture))
    if len(present) < 2:
        raise NotApplicableError("it needs two mixtures or more, one of them to stop early on")
    held = present[: max(1, round(_VALIDATION_SHARE * len(present)))]
    validation = np.isin(rows.mixture, held)
    features = _Features.of(rows)
    x = features(rows.N, rows.D, rows.h)
    grown = lightgbm.Dataset(x[~validation], rows.loss[~validation])
    booster = lightgbm.train(
        {
            "boosting_type": "gbdt",
            "objective": "regression",
            "metric": "l2",
            "learning_rate": _RATE,
            "seed": int(rng.integers(1 << 31)),
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        },
        grown,
        num_boost_round=_ROUNDS,
        valid_sets=[grown.create_valid(x[validation], rows.loss[validation])],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )
    return _Trees(features, booster)


def import_lightgbm() -> Any:
    """Import LightGBM.

    Raises:
        UsageError: if it is not installed; the message names the extra.
    """
    try:
        import lightgbm
    except ImportError:
        raise UsageError(
            "'trees' needs LightGBM, which is not installed: pip install 'mixfit[trees]'."
        ) from None
    return lightgbm


def _ridge() -> Fitter:
    return fit_ridge


def _trees() -> Fitter:
    import_lightgbm()
    return fit_trees


# A name to what gives the fitter, or says at once that an extra is missing.
REGRESSORS: dict[str, Callable[[], Fitter]] = {"ridge": _ridge, "trees": _trees}
