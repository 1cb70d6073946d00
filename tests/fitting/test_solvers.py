"""Solvers on problems whose minima are known or found by others."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import linprog, lsq_linear, minimize

from mixfit.fitting.solvers import SOLVERS, basin_hopping, descend, early_stopping, search


class Function:
    """A function to be minimised that counts its evaluations."""

    def __init__(self, lower, upper):
        self.bounds = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
        self.evaluations = 0

    def at(self, theta):
        self.evaluations += 1
        assert np.all(theta >= self.bounds[0])
        assert np.all(theta <= self.bounds[1])
        return self.evaluated(theta)


def here(value, gradient, matrix):
    """What a solver is told of a point."""
    return SimpleNamespace(
        value=float(value),
        gradient=gradient,
        model=SimpleNamespace(gradient=gradient, matrix=matrix),
    )


class LeastSquares(Function):
    """|A theta - b|^2 / 2 plus a constant."""

    def __init__(self, A, b, lower=-np.inf, upper=np.inf):
        k = A.shape[1]
        super().__init__(np.full(k, lower), np.full(k, upper))
        self.A, self.b = A, b

    def evaluated(self, theta):
        r = self.A @ theta - self.b
        return here(0.5 * r @ r, self.A.T @ r, self.A.T @ self.A)


class HuberRegression(Function):
    """Mean Huber loss of A theta - b, over delta, with the matrix that mixfit's objective has."""

    def __init__(self, A, b, delta, lower=-np.inf, upper=np.inf):
        k = A.shape[1]
        super().__init__(np.full(k, lower), np.full(k, upper))
        self.A, self.b, self.delta = A, b, delta

    def evaluated(self, theta):
        r = self.A @ theta - self.b
        size = np.abs(r)
        loss = np.where(size < self.delta, r**2 / 2 / self.delta, size - self.delta / 2)
        pull = 1 / np.maximum(size, self.delta) / len(r)
        return here(loss.mean(), self.A.T @ (pull * r), self.A.T @ (pull[:, None] * self.A))


class Waves(Function):
    """A bowl with many local minima; the lowest is 0, at 0."""

    def __init__(self, k=2):
        super().__init__(np.full(k, -5.0), np.full(k, 5.0))

    def evaluated(self, theta):
        value = np.sum(theta**2 + 1.5 * (1 - np.cos(4 * theta)))
        gradient = 2 * theta + 6 * np.sin(4 * theta)
        return here(value, gradient, np.diag(np.full(len(theta), 8.0)))


def sample(rng):
    return rng.uniform(-5, 5, 2)


class Draws:
    """A sampler that keeps the starts that it drew."""

    def __init__(self, draw=sample):
        self._draw, self.starts = draw, []

    def __call__(self, rng):
        self.starts.append(self._draw(rng))
        return self.starts[-1]


def regression(seed, k=4, rows=60):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rows, k))
    return A, A @ rng.standard_normal(k) + 0.05 * rng.standard_t(2, rows)


