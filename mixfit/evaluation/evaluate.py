"""How well a fit predicts runs: mean relative error and its companions, by target and size."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, Note
from mixfit.base.metrics import mean_relative_bias, mean_relative_error, rank_correlation
from mixfit.base.numbers import distinct, short
from mixfit.base.shown import Drawn, Shown
from mixfit.evaluation.decision import Decisions, decisions_of
from mixfit.fitting.uncertainty import intervals
from mixfit.runs.splits import from_two_sizes, rows_among
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from mixfit.base.arrays import Array, Mask
    from mixfit.fitting.result import Fit
    from mixfit.fitting.uncertainty import Intervals
    from mixfit.runs.runs import Runs

ALL_SIZES = None


@dataclass(frozen=True)
class Score:
    """How predictions compare with observations.

    Attributes:
        rows: how many.
        mre: mean relative error, in percent.
        bias: mean of (prediction - observation) / observation, in percent.
        rank: Spearman's correlation, NaN where it is not defined.
        inside: the share of observed losses inside their 90% intervals, in percent; None where the
            fit has no intervals for them.
    """

    rows: int
    mre: float
    bias: float
    rank: float
    inside: float | None = None


@dataclass(frozen=True, eq=False)
class Evaluation(Shown, Drawn):
    """A fit's predictions of some runs.

    Attributes:
        model_sizes: in the runs, ascending.
        scores: (target, model size) to score, and (target, `ALL_SIZES`) for all its rows; a pair
            without rows is not there.
        average: model size, or `ALL_SIZES`, to the mean of the targets' scores.
        predicted: target to predicted losses, (rows,).
        notes: what a careful reader should know.
        fit: that predicted.
        runs: that were predicted.
        fitted: which of their rows (rows,) the fit was made on; None where that is not known.
        intervals: target to predictions with intervals; empty where the fit was not resampled.
        decisions: `decision.OBJECTIVE` (all targets alike) and `decision.EACH_TARGET` to what the
            picks of the fit are worth among the mixtures of the runs, at the largest N and D that
            five or more have; not there where fewer have any.
    """

    model_sizes: tuple[float, ...]
    scores: dict[tuple[str, float | None], Score]
    average: dict[float | None, Score]
    predicted: dict[str, Array]
    notes: tuple[Note, ...]
    fit: Fit
    runs: Runs
    fitted: Mask | None = None
    intervals: dict[str, Intervals] = field(default_factory=dict)
    decisions: dict[str, Decisions] = field(default_factory=dict)

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that were predicted."""
        return tuple(self.predicted)

    @property
    def transforms(self) -> Mapping[str, str]:
        """Target to what was fitted in place of its values, of those that have another."""
        return self.fit.data.columns.transforms or {}

    def to_frame(self) -> pd.DataFrame:
        """Give a table with a row for each target and model size, as an eval file has them."""
        import pandas as pd

        from mixfit.evaluation.evaluation_file import score_rows

        return pd.DataFrame(score_rows(self))

    def targets_over(self, limit: float) -> tuple[str, ...]:
        """The targets whose mean relative error over all sizes is above a limit in percent."""
        return tuple(t for t in self.targets if not self.scores[t, ALL_SIZES].mre <= limit)


