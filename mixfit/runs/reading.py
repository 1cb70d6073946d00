"""The rows of tables that meet the conditions, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, UsageError, nearest
from mixfit.runs.cells import one_line, take, to_numbers, to_texts
from mixfit.runs.checks import Values
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mixfit.runs.cells import Cells
    from mixfit.runs.columns import Columns
    from mixfit.runs.conditions import Condition
    from mixfit.runs.tables import Table


@dataclass(frozen=True)
class _Part:
    """What one table gives: the rows kept, and how many there were."""

    kept: NDArray[np.intp]  # (kept,) their rows in the table
    numbers: NDArray[np.float64]  # (kept, columns)
    met: NDArray[np.intp]  # (conditions,) rows that meet each condition taken alone
    rows: int


def read_rows(
    tables: Sequence[Table], columns: Columns, conditions: Sequence[Condition]
) -> tuple[Values, list[int]]:
    """Read the rows of tables that meet all conditions.

    Only the columns needed are read, and of Parquet files only the rows kept stay in memory.

    Returns:
        The values as they stand in the tables, and the number of rows of each table.

    Raises:
        InputError: a cell of a row kept, or of a condition's column, is not a number.
        UsageError: a condition names no column, or no row is left.
    """
    parts = [_read(table, columns.used, conditions) for table in tables]
    kept = np.concatenate([part.kept for part in parts])
    if not len(kept):
        raise UsageError(_nothing_left(conditions, np.sum([part.met for part in parts], axis=0)))
    numbers = np.concatenate([part.numbers for part in parts])
    ends = np.cumsum([len(part.kept) for part in parts])

    def row_name(row: int) -> str:
        table = tables[int(np.searchsorted(ends, row, side="right"))]
        return f"{table.name}: {table.row_name(int(kept[row]))}"

    def size(column: str | float) -> NDArray[np.float64]:
        if isinstance(column, str):
            return numbers[:, columns.used.index(column)].copy()
        return np.full(len(numbers), column)

    first_loss = len(columns.used) - len(columns.targets)
    first_weight = first_loss - len(columns.weights)
    values = Values(
        N=size(columns.model_size),
        D=size(columns.tokens),
        h=numbers[:, first_weight:first_loss].copy(),
        losses=numbers[:, first_loss:].copy(),
        columns=columns,
        name=list_names([table.name for table in tables], most=2),
        row_name=row_name,
    )
    return values, [part.rows for part in parts]


def _read(table: Table, used: Sequence[str], conditions: Sequence[Condition]) -> _Part:
    for condition in conditions:
        if condition.column not in table.columns:
            raise UsageError(
                f"--where '{condition.text}': {table.name} has no column '{condition.column}'."
                f"{nearest(condition.column, table.columns)} "
                f"The columns are {list_names(table.columns)}."
            )
    names = list(dict.fromkeys([*used, *(condition.column for condition in conditions)]))
    kept, numbers, rows = [], [], 0
    met = np.zeros(len(conditions), dtype=np.intp)
    for batch in table.batches(names):
        cells = dict(zip(names, batch, strict=True))
        holds = np.ones((len(conditions) + 1, len(batch[0])), dtype=np.bool_)
        for index, condition in enumerate(conditions):
            holds[index] = _holds(table, condition, cells[condition.column], rows)
        met += np.count_nonzero(holds[:-1], axis=1)
        here = np.flatnonzero(holds.all(axis=0))
        numbers.append(
            np.column_stack([_numbers(table, name, cells[name], here, rows) for name in used])
        )
        kept.append(rows + here)
        rows += len(batch[0])
    if not rows:
        raise InputError(f"{table.name}: the file says that it has rows, but none can be read.")
    return _Part(np.concatenate(kept), np.concatenate(numbers), met, rows)


def _holds(table: Table, condition: Condition, cells: Cells, start: int) -> NDArray[np.bool_]:
    holds, text_at = condition.holds(cells)
    if text_at is not None:
        raise InputError(
            f"{_cell(table, condition.column, cells, text_at, start)} is not a number, and "
            f"--where '{condition.text}' compares numbers. Mend the cell, or put quotes around "
            "the value to compare text with == or !=."
        )
    return holds


def _numbers(
    table: Table, column: str, cells: Cells, rows: NDArray[np.intp], start: int
) -> NDArray[np.float64]:
    numbers, text_at = to_numbers(cells if len(rows) == len(cells) else take(cells, rows))
    if text_at is not None:
        raise InputError(
            f"{_cell(table, column, cells, int(rows[text_at]), start)} is not a number. "
            "Mend the cell, or leave the row out with --where."
        )
    return numbers


def _cell(table: Table, column: str, cells: Cells, row: int, start: int) -> str:
    text = one_line(str(to_texts(cells[row : row + 1])[0].as_py()))
    text = text if len(text) <= 40 else text[:37] + "..."
    return f"{table.name}: {table.row_name(start + row)}, column {column}: '{text}'"


def _nothing_left(conditions: Sequence[Condition], met: NDArray[np.intp]) -> str:
    for condition, rows in zip(conditions, met, strict=True):
        if not rows:
            return (
                f"--where '{condition.text}' leaves no row: none has such a {condition.column}. "
                "Change the condition or leave it out."
            )
    texts = " and ".join(f"'{condition.text}'" for condition in conditions)
    return f"--where {texts} leave no row together, though each leaves some. Leave one out."
