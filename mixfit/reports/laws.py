"""The catalogue of laws for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixfit.reports.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.laws.law import Law


def report_laws(laws: Sequence[Law]) -> Report:
    """Report name, number of parameters for k domains, source and equation of laws."""
    lines: list[str] = []
    for law in laws:
        lines.append(f"{law.name}: {_count(law)} parameters; {law.source}")
        lines.append(f"    {law.equation}")
    return Report(tuple(lines))


def _count(law: Law) -> str:
    fixed = law.count(0)
    per_domain = law.count(1) - fixed
    return f"{fixed} + {per_domain}k" if per_domain else str(fixed)
