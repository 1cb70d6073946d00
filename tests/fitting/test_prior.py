"""What the prior adds to the objective, and what it leaves to the rows."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import D_UNIT, N_UNIT, K, draw_theta

from mixfit.fitting.prior import effective_parameters, pooling
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula

POOLABLE = [law for law in CATALOGUE.values() if law.poolable]


def from_mean(values):
    return np.sum((values - values.mean()) ** 2)


def test_its_value_written_plainly():
    formula = Formula(CATALOGUE["coupled-joint"], K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, np.random.default_rng(0))
    p = formula.natural(theta)
    expected = from_mean(np.log(p["gamma"])) + 0.01 * from_mean(np.log(p["C"]))
    for name in "AB":  # the logs of the values for a domain alone
        expected += from_mean(p[f"gamma_{name}"][0] * np.log(p[f"C_{name}"]))
    penalty = pooling(formula, 0.3)
    assert penalty.value(theta) == pytest.approx(0.15 * expected)


def test_an_additive_law_pulls_its_shapes_alone():
    formula = Formula(CATALOGUE["additive"], K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, np.random.default_rng(1))
    p = formula.natural(theta)
    expected = from_mean(np.log(p["gamma"])) + 0.01 * from_mean(np.log(p["C"]))
    assert pooling(formula, 2.0).value(theta) == pytest.approx(expected)


@pytest.mark.parametrize("law", POOLABLE, ids=lambda law: law.name)
def test_its_derivatives_against_differences(law):
    formula = Formula(law, K, N_UNIT, D_UNIT)
    penalty, theta = pooling(formula, 0.7), draw_theta(formula, np.random.default_rng(2))
    gradient = penalty.gradient(theta)
    for i, step in enumerate(1e-4 * np.eye(formula.size)):
        above, below = theta + step, theta - step
        slope = (penalty.value(above) - penalty.value(below)) / 2e-4
        assert slope == pytest.approx(gradient[i], abs=1e-8)
        slopes = (penalty.gradient(above) - penalty.gradient(below)) / 2e-4
        np.testing.assert_allclose(slopes, penalty.matrix[i], atol=1e-8)
    assert np.linalg.eigvalsh(penalty.matrix).min() > -1e-12


def test_nothing_is_added_where_nothing_is_pooled():
    assert pooling(Formula(CATALOGUE["additive"], K), 0.0) is None
    assert pooling(Formula(CATALOGUE["chinchilla"], K), 1.0) is None


def test_domains_that_are_alike_cost_nothing():
    formula = Formula(CATALOGUE["additive"], K)
    theta = draw_theta(formula, np.random.default_rng(3))
    for name in ("C", "gamma"):
        theta[formula.slices[name]] = 0.4
    assert pooling(formula, 1.0).value(theta) == pytest.approx(0.0, abs=1e-15)


def test_effective_parameters_go_from_all_to_one():
    """With rows that say as much of every number, k numbers share one mean at the most."""
    formula = Formula(CATALOGUE["additive"], K)
    of_rows = np.eye(formula.size)
    for strength, expected in ((1e-9, K), (1e9, 1.0)):
        counts = effective_parameters(formula, of_rows, pooling(formula, strength))
        assert set(counts) == {"C", "gamma"}
        for count in counts.values():
            assert count == pytest.approx(expected, abs=1e-6)
    counts = effective_parameters(formula, of_rows, pooling(formula, 1.0))
    assert counts["gamma"] == pytest.approx(1 + (K - 1) / 2)
    assert counts["C"] == pytest.approx(1 + (K - 1) / 1.01)
