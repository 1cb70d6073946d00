"""Numbers as people write and read them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from mixfit.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUFFIXES = (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3))
_POWERS = {"": 0, "K": 3, "M": 6, "B": 9, "T": 12}
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,4}))?\s*([KMBT]?)")


def short(number: float, digits: int = 3) -> str:
    """Write a count with a suffix and three digits, or as many as are asked for.

    >>> short(1.235e9), short(46.08e9), short(3e8)
    ('1.24B', '46.1B', '300M')
    """
    for suffix, unit in _SUFFIXES:
        if number >= (1 - 0.5 * 10**-digits) * unit:
            return f"{number / unit:.{digits}g}{suffix}"
    return f"{number:.{digits}g}"


def distinct(numbers: Iterable[float]) -> list[str]:
    """Write different counts as `short` does, with as many digits as tell them apart.

    >>> distinct([1.001e9, 1.002e9])
    ['1.001B', '1.002B']
    """
    numbers = [float(number) for number in numbers]
    for digits in range(3, 17):
        labels = [short(number, digits) for number in numbers]
        if len(set(labels)) == len(numbers):
            return labels
    return [repr(number) for number in numbers]


def counted(number: int, noun: str) -> str:
    """Write how many there are of something.

    >>> counted(1, "row"), counted(1614, "row")
    ('1 row', '1,614 rows')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


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


def measured(value: float, deviation: float) -> str:
    """Write a number and its standard deviation, rounded to what they are worth.

    >>> measured(1.2345, 0.0432), measured(1.2345, 0.0132), measured(412.3, 23.0)
    ('1.23 ± 0.04', '1.234 ± 0.013', '410 ± 20')
    >>> measured(1.25, 0.0), measured(0.5, float("inf"))
    ('1.25', '0.5 ± inf')
    """
    if not (math.isfinite(value) and math.isfinite(deviation)):
        return f"{number(value)} ± {deviation:g}"
    if deviation <= 0:
        return number(value)
    digits = math.floor(math.log10(deviation))
    if deviation < 2 * 10.0**digits:  # 0.013 would lose much as 0.01
        digits -= 1
    decimals = max(-digits, 0)
    if decimals > 4 or digits > 3:
        return f"{value:.2e} ± {deviation:.0e}"
    rounded = (round(x, -digits) for x in (value, deviation))
    return " ± ".join(f"{x:.{decimals}f}" for x in rounded)


def parse_number(text: str) -> float:
    """Read a finite number, with K, M, B or T for thousands to trillions.

    >>> parse_number("7B"), parse_number("1.3T"), parse_number("3e8")
    (7000000000.0, 1300000000000.0, 300000000.0)

    Raises:
        UsageError: the text is not such a number.
    """
    value = find_number(text)
    if value is None:
        raise UsageError(f"'{text}' is not a number. Write one like 7e9, 310M, 7B or 1.3T.")
    return value


def find_number(text: str) -> float | None:
    """Read a number as `parse_number` does, or give None where the text is none."""
    match = _NUMBER.fullmatch(text.strip().upper())
    if match is None:
        return None
    digits, exponent, suffix = match.groups()
    # One decimal literal, so that 0.31B is exactly 310000000.
    value = float(f"{digits}e{int(exponent or 0) + _POWERS[suffix]}")
    return value if math.isfinite(value) else None
