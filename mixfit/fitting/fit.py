"""A law and runs to a `Fit`: eq. (6) minimised for every target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import NotApplicableError, Note, UsageError, parameter
from mixfit.base.metrics import mean_relative_error
from mixfit.base.parallel import Executor
from mixfit.fitting.diagnosis import diagnose, table_notes
from mixfit.fitting.objective import huber
from mixfit.fitting.result import Fit, FitData, FitOptions, TargetFit
from mixfit.fitting.search import TargetSearch
from mixfit.laws.shrunk import AutoLaw, ShrunkLaw, law_of
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs


def fit(
    runs: Runs,
    law: str | Law | ShrunkLaw = "additive",
    *,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> Fit:
    """Fit a law to every target of runs: the Huber loss, eq. (6), minimised for each.

    The result depends on the rows, the law, the options and the targets' names, not on `jobs` nor
    on which other targets there are.

    Args:
        runs: the rows to fit.
        law: a law of your own, or the name of one in the catalogue, which may have its shrinkage
            with it as in ``coupled-linear:0.01`` (see `mixfit.laws.shrunk`).
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
        raise UsageError(f"{wanted}: held-out rows choose it; use fit_auto, or name a shrinkage.")
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
        law=declared.name,
        domains=runs.domains,
        options=options,
        data=FitData.of(runs),
        targets=fits,
        notes=(*runs.notes, *left_out, *general),
        shrink=wanted.shrink,
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


class FitTask(NamedTuple):
    """A law to be fitted to the rows of a target, in a process of its own perhaps."""

    rows: TargetRows
    law: ShrunkLaw
    options: FitOptions


def _fit_target(task: FitTask) -> TargetFit:
    return target_fit(TargetSearch(task.rows, task.options), task.law)


def target_fit(search: TargetSearch, law: ShrunkLaw) -> TargetFit:
    """Fit a law to one target, and look at the fit."""
    rows, solved = search.rows, search.solve(law)
    predicted = solved.formula.predict(solved.theta, rows.N, rows.D, rows.h)
    status, notes = diagnose(solved, rows.domains)
    return TargetFit(
        target=rows.target,
        law=solved.formula.law,
        params=solved.formula.natural(solved.theta),
        rows=len(rows),
        huber=float(huber(rows.loss - predicted, search.options.delta).mean()),
        mre=mean_relative_error(predicted, rows.loss),
        status=status,
        notes=tuple(replace(note, target=rows.target) for note in notes),
    )
