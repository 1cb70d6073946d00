"""How hard to pull parameters together: chosen by mixtures held out of the rows to fit.

The strengths of the pulls (see `mixfit.fitting.prior`) that serve best fall with the number of
mixtures, and rise with that of domains and with the noise. So they are chosen within the rows: the
mixtures are dealt out to folds, and each fold is predicted from the others. First every target is
followed alone down a grid of strengths between domains, and the one with the lowest error is taken
for all targets; then the same with the pull between targets. Errors are compared as logs: one
mixture far from all others must not decide alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.metrics import means_by_mixture, percent_errors
from mixfit.fitting.prior import centres, shapes_of
from mixfit.fitting.result import PoolPath, Trial
from mixfit.fitting.search import GRID, TargetSearch
from mixfit.fitting.solvers import descend
from mixfit.laws.pooled import USUAL, AutoLaw, Pool, PooledLaw, assuming
from mixfit.runs.splits import split_few_folds
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.base.parallel import Executor
    from mixfit.fitting.options import FitOptions
    from mixfit.fitting.prior import Shapes
    from mixfit.laws.formula import Formula
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs

# Strengths of the pull between targets.
ACROSS = (0.1, 0.03, 0.01, 0.003, 0.0)
# That of exponents to those of other targets. Mixtures held out do not see it; it is weak enough to
# decide only between optima that the rows can hardly tell apart.
EXPONENTS = 0.003
ROUNDS = 2  # in which targets move to the medians of the others
_TOLERANCE = 1e-5


class FollowTask(NamedTuple):
    """Laws to be followed down the grid on some rows of a target, and errors on others.

    Attributes:
        fitted: the rows to fit.
        held_out: the rows to predict.
        laws: the laws.
        starts: natural parameters of each law, from which it is followed.
        strengths: of the pull between domains, falling.
        options: of the fits.
    """

    fitted: TargetRows
    held_out: TargetRows
    laws: tuple[Law, ...]
    starts: tuple[dict[str, Array], ...]
    strengths: tuple[float, ...]
    options: FitOptions


class Followed(NamedTuple):
    """A law followed down the grid of strengths, for one target.

    Attributes:
        thetas: at each strength, (strengths, size).
        errors: the mean error of each mixture held out, in percent, (strengths, mixtures).
        seconds: that it took.
    """

    thetas: Array
    errors: Array
    seconds: float


def follow(task: FollowTask) -> list[Followed]:
    """Follow each law of a task down the grid."""
    search = TargetSearch(task.fitted, task.options)
    results = []
    for law, start in zip(task.laws, task.starts, strict=True):
        begin = time.perf_counter()
        wanted = assuming(law)
        formula = search.objective(wanted).formula
        theta = formula.internal({param.name: start[param.name] for param in formula.law.groups})
        thetas = search.path(wanted, task.strengths, start=theta, tolerance=_TOLERANCE)
        errors = errors_at(formula, thetas, task.held_out)
        results.append(Followed(np.array(thetas), errors, time.perf_counter() - begin))
    return results


def errors_at(formula: Formula, thetas: Sequence[Array], rows: TargetRows) -> Array:
    """Give the mean error of each mixture of rows in percent, (thetas, mixtures).

    Where a prediction is not finite or not positive, all errors are infinite: what overflows must
    not be chosen.
    """
    errors: list[Array] = []
    for theta in thetas if len(rows) else ():
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = formula.predict(theta, rows.N, rows.D, rows.h)
        _, mean = means_by_mixture(rows.mixture, percent_errors(predicted, rows.loss))
        sound = np.all(np.isfinite(predicted)) and np.all(predicted > 0)
        errors.append(mean if sound else np.full(len(mean), np.inf))
    return np.array(errors) if errors else np.empty((len(thetas), 0))


class _TogetherTask(NamedTuple):
    """All targets of one fold, to be pulled to each other with each strength of `ACROSS`."""

    fitted: tuple[TargetRows, ...]
    held_out: tuple[TargetRows, ...]
    law: Law
    domains: float
    thetas: tuple[Array, ...]
    options: FitOptions


def _together(task: _TogetherTask) -> Array:
    """Give the mean error of each mixture and target held out, in percent, (ACROSS, errors)."""
    searches = [TargetSearch(rows, task.options) for rows in task.fitted]
    errors = []
    thetas = list(task.thetas)
    for strength in reversed(ACROSS):
        law = PooledLaw(task.law, Pool(task.domains, strength, EXPONENTS, USUAL))
        thetas = _round(searches, law, thetas)  # one is enough, since the next goes on from it
        at = [
            errors_at(search.objective(law).formula, [theta], rows)[0]
            for search, theta, rows in zip(searches, thetas, task.held_out, strict=True)
        ]
        errors.append(np.concatenate(at))
    return np.array(errors[::-1])


def _round(
    searches: Sequence[TargetSearch], law: PooledLaw, thetas: Sequence[Array]
) -> list[Array]:
    """Let every target move to the medians of the others as these stand."""
    formulas = [search.objective(law).formula for search in searches]
    goals = goals_of([search.rows for search in searches], formulas, thetas)
    return [
        descend(search.objective(law, goal), theta, tolerance=_TOLERANCE).theta
        for search, goal, theta in zip(searches, goals, thetas, strict=True)
    ]


def goals_of(
    rows: Sequence[TargetRows], formulas: Sequence[Formula], thetas: Sequence[Array]
) -> list[Shapes]:
    """Give where each target is pulled to by the others (see `mixfit.fitting.prior.centres`)."""
    return centres(
        [
            shapes_of(formula, theta, own.own_domain)
            for own, formula, theta in zip(rows, formulas, thetas, strict=True)
        ]
    )


class Case(NamedTuple):
    """Rows, and a law that can be fitted to some of their targets.

    Attributes:
        runs: the rows.
        law: with strengths, or with strengths to be chosen.
        targets: that the law can be fitted to.
    """

    runs: Runs
    law: PooledLaw | AutoLaw
    targets: tuple[str, ...]


class Chosen(NamedTuple):
    """A law with its strengths, how they were chosen, and the time that it took on one core."""

    law: PooledLaw
    path: PoolPath | None
    seconds: float


def choose_strengths(
    cases: Sequence[Case],
    starts: Sequence[Mapping[str, dict[str, Array]]],
    options: FitOptions,
    executor: Executor,
) -> list[Chosen]:
    """Choose the strengths that laws leave open, within the rows of each case.

    Args:
        cases: each apart from the others.
        starts: of each case, target to the natural parameters of the law where it is pooled
            hardest, on all rows. Folds start from there: which minimum a start leads to hardly
            depends on the rows where all domains are nearly alike.
        options: of the fits.
        executor: where the work is done.

    Returns:
        One for each case; a law is free where its rows have nothing to hold out.
    """
    tasks: list[FollowTask] = []
    owners: list[list[tuple[int, int]]] = []  # of each task: case and fold
    for runs in distinct_tables([case.runs for case in cases]):
        of_table = {
            number: case.law.law
            for number, case in enumerate(cases)
            if case.runs is runs and isinstance(case.law, AutoLaw)
        }
        for fold, (train, test) in enumerate(_folds(runs, options.seed) if of_table else ()):
            for target in runs.targets:
                own = [number for number in of_table if target in cases[number].targets]
                fitted, held_out = TargetRows.of(train, target), TargetRows.of(test, target)
                if own and len(fitted):
                    laws = tuple(of_table[number] for number in own)
                    from_there = tuple(starts[number][target] for number in own)
                    tasks.append(FollowTask(fitted, held_out, laws, from_there, GRID, options))
                    owners.append([(number, fold) for number in own])
    followed = [list[_Part]() for _ in cases]
    results = executor.map(follow, tasks, "choosing how hard to pool") if tasks else []
    for task, of_task, parts in zip(tasks, owners, results, strict=True):
        for (number, fold), part in zip(of_task, parts, strict=True):
            followed[number].append(_Part(fold, task, part))
    trials = [_trial_of(parts) for parts in followed]
    across = _choose_across(cases, followed, trials, options, executor)
    return [
        _chosen(case, trial, own, sum(part.followed.seconds for part in parts))
        for case, trial, own, parts in zip(cases, trials, across, followed, strict=True)
    ]


class _Part(NamedTuple):
    """A law followed on one fold and target."""

    fold: int
    task: FollowTask
    followed: Followed


def distinct_tables(tables: Sequence[Runs]) -> list[Runs]:
    """Give tables once each."""
    distinct: list[Runs] = []
    for runs in tables:
        if not any(runs is other for other in distinct):
            distinct.append(runs)
    return distinct


def _folds(runs: Runs, seed: int) -> list[tuple[Runs, Runs]]:
    """Give the rows to fit and to predict of each fold; none where there is one mixture."""
    folds = split_few_folds(runs, seed=seed)
    return [] if folds is None else [(own.train, own.tests[0].runs) for own in folds.splits]


def _trial_of(parts: Sequence[_Part]) -> Trial | None:
    """Choose the strength between domains; None where nothing is held out."""
    if not any(part.followed.errors.size for part in parts):
        return None
    errors = np.concatenate([part.followed.errors for part in parts], axis=1)
    return Trial.of(GRID, errors)


def _choose_across(
    cases: Sequence[Case],
    followed: Sequence[Sequence[_Part]],
    trials: Sequence[Trial | None],
    options: FitOptions,
    executor: Executor,
) -> list[Trial | None]:
    """Choose the strength between targets, where the law of a case has several and asks for it."""
    tasks, owners = [], []
    for number, (case, parts, trial) in enumerate(zip(cases, followed, trials, strict=True)):
        if trial is None or len(case.targets) < 2:
            continue
        if not (isinstance(case.law, AutoLaw) and case.law.across):
            continue
        at = GRID.index(trial.chosen)
        for fold in dict.fromkeys(part.fold for part in parts):
            own = [part for part in parts if part.fold == fold]
            tasks.append(
                _TogetherTask(
                    fitted=tuple(part.task.fitted for part in own),
                    held_out=tuple(part.task.held_out for part in own),
                    law=case.law.law,
                    domains=trial.chosen,
                    thetas=tuple(part.followed.thetas[at] for part in own),
                    options=options,
                )
            )
            owners.append(number)
    results = executor.map(_together, tasks, "pooling targets") if tasks else []
    chosen: list[Trial | None] = [None for _ in cases]
    for number in dict.fromkeys(owners):
        errors = [e for owner, e in zip(owners, results, strict=True) if owner == number]
        chosen[number] = Trial.of(ACROSS, np.concatenate(errors, axis=1))
    return chosen


def _chosen(case: Case, domains: Trial | None, targets: Trial | None, seconds: float) -> Chosen:
    """Put what was chosen together."""
    if isinstance(case.law, PooledLaw):
        return Chosen(case.law, None, 0.0)
    if domains is None:
        return Chosen(assuming(case.law.law), None, seconds)
    pool = Pool(domains.chosen, usual=USUAL)
    if targets is not None:
        pool = Pool(domains.chosen, targets.chosen, EXPONENTS, USUAL)
    folds = split_few_folds(case.runs)
    assert folds is not None  # errors come of nothing else
    path = PoolPath(folds.title, domains, targets)
    return Chosen(PooledLaw(case.law.law, pool), path, seconds)
