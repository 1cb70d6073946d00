"""`--trim auto`: from which N and D on rows are worth fitting.

The smallest sizes and the first checkpoints often do not follow a law that holds for the others,
and fitting them costs accuracy at scale. So the largest size is held out, the law is fitted to the
others, and to fewer and fewer of them, and what predicts the later checkpoints of the largest size
best says which rows to keep.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.base.numbers import counted, short
from mixfit.base.parallel import Executor
from mixfit.evaluation.rule import Difference, difference, logs_of
from mixfit.fitting.discrepancy import NONE
from mixfit.fitting.fit import applicable, fit, fit_all
from mixfit.fitting.optimum import optima
from mixfit.fitting.options import FitOptions
from mixfit.fitting.pooling import Case, errors_at
from mixfit.fitting.solvers import descend
from mixfit.fitting.trimmed import Cut, Trim
from mixfit.laws.pooled import law_of
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.optimum import Optimum
    from mixfit.fitting.result import Fit
    from mixfit.laws.law import Law
    from mixfit.laws.pooled import AutoLaw, PooledLaw
    from mixfit.runs.runs import Runs

_KEPT_SIZES = 3  # at the least, beside the one held out: fewer cannot pin E, A and alpha
_KEPT_LENGTHS = 3  # of every size, at the least
_LENGTHS = 8  # tried, at the most
_TOLERANCE = 1e-4


def fit_trimmed(
    runs: Runs,
    law: str | Law | PooledLaw | AutoLaw = "additive",
    *,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> Fit:
    """Fit a law to the rows from the N and D on that held-out errors speak for.

    Args:
        runs: the rows to choose from.
        law: as in `mixfit.fit`.
        options: of the fits.
        jobs: as in `mixfit.fit`.

    Returns:
        The fit, with the choice as its `trim`.

    Raises:
        UsageError: there are too few sizes, or the law cannot be fitted.
    """
    options, executor = options or FitOptions(), Executor.of(jobs)
    sizes = check_sizes(runs)
    largest = sizes[-1] == runs.N
    middle = float(np.sqrt(runs.D[largest].min() * runs.D[largest].max()))
    held, train = runs.select(largest & (middle <= runs.D)), runs.select(~largest)
    alone = replace(options, discrepancy=NONE)
    wanted, train = law_of(law), train.varying()
    case = Case(train, wanted, applicable(wanted.law, train))
    ((first, _),) = fit_all([case], alone, executor)
    known = optima(first, train)
    places = [(N, D) for N in sizes[:-_KEPT_SIZES].tolist() for D in _lengths(train)]
    tasks = [_Task(own, TargetRows.of(held, own.rows.target), places) for own in known]
    errors = np.full((len(places), len(held.mixtures), len(known)), np.nan)
    for number, found in enumerate(executor.map(_follow, tasks, "trimming")):
        errors[:, np.unique(tasks[number].held.mixture), number] = found
    tests = f"{short(sizes[-1])} from {short(float(held.D.min()))} tokens on"
    trim = _choose(places, errors, train, tests)
    kept = trimmed(runs, trim)
    fitted = fit(kept, law, options=options, jobs=executor)
    return replace(fitted, trim=trim, notes=(*fitted.notes, _note(trim, kept, runs)))


def check_sizes(runs: Runs) -> Array:
    """Give the model sizes of rows, which must be enough to hold out the largest.

    Raises:
        UsageError: they are too few.
    """
    sizes = np.unique(runs.N)
    if len(sizes) <= _KEPT_SIZES:
        raise UsageError(
            f"{parameter('trim')} auto predicts the largest size from {_KEPT_SIZES} others or more,"
            f" and the rows have {counted(len(sizes), 'size')}. Choose rows with"
            f" {parameter('where')}."
        )
    return sizes


def _lengths(runs: Runs) -> list[float]:
    """Give the smallest D to try, of which every size keeps enough longer ones."""
    lengths = np.unique(runs.D)
    longest = min(np.unique(runs.D[runs.N == N])[-_KEPT_LENGTHS:][0] for N in np.unique(runs.N))
    steps = np.geomspace(lengths[0], max(longest, lengths[0]), _LENGTHS)
    # The nearest that there is, and each once.
    near = np.abs(np.log(lengths[:, None] / steps)).argmin(axis=0)
    return [float(lengths[place]) for place in np.unique(near) if lengths[place] <= longest]


class _Task(NamedTuple):
    """A target to be fitted to fewer and fewer rows, and to be predicted."""

    optimum: Optimum
    held: TargetRows
    places: Sequence[tuple[float, float]]


def _follow(task: _Task) -> Array:
    """Give the mean error of each mixture held out in percent, (places, mixtures)."""
    optimum, rows, found = task.optimum, task.optimum.rows, []
    own = optimum
    for place, (N, D) in enumerate(task.places):
        if place and task.places[place - 1][0] != N:
            own = optimum  # each size anew
        objective, theta = own.objective(rows.select((rows.N >= N) & (rows.D >= D)))
        theta = descend(objective, theta, tolerance=_TOLERANCE).theta
        own = replace(own, params=objective.formula.natural(theta))
        found.append(errors_at(objective.formula, [theta], task.held)[0])
    return np.array(found)


def _choose(places: Sequence[tuple[float, float]], errors: Array, train: Runs, tests: str) -> Trim:
    """Choose the most rows among cuts that are about as good as the best.

    Args:
        places: the N and D of each cut.
        errors: held out, (cuts, mixtures, targets), in percent.
        train: the rows that cuts are made of.
        tests: what was held out, in words.
    """
    logs = [{"": logs_of(own)} for own in errors]
    rows = [int(np.sum((train.N >= N) & (train.D >= D))) for N, D in places]
    best = min(range(len(places)), key=lambda i: difference(logs[i], logs[0]).mean)

    def as_good(gap: Difference) -> bool:
        return gap.mean <= (0.0 if np.isnan(gap.error) else gap.error)

    near = [i for i, own in enumerate(logs) if as_good(difference(own, logs[best]))]
    chosen = max(near, key=lambda i: rows[i])
    cuts = []
    for place, count, own, log in zip(places, rows, errors, logs, strict=True):
        gap = difference(log, logs[chosen])
        mre = float(np.nanmean(np.nanmean(own, axis=0)))
        cuts.append(Cut(*place, count, mre, gap.percent, gap.percent_error))
    return Trim(tests, *places[chosen], tuple(cuts))


def trimmed(runs: Runs, trim: Trim | None) -> Runs:
    """Take the rows that a choice keeps, with conditions that say so; all without a choice."""
    if trim is None:
        return runs
    kept = runs.select((trim.model_size <= runs.N) & (trim.tokens <= runs.D))
    units = runs.columns.units or {}
    added = []
    for name, least, values in (
        ("model_size", trim.model_size, runs.N),
        ("tokens", trim.tokens, runs.D),
    ):
        column = getattr(runs.columns, name)
        if isinstance(column, str) and least > values.min():
            added.append(f"{column}>={_as_written(least / units.get(name, 1.0))}")
    return replace(kept, where=(*runs.where, *added))


def _as_written(number: float) -> str:
    """Write a number shortly, and never above what it is."""
    text = f"{number:.10g}"
    return text if float(text) <= number else repr(number * (1 - 1e-12))


def _note(trim: Trim, kept: Runs, runs: Runs) -> Note:
    chosen, every = trim.chosen, trim.cuts[0]
    if chosen is every:
        best = min(cut.mre for cut in trim.cuts)
        text = f"all rows are kept: without some, {trim.tests} is predicted no better"
        text += f" ({every.mre:.2f}% off with all, {best:.2f}% at the lowest)"
    else:
        text = (
            f"{len(kept):,} of {len(runs):,} rows are kept, from {short(trim.model_size)}"
            f" parameters and {short(trim.tokens)} tokens on: with the like of these {trim.tests}"
            f" is predicted {chosen.mre:.2f}% off, with all {every.mre:.2f}%"
        )
    return Note("trim", text)
