"""CSV and Parquet files, and data frames, to batches of columns.

Nothing here knows what a weight or a loss is. A table tells its column names, gives the columns
asked for batch by batch, and names a row the way a user finds it again.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import sys
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mixfit.base.errors import InputError, UsageError, nearest
from mixfit.base.numbers import counted
from mixfit.runs.cells import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from mixfit.runs.cells import Cells

    FilePath = str | os.PathLike[str]
    Sources = FilePath | pd.DataFrame | Sequence[FilePath]

_BLOCK = 1 << 23
_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


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


@dataclass(frozen=True)
class CsvTable(Table):
    """A CSV file, its text held in memory; every cell is read as text."""

    data: bytes
    header_lines: int

    def batches(self, columns: Sequence[str]) -> Iterator[list[Cells]]:
        """Give the cells of some columns as text, batch by batch."""
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        # Columns go by their position: names may be empty, or have spaces around them. All are
        # text, as a type inferred from the first block need not hold for the others.
        positions = [str(self.columns.index(column)) for column in columns]
        try:
            reader = arrow_csv.open_csv(
                pa.BufferReader(self.data),
                read_options=arrow_csv.ReadOptions(
                    block_size=_BLOCK,
                    skip_rows=self.header_lines,
                    column_names=[str(i) for i in range(len(self.columns))],
                ),
                parse_options=arrow_csv.ParseOptions(newlines_in_values=b'"' in self.data),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=positions,
                    column_types=dict.fromkeys(positions, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
            for batch in reader:
                yield [batch.column(position) for position in positions]
        except pa.ArrowException as error:
            raise InputError(f"{self.name}: {self._explain(error)}") from None

    def row_name(self, row: int) -> str:
        """Name a row and the line where it starts."""
        known = row + 1 < len(self._lines)
        return super().row_name(row) + (f" (line {self._lines[row + 1]})" if known else "")

    @cached_property
    def _lines(self) -> list[int]:
        """The first line of each record, up to one that Python's csv module cannot read."""
        # Blank lines and quoted line breaks make rows and lines differ by more than the header.
        lines = []
        with suppress(csv.Error):
            for line, _, _ in _records(self.data):
                lines.append(line)
        return lines

    def _explain(self, error: Exception) -> str:
        width = len(self.columns)
        try:
            for line, _, cells in _records(self.data):
                if len(cells) != width:
                    return (
                        f"line {line} has {counted(len(cells), 'cell')} and the header has"
                        f" {width}. Mend the line, or quote the cells that hold a comma."
                    )
        except csv.Error:
            pass
        if "UTF8" in str(error):
            return "the text is not UTF-8. Save the file as UTF-8."
        return f"cannot be read as CSV: {_flat(error)}"


@dataclass(frozen=True)
class ParquetTable(Table):
    """A Parquet file, of which only the columns asked for are read."""

    stored_names: tuple[str, ...]

    def batches(self, columns: Sequence[str]) -> Iterator[list[Cells]]:
        """Give the cells of some columns, batch by batch."""
        import pyarrow as pa
        from pyarrow import parquet

        stored = [self.stored_names[self.columns.index(column)] for column in columns]
        try:
            with parquet.ParquetFile(self.name) as file:
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


def open_tables(sources: Sources) -> list[Table]:
    """Open files, directories of Parquet files, or a data frame.

    Args:
        sources: a path, several paths, or a data frame.

    Returns:
        One table for each file, in the order given; a directory stands for its Parquet files,
        nested ones too, sorted by path.

    Raises:
        InputError: a file is missing, empty, or neither CSV nor Parquet.
        UsageError: no source is given, or one file twice.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(sources, pandas.DataFrame):
        return [_open_frame(sources)]
    single = isinstance(sources, (str, os.PathLike))
    paths = [cast("FilePath", sources)] if single else list(cast("Sequence[FilePath]", sources))
    tables: list[Table] = []
    seen: set[Path] = set()
    for path_given in paths:
        name = os.fspath(path_given)
        opened = _open_directory(name) if os.path.isdir(name) else {Path(name): _open_file(name)}
        for path, table in opened.items():
            if path.resolve() in seen:
                raise UsageError(f"{table.name} is given twice; its rows would count double.")
            seen.add(path.resolve())
            tables.append(table)
    if not tables:
        raise UsageError("no file is given. Name a CSV or Parquet file with the runs.")
    return tables


def list_names(names: Sequence[str], most: int = 20) -> str:
    """Join names with commas, and count those beyond the most that are named.

    >>> list_names(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _open_directory(name: str) -> dict[Path, Table]:
    paths = sorted(path for path in Path(name).rglob("*.parquet") if path.is_file())
    if not paths:
        raise InputError(f"{name}: the directory holds no *.parquet file. Name the files instead.")
    return {path: _open_file(os.path.join(name, path.relative_to(name))) for path in paths}


def _open_file(name: str) -> Table:
    try:
        with open(name, "rb") as file:
            if file.peek(4)[:4] == _PARQUET:
                return _open_parquet(name, hashlib.file_digest(file, "sha256").hexdigest())
            return _open_csv(name, file.read())
    except FileNotFoundError:
        parent = Path(name).parent
        siblings = os.listdir(parent) if os.access(parent, os.R_OK) else []
        raise InputError(f"{name}: no such file.{nearest(Path(name).name, siblings)}") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or _flat(error)}.") from None


