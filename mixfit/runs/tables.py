"""What a table is, and Parquet files and data frames as tables.

Nothing here knows what a weight or a loss is. A table tells its column names, gives the columns
asked for batch by batch, and names a row the way a user finds it again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mixfit.base.errors import InputError
from mixfit.runs.cells import one_line
from mixfit.runs.findings import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from mixfit.runs.cells import Cells


@dataclass(frozen=True)
class Table(ABC):
    """Rows of named columns, read batch by batch.

    Attributes:
        name: what messages call it: the path as the user gave it.
        columns: the names of the columns, each on one line, in the table's order.
        sha256: of the file's bytes, or "" for a data frame.
    """

    name: str
    columns: tuple[str, ...]
    sha256: str

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[list[Cells]]:
        """Give the cells of some columns, batch by batch, in the order of the rows."""

    def row_name(self, row: int) -> str:
        """Name a row, counted from 0, as users count: "row 1" is the first row of data."""
        return f"row {row + 1}"

    def place(self, row: int) -> Place:
        """Say where a row, counted from 0, stands."""
        return Place(self.name, row + 1, self.row_name(row))


@dataclass(frozen=True)
class ParquetTable(Table):
    """A Parquet file, of which only the columns asked for are read.

    Attributes:
        data: the file, where it can be read only once, as a pipe can.
    """

    stored_names: tuple[str, ...]
    data: bytes | None = None

    def batches(self, columns: Sequence[str]) -> Iterator[list[Cells]]:
        """Give the cells of some columns, batch by batch."""
        import pyarrow as pa
        from pyarrow import parquet

        stored = [self.stored_names[self.columns.index(column)] for column in columns]
        try:
            with parquet.ParquetFile(_parquet_source(self.name, self.data)) as file:
                for batch in file.iter_batches(columns=stored):
                    yield [batch.column(column) for column in stored]
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise InputError(_broken_parquet(self.name, error)) from None


@dataclass(frozen=True)
class FrameTable(Table):
    """A pandas data frame."""

    frame: pd.DataFrame

    def batches(self, columns: Sequence[str]) -> Iterator[list[Cells]]:
        """Give the cells of some columns in one batch."""
        yield [self._cells(self.columns.index(column)) for column in columns]

    def _cells(self, position: int) -> Cells:
        import pyarrow as pa

        series = self.frame.iloc[:, position]
        try:
            cells = pa.array(series, from_pandas=True)
        except (pa.ArrowException, OverflowError):  # numbers and text in one column
            texts = series.map(str).mask(series.isna(), None)
            cells = pa.array(texts, pa.string(), from_pandas=True)
        return pa.concat_arrays(cells.chunks) if isinstance(cells, pa.ChunkedArray) else cells


def open_parquet(name: str, sha256: str, data: bytes | None = None) -> ParquetTable:
    """Open a Parquet file.

    Args:
        name: of the file.
        sha256: of its bytes.
        data: these, where the file can be read only once.

    Raises:
        InputError: it is broken or has no rows.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(_parquet_source(name, data)) as file:
            stored_names, rows = tuple(file.schema_arrow.names), file.metadata.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(_broken_parquet(name, error)) from None
    if not rows:
        raise InputError(f"{name}: the table has columns but no rows.")
    columns = column_names(name, stored_names)
    return ParquetTable(name, columns, sha256, stored_names, data)


def _parquet_source(name: str, data: bytes | None) -> Any:
    import pyarrow as pa

    return name if data is None else pa.BufferReader(data)


def open_frame(frame: pd.DataFrame) -> FrameTable:
    """Take a data frame as a table.

    Raises:
        InputError: it has no rows.
    """
    name = "the data frame"
    if not len(frame):
        raise InputError(f"{name}: the table has no rows.")
    return FrameTable(name, column_names(name, [str(c) for c in frame.columns]), "", frame)


def cells_of(values: list[Any]) -> Cells:
    """Give the values of a column, None where missing, as cells; unlike ones become text."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def list_names(names: Sequence[str], most: int = 20) -> str:
    """Join names with commas, and count those beyond the most that are named.

    >>> list_names(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def column_names(table: str, names: Sequence[str]) -> tuple[str, ...]:
    """Give the names of a table's columns, each on one line.

    Raises:
        InputError: one stands twice.
    """
    stripped = tuple(one_line(name) for name in names)
    twice = [name for name, count in Counter(stripped).items() if name and count > 1]
    if twice:
        raise InputError(f"{table}: column {twice[0]} stands twice in the header. Rename one.")
    return stripped


def _broken_parquet(name: str, error: Exception) -> str:
    return f"{name}: broken Parquet file: {flat(error)} Write it again."


def flat(error: Exception) -> str:
    """Give the message of another library's error on one line, with one full stop."""
    return one_line(str(error)).rstrip(".") + "."
