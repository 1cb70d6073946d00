"""Comparisons as plain data, as they stand in a compare file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mixfit._version import __version__
from mixfit.base.plain import plain_notes
from mixfit.fitting.file import plain_options
from mixfit.runs.runs import plain_files

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
    return {
        "schema": COMPARE_SCHEMA,
        "mixfit": __version__,
        "title": comparison.title,
        "options": plain_options(options),
        "data": {
            "files": plain_files(train.files),
            "where": list(train.where),
            "tests": [{"where": list(runs.where)} for runs in tests],
        },
        "choice": None if comparison.choice is None else vars(comparison.choice),
        "laws": [
            {
                "law": s.law,
                "parameters": s.parameters,
                "mre": plain_number(s.test),
                "standard_error": plain_number(s.error),
                "excluded": s.excluded,
            }
            for s in comparison.standings
        ],
        "notes": [
            {**plain, **({"target": note.target} if note.target else {})}
            for note, plain in zip(comparison.notes, plain_notes(comparison.notes), strict=True)
        ],
        "summary": [
            {
                "law": law,
                "target": target,
                "column": column,
                "train_mre": plain_number(s.train),
                "test_mre": plain_number(s.test),
                "standard_error": plain_number(s.error),
                "bias": plain_number(s.bias),
                "rank": plain_number(s.rank),
                "rows": s.rows,
            }
            for (law, target, column), s in comparison.summaries.items()
        ],
        "rows": [
            {
                "law": f.law,
                "target": f.target,
                "split": f.split,
                "column": f.column,
                "fold": f.fold,
                "model_size": "all" if f.model_size is None else f.model_size,
                "mre": plain_number(f.score.mre),
                "bias": plain_number(f.score.bias),
                "rank": plain_number(f.score.rank),
                "rows": f.score.rows,
            }
            for f in comparison.figures
        ],
    }


def plain_number(value: float) -> float | None:
    """Give a number, or None for one that is not finite."""
    return value if math.isfinite(value) else None
