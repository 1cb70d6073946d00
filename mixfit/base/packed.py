"""Arrays of numbers as one text, for files that hold more of them than anyone would read."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.base.plain import Place

_NUMBERS = np.dtype("<f8")


def packed(numbers: Array) -> str:
    """Write numbers, of any shape, as the base64 text of 64-bit floats, little end first.

    >>> packed(np.array([1.0, 2.0]))
    'AAAAAAAA8D8AAAAAAAAAQA=='
    """
    return base64.b64encode(np.ascontiguousarray(numbers, _NUMBERS).tobytes()).decode()


def unpacked(text: str, place: Place, columns: int = 1) -> Array:
    """Read what `packed` wrote.

    Args:
        text: as it stands in a file.
        place: there.
        columns: how many numbers are in a row.

    Returns:
        (rows,) for one column, else (rows, columns).

    Raises:
        InputError: if it is something else, or has a number that is not finite.
    """
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        raise place.error("is not the base64 text of numbers. Make the file anew.") from None
    if not data or len(data) % (_NUMBERS.itemsize * columns):
        raise place.error(f"does not hold whole rows of {columns}. Make the file anew.")
    numbers = np.frombuffer(data, _NUMBERS).astype(float)
    if not np.isfinite(numbers).all():
        raise place.error("holds a number that is not finite. Make the file anew.")
    return numbers if columns == 1 else numbers.reshape(-1, columns)
