"""A comparison for people, laid out as the paper's Tables 4 and 8, and as a table for a paper."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mixfit.base.numbers import fixed, number
from mixfit.evaluation.comparison import AVERAGE
from mixfit.reports.text import print_line, print_notes, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.evaluation.comparison import Comparison, Summary

FORMATS = ("text", "markdown", "latex", "csv")
_TOO_LONG = 100.0  # percent, from which an error is written with three digits only


@dataclass(frozen=True)
class Grid:
    """A table as text, however it is printed.

    Attributes:
        headers: of the columns.
        rows: cells, all of the same number.
        left: columns that are set to the left.
        marked: (row, column) of the best figures.
        spare: columns that a narrow terminal can do without, the first first.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...]
    marked: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    spare: tuple[int, ...] = ()


def averages(comparison: Comparison) -> Grid:
    """Lay out the averages over targets, a row for each law and column, as in Table 4."""
    several = len(comparison.columns) > 1
    headers = ["law", "parameters", *(["tested on"] if several else [])]
    headers += ["train\nMRE %", "test\nMRE %", "±", "bias %", "rank", "seconds"]
    rows, tests = [], []
    for column in comparison.columns:
        for standing in comparison.standings:
            summary = comparison.summaries.get((standing.law, AVERAGE, column))
            cells = [standing.law, "" if standing.parameters is None else str(standing.parameters)]
            cells += [column] if several else []
            cells += _figures(summary) if summary else [""] * 5
            rows.append((*cells, _seconds(standing.seconds) if summary else ""))
            tests.append(
                summary.test if summary and _of_all_targets(comparison, standing.law) else math.nan
            )
    place = headers.index("test\nMRE %")
    count = len(comparison.standings)
    marked = {
        (start + i, place)
        for start in range(0, len(rows), count)
        for i in _lowest(tests[start : start + count])
    }
    left = (0, 2) if several else (0,)
    spare = (len(headers) - 1, 1)
    return Grid(tuple(headers), tuple(rows), left, frozenset(marked), spare)


def by_target(comparison: Comparison) -> Grid:
    """Lay out targets and laws, as in Table 8: errors in training and on each held-out part."""
    columns, summaries = comparison.columns, comparison.summaries
    one = len(columns) == 1
    headers = ["target", "law", *(["train\nMRE %"] if one else [])]
    headers += [f"{column}\nMRE %" for column in columns]
    headers += ["bias %", "rank"] if one else []
    first = 3 if one else 2
    rows: list[tuple[str, ...]] = []
    marked = set()
    for target in comparison.targets:
        for index, column in enumerate(columns):
            tests = [
                summaries[law, target, column].test
                if (law, target, column) in summaries
                else math.nan
                for law in comparison.laws
            ]
            marked |= {(len(rows) + i, first + index) for i in _lowest(tests)}
        for law in comparison.laws:
            own = [summaries.get((law, target, column)) for column in columns]
            cells = [_error(summary.test) if summary else "" for summary in own]
            if one:
                summary = own[0]
                cells.insert(0, _error(summary.train) if summary else "")
                cells.append(fixed(summary.bias, sign=True) if summary else "")
                cells.append(fixed(summary.rank, 3) if summary else "")
            rows.append((target, law, *cells))
    return Grid(tuple(headers), tuple(rows), (0, 1), frozenset(marked))


def _figures(summary: Summary) -> list[str]:
    return [
        _error(summary.train),
        _error(summary.test),
        fixed(summary.error),
        fixed(summary.bias, sign=True),
        fixed(summary.rank, 3),
    ]


def _error(percent: float) -> str:
    return fixed(percent) if percent < _TOO_LONG else number(percent)


def _seconds(seconds: float) -> str:
    return fixed(seconds, 1 if seconds < 10 else 0)


def _of_all_targets(comparison: Comparison, law: str) -> bool:
    return all(
        (law, target, column) in comparison.summaries
        for target in comparison.targets
        for column in comparison.columns
    )


