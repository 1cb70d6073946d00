"""Shrinkage: its derivatives, its limits, and its choice by held-out rows."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit import load_fit, save_fit
from mixfit.base.errors import UsageError
from mixfit.base.metrics import mean_relative_error
from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.shrinkage import GRID, _choose, choose_shrink, count_tasks
from mixfit.fitting.fit import fit
from mixfit.fitting.result import FitOptions
from mixfit.fitting.search import TargetSearch, target_task
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.laws.old_text import parse_law, with_shrinkage
from mixfit.runs.runs import Runs
from mixfit.runs.splits import split_folds

QUICK = FitOptions(restarts=3, hops=2)
FASTEST = FitOptions(restarts=1, hops=0)
SHRINKABLE = [law.name for law in CATALOGUE.values() if any(t.shrinkable for t in law.terms)]


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


def outer_of(params, group):
    return params[f"gamma_{group}"][0]


def make_runs(spread, mixtures=10, noise=0.001, sizes=(5e7, 1e8, 2e8, 4e8)):
    N, D, h = grid(mixtures, sizes)
    exact = true_losses(spread, N, D, h)
    noisy = exact * np.exp(noise * np.random.default_rng(5).standard_normal(len(N)))
    return Runs.from_arrays(N, D, h, {"math": noisy}, ["a", "b", "c"])


def error_on_new_runs(fitted, spread):
    N, D, h = grid(25, (5e7, 4e8, 8e8), seed=9)
    return mean_relative_error(fitted.predict(N, D, h)["math"], true_losses(spread, N, D, h))


@pytest.mark.parametrize("name", SHRINKABLE)
@pytest.mark.parametrize("outer", [0.7, -0.7])
def test_derivatives(name, outer):
    runs = make_runs(0.3, mixtures=4)
    search = TargetSearch(target_task(runs, "math", (name,), QUICK))
    plain, shrunk = search.objective(name), search.objective(with_shrinkage(name, 0.5))
    formula = plain.formula
    theta = formula.random(np.random.default_rng(2))
    for group in ("gamma_A", "gamma_B"):
        if group in formula.slices:
            theta[formula.slices[group]] = outer
    penalty = shrunk.value(theta) - plain.value(theta)
    params = formula.natural(theta)
    expected = 0.0
    for group in "AB":
        corners = (  # logs of the values of A(h) or B(h) where one weight is 1
            np.log(params[group])
            if group in params
            else outer_of(params, group) * np.log(params[f"C_{group}"])
        )
        expected += 0.25 * np.sum((corners - corners.mean()) ** 2)
    assert penalty == pytest.approx(expected)
    steps = 1e-6 * np.eye(len(theta))
    difference = [(shrunk.value(theta + s) - shrunk.value(theta - s)) / 2e-6 for s in steps]
    np.testing.assert_allclose(shrunk.gradient(theta)[1], difference, rtol=1e-5, atol=1e-7)
    model = shrunk.quadratic(theta)
    np.testing.assert_allclose(model.gradient, difference, rtol=1e-5, atol=1e-7)
    added = model.matrix - plain.quadratic(theta).matrix
    assert np.linalg.eigvalsh(added).min() > -1e-10
    ratios = np.concatenate(
        [
            t.coefficient.log_ratios(theta[formula.places(t.coefficient)])[0]
            for t in formula.law.terms
            if t.shrinkable
        ]
    )
    assert 0.25 * ratios @ ratios == pytest.approx(penalty)


@pytest.mark.parametrize(("name", "tied"), [("coupled-linear", "coupled"), ("joint", "additive")])
def test_infinite_shrinkage_is_the_tied_law(name, tied):
    runs = make_runs(0.05)
    found = fit(runs, name, shrink=np.inf, options=QUICK).targets["math"]
    limit = fit(runs, tied, options=QUICK).targets["math"]
    assert found.huber == pytest.approx(limit.huber, rel=1e-3)
    for group in ("A", "B"):
        values = found.params.get(group, found.params.get(f"C_{group}"))
        np.testing.assert_allclose(values, values[0])


def test_no_shrinkage_is_the_free_law():
    runs = make_runs(0.05)
    found = fit(runs, "coupled-linear", shrink=0.0, options=QUICK).targets["math"]
    free = fit(runs, "coupled-linear", options=QUICK).targets["math"]
    assert found.huber == pytest.approx(free.huber, rel=1e-3)


def test_more_shrinkage_brings_coefficients_nearer_and_fits_less():
    runs = make_runs(0.3)
    spreads, hubers = [], []
    for shrink in (0.0, 1e-3, 1e-1, 10.0):
        found = fit(runs, "coupled-linear", shrink=shrink, options=QUICK).targets["math"]
        spreads.append(np.ptp(np.log(found.params["A"])) + np.ptp(np.log(found.params["B"])))
        hubers.append(found.huber)
    assert spreads == sorted(spreads, reverse=True)
    assert hubers == sorted(hubers)
    assert spreads[-1] < 0.05
    assert spreads[0] > 0.5


def test_automatic_shrinkage_takes_the_side_of_the_truth():
    alike = make_runs(0.0, mixtures=16)
    auto, free = (fit(alike, "coupled-linear", shrink=s, options=QUICK) for s in ("auto", 0.0))
    assert error_on_new_runs(auto, 0.0) < error_on_new_runs(free, 0.0)
    apart = make_runs(0.6, mixtures=16)
    auto, tied = (fit(apart, "coupled-linear", shrink=s, options=QUICK) for s in ("auto", "inf"))
    assert error_on_new_runs(auto, 0.6) < 0.2 * error_on_new_runs(tied, 0.6)


def test_two_held_out_errors_make_the_choice():
    runs = make_runs(0.3)
    (path,) = choose_shrink([(runs, "coupled-linear")], FASTEST)
    assert path.values == GRID
    assert list(path.errors) == ["new mixtures", "400M"]
    # A geometric mean is below the arithmetic one.
    assert np.all(np.array(path.mean) < np.mean(list(path.errors.values()), axis=0))
    best = GRID[int(np.argmin(path.mean))]
    limits = (path.mean[0], path.mean[-1])
    assert path.chosen in (best, np.inf if limits[0] <= limits[1] else 0.0)
    assert path.note().text.startswith(f"auto chose {path.chosen:g}; held-out MRE % for inf 0.1")
    calls = []
    (again,) = choose_shrink(
        [(runs, "coupled-linear")], FASTEST, jobs=2, done=lambda: calls.append(None)
    )
    assert again == path
    assert len(calls) == count_tasks(runs)


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


def test_the_choice_is_kept_in_the_fit_file(tmp_path):
    found = fit(make_runs(0.3), "coupled-linear", shrink="auto", options=FASTEST)
    save_fit(found, tmp_path / "fit.yaml")
    loaded = load_fit(tmp_path / "fit.yaml")
    assert loaded.law.shrink == found.law.shrink == found.shrink_path.chosen
    assert loaded.shrink_path == found.shrink_path
    save_fit(loaded, tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_bytes() == (tmp_path / "fit.yaml").read_bytes()


def test_compare_chooses_within_each_training_part():
    runs = make_runs(0.3, mixtures=8)
    splits = split_folds(runs, 2)
    found = compare_laws(splits, ("coupled", "coupled-linear:auto"), options=FASTEST)
    assert [s.law for s in found.standings] == ["coupled", "coupled-linear:auto"]
    expected = [
        choose_shrink([(split.train, "coupled-linear")], FASTEST)[0].chosen
        for split in splits.splits
    ]
    (note,) = (note for note in found.notes if note.code == "shrink")
    shrunk = dict.fromkeys(with_shrinkage("coupled-linear", value) for value in expected)
    assert note.text == f"coupled-linear:auto chose {', '.join(shrunk)}"


def test_laws_are_read_with_their_shrinkage():
    assert parse_law("joint") == (CATALOGUE["joint"], None)
    assert parse_law("coupled-linear:0.01")[1] == 0.01
    assert parse_law("joint:inf")[1] == np.inf
    for text, message in {
        "additive:0.1": (
            "The law additive has no coefficient for each domain in N or D that --shrink could"
            " pull together. Laws that have: " + ", ".join(SHRINKABLE) + "."
        ),
        "joint:strong": "--shrink strong: give a number of 0 or more, inf, auto or none.",
        "joint:-1": "--shrink -1: give a number of 0 or more, inf, auto or none.",
        "joint:nan": "--shrink nan: give a number of 0 or more, inf, auto or none.",
    }.items():
        with pytest.raises(UsageError) as caught:
            parse_law(text)
        assert str(caught.value) == message


def test_only_what_scales_is_shrunk():
    assert SHRINKABLE == ["joint", "full", "coupled-linear", "coupled-joint"]
    fixed = CATALOGUE["coupled-linear"].identified(one_model_size=True, one_token_count=True)
    assert not any(term.shrinkable for term in fixed.terms)
    found = fit(make_runs(0.3, sizes=(1e8,)), "coupled-linear", shrink=0.1, options=QUICK)
    assert set(found.targets["math"].params) == {"E", "C", "gamma", "delta", "A", "B", "beta"}
