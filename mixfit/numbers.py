"""Numbers of parameters and tokens as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUFFIXES = (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3))


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
