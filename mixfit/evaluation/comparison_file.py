"""Comparisons as plain data, as they stand in a compare file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixfit.base.plain import Key, to_document, to_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.evaluation.comparison import Comparison
    from mixfit.fitting.result import FitOptions
    from mixfit.runs.runs import Runs

COMPARE_SCHEMA = "mixfit.compare/1"


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
    content = {
        "title": comparison.title,
        "options": options,
        "data": {
            "files": train.files,
            "where": train.where,
            "tests": [{"where": runs.where} for runs in tests],
        },
        "choice": comparison.choice,
        "laws": comparison.standings,
        "notes": comparison.notes,
        "summary": summary_rows(comparison),
        "decisions": decision_rows(comparison),
        "rows": figure_rows(comparison),
    }
    return to_document(COMPARE_SCHEMA, content)


def summary_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Give what the table of a comparison says of each law, target and column."""
    rows = [
        {
            "law": law,
            "target": target,
            "column": column,
            "train_mre": s.train,
            "test_mre": s.test,
            "standard_error": s.error,
            "bias": s.bias,
            "rank": s.rank,
            "rows": s.rows,
        }
        for (law, target, column), s in comparison.summaries.items()
    ]
    return list(to_plain(rows, Key(blank=True)))


def decision_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Give what the picks of each law are worth."""
    rows = [
        {"law": law, "for": kind, "column": column, **vars(decisions)}
        for (law, kind, column), decisions in comparison.decisions.items()
    ]
    return list(to_plain(rows, Key(blank=True)))


def figure_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Give all figures of a comparison."""
    rows = [
        {
            "law": f.law,
            "target": f.target,
            "split": f.split,
            "column": f.column,
            "fold": f.fold,
            "model_size": "all" if f.model_size is None else f.model_size,
            "mre": f.score.mre,
            "bias": f.score.bias,
            "rank": f.score.rank,
            "rows": f.score.rows,
        }
        for f in comparison.figures
    ]
    return list(to_plain(rows, Key(blank=True)))
