"""What a fit says of itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixfit.base.metrics import mean_relative_error
from mixfit.fitting.described import described
from mixfit.fitting.options import FitOptions
from mixfit.fitting.search import TargetSearch
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import PooledLaw
from mixfit.runs.target_rows import TargetRows

FASTEST = FitOptions(restarts=1, hops=0)


@pytest.mark.parametrize("apart", [0.0, 12.0])
def test_what_is_too_large_to_be_written_counts_as_it_is_written(apart):
    """C_B overflows where gamma_B is near 0 and B D^-beta is large at D = 1."""
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(2), 8)
    m, d = (x.ravel() for x in np.meshgrid(np.arange(8), np.arange(5), indexing="ij"))
    D = np.geomspace(1e9, 8e9, 5)[d]
    loss = 2 + 0.3 * h[m, 0] + 100 / D**0.3
    rows = TargetRows("x", ("a", "b"), np.geomspace(1e8, 8e8, 40), D, loss, m, h)
    law = PooledLaw(CATALOGUE["joint"], None)
    solved = TargetSearch(rows, FASTEST).solve(law)
    formula, theta = solved.formula, solved.theta.copy()
    theta[formula.slices["beta"]] = np.log(2.5)
    theta[formula.slices["gamma_B"]] = 30.0
    theta[formula.slices["C_B"]] = np.array([0.0, apart])
    point = replace(solved.solution.point, theta=theta)
    far = replace(solved, solution=replace(solved.solution, point=point))
    found = described(far, law, rows, FASTEST)
    own = found.predict(rows.N, rows.D, rows.h)
    assert found.mre == pytest.approx(mean_relative_error(own, loss), rel=1e-9)
    fitted = formula.predict(theta, rows.N, rows.D, rows.h)
    assert np.allclose(own, fitted, rtol=1e-6) == (apart == 0)
