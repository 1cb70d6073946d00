"""Pooling: what it does to fits, and how its strengths are chosen by mixtures held out."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import free, told_executor

from mixfit import load_fit, save_fit
from mixfit.evaluation.compare import compare_laws
from mixfit.fitting.fit import fit, target_fit
from mixfit.fitting.options import FitOptions
from mixfit.fitting.pooling import ACROSS, EXPONENTS
from mixfit.fitting.result import Trial
from mixfit.fitting.search import GRID, TargetSearch
from mixfit.laws.catalogue import ADDITIVE, CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import USUAL, Pool, PooledLaw, assuming
from mixfit.runs.runs import Runs
from mixfit.runs.splits import split_folds
from mixfit.runs.target_rows import TargetRows

QUICK = FitOptions(restarts=3, hops=2)
FASTEST = FitOptions(restarts=1, hops=0)


def true_losses(spread, h, seed=1):
    """Losses of an additive law at one N and D, whose log gamma_i have a spread."""
    rng = np.random.default_rng(seed)
    k = h.shape[1]
    away = rng.standard_normal(k)
    params = {
        "E": np.array([1.5]),
        "C": np.exp(0.5 * rng.standard_normal(k)),
        "gamma": 0.6 * np.exp(spread * (away - away.mean())),
    }
    form = ADDITIVE.identified(one_model_size=True, one_token_count=True)
    formula = Formula(form, k)
    ones = np.ones(len(h))
    return formula.predict(formula.internal(params), ones, ones, h)


def make_runs(spread, mixtures=14, k=6, noise=0.004, targets=("math",), seed=0):
    rng = np.random.default_rng(seed)
    h = rng.dirichlet(np.ones(k), mixtures)
    losses = {
        target: true_losses(spread, h, number) * np.exp(noise * rng.standard_normal(mixtures))
        for number, target in enumerate(targets, start=1)
    }
    return Runs.from_arrays(1e8, 1e9, h, losses, list("abcdefgh"[:k]))


def error_on_new_mixtures(fitted, spread, k=6):
    h = np.random.default_rng(9).dirichlet(np.ones(k), 60)
    errors = [
        np.abs(fitted.predict(1e8, 1e9, h)[target] / true_losses(spread, h, number) - 1).mean()
        for number, target in enumerate(fitted.targets, start=1)
    ]
    return 100 * np.mean(errors)


def test_more_pooling_brings_shapes_nearer_and_fits_less():
    search = TargetSearch(TargetRows.of(make_runs(0.5, mixtures=30), "math"), QUICK)
    spreads, hubers = [], []
    for strength in (0.0, 1e-3, 1e-1, 10.0):
        fitted = target_fit(search, PooledLaw(ADDITIVE, Pool(strength)))
        spreads.append(np.ptp(np.log(fitted.params["gamma"])))
        hubers.append(fitted.huber)
    assert spreads == sorted(spreads, reverse=True)
    assert hubers == sorted(hubers)
    assert spreads[-1] < 0.01
    assert spreads[0] > 0.5


def test_few_mixtures_predict_better_pooled():
    """As many mixtures as parameters: the free fit interpolates them."""
    runs = make_runs(0.1, targets=("math", "code", "web", "news"))
    alone = error_on_new_mixtures(fit(runs, free("additive"), options=QUICK), 0.1)
    pooled = fit(runs, "additive", options=QUICK)
    assert pooled.law.pool.domains > 0
    assert error_on_new_mixtures(pooled, 0.1) < 0.7 * alone


def test_many_mixtures_are_hardly_pooled():
    runs = make_runs(1.0, mixtures=100, noise=0.002)
    pooled = fit(runs, "additive", options=QUICK)
    assert pooled.law.pool.domains <= 0.003
    alone = error_on_new_mixtures(fit(runs, free("additive"), options=QUICK), 1.0)
    assert error_on_new_mixtures(pooled, 1.0) < 1.1 * alone


def test_more_pooling_brings_targets_nearer():
    runs = make_runs(0.5, mixtures=30, targets=("math", "code", "web"))
    spreads = []
    for strength in (0.0, 1e-2, 1.0, 100.0):
        law = PooledLaw(ADDITIVE, Pool(0.0, strength, 1e-6))
        fitted = fit(runs, law, options=QUICK)
        shapes = [np.log(target.params["gamma"]) for target in fitted.targets.values()]
        spreads.append(float(np.ptp(shapes, axis=0).mean()))
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 0.5 * spreads[0]


def test_a_fit_says_how_much_the_rows_decided():
    fitted = fit(make_runs(0.1), "additive:0.1", options=QUICK)
    effective = fitted.targets["math"].effective
    assert set(effective) == {"C", "gamma"}
    assert 1 <= effective["gamma"] < 5
    assert effective["gamma"] < effective["C"] <= 6 + 1e-9
    (note,) = (note for note in fitted.notes if note.code == "pooled")
    assert note.text == (
        f"pooled with strength 0.1: the rows decide {effective['C']:.1f} of 6 C,"
        f" {effective['gamma']:.1f} of 6 gamma of a target"
    )
    alone = fit(make_runs(0.1), free("additive"), options=FASTEST)
    assert alone.targets["math"].effective == {}
    assert all(note.code != "pooled" for note in alone.notes)


def test_a_domain_that_no_run_has_is_named():
    h = np.random.default_rng(0).dirichlet(np.ones(3), 12)
    h = np.column_stack([h, np.zeros(12)])
    loss = true_losses(0.1, h)
    runs = Runs.from_arrays(1e8, 1e9, h, {"math": loss}, list("abcd"))
    fitted = fit(runs, "additive:0.01", options=QUICK)
    (note,) = (note for note in fitted.targets["math"].notes if note.code == "unmeasured")
    assert note.text == "the runs say next to nothing of d: pooling decides"


@pytest.fixture(scope="module")
def chosen():
    return fit(make_runs(0.1, k=3, targets=("math", "code")), "additive", options=FASTEST)


def test_mixtures_held_out_make_the_choice(chosen):
    path = chosen.pool_path
    assert path.tests == "5 folds over 14 mixtures"
    for trial, values in ((path.domains, GRID), (path.targets, ACROSS)):
        assert trial.values == values
        assert trial.chosen == values[int(np.argmin(trial.mean))]
        # A geometric mean is below the arithmetic one.
        assert np.all(np.array(trial.mean) < np.array(trial.mre))
    assert chosen.law.pool == Pool(path.domains.chosen, path.targets.chosen, EXPONENTS, USUAL)
    (note,) = (note for note in chosen.notes if note.code == "pool")
    assert note.text == (
        f"5 folds over 14 mixtures chose how hard to pool: {path.domains.chosen:g} between domains,"
        f" {path.targets.chosen:g} between targets"
    )


def test_the_choice_is_by_the_geometric_mean_and_what_overflows_loses():
    errors = np.array([[1.0, 100.0], [2.0, 4.0], [np.inf, np.inf]])
    trial = Trial.of((1.0, 0.1, 0.0), errors)
    assert trial.chosen == 0.1
    np.testing.assert_allclose(trial.mean[:2], [10.0, np.sqrt(8.0)])
    np.testing.assert_allclose(trial.mre[:2], [50.5, 3.0])


def test_the_fit_is_the_same_in_two_processes(chosen):
    executor, told = told_executor(jobs=2)
    runs = make_runs(0.1, k=3, targets=("math", "code"))
    again = fit(runs, "additive", options=FASTEST, jobs=executor)
    for target, own in chosen.targets.items():
        for name, numbers in own.params.items():
            np.testing.assert_array_equal(again.targets[target].params[name], numbers)
    assert again.pool_path == chosen.pool_path
    assert [told[0], *(step for step in told if step != "a step")][1:] == [
        ("fitting additive", 2),
        ("choosing how hard to pool", 10),
        ("pooling targets", 5),
        ("pooling targets", 2),
        ("pooling targets", 2),
        ("what the law leaves", 1),
    ]


def test_the_choice_is_kept_in_the_fit_file(chosen, tmp_path):
    save_fit(chosen, tmp_path / "fit.yaml")
    loaded = load_fit(tmp_path / "fit.yaml")
    assert loaded.law == chosen.law
    assert loaded.pool_path == chosen.pool_path
    assert loaded.targets["math"].effective == chosen.targets["math"].effective
    save_fit(loaded, tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_bytes() == (tmp_path / "fit.yaml").read_bytes()


def test_targets_kept_apart_do_not_depend_on_each_other():
    both = make_runs(0.1, targets=("math", "code"))
    strength = fit(both, "additive:domains", options=QUICK).law.pool
    assert not strength.across
    alone = both.only(["math"])
    law = PooledLaw(ADDITIVE, strength)
    one, other = (fit(runs, law, options=QUICK).targets["math"] for runs in (both, alone))
    np.testing.assert_array_equal(one.params["gamma"], other.params["gamma"])


def test_compare_chooses_within_each_training_part():
    splits = split_folds(make_runs(0.1, k=3), 2)
    compared = compare_laws(splits, ("additive:none", "additive"), options=FASTEST)
    assert [s.law for s in compared.standings] == ["additive:none", "additive"]
    own = [fit(split.train, "additive", options=FASTEST) for split in splits.splits]
    (note,) = (note for note in compared.notes if note.code == "pool")
    chose = dict.fromkeys(str(fitted.law) for fitted in own)
    assert note.text == f"additive chose {', '.join(chose)}"
    scores = [f.score.mre for f in compared.figures if (f.law, f.split) == ("additive", "test")]
    for split, fitted in zip(splits.splits, own, strict=True):
        test = split.tests[0].runs
        predicted = fitted.predict(test.N, test.D, test.h)["math"]
        loss = test.losses_of("math")
        assert np.any(np.isclose(100 * np.mean(np.abs(predicted / loss - 1)), scores, rtol=1e-9))


def test_published_laws_are_not_pooled():
    assert not any(CATALOGUE[name].poolable for name in ("ye-m1", "bimix", "d-cpt", "autoscale"))


@pytest.mark.parametrize("losses", [{"x": [3.0]}, {"x": [3.0, np.nan], "y": [np.nan, 3.0]}])
def test_where_nothing_can_be_held_out_nothing_is_pooled_and_it_is_said(losses):
    h = np.array([[0.5, 0.5], [0.2, 0.8]])[: len(losses["x"])]
    runs = Runs.from_arrays(1e8, 1e9, h, losses, ["a", "b"])
    fitted = fit(runs, "additive", options=FASTEST)
    assert fitted.law == assuming(ADDITIVE)
    (note,) = (note for note in fitted.notes if note.code == "not-pooled")
    assert note.text == "the rows have no mixtures to hold out, so that nothing is pooled"


class TestUsualExponents:
    """Two model sizes leave alpha open; three do not."""

    def fitted(self, sizes, law, size_term=lambda N: 20 / N**0.2):
        rng = np.random.default_rng(0)
        h = rng.dirichlet(np.ones(3), 12)
        index = (np.arange(12), np.arange(len(sizes)), np.arange(4))
        m, n, d = (x.ravel() for x in np.meshgrid(*index, indexing="ij"))
        N, D = np.array(sizes)[n], np.geomspace(1e9, 8e9, 4)[d]
        mixture = 0.5 / (h[m] ** 0.7).sum(axis=1)
        loss = 1.5 + mixture + size_term(N) + 3000 / D**0.37
        loss *= np.exp(0.001 * rng.standard_normal(len(loss)))
        runs = Runs.from_arrays(N, D, h[m], {"x": loss}, ["web", "code", "books"])
        return fit(runs, law, options=FASTEST)

    def test_two_sizes_have_a_usual_one(self):
        fitted = self.fitted([1e8, 3e8], "additive:0.001")
        assert fitted.targets["x"].params["alpha"][0] == pytest.approx(0.3, rel=0.02)
        (note,) = (note for note in fitted.targets["x"].notes if note.code == "assumed")
        assert note.text == (
            "the runs hardly tell alpha: pulled to 0.3, near what published fits have"
        )

    def test_two_sizes_that_take_it_far_off_are_named(self):
        # What the next size has falls to where E, A and alpha cannot follow unless alpha is large.
        fitted = self.fitted([1e8, 1.2e8], "additive:0.001", size_term=lambda N: 3 * (1e8 / N) ** 9)
        assert fitted.targets["x"].params["alpha"][0] > 0.6
        (note,) = (note for note in fitted.targets["x"].notes if note.code == "assumed")
        assert note.text == (
            "the runs hardly tell alpha and yet take it far above 0.3, near which published fits"
            " lie: predictions far from these runs may be far off"
        )

    def test_where_nothing_is_assumed_nothing_is_said(self):
        fitted = self.fitted([1e8, 3e8], "additive:0.001+0+0+0")
        assert "assumed" not in {note.code for note in fitted.targets["x"].notes}

    def test_five_sizes_have_their_own(self):
        fitted = self.fitted([3e7, 1e8, 3e8, 1e9, 3e9], "additive:0.001")
        assert fitted.targets["x"].params["alpha"][0] == pytest.approx(0.2, rel=0.1)
        assert "assumed" not in {note.code for note in fitted.targets["x"].notes}
