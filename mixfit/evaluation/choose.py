"""The law, or its shrinkage, that held-out runs speak for.

Two questions weigh alike: how well a law predicts new mixtures, and how well it predicts a larger
scale than it was fitted at. The rule is that of `mixfit.evaluation.comparison.choose`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.base.parallel import Executor
from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.comparison import AVERAGE, Standing, choose
from mixfit.evaluation.heldout import CONVERGED
from mixfit.evaluation.shrinkage import choose_shrink
from mixfit.fitting.fit import fit
from mixfit.fitting.result import Candidate, FitOptions, Selection
from mixfit.laws.catalogue import COUPLED_LINEAR, DESIGNED
from mixfit.laws.shrunk import AutoLaw, ShrunkLaw, law_of
from mixfit.runs.splits import selection_splits

if TYPE_CHECKING:
    from mixfit.evaluation.comparison import Comparison
    from mixfit.fitting.result import Fit
    from mixfit.runs.runs import Runs

AUTO = "auto"
CANDIDATES: tuple[ShrunkLaw | AutoLaw, ...] = tuple(
    AutoLaw(law) if law is COUPLED_LINEAR else ShrunkLaw(law) for law in DESIGNED
)
# A held-out error needs no better an optimum than these find, with the laws that a law contains as
# starts besides: on the runs of the README, four starts and four hops change it by 2% at the most,
# and take several times as long. The fit itself has its own.
_RESTARTS, _HOPS = 2, 0


def fit_auto(
    runs: Runs,
    law: str | AutoLaw = AUTO,
    *,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> Fit:
    """Choose a law, or the shrinkage of one, by held-out errors, and fit it to all rows.

    A law whose fit to all rows does not converge for every target is passed over.

    Args:
        runs: the rows.
        law: ``auto``, or a law whose shrinkage is to be chosen, such as ``coupled-linear:auto``.
        options: of the fit; the fits compared make fewer restarts and hops.
        jobs: as for `mixfit.fitting.fit.fit`; the result does not depend on it.

    Raises:
        UsageError: if the rows have too few mixtures, sizes and lengths to hold any out, or no law
            can be trusted.
    """
    options, executor = options or FitOptions(), Executor.of(jobs)
    if law != AUTO:
        wanted = law_of(law)
        if not isinstance(wanted, AutoLaw):
            raise UsageError(f"{wanted}: nothing is left to choose; use fit.")
        return _fit_shrunk(runs, wanted, options, executor)
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
        fitted = (
            _fit_shrunk(runs, chosen, options, executor)
            if isinstance(chosen, AutoLaw)
            else fit(runs, chosen, options=options, jobs=executor)
        )
        failed = [name for name, target in fitted.targets.items() if target.status != CONVERGED]
        if not failed:
            break
        reason = f"its fit to all rows did not converge for {', '.join(failed)}"
        standings = [replace(s, excluded=reason) if s.law == choice.law else s for s in standings]
    selection = Selection(
        law=choice.law,
        reason=choice.reason,
        tests=comparison.title,
        restarts=quick.restarts,
        hops=quick.hops or 0,
        candidates=tuple(_candidate(comparison, s) for s in standings),
    )
    note = Note("selection", f"auto chose {choice.law}: {choice.reason} ({comparison.title})")
    return replace(fitted, selection=selection, notes=(note, *fitted.notes))


def _fit_shrunk(runs: Runs, law: AutoLaw, options: FitOptions, executor: Executor) -> Fit:
    """Choose the shrinkage of a law, and fit it."""
    (path,) = choose_shrink([(runs, law.law)], options, jobs=executor)
    fitted = fit(runs, ShrunkLaw(law.law, path.chosen), options=options, jobs=executor)
    before = len(runs.notes)
    notes = (*fitted.notes[:before], path.note(), *fitted.notes[before:])
    return replace(fitted, notes=notes, shrink_path=path)


def _candidate(comparison: Comparison, standing: Standing) -> Candidate:
    keys = [(standing.law, AVERAGE, column) for column in comparison.columns]
    applicable = [key for key in keys if key in comparison.summaries]
    return Candidate(
        law=standing.law,
        parameters=standing.parameters or 0,
        mre=_finite(standing.test),
        error=_finite(standing.error),
        parts={key[2]: _finite(comparison.summaries[key].test) for key in applicable},
        excluded=standing.excluded,
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
