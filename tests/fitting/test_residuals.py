"""What is found in the residuals of a fit: what was put there, and nothing on clean tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixfit.fitting.file import load_fit, save_fit
from mixfit.fitting.fit import fit
from mixfit.fitting.optimum import optima
from mixfit.fitting.options import FitOptions
from mixfit.fitting.residuals import influences_of, with_misfits
from mixfit.runs.read import read_runs
from mixfit.runs.runs import Runs

K, QUICK = 3, FitOptions(restarts=2, hops=0, discrepancy="none")
SIZES, LENGTHS = np.array([5e7, 1e8, 2e8, 4e8]), np.geomspace(1e9, 1.6e10, 6)


def table(seed=0, mixtures=20, *, wrong=None, targets=2):
    """Runs of an additive truth, each with an offset; errors of checkpoints follow each other.

    ``wrong`` takes N, D, h and the number of the mixture, (rows,), and gives what losses are
    multiplied by.
    """
    rng = np.random.default_rng(seed)
    h = rng.dirichlet(np.ones(K), mixtures)
    m, n, d = (x.ravel() for x in np.indices((mixtures, len(SIZES), len(LENGTHS))))
    N, D = SIZES[n], LENGTHS[d]
    losses = {}
    for target in range(targets):
        E, C, gamma = rng.uniform(1, 1.5), rng.uniform(0.4, 1.2, K), rng.uniform(0.4, 0.9, K)
        loss = E + 1 / (C * h[m] ** gamma).sum(axis=1) + 200 / N**0.34 + 3000 / D**0.37
        run = rng.standard_normal((mixtures, len(SIZES), 1))
        steps = rng.standard_normal((mixtures, len(SIZES), len(LENGTHS)))
        for place in range(1, len(LENGTHS)):
            steps[..., place] = 0.7 * steps[..., place - 1] + 0.7 * steps[..., place]
        loss *= np.exp(0.002 * (run + steps).ravel())
        losses[f"t{target}"] = loss * (1.0 if wrong is None else wrong(N, D, h[m], m))
    return Runs.from_arrays(N, D, h[m], losses, ["web", "code", "books"])


def found(runs, law="additive:none"):
    return fit(runs, law, options=QUICK).misfits


def codes(fitted):
    return {note.code: note.text for note in fitted.notes}


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_found_on_clean_tables(seed):
    fitted = fit(table(seed), "additive:none", options=QUICK)
    assert fitted.misfits.looked_at == 2 * (2 + K + 1)
    assert (fitted.misfits.trends, fitted.misfits.early) == ((), ())
    assert fitted.misfits.influences == ()
    assert not {"residual-trend", "early-misfit", "influence"} & set(codes(fitted))


@pytest.mark.parametrize(
    ("name", "law"),
    [("additive.csv", "additive"), ("coupled.csv", "coupled"), ("joint.parquet", "joint")],
)
def test_nothing_is_found_on_the_sample_runs_with_their_own_law(request, name, law):
    runs = read_runs(request.config.rootpath / "sample_runs" / name)
    seen = found(runs, law)
    assert (seen.trends, seen.early, seen.influences) == ((), (), ())


def test_a_law_that_misses_how_sizes_and_lengths_meet():
    def fading(N, D, h, m):
        return 1.0 + 0.02 * np.log(N / 1.4e8) * np.log(D / 4e9)

    fitted = fit(table(wrong=fading), "additive:none", options=QUICK)
    trends = [trend for trend in fitted.misfits.trends if trend.against == "N"]
    assert {trend.target for trend in trends} == {"t0", "t1"}
    # Observed losses of the largest sizes are above the law at the last checkpoints.
    assert all(trend.correlation > 0.5 and trend.p < 1e-6 for trend in trends)
    assert "residuals trend with N in 2 of 2 targets, most t" in codes(fitted)["residual-trend"]


def test_laws_that_lack_what_losses_depend_on():
    fitted = fit(table(targets=1), "ye-m1:none", options=replace(QUICK, treatment="mixfit"))
    against = {trend.against: trend for trend in fitted.misfits.trends}
    assert against["D"].correlation < -0.9
    assert against["N"].correlation < -0.9
    fitted = fit(table(wrong=lambda N, D, h, m: 1 + 0.3 * h[:, 0]), "chinchilla", options=QUICK)
    of_web = [trend for trend in fitted.misfits.trends if trend.against == "web"]
    assert {trend.target for trend in of_web} == {"t0", "t1"}
    for trend in of_web:
        assert trend.correlation > 0.6
        assert trend.p < 0.01 / fitted.misfits.looked_at
    said = codes(fitted)["residual-trend"]
    assert said.startswith("residuals trend with weights in 2 of 2 targets, most t")
    assert "with that of web (rank correlation +0." in said


def test_early_checkpoints_that_do_not_follow():
    def rough(N, D, h, m):
        off = np.random.default_rng(9).standard_normal((20, len(SIZES)))
        size = np.searchsorted(SIZES, N)
        return 1.0 + 0.02 * (D < 2e9) * off[m, size]

    fitted = fit(table(wrong=rough), "additive:none", options=QUICK)
    assert len(fitted.misfits.early) == 2
    for one in fitted.misfits.early:
        assert one.tokens == pytest.approx(LENGTHS[2])
        assert one.early > 2 * one.later
    assert codes(fitted)["early-misfit"].startswith(
        "checkpoints before 3.03B tokens fit worse in 2 of 2 targets, most t"
    )


def corner_off(runs, by=1.1):
    """Runs with wrong losses of the mixture that has most of one domain, and its number."""
    corner = int(np.argmax(runs.mixtures.max(axis=1)))
    losses = runs.losses * np.where(runs.mixture == corner, by, 1.0)[:, None]
    return replace(runs, losses=losses), corner


def test_a_mixture_without_which_predictions_would_be_others(tmp_path):
    runs, corner = corner_off(table(5, 12, targets=1))
    fitted = fit(runs, "additive:none", options=QUICK)
    own = [one for one in fitted.misfits.influences if one.model_size is None]
    (one,) = (o for o in own if np.allclose(list(o.mixture.values()), runs.mixtures[corner]))
    # It is what a fit without the mixture says.
    others = runs.select(runs.mixture != corner)
    again = fit(others, "additive:none", options=QUICK)
    h = others.mixtures
    N, D = SIZES.max(), LENGTHS.max()
    moved = np.log(again.predict(N, D, h)["t0"] / fitted.predict(N, D, h)["t0"])
    assert one.shift == pytest.approx(100 * np.sqrt(np.mean(moved**2)), rel=0.1)
    assert f"by {one.shift:.2f}% without the mixture with" in codes(fitted)["influence"]
    # The details stand in the fit file.
    save_fit(fitted, tmp_path / "fit.yaml")
    assert load_fit(tmp_path / "fit.yaml").misfits == fitted.misfits


def test_influence_counts_beside_how_far_the_law_is_off():
    runs, _ = corner_off(table(5, 12, targets=1))
    (optimum,) = optima(fit(runs, "additive:none", options=QUICK), runs)
    assert list(influences_of(optimum, 0.01))
    assert not list(influences_of(optimum, 50.0))


def test_few_runs_and_laws_that_predict_nothing_are_left_alone():
    runs = table()
    few = runs.select(np.isin(runs.mixture, [0, 1, 2]))
    seen = found(few)
    assert (seen.trends, seen.influences) == ((), ())
    fitted = fit(runs, "additive:none", options=QUICK)
    params = {**fitted.targets["t0"].params, "E": np.array([-9.0])}
    broken = {**fitted.targets, "t0": replace(fitted.targets["t0"], params=params)}
    looked = with_misfits(replace(fitted, targets=broken, notes=()), runs)
    assert looked.misfits.looked_at == 2 + K + 1
    assert looked.notes == ()
    exact = {t: own.predict(runs.N, runs.D, runs.h) for t, own in fitted.targets.items()}
    followed = replace(runs, losses=np.column_stack(list(exact.values())))
    assert with_misfits(replace(fitted, notes=()), followed).misfits.looked_at == 0
