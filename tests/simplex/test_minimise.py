from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_fits import LAWS, dirichlet, random_fit
from scipy.optimize import minimize

from mixfit.mixture.losses_of_h import LossesOfH
from mixfit.mixture.objective import LossLimits, WeightedLoss
from mixfit.mixture.planner import optimize
from mixfit.simplex.certificate import certificate
from mixfit.simplex.minimise import InfeasibleError, minimise, most_slack
from mixfit.simplex.over_mixtures import OverMixtures
from mixfit.simplex.polytope import Polytope, corrected


@dataclass
class Quadratic:
    """(h - goal) M (h - goal)."""

    matrix: np.ndarray
    goal: np.ndarray

    def value(self, h):
        return float((h - self.goal) @ self.matrix @ (h - self.goal))

    def gradient(self, h):
        return self.value(h), 2 * self.matrix @ (h - self.goal)

    def curvature(self, h):
        return 2 * self.matrix

    def convex(self, allowed):
        return bool(np.linalg.eigvalsh(self.matrix).min() >= 0)


def losses_of(fit, weights=None):
    targets = list(fit.targets)
    weights = np.full(len(targets), 1 / len(targets)) if weights is None else weights
    return WeightedLoss(LossesOfH(fit, targets).at(1e9, 2e10), weights)


def lowest(function, polytope, limits=None, starts=()):
    allowed = polytope.upper > 0
    convex = function.convex(allowed) and (limits is None or limits.convex(allowed))
    return minimise(function, polytope, limits, starts, convex=convex)


def random_polytope(k, rng):
    """Give random constraints that a random mixture obeys."""
    inside = rng.dirichlet(np.ones(k))
    lower = np.where(rng.random(k) < 0.3, inside * rng.random(k), 0.0)
    upper = np.where(rng.random(k) < 0.3, inside + (1 - inside) * rng.random(k) / 2, 1.0)
    rows = (rng.random((rng.integers(0, 3), k)) < 0.4).astype(float)
    rows = rows[rows.sum(axis=1) > 1]
    r = len(rows)
    low = np.where(rng.random(r) < 0.5, rows @ inside * rng.random(r), 0.0)
    high = np.where(rng.random(r) < 0.5, np.minimum(rows @ inside * 1.2, 1.0), 1.0)
    return Polytope(lower, upper, rows, low, high)


def on_the_way(polytope, h):
    """Give the last mixture that obeys the constraints on the way from their centre to another."""
    inside = polytope.interior
    centre = inside.centre
    h = corrected(np.where(inside.free, h, centre), inside.free, inside.equal, inside.sums)
    for share in 1 - np.append(0.0, np.geomspace(1e-12, 1, 200)):
        mixed = centre + share * (h - centre)
        if polytope.violation(mixed) < 1e-9 and mixed.min() >= 0:
            return mixed
    return centre


def slsqp(function, polytope, rng, starts=3):
    """Give the lowest value that SciPy's SLSQP finds on a polytope."""
    k = polytope.k
    constraints = [
        {"type": "eq", "fun": lambda h: h.sum() - 1, "jac": lambda h: np.ones(k)},
        {"type": "ineq", "fun": lambda h: polytope.rows @ h - polytope.low,
         "jac": lambda h: polytope.rows},
        {"type": "ineq", "fun": lambda h: polytope.high - polytope.rows @ h,
         "jac": lambda h: -polytope.rows},
    ]  # fmt: skip
    best = np.inf
    for _ in range(starts):
        start = on_the_way(polytope, rng.dirichlet(np.full(k, 0.5)))
        with np.errstate(all="ignore"):
            found = minimize(
                lambda h: function.value(np.maximum(h, 1e-12)),
                start,
                jac=lambda h: np.clip(function.gradient(np.maximum(h, 1e-12))[1], -1e6, 1e6),
                method="SLSQP",
                bounds=list(zip(polytope.lower, polytope.upper, strict=True)),
                constraints=constraints if len(polytope.rows) else constraints[:1],
                options={"ftol": 1e-13, "maxiter": 100},
            )
        h = np.clip(found.x, polytope.lower, polytope.upper)
        if np.isfinite(h).all() and abs(h.sum() - 1) < 1e-6:
            best = min(best, function.value(on_the_way(polytope, h)))
    return best


