"""How far off pulls may be: none without pooling, drawn with the prior's covariance, and why."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit import Runs
from mixfit.fitting.fit import fit
from mixfit.fitting.optimum import optima
from mixfit.fitting.options import FitOptions
from mixfit.fitting.pulls import pulled, variance_of
from mixfit.fitting.resamples import resample

DOMAINS = ["web", "code", "books"]
GAMMA = np.array([0.25, 0.6, 1.2])
QUICK = FitOptions(restarts=2, hops=0, discrepancy="none")


def table(gamma, mixtures=40, noise=0.002):
    """Runs of one size and length, each of a mixture of its own."""
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(3), mixtures)
    loss = 1.0 + 1 / (np.array([0.8, 0.5, 0.6]) * h**gamma).sum(axis=1)
    loss = loss * np.exp(noise * rng.standard_normal(mixtures))
    N, D = np.full(mixtures, 1e9), np.full(mixtures, 1e10)
    return Runs.from_arrays(N, D, h, {"x": loss}, DOMAINS)


@pytest.fixture(scope="module")
def uneven():
    return table(GAMMA)


def known(runs, law):
    return optima(fit(runs, law, options=QUICK), runs)


def test_without_pooling_nothing_is_off(uneven):
    free = known(uneven, "additive:none")
    assert variance_of(free) == 0.0
    objective, _ = free[0].objective()
    assert pulled(objective, free[0], 1.0, 0, 0) is objective


def test_pulls_are_drawn_with_the_covariance_of_the_prior(uneven):
    (optimum,) = known(uneven, "additive:0.01")
    objective, _ = optimum.objective()
    before = objective.penalty
    pulls = np.array([pulled(objective, optimum, 3e-4, 0, i).penalty.pull for i in range(4000)])
    expected = 3e-4 * before.matrix
    np.testing.assert_allclose(pulls.mean(axis=0), before.pull, atol=1e-4)
    np.testing.assert_allclose(np.cov(pulls.T), expected, atol=0.08 * np.abs(expected).max())
    again = pulled(objective, optimum, 3e-4, 0, 7).penalty
    np.testing.assert_array_equal(again.pull, pulls[7])
    np.testing.assert_array_equal(again.matrix, before.matrix)


def test_domains_that_are_less_alike_make_pulls_less_sure(uneven):
    alike = known(table(np.full(3, 0.6)), "additive:0.001")
    assert variance_of(known(uneven, "additive:0.001")) > 3 * variance_of(alike) > 0


def test_the_bias_of_pooling_shows_in_resamples(uneven, monkeypatch):
    """Pooled too hard, domains are drawn together, and under any weights of mixtures they stay."""
    fitted = fit(uneven, "additive:0.01", options=QUICK)
    bias = fitted.targets["x"].params["gamma"] - GAMMA

    def deviations():
        found = resample(fitted, uneven, 60)
        return np.abs(bias) / found.resamples.params["x"]["gamma"].std(axis=0)

    assert deviations().max() < 2.5
    monkeypatch.setattr("mixfit.fitting.resamples.variance_of", lambda optima: 0.0)
    assert deviations().max() > 3.5
