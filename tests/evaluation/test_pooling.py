"""Pooling: what it does to fits, and how its strength is chosen by mixtures held out."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import told_executor

import mixfit
from mixfit import load_fit, save_fit
from mixfit.base.errors import UsageError
from mixfit.evaluation import choose, compare
from mixfit.evaluation.choose import fit_auto
from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.pooling import GRID, can_choose_pool, choose_pool
from mixfit.fitting.fit import fit, target_fit
from mixfit.fitting.result import FitOptions
from mixfit.fitting.search import TargetSearch
from mixfit.laws.catalogue import ADDITIVE, CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import PooledLaw
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
        fitted = target_fit(search, PooledLaw(ADDITIVE, strength))
        spreads.append(np.ptp(np.log(fitted.params["gamma"])))
        hubers.append(fitted.huber)
    assert spreads == sorted(spreads, reverse=True)
    assert hubers == sorted(hubers)
    assert spreads[-1] < 0.01
    assert spreads[0] > 0.5


def test_few_mixtures_predict_better_pooled():
    """As many mixtures as parameters: the free fit interpolates them."""
    targets = ("math", "code", "web", "news")
    runs = make_runs(0.1, targets=targets)
    free = error_on_new_mixtures(fit(runs, "additive", options=QUICK), 0.1)
    pooled = fit_auto(runs, "additive:auto", options=QUICK)
    assert pooled.law.pool > 0
    assert error_on_new_mixtures(pooled, 0.1) < 0.7 * free


def test_many_mixtures_are_hardly_pooled():
    runs = make_runs(1.0, mixtures=100, noise=0.002)
    pooled = fit_auto(runs, "additive:auto", options=QUICK)
    assert pooled.law.pool <= 0.003
    free = error_on_new_mixtures(fit(runs, "additive", options=QUICK), 1.0)
    assert error_on_new_mixtures(pooled, 1.0) < 1.1 * free


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
    free = fit(make_runs(0.1), "additive", options=FASTEST)
    assert free.targets["math"].effective == {}
    assert all(note.code != "pooled" for note in free.notes)


@pytest.fixture(scope="module")
def path():
    (path,) = choose_pool([(make_runs(0.1, k=3), ADDITIVE)], FASTEST)
    return path


def test_mixtures_held_out_make_the_choice(path):
    assert path.values == GRID
    assert path.tests == "5 folds over 14 mixtures"
    assert list(path.errors) == ["new mixtures"]
    # A geometric mean is below the arithmetic one.
    assert np.all(np.array(path.mean) < np.array(path.errors["new mixtures"]))
    assert path.chosen == GRID[int(np.argmin(path.mean))]
    assert path.note().text.startswith(f"auto chose {path.chosen:g}; held-out MRE % for 1 0.3 0.1")


def test_the_choice_is_the_same_in_two_processes(path):
    executor, told = told_executor(jobs=2)
    (again,) = choose_pool([(make_runs(0.1, k=3), ADDITIVE)], FASTEST, jobs=executor)
    assert again == path
    assert told == [("choosing how hard to pool", 5), *["a step"] * 5]


def test_the_choice_is_kept_in_the_fit_file(path, tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "choose_pool", lambda cases, options, jobs: [path])
    fitted = fit_auto(make_runs(0.1, k=3), "additive:auto", options=FASTEST)
    assert fitted.pool_path == path
    assert path.note() in fitted.notes
    save_fit(fitted, tmp_path / "fit.yaml")
    loaded = load_fit(tmp_path / "fit.yaml")
    assert loaded.law.pool == fitted.law.pool == fitted.pool_path.chosen
    assert loaded.pool_path == fitted.pool_path
    assert loaded.targets["math"].effective == fitted.targets["math"].effective
    save_fit(loaded, tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_bytes() == (tmp_path / "fit.yaml").read_bytes()


def test_compare_chooses_within_each_training_part(monkeypatch):
    calls = []
    real = compare.choose_pool

    def choose_and_note(cases, options, *, jobs):
        paths = real(cases, options, jobs=jobs)
        calls.append((cases, paths))
        return paths

    monkeypatch.setattr(compare, "choose_pool", choose_and_note)
    splits = split_folds(make_runs(0.1, k=3), 2)
    compared = compare_laws(splits, ("additive", "additive:auto"), options=FASTEST)
    assert [s.law for s in compared.standings] == ["additive", "additive:auto"]
    ((cases, paths),) = calls
    for split, (runs, law) in zip(splits.splits, cases, strict=True):
        np.testing.assert_array_equal(runs.losses, split.train.losses)
        assert law is ADDITIVE
    (note,) = (note for note in compared.notes if note.code == "pool")
    chosen = dict.fromkeys(str(PooledLaw(ADDITIVE, path.chosen)) for path in paths)
    assert note.text == f"additive:auto chose {', '.join(chosen)}"


def test_published_laws_are_not_pooled():
    assert not any(CATALOGUE[name].poolable for name in ("ye-m1", "bimix", "d-cpt", "autoscale"))


def test_targets_that_have_no_mixture_in_common():
    h = np.array([[0.5, 0.5], [0.2, 0.8]])
    losses = {"x": [3.0, np.nan], "y": [np.nan, 3.0]}
    runs = Runs.from_arrays(1e8, 1e9, h, losses, ["a", "b"])
    with pytest.raises(UsageError, match="No target has losses both"):
        fit_auto(runs, "additive:auto", options=FASTEST)


def test_whether_a_table_leaves_something_to_choose_by():
    assert can_choose_pool(make_runs(0.3))
    assert not can_choose_pool(make_runs(0.3, mixtures=1))


def test_fit_leaves_the_choice_to_fit_auto():
    runs = make_runs(0.3, k=3)
    with pytest.raises(UsageError) as caught:
        mixfit.fit(runs, "additive:auto")
    assert str(caught.value) == (
        "additive:auto: held-out rows choose it; use fit_auto, or name a strength."
    )
    with pytest.raises(UsageError) as caught:
        fit_auto(runs, "additive:0.1")
    assert str(caught.value) == "additive:0.1: nothing is left to choose; use fit."
