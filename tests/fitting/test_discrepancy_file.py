"""Discrepancies in fit files: the same ones come back, and what cannot be one is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from mixfit import Runs, fit, load_fit, save_fit
from mixfit.base.errors import InputError
from mixfit.base.packed import packed
from mixfit.base.plain import to_yaml
from mixfit.fitting.file import fit_to_plain
from mixfit.fitting.options import FitOptions

DOMAINS = ("web", "code", "books")


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(0)
    h = np.repeat(rng.dirichlet(np.ones(3), 8), 2, axis=0)
    D = np.tile([1e9, 4e9], 8)
    loss = 2 + h @ [0.5, 0.2, 0.3] + (1e9 / D) ** 0.3 + 0.01 * rng.normal(size=16)
    other = np.where(np.arange(16) < 2, np.nan, loss + 0.01 * rng.normal(size=16))
    return Runs.from_arrays(np.full(16, 1e8), D, h, {"a": loss, "b": other}, DOMAINS)


@pytest.fixture(scope="module")
def fitted(runs):
    options = FitOptions(restarts=1, hops=0, discrepancy="gp")
    return fit(runs, "simple:none", options=options, jobs=1)


@pytest.mark.parametrize("name", ["fit.yaml", "fit.json"])
def test_it_comes_back_to_the_last_bit(tmp_path, runs, fitted, name):
    save_fit(fitted, tmp_path / name)
    loaded = load_fit(tmp_path / name)
    assert fit_to_plain(loaded) == fit_to_plain(fitted)
    assert loaded.options.discrepancy == "gp"
    before, after = (own.predict(runs.N, runs.D, runs.h) for own in (fitted, loaded))
    for target, own in fitted.targets.items():
        np.testing.assert_array_equal(before[target], after[target])
        found, known = loaded.targets[target].discrepancy, own.discrepancy
        at = np.array([1e9]), np.array([4e9]), runs.h[:1]
        np.testing.assert_array_equal(found.deviation(*at), known.deviation(*at))


def test_a_law_alone_has_no_key_of_it(tmp_path, runs):
    options = FitOptions(restarts=1, hops=0, discrepancy="none")
    save_fit(fit(runs, "simple:none", options=options, jobs=1), tmp_path / "fit.yaml")
    assert "discrepancy" not in (tmp_path / "fit.yaml").read_text()


def without_points(plain):
    del plain["discrepancy"]


def set_in(*keys):
    *path, last = keys[:-1]

    def change(plain):
        for key in path:
            plain = plain[key]
        plain[last] = keys[-1]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_points, "'targets.a.discrepancy' stands beside 'discrepancy', and not alone."),
        (
            set_in("discrepancy", "mixtures", packed(np.ones(4))),
            "'discrepancy.mixtures' does not hold whole rows of 3. Make the file anew.",
        ),
        (
            set_in("discrepancy", "model_size", packed(np.ones(4))),
            "'discrepancy.model_size' must have as many numbers as 'mixture'.",
        ),
        (
            set_in("discrepancy", "tokens", packed(np.zeros(16))),
            "'discrepancy.tokens' must have positive numbers.",
        ),
        (
            set_in("discrepancy", "mixture", packed(np.full(16, 8.0))),
            "'discrepancy.mixture' must have numbers of rows of 'mixtures'.",
        ),
        (
            set_in("discrepancy", "kernel", "mixture", 0.0),
            "'discrepancy.kernel.mixture' must be a positive number.",
        ),
        (
            set_in("discrepancy", "kernel", "run", -1.0),
            "'discrepancy.kernel.run' is -1; it must be 0 or more.",
        ),
        (
            set_in("targets", "b", "discrepancy", "weights", packed(np.ones(3))),
            "'targets.b.discrepancy.weights' must have 16 numbers, one for each point.",
        ),
        (
            set_in("targets", "b", "discrepancy", "weights", "x"),
            "'targets.b.discrepancy.weights' is not the base64 text of numbers."
            " Make the file anew.",
        ),
        (
            set_in("options", "discrepancy", "some"),
            "There is no discrepancy 'some' (options.discrepancy). Discrepancies: auto, gp, none.",
        ),
    ],
)
def test_what_cannot_be_one_is_refused(tmp_path, fitted, change, said):
    plain = copy.deepcopy(fit_to_plain(fitted))
    change(plain)
    path = tmp_path / "fit.yaml"
    path.write_text(to_yaml(plain))
    with pytest.raises(InputError) as error:
        load_fit(path)
    assert str(error.value) == f"{path}: {said}"
