"""The command ``mixfit compare``: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import io
import re

import pytest
import yaml

QUICK = ("--restarts", "1", "--hops", "0", "--jobs", "1")


@pytest.fixture
def mixfit(called):
    """Nothing here is about processes."""
    return called


def squeezed(text):
    """What a table says, however wide its columns are."""
    return [re.sub(r"[ ─]+", " ", line) for line in text.splitlines()]


def test_compare_writes_every_figure_and_is_reproducible(mixfit, sample_runs):
    command = (
        *("compare", sample_runs / "additive.csv", "--where", "model_size==5e7,n_tokens>4e9"),
        *("--law", "chinchilla", "--law", "additive", "--law", "ridge", "--folds", "2"),
        *("--restarts", "1", "--hops", "0"),
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
    heads = "law parameters tested on train MRE % test MRE % ± bias % rank regret % optimism %"
    assert lines[3] == f"{heads} seconds"
    assert [line.split()[2] for line in lines[5:7]] == ["200M", "400M"]
    assert lines[-1].startswith("use chinchilla: lowest held-out error, ")
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
    assert "note  use chinchilla: lowest held-out error, " in done.stderr


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
    done = mixfit(
        "compare",
        sample_runs / "additive.csv",
        "--law",
        "additive",
        "--targets",
        "web",
        "--jobs",
        "1",
    )
    (note,) = (line for line in done.stderr.splitlines() if "where the median over" in line)
    assert note.startswith(
        "note  additive, new mixtures: the mixture (0, 0.174, 0.826) has an error"
    )
