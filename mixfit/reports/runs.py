"""Runs for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.numbers import fixed, short
from mixfit.fitting.result import FitData
from mixfit.reports.report import Grid, Report, remarks_of

if TYPE_CHECKING:
    from mixfit.fitting.result import Range
    from mixfit.runs.runs import Runs


def report_runs(runs: Runs) -> Report:
    """Say what was read, and between which values weights and losses lie."""
    domains = Grid(
        headers=("domain", "lowest\nweight %", "mean", "highest"),
        rows=tuple(
            (domain, *(fixed(100 * value, 1) for value in (h.min(), h.mean(), h.max())))
            for domain, h in zip(runs.domains, runs.h.T, strict=True)
        ),
    )
    targets = Grid(
        headers=("target", "rows", "lowest\nloss", "mean", "highest"),
        rows=tuple(_of_target(runs, target) for target in runs.targets),
    )
    return Report((describe_runs(runs), "", domains, "", targets, ""), remarks_of(runs.notes))


def _of_target(runs: Runs, target: str) -> tuple[str, ...]:
    losses = runs.losses_of(target)
    known = losses[~np.isnan(losses)]
    if not len(known):
        return target, "0", "", "", ""
    values = (float(value) for value in (known.min(), known.mean(), known.max()))
    return target, f"{len(known):,}", *(fixed(value, 3) for value in values)


def describe_runs(runs: Runs) -> str:
    """Say in a line what was read, such as ``runs.csv: 40 of 50 rows, 7 mixtures ...``."""
    of_all = "" if len(runs) == runs.rows_read else f" of {runs.rows_read:,}"
    return describe_data(FitData.of(runs), f"{len(runs):,}{of_all} rows, ")


def describe_data(data: FitData, rows: str = "") -> str:
    """Say in a line what was read, as `describe_runs` does; how many rows only if that is given."""
    names = ", ".join(file.path for file in data.files) or "runs"
    if len(data.files) > 3:
        names = f"{data.files[0].path} and {len(data.files) - 1} more files"
    return (
        f"{names}: {rows}{data.mixtures} mixtures of {len(data.weights)} domains, "
        f"{_span(data.model_size)} parameters, {_span(data.tokens)} tokens"
    )


def _span(values: Range) -> str:
    low, high = short(values.min), short(values.max)
    return low if low == high else f"{low} to {high}"
