"""Shrinkage: its derivatives, its limits, and its choice by held-out rows."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import told_executor

from mixfit import load_fit, save_fit
from mixfit.base.errors import UsageError
from mixfit.base.metrics import mean_relative_error
from mixfit.evaluation import choose, compare
from mixfit.evaluation.choose import fit_auto
from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.shrinkage import GRID, _choose, can_choose_shrink, choose_shrink
from mixfit.fitting.fit import fit, target_fit
from mixfit.fitting.result import FitOptions
from mixfit.fitting.search import TargetSearch
from mixfit.laws.catalogue import CATALOGUE, COUPLED_LINEAR
from mixfit.laws.formula import Formula
from mixfit.laws.shrunk import ShrunkLaw
from mixfit.runs.runs import Runs
from mixfit.runs.splits import split_folds
from mixfit.runs.target_rows import TargetRows

QUICK = FitOptions(restarts=3, hops=2)
FASTEST = FitOptions(restarts=1, hops=0)


def true_losses(spread, N, D, h, seed=1):
    """Losses of the coupled-linear law whose log A_i and log B_i have a spread."""
    rng = np.random.default_rng(seed)
    k = h.shape[1]
    away = rng.standard_normal((2, k))
    away -= away.mean(axis=1, keepdims=True)
    params = {
        "E": np.array([1.2]),
        "C": np.linspace(0.8, 1.6, k),
        "gamma": np.linspace(0.5, 0.9, k),
        "delta": np.array([0.02]),
        "A": 130.0 * np.exp(spread * away[0]),
        "alpha": np.array([0.3]),
        "B": 900.0 * np.exp(spread * away[1]),
        "eta": np.array([0.02]),
        "beta": np.array([0.35]),
    }
    formula = Formula(CATALOGUE["coupled-linear"], k)
    return formula.predict(formula.internal(params), N, D, h)


def grid(mixtures, sizes, lengths=(1e9, 4e9), k=3, seed=0):
    rng = np.random.default_rng(seed)
    h = np.repeat(rng.dirichlet(np.ones(k), mixtures), len(sizes) * len(lengths), axis=0)
    N = np.tile(np.repeat(sizes, len(lengths)), mixtures)
    D = np.tile(lengths, mixtures * len(sizes))
    return np.array(N, dtype=float), np.array(D, dtype=float), h


def make_runs(spread, mixtures=10, noise=0.001, sizes=(5e7, 1e8, 2e8, 4e8), **scales):
    N, D, h = grid(mixtures, sizes, **scales)
    exact = true_losses(spread, N, D, h)
    noisy = exact * np.exp(noise * np.random.default_rng(5).standard_normal(len(N)))
    return Runs.from_arrays(N, D, h, {"math": noisy}, list("abc"[: h.shape[1]]))


def error_on_new_runs(fitted, spread):
    N, D, h = grid(25, (5e7, 4e8, 8e8), seed=9)
    return mean_relative_error(fitted.predict(N, D, h)["math"], true_losses(spread, N, D, h))


@pytest.mark.parametrize(("name", "tied"), [("coupled-linear", "coupled"), ("joint", "additive")])
def test_infinite_shrinkage_is_the_tied_law(name, tied):
    runs = make_runs(0.05)
    fitted = fit(runs, f"{name}:inf", options=QUICK).targets["math"]
    limit = fit(runs, tied, options=QUICK).targets["math"]
    assert fitted.huber == pytest.approx(limit.huber, rel=1e-3)
    for group in ("A", "B"):
        values = fitted.params.get(group, fitted.params.get(f"C_{group}"))
        np.testing.assert_allclose(values, values[0])


def test_more_shrinkage_brings_coefficients_nearer_and_fits_less():
    search = TargetSearch(TargetRows.of(make_runs(0.3), "math"), QUICK)
    spreads, hubers = [], []
    for shrink in (0.0, 1e-3, 1e-1, 10.0):
        fitted = target_fit(search, ShrunkLaw(COUPLED_LINEAR, shrink))
        spreads.append(np.ptp(np.log(fitted.params["A"])) + np.ptp(np.log(fitted.params["B"])))
        hubers.append(fitted.huber)
    assert spreads == sorted(spreads, reverse=True)
    assert hubers == sorted(hubers)
    assert spreads[-1] < 0.05
    assert spreads[0] > 0.5


def test_automatic_shrinkage_takes_the_side_of_the_truth():
    alike = make_runs(0.0, mixtures=12, lengths=(1e9, 4e9, 1.6e10))
    auto = fit_auto(alike, "coupled-linear:auto", options=QUICK)
    free = fit(alike, "coupled-linear", options=QUICK)
    assert error_on_new_runs(auto, 0.0) < error_on_new_runs(free, 0.0)
    apart = make_runs(0.6, mixtures=12, lengths=(1e9, 4e9, 1.6e10))
    auto = fit_auto(apart, "coupled-linear:auto", options=QUICK)
    tied = fit(apart, "coupled-linear:inf", options=QUICK)
    assert error_on_new_runs(auto, 0.6) < 0.2 * error_on_new_runs(tied, 0.6)


def make_few_runs(mixtures=5):
    """Runs of two domains that are quickly fitted."""
    return make_runs(0.3, mixtures, lengths=(1e9, 4e9, 1.6e10), k=2)


@pytest.fixture(scope="module")
def path():
    (path,) = choose_shrink([(make_few_runs(), COUPLED_LINEAR)], FASTEST)
    return path


def test_two_held_out_errors_make_the_choice(path):
    assert path.values == GRID
    assert list(path.errors) == ["new mixtures", "400M"]
    # A geometric mean is below the arithmetic one.
    assert np.all(np.array(path.mean) < np.mean(list(path.errors.values()), axis=0))
    best = GRID[int(np.argmin(path.mean))]
    limits = (path.mean[0], path.mean[-1])
    assert path.chosen in (best, np.inf if limits[0] <= limits[1] else 0.0)
    assert path.note().text.startswith(f"auto chose {path.chosen:g}; held-out MRE % for inf 0.1")


def test_the_choice_is_the_same_in_two_processes(path):
    executor, told = told_executor(jobs=2)
    (again,) = choose_shrink([(make_few_runs(), COUPLED_LINEAR)], FASTEST, jobs=executor)
    assert again == path
    assert told == [("choosing a shrinkage", 6), *["a step"] * 6]  # five folds, and 400M


class TestChoose:
    """One kind of rows held out, with eight mixtures; three values: tied, between, free."""

    def choice(self, *errors):
        return _choose([np.broadcast_to(np.column_stack(np.broadcast_arrays(*errors)), (8, 3))])[1]

    def test_the_better_limit(self):
        assert self.choice(1.0, 2.0, 3.0) == 0
        assert self.choice(3.0, 2.0, 1.0) == 2

    def test_the_tied_law_where_the_limits_do_alike(self):
        assert self.choice(1.0, 1.0, 0.9995) == 0

    def test_a_value_between_that_is_always_better(self):
        assert self.choice(1.0, 0.9, 1.1) == 1

    def test_a_value_between_that_is_better_by_luck(self):
        # Lower by 10%, but by anything from -60 to 100%: the standard error is 31%.
        spread = np.repeat([0.8, -0.8], 4)
        assert self.choice(1.0, 0.9 * np.exp(spread), 1.1) == 0
        assert self.choice(1.0, 0.9 * np.exp(0.1 * spread), 1.1) == 1

    def test_one_mixture_far_off_does_not_decide(self):
        far_off = np.array([30.0, *np.ones(7)])
        assert self.choice(2.0, 5.0, far_off) == 2

    def test_limits_without_sense(self):
        assert self.choice(np.inf, 2.0, np.inf) == 1
        assert self.choice(np.inf, 2.0, 3.0) == 1
        assert self.choice(1.0, np.inf, np.inf) == 0

    def test_one_mixture_tells_nothing_of_a_value_between(self):
        assert _choose([np.array([[1.0, 0.5, 1.1]])])[1] == 0

    def test_the_mean_of_the_kinds_of_rows_held_out(self):
        kinds = [np.array([[1.0, 2.0, 4.0], [4.0, 2.0, 4.0]]), np.array([[8.0, 2.0, 1.0]])]
        mean, _ = _choose(kinds)
        np.testing.assert_allclose(mean, [4.0, 2.0, 2.0])


def test_the_choice_is_kept_in_the_fit_file(path, tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "choose_shrink", lambda cases, options, jobs: [path])
    fitted = fit_auto(make_few_runs(), "coupled-linear:auto", options=FASTEST)
    assert fitted.shrink_path == path
    assert path.note() in fitted.notes
    save_fit(fitted, tmp_path / "fit.yaml")
    loaded = load_fit(tmp_path / "fit.yaml")
    assert loaded.law.shrink == fitted.law.shrink == fitted.shrink_path.chosen
    assert loaded.shrink_path == fitted.shrink_path
    save_fit(loaded, tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_bytes() == (tmp_path / "fit.yaml").read_bytes()


def test_compare_chooses_within_each_training_part(monkeypatch):
    calls = []
    real = compare.choose_shrink

    def choose_and_note(cases, options, *, jobs):
        paths = real(cases, options, jobs=jobs)
        calls.append((cases, paths))
        return paths

    monkeypatch.setattr(compare, "choose_shrink", choose_and_note)
    splits = split_folds(make_few_runs(6), 2)
    compared = compare_laws(splits, ("coupled", "coupled-linear:auto"), options=FASTEST)
    assert [s.law for s in compared.standings] == ["coupled", "coupled-linear:auto"]
    ((cases, paths),) = calls
    for split, (runs, law) in zip(splits.splits, cases, strict=True):
        np.testing.assert_array_equal(runs.losses, split.train.losses)
        assert law is COUPLED_LINEAR
    (note,) = (note for note in compared.notes if note.code == "shrink")
    chosen = dict.fromkeys(str(ShrunkLaw(COUPLED_LINEAR, path.chosen)) for path in paths)
    assert note.text == f"coupled-linear:auto chose {', '.join(chosen)}"


def test_only_what_scales_is_shrunk():
    able = [law.name for law in CATALOGUE.values() if law.shrinkable]
    assert able == ["joint", "full", "coupled-linear", "coupled-joint"]
    fixed = CATALOGUE["coupled-linear"].identified(one_model_size=True, one_token_count=True)
    assert not any(term.shrinkable for term in fixed.terms)
    fitted = fit(make_runs(0.3, sizes=(1e8,)), "coupled-linear:0.1", options=QUICK)
    assert set(fitted.targets["math"].params) == {"E", "C", "gamma", "delta", "A", "B", "beta"}


def test_targets_that_have_no_size_in_common():
    N, D = (x.ravel() for x in np.meshgrid([1e8, 2e8, 4e8, 8e8], [1e9, 2e9]))
    h = np.tile([0.5, 0.5], (len(N), 1))
    small, large = np.where(N < 6e8, 3.0, np.nan), np.where(N > 6e8, 3.0, np.nan)
    runs = Runs.from_arrays(N, D, h, {"x": small, "y": large}, ["a", "b"])
    with pytest.raises(UsageError, match="No target has losses both"):
        fit_auto(runs, "coupled-linear:auto", options=FASTEST)


def test_whether_a_table_leaves_something_to_choose_by():
    assert can_choose_shrink(make_runs(0.3))
    assert not can_choose_shrink(make_runs(0.3, mixtures=1, sizes=(1e8,)))


def test_fit_leaves_the_choice_to_fit_auto():
    runs = make_runs(0.3)
    with pytest.raises(UsageError) as caught:
        fit(runs, "coupled-linear:auto")
    assert str(caught.value) == (
        "coupled-linear:auto: held-out rows choose it; use fit_auto, or name a shrinkage."
    )
    with pytest.raises(UsageError) as caught:
        fit_auto(runs, "coupled-linear:0.1")
    assert str(caught.value) == "coupled-linear:0.1: nothing is left to choose; use fit."
