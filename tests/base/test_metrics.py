"""Measures of error against plain formulas and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from mixfit.base.metrics import mean_relative_bias, mean_relative_error, rank_correlation


def test_errors_are_relative_to_what_was_observed():
    predicted, observed = np.array([2.0, 3.3, 4.0]), np.array([2.5, 3.0, 4.0])
    assert mean_relative_error(predicted, observed) == pytest.approx(10.0)
    assert mean_relative_bias(predicted, observed) == pytest.approx(-10 / 3)


def test_a_perfect_prediction():
    observed = np.array([1.0, 2.0])
    assert mean_relative_error(observed, observed) == 0
    assert mean_relative_bias(observed, observed) == 0
    assert rank_correlation(observed, observed) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("values", [3, 10, 10_000], ids=["many ties", "ties", "hardly a tie"])
def test_rank_correlation_is_spearmans(seed, values):
    rng = np.random.default_rng(seed)
    a = rng.integers(values, size=40).astype(float)
    b = a + rng.integers(values, size=40)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    assert rank_correlation(-a, b) == pytest.approx(spearmanr(-a, b).statistic, abs=1e-12)


@pytest.mark.parametrize("constant", [[2.0], [2.0, 2.0, 2.0]], ids=["one row", "all equal"])
def test_no_rank_correlation_without_different_values(constant):
    constant = np.array(constant)
    assert np.isnan(rank_correlation(constant, np.arange(len(constant))))
    assert np.isnan(rank_correlation(np.arange(len(constant)), constant))
