"""The rules that the values of a table of runs must meet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, Note, parameter
from mixfit.base.numbers import counted
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mixfit.base.arrays import Array, Mask
    from mixfit.runs.columns import Columns

    # The number of rows that break a rule, and what to say of it.
    Faults = Iterator[tuple[int, str]]

# 1 minus the sum of the other weights may come out as -1e-17.
_ROUNDING = 1e-9
_ROWS_NAMED = 3
_FAULTS_NAMED = 10


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

    N: Array
    D: Array
    h: Array
    losses: Array
    columns: Columns
    name: str
    row_name: Callable[[int], str]


def check_values(values: Values) -> tuple[Values, list[Note]]:
    """Check values, normalise weights, and drop targets and rows that have no loss.

    Returns:
        Values to fit, and notes on what was mended or dropped.

    Raises:
        InputError: values cannot be used; all faults are named, those of most rows first.
    """
    columns = values.columns
    values, notes = _from_percent(values)
    faults = [
        *_size_faults(values, values.N, columns.model_size, "model_size"),
        *_size_faults(values, values.D, columns.tokens, "tokens"),
        *_loss_faults(values),
        *_weight_faults(values),
    ]
    refuse([text for _, text in sorted(faults, key=lambda fault: -fault[0])])
    h, normalised = _normalised(values.h)
    values, dropped = _with_losses(replace(values, h=h))
    return values, [*notes, *normalised, *dropped]


def check_weights(values: Values) -> Array:
    """Check weights alone, and normalise them, (rows, k).

    Raises:
        InputError: a weight cannot be used; all faults are named.
    """
    values, _ = _from_percent(values)
    refuse([text for _, text in sorted(_weight_faults(values), key=lambda fault: -fault[0])])
    return _normalised(values.h)[0]


def refuse(faults: Sequence[str]) -> None:
    """Raise one error for all faults, if there are any: a line each, and ten at most.

    Args:
        faults: what is wrong and how to mend it, the worst first.

    Raises:
        InputError: there is a fault.
    """
    if faults:
        more = len(faults) - _FAULTS_NAMED
        rest = [f"and {counted(more, 'fault')} more"] if more > 0 else []
        raise InputError("\n".join(["\nalso: ".join(faults[:_FAULTS_NAMED]), *rest]))


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
    yield from _cell_fault(values, f"column {column}", numbers, bad, rule, advice)


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
            yield from _cell_fault(values, columns.named(target), losses, bad, rule, advice)
    if np.isnan(values.losses).all():
        names = [name for target in columns.targets for name in columns.of_target(target)]
        text = (
            f"{values.name}: no row kept has a loss in "
            f"{'column' if len(names) == 1 else 'any of the columns'} {list_names(names)}. Choose "
            f"other columns with {parameter('targets')}, or other rows with {parameter('where')}."
        )
        yield len(values.losses), text


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
        yield from _cell_fault(values, f"column {column}", weights, bad, rule, advice)
    whole = usable.all(axis=1)  # of other rows the weights themselves are at fault
    sums = np.where(whole, np.maximum(values.h, 0.0).sum(axis=1), 1.0)
    # A hair wider than 1%, so that 0.99 and 1.01 pass whatever their rounding.
    bad = np.abs(sums - 1.0) > 0.01 + _ROUNDING
    if not bad.any():
        return
    row = int(np.argmax(bad))
    text = (
        f"{values.row_name(row)}: the weights {list_names(columns)} sum to {sums[row]:.6g}, and "
        f"must sum to 1 within 1%{_others(values, bad)}. Mend the weights, or choose the columns "
        f"that are weights with {parameter('weights')}."
    )
    yield int(np.count_nonzero(bad)), text


def _cell_fault(
    values: Values, place: str, numbers: Array, bad: Mask, rule: str, advice: str
) -> Faults:
    """Give the fault of one place, if rows (rows,) are bad there: the first bad cell is named."""
    if not bad.any():
        return
    row = int(np.argmax(bad))
    number = numbers[row]
    said = "is missing" if np.isnan(number) else f"is {number:.12g}"
    text = f"{values.row_name(row)}, {place}: the value {said}, {rule}"
    yield int(np.count_nonzero(bad)), f"{text}{_others(values, bad)}. {advice}"


def _others(values: Values, bad: Mask) -> str:
    rows = np.flatnonzero(bad)[1:]
    if not len(rows):
        return ""
    named = ", ".join(values.row_name(int(row)) for row in rows[:_ROWS_NAMED])
    more = ", ..." if len(rows) > _ROWS_NAMED else ""
    return f" (so in {counted(len(rows), 'row')} more: {named}{more})"


def _from_percent(values: Values) -> tuple[Values, list[Note]]:
    """Make fractions of the weights where those of every row sum to 100 within 1%."""
    sums = values.h.sum(axis=1)
    if not (np.abs(sums - 100.0) <= 1.0 + _ROUNDING).all():
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
    rows = known.any(axis=1)
    if not rows.all():
        lost = counted(int(np.count_nonzero(~rows)), "row")
        verb = "has" if lost == "1 row" else "have"
        first = [values.row_name(int(row)) for row in np.flatnonzero(~rows)[:_ROWS_NAMED]]
        more = ", ..." if np.count_nonzero(~rows) > _ROWS_NAMED else ""
        text = f"{lost} {verb} no loss at all: left out, {', '.join(first)}{more}"
        notes.append(Note("no-loss", text))
    if not notes:
        return values, notes
    kept = [item for item, some in zip(values.columns.targets.items(), filled, strict=True) if some]
    transforms = {t: x for t, x in (values.columns.transforms or {}).items() if t in dict(kept)}
    mended = replace(
        values,
        N=values.N[rows],
        D=values.D[rows],
        h=values.h[rows],
        losses=values.losses[np.ix_(rows, filled)],
        columns=replace(values.columns, targets=dict(kept), transforms=transforms or None),
    )
    return mended, notes
