"""What is doubtful in a table that can be read: one list of all that looks wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note
from mixfit.base.numbers import counted
from mixfit.runs.checks import Values, mend
from mixfit.runs.doubtful_losses import loss_doubts
from mixfit.runs.doubtful_mixtures import mixture_doubts
from mixfit.runs.findings import WARNING, Finding, Place
from mixfit.runs.identity import group_mixtures

if TYPE_CHECKING:
    from mixfit.runs.runs import Runs


def doubts(values: Values) -> list[Finding]:
    """Find what is doubtful in checked values."""
    mixture, first = group_mixtures(values.h)
    return [*mixture_doubts(values, mixture, first), *loss_doubts(values, mixture, first)]


def with_doubts(runs: Runs) -> Runs:
    """Give runs with one note more, if `doubts` warns of anything that no note of theirs says."""
    known = ~np.isnan(runs.losses)
    if "doubtful" in {note.code for note in runs.notes} or not known.any():
        return runs
    columns = replace(runs.columns, targets={t: t for t in runs.targets}, transforms=None)
    values = Values(
        N=runs.N,
        D=runs.D,
        h=runs.h,
        losses=runs.losses,
        columns=columns,
        name="",
        row_name=lambda row: Place("", row + 1, f"row {row + 1}"),
    )
    values, _ = mend(values)  # of rows that are selected some may have no loss left
    said = {note.code for note in runs.notes}
    warnings = [found for found in doubts(values) if found.severity == WARNING]
    found = [warning for warning in warnings if warning.code not in said]
    if not found:
        return runs
    kind = "more warning" if len(found) < len(warnings) else "warning"
    counts = sorted(Counter(finding.code for finding in found).items())
    kinds = ", ".join(f"{code} {count}" for code, count in counts)
    text = (
        f"{counted(len(found), kind)} on these runs ({kinds}): 'mixfit check', with the same "
        "options, says which rows and why"
    )
    return replace(runs, notes=(*runs.notes, Note("doubtful", text)))
