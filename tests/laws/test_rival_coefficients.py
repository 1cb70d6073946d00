"""The functions of h in the other published laws: values, derivatives, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.base.errors import NotApplicableError
from mixfit.laws.coefficients import Constant, NotContainedError, PowerSum, log_weights
from mixfit.laws.parameters import FREE, Start
from mixfit.laws.rival_coefficients import (
    EffectiveShare,
    ExpLinear,
    ExpProduct,
    ExpSum,
    InversePowerSum,
    OwnPower,
    ShiftedPowerSum,
)

DOMAINS = ("web", "code", "wiki")
INSIDE = np.array([[0.2, 0.5, 0.3], [0.05, 0.05, 0.9], [1 / 3, 1 / 3, 1 / 3]])
WITH_ZEROS = np.array([[0.0, 0.4, 0.6], [0.0, 0.0, 1.0]])

COEFFICIENTS = {
    "offset": Constant("E", FREE, lower=-1e3, upper=1e3, start=Start(-1.0, 0.7, of=np.exp)),
    "exp-sum": ExpSum("E", "C", "gamma"),
    "exp-sum-common": ExpSum("E", "C", "gamma", common=True),
    "exp-product": ExpProduct("C", "gamma"),
    "exp-linear": ExpLinear("t"),
    "inverse-power-sum": InversePowerSum("F", "alpha"),
    "shifted-power-sum": ShiftedPowerSum("n", "a", "g"),
    "own-power": OwnPower("B", "eta", own=1),
    "effective-share": EffectiveShare(
        "C", outer="beta", exponent=Constant("beta", lower=-7.0, upper=2.0), without="gamma"
    ),
    "own-power-negative": OwnPower("E", "gamma", negative=True, own=1),
    "own-power-shifted": OwnPower("C", "gamma", negative=True, shift="eps", own=1),
}
each = pytest.mark.parametrize("part", COEFFICIENTS.values(), ids=COEFFICIENTS)

NATURAL = {
    "offset": ({"E": [-1.5]}, [-1.5, -1.5, -1.5]),
    "exp-sum": (
        {"E": [1.0], "C": [0.5, -0.2, 0.3], "gamma": [-2.0, 1.0, 3.0]},
        [1 + 0.5 * np.exp(-2 * w) - 0.2 * np.exp(c) + 0.3 * np.exp(3 * v) for w, c, v in INSIDE],
    ),
    "exp-sum-common": (
        {"E": [1.0], "C": [-0.5], "gamma": [-2.0, 1.0, 3.0]},
        [1 - 0.5 * (np.exp(-2 * w) + np.exp(c) + np.exp(3 * v)) for w, c, v in INSIDE],
    ),
    "exp-product": (
        {"C": [2.0], "gamma": [-0.7]},
        [2 * np.exp(-0.7 * 27 * w * c * v) for w, c, v in INSIDE],
    ),
    "exp-linear": (
        {"t": [-2.0, 1.0, 0.5]},
        [np.exp(-2 * w + c + 0.5 * v) for w, c, v in INSIDE],
    ),
    "inverse-power-sum": (
        {"F": [1.0, 0.7, 0.5], "alpha": [0.1, 0.3, 0.2]},
        [w**-0.1 + 0.7 * c**-0.3 + 0.5 * v**-0.2 for w, c, v in INSIDE],
    ),
    "shifted-power-sum": (
        {"n": [20.0], "a": [0.1, 0.3, 0.5], "g": [0.4, 0.7, 0.5]},
        [
            (20 * (0.1 + w)) ** -0.4 + (20 * (0.3 + c)) ** -0.7 + (20 * (0.5 + v)) ** -0.5
            for w, c, v in INSIDE
        ],
    ),
    "own-power": ({"B": [2.0], "eta": [0.3]}, [2 * c**0.3 for _, c, _ in INSIDE]),
    "effective-share": (
        {"C": [2.0, 0.5, 0.1], "beta": [0.3]},
        [(2 * w + 0.5 * c + 0.1 * v) ** -0.3 for w, c, v in INSIDE],
    ),
    "own-power-negative": ({"E": [2.0], "gamma": [0.3]}, [2 * c**-0.3 for _, c, _ in INSIDE]),
    "own-power-shifted": (
        {"C": [2.0], "gamma": [0.3], "eps": [0.05]},
        [2 * (c + 0.05) ** -0.3 for _, c, _ in INSIDE],
    ),
}


def thetas(part, count=4):
    rng = np.random.default_rng(7)
    return [part.random(rng, len(DOMAINS)) for _ in range(count)]


def value(part, theta, h):
    return part.value(theta, h, log_weights(h))[0]


@pytest.mark.parametrize("name", NATURAL)
def test_value_is_the_published_formula(name):
    natural, expected = NATURAL[name]
    part = COEFFICIENTS[name]
    theta = part.internal({group: np.array(numbers) for group, numbers in natural.items()})
    np.testing.assert_allclose(value(part, theta, INSIDE), expected, rtol=1e-12)


@pytest.mark.parametrize("name", NATURAL)
def test_natural_and_internal_are_inverse(name):
    natural, _ = NATURAL[name]
    part = COEFFICIENTS[name]
    found = part.natural(part.internal({group: np.array(x) for group, x in natural.items()}))
    assert list(found) == [group.name for group in part.params]
    for group, numbers in natural.items():
        np.testing.assert_allclose(found[group], numbers, rtol=1e-12)


@each
def test_jacobian_agrees_with_finite_differences(part):
    h = INSIDE
    for theta in thetas(part):
        found, jacobian = part.value(theta, h, log_weights(h))
        assert jacobian.shape == (len(h), len(theta))
        for i in range(len(theta)):
            step = 1e-6 * np.eye(len(theta))[i]
            slope = (value(part, theta + step, h) - value(part, theta - step, h)) / 2e-6
            np.testing.assert_allclose(
                jacobian[:, i], slope, rtol=1e-6, atol=1e-7 * abs(found).max()
            )


@each
def test_weight_gradient_agrees_with_finite_differences_along_the_simplex(part):
    for theta in thetas(part):
        found = part.weight_gradient(theta, INSIDE, log_weights(INSIDE))
        for i in range(len(DOMAINS)):
            step = 1e-6 * np.eye(len(DOMAINS))[i]
            ends = [(INSIDE + sign * step) / (1 + sign * 1e-6) for sign in (1, -1)]
            slope = (value(part, theta, ends[0]) - value(part, theta, ends[1])) / 2e-6
            np.testing.assert_allclose(found[:, i], slope, rtol=1e-5, atol=1e-6)


@each
def test_zero_weights_give_no_nan(part):
    for theta in thetas(part):
        found, jacobian = part.value(theta, WITH_ZEROS, log_weights(WITH_ZEROS))
        assert not np.isnan(found).any()
        if np.isfinite(found).all():
            assert np.isfinite(jacobian).all()
            slope = part.weight_gradient(theta, WITH_ZEROS, log_weights(WITH_ZEROS))
            assert not np.isnan(slope).any()


@each
def test_scaled_multiplies(part):
    uniform = np.full((1, 3), 1 / 3)
    at = uniform if isinstance(part, ShiftedPowerSum) else INSIDE
    for theta in thetas(part):
        scaled = part.scaled(theta, 0.4)
        np.testing.assert_allclose(
            value(part, scaled, at), np.exp(0.4) * value(part, theta, at), rtol=1e-9
        )
        np.testing.assert_array_equal(part.scaled(theta, 0.0), theta)


@each
def test_random_starts_lie_within_the_bounds_and_are_positive_in_the_middle(part):
    groups = part.params
    lower = np.concatenate([np.full(group.size(3), group.lower) for group in groups])
    upper = np.concatenate([np.full(group.size(3), group.upper) for group in groups])
    for theta in thetas(part, 50):
        assert theta.shape == lower.shape
        assert np.all((theta >= lower) & (theta <= upper))
        assert value(part, theta, np.full((1, 3), 1 / 3))[0] > 0


@each
def test_family_forgets_names_only(part):
    assert part.family != part
    assert part.family == part.family


@each
def test_only_exponentials_and_powers_of_a_linear_function_are_power_means(part):
    theta = thetas(part, 1)[0]
    mean = PowerSum("C", outer="gamma").as_power_mean(np.array([1.0, 2.0, 3.0, 0.5]), 3)
    if isinstance(part, ExpLinear):
        found = PowerSum("C", outer="gamma").from_power_mean(part.as_power_mean(theta, 3))
        np.testing.assert_allclose(
            value(PowerSum("C", outer="gamma"), found, INSIDE), value(part, theta, INSIDE)
        )
        np.testing.assert_array_equal(part.from_power_mean(part.as_power_mean(theta, 3)), theta)
    elif isinstance(part, EffectiveShare):
        np.testing.assert_array_equal(part.from_power_mean(part.as_power_mean(theta, 3)), theta)
    elif not isinstance(part, Constant):
        with pytest.raises(NotContainedError):
            part.as_power_mean(theta, 3)
    with pytest.raises(NotContainedError):
        part.from_power_mean(mean)


def test_exp_sum_is_linear_where_rates_vanish():
    h = INSIDE
    slopes = np.array([1.0, -2.0, 0.5])
    linear = 3.0 + (h - 1 / 3) @ slopes
    own = np.concatenate([[3.0], slopes, np.zeros(3)])
    common = np.concatenate([[3.0], [0.0], slopes])
    np.testing.assert_allclose(value(ExpSum("E", "C", "g"), own, h), linear, rtol=1e-12)
    np.testing.assert_allclose(value(ExpSum("E", "C", "g", common=True), common, h), linear)
    for part, theta in (
        (ExpSum("E", "C", "g"), own),
        (ExpSum("E", "C", "g", common=True), common),
    ):
        again = part.internal(part.natural(theta))
        np.testing.assert_allclose(value(part, again, h), linear, rtol=1e-6)


def test_own_power_needs_a_target_that_is_a_domain():
    part = OwnPower("E", "gamma", negative=True)
    assert part.bound(DOMAINS, "wiki") == OwnPower("E", "gamma", negative=True, own=2)
    with pytest.raises(NotApplicableError) as caught:
        part.bound(DOMAINS, "math")
    assert str(caught.value) == "it needs a target that is a training domain"


def test_infinite_forms_refuse_zero_weights():
    h = np.array([[0.0, 0.4, 0.6], [0.2, 0.2, 0.6]])
    negative = OwnPower("E", "gamma", negative=True)
    with pytest.raises(NotApplicableError) as caught:
        negative.check(h, DOMAINS)
    assert str(caught.value) == "it is infinite at a weight of 0, which rows have for web"
    with pytest.raises(NotApplicableError) as caught:
        InversePowerSum("F", "alpha").check(WITH_ZEROS, DOMAINS)
    assert str(caught.value) == "it is infinite at a weight of 0, which rows have for web, code"
    negative.bound(DOMAINS, "wiki").check(h, DOMAINS)
    OwnPower("C", "gamma", negative=True, shift="eps").check(h, DOMAINS)
    OwnPower("B", "eta").check(h, DOMAINS)
