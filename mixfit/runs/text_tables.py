"""Text files as tables: CSV with commas, semicolons or tabs, and JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from mixfit.base.errors import InputError
from mixfit.base.numbers import counted
from mixfit.runs.cells import one_line
from mixfit.runs.tables import Table, cells_of, column_names, flat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mixfit.runs.cells import Cells

_BLOCK = 1 << 23
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_SPACE = b" \t\r\n\xef\xbb\xbf"  # and the mark that a UTF-8 file may begin with


@dataclass(frozen=True)
class CsvTable(Table):
    """A CSV file, its text held in memory; every cell is read as text."""

    data: bytes
    header_lines: int
    separator: str

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
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.separator, newlines_in_values=b'"' in self.data
                ),
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
            for line, _, _ in _records(self.data, self.separator):
                lines.append(line)
        return lines

    def _explain(self, error: Exception) -> str:
        width = len(self.columns)
        try:
            for line, _, cells in _records(self.data, self.separator):
                if len(cells) != width:
                    return (
                        f"line {line} has {counted(len(cells), 'cell')} and the header has"
                        f" {width}. Mend the line, or quote the cells that hold a"
                        f" {_SEPARATORS[self.separator]}."
                    )
        except csv.Error:
            pass
        if "UTF8" in str(error):
            return "the text is not UTF-8. Save the file as UTF-8."
        return f"cannot be read as CSV: {flat(error)}"


@dataclass(frozen=True)
class JsonTable(Table):
    """Records in JSON, one a line or all in one list; what they nest is joined by dots.

    Attributes:
        values: column to the value of each row, None where it has none.
        lines: (rows,) where each row stands, or none where that is not known.
    """

    values: dict[str, list[Any]]
    lines: tuple[int, ...]

    def batches(self, columns: Sequence[str]) -> Iterator[list[Cells]]:
        """Give the cells of some columns in one batch."""
        yield [cells_of(self.values[column]) for column in columns]

    def row_name(self, row: int) -> str:
        """Name a row and its line."""
        return super().row_name(row) + (f" (line {self.lines[row]})" if self.lines else "")


def open_csv(name: str, data: bytes, sha256: str) -> CsvTable:
    """Open a text whose cells are separated by commas, semicolons or tabs.

    Raises:
        InputError: it has no header or no rows, or is not UTF-8.
    """
    separator = _separator_of(data)
    records = _records(data, separator)
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
    columns = column_names(name, header)
    if not has_rows:
        raise InputError(f"{name}: the table has a header but no rows.")
    return CsvTable(name, columns, sha256, data, header_end, separator)


def open_json(name: str, data: bytes, sha256: str) -> JsonTable | None:
    """Open records in JSON, or give None where a text does not begin as these do.

    Raises:
        InputError: a line is no record.
    """
    start = data[: 1 << 10].lstrip(_SPACE)[:1]
    if start == b"{":
        numbered = _json_lines(name, data)
    elif start == b"[":
        numbered = _json_list(name, data)
    else:
        return None
    if numbered is None:
        return None
    values: dict[str, list[Any]] = {}
    for row, (_, record) in enumerate(numbered):
        for column, value in _flattened(record):
            own = values.setdefault(column, [None] * len(numbered))
            if own[row] is not None:
                raise InputError(
                    f"{name}: row {row + 1}: '{column}' stands twice. Give one of them another "
                    "name."
                )
            own[row] = value
    lines = tuple(line for line, _ in numbered) if start == b"{" else ()
    return JsonTable(name, column_names(name, list(values)), sha256, values, lines)


def _json_lines(name: str, data: bytes) -> list[tuple[int, dict[str, Any]]] | None:
    """Give line and record of each row, or None where the first line is no record."""
    numbered: list[tuple[int, dict[str, Any]]] = []
    for line, text in enumerate(data.split(b"\n"), start=1):
        if not text.strip(_SPACE):
            continue
        try:
            record = json.loads(text.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            if not numbered:  # such as a CSV header that begins with a brace
                return None
            raise InputError(
                f"{name}: line {line} is no JSON ({flat(error)[:-1]}). Write one record a line."
            ) from None
        if not isinstance(record, dict):
            raise InputError(f"{name}: line {line} is no record. Write one record a line.")
        numbered.append((line, record))
    return numbered


def _json_list(name: str, data: bytes) -> list[tuple[int, dict[str, Any]]] | None:
    try:
        records = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    for row, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise InputError(
                f"{name}: item {row} of the list is no record. Write one record a row."
            )
    if not records:
        raise InputError(f"{name}: the list has no records. Each is a row.")
    return list(enumerate(records, start=1))


def _flattened(record: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        # On one line, as the names of columns are.
        column = one_line(before + name)
        if isinstance(value, dict):
            yield from _flattened(value, column + ".")
        else:
            yield column, value


def _separator_of(data: bytes) -> str:
    """Tell what separates the cells: what splits header and first row into as many, the most."""
    fit = {}
    for separator in _SEPARATORS:
        try:
            widths = [len(cells) for _, _, cells in islice(_records(data, separator), 2)]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            fit[separator] = (len(set(widths)) == 1, widths[0])
    return max(fit, key=lambda separator: fit[separator], default=",")


def _records(data: bytes, separator: str) -> Iterator[tuple[int, int, list[str]]]:
    """Give the first line, the last line and the cells of each record of a CSV text.

    The header is the first record; blank lines are none.
    """
    # Bytes that are not UTF-8 must not keep one from reading the header, or naming a line.
    reader = csv.reader(
        io.TextIOWrapper(
            io.BytesIO(data), encoding="utf-8-sig", errors="surrogateescape", newline=""
        ),
        delimiter=separator,
    )
    line = 1
    for cells in reader:
        if cells:
            yield line, reader.line_num, cells
        line = reader.line_num + 1
