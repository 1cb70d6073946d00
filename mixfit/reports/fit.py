"""A fit for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.numbers import fixed, number, short
from mixfit.reports.text import print_line, print_notes, print_table

if TYPE_CHECKING:
    from mixfit.fitting.result import Fit
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs

# A and B have no meaning apart from the units of N and D.
_NOT_WORTH_READING = {"A", "B"}


def describe_runs(runs: Runs) -> str:
    """Say in a line what was read, such as ``runs.csv: 40 of 50 rows, 7 mixtures ...``."""
    names = ", ".join(file.path for file in runs.files) or "runs"
    if len(runs.files) > 3:
        names = f"{runs.files[0].path} and {len(runs.files) - 1} more files"
    of_all = "" if len(runs) == runs.rows_read else f" of {runs.rows_read:,}"
    return (
        f"{names}: {len(runs):,}{of_all} rows, "
        f"{len(runs.mixtures)} mixtures of {len(runs.domains)} domains, "
        f"{span(runs.N)} parameters, {span(runs.D)} tokens"
    )


def span(values: np.ndarray) -> str:
    """Write the range of some counts."""
    low, high = short(float(values.min())), short(float(values.max()))
    return low if low == high else f"{low} to {high}"


def print_fit(fit: Fit, runs: Runs, *, quiet: bool = False) -> None:
    """Print a fit as a table, and its notes on standard error."""
    print_line(f"{fit.law.law.name} law on {describe_runs(runs)}")
    print_line()
    scalars = [
        group.name
        for group in _largest_form(fit).groups
        if not group.per_domain and group.name not in _NOT_WORTH_READING
    ]
    bounds = {name: target.entropy_bound() for name, target in fit.targets.items()}
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
    return max((target.form for target in fit.targets.values()), key=lambda law: len(law.groups))
