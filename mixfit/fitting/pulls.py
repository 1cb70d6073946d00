"""How far off the pulls of pooling may be.

A pooled fit is drawn to where it is pulled, a bias that random weights on mixtures do not show:
under any weights the pulls stay. So in a resample they go elsewhere too, to a draw from the normal
distribution that they stand for: a priori the parameters stand off by a variance of s over the
strength of the pull. Such intervals hold on average over what is pulled, too often for some of it
and too seldom for other (Wahba, J. R. Stat. Soc. B 1983; Nychka, J. Am. Stat. Assoc. 1988).

s comes from the rows. It is what makes the pulls as strong as they should be for noise like that of
the rows, which is the least that can be meant by them,

    s >= tr(H^-1 J) / tr(H^-1 G),

and more where the fitted numbers stand off farther than that, by moments:

    x' P x = s tr (1 - P H^-1)^2 + tr P V,    V = H^-1 J H^-1, which random weights show,

where x is how far they stand off, P the matrix of these pulls, G the curvature of the rows' part of
the objective, H that of all of it, and J the sum of squares of its gradients over mixtures.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.metrics import robust_deviation
from mixfit.fitting.prior import pooling, redrawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.objective import Objective
    from mixfit.fitting.optimum import Optimum
    from mixfit.fitting.prior import Penalty

_NOTHING = 1e-12  # of a matrix's largest eigenvalue: less is rounding
_LITTLE = 1e-3  # of the numbers that are pulled: with less, nothing tells how far they stood off


def variance_of(optima: Sequence[Optimum]) -> float:
    """Give s, the mean over targets; 0 where nothing is pooled."""
    each = [_variance(optimum) for optimum in optima]
    known = [own for own in each if own is not None]
    return float(np.mean(known)) if known else 0.0


def _variance(optimum: Optimum) -> float | None:
    objective, theta = optimum.objective()
    mutual = _mutual(objective, optimum)
    if mutual is None or objective.penalty is None:
        return None
    lower, upper = objective.bounds
    free = np.flatnonzero((theta > lower) & (theta < upper))
    of_free = np.ix_(free, free)
    at = objective.at(theta)
    pull = mutual.matrix[of_free]
    rows = (at.model.matrix - objective.penalty.matrix)[of_free] * _bend(optimum, objective, theta)
    gradients = at.by_mixture().gradient[:, free]
    inverse = np.linalg.pinv(
        rows + objective.penalty.matrix[of_free], rcond=_NOTHING, hermitian=True
    )
    scatter = gradients.T @ gradients
    least = float(np.trace(inverse @ scatter) / np.trace(inverse @ rows))
    values = np.linalg.eigvalsh(pull)
    rank = np.count_nonzero(values > _NOTHING * values[-1])
    taken = pull @ inverse  # what the pulls take of how far the numbers stand off
    left = rank - 2 * np.trace(taken) + np.trace(taken @ taken)
    by_chance = np.trace(taken @ scatter @ inverse)
    off = 2 * mutual.value(theta) - by_chance
    return max(least, float(off / left)) if left > _LITTLE * rank else least


def _mutual(objective: Objective, optimum: Optimum) -> Penalty | None:
    """Give what pulls parameters to each other: the prior but for what is usual of exponents."""
    pool = optimum.law.pool
    if pool is None:
        return None
    return pooling(objective.formula, replace(pool, usual=0.0), optimum.goal)


def _bend(optimum: Optimum, objective: Objective, theta: Array) -> float:
    """Give the curvature of the rows' part of the objective over that of the Gauss-Newton model.

    The model lies above the objective. Beyond delta the Huber loss has no curvature of its own, and
    that of its mean comes from the share of residuals near 0.
    """
    rows = optimum.rows
    size = np.abs(rows.loss - objective.formula.predict(theta, rows.N, rows.D, rows.h))
    near = max(robust_deviation(size), objective.delta)
    return float(np.mean(size < near) / near / np.mean(1 / np.maximum(size, objective.delta)))


def pulled(
    objective: Objective, optimum: Optimum, variance: float, seed: int, index: int
) -> Objective:
    """Give an objective whose pulls go elsewhere.

    What is usual of exponents is drawn the same for all targets, so that what is common to them
    stays common.

    Args:
        objective: of the target, with other weights, or on other rows.
        optimum: the target.
        variance: s.
        seed: of the draws.
        index: of the draw.
    """
    penalty, pool = objective.penalty, optimum.law.pool
    if penalty is None or pool is None:
        return objective
    common = np.random.default_rng([seed, zlib.crc32(b"usual"), index])
    penalty = redrawn(penalty, objective.formula, pool, common)
    mutual = _mutual(objective, optimum)
    if mutual is not None and variance > 0:
        values, vectors = np.linalg.eigh(mutual.matrix)
        name = zlib.crc32(f"pulls {optimum.rows.target}".encode())
        numbers = np.random.default_rng([seed, name, index]).standard_normal(len(values))
        # The root that is symmetric does not depend on the signs of eigenvectors.
        roots = np.sqrt(np.maximum(variance * values, 0.0))
        off = vectors @ (roots * (vectors.T @ numbers))
        penalty = replace(penalty, pull=penalty.pull + off)
    return replace(objective, penalty=penalty)
