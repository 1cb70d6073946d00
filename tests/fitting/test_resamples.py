"""Resamples, errors and intervals: what they are made of, and that they hold what they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixfit import Runs, load_fit, save_fit
from mixfit.base.errors import InputError, UsageError
from mixfit.evaluation.evaluate import evaluate
from mixfit.evaluation.predict import predict_losses
from mixfit.fitting.errors import noise_of
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.fitting.resample_file import resample_path
from mixfit.fitting.resamples import resample
from mixfit.fitting.uncertainty import Growth, ends, intervals
from mixfit.runs.target_rows import TargetRows

DOMAINS = ["web", "code", "books"]
SIZES = np.array([5e7, 1e8, 2e8, 4e8])
LENGTHS = np.array([1e9, 2e9, 4e9, 8e9])


def truth(N, D, h, couple=0.0):
    """Losses of an additive law, or of one in which the mixture's effect fades with D."""
    mixture = 1 / (0.9 * h[:, 0] ** 0.7 + 0.5 * h[:, 1] ** 0.6 + 0.4 * h[:, 2] ** 0.8)
    return 1.2 + 0.5 * mixture * (D / 3e9) ** -couple + 200 / N**0.34 + 3000 / D**0.37


def table(seed, sizes=SIZES, lengths=LENGTHS, mixtures=24, noise=(0.002, 0.001), couple=0.0):
    """Runs with an offset for each run, and noise for each checkpoint, both relative."""
    rng = np.random.default_rng(seed)
    each = rng.dirichlet(np.ones(3), mixtures)
    index = [np.arange(mixtures), np.arange(len(sizes)), np.arange(len(lengths))]
    m, n, d = (x.ravel() for x in np.meshgrid(*index, indexing="ij"))
    N, D, h = sizes[n], lengths[d], each[m]
    offset = noise[0] * rng.standard_normal((mixtures, len(sizes)))[m, n]
    losses = {}
    for target, factor in (("x", 1.0), ("y", 1.3)):
        error = offset + noise[1] * rng.standard_normal(len(N))
        losses[target] = factor * truth(N, D, h, couple) * np.exp(error)
    return Runs.from_arrays(N, D, h, losses, DOMAINS)


@pytest.fixture(scope="module")
def runs():
    return table(0)


@pytest.fixture(scope="module")
def plain(runs):
    return fit(runs, "additive:0.001", options=FitOptions(restarts=3, hops=0))


@pytest.fixture(scope="module")
def fitted(plain, runs):
    return resample(plain, runs, 40)


def test_resamples_do_not_depend_on_the_number_of_processes(plain, runs, fitted):
    again = resample(plain, runs, 40, jobs=2)
    assert again.errors == fitted.errors
    for target, params in fitted.resamples.params.items():
        for name, numbers in params.items():
            np.testing.assert_array_equal(numbers, again.resamples.params[target][name])


def test_the_seed_draws_other_weights(plain, runs, fitted):
    other = resample(plain, runs, 20, seed=1)
    assert not np.allclose(
        other.resamples.params["x"]["E"], fitted.resamples.params["x"]["E"][:20], rtol=1e-6
    )


def test_too_few_resamples_are_refused(plain, runs):
    with pytest.raises(UsageError, match="resamples 5: give 20 or more"):
        resample(plain, runs, 5)


def test_one_mixture_is_refused(runs):
    one = runs.select(runs.mixture == 0)
    with pytest.raises(UsageError, match="the rows have one mixture"):
        resample(fit(one, "chinchilla", options=FitOptions(restarts=1, hops=0)), one, 20)


def test_a_file_gives_the_same_intervals(tmp_path, fitted):
    save_fit(fitted, tmp_path / "fit.yaml")
    loaded = load_fit(tmp_path / "fit.yaml")
    assert loaded.errors == fitted.errors
    before, after = (f.predict_intervals(1e9, 2e10, [0.4, 0.3, 0.3])["y"] for f in (fitted, loaded))
    assert before.low == after.low
    assert before.high == after.high
    first = (tmp_path / "fit.yaml").read_bytes(), resample_path(tmp_path / "fit.yaml").read_bytes()
    save_fit(loaded, tmp_path / "fit.yaml")
    assert first == (
        (tmp_path / "fit.yaml").read_bytes(),
        resample_path(tmp_path / "fit.yaml").read_bytes(),
    )


def test_resamples_that_are_elsewhere_are_noted(tmp_path, fitted):
    save_fit(fitted, tmp_path / "fit.yaml")
    resample_path(tmp_path / "fit.yaml").unlink()
    loaded = load_fit(tmp_path / "fit.yaml")
    assert loaded.notes[-1].code == "resamples-missing"
    with pytest.raises(UsageError, match="The fit has no resamples"):
        loaded.predict_intervals(1e9, 2e10, [0.4, 0.3, 0.3])


