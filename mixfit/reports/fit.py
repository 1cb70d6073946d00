"""A fit for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.numbers import fixed, number
from mixfit.reports.report import Grid, Report, remarks_of
from mixfit.runs.runs import describe

if TYPE_CHECKING:
    from mixfit.fitting.result import Fit, FitData
    from mixfit.runs.runs import Runs


def report_fit(fit: Fit, runs: Runs | None = None) -> Report:
    """Report on a fit.

    Args:
        fit: the fit.
        runs: that it was made on, if they are at hand, for the first line to say how many rows.
    """
    data = _describe(fit.data) if runs is None else runs.summary
    notes = fit.notes + tuple(note for target in fit.targets.values() for note in target.notes)
    return Report((f"{fit.law.name} law on {data}", "", _parameters(fit), ""), remarks_of(notes))


def _describe(data: FitData) -> str:
    N, D = ((counts.min, counts.max) for counts in (data.model_size, data.tokens))
    files = data.files + (data.joined.files if data.joined else ())
    return describe(files, "", data.mixtures, len(data.weights), N, D)


def _parameters(fit: Fit) -> Grid:
    """Lay out a row for each target, with the parameters that are not per domain."""
    form = max((target.form for target in fit.targets.values()), key=lambda law: len(law.groups))
    scalars = [
        param.name
        for param in form.groups
        if not param.per_domain and param.name not in form.factor_names
    ]
    bounds = {name: target.entropy_bound() for name, target in fit.targets.items()}
    with_bound = any(bound is not None for bound in bounds.values())
    headers = [*("target", "rows"), *scalars, *(["entropy\n≤"] if with_bound else [])]
    headers += ["Huber", "MRE\n%", "status"]
    rows = []
    for name, target in fit.targets.items():
        cells = [name, f"{target.rows:,}"]
        for scalar in scalars:
            cells.append(number(target.params[scalar][0]) if scalar in target.params else "")
        if with_bound:
            bound = bounds[name]
            cells.append("" if bound is None else number(bound))
        rows.append((*cells, f"{target.huber:.2e}", fixed(target.mre), target.status))
    mean = fixed(float(np.mean([target.mre for target in fit.targets.values()])))
    status = len(headers) - 1
    converged = all(target.status == "converged" for target in fit.targets.values())
    return Grid(
        headers=tuple(headers),
        rows=tuple(rows),
        footer=("average", *[""] * (status - 2), mean, "") if len(rows) > 1 else (),
        left=(0, status),
        # A status that is the same everywhere says the least after the number of rows.
        spare=(1, status) if converged else (1,),
    )
