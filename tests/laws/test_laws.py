"""The laws against their equations, and against the laws that they contain."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import (
    CONTAINED,
    D_UNIT,
    DESIGNED_NAMES,
    DOMAINS,
    N_UNIT,
    SIZES,
    K,
    draw_rows,
    draw_theta,
)
from reference.equations import PLAIN
from reference.text import evaluate

from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.coefficients import LOG_ZERO, Constant, NotContainedError, PowerSum
from mixfit.laws.formula import Formula
from mixfit.laws.law import Law, Term

# How many parameters each law has, as the design counts: a constant and a multiple of k.
COUNTS = {
    "chinchilla": (5, 0),
    "simple": (6, 1),
    "additive": (5, 2),
    "joint": (5, 4),
    "full": (5, 6),
    "powered": (6, 2),
    "coupled": (7, 2),
    "coupled-linear": (5, 4),
    "coupled-joint": (7, 4),
    "twofold": (5, 4),
    "coupled-twofold": (8, 4),
    "coupled-joint-twofold": (8, 6),
    "skaling-inside": (6, 2),
    "skaling-beside": (6, 2),
}

every_law = pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
designed_laws = pytest.mark.parametrize("name", DESIGNED_NAMES)
seeds = pytest.mark.parametrize("seed", range(3))


def test_every_law_has_a_reference():
    assert set(PLAIN) == set(CATALOGUE)


def draw(law, seed):
    """A formula for one of the domains, a theta, rows, and the domain's column."""
    rng = np.random.default_rng(seed)
    own = seed % K
    formula = Formula(law.bound(DOMAINS, DOMAINS[own]), K, N_UNIT, D_UNIT)
    return formula, draw_theta(formula, rng), draw_rows(rng, 30), own


@every_law
@seeds
@pytest.mark.filterwarnings("ignore:divide by zero")  # a law may be infinite without some domain
def test_predictions_are_those_of_the_equation(law, seed):
    formula, theta, rows, own = draw(law, seed)
    expected = PLAIN[law.name](formula.natural(theta), *rows, own)
    np.testing.assert_allclose(formula.predict(theta, *rows), expected, rtol=1e-11)


@every_law
@seeds
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_the_printed_equation_is_the_law(law, seed):
    formula, theta, rows, own = draw(law, seed)
    printed = evaluate(law.equation, formula.natural(theta), *rows, own)
    np.testing.assert_allclose(formula.predict(theta, *rows), printed, rtol=1e-11)


def test_additive_by_hand():
    formula = Formula(CATALOGUE["additive"], 2)
    natural = {
        "E": 1.0,
        "C": [2.0, 8.0],
        "gamma": [0.5, 1.0],
        "A": 100.0,
        "alpha": 0.25,
        "B": 2000.0,
        "beta": 0.5,
    }
    theta = formula.internal({name: np.atleast_1d(x).astype(float) for name, x in natural.items()})
    # 1 + 1 / (2 * 0.5 + 8 * 0.75) + 100 / 100 + 2000 / 1e4
    found = formula.predict(theta, np.array([1e8]), np.array([1e8]), np.array([[0.25, 0.75]]))
    np.testing.assert_allclose(found, 1 + 1 / 7 + 1 + 0.2, rtol=1e-13)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("k", [2, 7])
def test_count_of_parameters(name, k):
    constant, multiple = COUNTS[name]
    law = CATALOGUE[name]
    assert law.count(k) == constant + multiple * k
    assert Formula(law, k).size == law.count(k)
    assert all(len(bound) == law.count(k) for bound in Formula(law, k).bounds)


@every_law
@seeds
def test_natural_and_internal_are_inverse(law, seed):
    formula = Formula(law, K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, np.random.default_rng(seed))
    natural = formula.natural(theta)
    assert list(natural) == [group.name for group in law.groups]
    assert [len(x) for x in natural.values()] == [group.size(K) for group in law.groups]
    np.testing.assert_allclose(formula.internal(natural), theta, rtol=1e-10, atol=1e-12)


@every_law
def test_units_do_not_change_predictions(law):
    rng = np.random.default_rng(0)
    formula, other = Formula(law, K, N_UNIT, D_UNIT), Formula(law, K, 3.3e9, 7e7)
    theta = draw_theta(formula, rng)
    N, D, h = draw_rows(rng, 20)
    converted = other.internal(formula.natural(theta))
    np.testing.assert_allclose(
        other.predict(converted, N, D, h), formula.predict(theta, N, D, h), rtol=1e-11
    )


