"""Runs for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.numbers import fixed
from mixfit.reports.report import Grid, Report, remarks_of

if TYPE_CHECKING:
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
    return Report((runs.summary, "", domains, "", targets, ""), remarks_of(runs.notes))


def _of_target(runs: Runs, target: str) -> tuple[str, ...]:
    losses = runs.losses_of(target)
    known = losses[~np.isnan(losses)]
    if not len(known):
        return target, "0", "", "", ""
    values = (float(value) for value in (known.min(), known.mean(), known.max()))
    return target, f"{len(known):,}", *(fixed(value, 3) for value in values)
