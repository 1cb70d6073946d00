"""Runs as an object."""

from __future__ import annotations

import numpy as np
import pytest
from tables_of_runs import ROWS, assert_same, frame, table

from mixfit.base.errors import InputError, UsageError
from mixfit.runs.read import read_runs
from mixfit.runs.runs import Runs


def test_select_takes_masks_and_indices():
    runs = read_runs(table(*ROWS))
    by_mask = runs.select(runs.N > 4e8)
    assert_same(by_mask, runs.select(np.array([2, 3])))
    assert by_mask.mixtures.tolist() == [[0.5, 0.5], [1, 0]]
    assert by_mask.targets == ("x", "y")


def test_from_arrays_checks_as_files_do():
    runs = Runs.from_arrays(
        1e8, [1e9, 2e9], [[0.5, 0.5], [0.2, 0.8]], {"x": [3, np.nan], "y": [2, 2]}, ["a", "b"]
    )
    assert (runs.domains, runs.targets, runs.rows_read) == (("a", "b"), ("x", "y"), 2)
    np.testing.assert_array_equal(runs.N, [1e8, 1e8])
    with pytest.raises(InputError, match="row 1, column N: the value is -1, and must be"):
        Runs.from_arrays([-1], [1], [[0.5, 0.5]], {"x": [1]}, ["a", "b"])
    with pytest.raises(InputError, match=r"h has shape \(1, 2\) for 3 domains and 1 targets"):
        Runs.from_arrays([1], [1], [[0.5, 0.5]], {"x": [1]}, ["a", "b", "c"])
    with pytest.raises(InputError, match="N, D or losses do not fit the 1 rows of h"):
        Runs.from_arrays([1], [1, 2], [[0.5, 0.5]], {"x": [1]}, ["a", "b"])


def test_runs_say_in_a_line_what_they_are():
    runs = read_runs(table(*ROWS), where="n_tokens<5e9")
    assert repr(runs) == (
        "Runs(runs.csv: 2 of 4 rows, 2 mixtures of 2 domains, 310M to 610M parameters, 4B tokens; "
        "targets x, y)"
    )
    assert read_runs(frame()).summary == (
        "runs: 4 rows, 3 mixtures of 2 domains, 310M to 610M parameters, 4B to 8B tokens"
    )
    files = [table(*ROWS, name=f"{i}.csv") for i in range(4)]
    assert read_runs(files).summary.startswith("0.csv and 3 more files: 16 rows, ")


def test_the_frame_of_runs_is_read_as_the_same_runs():
    runs = read_runs(table(*ROWS))
    again = read_runs(runs.to_frame())
    for name in ("N", "D", "h", "losses", "domains", "targets"):
        np.testing.assert_array_equal(getattr(again, name), getattr(runs, name))


def test_targets_with_one_loss_are_left_out_or_refused():
    h = [[0.5, 0.5], [0.2, 0.8], [0.7, 0.3]]
    losses = {"same": [2.5, np.nan, 2.5], "other": [2.5, 2.6, 2.5], "once": [np.nan, 3, np.nan]}
    runs = Runs.from_arrays(1e8, [1e9, 2e9, 3e9], h, losses, ["a", "b"])
    varying = runs.varying()
    assert varying.targets == ("other", "once")
    assert [(n.code, n.target, n.text) for n in varying.notes] == [
        (
            "constant-target",
            "same",
            "left out: every loss in column same is 2.5 (2 rows), so that there is nothing to fit",
        )
    ]
    assert varying.varying() is varying
    with pytest.raises(UsageError) as caught:
        runs.only(["same"]).varying()
    assert caught.value.said_with("--{}".format) == (
        "There is nothing to fit: every loss in column same is 2.5 (2 rows). Choose other targets"
        " with --targets, or more rows."
    )
