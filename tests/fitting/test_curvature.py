"""Standard errors of predictions from a fit's own curvature."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.fitting.curvature import MeanCurvature, curvature_of
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.runs.runs import Runs

QUICK = FitOptions(restarts=1, hops=0)
C, GAMMA = np.array([1.0, 0.6, 1.6]), np.array([0.6, 0.8, 0.5])


def losses(h, D):
    return 1.5 + 1 / (C * h**GAMMA).sum(axis=1) + 800 / D**0.35


def made(rng, h, D, *, shared=0.0, alone=0.0):
    """Runs whose losses have an error for each mixture and one for each row."""
    _, mixture = np.unique(h[:, 0], return_inverse=True)
    noise = shared * rng.standard_normal(mixture.max() + 1)[mixture]
    noise = noise + alone * rng.standard_normal(len(h))
    y = losses(h, D)
    return Runs.from_arrays(1e8, D, h, {"t": y + noise}, ["a", "b", "c"])


def test_standard_errors_are_the_spread_of_refits():
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(3), 40) * 0.9 + 0.1 / 3
    D = np.full(40, 4e9)
    at = np.array([[0.3, 0.3, 0.4], [0.6, 0.2, 0.2], [0.1, 0.7, 0.2]])
    predicted, errors = [], []
    for _ in range(25):
        runs = made(rng, h, D, alone=0.004)
        found = fit(runs, "additive", options=QUICK)
        predicted.append(found.predict(1e8, 4e9, at)["t"])
        errors.append(curvature_of(found, runs, "t").standard_error(*scale(3), at))
    spread = np.std(predicted, axis=0, ddof=1)
    # The spread of 25 has a standard error of 14%, and Huber's fit is not the one of squares.
    np.testing.assert_allclose(np.mean(errors, axis=0), spread, rtol=0.5)


def scale(rows):
    return np.full(rows, 1e8), np.full(rows, 4e9)


def test_more_checkpoints_of_a_run_do_not_tell_more_of_its_mixture():
    rng = np.random.default_rng(1)
    h = rng.dirichlet(np.ones(3), 25) * 0.9 + 0.1 / 3
    at = np.array([[0.4, 0.3, 0.3]])
    errors = []
    for checkpoints in (4, 16):
        D = np.tile(np.geomspace(1e9, 8e9, checkpoints), 25)
        runs = made(
            np.random.default_rng(2), np.repeat(h, checkpoints, axis=0), D, shared=0.01, alone=1e-4
        )
        found = fit(runs, "additive", options=QUICK)
        own = curvature_of(found, runs, "t")
        assert own.mixture_noise == pytest.approx(0.01, rel=0.5)
        errors.append(float(own.standard_error(*scale(1), at)[0]))
    assert errors[1] == pytest.approx(errors[0], rel=0.3)


def test_draws_spread_as_the_standard_error_says():
    rng = np.random.default_rng(3)
    h = rng.dirichlet(np.ones(3), 60) * 0.9 + 0.1 / 3
    # With so little noise the law is linear over a draw.
    runs = made(rng, h, np.full(60, 4e9), alone=0.0002)
    found = fit(runs, "additive", options=QUICK)
    own = curvature_of(found, runs, "t")
    at = np.array([[0.4, 0.3, 0.3], [0.2, 0.2, 0.6]])
    drawn = [
        own.formula.predict(own.formula.internal(own.draw(rng)), *scale(2), at) for _ in range(300)
    ]
    ratio = np.std(drawn, axis=0) / own.standard_error(*scale(2), at)
    assert np.all((ratio > 0.8) & (ratio < 1.25))


def test_few_mixtures_are_known_less_well_than_many():
    rng = np.random.default_rng(4)
    at = rng.dirichlet(np.ones(3), 50)
    errors = []
    for count in (9, 60):
        h = rng.dirichlet(np.ones(3), count) * 0.9 + 0.1 / 3
        runs = made(rng, h, np.full(count, 4e9), alone=0.004)
        own = curvature_of(fit(runs, "additive", options=QUICK), runs, "t")
        errors.append(own.standard_error(*scale(50), at).mean())
    assert errors[0] > 2 * errors[1]


def test_targets_whose_residuals_go_together_are_known_less_well():
    rng = np.random.default_rng(5)
    h = rng.dirichlet(np.ones(3), 40) * 0.9 + 0.1 / 3
    D = np.full(40, 4e9)
    noise = 0.004 * rng.standard_normal((2, 40))
    y = losses(h, D)
    weights = {"one": 0.5, "two": 0.5}
    errors = []
    for second in (noise[1], noise[0]):
        both = {"one": y + noise[0], "two": y + second}
        runs = Runs.from_arrays(1e8, D, h, both, ["a", "b", "c"])
        found = fit(runs, "additive", options=QUICK)
        mean = MeanCurvature.of(found, runs, weights)
        errors.append(float(mean.standard_error(1e8, 4e9, np.array([[0.3, 0.3, 0.4]]))[0]))
        single = mean.targets["one"].standard_error(*scale(1), np.array([[0.3, 0.3, 0.4]]))[0]
        assert errors[-1] <= single * 1.2
    assert errors[1] > 1.2 * errors[0]
