"""``mixfit eval``."""

from __future__ import annotations

from typing import Annotated

import typer

from mixfit.commands import options as given


def evaluate(
    fit: given.FitArgument,
    runs: given.RunsArgument,
    weights: given.Weights = None,
    targets: given.Targets = None,
    model_size: given.ModelSize = None,
    tokens: given.Tokens = None,
    where: given.Where = None,
    max_mre: Annotated[
        float | None,
        typer.Option(
            metavar="PCT",
            min=0,
            help="Exit with status 1 if any target's MRE is over this many percent.",
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write observed and predicted losses row by row, as CSV or Parquet.",
            show_default=False,
        ),
    ] = None,
    out: given.Out = None,
    quiet: given.Quiet = False,
) -> None:
    """Compare a fit's predictions with runs, which it may not have seen.

    Example: mixfit eval fit.yaml runs.csv --where 'model_size>=1.2e9' --max-mre 0.5
    """
    from mixfit.base.files import check_out, write_text
    from mixfit.base.plain import to_yaml
    from mixfit.evaluation.evaluate import evaluate as evaluate_fit
    from mixfit.evaluation.evaluation_file import evaluation_to_plain
    from mixfit.evaluation.predictions import check_predictions_path, save_predictions
    from mixfit.fitting.file import load_fit
    from mixfit.reports.evaluate import print_evaluation, print_gate
    from mixfit.reports.fit import describe_runs
    from mixfit.reports.text import print_labelled

    for path in (out, predictions):
        check_out(path, [fit, *runs])
    if predictions is not None:
        check_predictions_path(predictions)
    loaded = load_fit(fit)
    table = given.read(runs, weights, targets, model_size, tokens, where, loaded.domains)
    found = evaluate_fit(loaded, table)
    # Files first, so that a pipe that is closed loses nothing.
    if predictions is not None:
        save_predictions(found, table, predictions)
    if out is not None:
        write_text(out, to_yaml(evaluation_to_plain(found, fit, table, max_mre)))
    if out != "-":
        title = f"{loaded.law.law.name} law of {fit} on {describe_runs(table)}"
        print_evaluation(found, title, quiet=quiet)
    for path in (out, predictions):
        if path not in (None, "-") and not quiet:
            print_labelled("wrote", str(path))
    if max_mre is not None and not print_gate(found, max_mre):
        raise typer.Exit(1)
