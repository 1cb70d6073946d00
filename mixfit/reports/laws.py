"""The catalogue of laws for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixfit.reports.text import print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.laws.law import Law


def print_laws(laws: Sequence[Law]) -> None:
    """Print name, number of parameters for k domains, source and equation of laws."""
    for law in laws:
        print_line(f"{law.name}: {_count(law)} parameters; {law.source}")
        print_line(f"    {law.equation}")


def _count(law: Law) -> str:
    fixed = law.count(0)
    per_domain = law.count(1) - fixed
    return f"{fixed} + {per_domain}k" if per_domain else str(fixed)
