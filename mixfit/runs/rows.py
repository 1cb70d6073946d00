"""The rows of a table that meet the conditions, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import InputError, UsageError, nearest, parameter
from mixfit.runs.cells import one_line, take, to_numbers, to_texts
from mixfit.runs.findings import ERROR, ROWS_NAMED, Finding, and_others, at
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.runs.cells import Cells
    from mixfit.runs.columns import Columns
    from mixfit.runs.conditions import Condition
    from mixfit.runs.tables import Table


@dataclass(frozen=True)
class Kept:
    """What is kept of one table: the rows that meet all conditions."""

    rows: Indices  # (kept,) in the table
    numbers: Array  # (kept, columns)
    met: Indices  # (conditions,) rows that meet each condition taken alone
    rows_read: int  # of the table
    faults: tuple[Finding, ...]  # cells that are text, which are NaN in `numbers`
    unread: Mask  # (kept,) rows of which a cell other than a loss is text


def read_rows(table: Table, columns: Columns, conditions: Sequence[Condition]) -> Kept:
    """Read the columns that are used, in the rows that meet all conditions.

    Raises:
        InputError: a cell is text where a condition needs a number.
        UsageError: the table has no column that a condition names.
    """
    used = columns.used
    for condition in conditions:
        if condition.column not in table.columns:
            raise UsageError(
                f"{parameter('where')} '{condition.text}': {table.name} has no column "
                f"'{condition.column}'.{nearest(condition.column, table.columns)} "
                f"The columns are {list_names(table.columns)}."
            )
    names = list(dict.fromkeys([*used, *(condition.column for condition in conditions)]))
    rows, numbers, rows_read = [], [], 0
    texts: dict[str, list[_Text]] = {name: [] for name in used}
    met = np.zeros(len(conditions), dtype=np.intp)
    for batch in table.batches(names):
        cells = dict(zip(names, batch, strict=True))
        holds = np.ones((len(conditions) + 1, len(batch[0])), dtype=np.bool_)
        for index, condition in enumerate(conditions):
            holds[index] = _holds(table, condition, cells[condition.column], rows_read)
        met += np.count_nonzero(holds[:-1], axis=1)
        here = np.flatnonzero(holds.all(axis=0))
        wanted = {name: cells[name] for name in used}
        numbers.append(_numbers(wanted, here, rows_read, columns, texts))
        rows.append(rows_read + here)
        rows_read += len(batch[0])
    if not rows_read:
        raise InputError(f"{table.name}: the file says that it has rows, but none can be read.")
    kept = np.concatenate(rows)
    faults = tuple(_text_fault(table, name, found) for name, found in texts.items() if found)
    unread = np.isin(kept, [text.row for name in columns.needed for text in texts[name]])
    return Kept(kept, np.concatenate(numbers), met, rows_read, faults, unread)


def _holds(table: Table, condition: Condition, cells: Cells, start: int) -> Mask:
    holds, text_at = condition.holds(cells)
    if text_at is not None:
        raise InputError(
            f"{table.name}: {table.row_name(start + text_at)}, column {condition.column}: "
            f"'{_shown(cells, text_at)}' is not a number, and "
            f"{parameter('where')} '{condition.text}' compares numbers. Mend the cell, or put "
            "quotes around the value to compare text with == or !=."
        )
    return holds


class _Text(NamedTuple):
    """A cell that is text where a number is needed."""

    row: int  # in the table
    text: str


def _numbers(
    cells_of: dict[str, Cells],
    rows: Indices,
    start: int,
    columns: Columns,
    texts: dict[str, list[_Text]],
) -> Array:
    """Give the numbers (rows, columns) in some rows of a batch that starts at a row of its table.

    Cells that are text become NaN, and are added to those of their column.
    """
    numbers = []
    for column, cells in cells_of.items():
        of_column, texts_at = to_numbers(
            cells if len(rows) == len(cells) else take(cells, rows),
            counts=column in (columns.model_size, columns.tokens),
        )
        numbers.append(of_column)
        found = rows[texts_at]
        texts[column] += [_Text(start + int(row), _shown(cells, int(row))) for row in found]
    return np.column_stack(numbers)


def _text_fault(table: Table, column: str, texts: Sequence[_Text]) -> Finding:
    first = texts[0]
    places = [table.place(text.row) for text in texts[: ROWS_NAMED + 1]]
    return Finding(
        code="not-a-number",
        severity=ERROR,
        message=f"'{first.text}' is not a number{and_others(places, len(texts))}",
        todo=f"Mend the cell, or leave the row out with {parameter('where')}.",
        rows=len(texts),
        **at(places[0], f"column {column}"),
    )


def _shown(cells: Cells, row: int) -> str:
    text = one_line(str(to_texts(cells[row : row + 1])[0].as_py()))
    return text if len(text) <= 40 else text[:37] + "..."
