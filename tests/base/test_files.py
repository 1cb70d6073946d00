"""Fit files: the same fit comes back, and files are written whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit import load_fit, save_fit
from mixfit.base.errors import InputError, UsageError
from mixfit.base.files import check_out, write_text, writing
from mixfit.base.plain import to_yaml
from mixfit.fitting.file import fit_to_plain
from mixfit.fitting.fit import fit
from mixfit.fitting.result import FitOptions
from mixfit.laws.catalogue import CATALOGUE
from mixfit.runs.read import read_runs


@pytest.fixture(scope="module")
def runs(request):
    return read_runs(request.config.rootpath / "sample_runs" / "additive.csv")


@pytest.mark.parametrize("law", ["chinchilla", "simple", "joint", "full", "powered", "coupled"])
@pytest.mark.parametrize("form", ["whole", "one size", "one size and length"])
def test_a_fit_comes_back_as_it_was(tmp_path, runs, law, form):
    rows = np.ones(len(runs), dtype=bool)
    if form != "whole":
        rows &= runs.N == 5e7
    if form == "one size and length":
        rows &= runs.D[0] == runs.D
    found = fit(runs.select(rows), law, options=FitOptions(restarts=1, hops=0), jobs=1)
    save_fit(found, tmp_path / "fit.yaml")
    loaded = load_fit(tmp_path / "fit.yaml")
    assert fit_to_plain(loaded) == fit_to_plain(found)
    before = found.predict(runs.N, runs.D, runs.h)
    after = loaded.predict(runs.N, runs.D, runs.h)
    for target in runs.targets:
        np.testing.assert_array_equal(before[target], after[target])
        assert loaded.targets[target].law == found.targets[target].law


def test_every_form_of_a_law_has_its_own_parameters():
    """A fit file does not name the form; its parameters must tell."""
    for law in CATALOGUE.values():
        forms = {
            law.identified(one_model_size=n, one_token_count=d).terms
            for n in (False, True)
            for d in (False, True)
        }
        names = {frozenset(g.name for t in f for p in t.functions for g in p.params) for f in forms}
        assert len(names) == len(forms), law.name


def test_as_many_hops_as_parameters_are_not_a_number(tmp_path, runs):
    found = fit(runs, "chinchilla", jobs=1)
    text = to_yaml(fit_to_plain(found))
    assert "hops: auto" in text
    (tmp_path / "fit.yaml").write_text(text)
    assert load_fit(tmp_path / "fit.yaml").options == FitOptions()


def test_numbers_without_a_point_are_numbers(tmp_path, runs):
    found = fit(runs, "chinchilla", options=FitOptions(restarts=1, hops=0), jobs=1)
    text = to_yaml(fit_to_plain(found)).replace("min: 50000000.0", "min: 5e7")
    (tmp_path / "fit.yaml").write_text(text)
    assert load_fit(tmp_path / "fit.yaml").data.model_size.min == 5e7


def test_a_failed_write_leaves_nothing(tmp_path):
    goal = tmp_path / "out.yaml"
    goal.write_text("old")

    def fail():
        with writing(goal) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert goal.read_text() == "old"
    assert list(tmp_path.iterdir()) == [goal]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_text(tmp_path / "mixfit.yaml", "x")
    (tmp_path / "plain.yaml").write_text("x")
    modes = [(tmp_path / name).stat().st_mode for name in ("mixfit.yaml", "plain.yaml")]
    assert modes[0] == modes[1]


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot be written \(No such file or directory\)"):
        write_text(tmp_path / "no" / "fit.yaml", "x")
    with pytest.raises(UsageError, match="this is a directory"):
        check_out(str(tmp_path))
    write_text(tmp_path / "a.csv", "x")
    with pytest.raises(UsageError, match="would be overwritten"):
        check_out(str(tmp_path / "a.csv"), [str(tmp_path / "." / "a.csv")])
    check_out("-")
    check_out(None)
