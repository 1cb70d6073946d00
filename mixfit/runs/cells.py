"""Columns of cells to numbers and to text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mixfit.base.numbers import find_number

if TYPE_CHECKING:
    import pyarrow as pa

    from mixfit.base.arrays import Array, Indices

    Cells: TypeAlias = "pa.Array[Any]"

MISSING = ("", "nan", "na", "n/a", "#n/a", "null", "none")
_NONE = np.empty(0, dtype=np.intp)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def to_numbers(cells: Cells, *, counts: bool = False) -> tuple[Array, Indices]:
    """Convert cells to numbers.

    Args:
        cells: of one column.
        counts: whether they may be written as people write counts, such as ``7B``.

    Returns:
        The numbers (rows,), NaN where a cell is missing or no number, and the positions of the
        cells that are text and no number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = _plain(cells)
    kind = cells.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _floats(cells), _NONE
    texts = pc.utf8_trim_whitespace(to_texts(cells))
    try:
        return _floats(texts), _NONE
    except pa.ArrowInvalid:  # words for missing values, or text that is no number
        return _parse(texts.to_pylist(), counts=counts)


def to_texts(cells: Cells) -> Cells:
    """Convert cells to text; missing ones stay missing, and what has no text becomes its kind."""
    import pyarrow as pa

    cells = _plain(cells)
    if pa.types.is_string(cells.type):
        return cells
    try:
        if pa.types.is_duration(cells.type):  # whose text is a number of some unit
            raise pa.ArrowInvalid
        return cells.cast(pa.string())
    except pa.ArrowException:
        return pa.array([f"a {cells.type} value"] * len(cells), pa.string())


def one_line(text: str) -> str:
    """Make a text fit for a message: line breaks and control characters become spaces."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def take(cells: Cells, rows: Indices) -> Cells:
    """Take the cells of some rows."""
    import pyarrow as pa

    # pyarrow.array would import pandas to look at what it is given.
    indices = np.ascontiguousarray(rows, dtype=np.int64)
    buffers = [None, pa.py_buffer(indices)]
    return cells.take(pa.Array.from_buffers(pa.int64(), len(indices), buffers))


def _plain(cells: Cells) -> Cells:
    import pyarrow as pa

    return cells.dictionary_decode() if isinstance(cells, pa.DictionaryArray) else cells


def _floats(cells: Cells) -> Array:
    import pyarrow as pa

    # The buffers themselves, as pyarrow's to_numpy would import pandas.
    floats = cells.cast(pa.float64(), safe=False)
    if not len(floats):
        return np.empty(0)
    present, data = floats.buffers()
    rows = slice(floats.offset, floats.offset + len(floats))
    values = np.frombuffer(data, np.float64)[rows].copy()
    if present is not None:
        bits = np.unpackbits(np.frombuffer(present, np.uint8), bitorder="little")
        values[bits[rows] == 0] = np.nan
    return values


def _parse(texts: list[str | None], *, counts: bool) -> tuple[Array, Indices]:
    values = np.full(len(texts), np.nan)
    wrong = []
    for index, text in enumerate(texts):
        if text is None or text.lower() in MISSING:
            continue
        number = find_number(text) if counts else None
        try:
            values[index] = float(text) if number is None else number
        except ValueError:
            wrong.append(index)
    return values, np.array(wrong, dtype=np.intp)
