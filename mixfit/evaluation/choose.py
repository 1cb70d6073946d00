"""The law that held-out runs speak for.

Two questions weigh alike: how well a law predicts new mixtures, and how well it predicts a larger
scale than it was fitted at. The rule is that of `mixfit.evaluation.comparison.choose`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.base.parallel import Executor
from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.comparison import AVERAGE, choose
from mixfit.evaluation.heldout import CONVERGED
from mixfit.fitting.fit import fit
from mixfit.fitting.result import FitOptions
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import pooled
from mixfit.runs.splits import selection_splits

if TYPE_CHECKING:
    from mixfit.evaluation.comparison import Comparison
    from mixfit.fitting.result import Candidate, Fit
    from mixfit.runs.runs import Runs

SELECTION_RULE = (
    "lowest mean held-out MRE over new mixtures and larger scale, which weigh alike; within one"
    " standard error, the law with fewer parameters"
)
CANDIDATES = tuple(pooled(law, law.candidate) for law in CATALOGUE.values() if law.candidate)
# A held-out error needs no better an optimum than these find, with the laws that a law contains as
# starts besides: on the runs of the README, four starts and four hops change it by 2% at the most,
# and take several times as long. The fit itself has its own.
_RESTARTS, _HOPS = 2, 0


def fit_auto(
    runs: Runs,
    *,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> Fit:
    """Choose a law by held-out errors, and fit it to all rows.

    A law whose fit to all rows does not converge for every target is passed over.

    Args:
        runs: the rows.
        options: of the fit; the fits compared make fewer restarts and hops.
        jobs: as for `mixfit.fitting.fit.fit`; the result does not depend on it.

    Raises:
        UsageError: if the rows have too few mixtures, sizes and lengths to hold any out, or no law
            can be trusted.
    """
    options, executor = options or FitOptions(), Executor.of(jobs)
    splits = selection_splits(runs, seed=options.seed)
    quick = options.at_most(restarts=_RESTARTS, hops=_HOPS)
    comparison = compare_laws(splits, CANDIDATES, options=quick, jobs=executor)
    standings = list(comparison.standings)
    while True:
        choice = choose(standings)
        if choice is None:
            why = "; ".join(f"{s.law}: {s.excluded}" for s in standings)
            raise UsageError(
                f"{parameter('law')} auto can trust no law ({why}). Name one with"
                f" {parameter('law')}."
            )
        (chosen,) = (candidate for candidate in CANDIDATES if str(candidate) == choice.law)
        fitted = fit(runs, chosen.law, options=options, jobs=executor)
        failed = [name for name, target in fitted.targets.items() if target.status != CONVERGED]
        if not failed:
            break
        reason = f"its fit to all rows did not converge for {', '.join(failed)}"
        standings = [replace(s, excluded=reason) if s.law == choice.law else s for s in standings]
    selection = replace(
        choice,
        rule=SELECTION_RULE,
        tests=comparison.title,
        restarts=quick.restarts,
        hops=quick.hops or 0,
        candidates=tuple(_with_parts(s, comparison) for s in standings),
    )
    note = Note("selection", f"auto chose {choice.law}: {choice.reason} ({comparison.title})")
    return replace(fitted, selection=selection, notes=(note, *fitted.notes))


def _with_parts(candidate: Candidate, comparison: Comparison) -> Candidate:
    keys = [(candidate.law, AVERAGE, column) for column in comparison.columns]
    parts = {key[2]: comparison.summaries[key].test for key in keys if key in comparison.summaries}
    return replace(candidate, parameters=candidate.parameters or 0, parts=parts)
