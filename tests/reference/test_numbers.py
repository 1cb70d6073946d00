"""Losses and an optimum as other code has computed them (see `make_numbers.py`)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from random_fits import fit_of
from reference.equations import PLAIN

from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.mixture.constraints import Constraints
from mixfit.mixture.planner import optimize

NUMBERS = json.loads(Path(__file__).with_name("numbers.json").read_text())


def as_arrays(params):
    return {name: np.atleast_1d(np.array(numbers)) for name, numbers in params.items()}


@pytest.mark.parametrize("case", NUMBERS["losses"], ids=lambda case: case["law"])
def test_losses(case):
    domains = ["web", "code", "books"]
    law = CATALOGUE[case["law"]].bound(domains, domains[case["own"]])
    formula, params = Formula(law, 3), as_arrays(case["params"])
    row = np.array([case["N"]]), np.array([case["D"]]), np.array([case["h"]])
    theta = formula.internal(params)
    np.testing.assert_allclose(formula.predict(theta, *row), case["loss"], rtol=1e-12)
    np.testing.assert_allclose(PLAIN[law.name](params, *row, case["own"]), case["loss"], rtol=1e-12)


def test_optimum():
    asked = NUMBERS["optimum"]
    domains = ["a", "b", "c", "d"]
    fit = fit_of(
        "additive", domains, {t: asked["rest"] | own for t, own in asked["targets"].items()}
    )
    mixture = optimize(
        fit,
        model_size=asked["N"],
        tokens=asked["D"],
        targets=asked["weights"],
        constraints=Constraints(max=dict(zip(domains, asked["upper"], strict=True))),
    )
    assert mixture.certified
    np.testing.assert_allclose(mixture.objective, asked["loss"], rtol=1e-9)
    np.testing.assert_allclose(mixture.weights, asked["h"], atol=1e-4)
