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
        lines.append(f"{law.name}: {count_text(law)} parameters; {law.source}")
        lines.append(f"    {law.equation}")
    return Report(tuple(lines))


def count_text(law: Law) -> str:
    """Write the number of parameters for k domains, such as ``5 + 2k``."""
    fixed = law.count(0)
    per_domain = law.count(1) - fixed
    each = "k" if per_domain == 1 else f"{per_domain}k"
    return " + ".join([str(fixed)] * (fixed > 0) + [each] * (per_domain > 0))