class TestDescend:
    @pytest.mark.parametrize("seed", range(5))
    def test_least_squares(self, seed):
        A, b = regression(seed)
        point = descend(LeastSquares(A, b), np.zeros(4))
        assert point.converged
        np.testing.assert_allclose(point.theta, np.linalg.lstsq(A, b, rcond=None)[0], atol=1e-4)

    @pytest.mark.parametrize("seed", range(5))
    def test_least_squares_with_bounds(self, seed):
        A, b = regression(seed)
        expected = lsq_linear(A, b, (-0.4, 0.3), tol=1e-14)
        assert expected.active_mask.any()
        point = descend(LeastSquares(A, b, -0.4, 0.3), np.full(4, 0.1))
        assert point.converged
        np.testing.assert_allclose(point.value, expected.cost, rtol=1e-6)
        np.testing.assert_allclose(point.theta, expected.x, atol=1e-3)

    def test_a_start_outside_the_bounds_is_clipped(self):
        A, b = regression(0)
        point = descend(LeastSquares(A, b, -0.4, 0.3), np.full(4, 9.0))
        expected = lsq_linear(A, b, (-0.4, 0.3), tol=1e-14)
        np.testing.assert_allclose(point.value, expected.cost, rtol=1e-6)

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("delta", [1e-3, 1.0])
    def test_huber_regression(self, seed, delta):
        A, b = regression(seed)
        function = HuberRegression(A, b, delta)
        point = descend(function, np.zeros(4))
        assert point.converged
        # Smooth enough for another solver, started from the mean's fit.
        other = minimize(
            lambda theta: (function.at(theta).value, function.at(theta).gradient),
            np.linalg.lstsq(A, b, rcond=None)[0],
            jac=True,
            method="BFGS",
            options={"gtol": 1e-10, "maxiter": 3000},
        )
        assert point.value <= other.fun * (1 + 1e-5)

    @pytest.mark.parametrize("seed", range(5))
    def test_nearly_absolute_regression_with_bounds(self, seed):
        A, b = regression(seed)
        rows, k = A.shape
        # Least absolute residuals as a linear programme in theta and the residuals' sizes.
        one = np.eye(rows)
        expected = linprog(
            np.concatenate([np.zeros(k), np.full(rows, 1 / rows)]),
            A_ub=np.block([[A, -one], [-A, -one]]),
            b_ub=np.concatenate([b, -b]),
            bounds=[(-0.4, 0.3)] * k + [(0, None)] * rows,
        )
        delta = 1e-6
        point = descend(HuberRegression(A, b, delta, -0.4, 0.3), np.zeros(k))
        assert abs(point.value - expected.fun) < 1e-3 * expected.fun

    def test_a_minimum_stays_where_it_is(self):
        point = descend(Waves(), np.zeros(2))
        assert point.value == 0.0
        assert point.converged
        np.testing.assert_array_equal(point.theta, [0.0, 0.0])

    def test_all_variables_held_by_their_bounds(self):
        A, b = np.eye(2), np.array([5.0, -5.0])
        point = descend(LeastSquares(A, b, -1.0, 1.0), np.zeros(2))
        np.testing.assert_array_equal(point.theta, [1.0, -1.0])
        assert point.converged

    def test_an_undefined_start_is_given_up(self):
        function = Waves()
        function.evaluated = lambda theta: here(np.nan, np.full(2, np.nan), np.full((2, 2), np.nan))
        point = descend(function, np.ones(2))
        assert point.value == np.inf
        assert not point.converged

    def test_steps_into_the_undefined_are_shortened(self):
        class Walled(Waves):
            def evaluated(self, theta):
                inside = super().evaluated(theta)
                if not np.all(np.abs(theta) > 0.05):
                    inside.value = np.nan
                return inside

        function = Walled()
        point = descend(function, np.array([0.3, 0.3]))
        assert point.value < function.at(np.array([0.2, 0.2])).value
        assert np.all(np.abs(point.theta) > 0.05)


def test_early_stopping_goes_down_from_each_start_but_not_to_the_end():
    size = 200
    function = LeastSquares(np.diag(np.linspace(0.01, 1.0, size)), np.ones(size), -1e3, 1e3)
    starts = np.zeros((3, size))
    starts[1] = 1.0  # nearer to the minimum at 0, which lies up to 100 away
    drawn = iter(starts)
    found = early_stopping(
        function,
        lambda rng: next(drawn),
        [],
        rng=np.random.default_rng(0),
        restarts=3,
        hops=0,
    ).point
    assert next(drawn, None) is None
    assert found.converged
    assert 1e-6 < found.value < 0.2 * function.at(starts[1]).value


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
class TestEverySolver:
    def test_the_lowest_of_many_minima(self, solver):
        if solver is early_stopping:
            pytest.skip("it does not hop")
        rng = np.random.default_rng(0)
        solution = solver(Waves(), sample, [], rng=rng, restarts=2, hops=12)
        assert solution.point.value < 1e-8
        np.testing.assert_allclose(solution.point.theta, 0.0, atol=1e-4)

    def test_bounds_hold(self, solver):
        A, b = np.eye(2), np.array([9.0, 0.2])
        function = LeastSquares(A, b, -1.0, 1.0)
        rng = np.random.default_rng(0)
        solution = solver(function, sample, [], rng=rng, restarts=2, hops=3)
        np.testing.assert_allclose(solution.point.theta, [1.0, 0.2], atol=1e-5)
        assert solution.point.theta[0] <= 1.0

    @pytest.mark.parametrize("seed", range(5))
    def test_never_worse_than_a_known_point(self, solver, seed):
        # Starts are drawn far from the known point and there is hardly a search.
        function = Waves()
        known = [np.array([3.1, -0.05]), np.array([0.05, 0.02])]
        solution = solver(
            function,
            lambda rng: rng.uniform(4, 5, 2),
            known,
            rng=np.random.default_rng(seed),
            restarts=1,
            hops=0,
        )
        assert solution.point.value <= min(function.at(theta).value for theta in known)

    def test_same_seed_same_result(self, solver):
        draws = [Draws(), Draws()]
        first, second = (
            solver(Waves(), drawn, [], rng=np.random.default_rng(3), restarts=2, hops=2)
            for drawn in draws
        )
        np.testing.assert_array_equal(first.point.theta, second.point.theta)
        np.testing.assert_array_equal(draws[0].starts, draws[1].starts)
        assert first.hops == second.hops

    def test_other_seed_other_search(self, solver):
        draws = Draws()
        for seed in range(2):
            solver(Waves(), draws, [], rng=np.random.default_rng(seed), restarts=1, hops=0)
        assert not np.array_equal(*draws.starts)


