"""How far predictions are from observations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices


_NORMAL = 1.4826  # a standard deviation over the median distance from 0, where values are normal


def relative_errors(predicted: Array, observed: Array) -> Array:
    """Give |prediction - observation| / observation in percent, (rows,); arguments as below."""
    return 100 * np.abs(predicted - observed) / observed


def percent_errors(predicted: Array, observed: Array) -> Array:
    """Give relative errors in percent, (rows,), infinite where a prediction overflowed."""
    # Far from the rows fitted a law may overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        return relative_errors(predicted, observed)


def means_by_mixture(mixture: Indices, errors: Array) -> tuple[Indices, Array]:
    """Give the mixtures (m,) that rows have, ascending, and the mean error of each, (m,).

    Args:
        mixture: the number of the mixture, (rows,).
        errors: (rows,).
    """
    numbers, row = np.unique(mixture, return_inverse=True)
    return numbers, np.bincount(row, errors) / np.bincount(row)


def mean_relative_error(predicted: Array, observed: Array) -> float:
    """Give the mean of |prediction - observation| / observation in percent (section 2.3).

    Args:
        predicted: losses, (rows,).
        observed: losses, (rows,), positive.
    """
    return float(np.mean(relative_errors(predicted, observed)))


def mean_relative_bias(predicted: Array, observed: Array) -> float:
    """Give the mean of (prediction - observation) / observation in percent; arguments as above."""
    return float(100 * np.mean((predicted - observed) / observed))


def robust_deviation(values: Array) -> float:
    """Give the standard deviation of a normal distribution with the same median distance from 0.

    Args:
        values: (n,), of which those that are NaN do not count.
    """
    return _NORMAL * float(np.nanmedian(np.abs(values)))


def rank_correlation(predicted: Array, observed: Array) -> float:
    """Give Spearman's correlation, NaN where fewer than two values differ; arguments as above."""
    first, second = _ranks(predicted), _ranks(observed)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Array) -> Array:
    """Rank values from 1, ties sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
