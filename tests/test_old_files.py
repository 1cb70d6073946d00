"""Files that version 0.1.0 wrote can be read, and mean the same.

``first*`` are from its first days, before fits were pooled and resampled; ``pooled*`` came later.
The predictions are those of the program that wrote them. Files of a version stay here; a change
that cannot read them needs a new kind of file (``mixfit.fit/2``), and upgrade notes.
"""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from conftest import ROOT, check_file

from mixfit.fitting.file import load_fit
from mixfit.mixture.files import read_mixture
from mixfit.mixture.planner import optimize

OLD = ROOT / "tests" / "files_of_0.1.0"
PREDICTED = {
    "first": {
        "web": 1.959655053051327,
        "code": 1.8637582936264494,
        "books": 2.2087986066186356,
        "math": 2.0129229956265875,
    },
    "first-coupled": {
        "web": 1.9691712383793885,
        "code": 1.8598114612102823,
        "books": 2.2030671146512364,
        "math": 2.0139133942086693,
    },
    "pooled": {"web": 1.96073833, "math": 2.0252021},
}


@pytest.mark.parametrize("name", PREDICTED)
def test_a_fit_predicts_what_it_did(name):
    path = OLD / f"{name}.yaml"
    check_file(path.read_text("utf-8"))
    fit = load_fit(path)
    found = fit.predict(7e9, 150e9, [[0.4, 0.3, 0.3]])
    assert {target: loss[0] for target, loss in found.items()} == pytest.approx(
        PREDICTED[name], rel=1e-8
    )


def test_resamples_stay_beside_a_fit():
    intervals = load_fit(OLD / "pooled.yaml").predict_intervals(7e9, 150e9, [[0.4, 0.3, 0.3]])
    ends = {target: (own.low[0], own.high[0]) for target, own in intervals.items()}
    # 0.1.0 took the quantiles of the resamples, which are too near each other where these are few.
    assert ends == {
        "web": pytest.approx((1.922994469, 1.999223005), rel=1e-6),
        "math": pytest.approx((1.985438787, 2.06576177), rel=1e-6),
    }


@pytest.mark.parametrize(("fit", "mixture"), [("first", "first"), ("pooled", "pooled")])
def test_the_best_mixture_is_what_it_was(fit, mixture):
    stored = read_mixture(str(OLD / f"{mixture}-mixture.yaml"))
    best = optimize(load_fit(OLD / f"{fit}.yaml"), model_size=7e9, tokens=150e9)
    np.testing.assert_allclose(
        [best.shares[domain] for domain in stored], list(stored.values()), atol=1e-5
    )


def test_commands_take_them(mixfit, tmp_path, sample_runs):
    for path in OLD.iterdir():
        shutil.copy(path, tmp_path)
    shutil.copy(sample_runs / "additive.csv", tmp_path / "runs.csv")
    done = mixfit("eval", "first.yaml", "runs.csv", "--max-mre", "0.2")
    assert done.returncode == 0, done.stderr
    done = mixfit(
        "report", "pooled.yaml", "runs.csv", "--mixture", "pooled-mixture.yaml", "-o", "r.html"
    )
    assert done.returncode == 0, done.stderr