class TestSearch:
    def test_starts_end_once_several_agree(self):
        A, b = regression(0, k=2)
        draws = Draws()
        search(LeastSquares(A, b), draws, [], rng=np.random.default_rng(0), restarts=50, hops=0)
        assert len(draws.starts) == 4

    def test_starts_go_on_while_they_do_not_agree(self):
        draws = Draws()
        best = [np.zeros(2)]  # known, and too narrow for a start to find
        search(Waves(), draws, best, rng=np.random.default_rng(0), restarts=9, hops=0)
        assert len(draws.starts) == 9

    def test_hops_end_after_so_many_without_success(self):
        A, b = regression(0, k=2)
        solution = search(
            LeastSquares(A, b), sample, [], rng=np.random.default_rng(0), restarts=2, hops=7
        )
        assert solution.hops == 7

    def test_fewer_hops_where_starts_agree(self):
        A, b = regression(0, k=2)
        rng = np.random.default_rng(0)
        solution = search(LeastSquares(A, b), sample, [], rng=rng, restarts=12, hops=7)
        assert solution.hops == 4

    def test_more_hops_where_no_two_starts_agree(self):
        rng = np.random.default_rng(0)
        best = [np.zeros(2)]  # known, so that no hop finds anything lower
        solution = search(Waves(), sample, best, rng=rng, restarts=3, hops=7)
        assert solution.hops == 21

    def test_hops_find_what_starts_do_not(self):
        def far(rng):
            return rng.uniform(4, 5, 2)

        values = [
            search(
                Waves(), far, [], rng=np.random.default_rng(0), restarts=1, hops=hops
            ).point.value
            for hops in (0, 30)
        ]
        assert values[0] > 1
        assert values[1] < 1e-8

    def test_a_rough_objective_leads_to_the_exact_minimum(self):
        A, b = regression(0, k=2, rows=400)
        function, rough = LeastSquares(A, b), LeastSquares(A[:100], b[:100])
        solution = search(
            function, sample, [], rng=np.random.default_rng(0), restarts=4, hops=4, rough=rough
        )
        np.testing.assert_allclose(
            solution.point.theta, np.linalg.lstsq(A, b, rcond=None)[0], atol=1e-4
        )
        assert rough.evaluations > function.evaluations

    def test_a_rough_objective_does_not_lose_a_known_point(self):
        misleading = LeastSquares(np.eye(2), np.array([4.0, 4.0]))
        known = np.array([0.01, 0.01])
        function = Waves()
        solution = search(
            function,
            sample,
            [known],
            rng=np.random.default_rng(0),
            restarts=1,
            hops=0,
            rough=misleading,
        )
        assert solution.point.value <= function.at(known).value


class TestBasinHopping:
    def test_a_value_that_is_not_finite_is_stepped_over(self):
        class Holed(Waves):
            def evaluated(self, theta):
                inside = super().evaluated(theta)
                if np.all(np.abs(theta - 2.0) < 0.3):
                    inside.value = np.nan
                return inside

        solution = basin_hopping(
            Holed(),
            lambda _: np.full(2, 2.0),
            [],
            rng=np.random.default_rng(0),
            restarts=1,
            hops=20,
        )
        assert solution.point.value < 10

    def test_counts(self):
        draws = Draws()
        solution = basin_hopping(
            Waves(), draws, [np.zeros(2)], rng=np.random.default_rng(0), restarts=2, hops=3
        )
        assert len(draws.starts) == 2
        assert solution.hops == 9  # from the known point too
