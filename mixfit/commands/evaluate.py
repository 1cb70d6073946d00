"""``mixfit eval``."""

from __future__ import annotations

from typing import Annotated

import typer

from mixfit.commands import options as given
from mixfit.commands.output import finish


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
    from mixfit.base.files import check_out, write_text
    from mixfit.base.plain import to_yaml
    from mixfit.commands.mixtures import fitted_runs
    from mixfit.commands.output import save_picture
    from mixfit.evaluation.evaluate import evaluate as evaluate_fit
    from mixfit.evaluation.evaluation_file import evaluation_to_plain
    from mixfit.evaluation.predictions import check_predictions_path, save_predictions
    from mixfit.fitting.file import load_fit
    from mixfit.plots import check_picture
    from mixfit.reports.evaluate import gate, report_evaluation
    from mixfit.reports.render import print_remarks

    for path in (out, predictions, plot):
        check_out(path, [fit, *runs])
    check_picture(plot, plot_kind, ("Evaluation",))
    if predictions is not None:
        check_predictions_path(predictions)
    loaded = load_fit(fit)
    table = given.read(runs, weights, targets, model_size, tokens, where, loaded.domains)
    fitted = None if plot is None else fitted_runs(loaded)
    evaluation = evaluate_fit(loaded, table, fitted_runs=fitted)
    if predictions is not None:
        save_predictions(evaluation, table, predictions)
    if plot is not None:
        options = {} if plot_domain is None else {"domain": plot_domain}
        save_picture(plot, evaluation, plot_kind, **options)
    finish(
        out,
        lambda path: write_text(
            path, to_yaml(evaluation_to_plain(evaluation, fit, table, max_mre))
        ),
        lambda: report_evaluation(evaluation, f"{loaded.law.name} law of {fit} on {table.summary}"),
        quiet=quiet,
        also_written=[predictions, plot],
    )
    if max_mre is not None:
        print_remarks([gate(evaluation, max_mre)])
        if evaluation.targets_over(max_mre):
            raise typer.Exit(1)
