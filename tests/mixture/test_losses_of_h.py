"""The losses as functions of h: every law's values, slopes and second derivatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_fits import dirichlet, fit_of, random_fit

from mixfit.fitting.discrepancy import Discrepancy, Kernel, Points
from mixfit.laws.catalogue import CATALOGUE
from mixfit.mixture.losses_of_h import LossesOfH
from mixfit.mixture.objective import WeightedLoss
from mixfit.simplex.minimise import minimise
from mixfit.simplex.polytope import Polytope

N, D = 1e9, 2e10
K = 6

every_law = pytest.mark.parametrize("law", CATALOGUE)


def losses_of(fit):
    return LossesOfH(fit, list(fit.targets)).at(N, D)


def predicted(fit, h):
    return np.ravel(
        [t.predict(np.array([N]), np.array([D]), h[None]) for t in fit.targets.values()]
    )


def all_power_means(fit):
    return not LossesOfH(fit, list(fit.targets)).odd


@every_law
def test_derivatives_match_finite_differences(law):
    fit = random_fit(law, K, 3, 1)
    losses = losses_of(fit)
    h, weights = dirichlet(K, 2), np.array([0.2, 0.3, 0.5])
    move = np.random.default_rng(3).normal(size=K)
    move -= move.mean()
    move *= 1e-4 * h.min()
    values, gradients = losses.gradients(h)
    np.testing.assert_allclose(values, predicted(fit, h), rtol=1e-12)
    np.testing.assert_allclose(losses.values(h), values, rtol=1e-14)
    change = (losses.values(h + move) - losses.values(h - move)) / 2
    np.testing.assert_allclose(gradients @ move, change, rtol=1e-5, atol=1e-14)
    turn = weights @ (losses.gradients(h + move)[1] - losses.gradients(h - move)[1]) / 2
    bent = losses.curvature(h, weights) @ move
    # Of coefficients that are no power means, second derivatives are differences of slopes.
    rtol = 1e-5 if all_power_means(fit) else 1e-4
    np.testing.assert_allclose(bent - bent.mean(), turn - turn.mean(), rtol=rtol, atol=1e-12)


def with_discrepancies(fit):
    """Add what a law would have left at some mixtures to each target of a fit but the last."""
    rng = np.random.default_rng(7)
    points = Points(
        rng.dirichlet(np.ones(K), 5),
        np.repeat(range(5), 2),
        np.full(10, N),
        D * rng.uniform(size=10),
    )
    kernel = Kernel(mixture=0.5, tokens=2.0, everywhere=3.0, by_tokens=1.0, common_tokens=0.5)
    left = 0.02 * rng.normal(size=(len(fit.targets) - 1, 10))
    found = dict(zip(fit.targets, Discrepancy.of(kernel, points, left), strict=False))
    targets = {name: replace(own, discrepancy=found.get(name)) for name, own in fit.targets.items()}
    return replace(fit, targets=targets)


def test_what_a_law_leaves_is_added_with_its_derivatives():
    alone = random_fit("coupled", K, 3, 1)
    fit = with_discrepancies(alone)
    losses, h, weights = losses_of(fit), dirichlet(K, 2), np.array([0.2, 0.3, 0.5])
    values, gradients = losses.gradients(h)
    np.testing.assert_allclose(values, predicted(fit, h), rtol=1e-12)
    np.testing.assert_allclose(losses.values(h), values, rtol=1e-14)
    added = values - losses_of(alone).values(h)
    assert np.all(added[:2] != 0)
    assert added[2] == 0
    move = 1e-5 * (np.eye(K)[0] - np.eye(K)[1])
    change = (losses.values(h + move) - losses.values(h - move)) / 2
    np.testing.assert_allclose(gradients @ move, change, rtol=1e-5, atol=1e-14)
    turn = weights @ (losses.gradients(h + move)[1] - losses.gradients(h - move)[1]) / 2
    bent = losses.curvature(h, weights) @ move
    np.testing.assert_allclose(bent - bent.mean(), turn - turn.mean(), rtol=1e-5, atol=1e-12)
    proven = losses_of(alone).convex(np.ones(K, bool))
    assert losses.convex(np.ones(K, bool)).tolist() == [False, False, proven[2]]


@every_law
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_those_of_the_formula(law, seed):
    fit = random_fit(law, K, 2, seed)
    h = dirichlet(K, seed)
    _, gradients = losses_of(fit).gradients(h)
    for gradient, target in zip(gradients, fit.targets.values(), strict=True):
        formula, theta = target.formula()
        if formula.k != K:  # a law without a number for every domain does not tell k
            continue
        expected = formula.weight_gradient(theta, np.array([N]), np.array([D]), h[None])[0]
        off = (gradient - h @ gradient) - (expected - h @ expected)
        assert np.abs(off).max() <= 1e-8 * np.abs(expected).max()


@every_law
@pytest.mark.parametrize("seed", range(3))
def test_what_is_proven_convex_is(law, seed):
    fit = random_fit(law, K, 3, seed)
    losses = losses_of(fit)
    convex = losses.convex(np.ones(K, bool))
    rng = np.random.default_rng(seed)
    for one, other in 0.999 * rng.dirichlet(np.full(K, 0.5), (200, 2)) + 0.001 / K:
        middle = losses.values((one + other) / 2)
        ends = (losses.values(one) + losses.values(other)) / 2
        assert np.all(middle[convex] <= ends[convex] * (1 + 1e-12))


def test_convexity_is_told_from_the_exponents():
    rest = {"E": 1.0, "A": 100.0, "alpha": 0.3, "B": 500.0, "beta": 0.3, "C": [1.0, 2.0]}
    inner = {"below": [0.5, 0.9], "one": [1.0, 1.0], "above": [0.5, 1.1]}
    fit = fit_of("additive", ["a", "b"], {t: {"gamma": g, **rest} for t, g in inner.items()})
    convex = losses_of(fit).convex(np.ones(2, bool))
    assert dict(zip(fit.targets, convex, strict=True)) == {
        "below": True,
        "one": True,
        "above": False,
    }
    assert losses_of(fit).convex(np.array([True, False])).all()
    outer = {"negative": -0.7, "concave": 0.7, "linear": 1.0, "convex": 1.5}
    fit = fit_of("simple", ["a", "b"], {t: {"gamma": g, **rest} for t, g in outer.items()})
    convex = losses_of(fit).convex(np.ones(2, bool))
    assert dict(zip(fit.targets, convex, strict=True)) == {
        "negative": True,
        "concave": False,
        "linear": True,
        "convex": True,
    }


@pytest.mark.parametrize("outer", [1e6, -1e6, 1e5, -3e4, 1e3, 1.0])
def test_outer_exponents_without_limit_lose_no_digits(outer):
    """The value is exp(sum b_i h_i) in the limit, and C_i = exp(b_i / outer) are all near 1."""
    b = np.array([0.3, -0.2, 1.1])
    params = {"E": 0.0, "A": 1e-9, "alpha": 0.3, "B": 1e-9, "beta": 0.3}
    fit = fit_of(
        "simple", ["a", "b", "c"], {"t": {**params, "C": np.exp(b / outer), "gamma": outer}}
    )
    h = dirichlet(3, 4)
    s = 1 / outer
    centre = h @ b
    mean = centre + np.log1p(h @ np.expm1(s * (b - centre))) / s
    values, gradients = losses_of(fit).gradients(h)
    np.testing.assert_allclose(values[0], np.exp(mean), rtol=1e-9)
    expected = values[0] * np.expm1(s * (b - mean)) / s
    np.testing.assert_allclose(gradients[0], expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("law", ["ye-m1", "ye-m4", "bimix-sum", "autoscale", "coupled-linear"])
def test_the_lowest_loss_of_other_coefficients(law):
    fit = random_fit(law, 5, 2, 4)
    function = WeightedLoss(losses_of(fit), np.full(2, 0.5))
    best = minimise(function, Polytope.simplex(5))
    assert best.gap <= 1e-6 * abs(best.value)
    for h in np.random.default_rng(0).dirichlet(np.full(5, 0.7), 300):
        assert function.value(np.maximum(h, 1e-9)) >= best.value - 1e-9


def test_targets_of_several_forms_stand_side_by_side():
    """As where a target's rows have one N: its terms are stacked with those of its own form."""
    joint = random_fit("joint", 4, 2, 0)
    one_N = random_fit("joint", 4, 1, 1).targets["t0"]
    form = one_N.form.identified(one_model_size=True, one_token_count=False)
    kept = {param.name: one_N.params[param.name] for param in form.groups}
    targets = joint.targets | {"fixed": replace(one_N, form=form, params=kept)}
    fit = type(joint)(joint.law, joint.domains, joint.options, joint.data, targets)
    h = dirichlet(4, 1)
    np.testing.assert_allclose(losses_of(fit).values(h), predicted(fit, h), rtol=1e-12)
