"""Tables and notes on terminals and through pipes, and as markup."""

from __future__ import annotations

import re

import pytest
from random_fits import random_fit
from results import make_runs

from mixfit.base.errors import Note
from mixfit.base.numbers import fixed, number
from mixfit.reports.fit import report_fit
from mixfit.reports.render import print_remarks, print_report, render
from mixfit.reports.report import Grid, Remark, Report, remarks_of

PLAIN = re.compile("\x1b\\[[0-9;]*m")


@pytest.mark.parametrize("columns", [80, 140])
def test_on_a_terminal_no_line_is_wider_and_no_number_is_cut(terminal, columns):
    stream = terminal(columns)
    numbers = [f"{i}.234e-05" for i in range(6)]
    grid = Grid(("target", *["some\nlong\nheader"] * 6), (("x" * 12, *numbers),))
    print_report(Report(("many words " * 30, "", grid)))
    print_remarks([Remark("note", "many words " * 30)])
    lines = PLAIN.sub("", stream.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    row = next(line for line in lines if line.startswith("x"))
    assert row.split() == ["x" * 12, *numbers]


def test_a_narrow_terminal_loses_the_spare_columns_first(terminal):
    stream = terminal(40)
    grid = Grid(("target", "rows", "error"), (("x" * 20, "1" * 12, "0.1"),), spare=(1,))
    print_report(Report((grid,)))
    lines = PLAIN.sub("", stream.getvalue()).splitlines()
    assert lines[0].split() == ["target", "error"]
    assert lines[-1] == "no room here for: rows"


@pytest.mark.parametrize("columns", [50, 80])
def test_a_fit_keeps_its_status_on_a_narrow_terminal(terminal, columns):
    stream = terminal(columns)
    print_report(report_fit(random_fit("full", 3, 2, 0)))
    lines = PLAIN.sub("", stream.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    (head,) = (line.split() for line in lines if line.startswith("target"))
    assert (head[1], head[-1]) == ("E", "status")
    assert any(line.startswith("no room here for: rows, ") for line in lines)


def test_a_table_that_is_too_wide_leaves_the_width_of_others(terminal):
    stream = terminal(40)
    wide = Grid(("target", "error"), (("x" * 60, "0.1"),))
    print_report(Report((wide, "many words " * 10)))
    lines = PLAIN.sub("", stream.getvalue()).splitlines()
    assert max(len(line) for line in lines if line.startswith("x")) > 60
    assert max(len(line) for line in lines if line.startswith("many")) <= 40


MARKED = Report((Grid(("law", "error"), (("a", "1.0"), ("b", "2.0")), marked=frozenset({(0, 1)})),))


def test_marks_are_stars_in_plain_text(capsys):
    print_report(MARKED)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()[2:]] == [
        "a     1.0*",
        "b      2.0",
    ]


def test_marks_are_bold_elsewhere(terminal):
    stream = terminal(80)
    print_report(MARKED)
    assert "\x1b[1m  1.0\x1b[0m" in stream.getvalue()
    assert "| a | **1.0** |" in render(MARKED, "markdown")
    assert "a & \\textbf{1.0} \\\\" in render(MARKED, "latex")
    assert "<b>1.0</b>" in render(MARKED, "html")
    assert render(MARKED, "csv") == "law,error\na,1.0\nb,2.0\n"


@pytest.mark.parametrize(
    ("name", "markdown", "latex"),
    [
        ("stack_exchange", "stack_exchange", r"stack\_exchange"),
        ("_x_", r"\_x\_", r"\_x\_"),
        ("a|b", r"a\|b", "a|b"),
        ("*a* `b` [c]", r"\*a\* \`b\` \[c]", "*a* `b` [c]"),
        ("<b>&", r"\<b>&", r"$<$b$>$\&"),
        ("50%\nof", "50% of", r"50\% of"),
        ("\\", "\\\\", r"\textbackslash{}"),
    ],
)
def test_names_are_text_in_markup(name, markdown, latex):
    report = Report((name, Grid(("law",), ((name,),))))
    line, _, _, row = render(report, "markdown").splitlines()
    assert (line.rstrip("\\"), row) == (markdown.rstrip("\\"), f"| {markdown} |")
    assert f"\n{latex} \\\\\n" in render(report, "latex")


def test_lines_of_markdown_stay_apart():
    report = Report(("one", "two", "", "three"))
    assert render(report, "markdown") == "one\\\ntwo\n\nthree\n"


def test_notes_that_say_the_same_are_one(capsys):
    notes = [Note("c", "text", "web"), Note("c", "text", "code"), Note("c", "other")]
    print_remarks(remarks_of(notes))
    assert capsys.readouterr().err == "note  web, code: text\nnote  other\n"


def test_numbers():
    assert number(float("nan")) == fixed(float("nan")) == ""
    assert fixed(1.005, 1, sign=True) == "+1.0"


def test_runs_are_described_in_a_line():
    assert make_runs().select([0, 1]).summary == (
        "runs: 2 of 3 rows, 2 mixtures of 2 domains, 100M parameters, 2B tokens"
    )
