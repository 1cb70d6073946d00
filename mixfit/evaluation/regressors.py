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
    from collections.abc import Callable, Sequence

    from mixfit.base.arrays import Array, Indices
    from mixfit.runs.target_rows import TargetRows

    Fitter = Callable[[TargetRows, np.random.Generator], "Regression"]
    _Slopes = Callable[[Array, Array], Array]

_PENALTIES = 10.0 ** np.arange(-8.0, 3.1)
# Of the lasso, as shares of the penalty from which on all slopes are 0.
_LASSO_SHARES = 10.0 ** np.arange(-0.25, -3.1, -0.25)
_STEPS = 1000
_FOLDS = 5
_VALIDATION_SHARE = 0.2
_ROUNDS, _PATIENCE = 1000, 50
# Rows to a leaf at the least, leaves at the most, and the learning rate; RegMix's are the last.
_SETTINGS = (
    *((rows, leaves, 0.03) for rows in (2, 5, 20) for leaves in (4, 8, 31)),
    (20, 31, 0.01),
)


class Regression(Protocol):
    """What has been fitted."""

    @property
    def parameters(self) -> int | None:
        """How many numbers were fitted, or None where that says nothing."""

    def predict(self, N: Array, D: Array, h: Array) -> Array:
        """Predict losses, (rows,); N and D of shape (rows,), h of shape (rows, k)."""


@dataclass(frozen=True)
class _Features:
    """The weights, perhaps their products, and log N and log D where the rows have several."""

    with_N: bool
    with_D: bool
    with_pairs: bool = False

    @classmethod
    def of(cls, rows: TargetRows, *, with_pairs: bool = False) -> _Features:
        return cls(bool(np.ptp(rows.N) > 0), bool(np.ptp(rows.D) > 0), with_pairs)

    def __call__(self, N: Array, D: Array, h: Array) -> Array:
        logs = [np.log(x) for x, used in ((N, self.with_N), (D, self.with_D)) if used]
        one, other = np.triu_indices(h.shape[1] if self.with_pairs else 0, 1)
        return np.column_stack([h, h[:, one] * h[:, other], *logs])


@dataclass(frozen=True, eq=False)
class _Linear:
    features: _Features
    mean: Array
    scale: Array
    slope: Array
    level: float

    @property
    def parameters(self) -> int:
        return int(np.count_nonzero(self.slope)) + 1

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
    return _fit_linear(rows, _Features.of(rows), [_ridge_slopes], rng)


def fit_scheffe(rows: TargetRows, rng: np.random.Generator) -> Regression:
    """Fit Scheffe's second-order function of a mixture, ``sum b_i h_i + sum b_ij h_i h_j``.

    After Mao and Du 2026 (arXiv 2608.23922). The penalty, on the squares of the standardised slopes
    as in `fit_ridge` or on their sizes (the lasso), is chosen by cross-validation likewise.

    Args:
        rows: to be fitted.
        rng: deals the mixtures out to folds.
    """
    features = _Features.of(rows, with_pairs=True)
    return _fit_linear(rows, features, [_ridge_slopes, _lasso_slopes], rng)


def _fit_linear(
    rows: TargetRows, features: _Features, methods: Sequence[_Slopes], rng: np.random.Generator
) -> Regression:
    x = features(rows.N, rows.D, rows.h)
    scale = x.std(axis=0)
    mean, scale = x.mean(axis=0), np.where(scale > 0, scale, 1.0)
    x = (x - mean) / scale
    fold = _deal(rows.mixture, rng, _FOLDS)
    level = float(rows.loss.mean())
    best, slope = np.inf, np.zeros(x.shape[1])
    for slopes_of in methods:
        errors: Array = np.zeros(1)
        for number in np.unique(fold):
            held = fold == number
            if held.all():
                continue
            centre, own_level = x[~held].mean(axis=0), rows.loss[~held].mean()
            slopes = slopes_of(x[~held] - centre, rows.loss[~held] - own_level)
            off = rows.loss[held] - own_level - slopes @ (x[held] - centre).T
            errors = errors + (off**2).sum(axis=1)
        if errors.min() < best:
            best, slope = errors.min(), slopes_of(x, rows.loss - level)[int(np.argmin(errors))]
    return _Linear(features, mean, scale, slope, level)


def _ridge_slopes(x: Array, y: Array) -> Array:
    """Solve for every penalty on squares, (penalties, features)."""
    left, size, right = np.linalg.svd(x, full_matrices=False)
    shrunk = size / (size**2 + len(x) * _PENALTIES[:, None])
    return np.asarray((shrunk * (left.T @ y)) @ right)


def _lasso_slopes(x: Array, y: Array) -> Array:
    """Solve for every penalty on sizes, (penalties, features), by accelerated gradient steps."""
    gram, right = x.T @ x / len(x), (x.T @ y / len(x))[:, None]
    penalties = np.abs(right).max() * _LASSO_SHARES
    step = 1.0 / np.linalg.norm(gram, 2)
    slopes = ahead = np.zeros((len(gram), len(penalties)))
    for number in range(_STEPS):
        moved = ahead - step * (gram @ ahead - right)
        before, slopes = slopes, np.sign(moved) * np.maximum(np.abs(moved) - step * penalties, 0.0)
        ahead = slopes + number / (number + 3.0) * (slopes - before)
    return slopes.T


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
    """Fit gradient-boosted trees by LightGBM, with settings that suit the rows.

    RegMix's settings, which need hundreds of rows, are one candidate of several. A fifth of the
    mixtures fitted takes no part in growing the trees of a candidate. On it the squared error says
    after how many rounds to end, and which candidate to take; that is then grown on all rows.

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
    fixed = {
        "boosting_type": "gbdt",
        "objective": "regression",
        "metric": "l2",
        "seed": int(rng.integers(1 << 31)),
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    best, settings, rounds = np.inf, fixed, 1
    for in_leaf, leaves, rate in _SETTINGS:
        own = fixed | {"min_data_in_leaf": in_leaf, "num_leaves": leaves, "learning_rate": rate}
        grown = lightgbm.Dataset(x[~validation], rows.loss[~validation])
        booster = lightgbm.train(
            own,
            grown,
            num_boost_round=_ROUNDS,
            valid_sets=[grown.create_valid(x[validation], rows.loss[validation])],
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
        error = booster.best_score["valid_0"]["l2"]
        if error < best:
            best, settings, rounds = error, own, booster.best_iteration
    return _Trees(
        features, lightgbm.train(settings, lightgbm.Dataset(x, rows.loss), num_boost_round=rounds)
    )


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


def _scheffe() -> Fitter:
    return fit_scheffe


def _trees() -> Fitter:
    import_lightgbm()
    return fit_trees


# A name to what gives the fitter, or says at once that an extra is missing.
REGRESSORS: dict[str, Callable[[], Fitter]] = {
    "ridge": _ridge,
    "scheffe2": _scheffe,
    "trees": _trees,
}
