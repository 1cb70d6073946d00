"""Weights in one file and losses in another: joined by a key, never by position."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tables_of_runs import message, parquet, write, write_csv

from mixfit.base.errors import UsageError
from mixfit.runs.read import read_runs

RUNS = 10
SIZES = {"model_size": 1e6, "tokens": 1e9}


def halves(**changes):
    """The weights, and the losses in another order: run i has the loss i + 1."""
    weights = pd.DataFrame(
        {
            "run": [f"r{i}" for i in range(RUNS)],
            "weight_a": np.linspace(0, 1, RUNS),
            "weight_b": np.linspace(1, 0, RUNS),
            "name": "w",
        }
    )
    losses = pd.DataFrame(
        {
            "run": [f"r{i}" for i in range(RUNS)],
            "name": "l",
            "loss_x": np.arange(RUNS) + 1.0,
        }
    )
    losses = losses.iloc[::-1]
    return weights, losses.assign(**changes)


def joined(weights, losses, **options):
    write_csv(weights, "w.csv")
    write_csv(losses, "l.csv")
    return read_runs("w.csv", join="l.csv", on="run", **SIZES, **options)


def test_rows_go_by_their_key():
    runs = joined(*halves())
    np.testing.assert_array_equal(runs.losses_of("x"), np.arange(RUNS) + 1.0)
    np.testing.assert_array_equal(runs.h[:, 0], np.linspace(0, 1, RUNS))
    assert (runs.rows_read, runs.notes) == (RUNS, ())
    assert [(file.path, file.rows) for file in runs.files] == [("w.csv", RUNS)]
    assert runs.joined.key == "run"
    assert [(file.path, file.rows) for file in runs.joined.files] == [("l.csv", RUNS)]
    assert runs.summary.startswith("w.csv, l.csv: 10 rows, 10 mixtures")
    # The other way round it is the same but for the order of the rows.
    turned = read_runs("l.csv", join="w.csv", on="run", **SIZES)
    np.testing.assert_array_equal(turned.losses_of("x"), np.arange(RUNS)[::-1] + 1.0)
    np.testing.assert_array_equal(turned.h[:, 0], np.linspace(0, 1, RUNS)[::-1])


def test_several_files_on_both_sides_and_batches():
    weights, losses = halves()
    write_csv(weights.iloc[:4], "w1.csv")
    parquet(weights.iloc[4:], "w2.parquet", row_group_size=2)
    parquet(losses.iloc[:3], "l1.parquet")
    write_csv(losses.iloc[3:], "l2.csv")
    runs = read_runs(["w1.csv", "w2.parquet"], join=["l1.parquet", "l2.csv"], on="run", **SIZES)
    np.testing.assert_array_equal(runs.losses_of("x"), np.arange(RUNS) + 1.0)
    assert [file.rows for file in (*runs.files, *runs.joined.files)] == [4, 6, 3, 7]


def test_columns_of_one_name_are_told_apart():
    weights, losses = halves()
    runs = joined(weights, losses, where=["name==w", "join:name==l"])
    assert len(runs) == RUNS
    # A loss that both have is that of the first file, or of the other where it is named so.
    both = weights.assign(loss_x=9.0)
    assert message_of(both, losses).startswith(
        "w.csv: columns loss_x and join:loss_x are both the target x. Choose one"
    )
    runs = joined(both, losses, targets="join:loss_x")
    assert runs.targets == ("x",)
    np.testing.assert_array_equal(runs.losses_of("x"), np.arange(RUNS) + 1.0)


def message_of(weights, losses, error=None, **options):
    write_csv(weights, "w.csv")
    write_csv(losses, "l.csv")
    extra = {} if error is None else {"error": error}
    return message("w.csv", join="l.csv", **{"on": "run", **SIZES, **options}, **extra)


def test_keys_that_are_whole_numbers_are_alike_however_written():
    weights, losses = halves()
    numbers = np.arange(RUNS)
    runs = joined(weights.assign(run=numbers), losses.assign(run=numbers[::-1].astype(float)))
    np.testing.assert_array_equal(runs.losses_of("x"), np.arange(RUNS) + 1.0)


def test_rows_without_a_partner_are_counted():
    weights, losses = halves()
    runs = joined(weights.iloc[:9], losses.iloc[:9])  # r0 to r8, and r9 to r1
    assert len(runs) == 8
    assert [(note.code, note.text) for note in runs.notes] == [
        (
            "unmatched",
            "1 of 9 rows of w.csv and 1 of 9 rows of l.csv have no partner by run and are left out",
        )
    ]
    few = losses.iloc[:7]
    assert message_of(weights, few) == (
        "3 of 10 rows of w.csv and 0 of 7 rows of l.csv have no partner by run, and more than a "
        "fifth of a file is not left out unasked. Name another column with --on, or take the rows "
        "that match with --allow-unmatched."
    )
    assert len(joined(weights, few, allow_unmatched=True)) == 7
    # A key that is missing has no partner, not even another that is.
    lacking = weights.assign(run=["", *weights["run"][1:]])
    assert len(joined(lacking, losses.replace("r0", ""))) == 9
    assert message_of(weights, losses.assign(run=[f"s{i}" for i in range(RUNS)])) == (
        "w.csv and l.csv have no run in common: the first ones are 'r0' and 's0'. Name another "
        "column with --on."
    )


def test_a_key_that_stands_twice_is_refused():
    weights, losses = halves()
    assert message_of(weights, losses.replace("r3", "r4")) == (
        "l.csv: row 7 (line 8), column run: 'r4' stands in l.csv: row 6 (line 7) too, and a key "
        "names one row. Leave one of the rows out of the file, or name another column with --on."
    )
    assert message_of(weights.replace("r3", "r4"), losses).startswith("w.csv: row 5 (line 6), ")


@pytest.mark.parametrize(
    ("on", "said"),
    [
        (
            "rnu",
            "--on rnu: w.csv has no such column. Did you mean 'run'? The columns are run, weight_a,"
            " weight_b, name.",
        ),
        (
            None,
            "w.csv and l.csv share 2 columns, run, name: name the one that says which rows belong "
            "together, as in --on run.",
        ),
    ],
)
def test_keys_that_cannot_be_used(on, said):
    assert message_of(*halves(), error=UsageError, on=on) == said


def test_the_only_column_that_both_have_is_the_key():
    weights, losses = halves()
    write_csv(weights, "w.csv")
    write_csv(losses.drop(columns="name"), "l.csv")
    assert read_runs("w.csv", join="l.csv", **SIZES).joined.key == "run"
    write_csv(losses.rename(columns={"run": "id", "name": "n"}), "l.csv")
    assert message("w.csv", join="l.csv", error=UsageError) == (
        "w.csv and l.csv share no column to be joined by. The columns are run, weight_a, weight_b, "
        "name and id, n, loss_x."
    )


def test_on_without_another_file():
    write_csv(halves()[0], "w.csv")
    assert message("w.csv", on="run", error=UsageError) == (
        "--on run says by what to join: give the other file with --join."
    )


def test_two_files_that_are_halves_are_said_to_be():
    weights, losses = halves()
    write_csv(weights.drop(columns="name"), "w.csv")
    write_csv(losses.drop(columns="name"), "l.csv")
    assert message(["w.csv", "l.csv"], **SIZES) == (
        "w.csv and l.csv share the column run and no column of weights or losses. Are they the "
        "weights and the losses of the same runs? Then give one of them with --join, as in w.csv "
        "--join l.csv --on run."
    )
    # But not two tables of which one lacks a column, or two of which each is whole.
    whole = weights.assign(loss_x=2.0)
    write_csv(whole, "a.csv")
    write_csv(whole.assign(loss_y=2.0), "b.csv")
    assert message(["a.csv", "b.csv"], **SIZES).startswith("a.csv: no column loss_y, which b.csv")


def test_faults_are_named_on_both_sides():
    weights, losses = halves()
    losses.iloc[0, 2] = -1.0
    assert message_of(weights, losses).startswith(
        "w.csv: row 10 (line 11) joined with l.csv: row 1 (line 2), column loss_x: the value is -1,"
    )
    text = losses.astype({"loss_x": str}).replace("-1.0", "diverged")
    assert message_of(weights, text).startswith(
        "w.csv: row 10 (line 11) joined with l.csv: row 1 (line 2), column loss_x: 'diverged' is "
    )


def test_json_lines_are_joined_too():
    weights, losses = halves()
    write_csv(weights, "w.csv")
    write(losses.to_json(orient="records", lines=True), "l.jsonl")
    runs = read_runs("w.csv", join="l.jsonl", on="run", **SIZES)
    np.testing.assert_array_equal(runs.losses_of("x"), np.arange(RUNS) + 1.0)
