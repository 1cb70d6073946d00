"""The report of a comparison, on screens and for papers."""

from __future__ import annotations

import csv
import io
import re

import pytest
from results import make_comparison

from mixfit.reports.compare import report_comparison
from mixfit.reports.render import print_report, render


def formatted(comparison, form):
    return render(report_comparison(comparison, "runs.csv", form), form)


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("tests", [("1.24B",), ("q=5", "q=10", "q=15", "q=20", "q=40")])
def test_the_report_fits_a_terminal(terminal, columns, tests):
    stream = terminal(columns)
    print_report(report_comparison(make_comparison(tests), "runs.csv"))
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in stream.getvalue().splitlines()]
    assert lines[:2] == ["runs.csv", "fitted on 1,394 rows, tested on 180"]
    assert max(map(len, lines)) <= columns
    assert "\x1b[1m" in stream.getvalue()  # the best figures are bold


def test_what_to_use_is_a_line_on_screens_and_a_remark_beside_tables_for_a_paper():
    use = "use coupled-joint: lowest mean held-out MRE, 0.4%"
    report = report_comparison(make_comparison())
    assert report.blocks[-1] == use
    assert [remark.label for remark in report.remarks] == ["note"]
    for form in ("markdown", "latex", "csv"):
        report = report_comparison(make_comparison(), form=form)
        assert not [block for block in report.blocks if isinstance(block, str) and block]
        assert report.remarks[-1] == ("note", use)


def test_markdown():
    assert formatted(make_comparison(laws=("additive",)), "markdown") == (
        "| target | law | train MRE % | 1.24B MRE % | bias % | rank |\n"
        "| :-- | :-- | --: | --: | --: | --: |\n"
        "| stackexchange | additive | 0.50 | **0.70** | -0.10 | 0.990 |\n"
        "| openhermes | additive | 0.50 | **0.70** | -0.10 | 0.990 |\n"
        "\n"
        "| law | parameters | train MRE % | test MRE % | ± | bias % | rank | seconds |\n"
        "| :-- | --: | --: | --: | --: | --: | --: | --: |\n"
        "| additive | 19 | 0.50 | **0.70** | 0.04 | -0.10 | 0.990 | 12 |\n"
    )


def test_latex():
    text = formatted(make_comparison(laws=("additive",)), "latex")
    assert text.startswith(
        "\\begin{tabular}{llrrrr}\n\\toprule\n"
        "target & law & train MRE \\% & 1.24B MRE \\% & bias \\% & rank \\\\\n\\midrule\n"
        "stackexchange & additive & 0.50 & \\textbf{0.70} & -0.10 & 0.990 \\\\\n"
    )
    assert "$\\pm$" in text
    assert text.count("\\bottomrule\n\\end{tabular}\n") == 2


def test_csv():
    rows = list(csv.DictReader(io.StringIO(formatted(make_comparison(), "csv"))))
    assert len(rows) == 9
    assert rows[0] == {
        **{"law": "additive", "target": "stackexchange", "column": "1.24B", "parameters": "19"},
        **{"train_mre": "0.5", "test_mre": "0.7", "standard_error": "0.04", "bias": "-0.1"},
        **{"rank": "0.99", "rows": "180"},
    }
    assert [row["test_mre"] for row in rows if row["law"] == "bimix"] == ["150.0", "", "150.0"]
