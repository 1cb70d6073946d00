"""The rows of one target."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.runs.runs import Runs
from mixfit.runs.target_rows import TargetRows

NAN = np.nan


def runs():
    return Runs.from_arrays(
        [1e8, 2e8, 3e8, 4e8],
        [1e9, 2e9, 3e9, 4e9],
        [[0.2, 0.8], [0.5, 0.5], [0.2 + 1e-8, 0.8 - 1e-8], [0.9, 0.1]],
        {"x": [3.0, NAN, 2.8, 2.7], "y": [2.5, 2.4, NAN, NAN]},
        ["a", "b"],
    )


def test_rows_with_a_loss_are_taken_and_the_mixtures_stay():
    rows = TargetRows.of(runs(), "x")
    assert (rows.target, rows.domains, len(rows)) == ("x", ("a", "b"), 3)
    assert rows.N.tolist() == [1e8, 3e8, 4e8]
    assert rows.D.tolist() == [1e9, 3e9, 4e9]
    assert rows.loss.tolist() == [3.0, 2.8, 2.7]
    assert rows.mixture.tolist() == [0, 0, 2]
    np.testing.assert_array_equal(rows.mixtures, [[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    # Rows of one mixture have the same weights to the last bit.
    np.testing.assert_array_equal(rows.h, [[0.2, 0.8], [0.2, 0.8], [0.9, 0.1]])


@pytest.mark.parametrize("rows", [np.array([False, True, True]), np.array([1, 2])])
def test_selected_rows_keep_the_numbers_of_their_mixtures(rows):
    every = TargetRows.of(runs(), "x")
    some = every.select(rows)
    assert (some.target, some.domains, len(some)) == ("x", ("a", "b"), 2)
    assert some.loss.tolist() == [2.8, 2.7]
    assert (some.N.tolist(), some.D.tolist()) == ([3e8, 4e8], [3e9, 4e9])
    assert some.mixture.tolist() == [0, 2]
    assert some.mixtures is every.mixtures


def test_rows_may_be_none_and_repeated():
    every = TargetRows.of(runs(), "y")
    assert len(every.select(np.array([False, False]))) == 0
    assert every.select(np.array([1, 1, 0])).loss.tolist() == [2.4, 2.4, 2.5]


def test_an_unknown_target_is_refused():
    with pytest.raises(UsageError, match=r"^there is no target 'z'\. The targets are x, y\.$"):
        TargetRows.of(runs(), "z")
