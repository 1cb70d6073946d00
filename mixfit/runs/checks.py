"""The rules that the values of a table of runs must meet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, Note
from mixfit.base.numbers import counted
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mixfit.runs.columns import Columns

# 1 minus the sum of the other weights may come out as -1e-17.
_ROUNDING = 1e-9
_NAMED = 3


@dataclass(frozen=True)
class Values:
    """The numbers of a table of runs, NaN where missing.

    Attributes:
        N: model sizes (rows,), in parameters.
        D: training lengths (rows,), in tokens.
        h: weights (rows, k), in the order of the columns' domains.
        losses: (rows, t), in the order of the columns' targets.
        columns: which column each comes from.
        name: what messages call the table.
        row_name: from a row, counted from 0, to what messages call it.
    """

    N: NDArray[np.float64]
    D: NDArray[np.float64]
    h: NDArray[np.float64]
    losses: NDArray[np.float64]
    columns: Columns
    name: str
    row_name: Callable[[int], str]


def check_values(values: Values) -> tuple[Values, list[Note]]:
    """Check values, normalise weights, and drop targets and rows that have no loss.

    Returns:
        Values to fit, and notes on what was mended or dropped.

    Raises:
        InputError: a value cannot be used.
    """
    _check_size(values, values.N, values.columns.model_size, "--model-size")
    _check_size(values, values.D, values.columns.tokens, "--tokens")
    _check_losses(values)
    h, notes = _normalised(values)
    values, dropped = _with_losses(replace(values, h=h))
    return values, notes + dropped


def _check_size(
    values: Values, numbers: NDArray[np.float64], column: str | float, flag: str
) -> None:
    if isinstance(column, float):
        return
    bad = ~(np.isfinite(numbers) & (numbers > 0))
    if bad.any():
        where = f"or leave the row out with --where '{column}>0'"
        if np.isnan(numbers).all():
            where = f"or name another column, or one number for all rows, with {flag}"
        elif np.isposinf(numbers[bad]).any():
            where = f"or leave the row out with --where '{column}<1e30'"
        raise InputError(
            f"{_cell(values, column, numbers, bad)}, and must be a number above 0"
            f"{_others(values, bad)}. Mend the cell, {where}."
        )


def _check_losses(values: Values) -> None:
    for column, losses in zip(values.columns.targets.values(), values.losses.T, strict=True):
        for bad, where in ((np.isposinf(losses), "<1e6"), (losses <= 0, ">0")):
            if bad.any():
                raise InputError(
                    f"{_cell(values, column, losses, bad)}, and a loss must be a number above 0"
                    f"{_others(values, bad)}. Empty the cell if the loss is unknown, or leave the "
                    f"row out with --where '{column}{where}'."
                )


def _normalised(values: Values) -> tuple[NDArray[np.float64], list[Note]]:
    for column, weights in zip(values.columns.weights.values(), values.h.T, strict=True):
        bad = ~(np.isfinite(weights) & (weights >= -_ROUNDING))
        if bad.any():
            where = f"{column}<=1" if np.isposinf(weights[bad]).any() else f"{column}>=0"
            raise InputError(
                f"{_cell(values, column, weights, bad)}, and a weight must be a number from 0 to 1"
                f"{_others(values, bad)}. Mend the cell (0 for a domain that is left out), or "
                f"leave the row out with --where '{where}'."
            )
    h = np.maximum(values.h, 0.0)
    sums = h.sum(axis=1)
    off = np.abs(sums - 1.0)
    _check_sums(values, sums, off)
    changed = int(np.count_nonzero(off > 1e-6))
    text = (
        f"the weights of {counted(changed, 'row')} did not sum to 1 and are normalised; the "
        f"largest deviation is {off.max():.2g}"
    )
    return h / sums[:, None], [Note("normalised", text)] if changed else []


def _check_sums(values: Values, sums: NDArray[np.float64], off: NDArray[np.float64]) -> None:
    # A hair wider than 1%, so that 0.99 and 1.01 pass whatever their rounding.
    bad = off > 0.01 + _ROUNDING
    if not bad.any():
        return
    columns = list(values.columns.weights.values())
    row = int(np.argmax(bad))
    if (np.abs(sums - 100.0) <= 1.0 + _ROUNDING).all():
        raise InputError(
            f"{values.row_name(row)}: the weights {list_names(columns)} sum to {sums[row]:.6g}, "
            "as they do in all rows: they look like percent. Divide them by 100."
        )
    raise InputError(
        f"{values.row_name(row)}: the weights {list_names(columns)} sum to {sums[row]:.6g}, and "
        f"must sum to 1 within 1%{_others(values, bad)}. Mend the weights, or choose the columns "
        "that are weights with --weights."
    )


def _with_losses(values: Values) -> tuple[Values, list[Note]]:
    notes = []
    columns = values.columns
    known = ~np.isnan(values.losses)
    filled: NDArray[np.bool_] = np.asarray(known.any(axis=0))
    if not filled.any():
        names = list(columns.targets.values())
        raise InputError(
            f"{values.name}: no row kept has a loss in "
            f"{'column' if len(names) == 1 else 'any of the columns'} {list_names(names)}. Choose "
            "other columns with --targets, or other rows with --where."
        )
    for (target, column), some in zip(columns.targets.items(), filled, strict=True):
        if not some:
            text = f"no row has a loss in column {column}; the target is left out"
            notes.append(Note("empty-target", text, target))
    rows = known.any(axis=1)
    if not rows.all():
        lost = counted(int(np.count_nonzero(~rows)), "row")
        verb = "has" if lost == "1 row" else "have"
        notes.append(Note("no-loss", f"{lost} {verb} no loss at all and are left out"))
    if not notes:
        return values, notes
    kept = np.flatnonzero(rows)
    targets = {t: c for (t, c), some in zip(columns.targets.items(), filled, strict=True) if some}
    mended = replace(
        values,
        N=values.N[kept],
        D=values.D[kept],
        h=values.h[kept],
        losses=values.losses[np.ix_(rows, filled)],
        columns=replace(columns, targets=targets),
    )
    return mended, notes


def _cell(values: Values, column: str, numbers: NDArray[np.float64], bad: NDArray[np.bool_]) -> str:
    row = int(np.argmax(bad))
    number = numbers[row]
    said = "is missing" if np.isnan(number) else f"is {number:.12g}"
    return f"{values.row_name(row)}, column {column}: the value {said}"


def _others(values: Values, bad: NDArray[np.bool_]) -> str:
    rows = np.flatnonzero(bad)[1:]
    if not len(rows):
        return ""
    named = ", ".join(values.row_name(int(row)) for row in rows[:_NAMED])
    more = ", ..." if len(rows) > _NAMED else ""
    return f" (so in {counted(len(rows), 'row')} more: {named}{more})"
