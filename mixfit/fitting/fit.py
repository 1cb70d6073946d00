"""A law and runs to a `Fit`: eq. (6) minimised for every target."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import NotApplicableError, Note, UsageError, parameter
from mixfit.base.numbers import counted
from mixfit.base.parallel import Executor
from mixfit.fitting.described import described, pool_notes, treatment_notes
from mixfit.fitting.diagnosis import table_notes
from mixfit.fitting.kriging import with_discrepancies
from mixfit.fitting.options import FitOptions
from mixfit.fitting.pooling import ROUNDS, Case, choose_strengths, distinct_tables, goals_of
from mixfit.fitting.residuals import with_misfits
from mixfit.fitting.result import Fit, FitData, TargetFit
from mixfit.fitting.search import GRID, Solved, TargetSearch
from mixfit.fitting.solvers import LAST_STEPS, Solution, descend
from mixfit.laws.pooled import AutoLaw, PooledLaw, assuming, law_of
from mixfit.runs.doubts import with_doubts
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.prior import Shapes
    from mixfit.fitting.result import PoolPath
    from mixfit.laws.formula import Formula
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs


def fit(
    runs: Runs,
    law: str | Law | PooledLaw | AutoLaw = "additive",
    *,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> Fit:
    """Fit a law to every target of runs: the Huber loss, eq. (6), minimised for each.

    The result depends on the rows, the law, the options and the targets, not on `jobs`. Where
    targets are pooled, as they are by default, each depends on which others there are.

    Args:
        runs: the rows to fit.
        law: a law of your own, or the name of one in the catalogue, which may say how hard its
            parameters are pooled, as in ``coupled:none`` (see `mixfit.laws.pooled.parse_law`).
        options: how; `FitOptions()` by default.
        jobs: processes that targets are spread over, None for one for each processor, or an
            `Executor`. With more than one, a script must guard what it runs by
            ``if __name__ == "__main__"``, as processes import it.

    Raises:
        UsageError: if there is no such law, it can be fitted to none of the targets, or the losses
            of each are all one number.
    """
    wanted, runs = law_of(law), with_doubts(runs.varying())
    refused = refusals(wanted.law, runs)
    case = Case(runs, wanted, applicable(wanted.law, runs))
    ((fitted, _),) = fit_all([case], options or FitOptions(), Executor.of(jobs))
    left_out = [
        Note("not-applicable", f"left out: {wanted.name} cannot be fitted, since {reason}", target)
        for target, reason in refused.items()
    ]
    before = len(runs.notes)
    noted = replace(fitted, notes=(*runs.notes, *left_out, *fitted.notes[before:]))
    return with_misfits(noted, runs)


def fit_all(
    cases: Sequence[Case], options: FitOptions, executor: Executor
) -> list[tuple[Fit, dict[str, float]]]:
    """Fit laws to tables, all at once: what tables and laws have in common is done once.

    Args:
        cases: rows, laws and the targets that these can be fitted to.
        options: of the fits.
        executor: where the work is done.

    Returns:
        For each case the fit, and target to the seconds that it took, on one core and with all that
        it started from.
    """
    alone = _fit_alone(cases, options, executor)
    starts = [
        {target: own.start for target, own in of_case.items() if own.start is not None}
        for of_case in alone
    ]
    chosen = choose_strengths(cases, starts, options, executor)
    settled = _settle(cases, [law for law, _, _ in chosen], alone, options, executor)
    fits = [
        _fit_of(case, law, path, {name: own.fit for name, own in of_case.items()}, options)
        for case, (law, path, _), of_case in zip(cases, chosen, settled, strict=True)
    ]
    results = []
    added = with_discrepancies(fits, [case.runs for case in cases], executor)
    for (fitted, spent), (_, _, seconds), of_case in zip(added, chosen, settled, strict=True):
        shared = (seconds + spent) / max(len(of_case), 1)
        times = {target: outcome.seconds + shared for target, outcome in of_case.items()}
        results.append((fitted, times))
    return results


class FitTask(NamedTuple):
    """Laws to be fitted to the rows of a target, in a process of its own perhaps."""

    rows: TargetRows
    laws: tuple[PooledLaw | AutoLaw, ...]
    options: FitOptions


class _Alone(NamedTuple):
    """A law and the rows of one target, apart from the other targets.

    Attributes:
        formula: of the target.
        thetas: strength of the pull between domains to internal parameters, (size,): one, or all
            of `GRID` where the strength is left open.
        start: where it is, the natural parameters where the law is pooled hardest.
        fit: where no other target has a say, the result.
        seconds: that it took, with all that it started from.
    """

    formula: Formula
    thetas: dict[float, Array]
    start: dict[str, Array] | None
    fit: TargetFit | None
    seconds: float


def _fit_alone(
    cases: Sequence[Case], options: FitOptions, executor: Executor
) -> list[dict[str, _Alone]]:
    """Fit the laws to each target apart from the others."""
    tasks, owners = [], []
    for runs in distinct_tables([case.runs for case in cases]):
        own = [number for number, case in enumerate(cases) if case.runs is runs]
        for target in runs.targets:
            numbers = [number for number in own if target in cases[number].targets]
            if numbers:
                laws = tuple(cases[number].law for number in numbers)
                tasks.append(FitTask(TargetRows.of(runs, target), laws, options))
                owners.append(numbers)
    names = dict.fromkeys(str(case.law) for case in cases)
    label = f"fitting {next(iter(names)) if len(names) == 1 else counted(len(names), 'law')}"
    alone = [dict[str, _Alone]() for _ in cases]
    results = executor.map(_fit_target, tasks, label)
    for task, numbers, of_task in zip(tasks, owners, results, strict=True):
        for number, outcome in zip(numbers, of_task, strict=True):
            alone[number][task.rows.target] = outcome
    return alone


def _fit_target(task: FitTask) -> list[_Alone]:
    search = TargetSearch(task.rows, task.options)
    return [_alone(search, law) for law in task.laws]


def _alone(search: TargetSearch, law: PooledLaw | AutoLaw) -> _Alone:
    if isinstance(law, AutoLaw):
        begin = time.perf_counter()
        wanted = assuming(law.law)
        thetas = dict(zip(GRID, search.path(wanted, GRID), strict=True))
        formula = search.objective(wanted).formula
        seconds = time.perf_counter() - begin
        return _Alone(formula, thetas, formula.natural(thetas[GRID[0]]), None, seconds)
    solved = search.solve(law)
    strength = 0.0 if law.pool is None else law.pool.domains
    fitted = described(solved, law, search.rows, search.options)
    return _Alone(solved.formula, {strength: solved.theta}, None, fitted, search.seconds(law))


class _Settled(NamedTuple):
    """A target's fit, with all the time that it took."""

    fit: TargetFit
    seconds: float


