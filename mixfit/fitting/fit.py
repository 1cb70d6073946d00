"""A law and runs to a `Fit`: eq. (6) minimised for every target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import NotApplicableError, Note, UsageError, parameter
from mixfit.base.metrics import mean_relative_error
from mixfit.base.numbers import counted
from mixfit.base.parallel import Executor
from mixfit.fitting.diagnosis import diagnose, table_notes
from mixfit.fitting.objective import huber
from mixfit.fitting.prior import effective_parameters
from mixfit.fitting.result import Fit, FitData, FitOptions, TargetFit
from mixfit.fitting.search import TargetSearch
from mixfit.laws.law import OURS
from mixfit.laws.pooled import AutoLaw, PooledLaw, law_of
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Collection

    from mixfit.fitting.search import Solved
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs


def fit(
    runs: Runs,
    law: str | Law | PooledLaw = "additive",
    *,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> Fit:
    """Fit a law to every target of runs: the Huber loss, eq. (6), minimised for each.

    The result depends on the rows, the law, the options and the targets' names, not on `jobs` nor
    on which other targets there are.

    Args:
        runs: the rows to fit.
        law: a law of your own, or the name of one in the catalogue, which may say how hard its
            domains are pooled, as in ``coupled:0.01`` (see `mixfit.laws.pooled`).
        options: how; `FitOptions()` by default.
        jobs: processes that targets are spread over, None for one for each processor, or an
            `Executor`. With more than one, a script must guard what it runs by
            ``if __name__ == "__main__"``, as processes import it.

    Raises:
        UsageError: if there is no such law, or it can be fitted to none of the targets.
    """
    options = options or FitOptions()
    wanted = law_of(law)
    if isinstance(wanted, AutoLaw):
        raise UsageError(f"{wanted}: held-out rows choose it; use fit_auto, or name a strength.")
    declared = wanted.law
    refused = refusals(declared, runs)
    if len(refused) == len(runs.targets):
        targets, reasons = ", ".join(refused), "; ".join(dict.fromkeys(refused.values()))
        raise UsageError(
            f"The law {declared.name} cannot be fitted to {targets}: {reasons}. Choose other"
            f" targets with {parameter('targets')}, or another law."
        )
    tasks = [
        FitTask(TargetRows.of(runs, target), wanted, options)
        for target in runs.targets
        if target not in refused
    ]
    outcomes = Executor.of(jobs).map(_fit_target, tasks, f"fitting {wanted}")
    general = table_notes(runs.N, runs.D, declared)
    fits = {}
    for task, outcome in zip(tasks, outcomes, strict=True):
        rows = task.rows
        own = [note for note in table_notes(rows.N, rows.D, declared) if note not in general]
        notes = (*(replace(note, target=rows.target) for note in own), *outcome.notes)
        fits[rows.target] = replace(outcome, notes=notes)
    left_out = [
        Note(
            "not-applicable", f"left out: {declared.name} cannot be fitted, since {reason}", target
        )
        for target, reason in refused.items()
    ]
    return Fit(
        law=wanted,
        domains=runs.domains,
        options=options.filled(declared),
        data=FitData.of(runs),
        targets=fits,
        notes=(
            *runs.notes,
            *left_out,
            *treatment_notes(declared, options),
            *_pool_notes(wanted, fits.values()),
            *general,
        ),
    )


def treatment_notes(law: Law, options: FitOptions) -> list[Note]:
    """Say how a law of others is fitted where that is not how mixfit fits its own.

    Args:
        law: as it was declared.
        options: of the fit.
    """
    own = options.of(law)
    if not own.source or own == replace(OURS, source=own.source):
        return []
    hops = "" if own.hops is None else f", {counted(own.hops, 'hop')}"
    text = f"delta {own.delta:g}, {own.solver}, at most {counted(own.restarts, 'start')}{hops}"
    return [Note("as-its-authors", f"{law.name} is fitted with {text}: {own.source}")]


def _pool_notes(law: PooledLaw, fits: Collection[TargetFit]) -> list[Note]:
    """Say how much of the pooled parameters the rows decided."""
    shares = []
    for param in law.law.groups:
        own = [fit.effective[param.name] for fit in fits if param.name in fit.effective]
        if own:
            k = len(next(iter(fits)).domains)
            shares.append(f"{np.mean(own):.1f} of {k} {param.name}")
    if not shares:
        return []
    text = f"pooled with strength {law.pool:g}: the rows decide {', '.join(shares)} of a target"
    return [Note("pooled", text if len(fits) == 1 else f"{text}, on average")]


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


class FitTask(NamedTuple):
    """A law to be fitted to the rows of a target, in a process of its own perhaps."""

    rows: TargetRows
    law: PooledLaw
    options: FitOptions


def _fit_target(task: FitTask) -> TargetFit:
    return target_fit(TargetSearch(task.rows, task.options), task.law)


def target_fit(search: TargetSearch, law: PooledLaw) -> TargetFit:
    """Fit a law to one target, and look at the fit."""
    rows, solved = search.rows, search.solve(law)
    predicted = solved.formula.predict(solved.theta, rows.N, rows.D, rows.h)
    status, notes = diagnose(solved, rows.domains)
    return TargetFit(
        target=rows.target,
        domains=rows.domains,
        form=solved.formula.law,
        params=solved.formula.natural(solved.theta),
        rows=len(rows),
        huber=float(huber(rows.loss - predicted, search.options.of(law.law).delta).mean()),
        mre=mean_relative_error(predicted, rows.loss),
        status=status,
        effective=_effective(solved),
        notes=tuple(replace(note, target=rows.target) for note in notes),
    )


def _effective(solved: Solved) -> dict[str, float]:
    """Give how many numbers of each pooled parameter the rows decide, none where none is pooled."""
    penalty = solved.objective.penalty
    if penalty is None:
        return {}
    of_rows = solved.objective.at(solved.theta).model.matrix - penalty.matrix
    return effective_parameters(solved.formula, of_rows, penalty)
