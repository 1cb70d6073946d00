"""Two tables to one, by a key: the weights in one file, and the losses in another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, Note, UsageError, nearest, parameter
from mixfit.base.numbers import counted
from mixfit.runs.cells import one_line, take, to_texts
from mixfit.runs.findings import Place
from mixfit.runs.tables import Table, list_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mixfit.base.arrays import Indices
    from mixfit.runs.cells import Cells

# Before the name of a joined column that the first table has too.
JOINED = "join:"
# The largest share of a side's rows that may find no partner without being asked about.
_UNMATCHED = 0.2
_WHOLE = re.compile(r"(-?[0-9]+)\.0+")


@dataclass(frozen=True)
class JoinedTable(Table):
    """The rows of a table that have a partner, with the columns of both.

    Attributes:
        first: the table whose order the rows have.
        other: what is joined to it.
        rows: (rows,) in the first table, ascending.
        partners: (rows,) in the other side.
        names: column of this table to column of the other side.
    """

    first: Table
    other: _Side
    rows: Indices
    partners: Indices
    names: dict[str, str]

    def batches(self, columns: Sequence[str]) -> Iterator[list[Cells]]:
        """Give the cells of some columns, batch by batch, in the order of the first table."""
        own = [column for column in columns if column not in self.names]
        start = 0
        for batch in self.first.batches(own or self.first.columns[:1]):
            end = start + len(batch[0])
            here = slice(*np.searchsorted(self.rows, (start, end)))
            cells = dict(zip(own, (take(c, self.rows[here] - start) for c in batch), strict=False))
            for column in columns:
                if column in self.names:
                    joined = self.other.cells(self.names[column])
                    cells[column] = take(joined, self.partners[here])
            yield [cells[column] for column in columns]
            start = end

    def row_name(self, row: int) -> str:
        """Name a row as in the first file, and its partner in the other."""
        partner = self.other.row_name(int(self.partners[row]))
        return f"{self.first.row_name(int(self.rows[row]))} joined with {partner}"

    def place(self, row: int) -> Place:
        """Say where a row stands in the first file."""
        return Place(self.name, int(self.rows[row]) + 1, self.row_name(row))


@dataclass(frozen=True)
class _Side:
    """The tables of one side, below each other."""

    tables: tuple[Table, ...]
    key: str

    @cached_property
    def name(self) -> str:
        return list_names([table.name for table in self.tables], most=2)

    @cached_property
    def _cells(self) -> dict[str, Cells]:
        return {}

    def cells(self, column: str) -> Cells:
        """Give a column of all tables, which is read once."""
        import pyarrow as pa

        if column not in self._cells:
            parts = [batch[0] for table in self.tables for batch in table.batches([column])]
            if len({part.type for part in parts}) > 1:
                parts = [to_texts(part) for part in parts]
            chunks = pa.chunked_array(parts).unify_dictionaries().chunks
            self._cells[column] = pa.concat_arrays(chunks)
        return self._cells[column]

    @cached_property
    def counts(self) -> list[int]:
        """The number of rows of each table."""
        return [sum(len(b[0]) for b in table.batches([self.key])) for table in self.tables]

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Key to row; a key that is missing has none.

        Raises:
            InputError: a key stands twice.
        """
        found: dict[str, int] = {}
        for row, text in enumerate(to_texts(self.cells(self.key)).to_pylist()):
            key = _WHOLE.sub(r"\1", (text or "").strip())
            if not key:
                continue
            if key in found:
                raise InputError(
                    f"{self.row_name(row)}, column {self.key}: '{_cut(key)}' stands in "
                    f"{self.row_name(found[key])} too, and a key names one row. Leave one of the "
                    f"rows out of the file, or name another column with {parameter('on')}."
                )
            found[key] = row
        return found

    def row_name(self, row: int) -> str:
        table = int(np.searchsorted(np.cumsum(self.counts), row, side="right"))
        of_table = row - sum(self.counts[:table])
        return f"{self.tables[table].name}: {self.tables[table].row_name(of_table)}"


@dataclass(frozen=True)
class Joined:
    """What comes of a join.

    Attributes:
        tables: one for each of the first tables.
        key: the column that both sides have.
        counts: the number of rows of each first table, before the join.
        other_counts: of each other table.
        notes: on rows that found no partner.
    """

    tables: tuple[JoinedTable, ...]
    key: str
    counts: tuple[int, ...]
    other_counts: tuple[int, ...]
    notes: tuple[Note, ...]


