"""Several laws on the same splits, side by side, and which of them to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import UsageError, parameter
from mixfit.base.numbers import counted
from mixfit.base.parallel import Executor
from mixfit.evaluation.comparison import AVERAGE, Comparison, choose
from mixfit.evaluation.comparison_notes import notes_on
from mixfit.evaluation.contenders import LawContender, contenders_of, refusals_in
from mixfit.evaluation.heldout import Task, run
from mixfit.evaluation.outcome import Outcome
from mixfit.evaluation.pooling import can_choose_pool, choose_pool
from mixfit.evaluation.together import fit_together
from mixfit.fitting.fit import treatment_notes
from mixfit.fitting.result import FitOptions
from mixfit.laws.pooled import AutoLaw, PooledLaw
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.evaluation.heldout import Contender
    from mixfit.laws.law import Law
    from mixfit.runs.splits import Splits


def compare_laws(
    splits: Splits,
    laws: Sequence[str | Law | PooledLaw | AutoLaw],
    *,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> Comparison:
    """Fit laws to the rows of each split that are to be fitted, and predict the others.

    Args:
        splits: see `mixfit.runs.splits`.
        laws: names of laws, which may be pooled (see `mixfit.laws.pooled.parse_law`), laws of your
            own, or names in `mixfit.evaluation.regressors.REGRESSORS`. A strength of
            ``auto`` is chosen within the rows that are fitted, for each split anew.
        options: how laws are fitted; `FitOptions()` by default. Its seed is that of the
            regressions too.
        jobs: as for `mixfit.fitting.fit.fit`; the result does not depend on it.

    Raises:
        UsageError: if a name is unknown, or the parts of a split share no target.
    """
    contenders = contenders_of(laws)
    options, executor = options or FitOptions(), Executor.of(jobs)
    targets = _common_targets(splits)
    refused = refusals_in(splits, contenders, targets)
    chosen = _choose_strengths(splits, contenders, targets, refused, options, executor)
    together = fit_together(splits, contenders, targets, refused, options, executor)
    ready: dict[tuple[int, str], Contender] = {**chosen, **together}
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
    results = executor.map(run, tasks, f"comparing {counted(len(laws), 'law')}")
    outcome = Outcome(splits, contenders, targets, refused, chosen, tasks, results)
    figures = [pair for contender in contenders for pair in outcome.figures(contender)]
    summaries = outcome.summaries(figure for figure, whole in figures if whole)
    standings = tuple(outcome.standing(contender, summaries) for contender in contenders)
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
        standings=standings,
        choice=choose(standings),
        notes=(*notes_on(outcome), *treated),
    )


def _choose_strengths(
    splits: Splits,
    contenders: Sequence[Contender],
    targets: Sequence[str],
    refused: dict[tuple[str, str], str],
    options: FitOptions,
    executor: Executor,
) -> dict[tuple[int, str], LawContender]:
    """Give (split, label) to the law, pooled as hard as the split's fitted rows speak for.

    Where nothing can be held out, the contender is refused.
    """
    cases, keys = [], []
    for contender in contenders:
        if not (isinstance(contender, LawContender) and isinstance(contender.law, AutoLaw)):
            continue
        label = contender.label
        if not all(can_choose_pool(split.train) for split in splits.splits):
            reason = "nothing is left to hold out within the rows fitted, as auto must"
            refused |= {(label, target): reason for target in targets}
        applicable = [target for target in targets if (label, target) not in refused]
        for number, split in enumerate(splits.splits if applicable else ()):
            cases.append((split.train.only(applicable), contender.declared))
            keys.append((number, label))
    if not cases:
        return {}
    paths = choose_pool(cases, options, jobs=executor)
    return {
        key: LawContender(PooledLaw(law, path.chosen))
        for key, (_, law), path in zip(keys, cases, paths, strict=True)
    }


def _common_targets(splits: Splits) -> tuple[str, ...]:
    """Find the targets that all parts have losses for."""
    tables = splits.tables
    names = [t for t in tables[0].targets if all(t in table.targets for table in tables)]
    if AVERAGE in names:
        raise UsageError(
            f"A target is called '{AVERAGE}', as the mean over targets is here. Choose others with"
            f" {parameter('targets')}, or rename its column."
        )
    common = tuple(t for t in names if all(~np.isnan(x.losses_of(t)).all() for x in tables))
    if not common:
        raise UsageError(
            "No target has losses both in the rows to fit and in all rows to test. Choose other"
            f" rows or other {parameter('targets')}."
        )
    return common
