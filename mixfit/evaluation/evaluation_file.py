"""Evaluations as plain data, as they stand in an eval file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from mixfit.base.errors import Note  # noqa: TC001, a file is read by the types of its fields
from mixfit.base.plain import Blank, Key, Omitted, to_document, without_targets
from mixfit.fitting.file import FitReference
from mixfit.runs.runs import SourceFile  # noqa: TC001, likewise

if TYPE_CHECKING:
    from mixfit.evaluation.evaluate import Evaluation, Score
    from mixfit.runs.runs import Runs


@dataclass(frozen=True)
class ReadRuns:
    """Runs that were read.

    Attributes:
        files: in the order in which they were read.
        where: conditions that the rows meet.
    """

    files: tuple[SourceFile, ...]
    where: tuple[str, ...]


@dataclass(frozen=True)
class ScoreRow:
    """How predictions compare with observations.

    Attributes:
        target: or ``average`` for the mean over targets.
        model_size: in parameters, or ``all`` for all of them together.
        rows: how many.
        mre: mean relative error, in percent.
        bias: mean of (prediction - observation) / observation, in percent.
        rank: Spearman's correlation, null where it is not defined.
    """

    target: str
    model_size: Annotated[float | None, Key(word="all")]
    rows: int
    mre: float
    bias: float
    rank: Blank


@dataclass(frozen=True)
class Gate:
    """A limit that was asked for.

    Attributes:
        limit: of the mean relative error, in percent.
        over: targets that are above it.
    """

    limit: float
    over: tuple[str, ...]


@dataclass(frozen=True)
class EvalFile:
    """How well a fit predicts runs.

    Attributes:
        fit: that predicted.
        data: what it predicted.
        notes: what a careful reader should know.
        rows: the scores, by target and model size.
        max_mre: left out where no limit was asked for.
    """

    schema: ClassVar[str] = "mixfit.eval/1"
    fit: FitReference
    data: ReadRuns
    notes: tuple[Note, ...]
    rows: tuple[ScoreRow, ...]
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
    return to_document(
        EvalFile(
            fit=FitReference.of(fit_path),
            data=ReadRuns(runs.files, runs.where),
            notes=without_targets(evaluation.notes),
            rows=score_rows(evaluation),
            max_mre=None if max_mre is None else Gate(max_mre, evaluation.targets_over(max_mre)),
        )
    )


def score_rows(evaluation: Evaluation) -> tuple[ScoreRow, ...]:
    """Give the rows of an eval file."""

    def row(target: str, size: float | None, score: Score) -> ScoreRow:
        return ScoreRow(target, size, score.rows, score.mre, score.bias, score.rank)

    return (
        *(row(target, size, score) for (target, size), score in evaluation.scores.items()),
        *(row("average", size, score) for size, score in evaluation.average.items()),
    )
