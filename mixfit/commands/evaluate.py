"""``mixfit eval``."""

from __future__ import annotations

from typing import Annotated

import typer

from mixfit.commands import options as given
from mixfit.commands.output import finish
from mixfit.commands.tables import AS_USUAL, TableOptions, reads_tables


@reads_tables
def evaluate(
    fit: given.FitArgument,
    runs: given.RunsArgument,
    table: TableOptions = AS_USUAL,
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
    plot: given.Plot = None,
    plot_kind: Annotated[
        str | None,
        given.plot_kind("observed", "by-size", "by-tokens", "by-flops", "residuals"),
    ] = None,
    plot_domain: Annotated[
        str | None,
        typer.Option(
            metavar="DOMAIN",
            help="Whose weight is the colour of by-size, by-tokens and by-flops. [default: the"
            " target's own, or the one that matters most to it]",
            show_default=False,
        ),
    ] = None,
    out: given.Out = None,
    quiet: given.Quiet = False,
) -> None:
    """Compare a fit's predictions with runs, which it may not have seen.

    Example: mixfit eval fit.yaml runs.csv --where 'model_size>=1.2e9' --max-mre 0.5
    """
    from mixfit.base.files import check_out
    from mixfit.base.plain import write_document
    from mixfit.commands.fitted import fitted_runs
    from mixfit.commands.output import save_picture
    from mixfit.evaluation.evaluate import evaluate as evaluate_fit
    from mixfit.evaluation.evaluation_file import evaluation_to_plain
    from mixfit.evaluation.predictions import check_predictions_path, save_predictions
    from mixfit.fitting.file import load_fit
    from mixfit.plots import check_picture
    from mixfit.reports.evaluate import gate, report_evaluation
    from mixfit.reports.render import print_remarks

    inputs = [fit, *runs, *(table.join or ())]
    check_out(out, inputs)
    check_out(predictions, inputs, [out])
    check_out(plot, inputs, [out, predictions])
    check_picture(plot, plot_kind, ("Evaluation",))
    if predictions is not None:
        check_predictions_path(predictions)
    loaded = load_fit(fit)
    checkpoints = table.read(runs, fit=loaded)
    for path in (out, predictions, plot):
        check_out(path, (*checkpoints.paths, *loaded.data.paths))
    fitted = None if plot is None else fitted_runs(loaded)
    evaluation = evaluate_fit(loaded, checkpoints, fitted_runs=fitted)
    title = f"{loaded.law.name} law of {fit}"
    if predictions is not None:
        save_predictions(evaluation, checkpoints, predictions)
    if plot is not None:
        options = {} if plot_domain is None else {"domain": plot_domain}
        save_picture(plot, evaluation, plot_kind, **options)
    finish(
        out,
        lambda path: write_document(
            path, evaluation_to_plain(evaluation, fit, checkpoints, max_mre)
        ),
        lambda: report_evaluation(evaluation, f"{title} on {checkpoints.summary}"),
        quiet=quiet,
        also_written=[predictions, plot],
    )
    if max_mre is not None:
        print_remarks([gate(evaluation, max_mre)])
        if evaluation.targets_over(max_mre):
            raise typer.Exit(1)
