"""The catalogue of laws for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixfit.reports.text import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.laws import Law


def print_laws(laws: Sequence[Law]) -> None:
    """Print name, number of parameters, equation and source of laws."""
    rows = [[law.name, _count(law), law.equation, law.source] for law in laws]
    print_table(["law", "parameters", "L(N, D, h)", "source"], rows, left=(0, 1, 2, 3))


def _count(law: Law) -> str:
    fixed = law.count(0)
    per_domain = law.count(1) - fixed
    return f"{fixed} + {per_domain}k" if per_domain else str(fixed)
