"""Faults planted in tables are found where they are; in tables of known laws nothing is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from planted_faults import ALSO, CLEAN, FAULTS, clean, scaled

from mixfit.base.errors import UsageError
from mixfit.fitting.check import check_runs
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.runs.findings import SEVERITIES
from mixfit.runs.read import read_runs

SAMPLES = ("additive.csv", "joint.parquet", "coupled.csv")


def codes(check):
    return {finding.code for finding in check.findings}


@pytest.mark.parametrize(
    ("name", "table", "plant", "code", "row"), FAULTS, ids=[name for name, *_ in FAULTS]
)
def test_a_planted_fault_is_found_where_it_is(name, table, plant, code, row, tmp_path):
    path = tmp_path / "runs.csv"
    plant(clean(**table)).to_csv(path, index=False)
    check = check_runs(str(path))
    found = [finding for finding in check.findings if finding.code == code]
    assert found, [finding.text for finding in check.findings]
    assert found[0].row == row
    assert codes(check) - {code} <= ALSO.get(name, set())
    if row is not None:
        assert found[0].file == str(path)
    ranks = [SEVERITIES.index(finding.severity) for finding in check.findings]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("table", CLEAN, ids=str)
def test_nothing_is_found_in_a_table_of_a_known_law(table):
    assert check_runs(clean(**table)).findings == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_found_in_the_sample_runs(name, sample_runs):
    check = check_runs(sample_runs / name)
    assert check.findings == ()
    assert not check.fails(strict=True)
    assert str(check).endswith("nothing wrong or doubtful was found")


def test_all_that_is_refused_is_said_at_once_with_what_is_doubtful(tmp_path):
    table = scaled("loss_y", 9, 4e8, 1.05, slice(2, 3))(clean())
    table["loss_x"] = table["loss_x"].astype(object)
    table.loc[0, "loss_x"] = "diverged"
    table.loc[1, "n_tokens"] = 2.0
    table.loc[2, "weight_a"] = -0.5
    path = tmp_path / "runs.csv"
    table.to_csv(path, index=False)
    check = check_runs(str(path))
    assert [(f.code, f.row) for f in check.findings] == [
        ("not-a-number", 1),
        ("weight", 3),
        ("unit", 2),
        ("jump", 237),
    ]
    assert check.fails()
    assert [check.count(severity) for severity in SEVERITIES] == [3, 1, 0]
    # The names of parameters, as for all users of Python.
    assert check.findings[1].text == (
        f"{path}: row 3 (line 4), column weight_a: the value is -0.5, and a weight must be a "
        "number from 0 to 1. Mend the cell (0 for a domain that is left out), or leave the row out "
        "with where 'weight_a>=0'."
    )


def test_what_is_said_of_a_jump():
    said = [
        f.text for f in check_runs(scaled("loss_x", 3, 1e8, 1.04, slice(2, 3))(clean())).findings
    ]
    assert len(said) == 1
    assert said[0].startswith("the data frame: row 81: the loss on x is 4")
    assert "% above the curve of its run, " in said[0]
    resumed = scaled(["loss_x", "loss_y"], 6, 4e8, 0.95, slice(3, None))(clean())
    jump = next(f for f in check_runs(resumed).findings if f.code == "jump")
    assert jump.message.startswith("the loss on ")
    assert "% more since row 165 than is expected, " in jump.message


def test_the_noise_of_the_table_is_the_measure():
    off = scaled("loss_x", 3, 1e8, 1.03, slice(2, 3))
    assert codes(check_runs(off(clean(noise=0.001)))) == {"jump"}
    assert codes(check_runs(off(clean(noise=0.01)))) == set()


def test_a_budget_beyond_the_runs():
    check = check_runs(clean(), budget=(7e9, 1e12))
    assert [(f.code, f.severity, f.message) for f in check.findings] == [
        ("tokens-outside", "warning", "1T tokens is 62 times the longest length trained, 16B"),
        ("model-size-outside", "advice", "7B is 18 times the largest size trained, 400M"),
    ]
    assert check_runs(clean(), budget=(2e8, 8e9)).findings == ()
    assert check_runs(clean(), budget=(4.01e8, 16.05e9)).findings == ()  # as they are written
    with pytest.raises(UsageError, match="budget: N and D must be above 0"):
        check_runs(clean(), budget=(0.0, 1e9))


def test_a_table_that_cannot_be_read_is_a_finding(tmp_path):
    check = check_runs(str(tmp_path / "none.csv"))
    assert [(f.code, f.severity) for f in check.findings] == [("unreadable", "error")]
    assert check.origin is None
    with pytest.raises(UsageError, match="leaves no row"):
        check_runs(clean(), where="model_size>1e12")


def test_few_rows_are_no_obstacle():
    little = {"one-mixture", "one-model-size", "two-model-sizes", "one-token-count"}
    for rows in range(1, 8):
        assert codes(check_runs(clean().iloc[:rows])) <= little
    nothing = clean().assign(loss_x=np.nan, loss_y=np.nan)
    assert [f.code for f in check_runs(nothing).findings] == ["no-losses"]


def test_a_fit_says_in_one_note_that_there_are_warnings():
    quick = FitOptions(restarts=1, hops=0)
    table = scaled("loss_x", 3, 1e8, 1.04, slice(2, 3))(clean())
    table = pd.concat([table, table.iloc[[40]]])
    runs = read_runs(table)
    notes = fit(runs, "chinchilla", options=quick).notes
    assert [note.code for note in notes[:2]] == ["logged-twice", "doubtful"]
    assert notes[1].text == (
        "1 more warning on these runs (jump 1): 'mixfit check', with the same options, says which "
        "rows and why"
    )
    found = {f.code: f for f in check_runs(table).findings}  # the same two, and the same words
    assert list(found) == ["logged-twice", "jump"]
    assert found["logged-twice"].message == notes[0].text
    # Targets and rows that are taken from runs are looked at alone.
    assert "doubtful" not in {n.code for n in fit(runs.only(["y"]), "chinchilla").notes}
    empty = read_runs(clean().assign(loss_y=lambda t: t.loss_y.where(t.model_size < 3e8)))
    assert fit(empty.select(empty.N > 3e8).only(["x"]), "chinchilla", options=quick).targets
    clear = fit(read_runs(clean()), "chinchilla", options=quick).notes
    assert "doubtful" not in {note.code for note in clear}
