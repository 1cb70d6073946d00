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
            metavar="[NAME=]FILE|D=SHARE,...",
            help="A mixture to predict; may be repeated, NAME=FILE calls it so.",
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
    from mixfit.base.errors import UsageError
    from mixfit.base.files import check_out
    from mixfit.commands import mixtures as texts
    from mixfit.commands import words
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
        predictions = predict_losses(
            loaded,
            _mixtures(mixture, loaded),
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


def _mixtures(texts: list[str], fit: Fit) -> dict[str, Array]:
    """Read ``FILE``, ``NAME=FILE`` or ``D=SHARE,...``, name to (k,)."""
    from mixfit.base.errors import UsageError
    from mixfit.commands.mixtures import is_pairs
    from mixfit.mixture.constraints import mixture_of
    from mixfit.mixture.files import parse_pairs, read_mixture

    found: dict[str, Array] = {}
    for text in texts:
        if is_pairs(text):
            name, weights = text, parse_pairs(text, "--mixture")
        elif Path(text).is_file() or "=" not in text:
            name, weights = Path(text).stem, read_mixture(text)
        else:
            name, _, file = text.partition("=")
            weights = read_mixture(file)
        if name in found:
            raise UsageError(f"--mixture {text}: there is a mixture '{name}' already.")
        found[name] = mixture_of(weights, fit.domains, f"--mixture {text}")
    return found


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
