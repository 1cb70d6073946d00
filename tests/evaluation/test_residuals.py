"""Residuals, their scores by what was fitted, and their trends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_fits import random_fit

from mixfit.evaluation.evaluate import evaluate
from mixfit.evaluation.residuals import ALL, FITTED, UNSEEN, points_of, trend
from mixfit.runs.runs import Runs


@pytest.fixture
def evaluation():
    fit = random_fit("additive", 2, 2, 0)
    N, D = np.array([1e8, 1e8, 2e8, 4e8]), np.full(4, 1e10)
    h = np.array([[0.5, 0.5], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]])
    predicted = fit.predict(N, D, h)
    losses = {"t0": predicted["t0"] * [1.01, 0.98, 1.0, 1.04], "t1": predicted["t1"].copy()}
    losses["t1"][1] = np.nan
    runs = Runs.from_arrays(N, D, h, losses, ["d0", "d1"])
    return evaluate(fit, runs, fitted_runs=runs.select([0, 1]))


def test_points_of_a_target(evaluation):
    points = points_of(evaluation, "t0")
    assert points.rows.tolist() == [0, 1, 2, 3]
    assert points.residuals == pytest.approx(100 * (1 / np.array([1.01, 0.98, 1.0, 1.04]) - 1))
    assert points.parts[FITTED].tolist() == [True, True, False, False]
    assert points.scores[UNSEEN].rows == 2
    assert points.scores[UNSEEN].mre == pytest.approx(np.abs(points.residuals[2:]).mean())


def test_points_of_the_mean_have_all_targets(evaluation):
    points = points_of(evaluation)
    assert points.rows.tolist() == [0, 2, 3]
    runs = evaluation.runs
    assert points.observed == pytest.approx(runs.losses[[0, 2, 3]].mean(axis=1))


def test_without_what_was_fitted_all_rows_are_alike(evaluation):
    points = points_of(evaluate(evaluation.fit, evaluation.runs), "t0")
    assert list(points.scores) == [ALL]
    # The rows that were fitted are known, and none is unseen.
    own = evaluate(evaluation.fit, evaluation.runs, fitted_runs=evaluation.runs)
    assert list(points_of(own, "t0").scores) == [FITTED]


def test_a_trend_of_few_values_has_a_group_for_each():
    x = np.repeat([1.0, 2.0, 4.0, 4.001], 5)
    y = np.arange(20.0)
    line = trend(x, y)
    assert line.x == pytest.approx([1.0, 2.0, 4.0005])
    assert line.median == pytest.approx([2.0, 7.0, 14.5])
    assert (line.low[0], line.high[0]) == (1.0, 3.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_a_trend_has_few_groups_in_order(x):
    line = trend(np.array(x), np.array(x))
    assert 1 <= len(line.x) <= 8
    assert np.all(np.diff(line.x) > 0)
    assert np.all(line.low <= line.median)
    assert np.all(line.median <= line.high)


def test_values_that_follow_each_other_closely_are_not_one_group():
    x = np.linspace(0.0, 1.0, 1000)
    line = trend(x, x)
    assert len(line.x) == 8
    assert line.median == pytest.approx(line.x, abs=0.01)
