"""A fit for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.numbers import fixed, number
from mixfit.reports.text import print_line, print_notes, print_table

if TYPE_CHECKING:
    from mixfit.fitting.result import Fit
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs

# A and B have no meaning apart from the units of N and D.
_NOT_WORTH_READING = {"A", "B"}


def describe_runs(runs: Runs) -> str:
    """Say in a line what was read; `Runs.summary`, which callers can use."""
    return runs.summary


def print_fit(fit: Fit, runs: Runs, *, quiet: bool = False) -> None:
    """Print a fit as a table, and its notes on standard error."""
    print_line(f"{fit.law} law on {describe_runs(runs)}")
    print_line()
    scalars = [
        group.name
        for group in _largest_form(fit).groups
        if not group.per_domain and group.name not in _NOT_WORTH_READING
    ]
    bounds = {name: target.entropy_bound(fit.domains) for name, target in fit.targets.items()}
    with_bound = any(bound is not None for bound in bounds.values())
    headers = [
        "target",
        "rows",
        *scalars,
        *(["entropy\n≤"] if with_bound else []),
        "Huber",
        "MRE\n%",
    ]
    rows = []
    for name, target in fit.targets.items():
        cells = [name, f"{target.rows:,}"]
        for scalar in scalars:
            cells.append(number(target.params[scalar][0]) if scalar in target.params else "")
        if with_bound:
            bound = bounds[name]
            cells.append("" if bound is None else number(bound))
        rows.append([*cells, f"{target.huber:.2e}", fixed(target.mre), target.status])
    mean = fixed(float(np.mean([target.mre for target in fit.targets.values()])))
    blank = [""] * (len(headers) - 2)
    print_table(
        [*headers, "status"],
        rows,
        footer=["average", *blank, mean, ""] if len(rows) > 1 else None,
        left=(0, len(headers)),
        # A status that is the same everywhere says the least after the number of rows.
        spare=(1, *([len(headers)] if _all_converged(fit) else [])),
    )
    print_line()
    if not quiet:
        print_notes(fit.notes + tuple(note for t in fit.targets.values() for note in t.notes))


def _all_converged(fit: Fit) -> bool:
    return all(target.status == "converged" for target in fit.targets.values())


def _largest_form(fit: Fit) -> Law:
    return max((target.law for target in fit.targets.values()), key=lambda law: len(law.groups))
