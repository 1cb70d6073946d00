"""Runs to rows to fit on and rows to test on, without leakage between them.

Rows of one mixture are not independent, and neither are the checkpoints of one run. So a split that
tests new mixtures keeps all rows of a mixture on one side, and of mixtures that are nearly the
same, and a split that tests other scales says
how many of its test mixtures were also fitted. No checkpoint is ever on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.base.numbers import counted, distinct, short
from mixfit.runs.identity import group_together, logged_twice, near_alike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Mask
    from mixfit.runs.runs import Runs

_FOLDS = 5
_LEAST_SIZES = 3  # so that the largest is predicted from two
_LONGER = 2.0  # times the longest training length fitted that the held-out ones reach


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Rows to test on.

    Attributes:
        label: what tables call them; rows of several splits that share it are averaged.
        runs: the rows.
        known_mixtures: how many of their mixtures are also among the rows fitted.
    """

    label: str
    runs: Runs
    known_mixtures: int


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to fit on, and rows to test on.

    Attributes:
        fold: its number among the splits that share a label, from 1.
        train: the rows to fit.
        tests: the rows to test on, a label each.
    """

    fold: int
    train: Runs
    tests: tuple[HeldOut, ...]


@dataclass(frozen=True, eq=False)
class Splits:
    """Splits that together make one comparison.

    Attributes:
        splits: in the order of their labels and folds.
        title: what is done, for the head of a table.
        decisive: the labels of the rows that say which law is best.
        notes: what a careful reader should know.
    """

    splits: tuple[Split, ...]
    title: str
    decisive: tuple[str, ...]
    notes: tuple[Note, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """What tables call the rows to test on, in order."""
        return tuple(dict.fromkeys(held.label for split in self.splits for held in split.tests))

    @property
    def tables(self) -> list[Runs]:
        """The rows to fit and to test, of all splits."""
        return [r for s in self.splits for r in (s.train, *(held.runs for held in s.tests))]


def split_by_rows(
    train: Runs, tests: Sequence[Runs], labels: Sequence[str] | None = None
) -> Splits:
    """Fit on some rows and test on others.

    Args:
        train: the rows to fit.
        tests: the rows to test on, a label each; they may share rows with each other.
        labels: what tables call them; left out, their model sizes where these tell them apart.

    Raises:
        UsageError: if a checkpoint is both fitted and tested, or two labels are the same.
    """
    labels = _labels(tests) if labels is None else labels
    for label, test in zip(labels, tests, strict=True):
        _refuse_shared(train, test, label)
    if len(set(labels)) < len(labels):
        raise UsageError(f"Two of {parameter('labels')} are the same; give each once.")
    held = tuple(_held_out(*each, train) for each in zip(labels, tests, strict=True))
    title = f"fitted on {len(train):,} rows, tested on {_listed([f'{len(t):,}' for t in tests])}"
    split = Split(1, train, held)
    return Splits((split,), title, tuple(labels), _mixture_notes((split,)))


def split_folds(runs: Runs, folds: int, *, seed: int = 0) -> Splits:
    """Cross-validate over mixtures: all rows of a mixture are in one fold.

    Args:
        runs: the rows.
        folds: how many.
        seed: of the random order of the mixtures.

    Raises:
        UsageError: if there are fewer than two folds, or fewer mixtures than folds.
    """
    same = near_alike(runs.mixtures)
    count = int(same.max()) + 1
    if folds < 2:
        raise UsageError(f"{parameter('folds')} is {folds}; it must be 2 or more.")
    if count < folds:
        raise UsageError(
            f"{parameter('folds')} is {folds}, and the rows have {counted(count, 'mixture')}:"
            " a fold needs one at least."
        )
    order = np.random.default_rng(seed).permutation(count)
    label = "new mixtures"
    splits = tuple(
        _hold_out_mixtures(runs, np.isin(same, held), number, label)
        for number, held in enumerate(np.array_split(order, folds), start=1)
    )
    title = f"{folds} folds over {count} mixtures"
    return Splits(splits, title, (label,), _near_notes(runs, count))


def split_few_folds(runs: Runs, *, seed: int = 0) -> Splits | None:
    """Hold out folds of mixtures: five, or as many as there are mixtures.

    Returns:
        The splits, or None where there is one mixture.
    """
    count = len(np.unique(near_alike(runs.mixtures)))
    return split_folds(runs, min(_FOLDS, count), seed=seed) if count > 1 else None


def split_learning_curve(
    runs: Runs, mixtures: Sequence[int], *, repeats: int, seed: int = 0
) -> Splits:
    """Fit on q random mixtures and test on all others, as in the paper's Fig. 5.

    Within a repeat the mixtures of a smaller q are among those of a larger one.

    Args:
        runs: the rows.
        mixtures: the numbers q.
        repeats: draws for each q.
        seed: of the draws.

    Raises:
        UsageError: if a q leaves no mixture to fit or to test, or there is no repeat.
    """
    same = near_alike(runs.mixtures)
    count = int(same.max()) + 1
    wanted = sorted(set(mixtures))
    for q in wanted:
        if not 1 <= q < count:
            raise UsageError(
                f"{parameter('mixtures')} has {q}, and the rows have {counted(count, 'mixture')}:"
                f" give numbers from 1 to {count - 1}."
            )
    if repeats < 1:
        raise UsageError(f"{parameter('repeats')} is {repeats}; it must be 1 or more.")
    orders = [np.random.default_rng([seed, r]).permutation(count) for r in range(repeats)]
    splits = tuple(
        _hold_out_mixtures(runs, ~np.isin(same, order[:q]), number, f"q={q}")
        for q in wanted
        for number, order in enumerate(orders, start=1)
    )
    title = (
        f"fitted on q of {count} mixtures, tested on the others, {counted(repeats, 'random draw')}"
    )
    return Splits(splits, title, (f"q={wanted[-1]}",), _near_notes(runs, count))


def split_sizes(runs: Runs, *, largest_only: bool = False) -> Splits:
    """Fit on the smaller model sizes and test on the next, for each size but the two smallest.

    Args:
        runs: the rows.
        largest_only: whether only the largest size is tested.

    Raises:
        UsageError: if there are fewer than three sizes.
    """
    sizes = np.unique(runs.N)
    if len(sizes) < _LEAST_SIZES:
        listed = " and ".join(distinct(sizes))
        raise UsageError(
            f"{parameter('split_sizes')} needs three model sizes or more, and the rows have"
            f" {listed}: two sizes cannot pin E, A and alpha together, and one says nothing about"
            f" others. Use {parameter('split_folds')}, or {parameter('split_by_rows')} with longer"
            " trainings."
        )
    splits = []
    names = dict(zip(sizes.tolist(), distinct(sizes), strict=True))
    for size in sizes[-1:] if largest_only else sizes[2:]:
        train, test = runs.select(size > runs.N), runs.select(size == runs.N)
        splits.append(Split(1, train, (_held_out(names[float(size)], test, train),)))
    notes = _mixture_notes(splits)
    labels = tuple(split.tests[0].label for split in splits)
    if len(np.unique(splits[0].train.N)) == 2:
        notes = (from_two_sizes(labels[:1]), *notes)
    title = "fitted on the smaller sizes, tested on the next"
    if largest_only:
        title = f"fitted on the smaller sizes, tested on {labels[0]}"
    # The first size is predicted from two, unless only the largest is.
    return Splits(tuple(splits), title, labels[1:] or labels, notes)


def from_two_sizes(labels: Sequence[str]) -> Note:
    """Say that other model sizes, named by labels, are predicted from two."""
    text = (
        f"predictions of {' and '.join(labels)} are from two sizes, which cannot pin E, A and alpha"
        " together: they rest on a usual alpha, and are arbitrary where none is assumed"
    )
    return Note("from-two-sizes", text)


def split_lengths(runs: Runs) -> Splits | None:
    """Fit on the shorter trainings and test on those at least half as long as the longest.

    Returns:
        The split, or None where fewer than two training lengths would be left to fit.
    """
    longest = runs.D.max()
    long = longest < _LONGER * runs.D
    if len(np.unique(runs.D[~long])) < 2:
        return None
    train, test = runs.select(~long), runs.select(long)
    label = f"D>{short(longest / _LONGER)}"
    split = Split(1, train, (_held_out(label, test, train),))
    title = f"fitted on the shorter trainings, tested on {label}"
    return Splits((split,), title, (label,), _mixture_notes((split,)))


def join_splits(plans: Sequence[Splits]) -> Splits:
    """Make one comparison of several whose labels differ; each has its say in which law is best.

    Args:
        plans: one or more.
    """
    return Splits(
        splits=tuple(split for plan in plans for split in plan.splits),
        title="; ".join(plan.title for plan in plans),
        decisive=tuple(label for plan in plans for label in plan.decisive),
        notes=tuple(note for plan in plans for note in plan.notes),
    )


def selection_splits(runs: Runs, *, seed: int = 0) -> Splits:
    """Hold out folds of mixtures, the largest size, and the longest trainings.

    What two sizes say of a third rests on exponents that are assumed to be usual, which all laws
    that are chosen among have alike (see `mixfit.fitting.prior`).

    Raises:
        UsageError: if the rows have too few mixtures, sizes and lengths for any.
    """
    plans = []
    folds = split_few_folds(runs, seed=seed)
    if folds is not None:
        plans.append(folds)
    if len(np.unique(runs.N)) >= _LEAST_SIZES:
        plans.append(split_sizes(runs, largest_only=True))
    if (lengths := split_lengths(runs)) is not None:
        plans.append(lengths)
    if not plans:
        raise UsageError(
            "There is nothing to hold out, as auto must: the rows have one mixture, fewer than"
            " three model sizes and too few training lengths. Name a law."
        )
    return join_splits(plans)


def _held_out(label: str, test: Runs, train: Runs) -> HeldOut:
    (fitted, tested), _ = group_together(train.h, test.h)
    return HeldOut(label, test, len(np.intersect1d(fitted, tested)))


def _hold_out_mixtures(runs: Runs, held: Mask, fold: int, label: str) -> Split:
    """Test some mixtures, by a mask (m,), and fit the others."""
    tested = held[runs.mixture]
    return Split(fold, runs.select(~tested), (HeldOut(label, runs.select(tested), 0),))


def _near_notes(runs: Runs, count: int) -> tuple[Note, ...]:
    """Say that mixtures are nearly the same."""
    more = len(runs.mixtures) - count
    if not more:
        return ()
    are = "is" if more == 1 else "are"
    text = (
        f"{counted(more, 'mixture')} of {len(runs.mixtures)} {are} within 0.001 of another in every"
        " weight, and counted with it: fitted with it, or tested with it"
    )
    return (Note("near-mixtures", text),)


def _labels(tests: Sequence[Runs]) -> list[str]:
    """Call rows by their model sizes if each has one of its own, and else by their numbers."""
    sizes = [short(runs.N[0]) for runs in tests if np.ptp(runs.N) == 0]
    if len(set(sizes)) == len(tests):
        return sizes
    return [f"test {i}" for i in range(1, len(tests) + 1)] if len(tests) > 1 else ["test"]


def _mixture_notes(splits: Sequence[Split]) -> tuple[Note, ...]:
    """Say how many test mixtures also stand in training."""
    return tuple(
        Note(
            "known-mixtures",
            f"{held.label}: {held.known_mixtures} of"
            f" {counted(len(held.runs.mixtures), 'test mixture')} also stand in training:"
            " it tests scale, not new mixtures",
        )
        for split in splits
        for held in split.tests
        if held.known_mixtures
    )


def rows_among(runs: Runs, others: Runs) -> Mask:
    """Tell which rows (rows,) of runs are checkpoints of other runs too.

    A checkpoint may be logged twice, or trained twice to the same D.
    """
    mixtures, _ = group_together(others.h, runs.h)
    mixture = np.concatenate(mixtures)
    N, D = np.concatenate([others.N, runs.N]), np.concatenate([others.D, runs.D])
    common = [target for target in runs.targets if target in others.targets]
    losses = np.full((len(N), len(common)), np.nan)
    for column, target in zip(losses.T, common, strict=True):
        column[:] = np.concatenate([others.losses_of(target), runs.losses_of(target)])
    first = np.arange(len(N)) < len(others)
    _, place = np.unique(np.column_stack([mixture, N, D]), axis=0, return_inverse=True)
    place = place.reshape(-1)
    shared = ~first & np.isin(place, place[first])
    one, other = logged_twice(mixture, N, D, losses)
    own = np.where(first[one], other, one)
    shared[own[first[one] != first[other]]] = True
    return shared[len(others) :]


def _refuse_shared(train: Runs, test: Runs, label: str) -> None:
    """Refuse a checkpoint on both sides, be it logged twice, or trained twice to the same D."""
    shared = rows_among(test, train)
    if shared.any():
        count = int(np.count_nonzero(shared))
        raise UsageError(
            f"{counted(count, 'checkpoint')} of {parameter('tests')} '{label}'"
            f" {'is' if count == 1 else 'are'} fitted too. Let {parameter('train')} and"
            f" {parameter('tests')} exclude each other."
        )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
