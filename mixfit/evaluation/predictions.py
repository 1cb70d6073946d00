"""Observed and predicted losses, row by row, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixfit.base.errors import UsageError
from mixfit.base.files import writing
from mixfit.runs.transforms import undone

if TYPE_CHECKING:
    import pyarrow as pa

    from mixfit.evaluation.evaluate import Evaluation
    from mixfit.runs.runs import Runs

_SUFFIXES = (".csv", ".parquet")


def check_predictions_path(path: str) -> None:
    """Refuse a path that says neither CSV nor Parquet.

    Raises:
        UsageError: if it does.
    """
    if Path(path).suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path}: predictions are written as .csv or .parquet; end the name so.")


def save_predictions(evaluation: Evaluation, runs: Runs, path: str) -> None:
    """Write a row for each checkpoint: mixture, N, D, and for each target observed and predicted.

    Where the fit was resampled, the ends of the 90% interval stand beside: ``web_low`` and so on.

    Raises:
        UsageError: if the path says neither CSV nor Parquet.
        InputError: if the file cannot be written.
    """
    import pyarrow as pa

    check_predictions_path(path)
    columns: dict[str, Any] = {f"weight_{d}": runs.h[:, i] for i, d in enumerate(runs.domains)}
    columns |= {"model_size": runs.N, "n_tokens": runs.D}
    for target in evaluation.targets:
        # What is no loss is written as it was logged, and is not called one.
        how = (runs.columns.transforms or {}).get(target)
        observed = undone(runs.losses_of(target), how)
        # A missing loss is an empty cell, not a number.
        name = f"{target}_loss" if how is None else target
        columns[name] = pa.array(observed, from_pandas=True)
        columns[f"{target}_predicted"] = undone(evaluation.predicted[target], how)
        if target in evaluation.intervals:
            own = evaluation.intervals[target]
            ends = [undone(own.low, how), undone(own.high, how)]
            for name, values in (("low", np.minimum(*ends)), ("high", np.maximum(*ends))):
                columns[f"{target}_{name}"] = pa.array(values, from_pandas=True)
    save_table(pa.table(columns), path)


def save_table(table: pa.Table, path: str) -> None:
    """Write a table as CSV or Parquet, as its path says.

    Raises:
        InputError: it cannot be written.
    """
    with writing(path) as part:
        if Path(path).suffix.lower() == ".csv":
            import pyarrow.csv

            pyarrow.csv.write_csv(table, part)
        else:
            import pyarrow.parquet

            pyarrow.parquet.write_table(table, part)
