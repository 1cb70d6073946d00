"""The catalogue: laws by name, a user's own among them, and what a declaration may say."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
from helpers import CONTAINED, draw_rows

from mixfit.base.errors import UsageError
from mixfit.laws.catalogue import ADDITIVE, CATALOGUE, CHINCHILLA, COUPLED, JOINT, find_law
from mixfit.laws.coefficients import Constant, PowerSum
from mixfit.laws.formula import Formula
from mixfit.laws.law import Law, Outer, Term
from mixfit.laws.parameters import FREE, NONNEGATIVE
from mixfit.laws.pooled import USUAL, Pool, parse_law

E = Term("E", Constant("E", NONNEGATIVE))
ALPHA = Constant("alpha", lower=-7.0, upper=2.0)
OWN = """
from mixfit.laws.catalogue import CHINCHILLA
from mixfit.laws.coefficients import Constant, PowerSum
from mixfit.laws.law import Law, Term
from mixfit.laws.parameters import NONNEGATIVE

LOG_LOSS = Law(
    "log-loss",
    "ours",
    (Term("E", Constant("E", NONNEGATIVE)), Term("A", PowerSum("A"), n=Constant("alpha"))),
)
NUMBER = 3
"""


def test_an_unknown_law():
    with pytest.raises(UsageError) as raised:
        find_law("aditive")
    assert str(raised.value) == (
        f"There is no law 'aditive'. Did you mean 'additive'? Laws: {', '.join(CATALOGUE)}."
    )


def test_equations_as_they_are_printed():
    """The worked-out ones; `test_laws` evaluates all of them."""
    assert ADDITIVE.equation == "E + 1 / sum C_i h_i^gamma_i + A N^-alpha + B D^-beta"
    assert COUPLED.equation == ("E + D^-delta / sum C_i h_i^gamma_i + A N^-alpha + B N^eta D^-beta")
    assert CATALOGUE["full"].equation.endswith(
        " + (sum C_B_i h_i)^gamma_B D^-((sum C_beta_i h_i)^gamma_beta)"
    )
    assert CATALOGUE["powered"].equation.startswith("E + (sum C_i h_i^gamma_i)^-kappa + ")
    assert CATALOGUE["skaling"].equation == "E + (A N^-alpha + B D^-beta)^kappa"
    assert CATALOGUE["skaling-beside"].equation == (
        "E + 1 / sum C_i h_i^gamma_i + (A N^-alpha + B D^-beta)^kappa"
    )
    assert CATALOGUE["bimix"].equation == "E / h_own^gamma + B D^-beta / h_own^gamma"


class TestOwnLaws:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path, monkeypatch):
        (tmp_path / "ourlaws.py").write_text(OWN)
        (tmp_path / "broken.py").write_text("import nosuchmodule\n")
        (tmp_path / "nolaws.py").write_text("ADDITIV = 1\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(tmp_path)])
        yield
        for name in ("ourlaws", "nolaws"):
            sys.modules.pop(name, None)

    def test_is_found_in_the_current_directory(self):
        law = find_law("ourlaws:LOG_LOSS")
        assert law.name == "ourlaws:LOG_LOSS"
        assert law.equation == "E + (sum A_i h_i) N^-alpha"
        assert find_law(law.name) == law

    def test_with_a_strength(self):
        pooled = parse_law("ourlaws:LOG_LOSS:0.01")
        assert (pooled.law.name, pooled.pool) == ("ourlaws:LOG_LOSS", Pool(0.01, usual=USUAL))
        assert str(pooled) == "ourlaws:LOG_LOSS:0.01"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "nosuch:LAW",
                "The law nosuch:LAW cannot be imported: ModuleNotFoundError: No module named"
                " 'nosuch'.",
            ),
            (
                "broken:LAW",
                "The law broken:LAW cannot be imported: ModuleNotFoundError: No module named"
                " 'nosuchmodule'.",
            ),
            (
                "ourlaws:LOG_LOS",
                "The module ourlaws has no LOG_LOS. Did you mean 'LOG_LOSS'? Laws in it:"
                " CHINCHILLA, LOG_LOSS.",
            ),
            (
                "ourlaws:NUMBER",
                "NUMBER in the module ourlaws is a int, not a Law. Laws in it: CHINCHILLA,"
                " LOG_LOSS.",
            ),
            ("nolaws:ADDITIVE", "The module nolaws has no ADDITIVE. There is no Law in it."),
        ],
    )
    def test_what_is_none(self, text, message):
        with pytest.raises(UsageError) as raised:
            find_law(text)
        assert str(raised.value) == message

    @pytest.mark.parametrize("text", ["ourlaws:", ":LAW", "our laws:LAW", "a:b:c", "../x:LAW"])
    def test_what_cannot_be_a_name(self, text):
        with pytest.raises(UsageError, match="There is no law"):
            find_law(text)


class TestContains:
    def test_a_false_claim(self):
        terms = (*CHINCHILLA.terms, Term("S", Constant("S", lower=1.0)))
        with pytest.raises(ValueError, match="mine says that it contains chinchilla, and does not"):
            Law("mine", "test", terms, contains=(CHINCHILLA,))

    def test_an_exponent_that_cannot_be_zero(self):
        mixture = PowerSum("C", inner="gamma", outer=-1.0)
        terms = (*CHINCHILLA.terms, Term("S", mixture, d=Constant("delta")))
        with pytest.raises(ValueError, match=r"contains additive.*an exponent that cannot be 0"):
            Law("mine", "test", terms, contains=(ADDITIVE,))
        free = Term("S", mixture, d=Constant("delta", FREE))
        assert Law("mine", "test", (*CHINCHILLA.terms, free), contains=(ADDITIVE,)).contains

    def test_a_lacking_term(self):
        with pytest.raises(ValueError, match=r"contains additive.*that the larger law lacks"):
            replace(CHINCHILLA, contains=(ADDITIVE,))

    def test_a_lacking_exponent(self):
        terms = [replace(t, d=None) if t.role == "S" else t for t in COUPLED.terms]
        with pytest.raises(ValueError, match=r"contains coupled.*an exponent that the larger law"):
            Law("mine", "test", tuple(terms), contains=(COUPLED,))

    def test_no_constant_to_share(self):
        own = Law("own", "test", CHINCHILLA.terms[1:])
        with pytest.raises(ValueError, match=r"contains own.*no constant that a term could share"):
            replace(CHINCHILLA, contains=(own,))

    def test_a_positive_constant_is_shared_too(self):
        law = Law("own", "test", (Term("E", Constant("E")), *CHINCHILLA.terms[1:]))
        larger = Law("larger", "test", (*law.terms, Term("S", PowerSum("C"))), contains=(law,))
        assert larger.contains == (law,)

    def test_forms_say_nothing_of_what_they_contain(self):
        form = JOINT.identified(one_model_size=True, one_token_count=False)
        assert form.contains == ()
        assert JOINT.identified(one_model_size=False, one_token_count=False) is JOINT


class TestDeclarations:
    def test_an_outer_power_of_a_term_that_is_not_there(self):
        outer = Outer(("A", "S"), Constant("kappa"))
        with pytest.raises(ValueError, match="The law mine has no term of the role S"):
            replace(CHINCHILLA, name="mine", contains=(), outer=outer)

    def test_a_larger_law_with_another_outer_power(self):
        outer = Outer(("S", "B"), CATALOGUE["skaling"].outer.exponent)
        with pytest.raises(ValueError, match=r"contains skaling-beside.*the outer powers differ"):
            replace(ADDITIVE, name="mine", contains=(CATALOGUE["skaling-beside"],), outer=outer)

    def test_two_terms_of_a_role(self):
        with pytest.raises(ValueError, match="The law mine has two terms of the role E"):
            Law("mine", "test", (E, E))

    def test_two_parameters_of_a_name(self):
        twice = Term("A", Constant("E"), n=ALPHA)
        with pytest.raises(ValueError, match=r"mine has two parameters E that differ"):
            Law("mine", "test", (E, twice))

    def test_one_parameter_in_two_terms(self):
        both = (Term("A", Constant("A"), n=ALPHA), Term("B", Constant("B"), d=ALPHA))
        law = Law("mine", "test", both)
        assert [param.name for param in law.groups] == ["A", "alpha", "B"]


@pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
def test_a_formula_that_was_used_can_be_pickled(law):
    rng = np.random.default_rng(0)
    formula = Formula(law, 3)
    theta, rows = formula.random(rng), draw_rows(rng, 5)
    with np.errstate(divide="ignore"):
        predicted = formula.predict(theta, *rows)
        again = pickle.loads(pickle.dumps(formula))
        np.testing.assert_array_equal(again.predict(theta, *rows), predicted)
    assert again.law == law


def test_equal_functions_in_two_terms_share_their_places():
    law = Law(
        "mine", "test", (Term("A", Constant("A"), n=ALPHA), Term("B", Constant("B"), d=ALPHA))
    )
    formula = Formula(law, 2)
    theta = formula.internal({"A": np.array([2.0]), "alpha": np.array([0.5]), "B": np.array([3.0])})
    at = np.array([4.0]), np.array([9.0]), np.array([[0.5, 0.5]])
    np.testing.assert_allclose(formula.predict(theta, *at), 2 / 2 + 3 / 3)
    assert formula.size == 3


def test_the_catalogue_declares_what_the_design_lists():
    designed = {
        *(("chinchilla", "simple"), ("chinchilla", "additive"), ("additive", "joint")),
        *(("joint", "full"), ("additive", "powered"), ("simple", "powered")),
        *(("additive", "coupled"), ("coupled", "coupled-joint"), ("joint", "coupled-joint")),
        *(("additive", "twofold"), ("twofold", "coupled-twofold"), ("coupled", "coupled-twofold")),
        ("coupled-twofold", "coupled-joint-twofold"),
        ("coupled-joint", "coupled-joint-twofold"),
    }
    assert set(CONTAINED) >= designed
