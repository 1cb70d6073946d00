"""Globs over the names of columns, and what a name says of a domain or a target."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mixfit.base.errors import InputError, UsageError, nearest
from mixfit.runs.join import JOINED
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    Globs = str | Sequence[str]

WEIGHT = "weight_"
_WILD = re.compile(r"[*?\[]")


def by_name(table: str, meanings: dict[str, str], what: str, name: str) -> dict[str, str]:
    """Turn column to domain, or to target, around.

    Args:
        table: what messages call the table.
        meanings: column to what it is.
        what: a word for that.
        name: of the parameter that chooses the columns.

    Raises:
        InputError: two columns mean the same.
    """
    columns: dict[str, str] = {}
    for column, meaning in meanings.items():
        if meaning in columns:
            raise InputError(
                f"{table}: columns {columns[meaning]} and {column} are both the {what} {meaning}. "
                f"Choose one of them with {name}."
            )
        columns[meaning] = column
    return columns


def split_globs(option: Globs | None, name: str, usual: Sequence[str] = ()) -> Sequence[str]:
    """Give the globs of an option, each text one or several with commas between them.

    Raises:
        UsageError: there is none.
    """
    if option is None:
        return usual
    texts = [option] if isinstance(option, str) else option
    globs = [glob.strip() for text in texts for glob in text.split(",") if glob.strip()]
    if not globs:
        raise UsageError(f"{name} is empty. Name columns, as in {name} 'a_*,b_*'.")
    return globs


def matching(glob: str, names: Sequence[str]) -> list[str]:
    """Give the names that a glob matches."""
    if glob in names:  # a name may hold brackets
        return [glob]
    return [name for name in names if fnmatchcase(name, glob)]


def unmatched(table: str, names: Sequence[str], name: str, glob: str) -> UsageError:
    """Say that a glob matches none of some names."""
    return UsageError(
        f"{name} '{glob}' matches no column of {table}.{nearest(glob, names)} "
        f"The columns are {list_names(names)}."
    )


def domain_of(column: str, glob: str) -> str:
    """Name the domain of a weight column that a glob matched."""
    column = column.removeprefix(JOINED)
    if column.startswith(WEIGHT):
        return column.removeprefix(WEIGHT) or column
    return _around_stars(column, glob.removeprefix(JOINED))


def target_of(column: str) -> str:
    """Name the target of a loss column, by what such columns are mostly called."""
    column = column.removeprefix(JOINED)
    if column.startswith("loss_"):
        return column.removeprefix("loss_") or column
    return column.removesuffix("_loss") or column


def usual_targets(names: Sequence[str]) -> dict[str, str]:
    """Give the columns that are called as losses mostly are, each with its target."""
    return {n: target_of(n) for n in names if target_of(n) != n.removeprefix(JOINED)}


def target_by(column: str, glob: str) -> str:
    """Name the target of a column that a glob matched."""
    column, glob = column.removeprefix(JOINED), glob.removeprefix(JOINED)
    if column.startswith("loss_"):
        return target_of(column)
    return target_of(_around_stars(column, glob))


def _around_stars(column: str, glob: str) -> str:
    """Strip from a column's name what a glob says before its first and after its last wildcard.

    Only whole words go: of ``c*_loss`` the ``c`` is part of the name.
    """
    if column == glob:
        return column
    before = re.split(_WILD, glob)[0]
    after = re.split(r"[*?\]]", glob)[-1]
    if before and not before[-1].isalnum():
        column = column.removeprefix(before) or column
    if after and not after[0].isalnum():
        column = column.removesuffix(after) or column
    return column