def evaluate(fit: Fit, runs: Runs, *, fitted_runs: Runs | None = None) -> Evaluation:
    """Predict runs with a fit, and compare.

    Args:
        fit: the fit.
        runs: with the domains of the fit in the same order (`read_runs(..., domains=fit.domains)`).
        fitted_runs: those that the fit was made on, for pictures to tell their rows apart.

    Raises:
        InputError: if the domains differ, or no target of the fit is in the runs.
    """
    if runs.domains != fit.domains:
        raise InputError(
            f"The runs have the domains {', '.join(runs.domains)} and the fit has"
            f" {', '.join(fit.domains)}; they must be the same in the same order."
        )
    targets = [target for target in fit.targets if target in runs.targets]
    if not targets:
        raise InputError(
            f"The runs have no loss for any target of the fit: they have {', '.join(runs.targets)},"
            f" and the fit has {', '.join(fit.targets)}."
        )
    sizes = tuple(float(size) for size in np.unique(runs.N))
    scores: dict[tuple[str, float | None], Score] = {}
    predicted, known = {}, {}
    for target in targets:
        predicted[target] = fit.targets[target].predict(runs.N, runs.D, runs.h)
        if fit.resamples is not None:
            known[target] = intervals(fit, target, runs.N, runs.D, runs.h)
        observed = runs.losses_of(target)
        for size in (*sizes, ALL_SIZES):
            chosen = ~np.isnan(observed) & ((size == runs.N) if size is not ALL_SIZES else True)
            if chosen.any():
                score = score_of(predicted[target][chosen], observed[chosen])
                if target in known:
                    score = replace(score, inside=_inside(known[target], observed, chosen))
                scores[target, size] = score
    average = {
        size: mean_of([scores[t, size] for t in targets if (t, size) in scores])
        for size in (*sizes, ALL_SIZES)
    }
    fitted = None if fitted_runs is None else rows_among(runs, fitted_runs)
    notes = _notes(fit, runs, targets)
    return Evaluation(
        sizes,
        scores,
        average,
        predicted,
        notes,
        fit,
        runs,
        fitted,
        known,
        _decisions(runs, predicted),
    )


def _decisions(runs: Runs, predicted: Mapping[str, Array]) -> dict[str, Decisions]:
    """Judge what the picks of a fit are worth, all targets alike."""
    rows = [TargetRows.of(runs, target) for target in predicted]
    of_rows = [values[~np.isnan(runs.losses_of(target))] for target, values in predicted.items()]
    made = decisions_of(rows, of_rows, dict.fromkeys(predicted, 1.0))
    return {kind: Decisions.of(own) for kind, own in made.items()}


def _inside(known: Intervals, observed: Array, chosen: Mask) -> float | None:
    """Give the share of some losses inside their intervals; None where some have none."""
    low, high, own = known.low[chosen], known.high[chosen], observed[chosen]
    if np.isnan(low).any():
        return None
    return float(100 * np.mean((low <= own) & (own <= high)))


def score_of(predicted: Array, observed: Array) -> Score:
    """Compare predicted with observed losses, each (rows,)."""
    return Score(
        rows=len(observed),
        mre=mean_relative_error(predicted, observed),
        bias=mean_relative_bias(predicted, observed),
        rank=rank_correlation(predicted, observed),
    )


def mean_of(scores: Sequence[Score]) -> Score:
    """Average scores; rows are added up, and what has no rank has no say in the rank."""
    ranks = [score.rank for score in scores if not np.isnan(score.rank)]
    inside = [score.inside for score in scores if score.inside is not None]
    return Score(
        rows=sum(score.rows for score in scores),
        mre=float(np.mean([score.mre for score in scores])),
        bias=float(np.mean([score.bias for score in scores])),
        rank=float(np.mean(ranks)) if ranks else float("nan"),
        inside=float(np.mean(inside)) if inside else None,
    )


def _notes(fit: Fit, runs: Runs, targets: list[str]) -> tuple[Note, ...]:
    notes = list(runs.notes)
    missing = [target for target in fit.targets if target not in targets]
    if missing:
        text = f"the runs have no loss for {', '.join(missing)} of the fit"
        notes.append(Note("missing-target", text))
    law = fit.targets[targets[0]].form
    for name, uses, fitted, values in (
        ("N", law.uses_model_size, fit.data.model_size, runs.N),
        ("D", law.uses_tokens, fit.data.tokens, runs.D),
    ):
        if not uses and fitted.min == fitted.max and np.any(values != fitted.min):
            text = (
                f"the fit has no term in {name}, since all its rows have {short(fitted.min)};"
                " these runs have others"
            )
            notes.append(Note(f"fixed-{name}", text))
    sizes, fitted = np.unique(runs.N), fit.data.model_size
    others = [
        label
        for label, size in zip(distinct(sizes), sizes, strict=True)
        if not 0.9999 * fitted.min <= size <= 1.0001 * fitted.max
    ]
    if others and "two-model-sizes" in {note.code for note in fit.notes}:
        notes.append(from_two_sizes(others))
    return tuple(notes)
