"""A page of HTML that needs nothing but itself: words, tables and pictures, under headings."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mixfit.reports.report import Grid, Remark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Picture(NamedTuple):
    """A picture as SVG.

    Attributes:
        svg: its bytes.
        caption: what it shows, below it.
        text: what those have who do not see it.
    """

    svg: bytes
    caption: str
    text: str


class Table(NamedTuple):
    """A table with what it holds."""

    caption: str
    grid: Grid


class Code(NamedTuple):
    """Lines to be copied."""

    text: str


class Points(NamedTuple):
    """A list of sentences."""

    sentences: Sequence[str]


Part: TypeAlias = str | Table | Picture | Code | Points | Remark


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading."""

    heading: str
    parts: tuple[Part, ...]


def render_page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Give a page as HTML; every text is escaped.

    Args:
        title: of the page.
        lead: a sentence below it.
        sections: from top to bottom.
    """
    contents = "".join(
        f'<li><a href="#s{number}">{_text(section.heading)}</a></li>\n'
        for number, section in enumerate(sections, start=1)
    )
    body = "".join(
        f'<section aria-labelledby="s{number}">\n<h2 id="s{number}">{_text(section.heading)}</h2>\n'
        f"{''.join(map(_part, section.parts))}</section>\n"
        for number, section in enumerate(sections, start=1)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{_text(title)}</h1>\n<p>{_text(lead)}</p>\n"
        f'<nav aria-label="Contents">\n<ol>\n{contents}</ol>\n</nav>\n</header>\n'
        f"<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _part(part: Part) -> str:
    if isinstance(part, str):
        return f"<p>{_text(part)}</p>\n"
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Picture):
        data = base64.b64encode(part.svg).decode("ascii")
        return (
            f'<figure>\n<div class="wide" tabindex="0" role="group"'
            f' aria-label="{_text(part.caption)}">'
            f'<img alt="{_text(part.text)}" src="data:image/svg+xml;base64,{data}"></div>\n'
            f"<figcaption>{_text(part.caption)}</figcaption>\n</figure>\n"
        )
    if isinstance(part, Code):
        return f'<pre tabindex="0"><code>{_text(part.text)}</code></pre>\n'
    if isinstance(part, Points):
        items = "".join(f"<li>{_text(sentence)}</li>\n" for sentence in part.sentences)
        return f"<ul>\n{items}</ul>\n"
    return (
        f'<p class="remark {_CLASSES.get(part.label, "note")}"><strong>{_text(part.label)}</strong>'
        f" {_text(part.text)}</p>\n"
    )


def _table(table: Table) -> str:
    grid = table.grid

    def row(cells: Iterable[str], number: int | None = None) -> str:
        written = []
        for column, cell in enumerate(cells):
            side = ' class="left"' if column in grid.left else ""
            text = _text(cell.replace("\n", " "))
            if (number, column) in grid.marked:
                text = f"<strong>{text}</strong>"
            kind = '<th scope="row"' if column == 0 else "<td"
            written.append(f"{kind}{side}>{text}</{kind[1:3]}>")
        return f"<tr>{''.join(written)}</tr>\n"

    heads = "".join(
        f'<th scope="col"{" class=left" if column in grid.left else ""}>'
        f"{_text(header.replace(chr(10), ' '))}</th>"
        for column, header in enumerate(grid.headers)
    )
    rows = "".join(row(cells, number) for number, cells in enumerate(grid.rows))
    foot = f"<tfoot>\n{row(grid.footer)}</tfoot>\n" if grid.footer else ""
    caption = _text(table.caption)
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{caption}">\n<table>\n'
        f"<caption>{caption}</caption>\n<thead>\n<tr>{heads}</tr>\n</thead>\n"
        f"<tbody>\n{rows}</tbody>\n{foot}</table>\n</div>\n"
    )


def _text(text: str) -> str:
    # A name of a file that is not UTF-8 cannot be written as it is.
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return html.escape(clean)


_CLASSES = {"ok": "ok", "FAIL": "fail"}
# Wide tables and pictures scroll within themselves, so that a page never does to the side.
_STYLE = """\
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --soft: #f3f4f6;
  --line: #d3d6db; --quiet: #55595f; --link: #0b57a4; --ok: #0a6b3d; --fail: #a3200d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #17191c;
  --soft: #24272c; --line: #43474e; --quiet: #b0b5bd; --link: #8cc2ff; --ok: #6fd3a0;
  --fail: #ff9c8a; }
  img { filter: invert(0.9) hue-rotate(180deg); } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem 1.1rem 4rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.55 system-ui, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.6rem 0; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 0.6rem; padding-top: 0.7rem;
  border-top: 1px solid var(--line); }
p, ul, ol { margin: 0.6rem 0; max-width: 46rem; }
a { color: var(--link); }
nav ol { padding-left: 1.4rem; }
.wide { overflow-x: auto; max-width: 100%; margin: 1rem 0 0.3rem; }
/* A shadow at a side says that there is more beyond it; at the end the paper covers it. */
.wide, pre { --base: var(--paper); background:
  linear-gradient(to right, var(--base) 30%, transparent) left / 2.5rem 100% no-repeat local,
  linear-gradient(to left, var(--base) 30%, transparent) right / 2.5rem 100% no-repeat local,
  linear-gradient(to right, var(--line), transparent) left / 0.8rem 100% no-repeat scroll,
  linear-gradient(to left, var(--line), transparent) right / 0.8rem 100% no-repeat scroll; }
.wide:focus-visible, pre:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding: 0 0 0.4rem; }
th, td { padding: 0.22rem 0.7rem 0.22rem 0; text-align: right; white-space: nowrap;
  font-weight: normal; overflow-wrap: normal; }
thead th { border-bottom: 1px solid var(--line); color: var(--quiet); vertical-align: bottom; }
tfoot th, tfoot td { border-top: 1px solid var(--line); }
th.left, td.left { text-align: left; }
figure { margin: 1.4rem 0; }
figcaption { color: var(--quiet); font-size: 0.9rem; }
img { display: block; max-width: 100%; min-width: 32rem; height: auto; background: #ffffff; }
pre { --base: var(--soft); background-color: var(--soft); padding: 0.7rem 0.9rem;
  overflow-x: auto; font-size: 0.85rem; }
.remark { border-left: 4px solid var(--line); padding: 0.1rem 0 0.1rem 0.7rem; }
.remark.ok { border-color: var(--ok); } .remark.fail { border-color: var(--fail); }
@media print { .wide { overflow: visible; } img { min-width: 0; } h2 { break-after: avoid; }
  figure, tr { break-inside: avoid; } }
"""
