"""Notes: each in the case that it is for, and in no other."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import (
    D_UNIT,
    DOMAINS,
    MODEL_SIZES,
    N_UNIT,
    QUICK,
    TOKENS,
    K,
    draw_mixtures,
    draw_theta,
    make_table,
)

from mixfit.base.errors import Note
from mixfit.fitting.blocks import make_blocks
from mixfit.fitting.diagnosis import diagnose, table_notes
from mixfit.fitting.fit import fit
from mixfit.fitting.objective import Objective
from mixfit.fitting.search import Solved
from mixfit.fitting.solvers import Point, Solution
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.runs.runs import Runs


def runs_of(law, mixtures, change=lambda _formula, theta: theta, noise=0.002, **scales):
    """Noisy runs of a law; `change` may set parameters."""
    rng = np.random.default_rng(0)
    formula = Formula(CATALOGUE[law], K, N_UNIT, D_UNIT)
    theta = change(formula, draw_theta(formula, rng))
    N, D, h = make_table(mixtures, **scales)
    loss = formula.predict(theta, N, D, h) * np.exp(noise * rng.standard_normal(len(N)))
    return Runs.from_arrays(N, D, h, {"math": loss}, DOMAINS)


def notes_of(runs, law):
    fitted = fit(runs, law, options=QUICK, jobs=1).targets["math"]
    assert fitted.status == "converged"
    return {note.code: note for note in fitted.notes}


MIXTURES = draw_mixtures(np.random.default_rng(0), 16)


def test_nothing_to_say_of_a_good_table():
    fitted = fit(runs_of("additive", MIXTURES), "additive:none", options=QUICK, jobs=1)
    assert fitted.targets["math"].notes == ()
    assert fitted.notes == ()


def test_few_mixtures():
    mixtures = np.vstack([np.eye(K), draw_mixtures(np.random.default_rng(0), 2)])
    notes = notes_of(runs_of("additive", mixtures), "additive:none")
    assert notes["few-mixtures"] == Note(
        "few-mixtures",
        "5 mixtures for 6 parameters in h: the fit can follow noise, and predictions for other "
        "mixtures may be far off",
        "math",
    )
    one_more = np.vstack([mixtures, [[0.2, 0.2, 0.6]]])
    assert "few-mixtures" not in notes_of(runs_of("additive", one_more), "additive:none")


def test_a_constant_at_its_bound():
    def below_zero(formula, theta):
        theta[formula.slices["E"]] = -0.2
        return theta

    runs = runs_of("chinchilla", MIXTURES, below_zero)
    fitted = fit(runs, "chinchilla", options=QUICK, jobs=1).targets["math"]
    assert fitted.params["E"] == 0.0
    assert (
        Note(
            "at-bound",
            "E is at its lower bound 0, so alpha and A are not pinned by these sizes",
            "math",
        )
        in fitted.notes
    )


def test_a_domain_that_no_run_has():
    mixtures = np.column_stack(
        [np.linspace(0.1, 0.9, 9), 1 - np.linspace(0.1, 0.9, 9), np.zeros(9)]
    )
    notes = notes_of(runs_of("additive", mixtures), "additive:none")
    assert notes["not-pinned"].text == (
        "not pinned by the runs, or running away: C[books], gamma[books]"
    )


def test_an_exponent_that_runs_away():
    # With hardly any difference in N, the exponent of N says nothing.
    runs = runs_of("chinchilla", MIXTURES, model_sizes=(1e8, 1.0001e8, 1.0002e8))
    assert "alpha" in notes_of(runs, "chinchilla:none")["not-pinned"].text


class TestTableNotes:
    def notes(self, N, D, law="additive"):
        return [str(note) for note in table_notes(np.array(N), np.array(D), CATALOGUE[law])]

    def test_three_sizes(self):
        assert self.notes([1e8, 2e8, 3e8], [1e9, 2e9, 2e9]) == []

    def test_two_sizes(self):
        assert self.notes([1e8, 3.1e8, 1e8], [1e9, 2e9, 3e9]) == [
            "two model sizes (100M and 310M) cannot pin E, A and alpha together: what the fit says "
            "of other sizes is not from the runs"
        ]

    def test_one_size(self):
        assert self.notes([1e8, 1e8], [1e9, 2e9]) == [
            "all rows have 100M parameters: what depends on N is dropped, and the fit says nothing "
            "about other sizes"
        ]

    def test_one_token_count(self):
        assert self.notes([1e8, 2e8, 3e8], [4e9, 4e9, 4e9]) == [
            "all rows have 4B tokens: what depends on D is dropped, and the fit says nothing about "
            "other lengths"
        ]

    def test_codes(self):
        notes = table_notes(np.array([1e8]), np.array([1e9]), CATALOGUE["joint"])
        assert [note.code for note in notes] == ["one-model-size", "one-token-count"]

    def test_a_fit_has_them(self):
        runs = runs_of("additive", MIXTURES, model_sizes=MODEL_SIZES[:2], tokens=TOKENS)
        fitted = fit(runs, "additive:none", options=QUICK, jobs=1)
        assert [note.code for note in fitted.notes] == ["two-model-sizes"]


class TestDiagnose:
    @pytest.fixture
    def objective(self):
        runs = runs_of("chinchilla", MIXTURES)
        formula = Formula(CATALOGUE["chinchilla"], K, N_UNIT, D_UNIT)
        blocks = make_blocks(
            np.log(runs.N / N_UNIT),
            np.log(runs.D / D_UNIT),
            runs.losses_of("math"),
            runs.mixture,
            runs.mixtures,
        )
        return Objective(formula, blocks, 1e-3)

    def diagnose(self, objective, change, *, converged=True):
        formula = objective.formula
        theta = draw_theta(formula, np.random.default_rng(0))
        lower, upper = formula.bounds
        for name, side in change.items():
            theta[formula.slices[name]] = {"lower": lower, "upper": upper}[side][
                formula.slices[name]
            ]
        point = Point(theta, objective.at(theta).value, converged)
        return diagnose(Solved(objective, Solution(point, 0), 0.0), DOMAINS)

    def test_converged(self, objective):
        assert self.diagnose(objective, {}) == ("converged", ())

    def test_not_converged(self, objective):
        status, notes = self.diagnose(objective, {}, converged=False)
        assert status == "not converged"
        assert [note.code for note in notes] == ["not-converged"]

    def test_parameters_at_bounds_are_named(self, objective):
        _, notes = self.diagnose(objective, {"alpha": "lower", "beta": "upper"})
        [note] = [note for note in notes if note.code == "not-pinned"]
        listed = note.text.removeprefix("not pinned by the runs, or running away: ").split(", ")
        assert {"alpha", "beta"} <= set(listed)
