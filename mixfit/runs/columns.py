"""Which column of a table is what: globs and naming conventions to `Columns`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mixfit.base.errors import InputError, UsageError, nearest, parameter
from mixfit.base.numbers import parse_number
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    Globs = str | Sequence[str]

MODEL_SIZE = ("model_size", "n_params", "params", "N")
TOKENS = ("n_tokens", "tokens", "D")
_WILD = re.compile(r"[*?\[]")
_WEIGHT = "weight_"


@dataclass(frozen=True)
class Columns:
    """What was read as what.

    Attributes:
        model_size: the column of N, or one number of parameters that holds for every row.
        tokens: the column of D, or one number of tokens that holds for every row.
        weights: domain to column, in the order of the domains.
        targets: target to column, in the order of the targets.
    """

    model_size: str | float
    tokens: str | float
    weights: dict[str, str]
    targets: dict[str, str]

    @property
    def used(self) -> tuple[str, ...]:
        """The columns to read, each once."""
        sizes = [name for name in (self.model_size, self.tokens) if isinstance(name, str)]
        return (*sizes, *self.weights.values(), *self.targets.values())


def choose_columns(
    table: str,
    names: Sequence[str],
    weights: Globs | None,
    targets: Globs | None,
    model_size: str | float | None,
    tokens: str | float | None,
) -> Columns:
    """Tell which columns of a table are weights, losses, N and D.

    Args:
        table: what messages call the table.
        names: the names of its columns.
        weights: see `mixfit.read_runs`, as for the others.
        targets: globs over column or target names, or None.
        model_size: the column of N or one number, or None.
        tokens: the column of D or one number, or None.

    Raises:
        InputError: the table lacks a column that is needed, or has two for one purpose.
        UsageError: an option matches no column, or a column that serves another purpose.
    """
    names = [name for name in names if name]
    columns = Columns(
        _size(table, names, model_size, MODEL_SIZE, "model size", parameter("model_size")),
        _size(table, names, tokens, TOKENS, "tokens", parameter("tokens")),
        weight_columns(table, names, weights),
        _targets(table, names, targets),
    )
    _refuse_two_purposes(table, columns)
    return columns


def weight_columns(table: str, names: Sequence[str], option: Globs | None) -> dict[str, str]:
    """Tell which columns of a table are weights, domain to column.

    Args:
        table: what messages call the table.
        names: the names of its columns.
        option: globs over them; left out, ``weight_*``.

    Raises:
        InputError: there are fewer than two.
        UsageError: a glob matches no column.
    """
    domains: dict[str, str] = {}
    name = parameter("weights")
    for glob in _globs(option, name, [_WEIGHT + "*"]):
        matched = _matching(glob, names)
        if not matched and option is not None:
            raise _unmatched(table, names, name, glob)
        for column in matched:
            domains.setdefault(column, _domain(column, glob))
    if len(domains) > 1:
        return _by_name(table, domains, "domain", name)
    if domains:
        raise InputError(
            f"{table}: only one weight column, {next(iter(domains))}; a mixture has two or more "
            f"domains. Name the others with {name}. The columns are {list_names(names)}."
        )
    raise InputError(
        f"{table}: no weight column (weight_*). Name the columns of the mixture's weights with "
        f"{name}, as in {name} 'train_*'. The columns are {list_names(names)}."
    )


def _targets(table: str, names: Sequence[str], option: Globs | None) -> dict[str, str]:
    usual = {column: _target(column) for column in names if _target(column) != column}
    name = parameter("targets")
    chosen = dict(usual) if option is None else {}
    for glob in _globs(option, name):
        matched = _matching_losses(glob, names, usual)
        if not matched:
            raise _unmatched(table, [*names, *usual.values()], name, glob)
        for column, target in matched.items():
            chosen.setdefault(column, target)
    if not chosen:
        raise InputError(
            f"{table}: no loss column (loss_* or *_loss). Name the columns of the losses with "
            f"{name}, as in {name} 'val_*'. The columns are {list_names(names)}."
        )
    return _by_name(table, chosen, "target", name)


def _matching_losses(glob: str, names: Sequence[str], usual: dict[str, str]) -> dict[str, str]:
    """Give the targets that a glob means, each column with its target."""
    if glob in names:
        return {glob: _target(glob)}
    by_target = [column for column, target in usual.items() if fnmatchcase(target, glob)]
    # 'w*' means the loss of wikipedia, and not the weights, where there is such a loss.
    matched = [column for column in usual if column in by_target or fnmatchcase(column, glob)]
    return {
        column: usual[column] if column in by_target else _target_by(column, glob)
        for column in matched or _matching(glob, names)
    }


def _size(
    table: str,
    names: Sequence[str],
    option: str | float | None,
    usual: Sequence[str],
    what: str,
    name: str,
) -> str | float:
    if option is None:
        present = [column for column in usual if column in names]
        if len(present) == 1:
            return present[0]
        if present:
            raise InputError(
                f"{table}: columns {' and '.join(present)} may both be the {what}. "
                f"Choose one, as in {name} {present[0]}."
            )
        raise InputError(
            f"{table}: no column for the {what} ({', '.join(usual)}). Name it with {name}, or "
            f"give one number that holds for every row, as in {name} 1e9. "
            f"The columns are {list_names(names)}."
        )
    if isinstance(option, str):
        if option in names:
            return option
        try:
            value = parse_number(option)
        except UsageError:
            raise UsageError(
                f"{name} {option}: {table} has no such column, and it is not a number "
                f"like 1e9 or 7B.{nearest(option, names)} The columns are {list_names(names)}."
            ) from None
    else:
        value = float(option)
    if not 0 < value < float("inf"):
        raise UsageError(f"{name} {option}: the {what} must be a number above 0, such as 1e9.")
    return value


def _refuse_two_purposes(table: str, columns: Columns) -> None:
    purposes = [(columns.model_size, "the model size", parameter("model_size"))]
    purposes += [(columns.tokens, "the tokens", parameter("tokens"))]
    purposes += [(column, "a weight", parameter("weights")) for column in columns.weights.values()]
    purposes += [(column, "a target", parameter("targets")) for column in columns.targets.values()]
    seen: dict[str, tuple[str, str]] = {}
    for column, what, name in purposes:
        if not isinstance(column, str):
            continue
        if column in seen:
            other, other_name = seen[column]
            raise UsageError(
                f"{table}: column {column} is read as {other} and as {what}. Choose the columns "
                f"with {other_name} and {name} so that each has one purpose."
            )
        seen[column] = what, name


def _by_name(table: str, meanings: dict[str, str], what: str, name: str) -> dict[str, str]:
    columns: dict[str, str] = {}
    for column, meaning in meanings.items():
        if meaning in columns:
            raise InputError(
                f"{table}: columns {columns[meaning]} and {column} are both the {what} {meaning}. "
                f"Choose one of them with {name}."
            )
        columns[meaning] = column
    return columns


def _globs(option: Globs | None, name: str, usual: Sequence[str] = ()) -> Sequence[str]:
    if option is None:
        return usual
    texts = [option] if isinstance(option, str) else option
    globs = [glob.strip() for text in texts for glob in text.split(",") if glob.strip()]
    if not globs:
        raise UsageError(f"{name} is empty. Name columns, as in {name} 'a_*,b_*'.")
    return globs


def _matching(glob: str, names: Sequence[str]) -> list[str]:
    if glob in names:  # a name may hold brackets
        return [glob]
    return [name for name in names if fnmatchcase(name, glob)]


def _unmatched(table: str, names: Sequence[str], name: str, glob: str) -> UsageError:
    return UsageError(
        f"{name} '{glob}' matches no column of {table}.{nearest(glob, names)} "
        f"The columns are {list_names(names)}."
    )


def _domain(column: str, glob: str) -> str:
    if column.startswith(_WEIGHT):
        return column.removeprefix(_WEIGHT) or column
    return _around_stars(column, glob)


def _target(column: str) -> str:
    if column.startswith("loss_"):
        return column.removeprefix("loss_") or column
    return column.removesuffix("_loss") or column


def _target_by(column: str, glob: str) -> str:
    if column.startswith("loss_"):
        return _target(column)
    return _target(_around_stars(column, glob))


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
