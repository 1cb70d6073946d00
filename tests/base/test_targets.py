"""Targets by name or glob, and their weights in an objective."""

from __future__ import annotations

import pytest

from mixfit.base.errors import UsageError
from mixfit.base.targets import target_weights

KNOWN = ("t0", "t1", "t2")


def test_target_weights():
    assert target_weights(KNOWN, None) == dict.fromkeys(["t0", "t1", "t2"], 1 / 3)
    assert target_weights(KNOWN, ["t1"]) == {"t1": 1.0}
    assert target_weights(KNOWN, {"t*": 1, "t2": 2}) == {"t0": 0.25, "t1": 0.25, "t2": 0.5}
    assert target_weights(KNOWN, {"t0": 1, "t1": 0}) == {"t0": 1.0}
    for targets, words in (
        ({"t0": -1}, "0 or more"),
        ({"t0": 0}, "All target weights are 0"),
        ({"x9": 1}, "no such target"),
        ({"t00": 1}, "Did you mean 't0'"),
    ):
        with pytest.raises(UsageError, match=words):
            target_weights(KNOWN, targets)


def test_errors_say_whose_targets_they_are():
    with pytest.raises(UsageError) as caught:
        target_weights(KNOWN, ["x9"], whose="the rows", name="objective")
    assert str(caught.value) == (
        "objective x9: the rows have no such target. Their targets are t0, t1, t2."
    )
