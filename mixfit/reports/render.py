"""Reports to text: on a terminal as wide as it is, through a pipe plain and never cut; to markup.

Markdown is that of GitHub, LaTeX needs the package booktabs.
"""

from __future__ import annotations

import csv
import html
import io
import re
import sys
from typing import TYPE_CHECKING, Literal, TextIO

from mixfit.base.shown import HTML, TEXT
from mixfit.base.streams import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from mixfit.reports.report import Grid, Remark, Report

_UNLIMITED = 10_000
_STYLES = {"note": "yellow", "ok": "green", "FAIL": "bold red", "wrote": "dim"}


def print_report(report: Report, form: str = TEXT) -> None:
    """Print the lines and tables of a report on standard output; its remarks are not printed."""
    if form == TEXT:
        _print_blocks(report, _console(sys.stdout))
    else:
        sys.stdout.write(_FORMS[form](report))
    sys.stdout.flush()  # before remarks, where both go to one place


def print_remarks(remarks: Iterable[Remark]) -> None:
    """Print remarks on standard error, wrapped on a terminal."""
    from rich.table import Table
    from rich.text import Text

    for label, raw in remarks:
        text = visible(raw)
        out = _console(sys.stderr)
        if not out.is_terminal:
            out.file.write(f"{label:4s}  {text}\n")
            continue
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(label, style=_STYLES.get(label, "")), Text(text))
        out.print(grid)


def render(report: Report, form: str) -> str:
    """Give a report as ``text`` or ``html`` with its remarks, or its tables for a paper.

    Args:
        report: the report.
        form: ``text``, ``html``, ``markdown``, ``latex`` or ``csv``.
    """
    return _FORMS[form](report)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    width = None if stream.isatty() else _UNLIMITED
    return Console(file=stream, width=width, highlight=False, soft_wrap=False, emoji=False)


def _text(report: Report) -> str:
    from rich.console import Console

    # Never as a terminal or a notebook would have it, whatever this process runs in.
    out = Console(
        file=io.StringIO(),
        width=_UNLIMITED,
        highlight=False,
        emoji=False,
        force_terminal=False,
        force_jupyter=False,
        color_system=None,
    )
    _print_blocks(report, out)
    remarks = "".join(f"{label:4s}  {visible(text)}\n" for label, text in report.remarks)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue() + remarks


def _print_blocks(report: Report, out: Console) -> None:
    from rich.text import Text

    for block in report.blocks:
        if isinstance(block, str):
            out.print(Text(visible(block)))
        else:
            _print_grid(block, out)


def _print_grid(grid: Grid, out: Console) -> None:
    """Print a table that fits, at the price of line breaks in headers, then of spare columns.

    What is left out is named below the table.
    """
    from rich.measure import Measurement
    from rich.text import Text

    full_width = out.width
    headers = [header.replace("\n", " ") for header in grid.headers]
    fewer = [(grid.headers, grid.spare[:count]) for count in range(len(grid.spare) + 1)]
    for shown, missing in [(headers, ()), *fewer]:
        columns = [column for column in range(len(shown)) if column not in missing]
        table = _make_table(grid, shown, columns, plain=not out.is_terminal)
        width = Measurement.get(out, out.options.update(width=_UNLIMITED), table).maximum
        if width <= full_width:
            break
    # Too wide even so: better wrapped by the terminal than cut.
    out.width = max(full_width, width)
    with out.capture() as captured:
        out.print(table)
    out.width = full_width
    # What pads the last column is of no use to anyone who compares or greps the text.
    lines = [line.rstrip() for line in captured.get().splitlines()]
    out.file.write("\n".join(lines) + "\n")
    if missing:
        names = ", ".join(headers[column] for column in sorted(missing))
        out.print(Text(visible(f"no room here for: {names}"), style="dim"))


