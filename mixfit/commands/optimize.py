"""``mixfit optimize``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands import options as given
from mixfit.commands.output import finish

if TYPE_CHECKING:
    from mixfit.mixture.result import Mixture, PureTarget

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
    model_size: Annotated[
        given.Texts,
        given.option("N[,N...]", "Parameters, such as 7B; a list gives a grid.", _BUDGET),
    ] = None,
    tokens: Annotated[
        given.Texts, given.option("D[,D...]", "Tokens, such as 150B; a list gives a grid.", _BUDGET)
    ] = None,
    flops: Annotated[
        str | None,
        given.option("C", "Choose N and D too, with 6 N D = C FLOPs, such as 1e21.", _BUDGET),
    ] = None,
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
        given.option("NAME=FILE|D=SHARE,...", "A mixture to compare with.", _COMPARED),
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
            help="Of the file: yaml, json, csv, megatron, hf or mosaic.",
            rich_help_panel="Output",
        ),
    ] = "yaml",
    prefixes: Annotated[
        str | None,
        given.option("FILE", "Lines 'domain: prefix' for --format megatron or mosaic.", "Output"),
    ] = None,
    out: given.Out = None,
    quiet: given.Quiet = False,
) -> None:
    """Find the mixture with the lowest predicted loss.

    Example: mixfit optimize fit.yaml --model-size 7B --tokens 150B -o mixture.yaml
    """
    from mixfit.base.errors import UsageError
    from mixfit.base.files import check_out, write_text
    from mixfit.base.plain import to_yaml
    from mixfit.commands import mixtures as texts
    from mixfit.fitting.file import load_fit
    from mixfit.mixture.exports import export
    from mixfit.mixture.files import mixtures_to_plain, read_prefixes
    from mixfit.mixture.planner import Planner
    from mixfit.reports.optimize import report_result
    from mixfit.reports.report import Remark

    texts.check_output(form, out, prefixes, each_target=each_target)
    named = [*(available or ()), *(no_worse_than or ()), *(baseline or ())]
    named += [text for text in (prior, prefixes, least_change) if text is not None]
    check_out(out, [fit, *(runs or ()), *texts.files_named(named)])
    loaded = load_fit(fit)
    observed = texts.observed_mixtures(loaded, runs)
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
    )
    compared = texts.baselines(baseline or (), loaded)
    room = texts.percent(within, "--within")
    start = None if least_change is None else texts.in_use(least_change, loaded, observed)
    sizes, lengths = texts.numbers(model_size, "--model-size"), texts.numbers(tokens, "--tokens")
    planner = Planner(loaded, texts.targets(target), asked, observed)
    texts.check_budget(sizes, lengths, flops, each_target=each_target)
    N: tuple[float | None, ...] = sizes or (None,)
    D: tuple[float | None, ...] = lengths or (None,)
    budget = None if flops is None else texts.number(flops, "--flops")
    sizes_searched = texts.span(model_size_range, "--model-size-range")
    tokens_searched = texts.span(tokens_range, "--tokens-range")
    mixtures: tuple[Mixture, ...] = ()
    pure: tuple[PureTarget, ...] = ()
    if each_target:
        pure = planner.each_target(N[0], D[0])
    elif budget is None:
        mixtures = planner.grid(N, D)
    else:
        mixtures = (planner.for_flops(budget, sizes_searched, tokens_searched),)
    study = None
    if len(mixtures) == 1:
        study = planner.study(mixtures[0], compared, least_change=start, within=room)
    elif start is not None:
        raise UsageError("--least-change takes one budget, and not --each-target.")

    def write(path: str) -> None:
        if form == "yaml":
            text = to_yaml(mixtures_to_plain(mixtures, fit, study=study, pure=pure))
        else:
            blends = [m.blend for m in mixtures] if study is None else [study.blend]
            text = export(blends, form, {} if prefixes is None else read_prefixes(prefixes))
        write_text(path, text)

    finish(
        out,
        write,
        lambda: report_result(f"{loaded.law.name} law of {fit}", mixtures, pure, study),
        quiet=quiet,
        always=[
            *([] if len(observed) else [Remark("note", _NONE_OBSERVED)]),
            *([Remark("note", _LEAST_WRITTEN)] if start is not None and form != "yaml" else []),
        ],
    )
