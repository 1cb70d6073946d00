"""How sure a best mixture is: what follows from resamples that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_fits import additive
from scipy.stats import t

from mixfit.base.errors import UsageError
from mixfit.fitting.discrepancy import Discrepancy, Kernel, Points
from mixfit.fitting.uncertainty import Errors, Noise, Resamples, decided_in_h
from mixfit.mixture.constraints import Constraints
from mixfit.mixture.planner import Planner
from mixfit.reports.optimize import report_result, report_study
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


def test_a_mixture_that_is_surely_better_is_told_apart_although_constraints_forbid_it():
    planner = Planner(fit_with(0.02), constraints=Constraints(fix={"web": 0.9}))
    best = planner.best(1e9, 1e10)
    sure = planner.study(best, {"same": best.weights}).certainty
    assert sure.gains["uniform"].probability < 0.1
    assert sure.gains["same"].probability == 0.5
    (note,) = sure.notes
    assert note.text.endswith("(the probability that it is better): same (50%)")


def test_parameters_that_leave_the_loss_open_are_an_alarm():
    assert "unsure-optimum" in [n.code for n in study_of(fit_with(1.0)).certainty.notes]


def test_what_a_discrepancy_leaves_open_frees_weights():
    fit = fit_with(0.02)
    points = Points(np.eye(3), np.arange(3), np.full(3, 1e9), np.full(3, 1e10))
    wide = {}
    for size in (1e-10, 1e-6):
        (added,) = Discrepancy.of(
            Kernel(mixture=0.4, everywhere=2.0), points, np.zeros((1, 3)) + 1e-12
        )
        added = replace(added, variance=size)
        target = replace(fit.targets["x"], discrepancy=added)
        ends = study_of(replace(fit, targets={"x": target})).certainty.weights
        wide[size] = (ends[:, 1] - ends[:, 0]).mean()
    alone = study_of(fit).certainty.weights
    # It takes up part of how resamples differ where losses were seen, and is itself not known.
    assert wide[1e-10] < (alone[:, 1] - alone[:, 0]).mean() < wide[1e-6] / 3


def test_few_mixtures_make_the_weights_less_sure():
    many = fit_with(0.1)
    few = replace(many, data=replace(many.data, mixtures=9))
    p = decided_in_h(many.targets["x"])
    assert p == 6
    wider = np.sqrt(9 / 3) * t.ppf(0.95, 3) / t.ppf(0.95, 994) / np.sqrt(1000 / 994)
    widths = [np.diff(study_of(fit).certainty.weights, axis=1) for fit in (few, many)]
    np.testing.assert_allclose(widths[0], wider * widths[1], rtol=1e-6)


def test_the_report_has_intervals_and_a_sentence():
    text = render(report_study(study_of(fit_with(0.2))), "text")
    assert "over resamples" in text
    assert "h* against" in text
    assert "over 30 resamples and within 0.1% of the loss: " in text


def test_what_is_pinned_and_what_is_free_is_said_in_words():
    study = study_of(fit_with(0.2))
    ends = np.array([[0.30, 0.35], [0.20, 0.50], [0.35, 0.40]])
    sure = replace(study.certainty, weights=ends)
    ranges = np.array([[0.28, 0.33], [0.29, 0.33], [0.28, 0.45]])
    study = replace(study, mixture=replace(study.mixture, certainty=sure), ranges=ranges)
    assert [(own.low, own.high) for own in study.freedom] == [
        (0.28, 0.35),
        (0.2, 0.5),
        (0.28, 0.45),
    ]
    assert (
        "web (28.0 to 35.0%) is pinned to 10 points; code (20.0 to 50.0%) is free, as the runs "
        "leave that open; books (28.0 to 45.0%) is free, as the loss hardly depends on that"
    ) in " ".join(render(report_study(study), "text").split())
    # Neither range alone is wide, and both together are.
    ranges[0] = 0.38, 0.43
    first, _, _ = replace(study, ranges=ranges).freedom
    assert (first.low, first.high, first.by_runs, first.by_loss) == (0.3, 0.43, True, True)


def test_grids_and_each_target_have_intervals_too():
    planner = Planner(fit_with(0.2))
    (first, second) = planner.with_certainty(planner.grid([1e9, 7e9], [1e10]))
    known = study_of(fit_with(0.2)).certainty
    for mixture in (first, second):
        np.testing.assert_allclose(mixture.certainty.weights, known.weights, atol=1e-6)
        assert mixture.certainty.gains == {}
    assert first.certainty.low == pytest.approx(known.low)
    text = render(report_result("fit", (first, second), (), None), "text")
    assert "90% intervals over resamples" in text
    (pure,) = planner.each_target(1e9, 1e10)
    np.testing.assert_allclose(pure.mixture.certainty.weights, known.weights, atol=1e-6)
    assert "90% intervals over resamples" in render(report_result("fit", (), (pure,), None), "text")
    bare = replace(planner.question.fit, resamples=None)
    (plain,) = Planner(bare).with_certainty(Planner(bare).grid([1e9], [1e10]))
    assert plain.certainty is None
    assert "intervals" not in render(report_result("fit", (plain, plain), (), None), "text")


def test_each_target_alone_is_asked_of_its_own_resamples():
    two = {"x": [1.0, 2.0, 3.0], "y": [3.0, 0.5, 0.5]}
    found = additive(two, {"x": [0.5] * 3, "y": [0.5] * 3}, DOMAINS)
    params = {
        target: {name: np.repeat(n[None], 20, axis=0) for name, n in own.params.items()}
        for target, own in found.targets.items()
    }
    noise = Errors(None, None, dict.fromkeys(two, Noise(0.1, 0.1, 0.1)))
    found = replace(found, resamples=Resamples(0, params), errors=noise)
    for pure in Planner(found, constraints=Constraints(no_worse_than={"x": 9.0})).each_target(
        1e9, 1e10
    ):
        h, ends = pure.mixture.weights, pure.mixture.certainty.weights
        np.testing.assert_allclose(ends, np.stack([h, h], axis=1), atol=1e-6)


def test_where_the_misfit_is_not_known_there_is_no_interval():
    sure = Planner(fit_with(0.2)).study(Planner(fit_with(0.2)).best(1e10, 1e10)).certainty
    assert np.isnan([sure.low, sure.high]).all()
    gain = sure.gains["uniform"]
    assert np.isnan([gain.low, gain.high, gain.probability]).all()
    assert [note.code for note in sure.notes] == ["no-interval"]
    assert np.isfinite(sure.weights).all()


def test_resamples_that_are_all_lost_are_an_error():
    fit = fit_with(0.2)
    params = {"x": {**fit.resamples.params["x"], "E": np.full((30, 1), np.inf)}}
    with pytest.raises(UsageError, match="no resample of the fit has a best mixture"):
        study_of(replace(fit, resamples=Resamples(0, params)))


def test_what_all_mixtures_share_is_no_alarm():
    fit = fit_with(0.01)
    params = dict(fit.resamples.params["x"])
    params["E"] = params["E"] + np.random.default_rng(1).normal(0.0, 0.2, params["E"].shape)
    sure = study_of(replace(fit, resamples=Resamples(0, {"x": params}))).certainty
    assert sure.standard_error > 2.0
    assert "unsure-optimum" not in [note.code for note in sure.notes]