def join_tables(
    tables: Sequence[Table],
    others: Sequence[Table],
    on: str | None,
    *,
    usual: Sequence[str] = (),
    allow_unmatched: bool = False,
) -> Joined:
    """Give each row of some tables the columns of the row of others that has the same key.

    A column that both sides have is `JOINED` and its name where it comes from the others. Rows
    without a partner are left out.

    Args:
        tables: the first side; its order is kept.
        others: the other side.
        on: the column that both sides have; left out, the first of `usual` that both have, or the
            only column that both have.
        usual: names of keys, the likeliest first.
        allow_unmatched: whether more than a fifth of a side's rows may have no partner.

    Raises:
        InputError: the key stands twice, or too few rows find a partner.
        UsageError: there is no such key.
    """
    key = _key_of(tables, others, on, usual)
    first, other = _Side(tuple(tables), key), _Side(tuple(others), key)
    partners_of = other.row_of
    matched = {row: partners_of[k] for k, row in first.row_of.items() if k in partners_of}
    notes = _unmatched(first, other, len(matched), allow_unmatched=allow_unmatched)
    shared = [c for c in others[0].columns if all(c in table.columns for table in others)]
    joined, start = [], 0
    for table, count in zip(tables, first.counts, strict=True):
        rows = np.array(sorted(row for row in matched if start <= row < start + count), np.intp)
        names = {
            JOINED + column if column in table.columns else column: column
            for column in shared
            if column and column != key
        }
        partners = np.array([matched[int(row)] for row in rows], np.intp)
        columns = (*table.columns, *names)
        joined.append(
            JoinedTable(
                table.name, columns, table.sha256, table, other, rows - start, partners, names
            )
        )
        start += count
    return Joined(tuple(joined), key, tuple(first.counts), tuple(other.counts), notes)


def propose_join(tables: Sequence[Table], read_as: Callable[[str], bool]) -> str | None:
    """Say that two files may be two halves of one table, or give None where they are not.

    Args:
        tables: read together.
        read_as: tells whether a column would be read as a weight or a loss.
    """
    if len(tables) != 2:
        return None
    one, other = tables
    shared = [column for column in one.columns if column in other.columns and column]
    if not shared or any(read_as(column) for column in shared):
        return None
    if set(one.columns) == set(other.columns):
        return None
    keys = f"the column {shared[0]}" if len(shared) == 1 else f"the columns {list_names(shared, 5)}"
    return (
        f"{one.name} and {other.name} share {keys} and no column of weights or losses. Are they "
        f"the weights and the losses of the same runs? Then give one of them with "
        f"{parameter('join')}, as in {one.name} {parameter('join')} {other.name} "
        f"{parameter('on')} {shared[0]}."
    )


def _key_of(
    tables: Sequence[Table], others: Sequence[Table], on: str | None, usual: Sequence[str]
) -> str:
    everything = [*tables, *others]
    if on is not None:
        for table in everything:
            if on not in table.columns:
                raise UsageError(
                    f"{parameter('on')} {on}: {table.name} has no such column."
                    f"{nearest(on, table.columns)} The columns are {list_names(table.columns)}."
                )
        return on
    shared = [c for c in tables[0].columns if c and all(c in table.columns for table in everything)]
    key: str
    for key in (*usual, *(shared if len(shared) == 1 else ())):
        if key in shared:
            return key
    names = f"{tables[0].name} and {others[0].name}"
    if not shared:
        raise UsageError(
            f"{names} share no column to be joined by. The columns are "
            f"{list_names(tables[0].columns)} and {list_names(others[0].columns)}."
        )
    raise UsageError(
        f"{names} share {counted(len(shared), 'column')}, {list_names(shared)}: name the one that "
        f"says which rows belong together, as in {parameter('on')} {shared[0]}."
    )


def _unmatched(
    first: _Side, other: _Side, matched: int, *, allow_unmatched: bool
) -> tuple[Note, ...]:
    sides = [(side, sum(side.counts)) for side in (first, other)]
    lost = " and ".join(
        f"{count - matched:,} of {counted(count, 'row')} of {side.name}" for side, count in sides
    )
    if not matched:
        own, others = (next(iter(side.row_of), "") for side in (first, other))
        raise InputError(
            f"{first.name} and {other.name} have no {first.key} in common: the first ones are "
            f"'{_cut(own)}' and '{_cut(others)}'. Name another column with {parameter('on')}."
        )
    if all(count == matched for _, count in sides):
        return ()
    if not allow_unmatched and any(count - matched > _UNMATCHED * count for _, count in sides):
        raise InputError(
            f"{lost} have no partner by {first.key}, and more than a fifth of a file is not left "
            f"out unasked. Name another column with {parameter('on')}, or take the rows that "
            f"match with {parameter('allow_unmatched')}."
        )
    return (Note("unmatched", f"{lost} have no partner by {first.key} and are left out"),)


def _cut(key: str) -> str:
    key = one_line(key)
    return key if len(key) <= 40 else key[:37] + "..."