@pytest.mark.filterwarnings("ignore:Values in x were outside bounds")
@settings(max_examples=8, deadline=None, derandomize=True)
@given(law=st.sampled_from(LAWS), k=st.integers(2, 16), seed=st.integers(0, 10**6))
def test_never_worse_than_slsqp(law, k, seed):
    rng = np.random.default_rng(seed)
    function = losses_of(random_fit(law, k, int(rng.integers(1, 3)), seed))
    polytope = random_polytope(k, rng)
    found = lowest(function, polytope)
    assert polytope.violation(found.h) < 1e-9
    assert found.h.min() >= 0
    assert found.gap <= 1e-6 * found.value
    assert found.value <= slsqp(function, polytope, rng) * (1 + 1e-8)


def test_quadratic_on_the_simplex_has_its_known_minimum():
    # The projection of (0.9, 0.5, -0.4, 0) on the simplex.
    found = lowest(Quadratic(np.eye(4), np.array([0.9, 0.5, -0.4, 0.0])), Polytope.simplex(4))
    np.testing.assert_allclose(found.h, [0.7, 0.3, 0, 0], atol=1e-9)
    assert found.h[2] == found.h[3] == 0
    assert found.convex
    assert found.gap < 1e-9


def test_the_best_of_several_minima_is_found():
    # Concave: every corner is a local minimum.
    goal = np.array([0.4, 0.3, 0.2, 0.05, 0.05])
    found = lowest(Quadratic(-np.eye(5), goal), Polytope.simplex(5))
    corners = [Quadratic(-np.eye(5), goal).value(corner) for corner in np.eye(5)]
    assert found.value == pytest.approx(min(corners))
    assert not found.convex


def test_the_gap_bounds_the_distance_to_the_optimum():
    function = Quadratic(np.diag([1.0, 2, 3]), np.array([0.2, 0.3, 0.5]))
    for seed in range(20):
        h = dirichlet(3, seed)
        assert certificate(function, Polytope.simplex(3), h) >= function.value(h) - 1e-12


def test_a_weight_with_an_infinite_slope_that_belongs_far_below_rounding_is_zero():
    # h^0.5 with a coefficient of 1e-13: the optimum is near 1e-26, which nobody can train on.
    from random_fits import additive

    fit = additive({"t": [1.0, 2.0, 1e-13]}, {"t": [0.8, 0.9, 0.5]}, ["a", "b", "c"])
    found = lowest(losses_of(fit), Polytope.simplex(3))
    assert found.h[2] == 0
    assert found.convex
    assert found.gap < 1e-9


def test_an_infinite_slope_at_zero_is_not_certified():
    from random_fits import additive

    fit = additive({"t": [1.0, 2.0, 0.5]}, {"t": [0.8, 0.9, 0.5]}, ["a", "b", "c"])
    function = losses_of(fit)
    h = np.array([0.4, 0.6, 0.0])
    gap = certificate(function, Polytope.simplex(3), h)
    assert gap > function.value(h) - lowest(function, Polytope.simplex(3)).value > 1e-3


def test_limits_hold_and_the_certificate_counts_them():
    fit = random_fit("additive", 4, 2, 11)
    function = losses_of(fit, np.array([1.0, 0.0]))
    losses = function.losses
    reference = np.full(4, 0.25)
    limits = LossLimits(losses, np.array([1]), losses.values(reference)[1:])
    free = lowest(function, Polytope.simplex(4))
    found = lowest(function, Polytope.simplex(4), limits, [reference])
    assert limits.values(found.h).max() < 1e-8
    assert free.value <= found.value <= function.value(reference) + 1e-12
    assert found.gap < 1e-8
    rng = np.random.default_rng(0)
    for h in rng.dirichlet(np.ones(4), 2000):
        if limits.values(h).max() <= 0:
            assert function.value(h) >= found.value - 1e-9


def test_a_reference_that_cannot_be_bettered_is_the_only_answer():
    fit = random_fit("additive", 3, 1, 5)
    function = losses_of(fit)
    best = lowest(function, Polytope.simplex(3))
    limits = LossLimits(function.losses, np.array([0]), function.losses.values(best.h))
    found = lowest(function, Polytope.simplex(3), limits, [best.h])
    assert found.value == pytest.approx(best.value, rel=1e-8)


