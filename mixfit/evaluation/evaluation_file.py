"""Evaluations as plain data, as they stand in an eval file."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from mixfit.base.errors import Note  # noqa: TC001, the eval file is written by its type
from mixfit.base.files import file_sha256
from mixfit.base.plain import Blank, Key, Omitted, to_document, to_plain, without_targets
from mixfit.runs.runs import Origin  # noqa: TC001, likewise

if TYPE_CHECKING:
    from mixfit.evaluation.evaluate import Evaluation, Score
    from mixfit.runs.runs import Runs

EVAL_SCHEMA = "mixfit.eval/1"
OrAll = Annotated[float | None, Key(word="all")]


@dataclass(frozen=True)
class PredictedBy:
    """The fit file that predicted."""

    path: str
    sha256: str


@dataclass(frozen=True)
class ScoreRow:
    """A `Score` of a target at a model size."""

    target: str
    model_size: OrAll
    rows: int
    mre: Blank
    bias: Blank
    rank: Blank
    inside: Omitted[float] = None


@dataclass(frozen=True, kw_only=True)
class DecisionRow:
    """The `Decisions` of a fit, or in a compare file of a law and a column."""

    law: Omitted[str] = None
    picked_for: str
    column: Omitted[str] = None
    mixtures: int
    regret: float
    best_of_five: float
    optimism: Blank
    optimism_error: Blank
    order: Blank
    order_of_best: Blank
    noise: Omitted[float] = None


@dataclass(frozen=True)
class Gate:
    """The limit that was asked for, and the targets above it."""

    limit: float
    over: tuple[str, ...]


@dataclass(frozen=True)
class EvalFile:
    """The keys of an eval file, in their order; ``docs/files.md`` says what each is."""

    fit: PredictedBy
    data: Origin
    notes: tuple[Note, ...]
    rows: tuple[ScoreRow, ...]
    decisions: Omitted[tuple[DecisionRow, ...]] = None
    max_mre: Omitted[Gate] = None


def evaluation_to_plain(
    evaluation: Evaluation, fit_path: str, runs: Runs, max_mre: float | None
) -> dict[str, Any]:
    """Give an evaluation as plain data.

    Args:
        evaluation: the evaluation.
        fit_path: of the fit file that predicted.
        runs: that were predicted.
        max_mre: the limit in percent that was asked for, if any.
    """
    gate = None if max_mre is None else Gate(max_mre, evaluation.targets_over(max_mre))
    picks = tuple(
        DecisionRow(picked_for=kind, **vars(own)) for kind, own in evaluation.decisions.items()
    )
    file = EvalFile(
        fit=PredictedBy(fit_path, file_sha256(fit_path)),
        data=runs.origin,
        notes=without_targets(evaluation.notes),
        rows=_rows(evaluation),
        decisions=picks or None,
        max_mre=gate,
    )
    return to_document(EVAL_SCHEMA, file)


def score_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Give the rows of an eval file: the scores by target and model size."""
    return list(to_plain(_rows(evaluation)))


def _rows(evaluation: Evaluation) -> tuple[ScoreRow, ...]:
    def row(target: str, size: float | None, score: Score) -> ScoreRow:
        return ScoreRow(target, size, *astuple(score))

    return (
        *(row(target, size, score) for (target, size), score in evaluation.scores.items()),
        *(row("average", size, score) for size, score in evaluation.average.items()),
    )