def _open_parquet(name: str, sha256: str) -> ParquetTable:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(name) as file:
            stored_names, rows = tuple(file.schema_arrow.names), file.metadata.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(_broken_parquet(name, error)) from None
    if not rows:
        raise InputError(f"{name}: the table has columns but no rows.")
    columns = _column_names(name, stored_names)
    return ParquetTable(name, columns, sha256, stored_names)


def _open_csv(name: str, file_bytes: bytes) -> CsvTable:
    data = _decompress(name, file_bytes) if file_bytes.startswith(_GZIP) else file_bytes
    if data.startswith(_UTF16):
        raise InputError(f"{name}: the text is UTF-16. Save the file as UTF-8.")
    if b"\0" in data[:_BLOCK]:
        raise InputError(f"{name}: neither CSV nor Parquet. Give the runs as one of these.")
    records = _records(data)
    try:
        _, header_end, header = next(records, (0, 0, []))
        has_rows = next(records, None) is not None
    except csv.Error as error:
        raise InputError(f"{name}: cannot be read as CSV: {error}.") from None
    if not header:
        raise InputError(f"{name}: the file is empty. It needs a header line and a line a row.")
    try:
        "".join(header).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{name}: neither Parquet nor CSV in UTF-8. Save the table as one of these."
        ) from None
    columns = _column_names(name, header)
    for separator, word in ((";", "';'"), ("\t", "tabs")):
        if len(columns) == 1 and separator in columns[0]:
            raise InputError(f"{name}: the columns are separated by {word}. Separate them by ','.")
    if not has_rows:
        raise InputError(f"{name}: the table has a header but no rows.")
    return CsvTable(name, columns, hashlib.sha256(file_bytes).hexdigest(), data, header_end)


def _open_frame(frame: pd.DataFrame) -> FrameTable:
    name = "the data frame"
    if not len(frame):
        raise InputError(f"{name}: the table has no rows.")
    return FrameTable(name, _column_names(name, [str(c) for c in frame.columns]), "", frame)


def _column_names(table: str, names: Sequence[str]) -> tuple[str, ...]:
    stripped = tuple(one_line(name) for name in names)
    twice = [name for name, count in Counter(stripped).items() if name and count > 1]
    if twice:
        raise InputError(f"{table}: column {twice[0]} stands twice in the header. Rename one.")
    return stripped


def _decompress(name: str, data: bytes) -> bytes:
    import gzip
    import zlib

    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name}: broken gzip file: {_flat(error)}") from None


def _records(data: bytes) -> Iterator[tuple[int, int, list[str]]]:
    """Give the first line, the last line and the cells of each record of a CSV text.

    The header is the first record; blank lines are none.
    """
    # Bytes that are not UTF-8 must not keep one from reading the header, or naming a line.
    reader = csv.reader(
        io.TextIOWrapper(
            io.BytesIO(data), encoding="utf-8-sig", errors="surrogateescape", newline=""
        )
    )
    line = 1
    for cells in reader:
        if cells:
            yield line, reader.line_num, cells
        line = reader.line_num + 1


def _broken_parquet(name: str, error: Exception) -> str:
    return f"{name}: broken Parquet file: {_flat(error)} Write it again."


def _flat(error: Exception) -> str:
    return one_line(str(error)).rstrip(".") + "."
