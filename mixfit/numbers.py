"""Numbers of parameters and tokens as people write them."""

from __future__ import annotations

_SUFFIXES = (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3))


def short(number: float) -> str:
    """Write a count with a suffix and three digits.

    >>> short(1.235e9), short(46.08e9), short(3e8)
    ('1.24B', '46.1B', '300M')
    """
    for suffix, unit in _SUFFIXES:
        if number >= 0.9995 * unit:
            return f"{number / unit:.3g}{suffix}"
    return f"{number:.3g}"
