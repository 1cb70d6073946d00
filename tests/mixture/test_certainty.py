"""How sure a best mixture is: what follows from resamples that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_fits import additive

from mixfit.fitting.uncertainty import Errors, Noise, Resamples
from mixfit.mixture.planner import Planner
from mixfit.reports.optimize import report_study
from mixfit.reports.render import render

DOMAINS = ["web", "code", "books"]


def fit_with(spread, misfit=0.0, count=30):
    """Make a fit whose C of the first domain differs between resamples."""
    found = additive({"x": [1.0, 2.0, 3.0]}, {"x": [0.5, 0.5, 0.5]}, DOMAINS)
    draws = np.exp(spread * np.random.default_rng(0).standard_normal(count))
    own = found.targets["x"].params
    params = {name: np.repeat(numbers[None], count, axis=0) for name, numbers in own.items()}
    params["C"] = params["C"] * np.column_stack([draws, np.ones(count), np.ones(count)])
    noise = Errors(None, None, {"x": Noise(misfit, 0.1, 0.1)})
    fewer = replace(found.data, mixtures=1000)
    return replace(found, resamples=Resamples(0, {"x": params}), errors=noise, data=fewer)


def study_of(fit):
    planner = Planner(fit)
    return planner.study(planner.best(1e9, 1e10))


def test_a_fit_without_resamples_has_no_certainty():
    plain = additive({"x": [1.0, 2.0, 3.0]}, {"x": [0.5, 0.5, 0.5]}, DOMAINS)
    assert study_of(plain).certainty is None


def test_weights_vary_as_the_parameters_do():
    study = study_of(fit_with(0.2))
    sure = study.certainty
    assert sure.count == 30
    assert np.all(sure.weights[:, 0] <= study.mixture.weights)
    assert np.all(study.mixture.weights <= sure.weights[:, 1])
    assert sure.weights[0, 1] - sure.weights[0, 0] > 0.02
    still = study_of(fit_with(0.0)).certainty
    np.testing.assert_allclose(still.weights[:, 0], still.weights[:, 1], atol=1e-6)
    assert still.standard_error == pytest.approx(0.0, abs=1e-9)
    assert still.gains["uniform"].probability == 1.0


def test_the_gain_is_that_of_the_predictions():
    study = study_of(fit_with(0.0))
    (uniform,) = (b for b in study.baselines if b.name == "uniform")
    gain = study.certainty.gains["uniform"]
    expected = 100 * (uniform.loss - study.mixture.loss) / uniform.loss
    assert gain.mean == pytest.approx(expected)
    assert gain.low == pytest.approx(gain.high)


def test_misfit_makes_a_gain_uncertain_and_a_note_says_so():
    sure = study_of(fit_with(0.0, misfit=20.0)).certainty
    gain = sure.gains["uniform"]
    assert 0.5 < gain.probability < 0.9
    assert gain.low < 0 < gain.high
    assert [note.code for note in sure.notes] == ["not-told-apart"]


def test_parameters_that_leave_the_loss_open_are_an_alarm():
    assert "unsure-optimum" in [n.code for n in study_of(fit_with(1.0)).certainty.notes]


def test_the_report_has_intervals_and_a_sentence():
    text = render(report_study(study_of(fit_with(0.2))), "text")
    assert "over resamples" in text
    assert "h* against" in text
    assert "is pinned best" in text
