"""``mixfit optimize``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands.options import FitArgument, Out, Quiet  # noqa: TC001 (typer reads them)
from mixfit.commands.output import finish

if TYPE_CHECKING:
    from mixfit.mixture.result import Mixture, PureTarget

_BUDGET, _ASKED, _COMPARED = "Budget", "Constraints", "Comparison"
_NONE_OBSERVED = (
    "no observed mixture is compared: the files fitted are not here, or changed; see --runs"
)


def _option(metavar: str, text: str, panel: str, *names: str) -> typer.models.OptionInfo:
    """Declare an option without a default to show, which has the parameter's name or another."""
    option: typer.models.OptionInfo = typer.Option(
        *names, metavar=metavar, help=text, show_default=False, rich_help_panel=panel
    )
    return option


Texts = list[str] | None


def optimize(
    fit: FitArgument,
    target: Annotated[
        Texts,
        _option(
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
        Texts, _option("N[,N...]", "Parameters, such as 7B; a list gives a grid.", _BUDGET)
    ] = None,
    tokens: Annotated[
        Texts, _option("D[,D...]", "Tokens, such as 150B; a list gives a grid.", _BUDGET)
    ] = None,
    flops: Annotated[
        Texts,
        _option(
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
        _option(
            "N,N",
            "Sizes searched with --flops. [default: the smallest fitted to 100 times the largest]",
            _BUDGET,
        ),
    ] = None,
    tokens_range: Annotated[
        str | None, _option("D,D", "Tokens searched with --flops; likewise.", _BUDGET)
    ] = None,
    at_least: Annotated[
        Texts,
        _option("NAME=SHARE", "Smallest weight of a domain or group.", _ASKED, "--min"),
    ] = None,
    at_most: Annotated[
        Texts,
        _option("NAME=SHARE", "Largest weight of a domain or group.", _ASKED, "--max"),
    ] = None,
    fix: Annotated[Texts, _option("NAME=SHARE", "Weight of a domain or group.", _ASKED)] = None,
    group: Annotated[
        Texts,
        _option("NAME=D,D", "Name a group of domains, whose weights are summed.", _ASKED),
    ] = None,
    available: Annotated[
        Texts,
        _option(
            "NAME=TOKENS|FILE", "Unique tokens that there are of a domain, such as 10B.", _ASKED
        ),
    ] = None,
    max_epochs: Annotated[
        float,
        typer.Option(metavar="R", help="Passes over them, at the most.", rich_help_panel=_ASKED),
    ] = 4.0,
    prior: Annotated[
        str | None,
        _option(
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
        Texts,
        _option(
            "TARGET=LOSS|MIXTURE",
            "Largest loss of a target, or a mixture (FILE, uniform, observed or D=SHARE,...) that "
            "no target may be worse than.",
            _ASKED,
        ),
    ] = None,
    baseline: Annotated[
        Texts,
        _option("NAME=FILE|D=SHARE,...", "A mixture to compare with.", _COMPARED),
    ] = None,
    runs: Annotated[
        Texts,
        _option(
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
            "megatron or hf.",
            rich_help_panel="Output",
        ),
    ] = "yaml",
    prefixes: Annotated[
        str | None,
        _option("FILE", "Lines 'domain: prefix' for --format megatron.", "Output"),
    ] = None,
    out: Out = None,
    quiet: Quiet = False,
) -> None:
    """Find the mixture with the lowest predicted loss.

    Example: mixfit optimize fit.yaml --model-size 7B --tokens 150B -o mixture.yaml
    """
    from mixfit.base.files import check_out, write_text
    from mixfit.base.plain import write_document
    from mixfit.commands import mixtures as texts
    from mixfit.fitting.file import load_fit
    from mixfit.mixture.files import mixtures_to_plain, read_prefixes, render
    from mixfit.mixture.planner import Planner
    from mixfit.reports.optimize import report_result
    from mixfit.reports.report import Remark
    from mixfit.runs.sources import files_named

    texts.check_output(form, out, prefixes, each_target=each_target)
    named = [*(available or ()), *(no_worse_than or ()), *(baseline or ())]
    named += [text for text in (prior, prefixes) if text is not None]
    check_out(out, [fit, *(runs or ()), *texts.files_named(named)])
    loaded = load_fit(fit)
    check_out(out, (*loaded.data.paths, *files_named(runs or ())))
    observed = texts.observed_mixtures(loaded, runs)
    asked = texts.constraints(
        loaded,
        observed,
        minimum=at_least or (),
        maximum=at_most or (),
        fix=fix or (),
        group=group or (),
        available=available or (),
        max_epochs=max_epochs,
        prior=prior,
        kl=kl,
        no_worse_than=no_worse_than or (),
    )
    compared = texts.baselines(baseline or (), loaded)
    sizes, lengths = texts.numbers(model_size, "--model-size"), texts.numbers(tokens, "--tokens")
    if not allow_units:
        texts.check_units(loaded, sizes, lengths, asked.available)
    planner = Planner(loaded, texts.targets(target), asked, observed)
    texts.check_budget(sizes, lengths, flops, each_target=each_target)
    N: tuple[float | None, ...] = sizes or (None,)
    D: tuple[float | None, ...] = lengths or (None,)
    budgets = texts.numbers(flops, "--flops")
    sizes_searched = texts.span(model_size_range, "--model-size-range")
    tokens_searched = texts.span(tokens_range, "--tokens-range")
    mixtures: tuple[Mixture, ...] = ()
    pure: tuple[PureTarget, ...] = ()
    if each_target:
        pure = planner.each_target(N[0], D[0])
    elif not budgets:
        mixtures = planner.grid(N, D)
    else:
        searched = sizes_searched, tokens_searched
        mixtures = tuple(planner.for_flops(budget, *searched) for budget in budgets)
    study = planner.study(mixtures[0], compared) if len(mixtures) == 1 else None

    def write(path: str) -> None:
        if form == "yaml":
            write_document(path, mixtures_to_plain(mixtures, fit, study=study, pure=pure))
        else:
            kept = {} if prefixes is None else read_prefixes(prefixes)
            write_text(path, render(mixtures, form, kept))

    finish(
        out,
        write,
        lambda: report_result(f"{loaded.law.name} law of {fit}", mixtures, pure, study),
        quiet=quiet,
        always=[] if len(observed) else [Remark("note", _NONE_OBSERVED)],
    )