def _settle(
    cases: Sequence[Case],
    laws: Sequence[PooledLaw],
    alone: Sequence[Mapping[str, _Alone]],
    options: FitOptions,
    executor: Executor,
) -> list[dict[str, _Settled]]:
    """Take each law to the strengths chosen for it, the targets to each other where that is asked.

    Targets move in rounds, each to the medians of the others as these stood before the round.
    """
    settled = [dict[str, _Settled]() for _ in cases]
    thetas: list[dict[str, Array]] = []
    for number, (law, of_case) in enumerate(zip(laws, alone, strict=True)):
        strength = 0.0 if law.pool is None else law.pool.domains
        thetas.append({target: own.thetas[strength] for target, own in of_case.items()})
        if not _together(law, of_case):
            settled[number] = {
                target: _Settled(own.fit, own.seconds)
                for target, own in of_case.items()
                if own.fit is not None
            }
    for turn in range(ROUNDS):
        tasks, owners = [], []
        for number, (case, law) in enumerate(zip(cases, laws, strict=True)):
            targets = [target for target in alone[number] if target not in settled[number]]
            pulled = _together(law, alone[number])
            if not targets or (turn < ROUNDS - 1 and not pulled):
                continue
            rows = [TargetRows.of(case.runs, target) for target in targets]
            goals: list[Shapes | None] = [None for _ in targets]
            if pulled:
                own = thetas[number]
                formulas = [alone[number][target].formula for target in targets]
                goals = [*goals_of(rows, formulas, [own[target] for target in targets])]
            for target, of_target, goal in zip(targets, rows, goals, strict=True):
                start = thetas[number][target]
                tasks.append(_Move(of_target, law, goal, start, turn == ROUNDS - 1, options))
                owners.append((number, target))
        moved = executor.map(_move, tasks, "pooling targets") if tasks else []
        for (number, target), (theta, fitted, seconds) in zip(owners, moved, strict=True):
            thetas[number][target] = theta
            if fitted is not None:
                spent = alone[number][target].seconds + ROUNDS * seconds
                settled[number][target] = _Settled(fitted, spent)
    return settled


