"""Observed and predicted losses, row by row, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixfit.base.errors import UsageError
from mixfit.base.files import writing

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

    Where the fit was resampled, the ends of the 90% interval stand beside: ``web_low``, ``web_high``.

    Raises:
        UsageError: if the path says neither CSV nor Parquet.
        InputError: if the file cannot be written.
    """
    import pyarrow as pa

    check_predictions_path(path)
    columns: dict[str, Any] = {f"weight_{d}": runs.h[:, i] for i, d in enumerate(runs.domains)}
    columns |= {"model_size": runs.N, "n_tokens": runs.D}
    for target in evaluation.targets:
        # A missing loss is an empty cell, not a number.
        columns[f"{target}_loss"] = pa.array(runs.losses_of(target), from_pandas=True)
        columns[f"{target}_predicted"] = evaluation.predicted[target]
        if target in evaluation.intervals:
            own = evaluation.intervals[target]
            for name, ends in (("low", own.low), ("high", own.high)):
                columns[f"{target}_{name}"] = pa.array(ends, from_pandas=True)
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
