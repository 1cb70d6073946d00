"""The best mixture by the mean, or an upper quantile, of the loss over resamples."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from random_fits import dirichlet, random_fit

from mixfit.base.errors import UsageError
from mixfit.fitting.discrepancy import Discrepancy, Kernel, Points
from mixfit.fitting.uncertainty import Errors, Noise, Resamples, widening
from mixfit.mixture.constraints import Constraints
from mixfit.mixture.losses_of_h import LossesOfH
from mixfit.mixture.objective import WeightedLoss
from mixfit.mixture.planner import Planner, optimize

K, COUNT, BUDGET = 4, 25, (7e9, 1e11)
SHARES = {"t0": 0.7, "t1": 0.3}


def resampled_fit(law="additive", spread=0.3):
    """A fit with resamples whose parameters in h are multiplied by random numbers.

    With "+" after the name of the law what it leaves is added to predictions of the first target.
    """
    fit = random_fit(law.removesuffix("+"), K, 2, 5)
    if law.endswith("+"):
        seen = np.random.default_rng(3)
        points = Points(
            seen.dirichlet(np.ones(K), 6), np.arange(6), np.full(6, 7e9), np.full(6, 1e11)
        )
        kernel = Kernel(mixture=0.5, everywhere=3.0, common_tokens=0.5)
        (left,) = Discrepancy.of(kernel, points, 0.05 * seen.standard_normal((1, 6)))
        fit = replace(
            fit, targets={**fit.targets, "t0": replace(fit.targets["t0"], discrepancy=left)}
        )
    rng = np.random.default_rng(1)
    params = {}
    for target, own in fit.targets.items():
        params[target] = {name: np.repeat(x[None], COUNT, axis=0) for name, x in own.params.items()}
        draws = np.exp(spread * rng.standard_normal((COUNT, K)))
        params[target]["C"] = params[target]["C"] * draws
    noise = Errors(None, None, dict.fromkeys(fit.targets, Noise(0.1, 0.1, 0.1)))
    data = replace(fit.data, mixtures=30)
    return replace(fit, resamples=Resamples(0, params), errors=noise, data=data)


def each_loss(fit, h):
    """The weighted loss that each resample predicts, by its formula, (count,)."""
    N, D = (np.array([x]) for x in BUDGET)
    total = np.zeros(COUNT)
    for target, share in SHARES.items():
        total += share * fit.resamples.predict(fit.targets[target], N, D, h[None])[:, 0]
    return total


def objective(fit, above):
    losses = LossesOfH(fit, list(SHARES), resamples=True).at(*BUDGET)
    return WeightedLoss(losses, np.array(list(SHARES.values())), above=above)


@pytest.mark.parametrize("law", ["additive", "joint", "coupled", "additive+"])
def test_the_risks_are_those_of_the_predictions(law):
    fit, h = resampled_fit(law), dirichlet(K, 3)
    losses = each_loss(fit, h)
    assert objective(fit, 0.0).value(h) == pytest.approx(losses.mean(), rel=1e-12)
    upper = losses.mean() + 1.5 * losses.std()
    assert objective(fit, 1.5).value(h) == pytest.approx(upper, rel=1e-12)


@pytest.mark.parametrize("above", [0.0, 1.3])
@pytest.mark.parametrize("law", ["additive", "joint", "additive+"])
def test_derivatives_are_exact(law, above):
    function, h = objective(resampled_fit(law), above), dirichlet(K, 4)
    rng = np.random.default_rng(0)
    for _ in range(5):
        way = rng.standard_normal(K)
        way -= way.mean()  # derivatives are along the simplex
        step = 1e-5 * way
        _, slope = function.gradient(h)
        across = (function.value(h + step) - function.value(h - step)) / 2e-5
        assert slope @ way == pytest.approx(across, rel=1e-6, abs=1e-8)
        bend = (function.gradient(h + step)[1] - function.gradient(h - step)[1]) @ way / 2e-5
        assert way @ function.curvature(h) @ way == pytest.approx(bend, rel=1e-5, abs=1e-7)


def test_resamples_that_are_all_alike_change_nothing():
    fit = resampled_fit(spread=0.0)
    plain = optimize(fit, model_size=7e9, tokens=1e11)
    for risk in ("mean", "upper"):
        found = optimize(fit, model_size=7e9, tokens=1e11, risk=risk)
        np.testing.assert_allclose(found.weights, plain.weights, atol=1e-5)
        assert found.loss == pytest.approx(plain.loss, rel=1e-7)
        assert found.risk == risk


@pytest.mark.parametrize("risk", ["mean", "upper"])
def test_no_mixture_has_a_lower_risk(risk):
    fit = resampled_fit(spread=0.6)
    found = Planner(fit, SHARES, risk=risk).best(*BUDGET)
    assert found.certified
    wide = np.mean([widening(fit, target) for target in SHARES])
    above = NormalDist().inv_cdf(0.9) * wide if risk == "upper" else 0.0

    def value(h):
        losses = each_loss(fit, h)
        return losses.mean() + above * losses.std()

    assert found.objective == pytest.approx(value(found.weights), rel=1e-9)
    # The loss is still what the fit predicts.
    assert found.loss == pytest.approx(
        sum(share * found.predicted_loss[target] for target, share in SHARES.items())
    )
    others = np.random.default_rng(2).dirichlet(np.ones(K), 300)
    near = 0.98 * found.weights + 0.02 * others
    assert min(value(h) for h in (*others, *near)) >= found.objective - 1e-12
    plain = Planner(fit, SHARES).best(*BUDGET)
    assert value(plain.weights) > found.objective + 1e-6


def test_a_study_compares_with_the_lowest_prediction():
    fit = resampled_fit(spread=0.6)
    planner = Planner(fit, SHARES, Constraints(max={"d0": 0.4}), risk="upper")
    best = planner.best(*BUDGET)
    start = np.full(K, 0.25)
    study = planner.study(best, least_change=start)
    (plain,) = (b for b in study.baselines if b.name == "lowest prediction")
    expected = Planner(fit, SHARES, Constraints(max={"d0": 0.4})).best(*BUDGET)
    np.testing.assert_allclose(plain.weights, expected.weights, atol=1e-5)
    assert plain.loss < best.loss
    # As nearly as good by the risk, and not by the prediction.
    risk = planner.question.at(*BUDGET).objective
    changed = study.least_change.weights
    assert risk.value(changed) <= best.objective * 1.002 * (1 + 1e-9)


def test_a_risk_that_cannot_be():
    fit = resampled_fit()
    with pytest.raises(UsageError, match=r"^risk uper: there is no such risk\. Did you mean"):
        Planner(fit, risk="uper")
    with pytest.raises(UsageError, match=r"the fit has none\. Make it with "):
        Planner(replace(fit, resamples=None), risk="mean")
    broken = fit.resamples.params["t0"]["E"].copy()
    broken[3] = np.inf
    params = {**fit.resamples.params, "t0": {**fit.resamples.params["t0"], "E": broken}}
    lost = replace(fit, resamples=Resamples(0, params))
    with pytest.raises(UsageError, match="resamples of the fit predict losses that are not finite"):
        optimize(lost, model_size=7e9, tokens=1e11, risk="mean")
