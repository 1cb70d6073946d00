"""The rules that the values of a table of runs must meet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, parameter
from mixfit.base.numbers import counted
from mixfit.runs.findings import (
    ERROR,
    ROWS_NAMED,
    Finding,
    and_others,
    at,
    refuse,
    worst_first,
)
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.runs.columns import Columns
    from mixfit.runs.findings import Place

    # What is wrong, and the rows (rows,) where it is.
    Faults = Iterator[tuple[Finding, Mask]]

# 1 minus the sum of the other weights may come out as -1e-17.
_ROUNDING = 1e-9


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
        row_name: from a row, counted from 0, to where it stands.
    """

    N: Array
    D: Array
    h: Array
    losses: Array
    columns: Columns
    name: str
    row_name: Callable[[int], Place]

    def select(self, rows: Mask | Indices) -> Values:
        """Take some rows.

        Args:
            rows: a mask (rows,), or the indices of rows.
        """
        kept = np.arange(len(self.N))[rows]
        named = self.row_name
        return replace(
            self,
            N=self.N[rows],
            D=self.D[rows],
            h=self.h[rows],
            losses=self.losses[rows],
            row_name=lambda row: named(int(kept[row])),
        )


def check_values(values: Values) -> tuple[Values, list[Note]]:
    """Check values, normalise weights, and drop targets and rows that have no loss.

    Returns:
        Values to fit, and notes on what was mended or dropped.

    Raises:
        InputError: values cannot be used; all faults are named, those of most rows first.
    """
    values, notes = from_percent(values)
    faults, _ = value_faults(values)
    refuse(faults)
    mended, others = mend(values)
    return mended, [*notes, *others]


def value_faults(values: Values) -> tuple[list[Finding], Mask]:
    """Find values that cannot be used.

    Args:
        values: with weights as fractions.

    Returns:
        What is wrong, that of most rows first, and the rows (rows,) in which something is.
    """
    columns = values.columns
    faults = [
        *_size_faults(values, values.N, columns.model_size, "model_size"),
        *_size_faults(values, values.D, columns.tokens, "tokens"),
        *_loss_faults(values),
        *_weight_faults(values),
    ]
    bad = np.zeros(len(values.N), dtype=np.bool_)
    for _, rows in faults:
        bad |= rows
    return worst_first(fault for fault, _ in faults), bad


def mend(values: Values) -> tuple[Values, list[Note]]:
    """Normalise weights, and drop targets and rows that have no loss.

    Args:
        values: without faults.

    Returns:
        Values to fit, and notes on what was mended or dropped.
    """
    h, normalised = _normalised(values.h)
    mended, dropped = _with_losses(replace(values, h=h))
    return mended, [*normalised, *dropped]


def check_weights(values: Values) -> Array:
    """Check weights alone, and normalise them, (rows, k).

    Raises:
        InputError: a weight cannot be used; all faults are named.
    """
    values, _ = from_percent(values)
    refuse(worst_first(fault for fault, _ in _weight_faults(values)))
    return _normalised(values.h)[0]


def _size_faults(values: Values, numbers: Array, column: str | float, name: str) -> Faults:
    if isinstance(column, float):
        return
    bad = ~(np.isfinite(numbers) & (numbers > 0))
    advice = f"or leave the row out with {parameter('where')} '{column}>0'"
    if np.isnan(numbers).all():
        advice = f"or name another column, or one number for all rows, with {parameter(name)}"
    elif np.isposinf(numbers[bad]).any():
        advice = f"or leave the row out with {parameter('where')} '{column}<1e30'"
    rule = "and must be a number above 0"
    advice = f"Mend the cell, {advice}."
    yield from _cell_fault("size", values, f"column {column}", numbers, bad, rule, advice)


def _loss_faults(values: Values) -> Faults:
    columns, rule = values.columns, "and a loss must be a number above 0"
    for target, losses in zip(columns.targets, values.losses.T, strict=True):
        for bad, condition in ((np.isposinf(losses), "<1e6"), (losses <= 0, ">0")):
            advice = "Empty the cell if the loss is unknown, or leave the row out with "
            advice += f"{parameter('where')} '{columns.of_target(target)[0]}{condition}'."
            if columns.transforms and target in columns.transforms:
                advice = (
                    "Choose what makes a loss above 0 of every value with "
                    f"{parameter('transform')}, or leave the row out with {parameter('where')}."
                )
            place = columns.named(target)
            yield from _cell_fault("loss", values, place, losses, bad, rule, advice)
    if np.isnan(values.losses).all():
        names = [name for target in columns.targets for name in columns.of_target(target)]
        columns_named = "column" if len(names) == 1 else "any of the columns"
        fault = Finding(
            code="no-losses",
            severity=ERROR,
            file=values.name,
            rows=len(values.losses),
            message=f"no row kept has a loss in {columns_named} {list_names(names)}",
            todo=f"Choose other columns with {parameter('targets')}, or other rows with "
            f"{parameter('where')}.",
        )
        yield fault, np.ones(len(values.losses), dtype=np.bool_)


