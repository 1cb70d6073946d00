"""Mixtures drawn evenly from a polytope, and rounded to a grid in it."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.simplex.grid import to_steps
from mixfit.simplex.polytope import Polytope
from mixfit.simplex.sampling import draw

SUMS = Polytope(
    np.zeros(6),
    np.array([0.5, 0.5, 1, 1, 1, 0.2]),
    np.array([[1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 0.0]]),
    np.array([0.2, 0.1]),
    np.array([0.4, 0.5]),
)


def rejected(polytope, count, rng):
    """Draw evenly in the way that fails in many domains."""
    h = rng.dirichlet(np.ones(polytope.k), count)
    sums = h @ polytope.rows.T
    inside = (h >= polytope.lower).all(axis=1) & (h <= polytope.upper).all(axis=1)
    return h[inside & (sums >= polytope.low).all(axis=1) & (sums <= polytope.high).all(axis=1)]


def test_draws_are_even_where_sums_are_limited():
    drawn = draw(SUMS, 1500, np.random.default_rng(0))
    assert max(SUMS.violation(h) for h in drawn) < 1e-12
    even = rejected(SUMS, 200_000, np.random.default_rng(1))
    assert len(even) > 10_000
    # Five standard errors of a mean of 1500.
    assert np.all(np.abs(drawn.mean(axis=0) - even.mean(axis=0)) < 5 * even.std(axis=0) / 1500**0.5)
    np.testing.assert_allclose(drawn.std(axis=0), even.std(axis=0), rtol=0.1)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(even.T), atol=0.12)


def test_draws_from_the_whole_simplex_are_those_of_a_dirichlet_distribution():
    drawn = draw(Polytope.simplex(40), 1500, np.random.default_rng(0))
    known = np.random.default_rng(1).dirichlet(np.ones(40), 1500)
    assert drawn.max(axis=1).mean() == pytest.approx(known.max(axis=1).mean(), rel=0.03)
    assert drawn.min(axis=1).mean() == pytest.approx(known.min(axis=1).mean(), rel=0.15)


def test_what_is_fixed_stays():
    fixed = Polytope(
        np.array([0.1, 0, 0, 0, 0]),
        np.array([0.1, 1, 1, 1, 1]),
        np.array([[0, 1, 1, 0, 0], [0, 0, 1, 1, 0.0]]),
        np.array([0.4, 0.3]),
        np.array([0.4, 0.3]),
    )
    drawn = draw(fixed, 200, np.random.default_rng(0))
    assert max(fixed.violation(h) for h in drawn) < 1e-9
    np.testing.assert_allclose(drawn[:, 0], 0.1)
    # The two sums that are fixed share a domain, so that no pair of weights can exchange anything.
    assert drawn[:, 2].std() > 0.05


def test_one_mixture_is_drawn_again_and_again():
    one = Polytope(np.array([0.3, 0.7]), np.ones(2), np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    np.testing.assert_allclose(draw(one, 3, np.random.default_rng(0)), [[0.3, 0.7]] * 3)


def test_steps_sum_to_the_grid_and_stay_inside():
    rng = np.random.default_rng(2)
    for grid in (20, 100, 2048):
        for h in draw(SUMS, 15, rng):
            steps = to_steps(SUMS, h, grid)
            assert steps.sum() == grid
            assert np.all(steps == np.round(steps))
            # Sums of whole steps are inside to half a step, where a limit is none of steps.
            assert SUMS.violation(steps / grid) <= 0.5 / grid + 1e-9
            assert np.abs(steps - h * grid).max() <= 2


def test_steps_at_a_corner_of_a_region_do_not_leave_it():
    narrow = Polytope(
        np.array([0.0, 0.2, 0.0]), np.array([0.333, 1, 0.3]), np.zeros((0, 3)), *np.zeros((2, 0))
    )
    np.testing.assert_array_equal(to_steps(narrow, np.array([0.333, 0.367, 0.3]), 10), [3, 4, 3])
    fixed = Polytope(np.full(3, 1 / 3), np.full(3, 1 / 3), np.zeros((0, 3)), *np.zeros((2, 0)))
    assert sorted(to_steps(fixed, np.full(3, 1 / 3), 1000)) == [333, 333, 334]


def test_a_mixture_far_outside_is_brought_inside_at_once():
    """Mixtures that were trained before need not obey what is asked for now."""
    narrow = Polytope(np.zeros(3), np.array([0.1, 0.3, 1.0]), np.zeros((0, 3)), *np.zeros((2, 0)))
    steps = to_steps(narrow, np.array([1.0, 0.0, 0.0]), 10**9)
    np.testing.assert_array_equal(steps, np.array([1, 3, 6]) * 10**8)


def test_a_region_that_presolve_gets_lost_in():
    odd = Polytope(
        np.zeros(2), np.array([1.0, 0.0]), np.ones((1, 2)), np.array([0.74379703]), np.ones(1)
    )
    np.testing.assert_allclose(draw(odd, 2, np.random.default_rng(0)), [[1, 0]] * 2)
