"""Predicted losses of trainings that have not been, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.base.shown import Shown
from mixfit.fitting.diagnosis import outside_notes
from mixfit.fitting.inputs import rows_of
from mixfit.runs.transforms import undone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import pyarrow as pa

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit, Range
    from mixfit.fitting.uncertainty import Intervals


@dataclass(frozen=True, eq=False)
class Predictions(Shown):
    """Predicted losses of some trainings.

    Attributes:
        domains: names of the k domains.
        mixture: what each row's mixture is called, (rows,).
        N: parameters, (rows,).
        D: tokens, (rows,).
        h: weights, (rows, k).
        loss: target to predicted losses, (rows,).
        intervals: target to these with their intervals; empty where the fit was not resampled.
        notes: what a careful reader should know.
    """

    domains: tuple[str, ...]
    mixture: tuple[str, ...]
    N: Array
    D: Array
    h: Array
    loss: dict[str, Array]
    intervals: dict[str, Intervals]
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        """Count the trainings."""
        return len(self.N)

    def __repr__(self) -> str:
        return f"Predictions({len(self)} trainings, {len(self.loss)} targets)"

    def to_table(self) -> pa.Table:
        """Give a table with a row for each training and target.

        Columns: ``mixture``, ``weight_`` and each domain, ``model_size``, ``n_tokens``, ``target``,
        ``loss``; and with intervals ``low`` and ``high`` of 90%, and their parts as standard
        deviations in percent: ``parameters``, ``shift``, ``own``, ``noise``.
        """
        import pyarrow as pa

        parts = []
        for target, loss in self.loss.items():
            columns: dict[str, object] = {"mixture": pa.array(self.mixture)}
            columns |= {f"weight_{d}": self.h[:, i] for i, d in enumerate(self.domains)}
            columns |= {"model_size": self.N, "n_tokens": self.D}
            columns |= {"target": pa.array([target] * len(self)), "loss": loss}
            if target in self.intervals:
                own = vars(self.intervals[target])
                columns |= {n: pa.array(x, from_pandas=True) for n, x in own.items() if n != "loss"}
            parts.append(pa.table(columns))
        return pa.concat_tables(parts)

    def to_frame(self) -> pd.DataFrame:
        """Give `to_table` as a data frame."""
        frame: pd.DataFrame = self.to_table().to_pandas()
        return frame


def predict_losses(
    fit: Fit,
    mixtures: Mapping[str, Array],
    model_sizes: Sequence[float] = (),
    tokens: Sequence[float] = (),
) -> Predictions:
    """Predict the losses of every mixture at every pair of a model size and a length.

    Args:
        fit: the fit.
        mixtures: name to weights (k,).
        model_sizes: N in parameters; may be left out where all rows fitted had one.
        tokens: D; likewise.

    Raises:
        UsageError: a size or length is missing, or something cannot be a mixture.
    """
    sizes = _given(model_sizes, fit.data.model_size, "model_size")
    lengths = _given(tokens, fit.data.tokens, "tokens")
    rows = [(name, h, N, D) for name, h in mixtures.items() for N in sizes for D in lengths]
    names, each, N, D = zip(*rows, strict=True)
    return predictions_of(fit, names, *rows_of(N, D, np.array(each), fit.domains, fit.data.columns))


def predictions_of(fit: Fit, names: Sequence[str], N: Array, D: Array, h: Array) -> Predictions:
    """Predict the losses of some trainings; names are those of their mixtures, (rows,)."""
    notes = []
    known: dict[str, Intervals] = {}
    if fit.resamples is None:
        text = "no intervals: the fit was not resampled; make it with --resamples 200"
        notes.append(Note("no-resamples", text))
    else:
        known = fit.predict_intervals(N, D, h)
        if any(np.isnan(own.low).any() for own in known.values()):
            text = (
                "no intervals beyond the sizes or lengths fitted, where the rows have too few to"
                " leave some out"
            )
            notes.append(Note("no-interval", text))
    for code, what, unit, values, fitted in (
        ("model-size", "size", "", N, fit.data.model_size),
        ("tokens", "length", " tokens", D, fit.data.tokens),
    ):
        notes += outside_notes(float(values.max()), fitted, what, code, unit)
    transforms = fit.data.columns.transforms or {}
    loss = {target: undone(x, transforms.get(target)) for target, x in fit.predict(N, D, h).items()}
    known = {target: _undone(own, transforms.get(target)) for target, own in known.items()}
    return Predictions(fit.domains, tuple(names), N, D, h, loss, known, (*notes,))


def _undone(own: Intervals, how: str | None) -> Intervals:
    """Give intervals in the units of the column, in whose place something else was fitted."""
    ends = undone(own.low, how), undone(own.high, how)
    low, high = np.minimum(*ends), np.maximum(*ends)
    return replace(own, loss=undone(own.loss, how), low=low, high=high)


def _given(numbers: Sequence[float], fitted: Range, name: str) -> Sequence[float]:
    if numbers:
        return numbers
    if fitted.min == fitted.max:
        return (fitted.min,)
    raise UsageError(f"{parameter(name)} is missing: the rows fitted had several.")
