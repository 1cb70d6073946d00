"""Tables and notes: on a terminal as wide as it is, through a pipe plain and never cut."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from mixfit.errors import Note

_UNLIMITED = 10_000


def console(stream: TextIO | None = None) -> Console:
    """Give a console on a stream, standard output by default."""
    from rich.console import Console

    stream = stream or sys.stdout
    width = None if stream.isatty() else _UNLIMITED
    return Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False)


def number(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits; an empty string for NaN.

    >>> number(0.45678), number(12345.6), number(1.5e-7), number(0.0)
    ('0.457', '1.23e+04', '1.5e-07', '0')
    """
    if math.isnan(value):
        return ""
    return f"{value:.{digits}g}"


def fixed(value: float, decimals: int = 2, *, sign: bool = False) -> str:
    """Write a number with so many decimals; an empty string for NaN.

    >>> fixed(0.4567), fixed(0.1, sign=True), fixed(-0.001, sign=True)
    ('0.46', '+0.10', '-0.00')
    """
    if math.isnan(value):
        return ""
    return f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"


def print_line(text: str = "", *, style: str = "", stream: TextIO | None = None) -> None:
    """Print one line, wrapped on a terminal."""
    from rich.text import Text

    console(stream).print(Text(text, style=style))


def print_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    footer: Sequence[str] | None = None,
    left: Iterable[int] = (0,),
    marked: Iterable[tuple[int, int]] = (),
    stream: TextIO | None = None,
) -> None:
    """Print a table, numbers to the right.

    Args:
        headers: of the columns.
        rows: cells, all of the same number.
        footer: a last row, set apart.
        left: columns that are set to the left.
        marked: (row, column) of cells that are set in bold, or followed by ``*`` in plain text.
        stream: standard output by default.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out = console(stream)
    bold = set(marked)
    columns = set(left)
    mark = "" if out.is_terminal else "*"
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=True, padding=(0, 1))
    for index, header in enumerate(headers):
        table.add_column(header, justify="left" if index in columns else "right", no_wrap=False)
    starred = {column for _, column in bold} if mark else set()
    for i, row in enumerate(rows):
        cells = []
        for j, cell in enumerate(row):
            plain = cell + (mark if (i, j) in bold else " " if j in starred else "")
            cells.append(Text(plain, style="bold" if (i, j) in bold else ""))
        table.add_row(*cells)
    if footer is not None:
        table.add_section()
        table.add_row(*(Text(c + (" " if j in starred else "")) for j, c in enumerate(footer)))
    with out.capture() as captured:
        out.print(table)
    # What pads the last column is of no use to anyone who compares or greps the text.
    lines = [line.rstrip() for line in captured.get().splitlines()]
    out.file.write("\n".join(lines) + "\n")


def print_notes(notes: Sequence[Note], *, stream: TextIO | None = None) -> None:
    """Print notes on standard error, those that say the same of several targets as one."""
    targets_of: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        targets_of.setdefault((note.code, note.text), []).append(note.target)
    for (_, text), targets in targets_of.items():
        named = ", ".join(target for target in targets if target)
        print_labelled("note", f"{named}: {text}" if named else text, stream=stream)


def print_labelled(label: str, text: str, *, stream: TextIO | None = None) -> None:
    """Print a line that starts with a label, wrapped on a terminal, on standard error."""
    from rich.table import Table
    from rich.text import Text

    out = console(stream or sys.stderr)
    if not out.is_terminal:
        out.file.write(f"{label:4s}  {text}\n")
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    styles = {"note": "yellow", "ok": "green", "FAIL": "bold red", "wrote": "dim"}
    grid.add_row(Text(label, style=styles.get(label, "")), Text(text))
    out.print(grid)
