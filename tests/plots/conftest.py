"""Results to draw, made once: they are not changed."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import QUICK
from random_fits import random_fit

from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.evaluate import evaluate
from mixfit.fitting.fit import fit
from mixfit.mixture.planner import Planner
from mixfit.runs.read import read_runs
from mixfit.runs.splits import split_folds, split_learning_curve


@pytest.fixture(scope="session")
def table(pytestconfig):
    return read_runs(pytestconfig.rootpath / "sample_runs" / "coupled.csv")


@pytest.fixture(scope="session")
def fitted_runs(table):
    return table.select(table.N < 5e8)


@pytest.fixture(scope="session")
def fitted(fitted_runs):
    return fit(fitted_runs, "additive", options=QUICK)


@pytest.fixture(scope="session")
def evaluation(fitted, table, fitted_runs):
    return evaluate(fitted, table, fitted_runs=fitted_runs)


@pytest.fixture(scope="session")
def comparison(table):
    few = table.select(table.N < 1e8)
    return compare_laws(split_folds(few, 2), ["chinchilla", "ridge"], options=QUICK)


@pytest.fixture(scope="session")
def curve(table):
    few = table.select(table.N < 1e8)
    return compare_laws(split_learning_curve(few, [4, 8], repeats=3), ["ridge"], options=QUICK)


@pytest.fixture(scope="session")
def planner(fitted, table):
    return Planner(fitted, observed=table.mixtures)


@pytest.fixture(scope="session")
def many():
    """A planner for many domains and targets."""
    made = random_fit("additive", 17, 13, 0)
    return Planner(made, observed=np.random.default_rng(0).dirichlet(np.ones(17), 5))


@pytest.fixture(scope="session")
def study(planner):
    return planner.study(planner.best(7e9, 150e9))
