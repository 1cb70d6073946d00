"""Splits: what is fitted and what is tested, and that nothing leaks between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixfit.base.errors import UsageError
from mixfit.runs.identity import group_mixtures
from mixfit.runs.read import read_runs
from mixfit.runs.runs import Runs
from mixfit.runs.splits import (
    join_splits,
    split_by_rows,
    split_folds,
    split_learning_curve,
    split_lengths,
    split_sizes,
)

OPTIONS = {
    "tests": "--test",
    "split_by_rows": "--test",
    "split_folds": "--folds",
    "split_sizes": "--leave-size-out",
}


def said(caught):
    """Give the text of an error as the command line does."""
    return caught.value.said_with(lambda name: OPTIONS.get(name, f"--{name}"))


def table(mixtures=10, sizes=(1e8, 2e8, 4e8), lengths=(1e9, 2e9, 4e9, 8e9), seed=0):
    """A row for each mixture, size and length, in random order; losses differ in every row."""
    rng = np.random.default_rng(seed)
    h = rng.dirichlet(np.ones(3), mixtures)
    N, D, row = (x.reshape(-1) for x in np.meshgrid(sizes, lengths, np.arange(mixtures)))
    order = rng.permutation(len(N))
    h = h[row.astype(int)[order]]
    # Rounding in another file: still the same mixture.
    h[::2] += 1e-8 * np.array([1.0, -1.0, 0.0])
    loss = 2.0 + rng.random(len(N))
    return Runs.from_arrays(N[order], D[order], h, {"x": loss}, ["a", "b", "c"])


def shared_mixtures(one, other):
    labels, _ = group_mixtures(np.concatenate([one.h, other.h]))
    return set(labels[: len(one)]) & set(labels[len(one) :])


@settings(max_examples=30, deadline=None)
@given(mixtures=st.integers(2, 15), folds=st.integers(2, 6), seed=st.integers(0, 99))
def test_no_mixture_stands_on_both_sides_of_a_fold(mixtures, folds, seed):
    runs = table(mixtures, seed=seed)
    if folds > mixtures:
        return
    plan = split_folds(runs, folds, seed=seed)
    assert len(plan.splits) == folds
    for split in plan.splits:
        (part,) = split.tests
        assert not shared_mixtures(split.train, part.runs)
        assert part.known_mixtures == 0
        assert len(split.train) + len(part.runs) == len(runs)
    # Every row is tested once.
    tested = np.concatenate([split.tests[0].runs.losses[:, 0] for split in plan.splits])
    np.testing.assert_array_equal(np.sort(tested), np.sort(runs.losses[:, 0]))


@settings(max_examples=20, deadline=None)
@given(q=st.integers(1, 9), seed=st.integers(0, 99))
def test_no_mixture_stands_on_both_sides_of_a_learning_curve(q, seed):
    runs = table(10)
    plan = split_learning_curve(runs, [q], repeats=3, seed=seed)
    for split in plan.splits:
        assert len(split.train.mixtures) == q
        assert not shared_mixtures(split.train, split.tests[0].runs)
        assert len(split.train) + len(split.tests[0].runs) == len(runs)


def test_learning_curve_repeats_nest_and_differ():
    runs = table(10)
    plan = split_learning_curve(runs, [6, 3, 3], repeats=2, seed=1)
    assert plan.labels == ("q=3", "q=6")
    assert plan.decisive == ("q=6",)
    assert [split.fold for split in plan.splits] == [1, 2, 1, 2]
    small, other, large, _ = (split.train for split in plan.splits)
    assert len(shared_mixtures(small, large)) == 3
    assert len(shared_mixtures(small, other)) < 3
    assert plan.title == "fitted on q of 10 mixtures, tested on the others, 2 random draws"


def test_folds_depend_on_the_seed_only():
    runs = table()
    one, same, other = (split_folds(runs, 3, seed=s).splits[0].train.h for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_sizes_are_predicted_from_the_smaller_ones():
    plan = split_sizes(table(sizes=(1e8, 2e8, 4e8, 8e8)))
    assert plan.labels == ("400M", "800M")
    assert plan.decisive == ("800M",)
    for split, size in zip(plan.splits, (4e8, 8e8), strict=True):
        assert set(split.tests[0].runs.N) == {size}
        assert max(split.train.N) < size
        assert split.tests[0].known_mixtures == 10
    assert [note.text for note in plan.notes] == [
        "predictions of 400M are from two sizes, which cannot pin E, A and alpha together: they"
        " rest on a usual alpha, and are arbitrary where none is assumed",
        "400M: 10 of 10 test mixtures also stand in training: it tests scale, not new mixtures",
        "800M: 10 of 10 test mixtures also stand in training: it tests scale, not new mixtures",
    ]
    assert split_sizes(table(), largest_only=True).labels == ("400M",)


def test_sizes_close_together_have_labels_of_their_own():
    plan = split_sizes(table(sizes=(1e9, 1.001e9, 1.002e9, 1.003e9)))
    assert plan.labels == ("1.002B", "1.003B")


@pytest.mark.parametrize(("sizes", "listed"), [((1e8,), "100M"), ((1e8, 2e8), "100M and 200M")])
def test_fewer_than_three_sizes_are_refused(sizes, listed):
    with pytest.raises(UsageError) as caught:
        split_sizes(table(sizes=sizes))
    assert said(caught) == (
        f"--leave-size-out needs three model sizes or more, and the rows have {listed}: two sizes"
        " cannot pin E, A and alpha together, and one says nothing about others. Use --folds, or"
        " --test with longer trainings."
    )


def test_lengths_hold_out_the_longest_half():
    plan = split_lengths(table())
    assert plan.labels == ("D>4B",)
    assert set(plan.splits[0].train.D) == {1e9, 2e9, 4e9}
    assert set(plan.splits[0].tests[0].runs.D) == {8e9}
    assert split_lengths(table(lengths=(1e9, 2e9, 3e9))) is None


def test_rows_on_both_sides_are_refused():
    runs = table()
    train, test = runs.select(runs.N < 4e8), runs.select(runs.D > 2e9)
    with pytest.raises(UsageError) as caught:
        split_by_rows(train, [test], ["test"])
    assert said(caught) == (
        "40 checkpoints of --test 'test' are fitted too. Let --train and --test exclude each other."
    )

    assert str(caught.value) == (
        "40 checkpoints of tests 'test' are fitted too. Let train and tests exclude each other."
    )


def test_rows_to_test_are_called_by_their_sizes_where_these_tell_them_apart():
    runs = table()
    train, *tests = (runs.select(size == runs.N) for size in (1e8, 2e8, 4e8))
    assert split_by_rows(train, tests).labels == ("200M", "400M")
    short, long = (tests[0].select(rows) for rows in (tests[0].D < 3e9, tests[0].D > 3e9))
    assert split_by_rows(train, [short, long]).labels == ("test 1", "test 2")
    both = runs.select(runs.N > 1e8)
    assert split_by_rows(train, [both]).labels == ("test",)
    assert split_by_rows(train, [both, tests[1]]).labels == ("test 1", "test 2")
    assert split_by_rows(train, [both], ["larger"]).labels == ("larger",)


def test_a_second_training_to_the_same_length_is_not_on_both_sides():
    h, losses = [[0.5, 0.5]] * 2, {"x": [2.0, 2.1]}
    runs = Runs.from_arrays([1e8, 1e8], [2e10, 2e10], h, losses, ["a", "b"])
    with pytest.raises(UsageError, match=r"^1 checkpoint of tests 'late' is fitted too\."):
        split_by_rows(runs.select([0]), [runs.select([1])], ["late"])


def test_a_checkpoint_logged_twice_is_not_on_both_sides():
    h, losses = [[0.5, 0.5]] * 2, {"x": [2.0, 2.0]}
    runs = Runs.from_arrays([1e8, 1e8], [1.9998e10, 2e10], h, losses, ["a", "b"])
    with pytest.raises(UsageError) as caught:
        split_by_rows(runs.select([0]), [runs.select([1])], ["late"])
    assert said(caught) == (
        "1 checkpoint of --test 'late' is fitted too. Let --train and --test exclude each other."
    )
    runs = Runs.from_arrays([1e8, 1e8], [1.9e10, 2e10], h, losses, ["a", "b"])
    split_by_rows(runs.select([0]), [runs.select([1])], ["late"])


def test_known_mixtures_are_counted():
    runs = table()
    few = np.isin(runs.mixture, [0, 1, 2])
    train = runs.select((runs.N < 4e8) & few)
    plan = split_by_rows(train, [runs.select(runs.N == 4e8)], ["400M"])
    assert plan.splits[0].tests[0].known_mixtures == 3
    assert [note.text for note in plan.notes] == [
        "400M: 3 of 10 test mixtures also stand in training: it tests scale, not new mixtures"
    ]
    assert plan.title == "fitted on 24 rows, tested on 40"


def test_joined_splits_have_their_say_each():
    runs = table()
    plan = join_splits([split_folds(runs, 2), split_sizes(runs, largest_only=True)])
    assert plan.labels == plan.decisive == ("new mixtures", "400M")
    assert plan.title == "2 folds over 10 mixtures; fitted on the smaller sizes, tested on 400M"


@pytest.mark.parametrize(
    ("split", "text"),
    [
        (lambda r: split_folds(r, 1), "--folds is 1; it must be 2 or more."),
        (
            lambda r: split_folds(r, 11),
            "--folds is 11, and the rows have 10 mixtures: a fold needs one at least.",
        ),
        (
            lambda r: split_learning_curve(r, [5, 10], repeats=1),
            "--mixtures has 10, and the rows have 10 mixtures: give numbers from 1 to 9.",
        ),
        (
            lambda r: split_learning_curve(r, [0], repeats=1),
            "--mixtures has 0, and the rows have 10 mixtures: give numbers from 1 to 9.",
        ),
        (
            lambda r: split_learning_curve(r, [5], repeats=0),
            "--repeats is 0; it must be 1 or more.",
        ),
        (
            lambda r: split_by_rows(
                r.select(r.N < 2e8), [r.select(r.N == 2e8), r.select(r.N == 4e8)], ["t", "t"]
            ),
            "Two of --labels are the same; give each once.",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(split, text):
    with pytest.raises(UsageError) as caught:
        split(table())
    assert said(caught) == text


def test_the_paper_s_split_of_the_real_runs(real_runs):
    where = "model_size>=3e8,model_size<1.2e9,n_tokens>=3.9e9"
    train = read_runs(real_runs, where=where)
    test = read_runs(real_runs, where="model_size>=1.2e9,n_tokens>=1.3e10")
    plan = split_by_rows(train, [test], ["1.24B"])
    assert plan.title == "fitted on 1,394 rows, tested on 180"
    assert plan.splits[0].tests[0].known_mixtures == 20
    # Each run's last checkpoint stands in the file twice, at 1.9998e10 and at 2e10 tokens.
    early, late = ("model_size==310M,n_tokens" + sign for sign in ("<2e10", ">=2e10"))
    with pytest.raises(UsageError) as caught:
        split_by_rows(
            read_runs(real_runs, where=early), [read_runs(real_runs, where=late)], ["late"]
        )
    assert said(caught).startswith("60 checkpoints of --test 'late' are fitted too.")


def with_near_alike():
    """A table whose mixtures 0 to 3 stand in it twice, rounded to three digits at another size."""
    runs = table(sizes=(1e8,))
    again = runs.select(runs.mixture < 4)
    h = again.h.round(3)
    h[:, 2] = 1 - h[:, 0] - h[:, 1]
    return Runs.from_arrays(
        np.concatenate([runs.N, 2 * again.N]),
        np.concatenate([runs.D, again.D]),
        np.concatenate([runs.h, h]),
        {"x": np.concatenate([runs.losses_of("x"), again.losses_of("x")])},
        ["a", "b", "c"],
    )


@pytest.mark.parametrize(
    "split", [lambda r: split_folds(r, 5), lambda r: split_learning_curve(r, [3, 6], repeats=4)]
)
def test_roundings_of_a_mixture_stay_on_its_side(split):
    runs = with_near_alike()
    assert len(runs.mixtures) == 14
    plan = split(runs)
    for own in plan.splits:
        apart = np.abs(own.train.mixtures[:, None] - own.tests[0].runs.mixtures).max(axis=2)
        assert apart.min() > 1e-3
        assert len(own.train) + len(own.tests[0].runs) == len(runs)
    (note,) = plan.notes
    assert str(note) == (
        "4 mixtures of 14 are within 0.001 of another in every weight, and counted with it: fitted"
        " with it, or tested with it"
    )
    assert "10 mixtures" in plan.title
