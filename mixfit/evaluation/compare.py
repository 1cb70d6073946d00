"""Several laws on the same splits, side by side, and which of them to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import UsageError, parameter
from mixfit.base.numbers import counted
from mixfit.base.parallel import Executor
from mixfit.base.targets import target_weights
from mixfit.evaluation.comparison import AVERAGE, Comparison
from mixfit.evaluation.comparison_notes import notes_on
from mixfit.evaluation.contenders import (
    FittedContender,
    LawContender,
    contenders_of,
    refusals_in,
)
from mixfit.evaluation.heldout import Task, run
from mixfit.evaluation.outcome import Outcome
from mixfit.evaluation.rule import choose
from mixfit.evaluation.together import fit_together
from mixfit.fitting.described import treatment_notes
from mixfit.fitting.fit import fit_all
from mixfit.fitting.options import FitOptions
from mixfit.fitting.pooling import Case
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.evaluation.heldout import Contender
    from mixfit.laws.law import Law
    from mixfit.laws.pooled import AutoLaw, PooledLaw
    from mixfit.runs.splits import Splits


def compare_laws(
    splits: Splits,
    laws: Sequence[str | Law | PooledLaw | AutoLaw],
    *,
    objective: Mapping[str, float] | None = None,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> Comparison:
    """Fit laws to the rows of each split that are to be fitted, and predict the others.

    Args:
        splits: see `mixfit.runs.splits`.
        laws: names of laws, which may say how hard they are pooled (see
            `mixfit.laws.pooled.parse_law`), laws of your own, or names in
            `mixfit.evaluation.regressors.REGRESSORS`. What is left open is chosen within the rows
            that are fitted, for each split anew.
        objective: target, or glob, to its weight in what a mixture is chosen for; all targets
            alike by default.
        options: how laws are fitted; `FitOptions()` by default. Its seed is that of the
            regressions too.
        jobs: as for `mixfit.fitting.fit.fit`; the result does not depend on it.

    Raises:
        UsageError: if a name is unknown, the parts of a split share no target, or the objective has
            one that they do not share.
    """
    contenders = contenders_of(laws)
    options, executor = options or FitOptions(), Executor.of(jobs)
    targets = _common_targets(splits)
    refused = refusals_in(splits, contenders, targets)
    fitted = _fit_laws(splits, contenders, targets, refused, options, executor)
    together = fit_together(splits, contenders, targets, refused, options, executor)
    ready: dict[tuple[int, str], Contender] = {**fitted, **together}
    tasks = []
    for number, split in enumerate(splits.splits):
        for target in targets:
            own = {
                c.label: ready.get((number, c.label), c)
                for c in contenders
                if (c.label, target) not in refused
            }
            tasks.append(
                Task(
                    split=number,
                    fitted=TargetRows.of(split.train, target),
                    held_out=tuple(TargetRows.of(part.runs, target) for part in split.tests),
                    contenders=own,
                    options=options,
                )
            )
    label = f"predicting by {counted(len(laws), 'law')}"
    results = executor.map(run, tasks, label)
    outcome = Outcome(splits, contenders, targets, refused, fitted, tasks, results)
    figures = [pair for contender in contenders for pair in outcome.figures(contender)]
    summaries = outcome.summaries(figure for figure, whole in figures if whole)
    standings = [outcome.standing(contender, summaries) for contender in contenders]
    choice, compared = choose(standings, outcome.logs())
    weights = target_weights(targets, objective, whose="the rows compared", name="objective")
    decisions = {
        key: decision
        for contender in contenders
        for key, decision in outcome.decisions(contender, weights).items()
    }
    treated = [
        note
        for contender in contenders
        if contender.declared is not None
        for note in treatment_notes(contender.declared, options)
    ]
    return Comparison(
        title=splits.title,
        laws=tuple(contender.label for contender in contenders),
        targets=targets,
        columns=splits.labels,
        figures=tuple(figure for figure, _ in figures),
        summaries=summaries,
        decisions=decisions,
        standings=compared,
        choice=choice,
        notes=(*notes_on(outcome), *treated),
    )


def _fit_laws(
    splits: Splits,
    contenders: Sequence[Contender],
    targets: Sequence[str],
    refused: Mapping[tuple[str, str], str],
    options: FitOptions,
    executor: Executor,
) -> dict[tuple[int, str], FittedContender]:
    """Give (split, label) to the law, fitted to all targets of the split."""
    cases, keys = [], []
    for number, split in enumerate(splits.splits):
        train = split.train.only(targets)
        for contender in contenders:
            applicable = tuple(t for t in targets if (contender.label, t) not in refused)
            if isinstance(contender, LawContender) and applicable:
                cases.append(Case(train, contender.law, applicable))
                keys.append((number, contender.label))
    fits = fit_all(cases, options, executor)
    return {
        key: FittedContender(key[1], fitted, seconds)
        for key, (fitted, seconds) in zip(keys, fits, strict=True)
    }


def _common_targets(splits: Splits) -> tuple[str, ...]:
    """Find the targets that all parts have losses for, with something to learn in those to fit."""
    tables = splits.tables
    names = [t for t in tables[0].targets if all(t in table.targets for table in tables)]
    if AVERAGE in names:
        raise UsageError(
            f"A target is called '{AVERAGE}', as the mean over targets is here. Choose others with"
            f" {parameter('targets')}, or rename its column."
        )
    common = tuple(
        target
        for target in names
        if not any(np.isnan(table.losses_of(target)).all() for table in tables)
        and not any(split.train.constant(target) for split in splits.splits)
    )
    if not common:
        raise UsageError(
            "No target has losses both in the rows to fit and in all rows to test, or those to fit"
            " are all one number. Choose other"
            f" rows or other {parameter('targets')}."
        )
    return common
