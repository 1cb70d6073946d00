"""`--trim auto`: what does not follow the law is left out, and hardly anything else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.commands.options import option_of
from mixfit.evaluation.trim import _choose, fit_trimmed, trimmed
from mixfit.fitting.file import load_fit, save_fit
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.reports.fit import report_fit
from mixfit.reports.render import render
from mixfit.runs.read import read_runs
from mixfit.runs.runs import Runs

LAW, QUICK = "additive:none", FitOptions(restarts=2, hops=0, discrepancy="none")
SIZES, LENGTHS = np.array([2.5e7, 5e7, 1e8, 2e8, 4e8]), np.geomspace(1e9, 3.2e10, 11)


def table(*, early=0.0, small=0.0, sizes=SIZES, seed=1):
    """Runs of an additive truth; losses of the first checkpoints, or the smallest size, are off."""
    rng = np.random.default_rng(seed)
    h = rng.dirichlet(np.ones(3), 12)
    m, n, d = (x.ravel() for x in np.indices((12, len(sizes), len(LENGTHS))))
    N, D = sizes[n], LENGTHS[d]
    losses = {}
    for target in ("x", "y"):
        C = rng.uniform(0.5, 1.2, 3)
        loss = 1 + 1 / (C * h[m] ** 0.6).sum(axis=1) + 200 / N**0.34 + 3000 / D**0.37
        off = early * np.maximum(np.log(4e9 / D), 0.0) + small * (sizes[0] == N) * h[m, 0]
        losses[target] = loss * (1 + off) * np.exp(0.001 * rng.standard_normal(len(N)))
    return Runs.from_arrays(N, D, h[m], losses, ["web", "code", "books"])


def cut(fitted):
    return fitted.trim.model_size, fitted.trim.tokens


def test_early_checkpoints_that_do_not_follow_are_left_out():
    runs = table(early=0.05)
    fitted = fit_trimmed(runs, LAW, options=QUICK)
    size, D = cut(fitted)
    assert size == SIZES[0]
    assert 4e9 * 0.7 < D < 8e9
    assert fitted.trim.tests == "400M from 5.66B tokens on"
    assert fitted.data.where == (f"D>={D:.10g}",)
    chosen = fitted.trim.chosen
    assert chosen.mre < fitted.trim.cuts[0].mre / 2
    assert chosen.rows == np.sum((runs.N < 4e8) & (runs.D >= D))
    (note,) = (note for note in fitted.notes if note.code == "trim")
    assert note.text.startswith(f"{np.sum(runs.D >= D)} of 660 rows are kept, from 25M parameters")
    # The fit is that of the rows kept.
    kept = trimmed(runs, fitted.trim)
    np.testing.assert_array_equal(kept.D, runs.D[runs.D >= D])
    plain = fit(kept, LAW, options=QUICK)
    for target, own in plain.targets.items():
        np.testing.assert_array_equal(own.params["C"], fitted.targets[target].params["C"])


def test_a_size_that_does_not_follow_is_left_out():
    least = cut(fit_trimmed(table(small=0.1), LAW, options=QUICK))
    assert least == (SIZES[1], LENGTHS[0])


@pytest.mark.parametrize("seed", range(3))
def test_hardly_anything_is_left_out_where_all_rows_follow(seed):
    fitted = fit_trimmed(table(seed=seed), LAW, options=QUICK)
    every = fitted.trim.cuts[0]
    assert fitted.trim.chosen.rows >= 0.7 * every.rows
    assert every.mre < 0.15


def test_of_cuts_that_are_about_as_good_the_one_with_most_rows_is_chosen():
    runs = table()
    places = [(SIZES[0], LENGTHS[0]), (SIZES[0], LENGTHS[1]), (SIZES[1], LENGTHS[0])]
    rng = np.random.default_rng(0)
    noise = rng.uniform(0.8, 1.25, (3, 30, 2))
    # The last is best by less than chance, the first is clearly worse.
    errors = np.array([2.0, 1.01, 1.0])[:, None, None] * noise
    trim = _choose(places, errors, runs, "what was held out")
    assert (trim.model_size, trim.tokens) == places[1]
    assert trim.cuts[0].difference == pytest.approx(100, abs=20)
    assert trim.chosen.difference == 0.0
    errors[1] = np.inf
    trim = _choose(places, errors, runs, "what was held out")
    assert (trim.model_size, trim.tokens) == places[2]


def test_the_result_does_not_depend_on_processes_and_stands_in_the_file(tmp_path):
    runs = table(early=0.05)
    fitted = fit_trimmed(runs, LAW, options=QUICK)
    assert fit_trimmed(runs, LAW, options=QUICK, jobs=2).trim == fitted.trim
    save_fit(fitted, tmp_path / "fit.yaml")
    assert load_fit(tmp_path / "fit.yaml").trim == fitted.trim
    text = render(report_fit(fitted), "text")
    assert "400M from 5.66B tokens on: MRE %" in text
    assert text.count("chosen") == 1


def test_sizes_that_are_too_few():
    with pytest.raises(UsageError) as caught:
        fit_trimmed(table(sizes=SIZES[:3]), LAW, options=QUICK)
    assert caught.value.said_with(option_of("fit")) == (
        "--trim auto predicts the largest size from 3 others or more, and the rows have 3 sizes."
        " Choose rows with --where."
    )
    size, _ = cut(fit_trimmed(table(small=0.1, sizes=SIZES[:4]), LAW, options=QUICK))
    assert size == SIZES[0]  # three must stay beside the one held out


def test_the_conditions_find_the_rows_again(tmp_path):
    runs = table(early=0.05)
    frame = runs.to_frame()
    frame["model_size"] /= 1e6  # in millions
    path = tmp_path / "runs.csv"
    frame.to_csv(path, index=False)
    read = read_runs(path, model_size="model_size*1M")
    fitted = fit_trimmed(read, LAW, options=QUICK)
    trim = replace(fitted.trim, model_size=float(SIZES[1]))
    kept = trimmed(read, trim)
    assert kept.where[0] == "model_size>=50"
    again = read_runs(path, model_size="model_size*1M", where=kept.where)
    np.testing.assert_array_equal(again.N, kept.N)
    np.testing.assert_array_equal(again.D, kept.D)
