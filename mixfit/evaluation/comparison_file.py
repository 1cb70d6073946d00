"""Comparisons as plain data, as they stand in a compare file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mixfit.base.errors import Note  # noqa: TC001, the compare file is written by its type
from mixfit.base.plain import Blank, to_document, to_plain
from mixfit.evaluation.evaluation_file import DecisionRow, OrAll
from mixfit.fitting.options import FitOptions  # noqa: TC001, likewise
from mixfit.fitting.result import Candidate, Choice  # noqa: TC001, likewise
from mixfit.runs.runs import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.evaluation.comparison import Comparison
    from mixfit.runs.runs import Runs

COMPARE_SCHEMA = "mixfit.compare/1"


@dataclass(frozen=True)
class RowsToTest:
    """Rows to test that were given apart."""

    where: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ComparedOn(Origin):
    """Where the rows to fit come from, or those that were split, and those to test."""

    tests: tuple[RowsToTest, ...]


@dataclass(frozen=True)
class SummaryRow:
    """A `Summary` of a law, a target and a column."""

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
    """A `Figure`."""

    law: str
    target: str
    split: str
    column: str
    fold: int
    model_size: OrAll
    mre: Blank
    bias: Blank
    rank: Blank
    rows: int


@dataclass(frozen=True)
class CompareFile:
    """The keys of a compare file, in their order; ``docs/files.md`` says what each is."""

    title: str
    options: FitOptions
    data: ComparedOn
    choice: Choice | None
    laws: tuple[Candidate, ...]
    notes: tuple[Note, ...]
    summary: tuple[SummaryRow, ...]
    decisions: tuple[DecisionRow, ...]
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
    tests_of = tuple(RowsToTest(runs.where) for runs in tests)
    file = CompareFile(
        title=comparison.title,
        options=options,
        data=ComparedOn(**vars(train.origin), tests=tests_of),
        choice=comparison.choice,
        laws=comparison.standings,
        notes=comparison.notes,
        summary=_summary(comparison),
        decisions=_decisions(comparison),
        rows=_figures(comparison),
    )
    return to_document(COMPARE_SCHEMA, file)


def summary_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Give what the table of a comparison says of each law, target and column."""
    return list(to_plain(_summary(comparison)))


def figure_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Give all figures of a comparison."""
    return list(to_plain(_figures(comparison)))


def _summary(comparison: Comparison) -> tuple[SummaryRow, ...]:
    return tuple(
        SummaryRow(law, target, column, s.train, s.test, s.error, s.bias, s.rank, s.rows)
        for (law, target, column), s in comparison.summaries.items()
    )


def _decisions(comparison: Comparison) -> tuple[DecisionRow, ...]:
    return tuple(
        DecisionRow(law=law, picked_for=kind, column=column, **vars(decisions))
        for (law, kind, column), decisions in comparison.decisions.items()
    )


def _figures(comparison: Comparison) -> tuple[FigureRow, ...]:
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
