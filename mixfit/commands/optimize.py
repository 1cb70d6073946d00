"""``mixfit optimize``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands import options as given
from mixfit.commands.output import finish

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.mixture.planner import Planner
    from mixfit.mixture.result import Mixture, PureTarget, Study

_BUDGET, _ASKED, _COMPARED = "Budget", given.ASKED, "Comparison"
_NONE_OBSERVED = (
    "no observed mixture is compared: the files fitted are not here, or changed; see --runs"
)
_LEAST_WRITTEN = "the file has the mixture of least change, and not h*"


def optimize(
    fit: given.FitArgument,
    target: Annotated[
        given.Texts,
        given.option(
            "NAME[=WEIGHT][,...]",
            "Targets to do well on, names or globs; [default: all alike]",
            _BUDGET,
        ),
    ] = None,
    each_target: Annotated[
        bool,
        typer.Option(
            "--each-target",
            help="Find the best mixture for every target alone.",
            rich_help_panel=_BUDGET,
        ),
    ] = False,
    risk: Annotated[
        str | None,
        given.option(
            "mean|upper",
            "Of a fit with resamples, minimise the mean loss over them, or its upper 90% quantile, "
            "in place of the loss that the fit predicts.",
            _BUDGET,
        ),
    ] = None,
    model_size: Annotated[
        given.Texts,
        given.option("N[,N...]", "Parameters, such as 7B; a list gives a grid.", _BUDGET),
    ] = None,
    tokens: Annotated[
        given.Texts, given.option("D[,D...]", "Tokens, such as 150B; a list gives a grid.", _BUDGET)
    ] = None,
    flops: Annotated[
        given.Texts,
        given.option(
            "C[,C...]",
            "Choose N and D too, with 6 N D = C FLOPs, such as 1e21; a list gives a row each.",
            _BUDGET,
        ),
    ] = None,
    allow_units: Annotated[
        bool,
        typer.Option(
            "--allow-units",
            help="Take budgets and tokens that can hardly be in the units of the fit.",
            rich_help_panel=_BUDGET,
        ),
    ] = False,
    model_size_range: Annotated[
        str | None,
        given.option(
            "N,N",
            "Sizes searched with --flops. [default: the smallest fitted to 100 times the largest]",
            _BUDGET,
        ),
    ] = None,
    tokens_range: Annotated[
        str | None, given.option("D,D", "Tokens searched with --flops; likewise.", _BUDGET)
    ] = None,
    at_least: given.AtLeast = None,
    at_most: given.AtMost = None,
    fix: given.Fix = None,
    group: given.Group = None,
    available: given.Available = None,
    max_epochs: given.MaxEpochs = None,
    within_observed: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR",
            help="Keep each weight to the range that the runs had, from the smallest divided by "
            "FACTOR to the largest times it; 1 for the range as it is.",
            show_default=False,
            rich_help_panel=_ASKED,
        ),
    ] = None,
    prior: Annotated[
        str | None,
        given.option(
            "FILE|uniform|observed|D=SHARE,...", "Mixture to be pulled towards, by --kl.", _ASKED
        ),
    ] = None,
    kl: Annotated[
        float,
        typer.Option(
            metavar="LAMBDA",
            help="Strength of the pull: adds LAMBDA KL(h || prior) to the loss.",
            rich_help_panel=_ASKED,
        ),
    ] = 0.0,
    no_worse_than: Annotated[
        given.Texts,
        given.option(
            "TARGET=LOSS|MIXTURE",
            "Largest loss of a target, or a mixture (FILE, uniform, observed or D=SHARE,...) that "
            "no target may be worse than.",
            _ASKED,
        ),
    ] = None,
    baseline: Annotated[
        given.Texts,
        given.option(
            "[NAME=]FILE|uniform|observed|D=SHARE,...",
            "A mixture to compare with; may be repeated, NAME= calls it so.",
            _COMPARED,
        ),
    ] = None,
    least_change: Annotated[
        str | None,
        given.option(
            "FILE|uniform|observed|D=SHARE,...",
            "Find too the mixture nearest to this one, such as the one in production, whose loss "
            "is nearly the best.",
            _COMPARED,
        ),
    ] = None,
    within: Annotated[
        str,
        typer.Option(
            metavar="SHARE",
            help="Of the best loss, how much --least-change may give up.",
            rich_help_panel=_COMPARED,
        ),
    ] = "0.2%",
    runs: Annotated[
        given.Texts,
        given.option(
            "RUNS",
            "Runs whose mixtures to compare with. [default: the files fitted, if unchanged]",
            _COMPARED,
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="Of the file: yaml (or JSON, by the file's name), or weights alone as json, csv, "
            "megatron, hf or mosaic.",
            rich_help_panel="Output",
        ),
    ] = "yaml",
    prefixes: Annotated[
        str | None,
        given.option("FILE", "Lines 'domain: prefix' for --format megatron or mosaic.", "Output"),
    ] = None,
    plot: given.Plot = None,
    kind: Annotated[
        str | None,
        given.plot_kind(
            "weights", "losses", "growth", "influence", "surface", "map", names=("--plot-kind",)
        ),
    ] = None,
    speeds: Annotated[
        given.Texts,
        given.option(
            "N:D[,N:D...]",
            "How N and D grow with t in --plot-kind growth: powers of t, or log, such as"
            " 1:0.5,1:log. [default: six ways]",
            "Output",
        ),
    ] = None,
    out: given.Out = None,
    quiet: given.Quiet = False,
) -> None:
    """Find the mixture with the lowest predicted loss.

    Example: mixfit optimize fit.yaml --model-size 7B --tokens 150B -o mixture.yaml
    """
    from mixfit.base.files import check_out
    from mixfit.base.plain import write_document
    from mixfit.commands import mixtures as texts
    from mixfit.commands import pictures, words
    from mixfit.commands.fitted import observed_mixtures
    from mixfit.fitting.file import load_fit
    from mixfit.mixture.files import mixtures_to_plain
    from mixfit.mixture.planner import Planner
    from mixfit.reports.optimize import report_result
    from mixfit.reports.report import Remark
    from mixfit.runs.sources import files_named

    texts.check_output(form, out, prefixes, each_target=each_target)
    named = [*(available or ()), *(no_worse_than or ()), *(baseline or ())]
    named += [text for text in (prior, prefixes, least_change) if text is not None]
    sizes, lengths = words.numbers(model_size, "--model-size"), words.numbers(tokens, "--tokens")
    for path in (out, plot):
        check_out(path, [fit, *(runs or ()), *texts.files_named(named)])
    ways = pictures.speeds_of(words.names(speeds, "--speeds"), kind)
    pictures.check(plot, kind, sizes, lengths, each_target=each_target)
    loaded = load_fit(fit)
    check_out(out, (*loaded.data.paths, *files_named(runs or ())))
    observed = observed_mixtures(loaded, runs)
    asked = texts.constraints(
        loaded,
        observed,
        minimum=at_least or (),
        maximum=at_most or (),
        fix=fix or (),
        group=group or (),
        available=available or (),
        max_epochs=max_epochs or (),
        prior=prior,
        kl=kl,
        no_worse_than=no_worse_than or (),
        within_observed=within_observed,
    )
    compared = texts.mixtures_named(baseline or (), "--baseline", loaded, observed, numbered=True)
    room = words.percent(within, "--within")
    start = None if least_change is None else texts.in_use(least_change, loaded, observed)
    if not allow_units:
        texts.check_units(loaded, sizes, lengths, asked.available)
    planner = Planner(loaded, words.targets(target), asked, observed, risk)
    texts.check_budget(sizes, lengths, flops, each_target=each_target)
    searched = (
        words.span(model_size_range, "--model-size-range"),
        words.span(tokens_range, "--tokens-range"),
    )
    budgets = words.numbers(flops, "--flops")
    pure: tuple[PureTarget, ...] = ()
    mixtures: tuple[Mixture, ...] = ()
    if each_target:
        pure = planner.each_target(*(values[0] if values else None for values in (sizes, lengths)))
    elif budgets:
        mixtures = tuple(planner.for_flops(budget, *searched) for budget in budgets)
    else:
        mixtures = planner.grid(sizes or (None,), lengths or (None,))
    study = _study(planner, mixtures, compared, start, room)
    mixtures = planner.with_certainty(mixtures) if study is None else mixtures

    if plot is not None:
        pictures.draw_optimum(plot, kind, planner, study, mixtures, pure, ways)

    def write(path: str) -> None:
        if form == "yaml":
            write_document(path, mixtures_to_plain(mixtures, fit, study=study, pure=pure))
        else:
            _export(path, mixtures, study, form, prefixes)

    finish(
        out,
        write,
        lambda: report_result(f"{loaded.law.name} law of {fit}", mixtures, pure, study),
        quiet=quiet,
        also_written=[plot],
        always=[
            *([] if len(observed) else [Remark("note", _NONE_OBSERVED)]),
            *([Remark("note", _LEAST_WRITTEN)] if start is not None and form != "yaml" else []),
        ],
    )


def _study(
    planner: Planner,
    mixtures: Sequence[Mixture],
    compared: Mapping[str, Array],
    start: Array | None,
    room: float,
) -> Study | None:
    """Compare the optimum of the one budget that there is with other mixtures."""
    from mixfit.base.errors import UsageError

    if len(mixtures) == 1:
        return planner.study(mixtures[0], compared, least_change=start, within=room)
    for option, asked in (("--least-change", start is not None), ("--baseline", compared)):
        if asked:
            raise UsageError(f"{option} takes one budget, and not --each-target.")
    return None


def _export(
    path: str, mixtures: Sequence[Mixture], study: Study | None, form: str, prefixes: str | None
) -> None:
    """Write weights alone, in the form that another program reads."""
    from mixfit.base.files import write_text
    from mixfit.mixture.exports import export
    from mixfit.mixture.files import read_prefixes

    blends = [mixture.blend for mixture in mixtures] if study is None else [study.blend]
    write_text(path, export(blends, form, {} if prefixes is None else read_prefixes(prefixes)))
