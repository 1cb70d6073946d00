"""A law that a user declares: fitted, compared, evaluated and optimised as those of the catalogue.

The public functions all in one session, too: none may take the name of another away.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import DOMAINS, QUICK, draw_mixtures, make_table, told_executor
from scipy.optimize import minimize

import mixfit
from mixfit.base.errors import UsageError
from mixfit.evaluation.choose import CANDIDATES
from mixfit.evaluation.comparison import AVERAGE
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.coefficients import Constant, PowerSum
from mixfit.laws.law import Law, Term
from mixfit.laws.parameters import FREE, NONNEGATIVE
from mixfit.laws.pooled import PooledLaw

OWN_LAW = Law(
    "own",
    "this test",
    (
        Term("E", Constant("E", NONNEGATIVE)),
        Term("S", PowerSum("C", outer="gamma"), d=Constant("delta", FREE, lower=-3.0, upper=3.0)),
        Term("A", Constant("A"), n=Constant("alpha")),
    ),
)


def losses(N, D, h):
    return 1.1 + (h @ [9.0, 16.0, 25.0]) ** 0.8 / D**0.12 + 60 / N**0.3


@pytest.fixture(scope="module")
def runs():
    N, D, h = make_table(draw_mixtures(np.random.default_rng(0), 12), (5e7, 1e8, 2e8))
    noise = np.exp(1e-4 * np.random.default_rng(1).standard_normal((2, len(N))))
    both = dict(zip(("math", "web"), losses(N, D, h) * noise, strict=True))
    return mixfit.Runs.from_arrays(N, D, h, both, DOMAINS)


@pytest.fixture(scope="module")
def fitted(runs):
    return mixfit.fit(runs, PooledLaw(OWN_LAW), options=QUICK)


def test_it_has_an_equation():
    assert OWN_LAW.equation == "E + (sum C_i h_i)^gamma D^-delta + A N^-alpha"


def test_a_fit_has_its_name_and_its_parameters(fitted):
    assert str(fitted.law) == "own:none"
    params = fitted.targets["math"].params
    assert list(params) == ["E", "C", "gamma", "delta", "A", "alpha"]
    assert params["delta"][0] == pytest.approx(0.12, rel=0.1)
    assert fitted.targets["math"].mre < 0.02


def test_the_same_in_two_processes(runs, fitted):
    executor, told = told_executor(jobs=2)
    other = mixfit.fit(runs, PooledLaw(OWN_LAW), options=QUICK, jobs=executor)
    assert told == [
        ("fitting own:none", 2),
        "a step",
        "a step",
        ("what the law leaves", 1),
        "a step",
    ]
    for target, own in fitted.targets.items():
        assert own.form == other.targets[target].form
        for name, values in own.params.items():
            np.testing.assert_array_equal(values, other.targets[target].params[name])


def test_it_starts_from_the_laws_that_it_contains(runs):
    constant, mixture, size = OWN_LAW.terms
    smaller = replace(OWN_LAW, name="smaller", terms=(constant, replace(mixture, d=None), size))
    options = mixfit.FitOptions(restarts=1, hops=0)
    hubers = [
        mixfit.fit(runs, PooledLaw(law), options=options).targets["math"].huber
        for law in (smaller, replace(OWN_LAW, contains=(smaller,)))
    ]
    assert hubers[1] <= hubers[0] * (1 + 1e-9)


def test_it_is_evaluated(runs, fitted):
    scores = mixfit.evaluate(fitted, runs).scores
    assert scores["math", None].mre == pytest.approx(fitted.targets["math"].mre)


def test_its_best_mixture_is_found(fitted):
    N, D = 1e9, 3e10
    mixture = mixfit.optimize(fitted, model_size=N, tokens=D)
    assert mixture.certified
    np.testing.assert_allclose(mixture.weights, [1, 0, 0], atol=1e-6)  # the smallest C

    def loss(h):
        return np.mean([values[0] for values in fitted.predict(N, D, h / h.sum()).values()])

    other = minimize(
        loss,
        np.full(3, 1 / 3),
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda h: h.sum() - 1},
    )
    assert mixture.loss == pytest.approx(other.fun, rel=1e-6)


def test_it_is_compared_with_laws_and_regressions(runs):
    splits = mixfit.split_folds(runs, 3)
    options = mixfit.FitOptions(restarts=2, hops=0)
    compared = mixfit.compare_laws(splits, ["additive", OWN_LAW, "ridge"], options=options, jobs=2)
    assert compared.laws == ("additive", "own", "ridge")
    assert compared.choice.law == "own"
    assert compared.standings[1].parameters == 8
    assert compared.summaries["own", AVERAGE, "new mixtures"].test < 0.02
    alone = mixfit.compare_laws(splits, [OWN_LAW], options=options)
    assert alone.figures == tuple(f for f in compared.figures if f.law == "own")


def test_it_is_no_candidate_of_auto():
    assert "own" not in CATALOGUE
    assert OWN_LAW not in CANDIDATES


def test_its_name_may_not_be_given_twice(runs):
    splits = mixfit.split_folds(runs, 2)
    with pytest.raises(UsageError, match=r"additive is given twice\.$"):
        mixfit.compare_laws(splits, ["additive", replace(OWN_LAW, name="additive")])
