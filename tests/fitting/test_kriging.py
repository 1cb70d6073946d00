"""Finding what a law leaves: the likelihood, what is found again, and what is left alone."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from mixfit import Runs, fit
from mixfit.fitting.discrepancy import Kernel, Points, covariance
from mixfit.fitting.kriging import _MOST, _Search, averaged, discrepancies_of
from mixfit.fitting.options import FitOptions

K = 3
DOMAINS = ("web", "code", "books")
QUICK = FitOptions(restarts=2, hops=0)
TRUE = Kernel(mixture=0.35, model_size=1.5, tokens=1.0, everywhere=8.0, by_model_size=8.0, run=0.5)
SIZE = 0.004  # of a point's noise, in the unit of the loss


def table(count=30, *, kernel=TRUE, seed=0, missing=False):
    """Make runs of an additive law with a discrepancy."""
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.ones(K), count)
    mixture, size, length = (x.ravel() for x in np.meshgrid(range(count), range(3), range(3)))
    N, D = np.array([5e7, 1e8, 2e8])[size], np.array([1e9, 2e9, 4e9])[length]
    h = mixtures[mixture]
    law = 1.5 + 1 / (h**0.5 @ np.array([0.8, 0.6, 1.0])) + 400 / N**0.35 + 800 / D**0.35
    factor = np.linalg.cholesky(covariance(kernel, Points(mixtures, mixture, N, D)))
    losses = {}
    for target in ("a", "b"):
        losses[target] = law + SIZE * factor @ rng.normal(size=len(N))
    if missing:
        losses["b"][mixture == 0] = np.nan
    return Runs.from_arrays(N, D, h, losses, DOMAINS), law


def test_the_slope_of_the_likelihood_matches_finite_differences():
    runs, law = table(8, missing=True)
    left = np.array([runs.losses_of(target) - law for target in runs.targets])
    search = _Search(averaged(runs, left, 60))
    assert len(search.free) == 9
    logs = np.random.default_rng(1).normal(size=9) - 0.5
    _, slope = search._likelihood(search._kernel(logs))
    for place, step in enumerate(1e-5 * np.eye(9)):
        up, down = (search._likelihood(search._kernel(logs + s))[0] for s in (step, -step))
        assert slope[place] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-6), search.free[
            place
        ]


def test_the_likelihood_is_that_of_the_normal_distribution():
    from scipy.stats import multivariate_normal

    runs, law = table(6)
    left = np.array([runs.losses_of(target) - law for target in runs.targets])
    seen = averaged(runs, left, 1000)
    search = _Search(seen)
    values = []
    for kernel in (TRUE, replace(TRUE, everywhere=1.0)):
        known = 0.0
        for own in seen.left:
            at = covariance(kernel, seen.points)
            variance = own @ np.linalg.solve(at, own) / len(own)
            known += multivariate_normal(cov=variance * at).logpdf(own)
        values.append(known - search._likelihood(kernel)[0])
    assert values[0] == pytest.approx(values[1], rel=1e-9)  # but for a constant


def test_the_kernel_is_found_again():
    runs, law = table(60)
    left = np.array([runs.losses_of(target) - law for target in runs.targets])
    kernel, gained = _Search(averaged(runs, left, 1000)).best()
    assert 0.25 < kernel.mixture < 0.5
    assert 8 < kernel.everywhere + kernel.by_model_size < 32
    assert kernel.by_tokens + kernel.common_tokens + kernel.common_model_size < 2
    assert 0.2 < kernel.run < 1
    assert gained > 100


def test_what_a_law_leaves_is_found_and_predicts_better():
    runs, _ = table(60)
    fitted = fit(runs, "additive:none", options=QUICK, jobs=1)
    assert "discrepancy" in [note.code for note in fitted.notes]
    for target in fitted.targets.values():
        assert SIZE / 2 < np.sqrt(target.discrepancy.variance) < 2 * SIZE
    # The same discrepancy, at mixtures that were not fitted.
    some = np.flatnonzero(runs.mixture < 45)
    others = runs.select(runs.mixture >= 45)
    halves = [
        fit(runs.select(some), "additive:none", options=replace(QUICK, discrepancy=kind), jobs=1)
        for kind in ("none", "auto")
    ]
    errors = [
        np.mean(
            [
                np.abs(
                    own.predict(others.N, others.D, others.h)[t] / others.losses_of(t) - 1
                ).mean()
                for t in runs.targets
            ]
        )
        for own in halves
    ]
    assert errors[1] < 0.8 * errors[0]


def test_the_law_itself_stays_as_it_is():
    runs, _ = table(12)
    alone, added = (
        fit(runs, "additive:none", options=replace(QUICK, discrepancy=kind), jobs=1)
        for kind in ("none", "gp")
    )
    for name, target in added.targets.items():
        assert target.discrepancy is not None
        for param, numbers in target.params.items():
            np.testing.assert_array_equal(numbers, alone.targets[name].params[param])
        assert target.huber == alone.targets[name].huber
        points = target.discrepancy.points
        law = target.law_alone().predict(points.N, points.D, points.h)
        np.testing.assert_array_equal(
            law, alone.targets[name].predict(points.N, points.D, points.h)
        )


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_left_alone(seed):
    runs, law = table(20, kernel=Kernel(run=0.5), seed=seed)
    left = {target: runs.losses_of(target) - law for target in runs.targets}
    fitted = fit(runs, "additive:none", options=replace(QUICK, discrepancy="none"), jobs=1)
    assert discrepancies_of(fitted.targets, runs, always=False) == {}
    assert set(discrepancies_of(fitted.targets, runs, always=True)) == set(left)


def test_an_exact_law_leaves_nothing():
    runs, law = table(12)
    exact = Runs.from_arrays(runs.N, runs.D, runs.h, {"a": law}, DOMAINS)
    fitted = fit(exact, "additive:none", options=FitOptions(discrepancy="gp"), jobs=1)
    assert fitted.targets["a"].discrepancy is None


def test_a_run_that_went_wrong_does_not_decide():
    runs, law = table(30)
    fitted = fit(runs, "additive:none", options=replace(QUICK, discrepancy="none"), jobs=1)
    wrong = (runs.mixture == 3) & (runs.N == 1e8)
    losses = {t: np.where(wrong, 1.3, 1.0) * runs.losses_of(t) for t in runs.targets}
    spoilt = Runs.from_arrays(runs.N, runs.D, runs.h, losses, DOMAINS)
    found, known = (
        discrepancies_of(fitted.targets, table, always=True)["a"] for table in (spoilt, runs)
    )
    others = runs.select(runs.mixture != 3)
    at = others.N, others.D, others.h
    moved = found.predict(*at) - known.predict(*at)
    assert np.sqrt(np.mean(moved**2)) < 0.3 * np.sqrt(np.mean(known.predict(*at) ** 2))
    assert (
        np.max(np.abs(found.predict(runs.N[wrong], runs.D[wrong], runs.h[wrong])))
        < 0.05 * law.mean()
    )


def test_few_mixtures_are_left_alone():
    runs, _ = table(4)
    fitted = fit(runs, "chinchilla", options=replace(QUICK, discrepancy="gp"), jobs=1)
    assert all(target.discrepancy is None for target in fitted.targets.values())


def test_a_parameter_moved_is_taken_up_where_runs_are():
    runs, _ = table(15)
    options = replace(QUICK, discrepancy="gp")
    target = fit(runs, "additive:none", options=options, jobs=1).targets["a"]
    moved = target.with_params({**target.params, "E": target.params["E"] + 0.01})
    change = moved.predict(runs.N, runs.D, runs.h) - target.predict(runs.N, runs.D, runs.h)
    assert np.abs(change).mean() < 0.005
    assert moved.law_alone().predict(runs.N, runs.D, runs.h) == pytest.approx(
        target.law_alone().predict(runs.N, runs.D, runs.h) + 0.01
    )


def test_checkpoints_are_averaged_where_there_are_many():
    rng = np.random.default_rng(0)
    count, steps = 50, 40
    h = np.repeat(rng.dirichlet(np.ones(K), count), steps, axis=0)
    D = np.tile(np.linspace(1e9, 9e9, steps), count)
    left = rng.normal(size=(2, count * steps))
    left[1, :steps] = np.nan
    runs = Runs.from_arrays(
        np.full(len(D), 1e8), D, h, {"a": left[0] + 9, "b": left[1] + 9}, DOMAINS
    )
    seen = averaged(runs, left, 200)
    assert len(seen.points) == 200
    assert np.isnan(seen.left[1]).sum() == 4
    first = runs.mixture == seen.points.mixture[0]
    known = np.flatnonzero(first)[np.argsort(runs.D[first])][:10]
    assert seen.left[0, 0] == pytest.approx(left[0, known].mean())
    assert seen.points.D[0] == pytest.approx(np.exp(np.log(runs.D[known]).mean()))
    assert len(averaged(runs, left, 30).points) == 30
    assert len(averaged(runs, left, _MOST).points) <= _MOST


def test_a_kernel_has_a_prior_for_each_number_that_the_rows_can_tell():
    runs, law = table(8)
    left = np.array([runs.losses_of(target) - law for target in runs.targets])
    assert set(_Search(averaged(runs, left, 500)).free) == {own.name for own in fields(Kernel)}
    one = runs.select((runs.N == 1e8) & (runs.D == 2e9))
    of_one = left[:, (runs.N == 1e8) & (runs.D == 2e9)]
    assert _Search(averaged(one, of_one, 500)).free == ("mixture", "everywhere")
