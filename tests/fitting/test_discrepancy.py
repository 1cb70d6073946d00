"""What a law leaves: what was seen comes back, derivatives, and how it fades."""

from __future__ import annotations

import numpy as np
import pytest
from random_fits import dirichlet

from mixfit.fitting.discrepancy import Discrepancy, Kernel, Points, covariance, noise

K = 4
KERNEL = Kernel(
    mixture=0.4,
    model_size=1.5,
    tokens=0.8,
    everywhere=3.0,
    by_model_size=2.0,
    by_tokens=1.0,
    common_model_size=0.5,
    common_tokens=0.7,
    run=0.3,
)


@pytest.fixture
def points():
    mixtures = np.array([dirichlet(K, seed) for seed in range(6)])
    mixture = np.repeat(np.arange(6), 4)
    N, D = np.tile([1e8, 1e8, 4e8, 4e8], 6), np.tile([2e9, 8e9, 2e9, 8e9], 6)
    return Points(mixtures, mixture, N, D)


@pytest.fixture
def left(points):
    return 0.01 * np.random.default_rng(0).normal(size=(2, len(points)))


def exact(points, N, D, h):
    """Write the covariance as the module's text has it, one pair at a time."""
    found = np.empty((len(N), len(points)))
    for i in range(len(N)):
        for j in range(len(points)):
            near_n = np.exp(-abs(np.log(N[i] / points.N[j])) / KERNEL.model_size)
            near_d = np.exp(-abs(np.log(D[i] / points.D[j])) / KERNEL.tokens)
            k = np.exp(-np.sum((h[i] - points.h[j]) ** 2) / (2 * KERNEL.mixture**2))
            found[i, j] = k * (3.0 + 2.0 * near_n + 1.0 * near_d) + 0.5 * near_n + 0.7 * near_d
    return found


def trainings(count=5):
    rng = np.random.default_rng(1)
    h = rng.dirichlet(np.ones(K), count)
    return 1e8 * 10 ** rng.uniform(-1, 1, count), 4e9 * 10 ** rng.uniform(-1, 1, count), h


def test_predictions_are_those_of_a_gaussian_process(points, left):
    N, D, h = trainings()
    inverse = np.linalg.inv(exact(points, points.N, points.D, points.h) + noise(KERNEL, points))
    for found, own in zip(Discrepancy.of(KERNEL, points, left), left, strict=True):
        seen = exact(points, N, D, h)
        np.testing.assert_allclose(found.predict(N, D, h), seen @ inverse @ own, rtol=1e-9)
        assert found.variance == pytest.approx(own @ inverse @ own / len(own))
        variance = 7.2 - np.einsum("ij,jk,ik->i", seen, inverse, seen)
        expected = np.sqrt(found.variance * variance)
        np.testing.assert_allclose(found.deviation(N, D, h), expected, rtol=1e-7)


def test_noise_is_shared_by_the_points_of_a_run(points):
    expected = np.kron(np.eye(12), np.full((2, 2), 0.3)) + np.eye(24)
    np.testing.assert_allclose(noise(KERNEL, points), expected)
    np.testing.assert_allclose(
        covariance(KERNEL, points), exact(points, points.N, points.D, points.h) + expected
    )


def test_a_target_without_a_loss_at_a_point_does_not_count_it(points, left):
    left[1, [3, 7]] = np.nan
    kept = np.flatnonzero(~np.isnan(left[1]))
    first, second = Discrepancy.of(KERNEL, points, left)
    (alone,) = Discrepancy.of(KERNEL, points.select(kept), left[1:, kept])
    N, D, h = trainings()
    np.testing.assert_allclose(second.predict(N, D, h), alone.predict(N, D, h), rtol=1e-10)
    np.testing.assert_allclose(second.deviation(N, D, h), alone.deviation(N, D, h), rtol=1e-10)
    assert second.weights[[3, 7]].tolist() == [0.0, 0.0]
    assert first.weights.all()


def test_what_a_change_of_the_law_leaves_is_taken_up(points, left):
    left[0, 5] = np.nan
    found = Discrepancy.of(KERNEL, points, left)
    change = 0.01 * np.random.default_rng(2).normal(size=(3, len(points)))
    N, D, h = trainings()
    for own, seen in zip(found, left, strict=True):
        moves = own.taken_up(change, N, D, h)
        for by, move in zip(change, moves, strict=True):
            (again,) = Discrepancy.of(KERNEL, points, seen[None] - by)
            expected = again.predict(N, D, h)
            np.testing.assert_allclose(own.moved(by).predict(N, D, h), expected, rtol=1e-9)
            np.testing.assert_allclose(own.predict(N, D, h) + move, expected, rtol=1e-9)