@every_law
def test_prediction_is_the_sum_of_the_summands(law):
    rng = np.random.default_rng(0)
    formula = Formula(law, K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, rng)
    rows = draw_rows(rng, 10)
    terms = formula.summand_values(theta, *rows)
    assert terms.shape == (len(law.summands), 10)
    np.testing.assert_allclose(terms.sum(axis=0), formula.predict(theta, *rows), rtol=1e-14)


@designed_laws
def test_terms_can_be_rescaled(name):
    rng = np.random.default_rng(0)
    formula = Formula(CATALOGUE[name], K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, rng)
    rows = draw_rows(rng, 10)
    terms = formula.summand_values(theta, *rows)
    factors = rng.uniform(0.5, 2.0, len(terms))
    rescaled = formula.summand_values(formula.rescaled(theta, factors), *rows)
    np.testing.assert_allclose(rescaled, terms * factors[:, None], rtol=1e-12)


def normalised_predictions(formula, theta, N, D, h):
    return formula.predict(theta, N, D, h / h.sum(axis=1, keepdims=True))


@every_law
@seeds
def test_weight_gradient_inside_the_simplex(law, seed):
    rng = np.random.default_rng(seed)
    formula = Formula(law, K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, rng)
    N, D, _ = draw_rows(rng, 8)
    h = 0.95 * rng.dirichlet(np.ones(K), 8) + 0.05 / K
    found = formula.weight_gradient(theta, N, D, h)
    step = 1e-6
    expected = [
        (
            normalised_predictions(formula, theta, N, D, h + direction)
            - normalised_predictions(formula, theta, N, D, h - direction)
        )
        / (2 * step)
        for direction in np.eye(K) * step
    ]
    # Rounding of predictions near 3 leaves differences 1e-9 off.
    np.testing.assert_allclose(found, np.transpose(expected), rtol=1e-5, atol=1e-7)


@designed_laws
@seeds
def test_weight_gradient_at_zero_weight_is_one_sided(name, seed):
    rng = np.random.default_rng(seed)
    formula = Formula(CATALOGUE[name], K, N_UNIT, D_UNIT)
    natural = formula.natural(draw_theta(formula, rng))
    for group in formula.law.groups:  # inner exponents above 1, where the derivative is finite
        if group.name in ("gamma", "gamma_2") and group.per_domain:
            natural[group.name] = rng.uniform(1.6, 2.5, K)
    theta = formula.internal(natural)
    N, D, _ = draw_rows(rng, 6)
    h = np.vstack([rng.dirichlet(np.ones(K - 1), 5), [[1.0, 0.0]]])
    h = np.insert(h, 1, 0.0, axis=1)
    found = formula.weight_gradient(theta, N, D, h)
    assert np.all(np.isfinite(found))
    step = 1e-8
    moved = normalised_predictions(formula, theta, N, D, h + step * np.eye(K)[1])
    expected = (moved - formula.predict(theta, N, D, h)) / step
    # h^1.6 at this step is 1e-5 of h, and rounding leaves 1e-7.
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-4, atol=3e-4)


def test_weight_gradient_where_a_constant_is_zero():
    formula = Formula(CATALOGUE["additive"], K)
    natural = formula.natural(draw_theta(formula, np.random.default_rng(0)))
    h = np.array([[0.2, 0.3, 0.5]])
    at = [np.array([1e8]), np.array([1e9]), h]
    with_E = formula.weight_gradient(formula.internal(natural), *at)
    without = formula.weight_gradient(formula.internal(natural | {"E": np.zeros(1)}), *at)
    assert np.all(np.isfinite(without))
    np.testing.assert_array_equal(with_E, without)


@pytest.mark.parametrize(("smaller", "larger"), CONTAINED, ids=[" in ".join(c) for c in CONTAINED])
@seeds
def test_a_larger_law_holds_a_smaller_one(smaller, larger, seed):
    rng = np.random.default_rng(seed)
    inner = Formula(CATALOGUE[smaller], K, N_UNIT, D_UNIT)
    outer = Formula(CATALOGUE[larger], K, N_UNIT, D_UNIT)
    theta = draw_theta(inner, rng)
    if (smaller, larger) == ("simple", "powered"):  # where simple's gamma is negative
        theta[inner.slices["gamma"]] = -np.exp(rng.normal(0, 0.5))
    N, D, h = draw_rows(rng, 30)
    embedded = outer.embedded(inner, theta)
    lower, upper = outer.bounds
    assert np.all((lower <= embedded) & (embedded <= upper))
    np.testing.assert_allclose(
        outer.predict(embedded, N, D, h), inner.predict(theta, N, D, h), rtol=1e-12
    )


