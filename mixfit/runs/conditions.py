"""Conditions on rows such as ``model_size>=3e8``."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import UsageError, parameter
from mixfit.base.numbers import find_number
from mixfit.runs.cells import to_numbers, to_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mixfit.base.arrays import Array, Mask
    from mixfit.runs.cells import Cells

_OPERATORS: dict[str, Callable[[Array, float], Mask]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|==|!=|<|>)\s*([^<>=!\s].*?)\s*", re.DOTALL)
_QUOTED = re.compile(r"""(["'])(.*)\1""", re.DOTALL)
# A comma inside quotes is part of the value.
_ONE = re.compile(r"""(?:"[^"]*"|'[^']*'|[^,])+""")


@dataclass(frozen=True)
class Condition:
    """One condition on one column.

    Attributes:
        column: the column's name.
        sign: one of ``< <= > >= == !=``.
        value: a number to compare with, or a text.
        text: the condition as the user wrote it, without spaces around its parts.
    """

    column: str
    sign: str
    value: float | str
    text: str

    def holds(self, cells: Cells) -> tuple[Mask, int | None]:
        """Tell for which cells the condition holds.

        A missing cell meets no condition but ``!=``.

        Returns:
            A mask (rows,), and the position of the first cell that is text where the condition
            needs a number, or None.
        """
        if isinstance(self.value, float):
            numbers, texts_at = to_numbers(cells, counts=True)
            first = int(texts_at[0]) if len(texts_at) else None
            return _OPERATORS[self.sign](numbers, self.value), first
        texts, value = [(text or "").strip() for text in to_texts(cells).to_pylist()], self.value
        if value.lower() in ("true", "false"):  # True in Python's CSV, true in Parquet
            texts, value = [text.lower() for text in texts], value.lower()
        equal = np.fromiter((text == value for text in texts), np.bool_, len(texts))
        return (equal if self.sign == "==" else ~equal), None


def parse_conditions(where: str | Iterable[str]) -> tuple[Condition, ...]:
    """Read conditions, each text one or several with commas between them.

    >>> [c.text for c in parse_conditions(["model_size >= 3e8, run != 'a, b'"])]
    ['model_size>=3e8', "run!='a, b'"]

    Raises:
        UsageError: a text is not of the form ``COLUMN OP VALUE[,COLUMN OP VALUE...]``.
    """
    texts = [where] if isinstance(where, str) else list(where)
    return tuple(_condition(one) for text in texts for one in _ONE.findall(text) or [text])


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        hint = " Equality is written ==." if re.search(r"[^<>=!]=[^=]", text) else ""
        raise UsageError(
            f"{parameter('where')} '{text.strip()}' is not of the form COLUMN OP VALUE, with OP "
            f"one of < <= > >= == !=, such as 'model_size>=3e8'.{hint}"
        )
    column, sign, written = match.groups()
    quoted = _QUOTED.fullmatch(written)
    number = None if quoted else find_number(written)
    value = number if number is not None else (quoted.group(2) if quoted else written)
    if isinstance(value, str) and sign not in ("==", "!="):
        raise UsageError(
            f"{parameter('where')} '{text.strip()}': {written} is not a number, and text can be "
            "compared with == and != only. Write a number like 3e8, 310M or 7B."
        )
    return Condition(column, sign, value, f"{column}{sign}{written}")
