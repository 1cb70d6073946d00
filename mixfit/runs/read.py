"""Tables to runs: their columns chosen, their rows filtered, their cells made numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, UsageError, nearest, parameter
from mixfit.runs.cells import one_line, take, to_numbers, to_texts
from mixfit.runs.checks import Values, check_weights, refuse
from mixfit.runs.columns import Columns, choose_columns, weight_columns
from mixfit.runs.conditions import parse_conditions
from mixfit.runs.identity import group_mixtures
from mixfit.runs.runs import Runs, SourceFile
from mixfit.runs.tables import list_names, open_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.runs.cells import Cells
    from mixfit.runs.columns import Globs
    from mixfit.runs.conditions import Condition
    from mixfit.runs.tables import Sources, Table


@dataclass(frozen=True)
class _Kept:
    """What is kept of one table: the rows that meet all conditions."""

    rows: Indices  # (kept,) in the table
    numbers: Array  # (kept, columns)
    met: Indices  # (conditions,) rows that meet each condition taken alone
    rows_read: int  # of the table


def read_runs(
    sources: Sources,
    *,
    weights: Globs | None = None,
    targets: Globs | None = None,
    model_size: str | float | None = None,
    tokens: str | float | None = None,
    where: str | Iterable[str] = (),
    domains: Sequence[str] | None = None,
) -> Runs:
    """Read and check training runs.

    Only the columns needed are read, and of Parquet files only the rows kept stay in memory.

    Args:
        sources: a CSV or Parquet file, a directory of Parquet files, several of these, or a
            pandas data frame. Rows of several files follow each other.
        weights: globs over the names of the weight columns; left out, ``weight_*``.
        targets: globs over the names of the loss columns or of the targets; left out, ``loss_*``
            and ``*_loss``.
        model_size: the column of N, or a number of parameters that holds for every row, such as
            ``7B``; left out, the one of `mixfit.runs.columns.MODEL_SIZE` that there is.
        tokens: the column of D, or a number of tokens; left out, the one of
            `mixfit.runs.columns.TOKENS` that there is.
        where: conditions ``COLUMN OP VALUE[,COLUMN OP VALUE...]`` that rows must meet, all of
            them. Other rows are not looked at, whatever they hold.
        domains: the domains of an existing fit, which must be those of the table; they set the
            order of the weights.

    Raises:
        InputError: a file or a value in it cannot be used.
        UsageError: an option cannot be used, or the conditions leave no row.
    """
    conditions = parse_conditions(where)
    tables = open_tables(sources)
    chosen = [
        choose_columns(table.name, table.columns, weights, targets, model_size, tokens)
        for table in tables
    ]
    for table, columns in zip(tables[1:], chosen[1:], strict=True):
        _refuse_other_columns(table, columns, tables[0], chosen[0])
    columns = chosen[0] if domains is None else _in_order(tables[0], chosen[0], domains)
    kept = [_read(table, columns.used, conditions) for table in tables]
    return Runs.from_values(
        _values(tables, kept, columns, conditions),
        rows_read=sum(k.rows_read for k in kept),
        files=tuple(
            SourceFile(table.name, table.sha256, k.rows_read)
            for table, k in zip(tables, kept, strict=True)
            if table.sha256
        ),
        where=tuple(condition.text for condition in conditions),
    )


def read_domains(source: Sources, weights: Globs | None = None) -> tuple[str, ...]:
    """Read the names of the domains of a table.

    Raises:
        InputError: the table cannot be used.
        UsageError: a glob matches no column.
    """
    table = open_tables(source)[0]
    return tuple(weight_columns(table.name, [name for name in table.columns if name], weights))


def read_mixtures(
    sources: Sources, domains: Sequence[str], *, weights: Globs | None = None
) -> Array:
    """Read the distinct mixtures (m, k) of tables whose losses may still be empty.

    Args:
        sources: as for `read_runs`.
        domains: which must be those of the tables; they set the order of the weights.
        weights: as for `read_runs`.

    Raises:
        InputError: a file or a weight in it cannot be used.
        UsageError: a glob matches no column.
    """
    h = []
    for table in open_tables(sources):
        found = weight_columns(table.name, [name for name in table.columns if name], weights)
        columns = _in_order(table, Columns(1.0, 1.0, found, {}), domains, "")
        kept = _read(table, columns.used, ())
        h.append(check_weights(_values([table], [kept], columns, ())))
    every = np.concatenate(h)
    return every[group_mixtures(every)[1]]


def _refuse_other_columns(table: Table, columns: Columns, first: Table, wanted: Columns) -> None:
    for lacking, ours, other, theirs in (
        (table, columns, first, wanted),
        (first, wanted, table, columns),
    ):
        for column in theirs.used:
            if column not in ours.used:
                raise InputError(
                    f"{lacking.name}: no column {column}, which {other.name} has. Files that are "
                    "read together need the same columns; choose them with "
                    f"{parameter('weights')}, {parameter('targets')}, {parameter('model_size')} "
                    f"and {parameter('tokens')}."
                )


def _in_order(
    table: Table, columns: Columns, domains: Sequence[str], whose: str = "those of the fit, "
) -> Columns:
    missing = [domain for domain in domains if domain not in columns.weights]
    extra = [domain for domain in columns.weights if domain not in domains]
    if missing or extra:
        differences = [f"has no weight for {list_names(missing)}"] if missing else []
        differences += [f"has weights for {list_names(extra)} too"] if extra else []
        raise InputError(
            f"{table.name}: the domains differ from {whose}{list_names(domains)}: the "
            f"table {' and '.join(differences)}. Choose the weight columns with "
            f"{parameter('weights')}."
        )
    return replace(columns, weights={domain: columns.weights[domain] for domain in domains})


def _values(
    tables: Sequence[Table],
    kept: Sequence[_Kept],
    columns: Columns,
    conditions: Sequence[Condition],
) -> Values:
    """Put what is kept of several tables together."""
    rows = np.concatenate([k.rows for k in kept])
    if not len(rows):
        raise UsageError(_nothing_left(conditions, np.sum([k.met for k in kept], axis=0)))
    numbers = np.concatenate([k.numbers for k in kept])
    ends = np.cumsum([len(k.rows) for k in kept])

    def row_name(row: int) -> str:
        table = tables[int(np.searchsorted(ends, row, side="right"))]
        return f"{table.name}: {table.row_name(int(rows[row]))}"

    def size(column: str | float) -> Array:
        if isinstance(column, str):
            return numbers[:, columns.used.index(column)].copy()
        return np.full(len(numbers), column)

    first_loss = len(columns.used) - len(columns.targets)
    first_weight = first_loss - len(columns.weights)
    return Values(
        N=size(columns.model_size),
        D=size(columns.tokens),
        h=numbers[:, first_weight:first_loss].copy(),
        losses=numbers[:, first_loss:].copy(),
        columns=columns,
        name=list_names([table.name for table in tables], most=2),
        row_name=row_name,
    )


def _read(table: Table, used: Sequence[str], conditions: Sequence[Condition]) -> _Kept:
    for condition in conditions:
        if condition.column not in table.columns:
            raise UsageError(
                f"{parameter('where')} '{condition.text}': {table.name} has no column "
                f"'{condition.column}'.{nearest(condition.column, table.columns)} "
                f"The columns are {list_names(table.columns)}."
            )
    names = list(dict.fromkeys([*used, *(condition.column for condition in conditions)]))
    rows, numbers, rows_read = [], [], 0
    met = np.zeros(len(conditions), dtype=np.intp)
    for batch in table.batches(names):
        cells = dict(zip(names, batch, strict=True))
        holds = np.ones((len(conditions) + 1, len(batch[0])), dtype=np.bool_)
        for index, condition in enumerate(conditions):
            holds[index] = _holds(table, condition, cells[condition.column], rows_read)
        met += np.count_nonzero(holds[:-1], axis=1)
        here = np.flatnonzero(holds.all(axis=0))
        numbers.append(_numbers(table, {name: cells[name] for name in used}, here, rows_read))
        rows.append(rows_read + here)
        rows_read += len(batch[0])
    if not rows_read:
        raise InputError(f"{table.name}: the file says that it has rows, but none can be read.")
    return _Kept(np.concatenate(rows), np.concatenate(numbers), met, rows_read)


def _holds(table: Table, condition: Condition, cells: Cells, start: int) -> Mask:
    holds, text_at = condition.holds(cells)
    if text_at is not None:
        raise InputError(
            f"{_cell(table, condition.column, cells, text_at, start)} is not a number, and "
            f"{parameter('where')} '{condition.text}' compares numbers. Mend the cell, or put "
            "quotes around the value to compare text with == or !=."
        )
    return holds


def _numbers(table: Table, columns: dict[str, Cells], rows: Indices, start: int) -> Array:
    """Give the numbers (rows, columns) in some rows of a batch that starts at a row of its table.

    Raises:
        InputError: cells are text; the first of each column is named.
    """
    numbers, faults = [], []
    for column, cells in columns.items():
        of_column, text_at = to_numbers(cells if len(rows) == len(cells) else take(cells, rows))
        numbers.append(of_column)
        if text_at is not None:
            faults.append(
                f"{_cell(table, column, cells, int(rows[text_at]), start)} is not a number. "
                f"Mend the cell, or leave the row out with {parameter('where')}."
            )
    refuse(faults)
    return np.column_stack(numbers)


def _cell(table: Table, column: str, cells: Cells, row: int, start: int) -> str:
    text = one_line(str(to_texts(cells[row : row + 1])[0].as_py()))
    text = text if len(text) <= 40 else text[:37] + "..."
    return f"{table.name}: {table.row_name(start + row)}, column {column}: '{text}'"


def _nothing_left(conditions: Sequence[Condition], met: Indices) -> str:
    for condition, rows in zip(conditions, met, strict=True):
        if not rows:
            return (
                f"{parameter('where')} '{condition.text}' leaves no row: none has such a "
                f"{condition.column}. Change the condition or leave it out."
            )
    texts = " and ".join(f"'{condition.text}'" for condition in conditions)
    return (
        f"{parameter('where')} {texts} leave no row together, though each leaves some. "
        "Leave one out."
    )
