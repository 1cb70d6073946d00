"""The power mean: several at once are each alone, and its derivatives in h."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.laws.coefficients import log_weights
from mixfit.laws.power_mean import PowerMean

K = 4
H = np.random.default_rng(0).dirichlet(np.ones(K), 6)
H[2, 1] = 0.0
H /= H.sum(axis=1, keepdims=True)
LOG_H = log_weights(H)
# Both sides of where the series takes over, 0, and outer exponents from 1/30 to a million.
S = np.array([-1.0, 1.0, 0.3, -30.0, 1e-6, 0.0, -2e-5, 9e-6])


def several(inner):
    rng = np.random.default_rng(1)
    b = rng.normal(0.0, 0.7, (len(S), K))
    gamma = np.exp(rng.normal(-0.3, 0.5, (len(S), K))) if inner else None
    s = np.where(np.abs(S) < 1e-3, -0.5, S) if inner else S
    return PowerMean(b, gamma, s)


def alone(means, index):
    gamma = None if means.gamma is None else means.gamma[index]
    return PowerMean(means.b[index], gamma, float(means.s[index]))


inner_or_not = pytest.mark.parametrize("inner", [False, True], ids=["linear", "inner exponents"])


@inner_or_not
def test_several_are_each_alone(inner):
    means = several(inner)
    at = means.at(H, LOG_H)
    assert at.log_value.shape == (len(S), len(H))
    for index in range(len(S)):
        one = alone(means, index).at(H, LOG_H)
        for name in ("log_value", "share", "in_s"):
            np.testing.assert_allclose(
                getattr(at, name)[index], getattr(one, name), rtol=1e-13, atol=1e-15
            )
        for several_slopes, slopes in zip(at.in_h(1e50), one.in_h(1e50), strict=True):
            np.testing.assert_allclose(several_slopes[index], slopes, rtol=1e-9)


@inner_or_not
def test_shares_are_derivatives_in_b_and_sum_to_1(inner):
    means = several(inner)
    at = means.at(H, LOG_H)
    np.testing.assert_allclose(at.share.sum(axis=-1), 1.0)
    for i, step in enumerate(1e-4 * np.eye(K)):
        up, down = (
            PowerMean(means.b + sign * step, means.gamma, means.s).at(H, LOG_H).log_value
            for sign in (1, -1)
        )
        # A difference of logs near s = 0 is good to some 1e-16 / s, over the step.
        np.testing.assert_allclose(at.share[..., i], (up - down) / 2e-4, atol=1e-6)


@inner_or_not
def test_slopes_and_second_derivatives_in_h(inner):
    means = several(inner)
    h = np.random.default_rng(2).dirichlet(np.full(K, 3.0), 1)
    move = np.array([[0.3, -0.5, 0.4, -0.2]])
    step = 1e-4 * h.min()
    at, up, down = (
        means.at(moved, np.log(moved)) for moved in (h, h + step * move, h - step * move)
    )
    e, q = at.in_h()
    value, above, below = (np.exp(x.log_value[:, 0]) for x in (at, up, down))
    along = e[:, 0] @ move[0]
    scale = np.abs(value * along).max()
    np.testing.assert_allclose(
        value * along, (above - below) / (2 * step), rtol=1e-5, atol=1e-6 * scale
    )
    slopes = [np.exp(x.log_value[:, 0]) * (x.in_h()[0][:, 0] @ move[0]) for x in (up, down)]
    bent = value * ((1 - means.s) * along**2 + q[:, 0] @ move[0] ** 2)
    np.testing.assert_allclose(
        bent, (slopes[0] - slopes[1]) / (2 * step), rtol=1e-5, atol=1e-5 * np.abs(bent).max()
    )


def test_steep_slopes_are_cut_off_where_asked():
    mean = PowerMean(np.zeros(2), np.array([0.5, 1.0]), -1.0)
    h = np.array([[0.0, 1.0]])
    at = mean.at(h, log_weights(h))
    assert at.in_h()[0][0, 0] == -np.inf
    steep, bend = at.in_h(1e130)
    assert -1e130 <= steep[0, 0] < -1e129
    assert np.isfinite(bend).all()
