"""Units that cannot be right: sizes in millions, tokens in billions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import parameter
from mixfit.base.numbers import counted, short
from mixfit.runs.findings import ERROR, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixfit.base.arrays import Array, Mask
    from mixfit.runs.checks import Values

SMALLEST_MODEL = 1e4  # parameters
FEWEST_TOKENS = 1e6
TOKENS_A_PARAMETER = (0.1, 1e5)
BEYOND = 1e4  # how many times the range fitted a budget may lie beyond it
UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_LARGEST_MODEL = 1e14
_WORDS = {"K": "thousands", "M": "millions", "B": "billions", "T": "trillions"}


def unit_faults(values: Values) -> tuple[list[Finding], Mask]:
    """Say which of N and D cannot be parameters and tokens, and the unit that they may be in.

    Args:
        values: of which what is not a positive number has no say.

    Returns:
        What is wrong, and the rows (rows,) in which something is.
    """
    N, D, columns = values.N, values.D, values.columns
    usable = np.isfinite(N) & np.isfinite(D) & (N > 0) & (D > 0)
    anywhere = np.zeros(len(N), dtype=np.bool_)
    if not usable.any():
        return [], anywhere
    N, D = N[usable], D[usable]
    small, short_, odd = N < SMALLEST_MODEL, D < FEWEST_TOKENS, ~_plausible(N, D)
    faults: list[Finding] = []

    def add(bad: Mask, message: str, todo: str) -> None:
        first = values.row_name(int(np.flatnonzero(usable)[np.argmax(bad)]))
        all_rows = bool(bad.all())
        fault = Finding(
            code="unit",
            severity=ERROR,
            file=values.name if all_rows else first.file,
            row=None if all_rows else first.row,
            rows=int(np.count_nonzero(bad)),
            message=message,
            todo=todo,
        )
        faults.append(fault)
        anywhere[usable] |= bad

    sizes = N
    if small.any():
        unit = _first(lambda x: N.min() * x >= 1e5 and N.max() * x <= _LARGEST_MODEL)
        sizes = N * UNITS.get(unit, 1.0)
        what = f"and N is a number of parameters, {short(SMALLEST_MODEL)} or more"
        add(small, *_fault(columns.model_size, "model_size", N, small, what, unit))
    if short_.any():
        unit = _first(
            lambda x: D.min() * x >= FEWEST_TOKENS and bool(_plausible(sizes, D * x).all())
        )
        what = f"and D is a number of tokens, {short(FEWEST_TOKENS)} or more"
        add(short_, *_fault(columns.tokens, "tokens", D, short_, what, unit))
    if odd.any() and not faults:
        least, most = TOKENS_A_PARAMETER
        rows = "" if odd.all() else f" in {_some(odd)}"
        add(
            odd,
            f"N is {_span(N[odd])} parameters and D is {_span(D[odd])} tokens{rows}, so that there "
            f"are {_span(D[odd] / N[odd])} tokens a parameter, and {least:g} to {short(most)} are "
            "read",
            f"If a column is in another unit, say so, as in {parameter('tokens')} "
            f"'COLUMN*1B'; or leave rows out with {parameter('where')}, {_insist()}",
        )
    return faults, anywhere


def suspect(N: tuple[float, float], D: tuple[float, float]) -> bool:
    """Tell whether ranges of N and D are such as are only read where a user insists."""
    least, most = TOKENS_A_PARAMETER
    return bool(
        N[0] < SMALLEST_MODEL or D[0] < FEWEST_TOKENS or D[0] / N[1] < least or D[1] / N[0] > most
    )


def meant(value: float, low: float, high: float) -> str:
    """Give the unit with which a number is in a range or above it, such as ``B``, or "" for none.

    >>> meant(150, 1e9, 16e9), meant(7, 1e8, 1e9)
    ('B', 'B')
    """
    return _first(lambda factor: low <= value * factor <= high * BEYOND)


def _plausible(N: Array, D: Array) -> Mask:
    ratio = D / N
    plausible: Mask = (ratio >= TOKENS_A_PARAMETER[0]) & (ratio <= TOKENS_A_PARAMETER[1])
    return plausible


def _first(fits: Callable[[float], bool]) -> str:
    return next((name for name, factor in UNITS.items() if fits(factor)), "")


def _fault(
    column: str | float, name: str, values: Array, bad: Mask, what: str, unit: str
) -> tuple[str, str]:
    """Say what is wrong with a column, or with the one number of all rows, and what to do."""
    if isinstance(column, float):
        meant = f"If {column:g}{unit} is meant, write that," if unit else "Write it in full,"
        return f"{parameter(name)} is {column:g}, {what}", f"{meant} {_insist()}"
    text = f"column {column} holds {_span(values[bad])}"
    if not bad.all():
        where = f"{parameter('where')} '{column}>={short(values[~bad].min(), 16)}'"
        text = f"{text} in {_some(bad)}, {what}"
        return text, f"Leave the rows out with {where}, {_insist()}"
    if not unit:
        return f"{text}, {what}", f"Mend the column, {_insist()}"
    return f"{text}, {what}", (
        f"If these are {_WORDS[unit]}, say so with {parameter(name)} '{column}*1{unit}', "
        f"{_insist()}"
    )


def _insist() -> str:
    return f"or read them as they stand with {parameter('allow_units')}."


def _some(bad: Mask) -> str:
    return f"{int(np.count_nonzero(bad)):,} of {counted(len(bad), 'row')}"


def _span(values: Array) -> str:
    low, high = short(float(values.min())), short(float(values.max()))
    return low if low == high else f"{low} to {high}"
