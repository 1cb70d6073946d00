"""What a report is: lines, tables and notes as plain data, however they are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mixfit.base.errors import Note


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Attributes:
        headers: of the columns; a line break in one becomes a space where there is room.
        rows: cells, all of the same number.
        footer: a last row, set apart; none if it is empty.
        left: columns that are set to the left, as words are; numbers are set to the right.
        marked: (row, column) of the best figures.
        spare: columns that a narrow terminal can do without, the first first.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    footer: tuple[str, ...] = ()
    left: tuple[int, ...] = (0,)
    marked: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    spare: tuple[int, ...] = ()


class Remark(NamedTuple):
    """A line beside the results, with a label such as ``note``, ``ok`` or ``FAIL``."""

    label: str
    text: str


Block: TypeAlias = str | Grid


@dataclass(frozen=True)
class Report:
    """A result for people.

    Attributes:
        blocks: lines and tables from top to bottom; an empty line is a space between them.
        remarks: what a careful reader should know beside them.
    """

    blocks: tuple[Block, ...]
    remarks: tuple[Remark, ...] = ()


def remarks_of(notes: Iterable[Note]) -> tuple[Remark, ...]:
    """Make remarks of notes, one of those that say the same of several targets."""
    targets_of: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        targets_of.setdefault((note.code, note.text), []).append(note.target)
    remarks = []
    for (_, text), targets in targets_of.items():
        named = ", ".join(target for target in targets if target)
        remarks.append(Remark("note", f"{named}: {text}" if named else text))
    return tuple(remarks)
