"""Functions of h: their values, their derivatives, and what happens at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.laws.coefficients import (
    LOG_ZERO,
    Constant,
    NotContainedError,
    PowerSum,
    log_weights,
)
from mixfit.laws.parameters import FREE, NONNEGATIVE, POSITIVE
from mixfit.laws.power_mean import PowerMean

K = 3
MIXTURES = np.array(
    [
        [1 / 3, 1 / 3, 1 / 3],
        [0.2, 0.5, 0.3],
        [0.7, 0.3, 0.0],
        [0.0, 0.15, 0.85],
        [0.0, 1.0, 0.0],
    ]
)
LOG_MIXTURES = log_weights(MIXTURES)

RECIPROCAL = PowerSum("C", inner="gamma", outer=-1.0)
FREE_OUTER = PowerSum("C", outer="gamma")
NEGATIVE_OUTER = PowerSum("C", inner="gamma", outer="kappa", negative=True)
POWER_SUMS = {
    "reciprocal": RECIPROCAL,
    "free outer": FREE_OUTER,
    "negative outer": NEGATIVE_OUTER,
    "linear": PowerSum("C", outer=1.0),
}
COEFFICIENTS = POWER_SUMS | {
    "positive": Constant("A"),
    "nonnegative": Constant("E", NONNEGATIVE),
    "free": Constant("delta", FREE),
    "free, other sign": Constant("eta", FREE, sign=-1.0),
}

every_coefficient = pytest.mark.parametrize("part", COEFFICIENTS.values(), ids=COEFFICIENTS)
every_power_sum = pytest.mark.parametrize("part", POWER_SUMS.values(), ids=POWER_SUMS)
seeds = pytest.mark.parametrize("seed", range(5))


def plain_power_sum(part, natural, h):
    """(sum C_i h_i^gamma_i)^outer, as it is written."""
    inner = natural[part.inner] if part.inner else np.ones(h.shape[1])
    outer = natural[part.outer][0] if isinstance(part.outer, str) else part.outer
    return (natural[part.name] * h**inner).sum(axis=1) ** (-outer if part.negative else outer)


def central_differences(function, x, step=1e-6):
    """The derivatives of an array with respect to a vector, by the vector in the last axis."""
    columns = []
    for direction in np.eye(len(x)) * step:
        columns.append((function(x + direction) - function(x - direction)) / (2 * step))
    return np.stack(columns, axis=-1)


def test_log_weights():
    assert log_weights(np.array([0.0, 1.0])).tolist() == [LOG_ZERO, 0.0]
    np.testing.assert_allclose(log_weights(np.array([0.25, 1e-300])), np.log([0.25, 1e-300]))


@every_coefficient
@seeds
def test_jacobian_agrees_with_differences(part, seed):
    theta = part.random(np.random.default_rng(seed), K)
    value, jacobian = part.value(theta, MIXTURES, LOG_MIXTURES)
    expected = central_differences(lambda t: part.value(t, MIXTURES, LOG_MIXTURES)[0], theta)
    assert value.shape == (len(MIXTURES),)
    assert jacobian.shape == (len(MIXTURES), len(theta))
    np.testing.assert_allclose(jacobian, expected, rtol=2e-7, atol=1e-8 * np.abs(value).max())


@every_power_sum
@seeds
def test_power_sum_is_the_formula_of_its_natural_parameters(part, seed):
    theta = part.random(np.random.default_rng(seed), K)
    value, _ = part.value(theta, MIXTURES, LOG_MIXTURES)
    np.testing.assert_allclose(
        value, plain_power_sum(part, part.natural(theta), MIXTURES), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("part", "theta", "number"),
    [
        (Constant("A"), np.log(2.5), 2.5),
        (Constant("E", NONNEGATIVE), 0.0, 0.0),
        (Constant("E", NONNEGATIVE), 1.5, 1.5),
        (Constant("delta", FREE), -0.25, -0.25),
    ],
)
def test_a_constant_is_its_number_everywhere(part, theta, number):
    theta = np.array([theta])
    np.testing.assert_allclose(part.value(theta, MIXTURES, LOG_MIXTURES)[0], np.full(5, number))
    np.testing.assert_allclose(part.natural(theta)[part.name], [number])
    assert not part.weight_gradient(theta, MIXTURES, LOG_MIXTURES).any()
    assert not part.depends_on_mixture


def test_a_sign_changes_what_the_term_sees_and_not_what_is_reported():
    part, theta = Constant("eta", FREE, sign=-1.0), np.array([0.3])
    assert part.value(theta, MIXTURES[:1], LOG_MIXTURES[:1])[0] == [-0.3]
    assert part.natural(theta)["eta"] == [0.3]


@every_coefficient
@seeds
def test_natural_and_internal_are_inverse(part, seed):
    theta = part.random(np.random.default_rng(seed), K)
    np.testing.assert_allclose(part.internal(part.natural(theta)), theta, rtol=1e-12, atol=1e-14)


@every_coefficient
def test_groups_lay_theta_out(part):
    groups = part.params
    theta = part.random(np.random.default_rng(0), K)
    assert sum(group.size(K) for group in groups) == len(theta)
    assert list(part.natural(theta)) == [group.name for group in groups]
    assert [len(x) for x in part.natural(theta).values()] == [group.size(K) for group in groups]
    assert all(group.lower < group.upper for group in groups)
    assert part.depends_on_mixture == isinstance(part, PowerSum)


@pytest.mark.parametrize(
    "part",
    [part for part in COEFFICIENTS.values() if getattr(part, "sign", 1.0) > 0],
    ids=[name for name, part in COEFFICIENTS.items() if getattr(part, "sign", 1.0) > 0],
)
def test_scaled_multiplies_the_value(part):
    theta = part.random(np.random.default_rng(0), K)
    value, _ = part.value(theta, MIXTURES, LOG_MIXTURES)
    scaled, _ = part.value(part.scaled(theta, np.log(3.0)), MIXTURES, LOG_MIXTURES)
    np.testing.assert_allclose(scaled, 3.0 * value, rtol=1e-13)


@every_power_sum
@seeds
def test_weight_gradient_agrees_with_differences_along_the_simplex(part, seed):
    rng = np.random.default_rng(seed)
    theta = part.random(rng, K)
    h = rng.dirichlet(np.ones(K), 4) * 0.94 + 0.02
    step = 1e-6

    def at(h):
        h = h / h.sum(axis=1, keepdims=True)
        return part.value(theta, h, log_weights(h))[0]

    expected = [(at(h + e) - at(h - e)) / (2 * step) for e in np.eye(K) * step]
    found = part.weight_gradient(theta, h, log_weights(h))
    scale = np.abs(found).max(axis=1, keepdims=True)
    np.testing.assert_allclose(found / scale, np.transpose(expected) / scale, atol=1e-6)
    # Moving along h itself changes nothing.
    np.testing.assert_allclose((found * h).sum(axis=1), 0.0, atol=1e-12 * scale.max())


@pytest.mark.parametrize(
    ("gamma", "infinite"), [(0.5, True), (1.0, False), (1.7, False)], ids=["below 1", "1", "above"]
)
@pytest.mark.parametrize("part", [RECIPROCAL, NEGATIVE_OUTER], ids=["reciprocal", "negative outer"])
def test_one_sided_weight_gradient_at_zero_weight(part, gamma, infinite):
    natural = {"C": np.array([0.5, 2.0, 1.2]), "gamma": np.array([gamma, 0.8, 1.3])}
    theta = part.internal(natural | {"kappa": np.array([0.6])})
    h = np.array([[0.0, 0.4, 0.6]])

    def at(h):
        return part.value(theta, h / h.sum(), log_weights(h / h.sum()))[0][0]

    found = part.weight_gradient(theta, h, log_weights(h))[0]
    assert np.all(np.isfinite(found[1:]))
    if infinite:
        assert found[0] == -np.inf
        return
    # The one-sided difference has an error of order step^min(1, gamma - 1), hence the size of step.
    step = 1e-9
    expected = (at(h + np.array([step, 0.0, 0.0])) - at(h)) / step
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


class TestAroundInfiniteOuterExponent:
    """s = 1 / outer = 0: the value is exp(sum b_i h_i), and nothing jumps there."""

    b = np.array([-0.8, 0.4, 1.1])

    def at(self, s):
        theta = np.append(self.b, s)
        return FREE_OUTER.value(theta, MIXTURES, LOG_MIXTURES)

    def test_value_at_zero(self):
        np.testing.assert_allclose(self.at(0.0)[0], np.exp(MIXTURES @ self.b), rtol=1e-14)

    @pytest.mark.parametrize("sign", [1, -1])
    @pytest.mark.parametrize("size", [1e-300, 1e-15, 1e-9, 1e-6, 9e-6, 1.1e-5, 1e-4, 1e-3, 1e-2])
    def test_value_and_derivatives_near_zero(self, size, sign):
        s = sign * size
        value, jacobian = self.at(s)
        # The log value is m1 + s m2 / 2 + s^2 m3 / 6 + s^3 (m4 - 3 m2^2) / 24 + ..., with the
        # moments of b under h: enough terms for the sizes here.
        centre = MIXTURES @ self.b
        away = self.b - centre[:, None]
        m2, m3, m4, m5 = ((MIXTURES * away**n).sum(axis=1) for n in (2, 3, 4, 5))
        c4, c5 = m4 - 3 * m2**2, m5 - 10 * m3 * m2
        log_value = centre + s * m2 / 2 + s**2 * m3 / 6 + s**3 * c4 / 24 + s**4 * c5 / 120
        slope = m2 / 2 + s * m3 / 3 + s**2 * c4 / 8 + s**3 * c5 / 30
        np.testing.assert_allclose(value, np.exp(log_value), rtol=1e-9)
        # The series leaves out s^2 c4 / 8, below 1e-10; where it ends, the difference of logs is
        # good to some 1e-16 / s^2 = 1e-6.
        tolerance = 1e-10 if size < 1e-5 else 5e-6
        np.testing.assert_allclose(jacobian[:, -1], value * slope, rtol=0, atol=tolerance)
        share = MIXTURES * np.exp(s * away)
        share /= share.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(jacobian[:, :K], share * value[:, None], rtol=1e-9)

    def test_weight_gradient_is_continuous(self):
        def at(s):
            return FREE_OUTER.weight_gradient(np.append(self.b, s), MIXTURES, LOG_MIXTURES)

        zero = at(0.0)
        expected = np.exp(MIXTURES @ self.b)[:, None] * (self.b - (MIXTURES @ self.b)[:, None])
        np.testing.assert_allclose(zero, expected, rtol=1e-13, atol=1e-15)
        for s in (1e-300, -1e-300, 1e-12, -1e-12, 1e-9, -1e-9):
            np.testing.assert_allclose(at(s), zero, rtol=1e-7, atol=1e-8)

    def test_a_large_value_survives_natural_parameters(self):
        # B D^-beta with beta = 1.6 has a B of 1e13, whose C_B = B^(1 / gamma_B) overflow.
        corners = np.eye(K)
        for s in (-30.0, -12.0, 12.0, 30.0):
            theta = np.append(np.full(K, 60.0), s)
            again = FREE_OUTER.internal(FREE_OUTER.natural(theta))
            value = FREE_OUTER.value(again, MIXTURES, log_weights(MIXTURES))[0]
            np.testing.assert_allclose(value, np.exp(60.0), rtol=1e-9)
            theta = np.append(np.linspace(50.0, 70.0, K), s)
            again = FREE_OUTER.internal(FREE_OUTER.natural(theta))
            value = FREE_OUTER.value(again, corners, log_weights(corners))[0]
            np.testing.assert_allclose(value, np.exp(theta[:K]), rtol=1e-9)

    def test_natural_parameters_stay_finite_and_close(self):
        for s in (0.0, 1e-12, -1e-12):
            natural = FREE_OUTER.natural(np.append(self.b, s))
            assert all(np.all(np.isfinite(x)) for x in natural.values())
            np.testing.assert_allclose(
                plain_power_sum(FREE_OUTER, natural, MIXTURES), self.at(s)[0], rtol=1e-6
            )


@pytest.mark.parametrize("s", [-30.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 30.0])
def test_corner_values_far_apart(s):
    b = np.array([-30.0, 5.0, 40.0])
    value, jacobian = FREE_OUTER.value(np.append(b, s), MIXTURES, LOG_MIXTURES)
    # In extended precision, from the largest summand down.
    wide = np.longdouble(s) * b + LOG_MIXTURES.astype(np.longdouble)
    top = wide.max(axis=1)
    log_value = MIXTURES @ b
    if s != 0:
        log_value = (top + np.log(np.exp(wide - top[:, None]).sum(axis=1))) / s
    np.testing.assert_allclose(value, np.exp(log_value).astype(float), rtol=1e-10)
    assert np.all(np.isfinite(jacobian))


@pytest.mark.parametrize("distance", [700.0, 735.0, 743.0, 760.0])
def test_mixtures_whose_sums_are_far_apart(distance):
    """Around 740 the smaller of two sums, scaled by the larger, would have lost its digits."""
    h = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    theta = np.array([0.0, distance / 30, 0.0, 30.0])
    value, jacobian = FREE_OUTER.value(theta, h, log_weights(h))
    np.testing.assert_allclose(value, [1.0, np.exp(distance / 30)], rtol=1e-13)
    np.testing.assert_allclose(jacobian[0], [1.0, 0.0, 0.0, 0.0], atol=1e-13)


@every_power_sum
@seeds
def test_nothing_is_nan_at_random_points_within_the_bounds(part, seed):
    rng = np.random.default_rng(seed)
    groups = part.params
    lower = np.concatenate([np.full(g.size(K), g.lower) for g in groups])
    upper = np.concatenate([np.full(g.size(K), g.upper) for g in groups])
    for _ in range(50):
        theta = rng.uniform(lower, upper)
        value, jacobian = part.value(theta, MIXTURES, LOG_MIXTURES)
        assert np.all(value >= 0)
        ordinary = (value > 1e-100) & (value < 1e100)  # kappa = 1000 can lead anywhere
        assert np.all(np.isfinite(jacobian[ordinary]))
        assert not np.any(np.isnan(part.weight_gradient(theta, MIXTURES, LOG_MIXTURES)[ordinary]))
        assert all(np.all(np.isfinite(x)) for x in part.natural(theta).values())


@pytest.mark.parametrize("part", [RECIPROCAL, NEGATIVE_OUTER], ids=["reciprocal", "negative outer"])
def test_zero_weight_adds_nothing(part):
    theta = part.random(np.random.default_rng(3), K)
    h = np.array([[0.0, 0.4, 0.6]])
    value, jacobian = part.value(theta, h, log_weights(h))
    assert jacobian[0, 0] == 0.0  # b of the domain
    assert jacobian[0, K] == 0.0  # its inner exponent
    moved = theta.copy()
    moved[[0, K]] = [5.0, -3.0]
    assert part.value(moved, h, log_weights(h))[0] == value


class TestPowerMean:
    """Coefficients change places through one common form."""

    @every_power_sum
    @seeds
    def test_describes_the_coefficient(self, part, seed):
        theta = part.random(np.random.default_rng(seed), K)
        mean = part.as_power_mean(theta, K)
        plain = (
            np.exp(mean.s * mean.b) * MIXTURES ** (1.0 if mean.gamma is None else mean.gamma)
        ).sum(axis=1) ** (1 / mean.s)
        np.testing.assert_allclose(plain, part.value(theta, MIXTURES, LOG_MIXTURES)[0], rtol=1e-12)
        np.testing.assert_allclose(part.from_power_mean(mean), theta, rtol=1e-12, atol=1e-14)

    @every_power_sum
    def test_holds_a_constant(self, part):
        mean = Constant("A").as_power_mean(np.log([0.7]), K)
        theta = part.from_power_mean(mean)
        np.testing.assert_allclose(part.value(theta, MIXTURES, LOG_MIXTURES)[0], 0.7, rtol=1e-13)

    @pytest.mark.parametrize("kind", [POSITIVE, NONNEGATIVE])
    def test_comes_back_to_a_constant(self, kind):
        part = Constant("x", kind)
        theta = np.array([0.3])
        np.testing.assert_allclose(part.from_power_mean(part.as_power_mean(theta, K)), theta)

    def test_simple_within_powered(self):
        theta = np.array([0.2, -0.4, 1.0, -0.8])
        powered = NEGATIVE_OUTER.from_power_mean(FREE_OUTER.as_power_mean(theta, K))
        np.testing.assert_allclose(
            NEGATIVE_OUTER.value(powered, MIXTURES, LOG_MIXTURES)[0],
            FREE_OUTER.value(theta, MIXTURES, LOG_MIXTURES)[0],
            rtol=1e-13,
        )

    @pytest.mark.parametrize(
        ("part", "mean"),
        [
            (NEGATIVE_OUTER, PowerMean(np.array([0.0, 1.0, 2.0]), np.ones(3), 0.5)),
            (RECIPROCAL, PowerMean(np.array([0.0, 1.0, 2.0]), np.ones(3), -0.5)),
            (FREE_OUTER, PowerMean(np.zeros(3), np.array([1.0, 0.5, 1.0]), -1.0)),
            (Constant("A"), PowerMean(np.array([0.0, 1.0, 2.0]), np.ones(3), 1.0)),
        ],
        ids=["sign of outer", "other outer", "inner exponents", "depends on h"],
    )
    def test_says_what_cannot_be_held(self, part, mean):
        with pytest.raises(NotContainedError):
            part.from_power_mean(mean)

    def test_zero_has_no_such_form(self):
        with pytest.raises(NotContainedError, match="E is not positive"):
            Constant("E", NONNEGATIVE).as_power_mean(np.zeros(1), K)


def test_family_forgets_names_and_pulls_alone():
    assert PowerSum("C", pull=1.0).family == PowerSum("F", across=1.0).family
    assert PowerSum("C_A", outer="gamma_A").family == PowerSum("C_B", outer="gamma_B").family
    assert PowerSum("C_A", outer="gamma_A").family != RECIPROCAL.family
    assert Constant("A").family == Constant("B").family
    assert Constant("A").family != Constant("E", NONNEGATIVE).family
