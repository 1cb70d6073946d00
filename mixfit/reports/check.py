"""What is wrong or doubtful in a table, for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mixfit.base.numbers import counted
from mixfit.reports.report import Report
from mixfit.runs.findings import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mixfit.fitting.check import Check

_ALIKE = 5  # findings of one code that are printed; a file has all
_INDENT = " " * 9


def report_check(check: Check) -> Report:
    """Report on a check."""
    blocks = [*([check.summary] if check.summary else ()), *_too_few(check), ""]
    blocks += _findings(check)
    counts = [
        counted(check.count(severity), severity)
        if severity != "advice"
        else f"{check.count(severity):,} advice"
        for severity in SEVERITIES
        if check.count(severity)
    ]
    return Report((*blocks, ", ".join(counts) or "nothing wrong or doubtful was found"))


def _too_few(check: Check) -> Iterator[str]:
    lacking = [f"{law} ({count})" for law, count in check.laws().items() if count > check.mixtures]
    if check.mixtures and lacking:
        mixtures = counted(check.mixtures, "mixture")
        yield f"{mixtures}: fewer than the numbers in h of {', '.join(lacking)}"


def _findings(check: Check) -> Iterator[str]:
    totals = Counter(finding.code for finding in check.findings)
    seen: Counter[str] = Counter()
    for finding in check.findings:
        seen[finding.code] += 1
        if seen[finding.code] > _ALIKE:
            if seen[finding.code] == totals[finding.code]:
                more = totals[finding.code] - _ALIKE
                yield f"{_INDENT}and {more:,} more of the code {finding.code}: --out FILE has all"
                yield ""
            continue
        where = f"{finding.where}: " if finding.where else ""
        yield f"{finding.severity:8s} {where}{finding.message} [{finding.code}]"
        yield f"{_INDENT}{finding.todo}"
        yield ""