def test_simple_with_positive_gamma_is_not_within_powered():
    inner = Formula(CATALOGUE["simple"], K)
    theta = draw_theta(inner, np.random.default_rng(0))
    theta[inner.slices["gamma"]] = 0.8
    with pytest.raises(NotContainedError):
        Formula(CATALOGUE["powered"], K).embedded(inner, theta)


FORMS = {
    # law: terms left at one N, at one D, and at both, as coefficient and exponents
    "chinchilla": ("E, B/D", "E, A/N", "E"),
    "simple": ("E, C, B/D", "E, C, A/N", "E, C"),
    "additive": ("E, C, B/D", "E, C, A/N", "E, C"),
    "joint": ("E, C, C_B/D", "E, C, C_A/N", "E, C"),
    "full": ("E, C, C_B/D", "E, C, C_A/N", "E, C"),
    "powered": ("E, C, B/D", "E, C, A/N", "E, C"),
    "coupled": ("E, C/D, B/D", "E, C, A/N", "E, C"),
    "coupled-linear": ("E, C/D, A, B/D", "E, C, A/N", "E, C"),
    "coupled-joint": ("E, C/D, C_A, C_B/D", "E, C, C_A/N", "E, C"),
    "twofold": ("E, C, C_2, B/D", "E, C, C_2, A/N", "E, C, C_2"),
    "coupled-twofold": ("E, C/D, C_2/D, B/D", "E, C, C_2, A/N", "E, C, C_2"),
    "coupled-joint-twofold": ("E, C/D, C_2/D, C_A, C_B/D", "E, C, C_2, C_A/N", "E, C, C_2"),
    "skaling-inside": ("E, C, B/D", "E, C, A/N", "E, C"),
    "skaling-beside": ("E, C, B/D", "E, C, A/N", "E, C"),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("index", range(3), ids=SIZES)
def test_forms_for_one_model_size_and_one_token_count(name, index):
    one_N, one_D = list(SIZES.values())[index]
    law = CATALOGUE[name].identified(one_model_size=one_N, one_token_count=one_D)
    form = ", ".join(
        term.coefficient.name + "/N" * (term.n is not None) + "/D" * (term.d is not None)
        for term in law.terms
    )
    assert form == FORMS[name][index]
    assert law.uses_model_size == ("/N" in form)
    assert law.uses_tokens == ("/D" in form)


@every_law
def test_nothing_is_dropped_from_a_table_with_several_sizes(law):
    assert law.identified(one_model_size=False, one_token_count=False) == law


@every_law
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_a_form_describes_what_its_law_does_at_fixed_sizes(law, sizes):
    """What a form leaves out is constant there, so that the printed equation still holds."""
    one_N, one_D = sizes
    form = law.identified(one_model_size=one_N, one_token_count=one_D)
    assert form.uses_model_size == (law.uses_model_size and not one_N)
    assert not (form.uses_tokens and one_D)
    assert form.identified(one_model_size=one_N, one_token_count=one_D) == form
    formula, theta, rows, own = draw(form, 1)
    printed = evaluate(form.equation, formula.natural(theta), *rows, own)
    np.testing.assert_allclose(formula.predict(theta, *rows), printed, rtol=1e-11)


EXCHANGEABLE = ("twofold", "coupled-twofold", "coupled-joint-twofold")


@designed_laws
@seeds
def test_exchangeable_terms_are_put_in_order(name, seed):
    formula, theta, rows, _ = draw(CATALOGUE[name], seed)
    assert bool(formula.law.exchangeable) == (name in EXCHANGEABLE)
    ordered = formula.ordered(theta)
    np.testing.assert_allclose(
        formula.predict(ordered, *rows), formula.predict(theta, *rows), rtol=1e-14
    )
    np.testing.assert_array_equal(formula.ordered(ordered), ordered)
    if name in EXCHANGEABLE:
        first, second = (np.ptp(ordered[formula.slices[corners]]) for corners in ("C", "C_2"))
        assert first >= second


def test_terms_that_share_a_parameter_with_another_one_do_not_change_places():
    first = PowerSum("C", inner="gamma", outer=-1.0)
    second = PowerSum("C_2", inner="gamma_2", outer=-1.0)
    alone = (Term("E", Constant("E")), Term("S", first), Term("S_2", second))
    assert Law("mine", "test", alone).exchangeable
    shared = (*alone, Term("A", first, n=Constant("alpha")))
    assert not Law("mine", "test", shared).exchangeable
    one_gamma = PowerSum("C_2", inner="gamma", outer=-1.0)
    assert Law("mine", "test", (*alone[:2], Term("S_2", one_gamma))).exchangeable


def test_one_exponent_of_n_and_d_is_lost_like_two():
    alpha = Constant("alpha")
    terms = (
        Term("E", Constant("E")),
        Term("B", PowerSum("C_B", outer="gamma_B"), d=Constant("beta")),
        Term("A", PowerSum("C_A", outer="gamma_A"), n=alpha, d=alpha),
    )
    form = Law("mine", "test", terms).identified(one_model_size=True, one_token_count=False)
    assert [term.role for term in form.terms] == ["E", "B"]


class TestImpossible:
    """Natural numbers that a fit file may hold and a law may not."""

    @every_law
    @seeds
    def test_whatever_a_law_gives_is_possible(self, law, seed):
        formula = Formula(law, K, N_UNIT, D_UNIT)
        theta = draw_theta(formula, np.random.default_rng(seed))
        assert not list(law.impossible(formula.natural(theta)))
        for bound in formula.bounds if law.name != "ye-m2" else ():  # which overflows there
            # Rounding in the last digits is no fault either.
            natural = {g: x * (1 + 1e-9) for g, x in formula.natural(bound).items()}
            assert not list(law.impossible(natural))

    @every_law
    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_numbers_must_be_finite(self, law, wrong):
        natural = Formula(law, K).natural(draw_theta(Formula(law, K), np.random.default_rng(0)))
        for param in law.groups:
            numbers = natural[param.name].copy()
            numbers[-1] = wrong
            [(name, index, text)] = law.impossible(natural | {param.name: numbers})
            assert (name, index) == (param.name, K - 1 if param.per_domain else None)
            assert text.startswith("a ")

    @pytest.mark.parametrize(
        ("law", "param", "wrong", "text"),
        [
            ("chinchilla", "A", -1.0, "a positive number"),
            ("chinchilla", "A", 0.0, "a positive number"),
            ("chinchilla", "E", -0.1, "a number of 0 or more"),
            ("chinchilla", "alpha", -0.3, "a number from 0.000912 to 7.39"),
            ("chinchilla", "beta", 8.0, "a number from 0.000912 to 7.39"),
            ("additive", "C", -2.0, "a positive number"),
            ("additive", "gamma", 60.0, "a number from 0.000912 to 54.6"),
            ("joint", "gamma_A", 0.01, "a number of 0.0333 or more, or of -0.0333 or less"),
            ("full", "C_alpha", 0.0, "a positive number"),
            ("coupled", "delta", 3.5, "a number from -3 to 3"),
            ("powered", "kappa", -1.0, "a number from 0.00674 to 1.1e+03"),
            ("d-cpt", "eta", -0.5, "a number from 0 to 10"),
        ],
    )
    def test_in_words(self, law, param, wrong, text):
        formula = Formula(CATALOGUE[law], K)
        natural = formula.natural(draw_theta(formula, np.random.default_rng(1)))
        natural[param] = natural[param].copy()
        natural[param][0] = wrong
        index = 0 if len(natural[param]) > 1 else None
        assert list(CATALOGUE[law].impossible(natural)) == [(param, index, text)]

    def test_large_factors_in_the_units_of_one_parameter_are_possible(self):
        formula = Formula(CATALOGUE["coupled"], K, 1e11, 1e13)
        natural = formula.natural(formula.bounds[1])
        assert natural["A"][0] > 1e60
        assert not list(CATALOGUE["coupled"].impossible(natural))


def test_mixture_groups_are_those_of_what_depends_on_h():
    names = [group.name for group in CATALOGUE["joint"].mixture_groups]
    assert names == ["C", "gamma", "C_A", "gamma_A", "C_B", "gamma_B"]
    assert CATALOGUE["chinchilla"].mixture_groups == ()


def test_log_zero_is_finite():
    assert np.isfinite(LOG_ZERO)
    assert np.exp(1e-3 * LOG_ZERO) == 0
