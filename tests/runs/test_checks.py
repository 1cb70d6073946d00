"""Values that are mended, left out or refused."""

from __future__ import annotations

import numpy as np
import pytest
from tables_of_runs import ROWS, assert_same, message, table

from mixfit.base.errors import InputError
from mixfit.runs.read import read_runs


def test_rows_without_any_loss_are_dropped_with_a_note():
    runs = read_runs(table(*ROWS, "0.5,0.5,6.1e8,9e9,,NA", "0.5,0.5,6.1e8,9.5e9,,"))
    assert_same(runs.select(slice(None)), runs)
    assert len(runs) == 4
    assert runs.rows_read == 6
    assert [(n.code, n.text) for n in runs.notes] == [
        (
            "no-loss",
            "2 rows have no loss at all: left out, runs.csv: row 5 (line 6), "
            "runs.csv: row 6 (line 7)",
        )
    ]


def test_a_target_without_losses_is_left_out_if_another_remains():
    runs = read_runs(table(*ROWS), where="model_size>4e8")
    assert runs.targets == ("x",)
    assert runs.columns.targets == {"x": "loss_x"}
    assert runs.losses.shape == (2, 1)
    assert [(n.code, n.text, n.target) for n in runs.notes] == [
        ("empty-target", "no row has a loss in column y_loss; the target is left out", "y")
    ]
    assert message("runs.csv", where="model_size>4e8", targets="y") == (
        "runs.csv: no row kept has a loss in column y_loss. "
        "Choose other columns with --targets, or other rows with --where."
    )


def test_weights_that_nearly_sum_to_one_are_normalised():
    runs = read_runs(table("0.252,0.75,1e8,4e9,3,2", "0.5,0.5000004,1e8,4e9,3,2"))
    np.testing.assert_allclose(runs.h.sum(axis=1), 1, atol=1e-15)
    np.testing.assert_allclose(runs.h[0], [0.252 / 1.002, 0.75 / 1.002], rtol=1e-15)
    assert [(n.code, n.text) for n in runs.notes] == [
        (
            "normalised",
            "the weights of 1 row did not sum to 1 and are normalised; "
            "the largest deviation is 0.002",
        )
    ]
    assert read_runs(table("0.5,0.5000004,1e8,4e9,3,2")).notes == ()
    assert len(read_runs(table("0.5,0.49,1e8,4e9,3,2", "0.5,0.51,1e8,4e9,3,2"))) == 2


def test_a_weight_that_rounding_made_negative_is_zero():
    np.testing.assert_array_equal(read_runs(table("1,-1e-17,1e8,4e9,3,2")).h, [[1, 0]])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "0.5,0.5,big,4e9,3,2",
            "row 2 (line 3), column model_size: 'big' is not a number. "
            "Mend the cell, or leave the row out with --where.",
        ),
        (
            "0.5,half,1e8,4e9,3,2",
            "row 2 (line 3), column weight_b: 'half' is not a number. "
            "Mend the cell, or leave the row out with --where.",
        ),
        (
            "0.5,0.5,1e8,4e9,3,diverged",
            "row 2 (line 3), column y_loss: 'diverged' is not a number. "
            "Mend the cell, or leave the row out with --where.",
        ),
        (
            "0.5,0.5,,4e9,3,2",
            "row 2 (line 3), column model_size: the value is missing, and must be a number above "
            "0. Mend the cell, or leave the row out with --where 'model_size>0'.",
        ),
        (
            "0.5,0.5,1e8,-4e9,3,2",
            "row 2 (line 3), column n_tokens: the value is -4000000000, and must be a number above "
            "0. Mend the cell, or leave the row out with --where 'n_tokens>0'.",
        ),
        (
            "0.5,0.5,1e8,inf,3,2",
            "row 2 (line 3), column n_tokens: the value is inf, and must be a number above "
            "0. Mend the cell, or leave the row out with --where 'n_tokens<1e30'.",
        ),
        (
            "0.5,NA,1e8,4e9,3,2",
            "row 2 (line 3), column weight_b: the value is missing, and a weight must be a number "
            "from 0 to 1. Mend the cell (0 for a domain that is left out), or leave the row out "
            "with --where 'weight_b>=0'.",
        ),
        (
            "-0.1,1.1,1e8,4e9,3,2",
            "row 2 (line 3), column weight_a: the value is -0.1, and a weight must be a number "
            "from 0 to 1. Mend the cell (0 for a domain that is left out), or leave the row out "
            "with --where 'weight_a>=0'.",
        ),
        (
            "0.5,0.5,1e8,4e9,3,0",
            "row 2 (line 3), column y_loss: the value is 0, and a loss must be a number above 0. "
            "Empty the cell if the loss is unknown, or leave the row out with --where 'y_loss>0'.",
        ),
        (
            "0.5,0.5,1e8,4e9,inf,2",
            "row 2 (line 3), column loss_x: the value is inf, and a loss must be a number above 0. "
            "Empty the cell if the loss is unknown, or leave the row out with --where "
            "'loss_x<1e6'.",
        ),
        (
            "0.5,0.6,1e8,4e9,3,2",
            "row 2 (line 3): the weights weight_a, weight_b sum to 1.1, and must sum to 1 within "
            "1%. Mend the weights, or choose the columns that are weights with --weights.",
        ),
    ],
)
def test_values_that_cannot_be_used(row, said):
    assert message(table(ROWS[0], row)) == f"runs.csv: {said}"


