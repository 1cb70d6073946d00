"""How well the rows pin a fit's predictions: standard errors and draws from its own curvature.

Near the optimum a law is linear in its internal parameters. The rows of a mixture share an error
with a variance of its own, beside one of each row, both from the residuals; with the curvature of
the prior by which the fit was pooled, in proportion to that of the rows, this gives a covariance.
What the law misses between the mixtures it does not see: as a number the standard error is too
small, as an alarm it is good (docs/design.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.fitting.search import TargetSearch
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices
    from mixfit.fitting.result import Fit
    from mixfit.laws.formula import Formula
    from mixfit.runs.runs import Runs

_STEP = 1e-5  # of numerical derivatives, in internal units, which are of order 1
_WEAK = 2.0  # standard deviation of what is known beforehand of every internal parameter
_NEAR = 0.5  # likewise, for draws
_ROUNDS = 4  # in which the noise and the number of parameters that the rows decide settle
_LEAST_FREE = 0.1  # share of the mixtures that is left to tell the noise
_LEAST_NOISE = 1e-6  # of the loss
# Where fewer mixtures than this are left to tell the noise, it is taken in part to be what it is in
# published runs: a fit that interpolates has hardly any residuals, and would look sure of itself.
_ENOUGH_FREE = 5.0
_USUAL_NOISE = 3e-3  # of the loss


@dataclass(frozen=True, eq=False)
class Curvature:
    """What the rows say of one target's parameters.

    Attributes:
        formula: the law in the form that the rows can tell apart.
        theta: internal parameters at the optimum, (size,).
        free: indices of those that are at no bound, (f,).
        precision: inverse covariance of these, (f, f).
        mixture_noise: standard deviation of the error that the rows of a mixture share.
        row_noise: of that of each row.
        residuals: means of the residuals, observed minus predicted, by mixture, (m,); NaN for
            mixtures without a row.
    """

    formula: Formula
    theta: Array
    free: Indices
    precision: Array
    mixture_noise: float
    row_noise: float
    residuals: Array

    @property
    def noise(self) -> float:
        """Standard deviation of the loss of one run about the law."""
        return float(np.hypot(self.mixture_noise, self.row_noise))

    def derivatives(self, N: Array, D: Array, h: Array) -> Array:
        """Give the derivatives of predictions with respect to the free parameters, (rows, f).

        Args:
            N: parameters, (rows,).
            D: tokens, (rows,).
            h: weights, (rows, k).
        """
        return _derivatives(self.formula, self.theta, self.free, N, D, h)

    def standard_error(self, N: Array, D: Array, h: Array) -> Array:
        """Give the standard error of the predicted loss, (rows,); arguments as above."""
        f = self.derivatives(N, D, h)
        errors: Array = np.sqrt(
            np.maximum((f * np.linalg.solve(self.precision, f.T).T).sum(axis=1), 0.0)
        )
        return errors

    def draw(self, rng: np.random.Generator) -> dict[str, Array]:
        """Draw natural parameters that the rows might as well have led to.

        A law bends along directions that the rows hardly pin, so that there a draw keeps nearer to
        the optimum than the covariance says.
        """
        lower, upper = self.formula.bounds
        near = np.eye(len(self.free)) / _NEAR**2
        values, vectors = np.linalg.eigh(self.precision + near)
        step = vectors @ (rng.standard_normal(len(values)) / np.sqrt(values))
        theta = self.theta.copy()
        theta[self.free] += step
        return self.formula.natural(np.clip(theta, lower, upper))


def curvature_of(fit: Fit, runs: Runs, target: str) -> Curvature:
    """Look at the curvature of a fit at one target's optimum.

    Args:
        fit: the fit.
        runs: the rows that it was made on; rows more do no harm.
        target: one of its targets.

    Raises:
        UsageError: the runs have no such target.
    """
    rows = TargetRows.of(runs, target)
    objective = TargetSearch(rows, fit.options).objective(fit.law)
    formula = objective.formula
    theta = formula.internal(fit.targets[target].params)
    lower, upper = formula.bounds
    theta = np.clip(theta, lower, upper)
    free = np.flatnonzero((theta > lower) & (theta < upper))
    residual = rows.loss - formula.predict(theta, rows.N, rows.D, rows.h)
    slopes = _derivatives(formula, theta, free, rows.N, rows.D, rows.h)
    mixtures = len(rows.mixtures)
    count = np.bincount(rows.mixture, minlength=mixtures)
    there = count > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.bincount(rows.mixture, residual, mixtures) / count
    of_row = residual - means[rows.mixture]
    spare = len(residual) - np.count_nonzero(there)
    row_variance = float(of_row @ of_row) / spare if spare else 0.0
    prior = np.zeros((len(free), len(free)))
    own = objective.at(theta).model.matrix[np.ix_(free, free)]
    if objective.penalty is not None:
        prior = objective.penalty.matrix[np.ix_(free, free)]
    weak = np.eye(len(free)) / _WEAK**2
    decided, known = 0.0, np.count_nonzero(there)
    size = float(np.abs(rows.loss).mean())
    floor = (_LEAST_NOISE * size) ** 2
    for _ in range(_ROUNDS):
        left = max(known - min(decided, (1 - _LEAST_FREE) * known), 1.0)
        guessed = max(_ENOUGH_FREE - left, 0.0)
        squares = float(np.nansum(means**2)) + guessed * (_USUAL_NOISE * size) ** 2
        between = squares / (left + guessed)
        mixture_variance = max(between - row_variance * float(np.mean(1 / count[there])), floor)
        data = _information(slopes, rows.mixture, count, mixture_variance, row_variance)
        # The prior counts beside the rows as it did in the objective.
        of_rows = np.maximum(np.diag(own - prior), 1e-300)
        scale = np.exp(np.mean(np.log(np.maximum(np.diag(data), 1e-300) / of_rows)))
        precision = data + scale * prior + weak
        decided = float(np.trace(np.linalg.solve(precision, data)))
    return Curvature(
        formula=formula,
        theta=theta,
        free=free,
        precision=precision,
        mixture_noise=float(np.sqrt(mixture_variance)),
        row_noise=float(np.sqrt(row_variance)),
        residuals=means,
    )


def _derivatives(
    formula: Formula, theta: Array, free: Indices, N: Array, D: Array, h: Array
) -> Array:
    """Take central differences, which are exact enough for a standard error."""
    columns = []
    for index in free:
        ends = []
        for sign in (1.0, -1.0):
            moved = theta.copy()
            moved[index] += sign * _STEP
            ends.append(formula.predict(moved, N, D, h))
        columns.append((ends[0] - ends[1]) / (2 * _STEP))
    return np.column_stack(columns) if columns else np.zeros((len(h), 0))


def _information(
    slopes: Array, mixture: Indices, count: Indices, mixture_variance: float, row_variance: float
) -> Array:
    """Give what rows say of parameters, (f, f), where those of a mixture share an error."""
    if row_variance <= 0:  # one row a mixture, or as good as that
        weight = 1 / (mixture_variance * count[mixture])
        alone: Array = slopes.T @ (slopes * weight[:, None])
        return alone
    sums = np.zeros((len(count), slopes.shape[1]))
    np.add.at(sums, mixture, slopes)
    shared = mixture_variance / (row_variance + count * mixture_variance)
    total: Array = (slopes.T @ slopes - sums.T @ (sums * shared[:, None])) / row_variance
    return total


@dataclass(frozen=True, eq=False)
class MeanCurvature:
    """What the rows say of a weighted mean of targets' losses.

    Attributes:
        targets: each target's own, in order.
        weights: of the targets, (t,).
        correlation: of the targets' residuals by mixture, (t, t): their errors go together.
    """

    targets: dict[str, Curvature]
    weights: Array
    correlation: Array

    @classmethod
    def of(cls, fit: Fit, runs: Runs, weights: dict[str, float]) -> MeanCurvature:
        """Look at the curvature of a fit for targets and their weights.

        Raises:
            UsageError: the runs lack one of the targets.
        """
        each = {target: curvature_of(fit, runs, target) for target in weights}
        residuals = np.array([own.residuals for own in each.values()])
        known = np.isfinite(residuals).all(axis=0)
        correlation = np.eye(len(each))
        if np.count_nonzero(known) > 2 and len(each) > 1:
            with np.errstate(invalid="ignore", divide="ignore"):
                found = np.corrcoef(residuals[:, known])
            correlation = np.where(np.isfinite(found), found, np.eye(len(each)))
        return cls(each, np.array(list(weights.values())), correlation)

    def standard_error(self, N: float, D: float, h: Array) -> Array:
        """Give the standard error of the mean loss, (rows,), at one N and D for h (rows, k)."""
        N_rows, D_rows = np.full(len(h), N), np.full(len(h), D)
        errors = np.array(
            [
                weight * own.standard_error(N_rows, D_rows, h)
                for weight, own in zip(self.weights, self.targets.values(), strict=True)
            ]
        )
        variances = np.einsum("ih,ij,jh->h", errors, self.correlation, errors)
        mean: Array = np.sqrt(np.maximum(variances, 0.0))
        return mean
