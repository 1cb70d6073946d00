"""What is said of a best mixture: repeated tokens, targets that suffer, mixtures as good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_fits import additive

from mixfit.fitting.discrepancy import Discrepancy, Kernel, Points
from mixfit.fitting.result import Range
from mixfit.laws.catalogue import find_law
from mixfit.mixture.constraints import Constraints
from mixfit.mixture.planner import Planner
from mixfit.reports.optimize import report_study
from mixfit.reports.render import render

DOMAINS = ["web", "code", "books"]
UNEVEN = {"web": [9.0, 0.1, 0.1], "code": [0.2, 3.0, 0.2]}


def study_of(*, targets=None, baselines=None, mre=0.0, **asked):
    fit = additive(UNEVEN, {t: [0.5] * 3 for t in UNEVEN}, DOMAINS)
    off = {name: replace(own, mre=mre) for name, own in fit.targets.items()}
    planner = Planner(replace(fit, targets=off), targets, Constraints(**asked))
    return planner.study(planner.best(1e9, 1e10), baselines)


def notes_of(study):
    return {note.code: note.text for note in study.mixture.notes}


def test_a_target_that_the_objective_leaves_out_is_marked_where_it_suffers():
    study = study_of(targets=["web"])
    (worse,) = study.worse
    uniform = study.baselines[0].predicted_loss["code"]
    assert (worse.target, worse.baseline) == ("code", "uniform")
    loss = study.mixture.predicted_loss["code"]
    assert worse.percent == pytest.approx(100 * (loss / uniform - 1))
    assert notes_of(study)["target-worse"] == (
        f"over 5% worse than with uniform: code {loss:.4f} against {uniform:.4f}; "
        "--no-worse-than bounds them"
    )
    assert "code (worse)" in render(report_study(study), "text")


def test_a_baseline_that_is_given_takes_the_place_of_the_uniform_mixture():
    mine = {"mine": study_of(targets=["web"]).mixture.weights}
    assert study_of(targets=["web"], baselines=mine).worse == ()
    assert study_of().worse == ()


def test_tokens_that_are_repeated_too_often_are_named():
    few = {"code": 1e8, "books": 1e9}
    study = study_of(available=few, max_epochs=50.0)
    passes = study.mixture.blend.passes
    assert passes["code"] > 4.1 > passes["books"]
    assert notes_of(study)["repeated-tokens"] == (
        f"tokens are repeated more than 4 times: code {passes['code']:.3g} times. The laws know "
        "only fresh tokens, so that this mixture is worse than predicted"
    )
    assert study_of(available=few).mixture.blend.passes["code"] == pytest.approx(4)
    assert "repeated-tokens" not in notes_of(study_of(available=few))


def test_a_mixture_that_the_law_cannot_tell_from_the_best_is_named():
    exact = study_of(mre=0.0)
    gain = 100 * (1 - exact.mixture.loss / exact.baselines[0].loss)
    assert "not-told-apart" not in notes_of(exact)
    assert "not-told-apart" not in notes_of(study_of(mre=0.99 * gain))
    said = notes_of(study_of(mre=1.01 * gain))["not-told-apart"]
    assert f"fitted tell: uniform (gain {gain:.2f}%, off by {1.01 * gain:.2f}%). A fit" in said


def with_discrepancy(kernel, variance):
    fit = additive(UNEVEN, {t: [0.5] * 3 for t in UNEVEN}, DOMAINS)
    points = Points(np.eye(3), np.arange(3), np.full(3, 1e9), np.full(3, 1e10))
    (left,) = Discrepancy.of(kernel, points, np.full((1, 3), 1e-3))
    added = replace(left, variance=variance)
    own = {t: replace(of_t, discrepancy=added, mre=9.0) for t, of_t in fit.targets.items()}
    return added, Planner(replace(fit, targets=own))


@pytest.mark.parametrize(("variance", "alike"), [(1e-8, False), (0.1, True)])
def test_with_a_discrepancy_what_it_leaves_open_counts(variance, alike):
    _, planner = with_discrepancy(Kernel(mixture=0.3, everywhere=2.0), variance)
    said = notes_of(planner.study(planner.best(1e9, 1e10)))
    assert ("uniform" in said.get("not-told-apart", "")) == alike


def test_what_a_discrepancy_has_in_common_at_near_mixtures_does_not_count():
    added, planner = with_discrepancy(Kernel(mixture=0.5, everywhere=2.0), 1e-3)
    best = planner.best(1e9, 1e10)
    near = 0.97 * best.weights + 0.03 / 3
    said = notes_of(planner.study(best, {"near": near}))["not-told-apart"]
    between = added.between(1e9, 1e10, best.weights, near[None])[0]
    assert between < 0.2 * added.deviation(np.array([1e9]), np.array([1e10]), near[None])[0]
    off = 100 * np.sqrt(2 / np.pi) * between / best.loss
    assert f"near (gain {100 * (1 - best.loss / loss_at(planner, near)):.2f}%" in said
    assert f"off by {off:.2f}%)" in said


def fixed_at(model_size, tokens):
    """A fit to rows of one N and D, so that the law has no terms in them."""
    law = find_law("additive").identified(one_model_size=True, one_token_count=True)
    fit = additive(UNEVEN, {t: [0.5] * 3 for t in UNEVEN}, DOMAINS)
    own = {
        t: replace(of_t, form=law, params={name: of_t.params[name] for name in ("E", "C", "gamma")})
        for t, of_t in fit.targets.items()
    }
    data = replace(fit.data, model_size=Range(model_size, model_size), tokens=Range(tokens, tokens))
    return replace(fit, targets=own, data=data)


def test_where_the_runs_had_one_size_a_note_says_that_losses_are_those_of_it():
    planner = Planner(fixed_at(1e8, 3e9))
    codes = {note.code: note.text for note in planner.best(1e9, 2e10).notes}
    assert codes["fixed-N"] == (
        "the fit has no term in N, since all its rows have 100M parameters: losses are predicted"
        " for that, not for 1B"
    )
    assert codes["fixed-D"] == (
        "the fit has no term in D, since all its rows have 3B tokens: losses are predicted for"
        " that, not for 20B"
    )
    assert not planner.best(1e8, 3e9).notes
    assert not planner.best().notes


def test_a_target_of_one_size_among_others_is_named():
    fit, fixed = additive(UNEVEN, {t: [0.5] * 3 for t in UNEVEN}, DOMAINS), fixed_at(1e8, 3e9)
    mixed = replace(fit, targets={"web": fit.targets["web"], "code": fixed.targets["code"]})
    codes = {note.code: note.text for note in Planner(mixed).best(5e8, 1e10).notes}
    assert codes == {
        "fixed-N": (
            "the fit of code has no term in N, since all rows with such a loss have one: it is"
            " predicted for that, not for 500M parameters"
        ),
        "fixed-D": (
            "the fit of code has no term in D, since all rows with such a loss have one: it is"
            " predicted for that, not for 10B tokens"
        ),
    }


def loss_at(planner, h):
    return planner.question.at(1e9, 1e10).baseline("", h).loss
