"""A fit for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note
from mixfit.base.numbers import counted, fixed, measured, number, short
from mixfit.reports.report import Grid, Report, remarks_of
from mixfit.runs.runs import describe
from mixfit.runs.transforms import titled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.fitting.result import Choice, Fit, FitData
    from mixfit.fitting.trimmed import Trim
    from mixfit.reports.report import Block
    from mixfit.runs.runs import Runs

_UNPINNED = "not-pinned"  # the code of a note that may list most parameters of a law


def report_fit(fit: Fit, runs: Runs | None = None) -> Report:
    """Report on a fit.

    Args:
        fit: the fit.
        runs: that it was made on, if they are at hand, for the first line to say how many rows.
    """
    data = _describe(fit.data) if runs is None else runs.summary
    own = [note for target in fit.targets.values() for note in target.notes]
    blocks: list[Block] = [f"{fit.law.name} law on {data}", "", _parameters(fit), ""]
    if fit.selection is not None and fit.selection.candidates:
        blocks += [candidates(fit.selection), ""]
    if fit.trim is not None:
        blocks += [_cuts(fit.trim), ""]
    return Report(tuple(blocks), remarks_of((*fit.notes, *_shorter(own))))


def _shorter(notes: Sequence[Note]) -> list[Note]:
    """Put what the runs do not pin into one note, where targets have too much to list."""
    unpinned = [note for note in notes if note.code == _UNPINNED]
    if len({note.text for note in unpinned}) < 2:
        return list(notes)
    counts = sorted(note.text.count(",") + 1 for note in unpinned)
    span = f"{counts[0]} to {counts[-1]}" if counts[0] < counts[-1] else f"{counts[0]}"
    text = (
        f"{counted(len(unpinned), 'target')} have parameters that the runs do not pin, {span} each;"
        " the fit file names them"
    )
    return [*(note for note in notes if note.code != _UNPINNED), Note("not-pinned", text)]


def _cuts(trim: Trim) -> Grid:
    """Lay out the rows that were tried, and how well each predicted what was held out."""
    rows = []
    for cut in trim.cuts:
        gap = ("", "", "chosen")
        if cut is not trim.chosen:
            gap = _blank(cut.difference, sign=True), _blank(cut.standard_error), ""
        cells = short(cut.model_size), short(cut.tokens), f"{cut.rows:,}", _blank(cut.mre)
        rows.append((*cells, *gap))
    headers = ("parameters\nfrom", "tokens\nfrom", "rows\nfitted", f"{trim.tests}:\nMRE %")
    return Grid((*headers, "difference\n%", "±", ""), tuple(rows), left=(6,))


def candidates(selection: Choice) -> Grid:
    """Lay out the laws that one was chosen among: held-out errors, and differences from it."""
    labels = next((tuple(c.parts) for c in selection.candidates if c.parts), ())
    headers = ("candidate", "parameters", *(f"{label}\nMRE %" for label in labels))
    rows = []
    for candidate in selection.candidates:
        parts = candidate.parts or {}
        cells = [candidate.law, "" if candidate.parameters is None else str(candidate.parameters)]
        cells += [_blank(parts.get(label, math.nan)) for label in labels]
        if candidate.law == selection.law:
            rows.append((*cells, "", "", "chosen"))
        else:
            gap = _blank(candidate.difference, sign=True)
            rows.append((*cells, gap, _blank(candidate.standard_error), candidate.excluded))
    return Grid(
        (*headers, "difference\n%", "±", ""),
        tuple(rows),
        left=(0, len(headers) + 2),
        spare=(1,),
    )


def _blank(value: float, *, sign: bool = False) -> str:
    return fixed(value, 1 if sign else 2, sign=sign) if math.isfinite(value) else ""


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
        cells = [titled(name, fit.data.columns.transforms), f"{target.rows:,}"]
        spread = {} if fit.resamples is None else fit.resamples.deviations(name)
        for scalar in scalars:
            value = target.params[scalar][0] if scalar in target.params else math.nan
            cells.append(measured(value, spread[scalar][0]) if scalar in spread else number(value))
        if with_bound:
            bound = bounds[name]
            cells.append("" if bound is None else number(bound))
        rows.append((*cells, f"{target.huber:.2e}", fixed(target.mre), target.status))
    mean = fixed(float(np.mean([target.mre for target in fit.targets.values()])))
    status = len(headers) - 1
    return Grid(
        headers=tuple(headers),
        rows=tuple(rows),
        footer=("average", *[""] * (status - 2), mean, "") if len(rows) > 1 else (),
        left=(0, status),
        # The file has all of it. What becomes of a target is the last thing to go.
        spare=(1, *range(status - 2, 1, -1)),
    )