def test_weights_in_percent():
    runs = read_runs(table("25,75,1e8,4e9,3,2", "50,50.5,1e8,4e9,3,2"))
    np.testing.assert_allclose(runs.h, [[0.25, 0.75], [50 / 100.5, 50.5 / 100.5]], rtol=1e-15)
    assert [note.text for note in runs.notes] == [
        "the weights of every row sum to 100: they are read as percent",
        "the weights of 1 row did not sum to 1 and are normalised; the largest deviation is 0.005",
    ]
    # One row of fractions among them, and nothing is guessed.
    assert message(table("25,75,1e8,4e9,3,2", "0.5,0.5,1e8,4e9,3,2")).startswith(
        "runs.csv: row 1 (line 2): the weights weight_a, weight_b sum to 100, and must sum to 1"
    )


def test_all_faults_of_a_table_are_named_at_once_the_worst_first():
    table(
        "0.25,0.75,1e8,4e9,3.0,0",
        "0.5,0.6,1e8,4e9,3.0,2",
        "0.5,NA,-1,4e9,inf,2",
        "0.5,0.5,,4e9,3.0,2",
    )
    assert message("runs.csv").split("\n") == [
        "runs.csv: row 3 (line 4), column model_size: the value is -1, and must be a number above "
        "0 (so in 1 row more: runs.csv: row 4 (line 5)). Mend the cell, or leave the row out with "
        "--where 'model_size>0'.",
        "also: runs.csv: row 3 (line 4), column loss_x: the value is inf, and a loss must be a "
        "number above 0. Empty the cell if the loss is unknown, or leave the row out with --where "
        "'loss_x<1e6'.",
        "also: runs.csv: row 1 (line 2), column y_loss: the value is 0, and a loss must be a "
        "number above 0. Empty the cell if the loss is unknown, or leave the row out with --where "
        "'y_loss>0'.",
        "also: runs.csv: row 3 (line 4), column weight_b: the value is missing, and a weight must "
        "be a number from 0 to 1. Mend the cell (0 for a domain that is left out), or leave the "
        "row out with --where 'weight_b>=0'.",
        "also: runs.csv: row 2 (line 3): the weights weight_a, weight_b sum to 1.1, and must sum "
        "to 1 within 1%. Mend the weights, or choose the columns that are weights with --weights.",
    ]


def test_no_loss_is_a_fault_like_others():
    first, second = message(table("0.5,0.5,1e8,4e9,,", "0.5,0.5,1e8,0,,")).split("\n")
    assert first.startswith(
        "runs.csv: no row kept has a loss in any of the columns loss_x, y_loss."
    )
    assert second.startswith("also: runs.csv: row 2 (line 3), column n_tokens: the value is 0,")


def test_text_is_named_in_every_column_that_holds_some():
    assert message(table(ROWS[0], "0.5,half,1e8,4e9,3,diverged")).split("\n") == [
        "runs.csv: row 2 (line 3), column weight_b: 'half' is not a number. Mend the cell, or "
        "leave the row out with --where.",
        "also: runs.csv: row 2 (line 3), column y_loss: 'diverged' is not a number. Mend the cell, "
        "or leave the row out with --where.",
    ]


def test_ten_faults_are_named_and_the_others_counted():
    losses = [f"loss_{i}" for i in range(12)]
    header = ",".join(["weight_a", "weight_b", "model_size", "n_tokens", *losses])
    lines = message(table("0.5,0.5,1e8,4e9" + ",0" * 12, header=header)).split("\n")
    assert len(lines) == 11
    assert lines[0].startswith("runs.csv: row 1 (line 2), column loss_0: the value is 0,")
    assert lines[9].startswith("also: runs.csv: row 1 (line 2), column loss_9: the value is 0,")
    assert lines[10] == "and 2 faults more"


def test_users_of_python_read_the_names_of_parameters():
    with pytest.raises(InputError) as caught:
        read_runs(table("0.5,0.5,0,4e9,3,2"))
    assert str(caught.value).endswith("leave the row out with where 'model_size>0'.")
