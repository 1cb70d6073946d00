"""Shrinkage: its limits, its derivatives, and tables that leave nothing to choose it by."""

import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.fitting.fit import fit
from mixfit.fitting.result import FitOptions
from mixfit.fitting.search import TargetSearch, target_task
from mixfit.laws.old_text import parse_law, with_shrinkage
from mixfit.runs.runs import Runs

TIED = {
    "coupled-linear": "coupled",
    "joint": "additive",
    "coupled-joint": "coupled",
}


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(0)
    N, D = (x.ravel() for x in np.meshgrid([1e8, 2e8, 4e8], [1e9, 2e9, 4e9, 8e9]))
    mixtures = rng.dirichlet(np.ones(3), 12)
    h, N, D = np.repeat(mixtures, len(N), axis=0), np.tile(N, 12), np.tile(D, 12)
    A, B = 200 * np.exp(rng.normal(0, 0.8, 3)), 800 * np.exp(rng.normal(0, 0.8, 3))
    loss = 1.2 + 1 / (h**0.5 @ [0.5, 1.0, 1.5]) + h @ A / N**0.3 + h @ B / D**0.3
    loss = loss * np.exp(2e-3 * rng.normal(size=len(loss)))
    return Runs.from_arrays(N, D, h, {"web": loss}, ["a", "b", "c"])


@pytest.fixture(scope="module")
def search(runs):
    return TargetSearch(target_task(runs, "web", tuple(TIED), FitOptions(restarts=3, hops=2)))


@pytest.mark.parametrize(("law", "tied"), TIED.items())
def test_strong_shrinkage_is_the_tied_law(search, law, tied):
    def lowest(name):
        objective, solution = search.solve(name)
        return search.objective(law).value(solution.point.theta), objective, solution

    free, infinite = search.objective(law), lowest(f"{law}:inf")[0]
    objective, solution = search.solve(tied)
    smaller = objective.value(solution.point.theta)
    assert infinite == pytest.approx(smaller, rel=1e-5)
    assert lowest(f"{law}:1e7")[0] == pytest.approx(smaller, rel=1e-5)
    none = free.value(search.solve(law)[1].point.theta)
    assert lowest(f"{law}:0")[0] == pytest.approx(none, rel=1e-4)


def test_the_tied_form_of_full_is_found_in_its_own_units(search):
    free, tied = search.objective("full"), search.objective("full:inf")
    theta = tied.formula.random(np.random.default_rng(0))
    same = free.formula.embedded(tied.formula, theta)
    assert free.value(same) == pytest.approx(tied.value(theta), rel=1e-9)


@pytest.mark.parametrize("law", [*TIED, "full"])
def test_the_penalty_against_finite_differences(search, law):
    objective = search.objective(f"{law}:0.01")
    for seed in range(3):
        theta = objective.formula.random(np.random.default_rng(seed))
        penalty = objective._penalty(theta)
        for i, step in enumerate(1e-6 * np.eye(len(theta))):
            above, below = objective._penalty(theta + step), objective._penalty(theta - step)
            assert (above.value - below.value) / 2e-6 == pytest.approx(
                penalty.gradient[i], abs=1e-8
            )
            slope = (above.gradient - below.gradient) / 2e-6
            assert slope == pytest.approx(penalty.matrix[i], abs=1e-7)


def test_targets_that_have_no_size_in_common():
    N, D = (x.ravel() for x in np.meshgrid([1e8, 2e8, 4e8, 8e8], [1e9, 2e9]))
    h = np.tile([0.5, 0.5], (len(N), 1))
    small, large = np.where(N < 6e8, 3.0, np.nan), np.where(N > 6e8, 3.0, np.nan)
    runs = Runs.from_arrays(N, D, h, {"x": small, "y": large}, ["a", "b"])
    with pytest.raises(UsageError, match="No target has losses both"):
        fit(runs, "coupled-linear", shrink="auto", options=FitOptions(restarts=1, hops=0))


def test_no_digit_of_a_shrinkage_is_lost():
    assert parse_law(with_shrinkage("joint", 0.0123456789))[1] == 0.0123456789
