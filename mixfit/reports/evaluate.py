"""An evaluation for people, laid out as the paper's Tables 2 and 8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixfit.base.numbers import distinct, fixed
from mixfit.evaluation.evaluate import ALL_SIZES
from mixfit.reports.text import print_labelled, print_line, print_notes, print_table

if TYPE_CHECKING:
    from mixfit.evaluation.evaluate import Evaluation, Score


def print_evaluation(evaluation: Evaluation, title: str, *, quiet: bool = False) -> None:
    """Print an evaluation as a table, and its notes on standard error."""
    sizes = evaluation.model_sizes
    print_line(title)
    print_line()
    one = len(sizes) == 1
    headers = ["target", "rows", *(f"{label}\nMRE %" for label in distinct(sizes))]
    headers += [] if one else ["all\nMRE %"]
    headers += ["bias\n%", "rank"]

    def cells(name: str, scores: dict[float | None, Score]) -> list[str]:
        overall = scores[ALL_SIZES]
        by_size = [fixed(scores[size].mre) if size in scores else "" for size in sizes]
        return [
            name,
            f"{overall.rows:,}",
            *by_size,
            *([] if one else [fixed(overall.mre)]),
            fixed(overall.bias, sign=True),
            fixed(overall.rank),
        ]

    rows = [
        cells(t, {size: s for (name, size), s in evaluation.scores.items() if name == t})
        for t in evaluation.targets
    ]
    average = cells("average", evaluation.average)
    average[1] = ""
    print_table(headers, rows, footer=average if len(rows) > 1 else None, spare=(1,))
    print_line()
    if not quiet:
        print_notes(evaluation.notes)


def print_gate(evaluation: Evaluation, limit: float) -> bool:
    """Print whether every target's error is within a limit in percent, and give that."""
    over = [
        f"{target} {fixed(evaluation.scores[target, ALL_SIZES].mre, 3)}%"
        for target in evaluation.targets_over(limit)
    ]
    if over:
        print_labelled("FAIL", f"over {limit:g}%: {', '.join(over)}")
    else:
        print_labelled("ok", f"every target's MRE is within {limit:g}%")
    return not over
