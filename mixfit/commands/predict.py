"""``mixfit predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands import options as given  # noqa: TC001 (typer reads it)
from mixfit.commands.output import finish

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit


def predict(
    fit: given.FitArgument,
    mixture: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE|uniform|observed|D=SHARE,...",
            help="A mixture to predict; observed is the mean of those of the runs fitted. May be"
            " repeated; NAME= calls it so.",
            show_default=False,
        ),
    ] = None,
    model_size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N[,N...]",
            help="Parameters, such as 7B; a list predicts each.",
            show_default=False,
        ),
    ] = None,
    tokens: Annotated[
        list[str] | None,
        typer.Option(
            metavar="D[,D...]",
            help="Tokens, such as 150B; a list predicts each.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="In place of these, a CSV or Parquet file with a training in each row: columns as"
            " in the runs fitted.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write a row for each training and target, as .csv or .parquet.",
            show_default=False,
        ),
    ] = None,
    quiet: given.Quiet = False,
) -> None:
    """Predict the losses of trainings, with 90% intervals.

    Example: mixfit predict fit.yaml --mixture web=0.5,code=0.5 --model-size 7B --tokens 150B
    """
    import numpy as np

    from mixfit.base.errors import UsageError
    from mixfit.base.files import check_out
    from mixfit.commands import mixtures as texts
    from mixfit.commands import words
    from mixfit.commands.fitted import observed_mixtures
    from mixfit.evaluation.predict import predict_losses, predictions_of
    from mixfit.evaluation.predictions import check_predictions_path, save_table
    from mixfit.fitting.file import load_fit
    from mixfit.reports.predict import report_predictions

    if out is not None:
        check_predictions_path(out)
        check_out(out, [fit, *([table] if table else []), *texts.files_named(mixture or ())])
    loaded = load_fit(fit)
    if table is not None:
        if mixture or model_size or tokens:
            raise UsageError("--table has the mixtures, sizes and lengths: leave out the others.")
        predictions = predictions_of(loaded, *_trainings(table, loaded))
    elif mixture:
        asked = any(text.rpartition("=")[2] == texts.OBSERVED for text in mixture)
        observed = observed_mixtures(loaded, None) if asked else np.zeros((0, len(loaded.domains)))
        predictions = predict_losses(
            loaded,
            texts.mixtures_named(mixture, "--mixture", loaded, observed),
            words.numbers(model_size, "--model-size"),
            words.numbers(tokens, "--tokens"),
        )
    else:
        raise UsageError("What should be predicted? Give --mixture, or --table.")
    finish(
        out,
        lambda path: save_table(predictions.to_table(), path),
        lambda: report_predictions(predictions, f"{loaded.law.name} law of {fit}"),
        quiet=quiet,
    )


def _trainings(path: str, fit: Fit) -> tuple[list[str], Array, Array, Array]:
    """Read the mixtures' names, N, D and h of a table of trainings."""
    import pandas as pd

    from mixfit.base.errors import InputError
    from mixfit.fitting.inputs import rows_of

    read = pd.read_parquet if Path(path).suffix.lower() == ".parquet" else pd.read_csv
    try:
        frame = read(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read as a table ({reason}).") from None
    if not len(frame):
        raise InputError(f"{path}: has no rows. Give a table with a training in each.")
    named = next((frame[name].astype(str) for name in ("mixture", "run") if name in frame), None)
    names = [f"row {i + 1}" for i in range(len(frame))] if named is None else named.tolist()
    return (names, *rows_of(frame, None, None, fit.domains, fit.data.columns))
