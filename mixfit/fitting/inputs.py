"""What `Fit.predict` takes, in any form that is convenient, to rows of N, D and h."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mixfit.base.errors import UsageError, nearest, parameter
from mixfit.base.numbers import counted
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mixfit.base.arrays import Array
    from mixfit.runs.columns import Columns


def rows_of(
    N: Any, D: Any, h: Any, domains: Sequence[str], columns: Columns
) -> tuple[Array, Array, Array]:
    """Check model sizes, lengths and mixtures, and give them as (rows,), (rows,) and (rows, k).

    Args:
        N: as `Fit.predict` takes it, as D and h.
        D: or None, where N is a data frame.
        h: likewise.
        domains: the k domains of the fit.
        columns: those that were fitted.

    Raises:
        UsageError: what is given cannot be used.
    """
    if D is None and h is None and hasattr(N, "columns"):
        N, D, h = _columns_of(N, domains, columns)
    for name, given in (("D", D), ("h", h)):
        if given is None:
            raise UsageError(f"{parameter(name)} is missing: give N, D and h, or a data frame.")
    rows = {"N": _numbers("N", N), "D": _numbers("D", D), "h": _weights(h, domains)}
    lengths = {name: len(x) for name, x in rows.items()}
    longest = max(lengths, key=lambda name: (lengths[name] != 1, lengths[name]))
    count = lengths[longest]
    for name, length in lengths.items():
        if length not in (1, count):
            raise UsageError(
                f"{parameter(name)} has {counted(length, 'row')}, and {parameter(longest)} has"
                f" {count:,}; give as many of each, or one."
            )
    sizes, tokens = (np.broadcast_to(rows[name], count) for name in ("N", "D"))
    return sizes, tokens, np.broadcast_to(rows["h"], (count, len(domains)))


def _weights(h: Any, domains: Sequence[str]) -> Array:
    """Check mixtures, and give them as (rows, k)."""
    if isinstance(h, Mapping) or hasattr(h, "columns"):
        for name in h:
            if name not in domains:
                hint = nearest(str(name), domains)
                raise UsageError(f"{parameter('h')}: there is no domain '{name}'.{hint}")
        each = [_array("h", h[d]) if d in h else np.zeros(1) for d in domains]
        try:
            h = np.stack(np.broadcast_arrays(*each), axis=-1)
        except ValueError:
            lengths = ", ".join(f"{d}: {x.size}" for d, x in zip(domains, each, strict=True))
            raise UsageError(
                f"{parameter('h')} has other numbers of rows for other domains ({lengths})."
            ) from None
    weights = np.atleast_2d(_array("h", h))
    if weights.ndim != 2 or weights.shape[1] != len(domains):
        raise UsageError(
            f"{parameter('h')} has shape {np.shape(h)}; it must be (rows, {len(domains)}),"
            f" a column for each of the domains {', '.join(domains)}."
        )
    if np.any(~(weights >= 0)) or np.any(np.abs(weights.sum(axis=1) - 1) > 1e-6):
        raise UsageError(
            f"Each row of {parameter('h')} must hold weights of 0 or more that sum to 1."
        )
    return weights


def _columns_of(
    frame: pd.DataFrame, domains: Sequence[str], columns: Columns
) -> tuple[Array, Array, Array]:
    """Give N, D and h of a data frame; sums of weights that are 1 to 1% are made so."""
    units = columns.units or {}

    def column(fitted: str | float, plain: str, unit: float = 1.0) -> Array:
        if plain not in frame and not isinstance(fitted, str):
            return np.full(len(frame), fitted)
        name = fitted if fitted in frame else plain
        if name not in frame:
            either = " or ".join(dict.fromkeys((f"'{fitted}'", f"'{plain}'")))
            raise UsageError(
                f"The data frame has no column {either}."
                f" Its columns are {list_names([str(c) for c in frame.columns])}."
            )
        # A column of the name that was fitted counts what that one did.
        return _array(str(name), frame[name]) * (unit if name == fitted else 1.0)

    weights = [column(columns.weights.get(d, d), d) for d in domains]
    h = np.column_stack(weights)
    sums = h.sum(axis=1, keepdims=True)
    h = np.divide(h, sums, out=h.copy(), where=np.abs(sums - 1) <= 0.01)
    N = column(columns.model_size, "N", units.get("model_size", 1.0))
    return N, column(columns.tokens, "D", units.get("tokens", 1.0)), h


def _array(name: str, given: Any) -> Array:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{parameter(name)} holds something that is not a number.") from None


def _numbers(name: str, given: Any) -> Array:
    """Check model sizes or training lengths, and give them as (rows,)."""
    numbers = _array(name, given)
    if numbers.ndim > 1:
        raise UsageError(
            f"{parameter(name)} has shape {numbers.shape}; it must be one number or (rows,)."
        )
    if np.any(~(numbers > 0)) or np.any(np.isinf(numbers)):
        raise UsageError(f"{parameter(name)} must be positive and finite.")
    return np.atleast_1d(numbers)