def _make_table(
    grid: Grid, headers: Sequence[str], columns: Sequence[int], *, plain: bool
) -> Table:
    """Make the table of some columns; marked cells are bold, or followed by ``*`` if plain."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    starred = {column for _, column in grid.marked} if plain else set()

    def cell(raw: str, row: int | None, column: int) -> Text:
        text = visible(raw)
        if column in starred:
            text += "*" if (row, column) in grid.marked else " "
        return Text(text, style="bold" if (row, column) in grid.marked else "")

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        justify: Literal["left", "right"] = "left" if column in grid.left else "right"
        header = Text("\n").join(Text(visible(line)) for line in headers[column].split("\n"))
        table.add_column(header, justify=justify, no_wrap=True)
    for index, row in enumerate(grid.rows):
        table.add_row(*(cell(row[column], index, column) for column in columns))
    if grid.footer:
        table.add_section()
        table.add_row(*(cell(grid.footer[column], None, column) for column in columns))
    return table


def _markdown(report: Report) -> str:
    lines = []
    following = [*report.blocks[1:], ""]
    for block, after in zip(report.blocks, following, strict=True):
        if not isinstance(block, str):
            lines.append(_markdown_grid(block))
        else:
            lines.append(_escape_markdown(block) + ("\\\n" if block and after else "\n"))
    return "".join(lines)


def _markdown_grid(grid: Grid) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |\n"

    rules = [":--" if i in grid.left else "--:" for i in range(len(grid.headers))]
    rows = [_marked_cells(grid, i, _escape_markdown, "**{}**") for i in range(len(grid.rows))]
    rows += [[_escape_markdown(cell) for cell in grid.footer]] if grid.footer else []
    headers = [_escape_markdown(header) for header in grid.headers]
    return "".join(map(line, [headers, rules, *rows]))


# An underscore inside a word is one.
_MARKDOWN = re.compile(r"[\\|*`<\[~]|(?<![^\W_])_|_(?![^\W_])|^[#>]")


def _escape_markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", text.replace("\n", " "))


def _latex(report: Report) -> str:
    return "".join(
        f"{_escape_latex(block)}\n" if isinstance(block, str) else _latex_grid(block)
        for block in report.blocks
    )


def _latex_grid(grid: Grid) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"{' & '.join(cells)} \\\\"

    kinds = "".join("l" if i in grid.left else "r" for i in range(len(grid.headers)))
    lines = [f"\\begin{{tabular}}{{{kinds}}}", "\\toprule"]
    lines += [line(map(_escape_latex, grid.headers)), "\\midrule"]
    lines += [
        line(_marked_cells(grid, i, _escape_latex, "\\textbf{{{}}}")) for i in range(len(grid.rows))
    ]
    lines += ["\\midrule", line(map(_escape_latex, grid.footer))] if grid.footer else []
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


_LATEX = {"%": r"\%", "_": r"\_", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}"}
_LATEX |= {"±": r"$\pm$", "≤": r"$\le$", "<": "$<$", ">": "$>$", "~": r"\textasciitilde{}"}
_LATEX |= {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "\n": " "}


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _html(report: Report) -> str:
    blocks = [
        f"<p>{_escape_html(block)}</p>\n" if isinstance(block, str) else _html_grid(block)
        for block in report.blocks
        if block != ""
    ]
    remarks = [
        f"<p><em>{_escape_html(label)}</em> {_escape_html(text)}</p>\n"
        for label, text in report.remarks
    ]
    return f"<div>\n{''.join(blocks + remarks)}</div>\n"


def _html_grid(grid: Grid) -> str:
    def row(cells: Iterable[str], kind: str = "td") -> str:
        sides = ["left" if i in grid.left else "right" for i in range(len(grid.headers))]
        return "".join(
            f'<{kind} style="text-align: {side}">{cell}</{kind}>'
            for cell, side in zip(cells, sides, strict=True)
        )

    rows = [row(_marked_cells(grid, i, _escape_html, "<b>{}</b>")) for i in range(len(grid.rows))]
    parts = {"thead": [row(map(_escape_html, grid.headers), "th")], "tbody": rows}
    parts |= {"tfoot": [row(map(_escape_html, grid.footer))]} if grid.footer else {}
    lines = ["<table>"]
    for part, within in parts.items():
        lines += [f"<{part}>", *(f"<tr>{cells}</tr>" for cells in within), f"</{part}>"]
    return "\n".join([*lines, "</table>"]) + "\n"


def _escape_html(text: str) -> str:
    return html.escape(text.replace("\n", " "))


def _csv(report: Report) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for block in report.blocks:
        if not isinstance(block, str):
            writer.writerows([block.headers, *block.rows, *([block.footer] * bool(block.footer))])
    return out.getvalue()


def _marked_cells(grid: Grid, index: int, escape: Callable[[str], str], mark: str) -> list[str]:
    """Give the cells of a row, escaped, and the marked ones set in a template."""
    return [
        mark.format(escape(cell)) if (index, column) in grid.marked else escape(cell)
        for column, cell in enumerate(grid.rows[index])
    ]


_FORMS = {TEXT: _text, HTML: _html, "markdown": _markdown, "latex": _latex, "csv": _csv}
