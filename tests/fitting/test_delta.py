"""A delta in proportion to the residuals, and the note where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import DOMAINS, K, draw_mixtures, draw_theta, make_table

from mixfit.base.errors import UsageError
from mixfit.fitting.delta import choose_delta
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.runs.runs import Runs

QUICK = FitOptions(restarts=4, hops=0)
NOISE = 0.004


def make_runs(*, times=1.0, noise=NOISE, rows=None):
    """Two targets of an additive law with normal noise, all losses times a number."""
    rng = np.random.default_rng(3)
    N, D, h = make_table(draw_mixtures(rng, 12))
    formula = Formula(CATALOGUE["additive"], K)
    losses = {}
    for target in ("web", "math"):
        exact = formula.predict(draw_theta(Formula(CATALOGUE["additive"], K), rng), N, D, h)
        exact = 2 + exact / exact.max()
        losses[target] = times * (exact + noise * rng.standard_normal(len(N)))
    losses["math"][0] += 0.5 * times  # one run far off
    runs = Runs.from_arrays(N, D, h, losses, DOMAINS)
    return runs if rows is None else runs.select(np.arange(rows))


def notes_of(found):
    return [(note.code, note.target) for t in found.targets.values() for note in t.notes]


def test_delta_is_in_proportion_to_the_noise():
    delta, note = choose_delta(make_runs(), "additive", options=QUICK)
    assert delta == pytest.approx(1.345 * NOISE, rel=0.15)
    assert delta == float(f"{delta:.3g}")
    assert note.code == "delta"
    assert note.text.startswith(f"auto chose delta {delta:g}: 1.345 times the robust standard")
    assert note.text.endswith(", in the median of 2 targets")


def test_losses_times_a_number_are_fitted_alike():
    found = {}
    for times in (1.0, 1000.0):
        runs = make_runs(times=times)
        delta, _ = choose_delta(runs, "chinchilla", options=QUICK)
        found[times] = delta, fit(runs, "chinchilla", options=replace(QUICK, delta=delta))
    assert found[1000.0][0] == pytest.approx(1000 * found[1.0][0], rel=1e-3)
    assert found[1000.0][1].targets["web"].params["E"] > 1000
    one, other = (own.predict(runs.N, runs.D, runs.h) for _, own in found.values())
    for target, losses in one.items():
        np.testing.assert_allclose(1000 * losses, other[target], rtol=1e-3)


@pytest.mark.parametrize(("times", "said"), [(1.0, False), (1e-6, True), (1000.0, True)])
def test_a_note_says_where_delta_is_far_from_the_residuals(times, said):
    found = fit(make_runs(times=times), "chinchilla", options=QUICK)
    expected = [("delta-scale", "web"), ("delta-scale", "math")] if said else []
    assert [pair for pair in notes_of(found) if pair[0] == "delta-scale"] == expected


def test_an_exact_law_and_too_few_rows_have_no_residuals_to_go_by():
    few, exact = make_runs(rows=7), make_runs()
    values = dict.fromkeys(exact.targets, 2 + 1e3 * exact.N**-0.4)
    exact = Runs.from_arrays(exact.N, exact.D, exact.h, values, DOMAINS)
    for runs, why in (
        (few, "the rows are hardly more than the law's parameters"),
        (exact, "the law is exact"),
    ):
        with pytest.raises(UsageError) as raised:
            choose_delta(runs, "chinchilla", options=QUICK)
        assert raised.value.said_with("--{}".format) == (
            f"--delta auto has no residuals to go by: {why}. Give a number."
        )


def test_the_command_keeps_what_was_chosen(called, sample_runs):
    import yaml

    words = ("--law", "chinchilla", "--restarts", "1", "--hops", "0", "--jobs", "1")
    done = called("fit", sample_runs / "additive.csv", *words, "--delta", "auto", "-o", "-")
    content = yaml.safe_load(done.stdout)
    (note,) = (note for note in content["notes"] if note["code"] == "delta")
    assert f"auto chose delta {content['options']['delta']:g}: " in note["text"]
    refused = called("fit", sample_runs / "additive.csv", *words, "--delta", "much")
    assert (refused.returncode, refused.stderr) == (
        2,
        "error: --delta: 'much' is not a number. Write one like 7e9, 310M, 7B or 1.3T.\n",
    )
