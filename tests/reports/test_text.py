"""The exact text of tables and notes."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

from mixfit.base.errors import Note
from mixfit.base.numbers import fixed, number
from mixfit.fitting.result import Fit, FitData, FitOptions, TargetFit
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.shrunk import ShrunkLaw
from mixfit.reports.fit import describe_runs, print_fit
from mixfit.reports.text import print_notes, print_table
from mixfit.runs.runs import Runs


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def make_fit(runs):
    params = {
        "E": np.array([1.25]),
        "C": np.array([2.0, 0.5]),
        "gamma": np.array([0.5, 0.75]),
        "A": np.array([100.0]),
        "alpha": np.array([0.3]),
        "B": np.array([1000.0]),
        "beta": np.array([0.4]),
    }
    note = Note("not-pinned", "not pinned by the runs, or running away: C[code]")
    targets = {
        name: TargetFit(
            target=name,
            domains=runs.domains,
            form=CATALOGUE["additive"],
            params=params,
            rows=12345,
            huber=1.234e-6,
            mre=mre,
            status="converged",
            notes=(Note(note.code, note.text, name),),
        )
        for name, mre in (("web", 0.5), ("math", 0.25))
    }
    data = FitData.of(runs)
    return Fit(ShrunkLaw(CATALOGUE["additive"]), runs.domains, FitOptions(), data, targets)


@pytest.fixture
def runs():
    h = [[0.5, 0.5], [0.2, 0.8], [0.5, 0.5]]
    losses = {"web": [3.0, 2.9, 2.8], "math": [2.0, 1.9, 1.8]}
    return Runs.from_arrays([1e8, 1e8, 1.235e9], [2e9, 2e9, 46.08e9], h, losses, ["web", "code"])


def test_a_fit_is_printed_as_a_table(capsys, runs):
    print_fit(make_fit(runs), runs)
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "additive law on runs: 3 rows, 2 mixtures of 2 domains, 100M to 1.24B parameters, "
        "2B to 46.1B tokens",
        "",
        "target     rows     E  alpha  beta  entropy ≤     Huber  MRE %  status",
        "─────────────────────────────────────────────────────────────────────────",
        "web      12,345  1.25    0.3   0.4       1.75  1.23e-06   0.50  converged",
        "math     12,345  1.25    0.3   0.4             1.23e-06   0.25  converged",
        "",
        "average                                                   0.38",
        "",
    ]
    assert captured.err == ("note  web, math: not pinned by the runs, or running away: C[code]\n")


PLAIN = re.compile("\x1b\\[[0-9;]*m")


@pytest.mark.parametrize("columns", [80, 140])
def test_on_a_terminal_no_line_is_wider_and_no_number_is_cut(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    numbers = [f"{i}.234e-05" for i in range(6)]
    print_table(["target", *["some\nlong\nheader"] * 6], [["x" * 12, *numbers]], stream=stream)
    print_notes([Note("code", "many words " * 30)], stream=stream)
    lines = PLAIN.sub("", stream.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    row = next(line for line in lines if line.startswith("x"))
    assert row.split() == ["x" * 12, *numbers]


def test_a_narrow_terminal_loses_the_spare_columns_first(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    print_table(
        ["target", "rows", "error"], [["x" * 20, "1" * 12, "0.1"]], spare=(1,), stream=stream
    )
    lines = PLAIN.sub("", stream.getvalue()).splitlines()
    assert lines[0].split() == ["target", "error"]


def test_marks_are_stars_in_plain_text(capsys):
    print_table(["law", "error"], [["a", "1.0"], ["b", "2.0"]], marked=[(0, 1)])
    assert [line.strip() for line in capsys.readouterr().out.splitlines()[2:]] == [
        "a     1.0*",
        "b      2.0",
    ]


def test_notes_that_say_the_same_are_one(capsys):
    print_notes([Note("c", "text", "web"), Note("c", "text", "code"), Note("c", "other")])
    assert capsys.readouterr().err == "note  web, code: text\nnote  other\n"


def test_numbers():
    assert number(float("nan")) == fixed(float("nan")) == ""
    assert fixed(1.005, 1, sign=True) == "+1.0"


def test_runs_are_described_in_a_line(runs):
    assert describe_runs(runs.select(np.array([0, 1]))) == (
        "runs: 2 of 3 rows, 2 mixtures of 2 domains, 100M parameters, 2B tokens"
    )
