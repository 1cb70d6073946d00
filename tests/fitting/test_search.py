"""The search for one target: laws contained are solved once, and starts may see some rows only."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import free

from mixfit.fitting import search
from mixfit.fitting.blocks import make_blocks, sampled
from mixfit.fitting.objective import Objective
from mixfit.fitting.options import FitOptions
from mixfit.fitting.search import TargetSearch, draw_start
from mixfit.fitting.solvers import descend
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import Pool, PooledLaw, parse_law
from mixfit.runs.runs import Runs
from mixfit.runs.target_rows import TargetRows

QUICK = FitOptions(restarts=3, hops=2)
FASTEST = FitOptions(restarts=1, hops=0)


def make_runs():
    rng = np.random.default_rng(3)
    h = np.repeat(rng.dirichlet(np.ones(3), 8), 9, axis=0)
    N = np.tile(np.repeat([1e8, 2e8, 4e8], 3), 8)
    D = np.tile([1e9, 3e9, 9e9], 24)
    loss = 1.2 + 0.6 / (h**0.7).sum(axis=1) + 60 * N**-0.3 + 900 * D**-0.35
    noisy = loss * np.exp(0.003 * rng.standard_normal(len(N)))
    return Runs.from_arrays(N, D, h, {"math": noisy}, ["a", "b", "c"])


@pytest.fixture(scope="module")
def rows():
    return TargetRows.of(make_runs(), "math")


def test_as_many_hops_as_the_law_has_parameters(rows):
    solved = TargetSearch(rows, FitOptions()).solve(free("chinchilla"))
    assert solved.formula.size == 5
    assert solved.solution.hops == 3  # half of 5, as starts agree


class TestLawsContained:
    def test_each_is_solved_once(self, rows, monkeypatch):
        solved = []
        real = TargetSearch._search
        monkeypatch.setattr(
            TargetSearch, "_search", lambda self, law: solved.append(str(law)) or real(self, law)
        )
        searched = TargetSearch(rows, FASTEST)
        for name in ("coupled", "joint", "coupled", "coupled-joint"):
            searched.solve(free(name))
        assert solved == [
            *(
                "coupled:none",
                "additive:none",
                "chinchilla:none",
                "joint:none",
                "coupled-joint:none",
            )
        ]

    def test_a_solution_does_not_depend_on_which_others_are_asked_for(self, rows):
        together = TargetSearch(rows, FASTEST)
        for name in ("simple", "joint", "coupled-joint"):
            together.solve(free(name))
        alone = TargetSearch(rows, FASTEST).solve(free("coupled"))
        np.testing.assert_array_equal(together.solve(free("coupled")).theta, alone.theta)
        assert together.solve(free("coupled")).solution.point.value == alone.solution.point.value

    def test_the_seconds_are_those_of_a_law_and_of_all_that_it_contains(self, rows):
        searched = TargetSearch(rows, QUICK)
        each = {name: searched.solve(free(name)).seconds for name in ("chinchilla", "additive")}
        each["simple"] = searched.solve(free("simple")).seconds
        each["powered"] = searched.solve(free("powered")).seconds
        assert searched.seconds(free("additive")) == pytest.approx(
            each["chinchilla"] + each["additive"]
        )
        # What two of them contain counts once.
        assert searched.seconds(free("powered")) == pytest.approx(sum(each.values()))


@pytest.fixture(scope="module")
def searched():
    rng = np.random.default_rng(0)
    N, D = (x.ravel() for x in np.meshgrid([1e8, 2e8, 4e8], [1e9, 2e9, 4e9, 8e9]))
    mixtures = rng.dirichlet(np.ones(3), 12)
    h, N, D = np.repeat(mixtures, len(N), axis=0), np.tile(N, 12), np.tile(D, 12)
    A, B = 200 * np.exp(rng.normal(0, 0.8, 3)), 800 * np.exp(rng.normal(0, 0.8, 3))
    loss = 1.2 + 1 / (h**0.5 @ [0.5, 1.0, 1.5]) + h @ A / N**0.3 + h @ B / D**0.3
    loss = loss * np.exp(2e-3 * rng.normal(size=len(loss)))
    runs = Runs.from_arrays(N, D, h, {"web": loss}, ["a", "b", "c"])
    return TargetSearch(TargetRows.of(runs, "web"), QUICK)


class TestPath:
    STRENGTHS = (1.0, 0.1, 0.01, 0.0)

    def test_less_pooling_fits_better_and_pulls_more(self, searched):
        law = CATALOGUE["coupled-linear"]
        path = searched.path(PooledLaw(law), self.STRENGTHS)
        alone = searched.objective(PooledLaw(law))
        values = [alone.at(theta).value for theta in path]
        assert values == sorted(values, reverse=True)
        penalty = searched.objective(PooledLaw(law, Pool(1.0))).penalty
        pulls = [penalty.value(theta) for theta in path]
        assert pulls == sorted(pulls)
        assert pulls[0] < 0.01 * pulls[-1]

    def test_each_is_a_minimum_of_its_own_objective(self, searched):
        law = CATALOGUE["additive"]
        path = searched.path(PooledLaw(law), self.STRENGTHS)
        for theta, strength in zip(path, self.STRENGTHS, strict=True):
            objective = searched.objective(PooledLaw(law, Pool(strength)))
            lower = descend(objective, theta).value
            assert objective.at(theta).value <= lower * (1 + 1e-4)

    def test_the_laws_contained_are_pooled_as_hard(self, searched):
        """So that a larger law never ends higher."""
        smaller = searched.solve(parse_law("additive:0.05")).solution.point.value
        assert searched.solve(parse_law("joint:0.05")).solution.point.value <= smaller


class TestDrawStart:
    @pytest.mark.parametrize("name", ["additive", "joint", "coupled-joint"])
    def test_terms_have_the_size_of_the_losses(self, rows, name):
        objective = TargetSearch(rows, QUICK).objective(free(name))
        for seed in range(5):
            theta = draw_start(objective, np.random.default_rng(seed))
            loss, terms = objective.at(theta).summand_values()
            assert np.all(terms.mean(axis=1) >= 0.019 * loss.mean())
            assert terms.sum(axis=0).mean() == pytest.approx(loss.mean(), rel=0.3)
            drawn = objective.formula.random(np.random.default_rng(seed))
            assert objective.at(theta).value < objective.at(drawn).value

    def test_same_seed_same_start(self, rows):
        objective = TargetSearch(rows, QUICK).objective(free("joint"))
        one, other = (draw_start(objective, np.random.default_rng(4)) for _ in range(2))
        np.testing.assert_array_equal(one, other)


class TestManyRows:
    def test_starts_and_hops_run_on_a_sample_and_the_end_on_all_rows(self, monkeypatch):
        runs = make_runs()
        many = runs.select(np.tile(np.arange(len(runs)), 20))
        rows = TargetRows.of(many, "math")
        widths = []
        real = Objective.at

        def at(self, theta):
            widths.append(int((self.blocks.weight > 0).sum()))
            return real(self, theta)

        monkeypatch.setattr(Objective, "at", at)
        full = TargetSearch(rows, QUICK).solve(free("additive")).solution.point.value
        assert set(widths) == {len(rows)}
        widths.clear()
        monkeypatch.setattr(search, "_ENOUGH_ROWS", 360)
        solved = TargetSearch(rows, QUICK).solve(free("additive"))
        assert set(widths) == {360, len(rows)}
        assert widths.count(360) > widths.count(len(rows))
        assert solved.solution.point.value == pytest.approx(full, rel=1e-3)


def test_a_sample_of_the_rows_has_all_mixtures_alike():
    rng = np.random.default_rng(0)
    mixture = np.repeat(np.arange(4), [100, 200, 300, 400])
    loss = rng.random(1000)
    zeros = np.zeros(1000)
    blocks = make_blocks(zeros, zeros, loss, mixture, rng.dirichlet(np.ones(3), 4))
    few = sampled(blocks, 100, np.random.default_rng(1))
    kept = [few.loss[few.mixture == m][few.weight[few.mixture == m] > 0] for m in range(4)]
    assert [len(rows) for rows in kept] == [10, 20, 30, 40]
    for m, rows in enumerate(kept):
        assert np.isin(rows, loss[mixture == m]).all()
        assert len(np.unique(rows)) == len(rows)
    assert sampled(blocks, 1000, rng) is blocks


def test_on_the_path_no_exchange_of_terms_is_lower():
    # Without exchanges, that with this seed ends 2 to 4% above it from a strength of 0.1 on.
    rng, k, mixtures = np.random.default_rng(3), 4, 14
    law = CATALOGUE["twofold"]
    formula = Formula(law.identified(one_model_size=True, one_token_count=True), k)
    theta = formula.random(rng)
    at = np.full(mixtures, 1e8), np.full(mixtures, 1e9), rng.dirichlet(np.ones(k), mixtures)
    runs = Runs.from_arrays(*at, {"math": formula.predict(theta, *at)}, list("abcd"))
    searched = TargetSearch(TargetRows.of(runs, "math"), FitOptions(restarts=2, hops=0))
    path = searched.path(PooledLaw(law, Pool(0.0)), search.GRID[:-1])
    for strength, theta in zip(search.GRID, path, strict=False):
        objective = searched.objective(PooledLaw(law, Pool(strength)))
        exchanged = objective.at(objective.formula.ordered(theta)).value
        assert objective.at(theta).value <= exchanged
