"""Predictions for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.numbers import fixed, short
from mixfit.reports.report import Grid, Report, remarks_of

if TYPE_CHECKING:
    from mixfit.evaluation.predict import Predictions

_MOST = 40  # rows that are printed; a file has all


def report_predictions(predictions: Predictions, title: str = "") -> Report:
    """Report on predictions under a title, which may be empty."""
    grid, left = _losses(predictions)
    more = (f"and {left:,} more rows: --out FILE has all", "") if left else ()
    first_line = (title, "") if title else ()
    return Report((*first_line, grid, "", *more), remarks_of(predictions.notes))


def _losses(predictions: Predictions) -> tuple[Grid, int]:
    one = len(predictions) == 1
    names = () if one else ("mixture", "parameters", "tokens")
    headers = [*names, "target", "loss"]
    if predictions.intervals:
        headers += ["90% interval", "±", "parameters\n%", "shift\n%", "own\n%", "noise\n%"]
    rows = []
    for row in range(len(predictions)):
        for target, loss in predictions.loss.items():
            place = (predictions.mixture[row], short(predictions.N[row]), short(predictions.D[row]))
            cells = [*(() if one else place), target, fixed(loss[row], 4)]
            if predictions.intervals:
                own = predictions.intervals[target]
                parts = [own.parameters[row], own.shift[row], own.own[row], own.noise[row]]
                total = float(np.sqrt(np.square(parts).sum()))
                known = not np.isnan(own.low[row])
                cells.append(f"{own.low[row]:.3f} to {own.high[row]:.3f}" if known else "")
                cells += [f"{total:.2f}%" if known else "", *(fixed(part) for part in parts)]
            rows.append(tuple(cells))
    last = len(headers)
    spare = tuple(range(last - 4, last)) if predictions.intervals else ()
    grid = Grid(tuple(headers), tuple(rows[:_MOST]), left=tuple(range(len(names) + 1)), spare=spare)
    return grid, max(len(rows) - _MOST, 0)
