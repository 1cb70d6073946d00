"""Units that cannot be right are refused, with what they may be."""

from __future__ import annotations

import numpy as np
import pytest
from tables_of_runs import message, table

from mixfit.runs.read import read_runs
from mixfit.runs.units import meant, suspect

HEAD = "weight_a,weight_b,size,D,loss_x"


def sized(sizes, tokens):
    return table(
        *(f"0.5,0.5,{n},{d},3" for n in sizes for d in tokens), header=HEAD, name="runs.csv"
    )


def test_sizes_in_millions_and_tokens_in_billions():
    sized((50, 400), (1, 16))
    assert message("runs.csv", model_size="size").split("\n") == [
        "runs.csv: column size holds 50 to 400, and N is a number of parameters, 10K or more. If "
        "these are millions, say so with --model-size 'size*1M', or read them as they stand with "
        "--allow-units.",
        "also: runs.csv: column D holds 1 to 16, and D is a number of tokens, 1M or more. If these "
        "are billions, say so with --tokens 'D*1B', or read them as they stand with --allow-units.",
    ]
    runs = read_runs("runs.csv", model_size="size*1M", tokens="D * 1B")
    np.testing.assert_array_equal(runs.N, [5e7, 5e7, 4e8, 4e8])
    np.testing.assert_array_equal(runs.D, [1e9, 16e9, 1e9, 16e9])
    assert (runs.columns.model_size, runs.columns.tokens) == ("size", "D")
    assert runs.columns.units == {"model_size": 1e6, "tokens": 1e9}
    again = read_runs("runs.csv", like=runs.columns)
    np.testing.assert_array_equal(again.D, runs.D)
    np.testing.assert_array_equal(
        read_runs("runs.csv", model_size="size", allow_units=True).N, [50, 50, 400, 400]
    )


def test_tokens_in_billions_beside_sizes_that_are_right():
    sized((5e7, 4e8), (1, 16))
    said = message("runs.csv", model_size="size")
    assert "If these are billions, say so with --tokens 'D*1B'" in said
    assert "\n" not in said


def test_some_rows_alone():
    sized((5e7, 4e8), (1e5, 1e9, 1e10))
    assert message("runs.csv", model_size="size") == (
        "runs.csv: column D holds 100K in 2 of 6 rows, and D is a number of tokens, 1M or more. "
        "Leave the rows out with --where 'D>=1B', or read them as they stand with --allow-units."
    )
    assert len(read_runs("runs.csv", model_size="size", where="D>=1B")) == 4


@pytest.mark.parametrize(
    ("sizes", "tokens", "ratio"), [((1e9,), (2e7,), "0.02"), ((2e4,), (4e10,), "2M")]
)
def test_tokens_a_parameter(sizes, tokens, ratio):
    sized(sizes, tokens)
    said = message("runs.csv", model_size="size")
    assert f"so that there are {ratio} tokens a parameter, and 0.1 to 100K are read." in said
    assert said.endswith("or read them as they stand with --allow-units.")


def test_numbers_in_place_of_columns():
    sized((1e8,), (1e9,))
    assert message("runs.csv", model_size=310) == (
        "runs.csv: --model-size is 310, and N is a number of parameters, 10K or more. If 310K is "
        "meant, write that, or read them as they stand with --allow-units."
    )


def test_meant_and_suspect():
    assert meant(16, 4e9, 5e10) == "B"
    assert meant(1e30, 1e8, 1e9) == ""
    assert suspect((50, 400), (1e9, 1e10))
    assert not suspect((1e6, 1e9), (1e9, 1e11))


def test_the_smallest_runs_that_people_train_are_read():
    # RegMix's 1M models on 1B tokens, and 111 thousand parameters on 20 million tokens.
    for n, d in ((1e6, 1e9), (1.11e5, 2e7), (7e9, 1e9)):
        sized((n,), (d,))
        assert len(read_runs("runs.csv", model_size="size")) == 1