def _together(law: PooledLaw, targets: Collection[str]) -> bool:
    """Whether the targets of a fit pull each other."""
    return law.pool is not None and law.pool.across and len(targets) > 1


class _Move(NamedTuple):
    """A target that moves to where the prior pulls it, for the last time or not."""

    rows: TargetRows
    law: PooledLaw
    goal: Shapes | None
    theta: Array
    last: bool
    options: FitOptions


def _move(task: _Move) -> tuple[Array, TargetFit | None, float]:
    """Give where it ends, the fit if this is the last time, and the time that it took."""
    begin = time.perf_counter()
    objective = TargetSearch(task.rows, task.options).objective(task.law, task.goal)
    point = descend(objective, task.theta, steps=LAST_STEPS)
    fitted = None
    if task.last:
        solved = Solved(objective, Solution(point, 0), time.perf_counter() - begin)
        fitted = described(solved, task.law, task.rows, task.options)
    return point.theta, fitted, time.perf_counter() - begin


def _fit_of(
    case: Case,
    law: PooledLaw,
    path: PoolPath | None,
    fits: dict[str, TargetFit],
    options: FitOptions,
) -> Fit:
    """Put the fits of all targets together, with notes on all."""
    runs, declared = case.runs, law.law
    general = table_notes(runs.N, runs.D, declared)
    noted = {}
    for target, fitted in fits.items():
        rows = TargetRows.of(runs, target)
        own = [note for note in table_notes(rows.N, rows.D, declared) if note not in general]
        notes = (*(replace(note, target=target) for note in own), *fitted.notes)
        noted[target] = replace(fitted, notes=notes)
    pooling = [] if path is None else [path.note()]
    if isinstance(case.law, AutoLaw) and path is None:
        text = "the rows have no mixtures to hold out, so that nothing is pooled"
        pooling.append(Note("not-pooled", text))
    return Fit(
        law=law,
        domains=runs.domains,
        options=options.filled(declared),
        data=FitData.of(runs),
        targets=noted,
        notes=(
            *runs.notes,
            *treatment_notes(declared, options),
            *pooling,
            *pool_notes(law, fits.values()),
            *general,
        ),
        pool_path=path,
    )


def refusals(law: Law, runs: Runs) -> dict[str, str]:
    """Find the targets that a law cannot be fitted to.

    Args:
        law: as it was declared.
        runs: the rows to fit.

    Returns:
        Target to reason, a clause about the law.
    """
    refused = {}
    for target in runs.targets:
        try:
            rows = ~np.isnan(runs.losses_of(target))
            law.bound(runs.domains, target).check(runs.h[rows], runs.domains)
        except NotApplicableError as error:
            refused[target] = str(error)
    return refused


def applicable(law: Law, runs: Runs) -> tuple[str, ...]:
    """Give the targets that a law can be fitted to.

    Raises:
        UsageError: there is none.
    """
    refused = refusals(law, runs)
    if len(refused) == len(runs.targets):
        targets, reasons = ", ".join(refused), "; ".join(dict.fromkeys(refused.values()))
        raise UsageError(
            f"The law {law.name} cannot be fitted to {targets}: {reasons}. Choose other"
            f" targets with {parameter('targets')}, or another law."
        )
    return tuple(target for target in runs.targets if target not in refused)


def target_fit(search: TargetSearch, law: PooledLaw) -> TargetFit:
    """Fit a law to one target, and look at the fit."""
    return described(search.solve(law), law, search.rows, search.options)
