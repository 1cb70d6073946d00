"""Runs to parts to fit on and parts to test on, without leakage between them.

Rows of one mixture are not independent, and neither are the checkpoints of one run. So a split that
tests new mixtures keeps all rows of a mixture on one side, and a split that tests other scales says
how many of its test mixtures were also fitted. No checkpoint is ever on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError
from mixfit.base.numbers import counted, distinct, short
from mixfit.runs.runs import group_mixtures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixfit.runs.runs import Runs

_FOLDS = 5
# With fewer mixtures, a fold of a fifth of them leaves too few to stand for all.
_FEW_MIXTURES, _FOLDS_OF_FEW = 40, 10
_LONGER = 2.0  # times the longest training length fitted that the held-out ones reach
_SAME_LOSS = 1e-9  # relative difference below which losses are logged twice


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Rows to test on.

    Attributes:
        column: what tables call them; parts of several splits that share it are averaged.
        runs: the rows.
        known_mixtures: how many of their mixtures are also among the rows fitted.
    """

    column: str
    runs: Runs
    known_mixtures: int


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to fit on, and rows to test on.

    Attributes:
        fold: its number among the splits that share a column, from 1.
        train: the rows to fit.
        tests: the parts to test on.
    """

    fold: int
    train: Runs
    tests: tuple[HeldOut, ...]


@dataclass(frozen=True, eq=False)
class Splits:
    """Splits that together make one comparison.

    Attributes:
        splits: in the order of their columns and folds.
        title: what is done, for the head of a table.
        decisive: the columns that say which law is best.
        notes: what a careful reader should know.
    """

    splits: tuple[Split, ...]
    title: str
    decisive: tuple[str, ...]
    notes: tuple[Note, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(dict.fromkeys(part.column for split in self.splits for part in split.tests))

    @property
    def tables(self) -> list[Runs]:
        """The rows to fit and to test, of all splits."""
        return [r for s in self.splits for r in (s.train, *(part.runs for part in s.tests))]


def split_by_rows(train: Runs, tests: Sequence[Runs], columns: Sequence[str]) -> Splits:
    """Fit on some rows and test on others.

    Args:
        train: the rows to fit.
        tests: the rows to test on, a column each; they may share rows with each other.
        columns: what tables call them.

    Raises:
        UsageError: if a checkpoint is both fitted and tested, or two columns have one name.
    """
    parts = []
    for column, test in zip(columns, tests, strict=True):
        _refuse_shared(train, test, column)
        parts.append(HeldOut(column, test, _count_known(train, test)))
    if len(set(columns)) < len(columns):
        raise UsageError("Two of --test are the same; give each once.")
    title = f"fitted on {len(train):,} rows, tested on {_listed([f'{len(t):,}' for t in tests])}"
    split = Split(1, train, tuple(parts))
    return Splits((split,), title, tuple(columns), _mixture_notes((split,)))


def split_folds(runs: Runs, folds: int, *, seed: int = 0) -> Splits:
    """Cross-validate over mixtures: all rows of a mixture are in one fold.

    Args:
        runs: the rows.
        folds: how many.
        seed: of the random order of the mixtures.

    Raises:
        UsageError: if there are fewer than two folds, or fewer mixtures than folds.
    """
    count = len(runs.mixtures)
    if folds < 2:
        raise UsageError(f"--folds is {folds}; it must be 2 or more.")
    if count < folds:
        raise UsageError(
            f"--folds is {folds}, and the rows have {counted(count, 'mixture')}: a fold needs one"
            " at least."
        )
    order = np.random.default_rng(seed).permutation(count)
    column = "new mixtures"
    splits = tuple(
        _held_out_mixtures(runs, held, number, column)
        for number, held in enumerate(np.array_split(order, folds), start=1)
    )
    title = f"{folds} folds over {count} mixtures"
    return Splits(splits, title, (column,))


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
    count = len(runs.mixtures)
    wanted = sorted(set(mixtures))
    for q in wanted:
        if not 1 <= q < count:
            raise UsageError(
                f"--mixtures has {q}, and the rows have {counted(count, 'mixture')}: give numbers"
                f" from 1 to {count - 1}."
            )
    if repeats < 1:
        raise UsageError(f"--repeats is {repeats}; it must be 1 or more.")
    orders = [np.random.default_rng([seed, r]).permutation(count) for r in range(repeats)]
    splits = tuple(
        _held_out_mixtures(runs, order[q:], number, f"q={q}")
        for q in wanted
        for number, order in enumerate(orders, start=1)
    )
    title = (
        f"fitted on q of {count} mixtures, tested on the others, {counted(repeats, 'random draw')}"
    )
    return Splits(splits, title, (f"q={wanted[-1]}",))


def split_sizes(runs: Runs, *, largest_only: bool = False) -> Splits:
    """Fit on the smaller model sizes and test on the next, for each size but the two smallest.

    Args:
        runs: the rows.
        largest_only: whether only the largest size is tested.

    Raises:
        UsageError: if there are fewer than three sizes.
    """
    sizes = np.unique(runs.N)
    if len(sizes) < 3:
        listed = " and ".join(distinct(sizes))
        raise UsageError(
            f"--leave-size-out needs three model sizes or more, and the rows have {listed}: two"
            " sizes cannot pin E, A and alpha together, and one says nothing about others. Use"
            " --folds, or --test with longer trainings."
        )
    splits = []
    labels = dict(zip(sizes.tolist(), distinct(sizes.tolist()), strict=True))
    for size in sizes[-1:] if largest_only else sizes[2:]:
        train, test = runs.select(size > runs.N), runs.select(size == runs.N)
        part = HeldOut(labels[float(size)], test, _count_known(train, test))
        splits.append(Split(1, train, (part,)))
    notes = _mixture_notes(splits)
    columns = tuple(split.tests[0].column for split in splits)
    if len(np.unique(splits[0].train.N)) == 2:
        text = (
            f"{columns[0]} is predicted from two sizes, which cannot pin E, A and alpha together:"
            " that column is arbitrary"
        )
        notes = (Note("two-model-sizes", text), *notes)
    title = "fitted on the smaller sizes, tested on the next"
    if largest_only:
        title = f"fitted on the smaller sizes, tested on {columns[0]}"
    # The first size is predicted from two, unless only the largest is.
    return Splits(tuple(splits), title, columns[1:] or columns, notes)


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
    column = f"D>{short(longest / _LONGER)}"
    split = Split(1, train, (HeldOut(column, test, _count_known(train, test)),))
    title = f"fitted on the shorter trainings, tested on {column}"
    return Splits((split,), title, (column,), _mixture_notes((split,)))


def join_splits(plans: Sequence[Splits]) -> Splits:
    """Make one comparison of several whose columns differ; each has its say in which law is best.

    Args:
        plans: one or more.
    """
    return Splits(
        splits=tuple(split for plan in plans for split in plan.splits),
        title="; ".join(plan.title for plan in plans),
        decisive=tuple(column for plan in plans for column in plan.decisive),
        notes=tuple(note for plan in plans for note in plan.notes),
    )


def selection_splits(runs: Runs, *, seed: int = 0) -> Splits:
    """Hold out folds of mixtures, and the largest size or else the longest trainings.

    Raises:
        UsageError: if the rows have too few mixtures, sizes and lengths for either.
    """
    found = []
    if len(runs.mixtures) > 1:
        folds = _FOLDS_OF_FEW if len(runs.mixtures) < _FEW_MIXTURES else _FOLDS
        found.append(split_folds(runs, min(folds, len(runs.mixtures)), seed=seed))
    if len(np.unique(runs.N)) >= 3:
        found.append(split_sizes(runs, largest_only=True))
    elif (lengths := split_lengths(runs)) is not None:
        found.append(lengths)
    if not found:
        raise UsageError(
            "There is nothing to hold out, as auto must: the rows have one mixture, fewer than"
            " three model sizes and too few training lengths. Name a law, or a shrinkage."
        )
    return join_splits(found)


def _held_out_mixtures(runs: Runs, held: NDArray[np.intp], fold: int, column: str) -> Split:
    tested = np.isin(runs.mixture, held)
    part = HeldOut(column, runs.select(tested), 0)
    return Split(fold, runs.select(~tested), (part,))


def _mixture_labels(train: Runs, test: Runs) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Number the mixtures of two tables alike."""
    labels, _ = group_mixtures(np.concatenate([train.h, test.h]))
    return labels[: len(train)], labels[len(train) :]


