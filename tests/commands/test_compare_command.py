"""The command ``mixfit compare``: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import io
import re

import pytest
import yaml

from mixfit.base.errors import Note
from mixfit.evaluation.comparison import AVERAGE, Comparison, Summary
from mixfit.fitting.result import Candidate, Choice
from mixfit.reports.compare import format_comparison, print_comparison

QUICK = ("--restarts", "1", "--hops", "0")
NAN = float("nan")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def comparison(columns=("1.24B",), laws=("additive", "coupled-joint", "bimix")):
    """Made-up figures of two targets; bimix applies to one of them."""
    summaries = {}
    for i, law in enumerate(laws):
        for target in ("stackexchange", "openhermes", AVERAGE):
            if (law, target) == ("bimix", "openhermes"):
                continue
            for j, column in enumerate(columns):
                test = (150.0 if law == "bimix" else 0.7 - 0.3 * i) + 0.01 * j
                summaries[law, target, column] = Summary(
                    0.5, test, 0.04, -0.1, NAN if law == "bimix" else 0.99, 180
                )
    counts = {"additive": 19, "coupled-joint": 35, "bimix": 4}
    return Comparison(
        title="fitted on 1,394 rows, tested on 180",
        laws=laws,
        targets=("stackexchange", "openhermes"),
        columns=columns,
        figures=(),
        summaries=summaries,
        standings=tuple(Candidate(law, counts[law], 0.4, 0.04, seconds=12.34) for law in laws),
        choice=Choice(law="coupled-joint", reason="lowest mean held-out MRE, 0.4%"),
        notes=(Note("not-applicable", "bimix is not applicable: why", "openhermes"),),
    )


TEXT = """\
runs.csv: 1,574 rows
fitted on 1,394 rows, tested on 180

target         law            train MRE %  1.24B MRE %  bias %   rank
─────────────────────────────────────────────────────────────────────
stackexchange  additive              0.50        0.70    -0.10  0.990
stackexchange  coupled-joint         0.50        0.40*   -0.10  0.990
stackexchange  bimix                 0.50         150    -0.10
openhermes     additive              0.50        0.70    -0.10  0.990
openhermes     coupled-joint         0.50        0.40*   -0.10  0.990
openhermes     bimix

law            parameters  train MRE %  test MRE %     ±  bias %   rank  seconds
────────────────────────────────────────────────────────────────────────────────
additive               19         0.50       0.70   0.04   -0.10  0.990       12
coupled-joint          35         0.50       0.40*  0.04   -0.10  0.990       12
bimix                   4         0.50        150   0.04   -0.10              12

