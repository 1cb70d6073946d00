"""The laws that the documents add, from their text: step by step what a user would do."""

from __future__ import annotations

import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import (
    D_UNIT,
    DOMAINS,
    N_UNIT,
    QUICK,
    K,
    draw_mixtures,
    draw_rows,
    draw_theta,
    make_table,
)
from random_fits import random_fit
from reference.text import evaluate

from mixfit.fitting.file import load_fit, save_fit
from mixfit.fitting.fit import fit
from mixfit.laws.catalogue import find_law
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import PooledLaw
from mixfit.mixture.planner import optimize
from mixfit.runs.runs import Runs

DOCS = Path(__file__).parents[2] / "docs"
LAWS = {"adding-a-law.md": "SIZED", "adding-a-coefficient.md": "LINEAR"}


@pytest.fixture(params=LAWS)
def law(request, tmp_path, monkeypatch):
    """The law of a document, in a module in the current directory."""
    [code] = re.findall(r"```python\n(.*?)```", (DOCS / request.param).read_text(), re.DOTALL)
    module = f"from_{request.param.partition('.')[0].replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield find_law(f"{module}:{LAWS[request.param]}")
    sys.modules.pop(module)


def test_predictions_are_those_of_the_printed_equation(law):
    rng = np.random.default_rng(0)
    formula = Formula(law, K, N_UNIT, D_UNIT)
    theta, rows = draw_theta(formula, rng), draw_rows(rng, 20)
    printed = evaluate(law.equation, formula.natural(theta), *rows)
    np.testing.assert_allclose(formula.predict(theta, *rows), printed, rtol=1e-11)
    np.testing.assert_allclose(formula.internal(formula.natural(theta)), theta, rtol=1e-10)


def test_derivatives(law):
    rng = np.random.default_rng(1)
    h = rng.dirichlet(np.ones(K), 5)
    for part in (part for term in law.terms for part in term.functions):
        theta = part.random(rng, K)
        _, jacobian = part.value(theta, h, np.log(h))
        gradient = part.weight_gradient(theta, h, np.log(h))
        for i, step in enumerate(1e-6 * np.eye(len(theta))):
            ends = [part.value(theta + sign * step, h, np.log(h))[0] for sign in (1, -1)]
            np.testing.assert_allclose(jacobian[:, i], (ends[0] - ends[1]) / 2e-6, atol=1e-7)
        for i, step in enumerate(1e-6 * np.eye(K)):
            moved = [(h + sign * step) / (1 + sign * 1e-6) for sign in (1, -1)]
            ends = [part.value(theta, at, np.log(at))[0] for at in moved]
            np.testing.assert_allclose(gradient[:, i], (ends[0] - ends[1]) / 2e-6, atol=1e-7)


def test_a_fit_file_names_the_law_by_its_module(law, tmp_path):
    made = random_fit(law.name, K, 2, 0)
    save_fit(made, tmp_path / "fit.yaml")
    again = load_fit(tmp_path / "fit.yaml")
    assert again.law == PooledLaw(law)
    assert again.targets["t0"].form == law
    mixture = optimize(again, model_size=7e9, tokens=1.5e11)
    assert mixture.certified


def test_it_is_fitted_by_name(law, tmp_path):
    rng = np.random.default_rng(2)
    formula = Formula(law, K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, rng)
    N, D, h = make_table(draw_mixtures(rng, 10))
    loss = formula.predict(theta, N, D, h)
    runs = Runs.from_arrays(N, D, h, {"math": loss}, DOMAINS)
    made = fit(runs, law.name, options=QUICK, jobs=1)
    np.testing.assert_allclose(made.predict(N, D, h)["math"], loss, rtol=1e-5)
    save_fit(made, tmp_path / "fit.yaml")
    again = load_fit(tmp_path / "fit.yaml")
    np.testing.assert_allclose(again.predict(N, D, h)["math"], loss, rtol=1e-5)


def test_processes_take_it(law):
    again = pickle.loads(pickle.dumps(Formula(law, K)))
    assert again.law == law


def test_with_one_model_size_it_loses_what_depends_on_it(law):
    form = law.identified(one_model_size=True, one_token_count=False)
    assert not form.uses_model_size
    assert [term.role for term in form.terms] == [r for r in "ESB" if r in roles(law)]


def roles(law):
    return {term.role for term in law.terms}
