"""The regressions that laws are compared with."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from mixfit.base.errors import NotApplicableError, UsageError
from mixfit.evaluation import regressors
from mixfit.evaluation.regressors import fit_ridge, fit_scheffe, fit_trees
from mixfit.runs.target_rows import TargetRows


def rows_of(count=30, noise=0.0, lengths=(2e9, 8e9), seed=0):
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(4), count)
    mixture = np.tile(np.arange(count), len(lengths))
    D = np.repeat(lengths, count)
    h = mixtures[mixture]
    loss = 3.0 - h @ [1.0, 0.5, 0.2, 0.0] - 0.1 * np.log(D / 1e9) + noise * rng.normal(size=len(D))
    return TargetRows(
        "math", ("a", "b", "c", "d"), np.full(len(D), 1e8), D, loss, mixture, mixtures
    )


def predict(fitted, rows):
    return fitted.predict(rows.N, rows.D, rows.h)


def test_ridge_finds_a_linear_function():
    fitted = fit_ridge(rows_of(), np.random.default_rng(0))
    new = rows_of(10, seed=1)
    np.testing.assert_allclose(predict(fitted, new), new.loss, rtol=1e-5)
    assert fitted.parameters == 6  # four weights, log D, and the level


def blended(rows, noise=0.0):
    """Rows whose losses have two products of weights in them."""
    h, rng = rows.h, np.random.default_rng(9)
    pairs = 2.0 * h[:, 0] * h[:, 1] - 1.5 * h[:, 2] * h[:, 3]
    return replace(rows, loss=rows.loss + pairs + noise * rng.normal(size=len(h)))


def test_scheffe2_finds_products_of_weights():
    fitted = fit_scheffe(blended(rows_of(40)), np.random.default_rng(0))
    new = blended(rows_of(10, seed=1))
    np.testing.assert_allclose(predict(fitted, new), new.loss, rtol=1e-4)
    assert fitted.parameters <= 4 + 6 + 1 + 1  # weights, products, log D, and the level


def test_scheffe2_of_few_rows_with_noise_leaves_slopes_out():
    rows = blended(rows_of(25, lengths=(2e9,)), noise=0.05)
    fitted = fit_scheffe(rows, np.random.default_rng(0))
    assert 1 < fitted.parameters <= 4 + 6 + 1
    new = blended(rows_of(50, lengths=(2e9,), seed=1))
    linear = fit_ridge(rows, np.random.default_rng(0))
    errors = [np.abs(predict(f, new) - new.loss).mean() for f in (fitted, linear)]
    assert errors[0] < 0.8 * errors[1]


def test_the_lasso_meets_its_conditions_of_optimality():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=40)
    x[:, 5] = 0.0
    penalties = np.abs(x.T @ y / 40).max() * regressors._LASSO_SHARES
    for slope, penalty in zip(regressors._lasso_slopes(x, y), penalties, strict=True):
        pull = x.T @ (y - x @ slope) / 40
        inside = np.abs(pull[slope == 0]) <= penalty * (1 + 1e-3) + 1e-6
        assert inside.all()
        np.testing.assert_allclose(
            pull[slope != 0], penalty * np.sign(slope[slope != 0]), atol=1e-3
        )


def test_ridge_leaves_out_what_does_not_vary():
    assert fit_ridge(rows_of(lengths=(2e9,)), np.random.default_rng(0)).parameters == 5


def test_ridge_shrinks_noise():
    rng = np.random.default_rng(0)
    rows = rows_of(12, lengths=(2e9,))
    noise = replace(rows, loss=2.0 + 0.1 * rng.normal(size=12))
    spread = np.ptp(predict(fit_ridge(noise, rng), rows))
    assert spread < 0.5 * np.ptp(noise.loss)


def test_ridge_of_one_mixture_is_its_mean():
    rows = rows_of(1)
    fitted = fit_ridge(rows, np.random.default_rng(0))
    assert np.all(np.isfinite(predict(fitted, rows)))


def test_ridge_validates_on_mixtures_not_on_rows(monkeypatch):
    rows = rows_of(10)
    seen = []

    def slopes(x, y):
        seen.append(len(y))
        return np.zeros((len(regressors._PENALTIES), x.shape[1]))

    monkeypatch.setattr(regressors, "_ridge_slopes", slopes)
    fit_ridge(rows, np.random.default_rng(0))
    # Five folds of two mixtures with two rows each, then all rows.
    assert seen == [16] * 5 + [20]


def test_trees_learn_and_are_reproducible():
    pytest.importorskip("lightgbm")
    rows, new = rows_of(200, 0.01), rows_of(50, seed=1)
    fitted = fit_trees(rows, np.random.default_rng(3))
    again = fit_trees(rows, np.random.default_rng(3))
    error = np.abs(predict(fitted, new) - new.loss).mean()
    assert error < 0.5 * np.abs(rows.loss.mean() - new.loss).mean()
    np.testing.assert_array_equal(predict(fitted, new), predict(again, new))
    assert fitted.parameters is None


def test_trees_stop_early_on_mixtures_that_take_no_part_in_growing(monkeypatch):
    lightgbm = pytest.importorskip("lightgbm")
    calls = []
    train = lightgbm.train

    def spy(settings, data, **options):
        booster = train(settings, data, **options)
        valid = [v.num_data() for v in options.get("valid_sets", ())]
        calls.append((settings, data.num_data(), valid, options, booster))
        return booster

    monkeypatch.setattr(lightgbm, "train", spy)
    fitted = fit_trees(rows_of(50), np.random.default_rng(0))
    *tried, (settings, rows, _, options, _) = calls
    assert [(grown, valid) for _, grown, valid, _, _ in tried] == [(80, [20])] * len(tried)
    names = ("min_data_in_leaf", "num_leaves", "learning_rate")
    assert tuple(tuple(own[n] for n in names) for own, *_ in tried) == regressors._SETTINGS
    # The one with the lowest error on the mixtures left out, grown on all rows as long.
    best = min(tried, key=lambda call: call[-1].best_score["valid_0"]["l2"])
    assert (settings, rows) == (best[0], 100)
    assert options["num_boost_round"] == best[-1].best_iteration == fitted.booster.num_trees()


def test_trees_learn_from_few_rows():
    pytest.importorskip("lightgbm")
    rows, new = rows_of(24, lengths=(2e9,)), rows_of(40, lengths=(2e9,), seed=1)
    error = np.abs(predict(fit_trees(rows, np.random.default_rng(0)), new) - new.loss).mean()
    assert error < 0.7 * np.abs(rows.loss.mean() - new.loss).mean()


def test_trees_need_two_mixtures():
    pytest.importorskip("lightgbm")
    with pytest.raises(NotApplicableError) as caught:
        fit_trees(rows_of(1), np.random.default_rng(0))
    assert str(caught.value) == "it needs two mixtures or more, one of them to stop early on"


def test_without_lightgbm_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(UsageError) as caught:
        fit_trees(rows_of(), np.random.default_rng(0))
    assert str(caught.value) == (
        "'trees' needs LightGBM, which is not installed: pip install 'mixfit[trees]'."
    )
