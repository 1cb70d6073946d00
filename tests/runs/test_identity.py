"""What is one mixture, and what is one checkpoint."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_of_runs import ROWS, table

from mixfit.runs.identity import group_mixtures, group_together, logged_twice, near_alike
from mixfit.runs.read import read_runs


def test_checkpoints_logged_twice_are_kept_and_counted():
    rows = [
        "0.25,0.75,1e8,2e10,3.0,2.5",
        "0.5,0.5,1e8,2e10,3.0,2.5",  # another mixture
        "0.25,0.75,2e8,2e10,3.0,2.5",  # another size
        "0.25,0.75,1e8,1.9998e10,3.0,",  # logged twice: losses equal where both are known
        "0.25,0.75,1e8,2.02e10,3.0,2.5",  # 1% further
        "0.5,0.5,1e8,2.0001e10,3.0,2.500001",  # another loss
    ]
    runs = read_runs(table(*rows))
    assert len(runs) == 6
    assert [(n.code, n.text) for n in runs.notes] == [
        (
            "logged-twice",
            "1 checkpoint is logged twice (same mixture, N and losses at nearly the same D); "
            "both rows are kept",
        )
    ]
    assert read_runs(table(*rows[:3])).notes == ()


def test_mixtures_are_equal_to_one_millionth_whatever_the_rounding():
    h = np.array(
        [[0.1234565, 0.8765435], [0.5, 0.5], [0.12345649, 0.87654351], [0.123459, 0.876541]]
    )
    mixture, first = group_mixtures(h)
    assert mixture.tolist() == [0, 1, 0, 2]
    assert first.tolist() == [0, 1, 3]
    runs = read_runs(table(*ROWS))
    assert runs.mixture.tolist() == [0, 0, 1, 2]
    np.testing.assert_array_equal(runs.mixtures, [[0.25, 0.75], [0.5, 0.5], [1, 0]])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_grouping_finds_the_mixtures_that_were_drawn(seed):
    rng = np.random.default_rng(seed)
    centres = np.round(rng.dirichlet(np.ones(4), rng.integers(1, 30)), 4)
    _, drawn = np.unique(rng.integers(0, len(np.unique(centres, axis=0)), 80), return_inverse=True)
    centres = np.unique(centres, axis=0)
    h = centres[drawn] + rng.uniform(-4e-7, 4e-7, (80, 4))
    mixture, first = group_mixtures(h)
    assert len(first) == len(np.unique(drawn))
    np.testing.assert_array_equal(drawn[first][mixture], drawn)
    assert (np.diff(first) > 0).all()


def test_tables_are_grouped_together_as_they_are_alone():
    rng = np.random.default_rng(0)
    one, other = rng.dirichlet(np.ones(3), 5), rng.dirichlet(np.ones(3), 4)
    other[1] = one[3] + [1e-8, -1e-8, 0]
    (first, second), mixtures = group_together(one, other)
    assert first.tolist() == [0, 1, 2, 3, 4]
    assert second.tolist() == [5, 3, 6, 7]
    np.testing.assert_array_equal(mixtures, [*one, *other[[0, 2, 3]]])
    (alone,), _ = group_together(one[[0, 0, 1]])
    assert alone.tolist() == [0, 0, 1]


def test_checkpoints_of_two_trainings_are_told_apart_by_their_losses():
    mixture, N = np.zeros(4, int), np.full(4, 1e8)
    D = np.array([1.9998e10, 2e10, 1.9998e10, 2e10])
    losses = np.array([[2.0, 3.0], [2.0, np.nan], [2.1, 3.1], [2.1, 3.1]])
    one, other = logged_twice(mixture, N, D, losses)
    assert sorted(zip(one.tolist(), other.tolist(), strict=True)) == [(0, 1), (2, 3)]
    # A loss that only one of two rows has says nothing.
    one, _ = logged_twice(mixture, N, D, np.array([[2.0, np.nan], [np.nan, 2.0]] * 2))
    assert len(one) == 2
    assert len(logged_twice(mixture[:1], N[:1], D[:1], losses[:1])[0]) == 0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_every_pair_that_is_one_checkpoint_is_found(seed):
    rng = np.random.default_rng(seed)
    mixture, N = rng.integers(0, 2, 30), rng.choice([1e8, 2e8], 30)
    D = rng.choice([1e9, 1.004e9, 1.008e9, 1.02e9], 30)
    losses = rng.choice([2.0, 2.1, np.nan], (30, 2))
    expected = set()
    for a in range(30):
        for b in range(30):
            both = ~np.isnan(losses[a]) & ~np.isnan(losses[b])
            if (
                a < b
                and (mixture[a], N[a]) == (mixture[b], N[b])
                and max(D[a], D[b]) <= 1.005 * min(D[a], D[b])
                and both.any()
                and (losses[a][both] == losses[b][both]).all()
            ):
                expected.add((a, b))
    pairs = np.sort(np.column_stack(logged_twice(mixture, N, D, losses)), axis=1).tolist()
    assert len(pairs) == len(expected)
    assert {tuple(pair) for pair in pairs} == expected


def test_mixtures_that_are_near_share_a_number():
    h = np.random.default_rng(0).dirichlet(np.ones(5), 40)
    rounded = h[10:20].round(3)
    rounded[:, -1] += 1 - rounded.sum(axis=1)
    near = np.abs(rounded - h[10:20]).max(axis=1) <= 1e-3
    found = near_alike(np.concatenate([h, rounded]))
    assert found[:40].tolist() == list(range(40))
    assert found[40:][near].tolist() == (10 + np.flatnonzero(near)).tolist()
    assert near.sum() > 5
