"""A comparison for people, laid out as the paper's Tables 4 and 8, and as a table for a paper."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mixfit.base.numbers import fixed, number
from mixfit.base.shown import TEXT
from mixfit.evaluation.comparison import AVERAGE
from mixfit.evaluation.decision import OBJECTIVE
from mixfit.reports.report import Grid, Remark, Report, remarks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.evaluation.comparison import Comparison, Summary
    from mixfit.evaluation.decision import Decisions
    from mixfit.reports.report import Block

FORMATS = (TEXT, "markdown", "latex", "csv")
_TOO_LONG = 100.0  # percent, from which an error is written with three digits only


def report_comparison(comparison: Comparison, title: str = "", form: str = TEXT) -> Report:
    """Report on a comparison: which law to use, and the tables that say why.

    Args:
        comparison: the comparison.
        title: a first line, or "".
        form: one of `FORMATS`. All but text are for a paper: tables alone, and for CSV one with all
            digits; what to use is then a remark.
    """
    use = recommendation(comparison)
    remarks = remarks_of(comparison.notes)
    if form == "csv":
        return Report((figures(comparison),), (*remarks, Remark("note", use)))
    # With one target the average says it all.
    tables: list[Block] = [averages(comparison)]
    if len(comparison.targets) > 1:
        tables = [by_target(comparison), "", *tables]
    if form != TEXT:
        return Report(tuple(tables), (*remarks, Remark("note", use)))
    lines = (title, comparison.title) if title else (comparison.title,)
    return Report((*lines, "", *tables, "", use), remarks)


def recommendation(comparison: Comparison) -> str:
    """Say in a line which law to use, and by which rule."""
    if comparison.choice is None:
        why = "; ".join(f"{s.law}: {s.excluded}" for s in comparison.standings)
        return f"use none of these laws ({why})"
    return f"use {comparison.choice.law}: {comparison.choice.reason}"


def averages(comparison: Comparison) -> Grid:
    """Lay out the averages over targets, a row for each law and column, as in Table 4."""
    several = len(comparison.columns) > 1
    headers = ["law", "parameters", *(["tested on"] if several else [])]
    picks = bool(comparison.decisions)
    headers += ["train\nMRE %", "test\nMRE %", "±", "bias %", "rank"]
    headers += ["regret\n%", "optimism\n%"] if picks else []
    headers += ["seconds"]
    rows, tests = [], []
    for column in comparison.columns:
        for standing in comparison.standings:
            summary = comparison.summaries.get((standing.law, AVERAGE, column))
            cells = [standing.law, "" if standing.parameters is None else str(standing.parameters)]
            cells += [column] if several else []
            cells += _figures(summary) if summary else [""] * 5
            if picks:
                own = comparison.decisions.get((standing.law, OBJECTIVE, column))
                cells += ["", ""] if own is None else [regret(own), fixed(own.optimism, sign=True)]
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
    return Grid(tuple(headers), tuple(rows), left=left, marked=frozenset(marked), spare=spare)


def regret(decisions: Decisions) -> str:
    """Write a regret, none where it is within the noise of runs that were trained again."""
    return "none" if decisions.within_noise else fixed(decisions.regret)


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
    return Grid(tuple(headers), tuple(rows), left=(0, 1), marked=frozenset(marked))


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


def figures(comparison: Comparison) -> Grid:
    """Lay out every figure of the tables with all its digits, for other programs."""
    names = ("train_mre", "test_mre", "standard_error", "bias", "rank", "rows")
    parameters = {s.law: s.parameters for s in comparison.standings}
    rows = []
    for law in comparison.laws:
        for target in (*comparison.targets, AVERAGE):
            for column in comparison.columns:
                s = comparison.summaries.get((law, target, column))
                values = (s.train, s.test, s.error, s.bias, s.rank, s.rows) if s else ()
                cells = ["" if math.isnan(value) else str(value) for value in values]
                count = parameters[law]
                named = (law, target, column, "" if count is None else str(count))
                rows.append((*named, *(cells or [""] * len(names))))
    return Grid(("law", "target", "column", "parameters", *names), tuple(rows))