def test_resamples_of_another_fit_are_refused(tmp_path, fitted):
    save_fit(fitted, tmp_path / "fit.yaml")
    resample_path(tmp_path / "fit.yaml").write_bytes(b"other")
    with pytest.raises(InputError, match="the SHA-256 differs"):
        load_fit(tmp_path / "fit.yaml")


def test_standard_output_has_no_place_for_resamples(fitted):
    with pytest.raises(UsageError, match="resamples stand in a file beside the fit"):
        save_fit(fitted, "-")


def test_components_of_noise_are_found():
    rng = np.random.default_rng(1)
    m, n, d = (x.ravel() for x in np.meshgrid(*map(np.arange, (400, 4, 5)), indexing="ij"))
    parts = rng.standard_normal(400)[m], 0.5 * rng.standard_normal((400, 4))[m, n]
    errors = sum(parts) + 0.2 * rng.standard_normal(len(m))
    h = np.eye(400)
    rows = TargetRows("x", ("a",), 1e8 * (1.0 + n), 1e9 * (1.0 + d), 1.0 + d, m, h)
    noise = noise_of(errors, rows, 0.0)
    assert noise.mixture == pytest.approx(1.0, rel=0.1)
    assert noise.run == pytest.approx(0.5, rel=0.1)
    assert noise.checkpoint == pytest.approx(0.2, rel=0.05)


def test_parameters_in_h_count_in_the_noise_of_mixtures():
    rows = TargetRows(
        "x", ("a",), np.full(10, 1e8), np.full(10, 1e9), np.ones(10), np.arange(10), np.eye(10)
    )
    errors = np.random.default_rng(2).standard_normal(10)
    assert noise_of(errors, rows, 5.0).mixture == pytest.approx(np.sqrt(errors @ errors / 5))


def test_the_interval_widens_beyond_what_was_fitted(fitted):
    wide = replace(fitted, errors=replace(fitted.errors, model_size=Growth(2.0, 0.0)))
    near, far = (wide.predict_intervals(N, 8e9, [0.4, 0.3, 0.3])["x"] for N in (4e8, 1.6e9))
    assert near.shift[0] == 0
    assert far.shift[0] == pytest.approx(
        np.sqrt(np.log(4.0)) * 2.0 * fitted.errors.noise["x"].total
    )
    assert far.high[0] / far.low[0] > near.high[0] / near.low[0]


def test_between_the_ends_of_forty_draws_ninety_percent_of_others_lie():
    rng = np.random.default_rng(0)
    low, high = ends(rng.standard_normal((40, 4000)))
    others = rng.standard_normal(4000)
    assert np.mean((low <= others) & (others <= high)) == pytest.approx(0.9, abs=0.015)


def test_two_sizes_tell_nothing_of_others(runs):
    two = runs.select(runs.N < 1.5e8)
    found = resample(fit(two, "additive:0.001", options=FitOptions(restarts=2, hops=0)), two, 20)
    assert found.errors.model_size is None
    known = found.predict_intervals([1e8, 1e9], 8e9, [0.4, 0.3, 0.3])["x"]
    assert np.isfinite(known.low[0])
    assert np.isnan(known.low[1])
    assert predict_losses(found, {"m": np.ones(3) / 3}, [1e9], [8e9]).notes[0].code == "no-interval"


def test_a_target_logged_at_one_of_several_sizes_has_no_interval(runs):
    at_one = np.where(SIZES[0] == runs.N, runs.losses_of("y"), np.nan)
    losses = {"x": runs.losses_of("x"), "y": at_one}
    some = Runs.from_arrays(runs.N, runs.D, runs.h, losses, DOMAINS)
    found = fit(some, "additive:0.001", options=FitOptions(restarts=1, hops=0, discrepancy="none"))
    found = resample(found, some, 20)
    at = np.array([1e8]), np.array([2e9]), np.full((1, 3), 1 / 3)
    assert np.isfinite(intervals(found, "x", *at).low).all()
    assert np.isnan(intervals(found, "y", *at).low).all()


@pytest.mark.parametrize(("couple", "least"), [(0.0, 85), (0.1, 75)])
def test_intervals_hold_losses_at_four_times_the_size_and_three_times_the_length(couple, least):
    """A few tables of the study in benchmarks/coverage.py."""
    inside = []
    for seed in range(4):
        own = table(seed, couple=couple)
        new = table(seed + 100, np.array([1.6e9]), np.array([2.4e10]), couple=couple)
        found = fit(own, "additive:0.001", options=FitOptions(restarts=2, hops=0))
        evaluation = evaluate(resample(found, own, 20), new)
        inside.append(evaluation.average[None].inside)
    assert least <= np.mean(inside) <= 100