use coupled-joint: lowest mean held-out MRE, 0.4%
"""


def squeezed(text):
    """What a table says, however wide its columns are."""
    return [re.sub(r"[ ─]+", " ", line) for line in text.splitlines()]


def test_text_report(capsys):
    print_comparison(comparison(), "runs.csv: 1,574 rows")
    printed = capsys.readouterr()
    assert squeezed(printed.out) == squeezed(TEXT)
    assert printed.err == "note  openhermes: bimix is not applicable: why\n"
    print_comparison(comparison(), "runs.csv: 1,574 rows", quiet=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("tests", [("1.24B",), ("q=5", "q=10", "q=15", "q=20", "q=40")])
def test_the_report_fits_a_terminal(monkeypatch, columns, tests):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    monkeypatch.setattr("sys.stdout", out)
    print_comparison(comparison(tests), "runs.csv", quiet=True)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in out.getvalue().splitlines()]
    assert max(map(len, lines)) <= columns
    assert "\x1b[1m" in out.getvalue()  # the best figures are bold


def test_markdown():
    assert format_comparison(comparison(laws=("additive",)), "markdown") == (
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
    text = format_comparison(comparison(laws=("additive",)), "latex")
    assert text.startswith(
        "\\begin{tabular}{llrrrr}\n\\toprule\n"
        "target & law & train MRE \\% & 1.24B MRE \\% & bias \\% & rank \\\\\n\\midrule\n"
        "stackexchange & additive & 0.50 & \\textbf{0.70} & -0.10 & 0.990 \\\\\n"
    )
    assert "$\\pm$" in text
    assert text.count("\\bottomrule\n\\end{tabular}\n") == 2


def test_csv():
    rows = list(csv.DictReader(io.StringIO(format_comparison(comparison(), "csv"))))
    assert len(rows) == 9
    assert rows[0] == {
        **{"law": "additive", "target": "stackexchange", "column": "1.24B", "parameters": "19"},
        **{"train_mre": "0.5", "test_mre": "0.7", "standard_error": "0.04", "bias": "-0.1"},
        **{"rank": "0.99", "rows": "180"},
    }
    assert [row["test_mre"] for row in rows if row["law"] == "bimix"] == ["150.0", "", "150.0"]


def test_compare_writes_every_figure_and_is_reproducible(mixfit, sample_runs):
    command = (
        *("compare", sample_runs / "additive.csv", "--where", "model_size==5e7,n_tokens>4e9"),
        *("--law", "chinchilla", "--law", "additive", "--law", "ridge", "--folds", "2", *QUICK),
        *("--targets", "web", "--targets", "code"),
    )
    done = mixfit(*command, "-o", "-", "--jobs", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert mixfit(*command, "-o", "-", "--jobs", "2").stdout == done.stdout
    content = yaml.safe_load(done.stdout)
    assert content["schema"] == "mixfit.compare/1"
    assert content["choice"]["law"] == "additive"
    assert [law["law"] for law in content["laws"]] == ["chinchilla", "additive", "ridge"]
    rows = content["rows"]
    assert {"law", "target", "split", "model_size", "mre", "rows"} <= set(rows[0])
    keys = {(r["law"], r["target"], r["split"], r["fold"]) for r in rows}
    # Three laws, two targets and their average, two sides, two folds; one model size.
    assert len(keys) == len(rows) == 3 * 3 * 2 * 2
    for fold in (1, 2):
        own = [r for r in rows if (r["law"], r["split"], r["fold"]) == ("additive", "test", fold)]
        *each, average = own
        assert average["target"] == "average"
        assert average["mre"] == pytest.approx(sum(r["mre"] for r in each) / len(each))
        assert {r["model_size"] for r in own} == {5e7}


def test_compare_prints_tables_and_writes_a_file(mixfit, sample_runs, tmp_path):
    done = mixfit(
        *("compare", sample_runs / "additive.csv", "--law", "chinchilla", *QUICK),
        *("--train", "model_size<2e8", "--test", "model_size==2e8", "--test", "model_size==4e8"),
        *("--targets", "web", "-o", "out.yaml"),
    )
    assert done.returncode == 0
    lines = squeezed(done.stdout)
    assert lines[0].endswith(
        "196 of 392 rows, 14 mixtures of 3 domains, 50M to 100M parameters, 1B to 16B tokens"
    )
    assert lines[1] == "fitted on 196 rows, tested on 98 and 98"
    assert lines[3] == "law parameters tested on train MRE % test MRE % ± bias % rank seconds"
    assert [line.split()[2] for line in lines[5:7]] == ["200M", "400M"]
    assert lines[-1].startswith("use chinchilla: lowest mean held-out MRE, ")
    assert (
        "note  200M: 14 of 14 test mixtures also stand in training: it tests scale" in done.stderr
    )
    assert done.stderr.endswith("wrote  out.yaml\n")
    content = yaml.safe_load((tmp_path / "out.yaml").read_text())
    assert content["data"]["tests"] == [
        {"where": ["model_size==2e8"]},
        {"where": ["model_size==4e8"]},
    ]
    assert "chinchilla" in done.stdout


def test_formats_go_to_standard_output(mixfit, sample_runs):
    done = mixfit(
        *("compare", sample_runs / "additive.csv", "--where", "model_size==5e7,n_tokens>8e9"),
        *("--law", "chinchilla", "--mixtures", "5,8", "--repeats", "2", "--format", "csv", *QUICK),
    )
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["column"] for row in rows if row["target"] == "average"] == ["q=5", "q=8"]
    assert "note  use chinchilla: lowest mean held-out MRE, " in done.stderr


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--law", "aditive"],
            "There is no law 'aditive'. Did you mean 'additive'?",
        ),
        (["--format", "html"], "There is no format 'html'. Formats: text, markdown, latex, csv."),
        (["--train", "model_size<2e8"], "--train is given without --test; give both."),
        (["--test", "model_size<2e8"], "--test is given without --train; give both."),
        (
            ["--folds", "3", "--mixtures", "5"],
            "--folds and --mixtures are different splits; ask for one of them.",
        ),
        (
            ["--mixtures", "5;8"],
            "--mixtures '5;8' is not a list of whole numbers; write one like 5,10,20.",
        ),
        (
            ["--train", "model_size<=2e8", "--test", "model_size==2e8"],
            "98 checkpoints of --test '200M' are fitted too. Let --train and --test exclude each"
            " other.",
        ),
        (
            ["--where", "model_size<2e8", "--leave-size-out"],
            "--leave-size-out needs three model sizes or more, and the rows have 50M and 100M:",
        ),
    ],
)
def test_what_is_wrong_with_a_command_is_said(mixfit, sample_runs, options, text):
    done = mixfit("compare", sample_runs / "additive.csv", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {text}")
    assert done.stderr.count("\n") == 1


def test_notes_on_checkpoints_logged_twice_are_not_lost(mixfit, tmp_path):
    rows = ["0.5,0.5", "0.2,0.8", "0.9,0.1"]
    lines = [
        f"{h},1e8,{d},{3 - 0.01 * i}" for i, h in enumerate(rows) for d in ("1.9998e10", "2e10")
    ]
    header = "weight_a,weight_b,model_size,n_tokens,loss_x"
    (tmp_path / "runs.csv").write_text("\n".join([header, *lines]) + "\n")
    done = mixfit("compare", "runs.csv", "--law", "chinchilla", "--folds", "3", *QUICK)
    assert done.returncode == 0
    assert "3 checkpoints are logged twice" in done.stderr


def test_a_mixture_that_rules_the_mean_is_named(mixfit, sample_runs):
    done = mixfit("compare", sample_runs / "additive.csv", "--law", "additive", "--targets", "web")
    (note,) = (line for line in done.stderr.splitlines() if "where the median over" in line)
    assert note.startswith(
        "note  additive, new mixtures: the mixture (0, 0.174, 0.826) has an error"
    )