def _lowest(values: Sequence[float]) -> list[int]:
    """Find the places of the lowest value; NaN is none."""
    known = [value for value in values if not math.isnan(value)]
    return [i for i, value in enumerate(values) if known and value == min(known)]


def print_comparison(comparison: Comparison, title: str, *, quiet: bool = False) -> None:
    """Print the tables, which law to use, and on standard error the notes."""
    print_line(title)
    print_line(comparison.title)
    for grid in _grids(comparison):
        print_line()
        print_table(grid.headers, grid.rows, left=grid.left, marked=grid.marked, spare=grid.spare)
    print_line()
    print_line(recommendation(comparison))
    if not quiet:
        print_notes(comparison.notes)


def recommendation(comparison: Comparison) -> str:
    """Say in a line which law to use, and by which rule."""
    if comparison.choice is None:
        why = "; ".join(f"{s.law}: {s.excluded}" for s in comparison.standings)
        return f"use none of these laws ({why})"
    return f"use {comparison.choice.law}: {comparison.choice.reason}"


def _grids(comparison: Comparison) -> list[Grid]:
    """Lay out what there is to say; with one target the average says it all."""
    return [by_target(comparison)] * (len(comparison.targets) > 1) + [averages(comparison)]


def format_comparison(comparison: Comparison, kind: str) -> str:
    """Give the tables as text for a paper.

    Args:
        comparison: the comparison.
        kind: ``markdown``, ``latex`` or ``csv``; CSV is one table with all digits.
    """
    if kind == "csv":
        return _csv(comparison)
    render = _markdown if kind == "markdown" else _latex
    return "\n".join(render(grid) for grid in _grids(comparison))


def _markdown(grid: Grid) -> str:
    headers = [header.replace("\n", " ") for header in grid.headers]
    rules = [":--" if i in grid.left else "--:" for i in range(len(headers))]
    rows = [
        [f"**{cell}**" if (i, j) in grid.marked else cell for j, cell in enumerate(row)]
        for i, row in enumerate(grid.rows)
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in [headers, rules, *rows])


def _latex(grid: Grid) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"{' & '.join(cells)} \\\\"

    headers = [_escape(header.replace("\n", " ")) for header in grid.headers]
    rows = [
        [
            f"\\textbf{{{_escape(cell)}}}" if (i, j) in grid.marked else _escape(cell)
            for j, cell in enumerate(row)
        ]
        for i, row in enumerate(grid.rows)
    ]
    kinds = "".join("l" if i in grid.left else "r" for i in range(len(headers)))
    lines = [f"\\begin{{tabular}}{{{kinds}}}", "\\toprule", line(headers), "\\midrule"]
    lines += [*(line(row) for row in rows), "\\bottomrule", "\\end{tabular}"]
    return "\n".join(lines) + "\n"


_SPECIAL = {"%": r"\%", "_": r"\_", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}"}
_SPECIAL |= {"±": r"$\pm$", "≤": r"$\le$", "<": "$<$", ">": "$>$", "~": r"\textasciitilde{}"}
_SPECIAL |= {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}"}


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def _csv(comparison: Comparison) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    fields = ("train_mre", "test_mre", "standard_error", "bias", "rank", "rows")
    writer.writerow(("law", "target", "column", "parameters", *fields))
    parameters = {s.law: s.parameters for s in comparison.standings}
    for law in comparison.laws:
        for target in (*comparison.targets, AVERAGE):
            for column in comparison.columns:
                s = comparison.summaries.get((law, target, column))
                figures = (s.train, s.test, s.error, s.bias, s.rank, s.rows) if s else [""] * 6
                count = parameters[law]
                cells = ["" if isinstance(x, float) and math.isnan(x) else x for x in figures]
                writer.writerow((law, target, column, "" if count is None else count, *cells))
    return out.getvalue()
