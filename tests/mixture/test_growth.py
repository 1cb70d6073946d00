"""The best mixture as N and D grow."""

from __future__ import annotations

import numpy as np
import pytest
from random_fits import random_fit

from mixfit.base.errors import UsageError
from mixfit.mixture.growth import SPEEDS, Speed, grow
from mixfit.mixture.planner import Planner


def test_each_way_starts_at_the_budget_and_has_its_speed():
    planner = Planner(random_fit("joint", 3, 2, 1))
    found = grow(planner, 1e9, 1e10, most=100.0, points=3)
    assert found.t == pytest.approx([1, 10, 100])
    assert list(found.ways) == [speed.name for speed in SPEEDS]
    t = np.array([1.0, 10.0, 100.0])
    for name, N, D in (
        ("N and D as t", t, t),
        ("N as t, D as √t", t, np.sqrt(t)),
        ("N as t, D as 1 + log t", t, 1 + np.log(t)),
        ("N constant, D as t", [1, 1, 1], t),
    ):
        assert [m.model_size / 1e9 for m in found.ways[name]] == pytest.approx(N)
        assert [m.tokens / 1e10 for m in found.ways[name]] == pytest.approx(D)
    for way in found.ways.values():
        for mixture in way:
            alone = planner.best(mixture.model_size, mixture.tokens)
            assert mixture.objective == pytest.approx(alone.objective, rel=1e-7)


def test_a_speed_of_ones_own():
    planner = Planner(random_fit("additive", 2, 1, 0))
    cubed = Speed("cubed", lambda t: t**3, np.ones_like)
    found = grow(planner, 1e9, 1e10, speeds=[cubed], most=10.0, points=2)
    assert found.ways["cubed"][1].model_size == pytest.approx(1e12)
    # The additive law's best mixture is the same at all scales.
    assert found.ways["cubed"][0].weights == pytest.approx(found.ways["cubed"][1].weights, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "name", "N", "D"),
    [
        ("1:0.7", "N as t, D as t^0.7", 8, 8**0.7),
        ("log:log", "N and D as 1 + log t", 1 + np.log(8), 1 + np.log(8)),
        ("0:2", "N constant, D as t^2", 1, 64),
    ],
)
def test_a_speed_in_words(text, name, N, D):
    speed, t = Speed.of(text), np.array([8.0])
    assert speed.name == name
    assert (speed.N(t)[0], speed.D(t)[0]) == pytest.approx((N, D), rel=1e-14)


@pytest.mark.parametrize("text", ["", "1", "1:", "1:1:1", "0:0", "a:1", "1:-1", "1:9", "nan:1"])
def test_speeds_that_are_none(text):
    with pytest.raises(UsageError) as raised:
        Speed.of(text)
    assert raised.value.said_with("--{}".format) == (
        f"--speeds '{text}': write how N and D grow with t, as powers of t from 0 to 3, or log,"
        " such as 1:0.5 for N as t and D as its root."
    )


def test_numbers_of_no_use():
    planner = Planner(random_fit("additive", 2, 1, 0))
    with pytest.raises(UsageError, match=r"^most must be over 1, points 2 or more\.$"):
        grow(planner, 1e9, 1e10, most=1.0)
