"""Comparisons as plain data, as they stand in a compare file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from mixfit.base.errors import Note  # noqa: TC001, a file is read by the types of its fields
from mixfit.base.plain import Blank, Key, to_document
from mixfit.fitting.result import Candidate, Choice, FitOptions  # noqa: TC001, likewise
from mixfit.runs.runs import SourceFile  # noqa: TC001, likewise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.evaluation.comparison import Comparison
    from mixfit.runs.runs import Runs


@dataclass(frozen=True)
class TestRows:
    """Rows to test, where they were given apart.

    Attributes:
        where: conditions that they meet.
    """

    where: tuple[str, ...]


@dataclass(frozen=True)
class ComparedRuns:
    """Runs that laws were compared on.

    Attributes:
        files: in the order in which they were read.
        where: conditions that the rows to fit meet, or those that were split.
        tests: the rows to test, where they were given apart.
    """

    files: tuple[SourceFile, ...]
    where: tuple[str, ...]
    tests: tuple[TestRows, ...]


@dataclass(frozen=True)
class SummaryRow:
    """What the table says of a law, a target and a column: means over the splits of the column.

    Attributes:
        law: its name.
        target: or ``average`` for the mean over targets.
        column: what was held out.
        train_mre: mean relative error on the rows fitted, in percent.
        test_mre: on the rows held out.
        standard_error: of `test_mre` over the mixtures held out, null for fewer than two.
        bias: mean of (prediction - observation) / observation held out, in percent.
        rank: Spearman's correlation held out, null where it is not defined.
        rows: held out, in all splits together.
    """

    law: str
    target: str
    column: str
    train_mre: Blank
    test_mre: Blank
    standard_error: Blank
    bias: Blank
    rank: Blank
    rows: int


@dataclass(frozen=True)
class FigureRow:
    """How one law predicts one part of one split.

    Attributes:
        law: its name.
        target: or ``average`` for the mean over targets.
        split: ``train`` for the rows fitted, ``test`` for those held out.
        column: of the table.
        fold: the number of the split among those of the column.
        model_size: in parameters, or ``all`` for all of them together.
        mre: mean relative error, in percent.
        bias: mean of (prediction - observation) / observation, in percent.
        rank: Spearman's correlation, null where it is not defined.
        rows: how many.
    """

    law: str
    target: str
    split: str
    column: str
    fold: int
    model_size: Annotated[float | None, Key(word="all")]
    mre: Blank
    bias: Blank
    rank: Blank
    rows: int


@dataclass(frozen=True)
class CompareFile:
    """Several laws on the same splits.

    Attributes:
        title: what was done.
        options: how the laws were fitted.
        data: what they were fitted to and tested on.
        choice: the law to use, or null if none can be.
        laws: in the order asked for.
        notes: what a careful reader should know.
        summary: what the table says.
        rows: all figures.
    """

    schema: ClassVar[str] = "mixfit.compare/1"
    title: str
    options: FitOptions
    data: ComparedRuns
    choice: Choice | None
    laws: tuple[Candidate, ...]
    notes: tuple[Note, ...]
    summary: tuple[SummaryRow, ...]
    rows: tuple[FigureRow, ...]


def comparison_to_plain(
    comparison: Comparison, options: FitOptions, train: Runs, tests: Sequence[Runs] = ()
) -> dict[str, Any]:
    """Give a comparison as plain data; it has no times, so that the same inputs give the same file.

    Args:
        comparison: the comparison.
        options: how the laws were fitted.
        train: the rows to fit, or those that were split.
        tests: the rows to test, where they were given apart.
    """
    return to_document(
        CompareFile(
            title=comparison.title,
            options=options,
            data=ComparedRuns(
                train.files, train.where, tuple(TestRows(runs.where) for runs in tests)
            ),
            choice=comparison.choice,
            laws=comparison.standings,
            notes=comparison.notes,
            summary=tuple(
                SummaryRow(*place, s.train, s.test, s.error, s.bias, s.rank, s.rows)
                for place, s in comparison.summaries.items()
            ),
            rows=figure_rows(comparison),
        )
    )


def figure_rows(comparison: Comparison) -> tuple[FigureRow, ...]:
    """Give the rows of a compare file."""
    return tuple(
        FigureRow(
            f.law,
            f.target,
            f.split,
            f.column,
            f.fold,
            f.model_size,
            f.score.mre,
            f.score.bias,
            f.score.rank,
            f.score.rows,
        )
        for f in comparison.figures
    )
