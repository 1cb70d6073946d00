"""The next runs: the alarm, optima that might as well be, and mixtures to learn from."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.design.next_runs import ALARM, CALM, DRAWN, OPTIMUM, plan_next
from mixfit.design.plan import plan_runs
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.mixture.constraints import Constraints
from mixfit.mixture.planner import optimize
from mixfit.runs.runs import Runs

DOMAINS = ("a", "b", "c")
C = np.array([[1.5, 0.5, 0.4], [0.3, 1.4, 0.6]])
GAMMA = np.array([[0.6, 0.5, 0.7], [0.7, 0.5, 0.6]])
QUICK = FitOptions(restarts=2, hops=1)


def losses(h):
    return 1.5 + 1 / (C * h[:, None, :] ** GAMMA).sum(axis=2)


def made(h, noise, N=1e8, D=4e9):
    y = losses(h) * (1 + noise * np.random.default_rng(1).standard_normal((len(h), 2)))
    return Runs.from_arrays(N, D, h, dict(zip(("one", "two"), y.T, strict=True)), DOMAINS)


@pytest.fixture(scope="module")
def known():
    runs = made(plan_runs(DOMAINS, 14, seed=2).mixtures, 0.001)
    return runs, fit(runs, "additive", options=QUICK)


def test_half_confirms_and_half_learns(known):
    runs, found = known
    design = plan_next(found, runs, 6, seed=4)
    best = optimize(found, model_size=1e8, tokens=4e9)
    np.testing.assert_allclose(design.mixtures[0], best.weights, atol=1e-5)
    assert design.origins[0] == OPTIMUM
    assert set(design.origins[1:]) <= {DRAWN, "i-optimal"}
    assert design.origins.count("i-optimal") >= 3
    assert len(design.steps) == len(design.runs) == 6
    assert {(run.model_size, run.tokens) for run in design.runs} == {(1e8, 4e9)}
    assert len(design.existing) == 14
    # No mixture that is to be learned from was run already.
    apart = np.abs(design.mixtures[-3:, None] - runs.mixtures[None]).max(axis=2)
    assert apart.min() > 0.01
    again = plan_next(found, runs, 6, seed=4)
    np.testing.assert_array_equal(design.steps, again.steps)


def test_the_alarm_is_calm_where_the_optimum_is_known_and_rings_where_it_is_not(known):
    runs, found = known
    calm = plan_next(found, runs, 2).alarm
    assert calm.level == CALM
    assert calm.standard_error < 0.2
    few = made(np.random.default_rng(3).dirichlet(np.ones(3), 8), 0.05)
    rung = plan_next(fit(few, "additive", options=QUICK), few, 2)
    assert rung.alarm.level == ALARM
    assert "the optimum may be a false one" in rung.notes[-1].text
    assert rung.notes[-1].code == "worth"


def test_the_region_and_the_scale_are_kept(known):
    runs, found = known
    design = plan_next(
        found,
        runs,
        6,
        constraints=Constraints(max={"a": 0.3}, available={"b": 1e9}),
        tokens=8e9,
        model_sizes=[2e8],
        run_tokens=[1e9],
        targets={"one": 1.0},
    )
    assert design.mixtures[:, 0].max() <= 0.3 + 1e-6
    assert design.mixtures[:, 1].max() <= 0.5 + 1e-6
    assert {(run.model_size, run.tokens) for run in design.runs} == {(2e8, 1e9)}
    assert design.available["b"].keep == {1e9: pytest.approx(1.25e8)}


def test_new_runs_lower_the_error_where_the_law_is_to_predict(known):
    runs, found = known
    design = plan_next(found, runs, 8, seed=1)
    assert design.quality.figures.mean_error < 1.0
    more = made(np.concatenate([runs.mixtures, design.mixtures]), 0.001)
    after = plan_next(fit(more, "additive", options=QUICK), more, 2)
    before = plan_next(found, runs, 2)
    assert after.alarm.standard_error < before.alarm.standard_error


def test_what_cannot_be_used(known):
    runs, found = known
    with pytest.raises(UsageError, match="next is 0; it must be 1 or more"):
        plan_next(found, runs, 0)
    with pytest.raises(UsageError, match="Only one mixture obeys"):
        plan_next(found, runs, 2, constraints=Constraints(fix={"a": 0.2, "b": 0.3}))
