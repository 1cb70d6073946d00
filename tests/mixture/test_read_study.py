"""A study is read back from the mixture file that it was written to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from random_fits import random_fit

from mixfit.base.errors import InputError, Note
from mixfit.base.files import file_sha256
from mixfit.base.plain import to_yaml
from mixfit.fitting.file import load_fit, save_fit
from mixfit.mixture.constraints import Constraints
from mixfit.mixture.files import mixtures_to_plain
from mixfit.mixture.planner import Planner
from mixfit.mixture.read_study import load_study
from mixfit.mixture.result import Certainty, Gain


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A fit and a study of a constrained mixture of it, both written to files."""
    monkeypatch.chdir(tmp_path)
    save_fit(random_fit("joint", 3, 2, 1), "fit.yaml")
    fit = load_fit("fit.yaml")
    planner = Planner(fit, {"t0": 2.0, "t1": 1.0}, Constraints(max={"d0": 0.2}))
    study = planner.study(planner.best(1e9, 1e10), {"mine": np.array([0.2, 0.3, 0.5])})
    write(mixtures_to_plain([study.mixture], "fit.yaml", study=study))
    return fit, planner, study


def write(content):
    Path("mixture.yaml").write_text(to_yaml(content))


def read(fit):
    return load_study("mixture.yaml", fit, file_sha256("fit.yaml"))


def test_back(made):
    fit, _, study = made
    found = read(fit)
    best, own = found.mixture, study.mixture
    assert best.weights == pytest.approx(own.weights, abs=1e-6)
    assert best.predicted_loss == pytest.approx(own.predicted_loss)
    assert (best.loss, best.objective) == pytest.approx((own.loss, own.objective))
    assert (best.convex, best.budget, best.notes) == (own.convex, own.budget, own.notes)
    assert best.target_weights == pytest.approx(own.target_weights)
    assert found.ranges == pytest.approx(study.ranges, abs=1e-4)
    assert [b.name for b in found.baselines] == ["uniform", "mine"]
    assert found.baselines[1].loss == pytest.approx(study.baselines[1].loss)
    free = found.unconstrained
    assert free.predicted_loss == pytest.approx(study.unconstrained.predicted_loss, abs=1e-5)
    assert [c.label for c in found.costs] == [c.label for c in study.costs]
    assert [c.cost for c in found.costs] == pytest.approx([c.cost for c in study.costs])


def test_passes_and_the_least_change_come_back(made):
    fit, _, _ = made
    planner = Planner(fit, constraints=Constraints(available={"d0": 1e9, "d1": 3e9, "d2": 9e9}))
    study = planner.study(planner.best(1e9, 1e10), least_change=np.full(3, 1 / 3), within=0.05)
    write(mixtures_to_plain([study.mixture], "fit.yaml", study=study))
    found = read(fit)
    passes = {domain: own for domain, own in study.mixture.blend.passes.items() if own > 0}
    assert passes
    assert found.mixture.blend.passes == pytest.approx(passes, rel=1e-3)
    change, own = found.least_change, study.least_change
    assert change.weights == pytest.approx(own.weights, abs=1e-6)
    assert (change.loss, change.divergence) == pytest.approx((own.loss, own.divergence), rel=1e-3)
    assert (change.start, change.within) == (pytest.approx(own.start, abs=1e-6), own.within)


def test_how_sure_it_is_comes_back(made):
    fit, _, study = made
    assert read(fit).certainty is None
    ends = np.array([[0.1, 0.2], [0.3, 0.4], [0.4, 0.6]])
    gains = {"uniform": Gain(1.0, -0.5, 2.5, 0.9)}
    sure = Certainty(20, ends, 1.0, 2.0, 0.5, gains, (Note("not-told-apart", "text"),))
    study = replace(study, mixture=replace(study.mixture, certainty=sure))
    write(mixtures_to_plain([study.mixture], "fit.yaml", study=study))
    found = read(fit).certainty
    np.testing.assert_allclose(found.weights, ends)
    assert vars(found) | {"weights": ends} == vars(sure) | {"weights": ends}


def test_every_key_that_is_written_can_be_read(made):
    fit, _, _ = made
    content = yaml.safe_load(Path("mixture.yaml").read_text())
    assert {"as_good", "baselines", "unconstrained", "costs"} <= set(content["mixtures"][0])
    read(fit)


def refused(fit):
    with pytest.raises(InputError) as caught:
        read(fit)
    return str(caught.value)


def test_of_another_fit(made):
    fit, _, _ = made
    save_fit(random_fit("joint", 3, 2, 2), "fit.yaml")
    assert refused(fit) == (
        "mixture.yaml: was made from another fit, fit.yaml as it was then. Make it anew with"
        " 'mixfit optimize', or give that fit."
    )


def test_several(made):
    fit, planner, _ = made
    write(mixtures_to_plain(planner.grid([1e9, 2e9], [1e10]), "fit.yaml"))
    assert refused(fit) == ("mixture.yaml: holds 2 mixtures. Give a file with one, for one budget.")
    write(mixtures_to_plain([], "fit.yaml", pure=planner.each_target(1e9, 1e10)))
    assert refused(fit) == (
        "mixture.yaml: holds the best mixtures for each target. Give a file with one, for one"
        " budget."
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: m["weights"].pop("d1"),
            "mixture.yaml: has the domains d0, d2, and the fit has d0, d1, d2. Make the file anew.",
        ),
        (
            lambda m: m["as_good"].pop("d2"),
            "mixture.yaml: 'as_good' has no d2. Make the file anew.",
        ),
        (
            lambda m: m["predicted_loss"].pop("t1"),
            "mixture.yaml: lacks losses of targets that the fit has. Make the file anew.",
        ),
        (
            lambda m: m["predicted_loss"].update(t2=1.0),
            "mixture.yaml: the fit has no target 't2'. Did you mean 't1'?",
        ),
        (
            lambda m: m.update(loss="much"),
            "mixture.yaml: 'mixtures.0.loss' is not a finite number: 'much'.",
        ),
    ],
)
def test_what_was_changed_by_hand(made, change, message):
    fit, _, _ = made
    content = yaml.safe_load(Path("mixture.yaml").read_text())
    change(content["mixtures"][0])
    write(content)
    assert refused(fit) == message