def _weight_faults(values: Values) -> Faults:
    rule = "and a weight must be a number from 0 to 1"
    usable = np.isfinite(values.h) & (values.h >= -_ROUNDING)
    columns = list(values.columns.weights.values())
    for column, weights, bad in zip(columns, values.h.T, ~usable.T, strict=True):
        condition = f"{column}<=1" if np.isposinf(weights[bad]).any() else f"{column}>=0"
        advice = (
            "Mend the cell (0 for a domain that is left out), or leave the row out with "
            f"{parameter('where')} '{condition}'."
        )
        place = f"column {column}"
        yield from _cell_fault("weight", values, place, weights, bad, rule, advice)
    whole = usable.all(axis=1)  # of other rows the weights themselves are at fault
    sums = np.where(whole, np.maximum(values.h, 0.0).sum(axis=1), 1.0)
    # A hair wider than 1%, so that 0.99 and 1.01 pass whatever their rounding.
    bad = np.abs(sums - 1.0) > 0.01 + _ROUNDING
    if not bad.any():
        return
    row = int(np.argmax(bad))
    fault = Finding(
        code="weight-sum",
        severity=ERROR,
        rows=int(np.count_nonzero(bad)),
        message=f"the weights {list_names(columns)} sum to {sums[row]:.6g}, and "
        f"must sum to 1 within 1%{others(values, bad)}",
        todo="Mend the weights, or choose the columns that are weights with "
        f"{parameter('weights')}.",
        **at(values.row_name(row)),
    )
    yield fault, bad


def _cell_fault(
    code: str, values: Values, place: str, numbers: Array, bad: Mask, rule: str, advice: str
) -> Faults:
    """Give the fault of one place, if rows (rows,) are bad there: the first bad cell is named."""
    if not bad.any():
        return
    row = int(np.argmax(bad))
    number = numbers[row]
    said = "is missing" if np.isnan(number) else f"is {number:.12g}"
    fault = Finding(
        code=code,
        severity=ERROR,
        rows=int(np.count_nonzero(bad)),
        message=f"the value {said}, {rule}{others(values, bad)}",
        todo=advice,
        **at(values.row_name(row), place),
    )
    yield fault, bad


def others(values: Values, rows: Mask | Indices) -> str:
    """Say in which rows besides the first something is (see `and_others`).

    Args:
        values: of which these are rows.
        rows: a mask (rows,), or the indices of the rows.
    """
    found = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    places = [values.row_name(int(row)) for row in found[: ROWS_NAMED + 1]]
    return and_others(places, len(found))


def from_percent(values: Values) -> tuple[Values, list[Note]]:
    """Make fractions of the weights where those of every row sum to 100 within 1%, with a note."""
    sums = values.h.sum(axis=1)
    known = sums[np.isfinite(sums)]  # of other rows a weight itself is at fault
    if not len(known) or not (np.abs(known - 100.0) <= 1.0 + _ROUNDING).all():
        return values, []
    text = "the weights of every row sum to 100: they are read as percent"
    return replace(values, h=values.h / 100.0), [Note("percent", text)]


def _normalised(h: Array) -> tuple[Array, list[Note]]:
    h = np.maximum(h, 0.0)
    sums = h.sum(axis=1)
    off = np.abs(sums - 1.0)
    changed = int(np.count_nonzero(off > 1e-6))
    text = (
        f"the weights of {counted(changed, 'row')} did not sum to 1 and are normalised; the "
        f"largest deviation is {off.max():.2g}"
    )
    return h / sums[:, None], [Note("normalised", text)] if changed else []


def _with_losses(values: Values) -> tuple[Values, list[Note]]:
    """Leave out the targets and the rows that have no loss at all."""
    notes = []
    known = ~np.isnan(values.losses)
    filled: Mask = np.asarray(known.any(axis=0))
    for target, some in zip(values.columns.targets, filled, strict=True):
        if not some:
            name = values.columns.named(target)
            text = f"no row has a loss in {name}; the target is left out"
            notes.append(Note("empty-target", text, target))
    rows: Mask = np.asarray(known.any(axis=1))
    if not rows.all():
        lost = counted(int(np.count_nonzero(~rows)), "row")
        verb = "has" if lost == "1 row" else "have"
        first = [str(values.row_name(int(row))) for row in np.flatnonzero(~rows)[:ROWS_NAMED]]
        more = ", ..." if np.count_nonzero(~rows) > ROWS_NAMED else ""
        text = f"{lost} {verb} no loss at all: left out, {', '.join(first)}{more}"
        notes.append(Note("no-loss", text))
    if not notes:
        return values, notes
    kept = [item for item, some in zip(values.columns.targets.items(), filled, strict=True) if some]
    transforms = {t: x for t, x in (values.columns.transforms or {}).items() if t in dict(kept)}
    mended = replace(
        values.select(rows),
        losses=values.losses[np.ix_(rows, filled)],
        columns=replace(values.columns, targets=dict(kept), transforms=transforms or None),
    )
    return mended, notes