def test_limits_that_nothing_obeys():
    fit = random_fit("additive", 3, 1, 5)
    function = losses_of(fit)
    best = lowest(function, Polytope.simplex(3))
    limits = LossLimits(function.losses, np.array([0]), np.array([best.value * 0.99]))
    assert most_slack(limits, Polytope.simplex(3))[0] == pytest.approx(1 / 0.99 - 1, rel=1e-5)
    with pytest.raises(InfeasibleError):
        lowest(function, Polytope.simplex(3), limits)


def test_fixed_weights_and_sums_without_room():
    function = Quadratic(np.eye(4), np.full(4, 0.25))
    rows = np.array([[1.0, 1.0, 0.0, 0.0]])
    polytope = Polytope(
        np.array([0.0, 0, 0.3, 0]),
        np.array([1.0, 1, 0.3, 1]),
        rows,
        np.array([0.6]),
        np.ones(1) * 0.6,
    )
    found = lowest(function, polytope)
    np.testing.assert_allclose(found.h, [0.3, 0.3, 0.3, 0.1], atol=1e-9)
    none = np.zeros((0, 2)), np.zeros(0), np.zeros(0)
    half = Quadratic(np.eye(2), np.zeros(2))
    alone = lowest(half, Polytope(np.array([0.5, 0.5]), np.ones(2), *none))
    np.testing.assert_array_equal(alone.h, [0.5, 0.5])


@pytest.mark.parametrize("seed", range(12))
def test_extreme_parameters_give_no_warning_and_no_nan(seed):
    rng = np.random.default_rng(seed)
    law = LAWS[seed % len(LAWS)]
    fit = random_fit(law, 5, 2, seed)
    for target in fit.targets.values():
        for name, numbers in target.params.items():
            if name == "gamma" and len(numbers) > 1:
                target.params[name] = rng.choice([1e-3, 1.0, 50.0], len(numbers))
            elif name.startswith("C") and "alpha" not in name and "beta" not in name:
                target.params[name] = np.exp(rng.choice([-30.0, 0.0, 30.0], len(numbers)))
    mixture = optimize(fit, model_size=1e9, tokens=2e10)
    assert np.isfinite(mixture.objective)
    assert np.isfinite(mixture.gap)
    assert mixture.weights.sum() == pytest.approx(1, abs=1e-12)
    assert mixture.certified or "not-certified" in {note.code for note in mixture.notes}


def test_many_domains_and_targets():
    mixture = optimize(random_fit("joint", 64, 64, 3), model_size=7e9, tokens=1e11)
    assert mixture.certified


def test_a_function_that_is_nowhere_finite_is_not_certified():
    function = Quadratic(np.full((3, 3), np.nan), np.zeros(3))
    assert np.isnan(certificate(function, Polytope.simplex(3), np.full(3, 1 / 3)))


def test_sums_that_follow_from_each_other():
    # With the first pair at 0.6, the other is at 0.4.
    rows = np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    ends = np.array([0.6, 0.4])
    polytope = Polytope(np.zeros(4), np.ones(4), rows, ends, ends)
    found = lowest(Quadratic(np.eye(4), np.array([0.5, 0.1, 0.1, 0.3])), polytope)
    np.testing.assert_allclose(found.h, [0.5, 0.1, 0.1, 0.3], atol=1e-9)


def test_a_weight_of_0_in_a_sum_at_its_limit_is_certified():
    # The slope at the second weight is under that of the third, and over that of the first.
    sums = np.array([[1.0, 1, 0]]), np.zeros(1), np.array([0.2])
    polytope = Polytope(np.zeros(3), np.ones(3), *sums)
    found = lowest(Quadratic(np.eye(3), np.array([0.9, 0.3, 0.1])), polytope)
    np.testing.assert_allclose(found.h, [0.2, 0, 0.8], atol=1e-9)
    assert found.gap < 1e-12


def test_starts_that_break_the_constraints_are_brought_inside():
    rng = np.random.default_rng(0)
    for _ in range(30):
        polytope = random_polytope(6, rng)
        inside = polytope.interior
        function = Quadratic(np.eye(6), np.zeros(6))
        problem = OverMixtures(function, None, polytope, inside, inside.centre)
        for start in (*np.eye(6), rng.dirichlet(np.ones(6))):
            assert polytope.violation(problem.pulled_in(start)) < 1e-9
