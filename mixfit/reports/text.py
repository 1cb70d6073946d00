"""Tables and notes: on a terminal as wide as it is, through a pipe plain and never cut."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from mixfit.base.errors import Note

_UNLIMITED = 10_000


def console(stream: TextIO | None = None) -> Console:
    """Give a console on a stream, standard output by default."""
    from rich.console import Console

    stream = stream or sys.stdout
    width = None if stream.isatty() else _UNLIMITED
    return Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False)


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
    spare: Sequence[int] = (),
    stream: TextIO | None = None,
) -> None:
    """Print a table, numbers to the right.

    Args:
        headers: of the columns; a line break in one becomes a space where there is room.
        rows: cells, all of the same number.
        footer: a last row, set apart.
        left: columns that are set to the left.
        marked: (row, column) of cells that are set in bold, or followed by ``*`` in plain text.
        spare: columns that may be left out, the first first, where a terminal is too narrow.
        stream: standard output by default.
    """
    from rich.measure import Measurement

    out = console(stream)
    columns = list(range(len(headers)))
    width = out.width
    for missing in ["no header broken", "none", *spare]:
        if missing == "no header broken":
            shown = [header.replace("\n", " ") for header in headers]
        else:
            shown = list(headers)
            columns = [column for column in columns if column != missing]
        table = _make_table(
            shown, rows, footer, set(left), set(marked), columns, plain=not out.is_terminal
        )
        width = Measurement.get(out, out.options.update(width=_UNLIMITED), table).maximum
        if width <= out.width:
            break
    # Too wide even so: better wrapped by the terminal than cut.
    out.width = max(out.width, width)
    with out.capture() as captured:
        out.print(table)
    # What pads the last column is of no use to anyone who compares or greps the text.
    lines = [line.rstrip() for line in captured.get().splitlines()]
    out.file.write("\n".join(lines) + "\n")


def _make_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    footer: Sequence[str] | None,
    left: set[int],
    marked: set[tuple[int, int]],
    columns: Sequence[int],
    *,
    plain: bool,
) -> Table:
    """Make the table of some of the columns."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    starred = {column for _, column in marked} if plain else set()

    def cell(text: str, row: int | None, column: int) -> Text:
        if column in starred:
            text += "*" if (row, column) in marked else " "
        return Text(text, style="bold" if (row, column) in marked else "")

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "left" if column in left else "right"
        table.add_column(headers[column], justify=justify, no_wrap=True)
    for index, row in enumerate(rows):
        table.add_row(*(cell(row[column], index, column) for column in columns))
    if footer is not None:
        table.add_section()
        table.add_row(*(cell(footer[column], None, column) for column in columns))
    return table


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
