"""Files, directories, globs and data frames to tables, each file opened by its content."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mixfit.base.errors import InputError, Note, UsageError, nearest
from mixfit.base.numbers import counted
from mixfit.runs.tables import flat, list_names, open_frame, open_parquet
from mixfit.runs.text_tables import open_csv, open_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from mixfit.runs.tables import Table

    FilePath = str | os.PathLike[str]
    Sources = FilePath | pd.DataFrame | Sequence[FilePath]

_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_KINDS = f"{', '.join('*' + suffix for suffix in _SUFFIXES)}, also with .gz"
_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_WILD = re.compile(r"[*?\[]")
_NAMED = 5  # files left out that a note names


def open_tables(sources: Sources) -> tuple[list[Table], list[Note]]:
    """Open files, directories, globs, or a data frame.

    Args:
        sources: a path, several paths, or a data frame. A directory stands for the tables in it,
            nested ones too, sorted by path; which files are tables is told by their names. A path
            with ``*``, ``?`` or ``[`` that is no file is a glob, ``**`` for nested directories.

    Returns:
        One table for each file, in the order given, and notes on files that a directory has
        beside its tables.

    Raises:
        InputError: a file is missing, empty, or no table.
        UsageError: no source is given, or one file twice.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(sources, pandas.DataFrame):
        return [open_frame(sources)], []
    single = isinstance(sources, (str, os.PathLike))
    paths = [cast("FilePath", sources)] if single else list(cast("Sequence[FilePath]", sources))
    tables: list[Table] = []
    notes: list[Note] = []
    seen: set[Path] = set()
    for path_given in paths:
        for path in _files_of(os.fspath(path_given), notes):
            real = Path(path).resolve()
            if real in seen:
                raise UsageError(f"{path} is given twice; its rows would count double.")
            seen.add(real)
            tables.append(_open_file(path))
    if not tables:
        raise UsageError("no file is given. Name a CSV or Parquet file with the runs.")
    return tables, notes


def files_named(sources: Iterable[str]) -> list[str]:
    """Give the files that the names of files, directories and globs stand for, as far as known."""
    files = []
    for name in sources:
        try:
            files += _files_of(name, [])
        except InputError:  # said where they are opened
            files.append(name)
    return files


def _files_of(name: str, notes: list[Note]) -> list[str]:
    """Give the files that a name stands for, and add notes on those that it does not."""
    if os.path.isdir(name):
        return _files_in(name, notes)
    if os.path.lexists(name) or not _WILD.search(name):
        return [name]
    found = sorted(glob.glob(name, recursive=True))
    if not found:
        raise InputError(f"{name}: no file has such a name.")
    files = []
    for path in found:
        files += _files_in(path, notes) if os.path.isdir(path) else [path]
    return files


def _files_in(name: str, notes: list[Note]) -> list[str]:
    """Give the tables in a directory."""
    paths = sorted(path for path in Path(name).rglob("*") if path.is_file())
    inside = {os.path.join(name, path.relative_to(name)): _is_table(path) for path in paths}
    tables = [path for path, is_table in inside.items() if is_table]
    if not tables:
        raise InputError(
            f"{name}: the directory holds no table ({_KINDS}). Name the files instead."
        )
    others = [os.path.relpath(path, name) for path, is_table in inside.items() if not is_table]
    if others:
        verb = "is" if len(tables) == 1 else "are"
        text = (
            f"{name}: {counted(len(tables), 'table')} {verb} read, and what is none by its name is "
            f"not: {list_names(others, most=_NAMED)}"
        )
        notes.append(Note("left-out", text))
    return tables


def _is_table(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    # A name that begins with a dot is none of the user's.
    return name.endswith(_SUFFIXES) and not name.startswith(".")


def _open_file(name: str) -> Table:
    try:
        with open(name, "rb") as file:
            if file.peek(4)[:4] == _PARQUET:
                if not file.seekable():  # a pipe, which pyarrow would wait for again
                    data = file.read()
                    return open_parquet(name, hashlib.sha256(data).hexdigest(), data)
                return open_parquet(name, hashlib.file_digest(file, "sha256").hexdigest())
            return _open_text(name, file.read())
    except FileNotFoundError:
        parent = Path(name).parent
        siblings = os.listdir(parent) if os.access(parent, os.R_OK) else []
        raise InputError(f"{name}: no such file.{nearest(Path(name).name, siblings)}") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or flat(error)}.") from None


def _open_text(name: str, file_bytes: bytes) -> Table:
    data = _decompress(name, file_bytes) if file_bytes.startswith(_GZIP) else file_bytes
    if data.startswith(_UTF16):
        raise InputError(f"{name}: the text is UTF-16. Save the file as UTF-8.")
    if b"\0" in data[: 1 << 23]:
        raise InputError(f"{name}: neither CSV nor Parquet. Give the runs as one of these.")
    sha256 = hashlib.sha256(file_bytes).hexdigest()
    return open_json(name, data, sha256) or open_csv(name, data, sha256)


def _decompress(name: str, data: bytes) -> bytes:
    import gzip
    import zlib

    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name}: broken gzip file: {flat(error)}") from None
