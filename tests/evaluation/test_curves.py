"""Which mixtures, sizes and lengths a law's curves are drawn for."""

from __future__ import annotations

import numpy as np
import pytest
from random_fits import random_fit

from mixfit.base.errors import UsageError
from mixfit.evaluation.curves import FLOPS, MODEL_SIZE, TOKENS, curves_of
from mixfit.runs.runs import Runs


@pytest.fixture
def fit():
    return random_fit("additive", 2, 1, 3)


@pytest.fixture
def runs(fit):
    """Five mixtures at two sizes; one size has a length that the other lacks."""
    weights = np.array([0.0, 0.1, 0.4, 0.7, 1.0])
    cases = [
        (weight, N, D)
        for weight in weights
        for N, lengths in ((1e8, (1e9, 4e9)), (3e8, (1e9, 4e9, 8e9)))
        for D in lengths
    ]
    w, N, D = (np.array(column) for column in zip(*cases, strict=True))
    h = np.column_stack([w, 1 - w])
    return Runs.from_arrays(N, D, h, {"t0": fit.predict(N, D, h)["t0"]}, ["d0", "d1"])


@pytest.mark.parametrize("along", [MODEL_SIZE, TOKENS, FLOPS])
def test_the_law_s_own_losses_lie_on_its_curves(fit, runs, along):
    found = curves_of(fit, "t0", along, runs, "d0")
    assert found.domain == "d0"
    # Four mixtures, from the least to the most of the domain, and one curve for each, or each N.
    assert {curve.weight for curve in found.curves} == {0.0, 0.4, 0.7, 1.0}
    assert len(found.curves) == (4 if along == MODEL_SIZE else 8)
    for x, loss, weight in zip(found.x, found.loss, found.weight, strict=True):
        near = [
            np.interp(x, c.x, c.loss)
            for c in found.curves
            if c.weight == weight and c.x[0] <= x * 1.001 and x <= c.x[-1] * 1.001
        ]
        assert np.abs(np.array(near) - loss).min() < 1e-3


def test_curves_along_sizes_are_at_the_longest_length_that_most_sizes_have(fit, runs):
    assert curves_of(fit, "t0", MODEL_SIZE, runs).tokens == pytest.approx(4e9)
    assert curves_of(fit, "t0", TOKENS, runs).tokens is None


def test_what_lies_beyond_the_fit_is_marked(fit, runs):
    for curve in curves_of(fit, "t0", MODEL_SIZE, runs).curves:  # fitted on 1e8 to 1e9
        assert curve.beyond.tolist() == (curve.x < 0.999e8).tolist()


def test_without_a_domain_the_one_that_matters_is_taken():
    made = random_fit("additive", 3, 1, 5)
    params = made.targets["t0"].params
    # The middle domain alone changes the loss.
    params["C"][:] = [1.0, 30.0, 1.0]
    params["gamma"][:] = 1.0
    assert curves_of(made, "t0", TOKENS).domain == "d1"


def test_an_unknown_domain(fit, runs):
    with pytest.raises(UsageError) as caught:
        curves_of(fit, "t0", TOKENS, runs, "d3")
    assert str(caught.value) == (
        "domain 'd3': the fit has no such domain. Did you mean 'd1'? Its domains are d0, d1."
    )
