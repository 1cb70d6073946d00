"""A law and runs to a `Fit`: eq. (6) minimised for every target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import NotApplicableError, Note, UsageError
from mixfit.base.metrics import mean_relative_error
from mixfit.base.parallel import map_tasks
from mixfit.evaluation.shrinkage import choose_shrink
from mixfit.fitting.diagnosis import diagnose, table_notes
from mixfit.fitting.objective import huber
from mixfit.fitting.result import Fit, FitData, FitOptions, TargetFit
from mixfit.fitting.search import TargetSearch, TargetTask, target_task
from mixfit.laws.old_text import parse_law, with_shrinkage
from mixfit.laws.shrunk import ShrunkLaw

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs


def fit(
    runs: Runs,
    law: str = "additive",
    *,
    shrink: float | str | None = None,
    options: FitOptions | None = None,
    jobs: int | str | None = 1,
    done: Callable[[], None] = lambda: None,
) -> Fit:
    """Fit a law to every target of runs: the Huber loss, eq. (6), minimised for each.

    The result depends on the rows, the law, the options and the targets' names, not on `jobs` nor
    on which other targets there are.

    Args:
        runs: the rows to fit.
        law: a name in `mixfit.laws.catalogue.CATALOGUE`, which may have its shrinkage with it.
        shrink: how hard the domains' coefficients are pulled together: 0 or more, infinite for
            the tied law, ``auto`` for what held-out rows speak for (see
            `mixfit.evaluation.shrinkage`), None for the law as it is.
        options: how; `FitOptions()` by default.
        jobs: processes that targets are spread over, None for one for each processor, or the
            address of a cluster (see `mixfit.base.parallel.map_tasks`). With more than one, a
            script must guard what it runs by ``if __name__ == "__main__"``, as processes import
            it.
        done: called whenever a target is done, of the fit or of the choice of a shrinkage.

    Raises:
        UsageError: if there is no such law, it can be fitted to none of the targets, or cannot be
            shrunk.
    """
    options = options or FitOptions()
    declared, shrink = parse_law(with_shrinkage(law, shrink))
    law = declared.name
    refused = refusals(declared, runs)
    if len(refused) == len(runs.targets):
        targets, reasons = ", ".join(refused), "; ".join(dict.fromkeys(refused.values()))
        raise UsageError(
            f"The law {law} cannot be fitted to {targets}: {reasons}. Choose other targets with"
            " --targets, or another law."
        )
    path = None
    if isinstance(shrink, str):
        (path,) = choose_shrink([(runs, law)], options, jobs=jobs, done=done)
        shrink = path.chosen
    wanted = with_shrinkage(law, shrink)
    tasks = [target_task(runs, t, (wanted,), options) for t in runs.targets if t not in refused]
    outcomes = map_tasks(fit_target, tasks, jobs=jobs, done=done)
    general = table_notes(runs.N, runs.D, declared)
    fits = {}
    for task, (outcome,) in zip(tasks, outcomes, strict=True):
        own = [note for note in table_notes(task.N, task.D, declared) if note not in general]
        notes = (*(replace(note, target=task.target) for note in own), *outcome.fit.notes)
        fits[task.target] = replace(outcome.fit, notes=notes)
    left_out = [
        Note("not-applicable", f"left out: {law} cannot be fitted, since {reason}", target)
        for target, reason in refused.items()
    ]
    return Fit(
        law=ShrunkLaw(declared, shrink),
        domains=runs.domains,
        options=options,
        data=FitData.of(runs),
        targets=fits,
        notes=(*runs.notes, *([path.note()] if path else []), *left_out, *general),
        shrink_path=path,
    )


def refusals(law: Law, runs: Runs) -> dict[str, str]:
    """Find the targets that a law cannot be fitted to.

    Args:
        law: as it stands in the catalogue.
        runs: the rows to fit.

    Returns:
        Target to reason, a clause about the law.
    """
    found = {}
    for target in runs.targets:
        try:
            rows = ~np.isnan(runs.losses_of(target))
            law.bound(runs.domains, target).check(runs.h[rows], runs.domains)
        except NotApplicableError as error:
            found[target] = str(error)
    return found


class Outcome(NamedTuple):
    """A law fitted to one target, and the seconds that it took with all that it started from."""

    law: str
    fit: TargetFit
    seconds: float


def fit_target(task: TargetTask) -> list[Outcome]:
    """Fit laws to one target; what they contain in common is solved once.

    A law's result does not depend on which other laws are fitted beside it.
    """
    search = TargetSearch(task)
    return [Outcome(law, _target_fit(search, law), search.seconds(law)) for law in task.laws]


def _target_fit(search: TargetSearch, law: str) -> TargetFit:
    task = search.task
    objective, solution = search.solve(law)
    formula = objective.formula
    theta = solution.point.theta
    predicted = formula.predict(theta, task.N, task.D, task.mixtures[task.mixture])
    status, notes = diagnose(objective, solution, task.domains)
    return TargetFit(
        target=task.target,
        domains=task.domains,
        form=formula.law,
        params=formula.natural(theta),
        rows=len(task.loss),
        huber=float(huber(task.loss - predicted, task.options.delta).mean()),
        mre=mean_relative_error(predicted, task.loss),
        status=status,
        notes=tuple(replace(note, target=task.target) for note in notes),
    )