def test_as_a_function_of_the_mixture_it_has_the_same_values_and_their_derivatives(points, left):
    own = Discrepancy.of(KERNEL, points, left)[0]
    at = own.at(3e8, 5e9)
    for h in (dirichlet(K, 20), np.array([1.0, 0.0, 0.0, 0.0])):
        value = own.predict(np.array([3e8]), np.array([5e9]), h[None])[0]
        assert at.value(h) == pytest.approx(value, rel=1e-12)
        steps = 1e-5 * np.eye(K)
        slope = [(at.value(h + step) - at.value(h - step)) / 2e-5 for step in steps]
        np.testing.assert_allclose(at.gradient(h), slope, rtol=1e-6, atol=1e-9)
        bent = [(at.gradient(h + step) - at.gradient(h - step)) / 2e-5 for step in steps]
        np.testing.assert_allclose(at.curvature(h), bent, rtol=1e-6, atol=1e-9)


def test_between_mixtures_it_has_the_deviation_of_a_difference(points, left):
    own = Discrepancy.of(KERNEL, points, left)[0]
    _, _, h = trainings()
    N, D = np.full(5, 3e8), np.full(5, 5e9)
    seen = exact(points, N, D, h)
    inverse = np.linalg.inv(covariance(KERNEL, points))
    mixtures = Points(h, np.arange(5), N, D)
    posterior = covariance(KERNEL, mixtures) - noise(KERNEL, mixtures) - seen @ inverse @ seen.T
    expected = [
        np.sqrt(own.variance * (posterior[0, 0] + posterior[i, i] - 2 * posterior[0, i]))
        for i in range(1, 5)
    ]
    np.testing.assert_allclose(own.between(3e8, 5e9, h[0], h[1:]), expected, rtol=1e-7)
    near = h[:1] + 1e-4 * np.array([1, -1, 0, 0])
    assert own.between(3e8, 5e9, h[0], near)[0] < 1e-2 * own.deviation(N[:1], D[:1], h[:1])[0]


def test_draws_vary_as_it_may_be_off_and_are_smooth(points, left):
    found = Discrepancy.of(KERNEL, points, left)[0]
    rng = np.random.default_rng(3)
    N, D, places = 2e9, 3e10, rng.dirichlet(np.ones(K), 6)
    draws = found.draws(N, D, rng.standard_normal((4000, 6)), places)
    each = np.array([[draw.value(h) for h in places] for draw in draws])
    expected = found.between(N, D, places[0], places[1:])
    np.testing.assert_allclose((each[:, 1:] - each[:, :1]).std(axis=0), expected, rtol=0.05)
    np.testing.assert_allclose(each.mean(axis=0), 0.0, atol=0.05 * expected.max())
    draw, step = draws[0], 1e-5 * np.array([1.0, -1.0, 0.0, 0.0])
    h = rng.dirichlet(np.ones(K))
    slope = (draw.value(h + step) - draw.value(h - step)) / 2e-5
    assert draw.gradient(h) @ step / 1e-5 == pytest.approx(slope, rel=1e-5)


def test_a_draw_that_is_added_adds_its_values(points, left):
    found = Discrepancy.of(KERNEL, points, left)[0]
    places = np.eye(K)
    (draw,) = found.draws(2e9, 3e10, np.ones((1, K)), places)
    here, h = found.at(2e9, 3e10), np.full(K, 1 / K)
    both = here.plus(draw)
    assert both.value(h) == pytest.approx(here.value(h) + draw.value(h))
    np.testing.assert_allclose(both.curvature(h), here.curvature(h) + draw.curvature(h), atol=1e-12)


def test_where_noise_is_none_draws_keep_to_what_was_seen(points):
    kernel = Kernel(mixture=0.4, everywhere=1e6)
    found = Discrepancy.of(kernel, points, 0.01 * np.ones((1, len(points))))[0]
    places = np.concatenate([points.mixtures, np.eye(K)])
    draws = found.draws(1e8, 2e9, np.random.default_rng(0).standard_normal((50, 10)), places)
    at_seen = np.array([[draw.value(h) for h in points.mixtures] for draw in draws])
    at_corners = np.array([[draw.value(h) for h in np.eye(K)] for draw in draws])
    assert at_seen.std() < 0.02 * at_corners.std()


def test_it_fades_beyond_what_was_seen(points, left):
    own = Discrepancy.of(KERNEL, points, left)[0]
    h = points.mixtures[:1]
    alone = Kernel(**{**vars(KERNEL), "everywhere": 0.0})
    fading = Discrepancy.of(alone, points, left)[0]
    near, far = (
        abs(fading.predict(np.array([n]), np.array([d]), h)[0])
        for n, d in ((4e8, 8e9), (1e14, 1e15))
    )
    assert far < 1e-3 * near
    sizes = np.array([4e8, 4e9, 4e10])
    unsure = own.deviation(sizes, np.full(3, 8e9), np.repeat(h, 3, axis=0))
    assert np.all(np.diff(unsure) > 0)
