"""What the prior adds to the objective, and what it leaves to the rows."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import D_UNIT, N_UNIT, K, draw_theta

from mixfit.fitting.prior import centres, effective_parameters, pooling, redrawn, shapes_of
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import Pool

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
    penalty = pooling(formula, Pool(0.3))
    assert penalty.value(theta) == pytest.approx(0.15 * expected)


def test_an_additive_law_pulls_its_shapes_alone():
    formula = Formula(CATALOGUE["additive"], K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, np.random.default_rng(1))
    p = formula.natural(theta)
    expected = from_mean(np.log(p["gamma"])) + 0.01 * from_mean(np.log(p["C"]))
    assert pooling(formula, Pool(2.0)).value(theta) == pytest.approx(expected)


@pytest.mark.parametrize("law", POOLABLE, ids=lambda law: law.name)
def test_its_derivatives_against_differences(law):
    formula = Formula(law, K, N_UNIT, D_UNIT)
    theta, *others = (draw_theta(formula, np.random.default_rng(seed)) for seed in range(2, 5))
    goal, *_ = centres(
        [shapes_of(formula, x, own) for x, own in zip([theta, *others], (0, 1, None), strict=True)]
    )
    penalty = pooling(formula, Pool(0.7, 0.2, 0.1, 0.3), goal)
    gradient = penalty.gradient(theta)
    for i, step in enumerate(1e-4 * np.eye(formula.size)):
        above, below = theta + step, theta - step
        slope = (penalty.value(above) - penalty.value(below)) / 2e-4
        assert slope == pytest.approx(gradient[i], abs=1e-8)
        slopes = (penalty.gradient(above) - penalty.gradient(below)) / 2e-4
        np.testing.assert_allclose(slopes, penalty.matrix[i], atol=1e-8)
    assert np.linalg.eigvalsh(penalty.matrix).min() > -1e-12


def test_exponents_are_pulled_to_what_is_usual():
    formula = Formula(CATALOGUE["coupled"], K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, np.random.default_rng(2))
    p = formula.natural(theta)
    expected = np.log(p["alpha"][0] / 0.3) ** 2 + np.log(p["beta"][0] / 0.3) ** 2
    assert pooling(formula, Pool(usual=0.2)).value(theta) == pytest.approx(0.1 * expected)


def test_what_is_usual_is_drawn_anew():
    formula, pool = Formula(CATALOGUE["coupled"], K, N_UNIT, D_UNIT), Pool(0.1, usual=0.2)
    penalty, rng = pooling(formula, pool), np.random.default_rng(3)
    places = [formula.slices[name].start for name in ("alpha", "beta")]
    lowest = []
    for _ in range(400):
        drawn = redrawn(penalty, formula, pool, rng)
        theta = np.linalg.pinv(drawn.matrix) @ drawn.pull
        lowest.append(theta[places])
        assert drawn.value(theta) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(np.mean(lowest, axis=0), np.log(0.3), atol=0.1)
    np.testing.assert_allclose(np.std(lowest, axis=0), 0.5, atol=0.05)
    assert redrawn(pooling(formula, Pool(0.1)), formula, Pool(0.1), rng).pull.max() == 0.0


def test_nothing_is_added_where_nothing_is_pooled():
    assert pooling(Formula(CATALOGUE["additive"], K), Pool(0.0)) is None
    assert pooling(Formula(CATALOGUE["chinchilla"], K), Pool(1.0)) is None


def test_domains_that_are_alike_cost_nothing():
    formula = Formula(CATALOGUE["additive"], K)
    theta = draw_theta(formula, np.random.default_rng(3))
    for name in ("C", "gamma"):
        theta[formula.slices[name]] = 0.4
    assert pooling(formula, Pool(1.0)).value(theta) == pytest.approx(0.0, abs=1e-15)


def test_effective_parameters_go_from_all_to_one():
    """With rows that say as much of every number, k numbers share one mean at the most."""
    formula = Formula(CATALOGUE["additive"], K)
    of_rows = np.eye(formula.size)
    for strength, expected in ((1e-9, K), (1e9, 1.0)):
        counts = effective_parameters(formula, of_rows, pooling(formula, Pool(strength)))
        assert set(counts) == {"C", "gamma"}
        for shares in counts.values():
            assert shares.sum() == pytest.approx(expected, abs=1e-6)
    counts = effective_parameters(formula, of_rows, pooling(formula, Pool(1.0)))
    assert counts["gamma"].sum() == pytest.approx(1 + (K - 1) / 2)
    assert counts["C"].sum() == pytest.approx(1 + (K - 1) / 1.01)


class TestAcrossTargets:
    """Three targets of four domains, of which the first two are domains themselves."""

    OWN = (0, 1, None)

    def drawn(self, law="coupled"):
        formula = Formula(CATALOGUE[law], K, N_UNIT, D_UNIT)
        return formula, [draw_theta(formula, np.random.default_rng(seed)) for seed in range(3)]

    def goals(self, formula, thetas):
        pairs = zip(thetas, self.OWN, strict=True)
        return centres([shapes_of(formula, theta, own) for theta, own in pairs])

    def test_its_value_written_plainly(self):
        formula, thetas = self.drawn()
        first, *others = (formula.natural(theta) for theta in thetas)
        expected = 0.0
        for name, pull in (("gamma", 0.2), ("C", 0.02)):
            rows = [np.log(p[name]) for p in (first, *others)]
            if name == "C":  # each target has its own level
                rows = [row - np.median(row) for row in rows]
            rows[1][1] = np.nan  # the second target is the second domain
            own = rows[0][1:]  # and the first the first
            rows = np.array(rows[1:])
            away = own - np.nanmedian(rows, axis=0)[1:]
            if name == "C":
                away -= away.mean()
            expected += pull / 2 * np.sum(away**2)
        exponents = (("alpha", np.log), ("beta", np.log), ("delta", np.array), ("eta", np.array))
        for name, internal in exponents:
            median = np.median([internal(p[name][0]) for p in others])
            expected += 0.1 / 2 * (internal(first[name][0]) - median) ** 2
        goal = self.goals(formula, thetas)[0]
        penalty = pooling(formula, Pool(0.0, 0.2, 0.1), goal)
        assert penalty.value(thetas[0]) == pytest.approx(expected)

    def test_targets_that_are_alike_cost_nothing(self):
        formula, (theta, *_) = self.drawn()
        for goal in self.goals(formula, [theta] * 3):
            penalty = pooling(formula, Pool(0.0, 0.5, 0.5), goal)
            assert penalty.value(theta) == pytest.approx(0.0, abs=1e-12)

    def test_units_of_the_loss_do_not_matter(self):
        """A target whose losses are twice as large lends and borrows the same shapes."""
        formula, thetas = self.drawn("additive")
        before = [pooling(formula, Pool(0, 0.3), goal) for goal in self.goals(formula, thetas)]
        values = [p.value(theta) for p, theta in zip(before, thetas, strict=True)]
        twice = [formula.rescaled(theta, np.full(4, 2.0)) for theta in thetas]
        after = [pooling(formula, Pool(0, 0.3), goal) for goal in self.goals(formula, twice)]
        again = [p.value(theta) for p, theta in zip(after, twice, strict=True)]
        np.testing.assert_allclose(again, values, rtol=1e-9)

    def test_a_target_with_another_form_lends_what_it_has(self):
        formula, thetas = self.drawn()
        fixed = Formula(
            CATALOGUE["coupled"].identified(one_model_size=True, one_token_count=False), K
        )
        theta = draw_theta(fixed, np.random.default_rng(7))
        goals = centres([shapes_of(formula, thetas[0], None), shapes_of(fixed, theta, None)])
        assert set(goals[0]) == set(goals[1]) == {"C", "gamma", "delta", "beta"}
