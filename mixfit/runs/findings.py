"""What is wrong or doubtful in a table, each with where it stands and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mixfit.base.errors import InputError, Note, said_with
from mixfit.base.numbers import counted
from mixfit.base.plain import Omitted  # noqa: TC001, the check file is written by its type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# Of findings, the worst first: what is refused, what makes numbers wrong, what is worth knowing.
ERROR, WARNING, ADVICE = SEVERITIES = ("error", "warning", "advice")

ROWS_NAMED = 3  # besides the first
_NAMED = 10  # faults of an error
_OMIT: dict[str, Any] = {"omit": True}  # see `mixfit.base.plain.Key`


class Place(NamedTuple):
    """Where a row stands.

    Attributes:
        file: its path as the user gave it, or "" for arrays.
        row: counted from 1.
        text: what messages call the row, such as ``row 3 (line 4)``.
    """

    file: str
    row: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.text}" if self.file else self.text

    def beside(self, other: Place) -> str:
        """Say where it stands, in a message on another row."""
        return self.text if self.file == other.file else str(self)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something in a table that is wrong or doubtful.

    Attributes:
        code: a stable name for what it is, such as ``jump``, for programs.
        severity: ``error``, ``warning`` or ``advice``.
        file: where it stands, or "" where it is about all files.
        row: the first row where it stands, counted from 1, if it is about rows.
        place: what messages call that row.
        column: where it stands, in words such as ``column loss_x``, or "".
        target: that it is about, or "".
        rows: how many rows it is about.
        message: what it is, a clause.
        todo: what to do, in sentences.
    """

    code: str
    severity: str
    file: str = field(default="", metadata=_OMIT)
    row: Omitted[int] = None
    place: str = field(default="", metadata=_OMIT)
    column: str = field(default="", metadata=_OMIT)
    target: str = field(default="", metadata=_OMIT)
    rows: int = field(default=0, metadata=_OMIT)
    message: str
    todo: str

    @property
    def where(self) -> str:
        """Where it stands, in words, or ""."""
        whole = ": ".join(part for part in (self.file, self.place) if part)
        inner = self.column or ("" if self.place else self.target)
        if inner:
            whole += (", " if self.place else ": " if whole else "") + inner
        return whole

    @property
    def text(self) -> str:
        """All of it, in sentences."""
        return (
            f"{self.where}: {self.message}. {self.todo}"
            if self.where
            else (f"{self.message}. {self.todo}")
        )

    def note(self) -> Note:
        """What a result says of it that was made of the table all the same."""
        return Note(self.code, self.message, self.target)

    def said_with(self, name_of: Callable[[str], str]) -> Finding:
        """Give it with other names for parameters (see `MixfitError.said_with`)."""
        message, todo = (said_with(text, name_of) for text in (self.message, self.todo))
        return replace(self, message=message, todo=todo)


def and_others(places: Sequence[Place], rows: int) -> str:
    """Say where else something stands: " (so in 2 rows more: ...)", or "" for one row.

    Args:
        places: of the first rows, the very first included; more than `ROWS_NAMED` are not named.
        rows: how many there are.
    """
    if rows < 2:
        return ""
    named = ", ".join(str(place) for place in places[1 : ROWS_NAMED + 1])
    more = ", ..." if rows - 1 > ROWS_NAMED else ""
    return f" (so in {counted(rows - 1, 'row')} more: {named}{more})"


def at(place: Place, column: str = "") -> dict[str, Any]:
    """Give the fields of a `Finding` that say where it stands."""
    return {"file": place.file, "row": place.row, "place": place.text, "column": column}


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Order findings by severity, then by how many rows they are about."""
    return sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), -found.rows))


def refuse(findings: Sequence[Finding]) -> None:
    """Raise one error for all findings that are errors, if there are any: ten lines at most.

    Raises:
        InputError: there is an error.
    """
    faults = [found.text for found in findings if found.severity == ERROR]
    if faults:
        more = len(faults) - _NAMED
        rest = [f"and {counted(more, 'fault')} more"] if more > 0 else []
        raise InputError("\n".join(["\nalso: ".join(faults[:_NAMED]), *rest]))
