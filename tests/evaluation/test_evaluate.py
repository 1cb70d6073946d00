"""Scores by target and size, their means, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixfit.base.errors import InputError
from mixfit.evaluation.evaluate import ALL_SIZES, evaluate
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.runs.runs import Runs
from mixfit.runs.splits import from_two_sizes


def make_runs(domains=("web", "code"), targets=("web", "math"), sizes=(1e8, 2e8), seed=0):
    rng = np.random.default_rng(seed)
    h = np.repeat(rng.dirichlet(np.ones(len(domains)), 5), 4 * len(sizes), axis=0)
    N = np.tile(np.repeat(sizes, 4), 5)
    D = np.tile([1e9, 2e9, 4e9, 8e9], 5 * len(sizes))
    losses = dict.fromkeys(targets, 1.5 + 30 * N ** (-0.2) + 200 * D ** (-0.3) + 0.1 * h[:, 0])
    return Runs.from_arrays(N, D, h, losses, list(domains))


@pytest.fixture(scope="module")
def fitted():
    return fit(make_runs(), "chinchilla", options=FitOptions(restarts=2, hops=0), jobs=1)


def test_scores_are_those_of_the_definition(fitted):
    runs = make_runs()
    evaluated = evaluate(fitted, runs)
    predicted = fitted.predict(runs.N, runs.D, runs.h)["web"]
    observed = runs.losses_of("web")
    small = runs.N == 1e8
    score = evaluated.scores["web", 1e8]
    relative = 100 * (predicted - observed)[small] / observed[small]
    assert score.rows == 20
    assert score.mre == pytest.approx(np.abs(relative).mean())
    assert score.bias == pytest.approx(relative.mean())
    whole = evaluated.scores["web", ALL_SIZES]
    both = [evaluated.scores["web", size].mre for size in (1e8, 2e8)]
    assert whole.mre == pytest.approx(np.mean(both))
    assert evaluated.average[1e8].mre == pytest.approx(
        np.mean([evaluated.scores[t, 1e8].mre for t in ("web", "math")])
    )


def test_missing_losses_count_for_their_target_only(fitted):
    runs = make_runs()
    losses = runs.losses.copy()
    losses[runs.N == 2e8, 1] = np.nan
    less = Runs.from_arrays(
        runs.N, runs.D, runs.h, dict(zip(runs.targets, losses.T, strict=True)), runs.domains
    )
    evaluated = evaluate(fitted, less)
    assert ("math", 2e8) not in evaluated.scores
    assert evaluated.scores["math", ALL_SIZES] == evaluated.scores["math", 1e8]
    assert evaluated.average[2e8].mre == evaluated.scores["web", 2e8].mre


def test_targets_over_a_limit(fitted):
    evaluated = evaluate(fitted, make_runs())
    worst = max(evaluated.scores[t, ALL_SIZES].mre for t in evaluated.targets)
    assert evaluated.targets_over(worst) == ()
    assert evaluated.targets_over(worst / 2) != ()


def test_other_domains_are_refused(fitted):
    with pytest.raises(InputError, match="have the domains code, web and the fit has web, code"):
        evaluate(fitted, make_runs(domains=("code", "web")))


def test_no_common_target_is_refused(fitted):
    with pytest.raises(InputError, match="they have books, and the fit has web, math"):
        evaluate(fitted, make_runs(targets=("books",)))


def test_sizes_predicted_from_two_are_noted(fitted):
    (note,) = evaluate(fitted, make_runs(sizes=(1e8, 4e8, 8e8))).notes
    assert (note.code, note.text) == (
        "from-two-sizes",
        "predictions of 400M and 800M are from two sizes, which cannot pin E, A and alpha together:"
        " they rest on a usual alpha, and are arbitrary where none is assumed",
    )
    assert evaluate(fitted, make_runs()).notes == ()
    three = fit(make_runs(sizes=(1e8, 2e8, 3e8)), "chinchilla", options=fitted.options)
    # That of a choice of the law is about what was held out for it.
    three = replace(three, notes=(*three.notes, from_two_sizes(["300M"])))
    assert evaluate(three, make_runs(sizes=(4e8,))).notes == ()


def test_a_missing_target_is_noted(fitted):
    notes = evaluate(fitted, make_runs(targets=("web",))).notes
    assert [(note.code, note.text) for note in notes] == [
        ("missing-target", "the runs have no loss for math of the fit")
    ]


def test_another_size_than_the_only_one_fitted_is_noted():
    options = FitOptions(restarts=1, hops=0)
    fixed = fit(make_runs(sizes=(1e8,)), "additive", options=options, jobs=1)
    notes = evaluate(fixed, make_runs()).notes
    assert [note.text for note in notes] == [
        "the fit has no term in N, since all its rows have 100M; these runs have others"
    ]


def test_a_table_has_the_rows_of_the_file(fitted):
    runs = make_runs()
    done = evaluate(fitted, runs)
    frame = done.to_frame()
    assert list(frame.columns) == ["target", "model_size", "rows", "mre", "bias", "rank"]
    assert len(frame) == 9
    (row,) = frame[(frame.target == "web") & (frame.model_size == 1e8)].itertuples()
    assert (row.rows, row.mre) == (20, done.scores["web", 1e8].mre)
    assert set(frame[frame.model_size == "all"].target) == {"web", "math", "average"}
