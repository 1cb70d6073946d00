"""The search for one target: refits by mixture weights, and starts on a sample of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.fitting.blocks import make_blocks, sampled
from mixfit.fitting.result import FitOptions
from mixfit.fitting.search import TargetSearch, target_task
from mixfit.runs.runs import Runs

QUICK = FitOptions(restarts=3, hops=2)


def make_runs():
    rng = np.random.default_rng(3)
    h = np.repeat(rng.dirichlet(np.ones(3), 8), 9, axis=0)
    N = np.tile(np.repeat([1e8, 2e8, 4e8], 3), 8)
    D = np.tile([1e9, 3e9, 9e9], 24)
    loss = 1.2 + 0.6 / (h**0.7).sum(axis=1) + 60 * N**-0.3 + 900 * D**-0.35
    noisy = loss * np.exp(0.003 * rng.standard_normal(len(N)))
    return Runs.from_arrays(N, D, h, {"math": noisy}, ["a", "b", "c"])


def test_a_refit_with_mixtures_weighted_is_one_with_their_rows_copied():
    runs = make_runs()
    search = TargetSearch(target_task(runs, "math", ("additive",), QUICK))
    objective, solution = search.solve("additive")
    params = objective.formula.natural(solution.point.theta)
    same = search.refit("additive", params, np.ones(8))
    assert same.value == pytest.approx(solution.point.value, rel=1e-4)
    counts = np.array([0, 1, 2, 3, 1, 0, 1, 2])
    refitted = search.refit("additive", params, counts.astype(float))
    copied = runs.select(np.repeat(np.arange(len(runs)), counts[runs.mixture]))
    twin = TargetSearch(target_task(copied, "math", ("additive",), QUICK)).objective("additive")
    # The units of N and D differ between the two tables; natural parameters do not.
    theta = twin.formula.internal(objective.formula.natural(refitted.theta))
    assert twin.value(theta) == pytest.approx(refitted.value, rel=1e-9)
    start = twin.formula.internal(params)
    assert refitted.value < twin.value(start)


def test_as_many_hops_as_the_law_has_parameters():
    search = TargetSearch(target_task(make_runs(), "math", ("chinchilla",), FitOptions()))
    solution = search.solve("chinchilla")[1]
    assert solution.agreeing == 4
    assert solution.hops == 3  # half of 5, as starts agree


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