def _count_known(train: Runs, test: Runs) -> int:
    fitted, tested = _mixture_labels(train, test)
    return len(np.intersect1d(fitted, tested))


def _mixture_notes(splits: Sequence[Split]) -> tuple[Note, ...]:
    """Say how many test mixtures also stand in training."""
    notes = []
    for split in splits:
        for part in split.tests:
            if part.known_mixtures:
                text = (
                    f"{part.column}: {part.known_mixtures} of"
                    f" {counted(len(part.runs.mixtures), 'test mixture')} also stand in training:"
                    " it tests scale, not new mixtures"
                )
                notes.append(Note("known-mixtures", text))
    return tuple(notes)


def _refuse_shared(train: Runs, test: Runs, column: str) -> None:
    """Refuse a checkpoint on both sides, be it one row or one that is logged twice.

    Two rows of one mixture and model size are one checkpoint if they have the same D, or the same
    losses at nearly the same D.
    """
    fitted, tested = _mixture_labels(train, test)
    at: dict[tuple[int, float], list[int]] = {}
    for row, key in enumerate(zip(fitted.tolist(), train.N.tolist(), strict=True)):
        at.setdefault(key, []).append(row)
    targets = [t for t in test.targets if t in train.targets]
    ours = np.column_stack([train.losses_of(t) for t in targets]) if targets else None
    theirs = np.column_stack([test.losses_of(t) for t in targets]) if targets else None
    shared = 0
    for row, key in enumerate(zip(tested.tolist(), test.N.tolist(), strict=True)):
        rows = np.array(at.get(key, []), dtype=np.intp)
        same = train.D[rows] == test.D[row]
        if ours is not None and theirs is not None and len(rows):
            near = np.abs(train.D[rows] - test.D[row]) <= 5e-3 * test.D[row]
            gap = np.abs(ours[rows] - theirs[row])
            equal = (gap <= _SAME_LOSS * theirs[row]) | np.isnan(gap)
            same |= near & equal.all(axis=1) & ~np.isnan(gap).all(axis=1)
        shared += int(same.any())
    if shared:
        verb = "is" if shared == 1 else "are"
        raise UsageError(
            f"{counted(shared, 'checkpoint')} of --test '{column}' {verb} fitted too. Let --train"
            " and --test exclude each other."
        )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
