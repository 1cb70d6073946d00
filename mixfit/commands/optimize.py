"""``mixfit optimize``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands import options as given  # noqa: TC001 (typer reads it at run time)

if TYPE_CHECKING:
    from mixfit.mixture.planner import Planner
    from mixfit.mixture.result import Mixture, PureTarget

_BUDGET, _ASKED, _COMPARED = "Budget", "Constraints", "Comparison"


def _repeated(metavar: str, text: str, panel: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        metavar=metavar, help=text, show_default=False, rich_help_panel=panel
    )
    return option


Texts = list[str] | None


def optimize(
    fit: given.FitArgument,
    target: Annotated[
        Texts,
        _repeated(
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
        Texts, _repeated("N[,N...]", "Parameters, such as 7B; a list gives a grid.", _BUDGET)
    ] = None,
    tokens: Annotated[
        Texts, _repeated("D[,D...]", "Tokens, such as 150B; a list gives a grid.", _BUDGET)
    ] = None,
    flops: Annotated[
        str | None,
        _repeated("C", "Choose N and D too, with 6 N D = C FLOPs, such as 1e21.", _BUDGET),
    ] = None,
    model_size_range: Annotated[
        str | None,
        _repeated(
            "N,N",
            "Sizes searched with --flops. [default: the smallest fitted to 100 times the largest]",
            _BUDGET,
        ),
    ] = None,
    tokens_range: Annotated[
        str | None, _repeated("D,D", "Tokens searched with --flops; likewise.", _BUDGET)
    ] = None,
    at_least: Annotated[
        Texts,
        typer.Option(
            "--min",
            metavar="NAME=SHARE",
            help="Smallest weight of a domain or group.",
            show_default=False,
            rich_help_panel=_ASKED,
        ),
    ] = None,
    at_most: Annotated[
        Texts,
        typer.Option(
            "--max",
            metavar="NAME=SHARE",
            help="Largest weight of a domain or group.",
            show_default=False,
            rich_help_panel=_ASKED,
        ),
    ] = None,
    fix: Annotated[Texts, _repeated("NAME=SHARE", "Weight of a domain or group.", _ASKED)] = None,
    group: Annotated[
        Texts,
        _repeated("NAME=D,D", "Name a group of domains, whose weights are summed.", _ASKED),
    ] = None,
    available: Annotated[
        Texts,
        _repeated(
            "NAME=TOKENS|FILE", "Unique tokens that there are of a domain, such as 10B.", _ASKED
        ),
    ] = None,
    max_epochs: Annotated[
        float,
        typer.Option(metavar="R", help="Passes over them, at the most.", rich_help_panel=_ASKED),
    ] = 4.0,
    prior: Annotated[
        str | None,
        _repeated(
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
        _repeated(
            "TARGET=LOSS|MIXTURE",
            "Largest loss of a target, or a mixture (FILE, uniform, observed or D=SHARE,...) that "
            "no target may be worse than.",
            _ASKED,
        ),
    ] = None,
    baseline: Annotated[
        Texts,
        _repeated("NAME=FILE|D=SHARE,...", "A mixture to compare with.", _COMPARED),
    ] = None,
    runs: Annotated[
        Texts,
        _repeated(
            "RUNS",
            "Runs whose mixtures to compare with. [default: the files fitted, if unchanged]",
            _COMPARED,
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="Of the file: yaml, json, csv, megatron or hf.",
            rich_help_panel="Output",
        ),
    ] = "yaml",
    prefixes: Annotated[
        str | None,
        _repeated("FILE", "Lines 'domain: prefix' for --format megatron.", "Output"),
    ] = None,
    out: given.Out = None,
    quiet: given.Quiet = False,
) -> None:
    """Find the mixture with the lowest predicted loss.

    Example: mixfit optimize fit.yaml --model-size 7B --tokens 150B -o mixture.yaml
    """
    from mixfit.base.files import check_out, write_text
    from mixfit.base.plain import to_yaml
    from mixfit.commands import mixtures as read
    from mixfit.fitting.file import load_fit
    from mixfit.mixture.files import mixtures_to_plain, read_prefixes, render
    from mixfit.mixture.planner import Planner
    from mixfit.reports import optimize as report
    from mixfit.reports.text import print_labelled

    read.check_output(form, out, prefixes, each_target=each_target)
    mixture_texts = [*(available or ()), *(no_worse_than or ()), *(baseline or ())]
    mixture_texts += [text for text in (prior, prefixes) if text is not None]
    check_out(out, [fit, *(runs or ()), *read.files_named(mixture_texts)])
    loaded = load_fit(fit)
    observed = read.observed_mixtures(loaded, runs)
    asked = read.constraints(
        read.Asked(
            minimum=at_least or (),
            maximum=at_most or (),
            fix=fix or (),
            group=group or (),
            available=available or (),
            max_epochs=max_epochs,
            prior=prior,
            kl=kl,
            no_worse_than=no_worse_than or (),
        ),
        loaded,
        observed,
    )
    compared = read.baselines(baseline or (), loaded)
    sizes, lengths = read.numbers(model_size, "--model-size"), read.numbers(tokens, "--tokens")
    planner = Planner(loaded, read.targets(target), asked, observed)
    mixtures: tuple[Mixture, ...] = ()
    pure: tuple[PureTarget, ...] = ()
    study = None
    if each_target:
        pure = planner.each_target(*read.one_budget(sizes, lengths, flops))
    elif flops is not None:
        mixtures = (_for_flops(planner, flops, sizes, lengths, model_size_range, tokens_range),)
    else:
        mixtures = planner.grid(sizes or (None,), lengths or (None,))
    if len(mixtures) == 1:
        study = planner.study(mixtures[0], compared)
    if out is not None:  # before it is printed, so that a pipe that is closed loses nothing
        if form == "yaml":
            text = to_yaml(mixtures_to_plain(mixtures, fit, study=study, pure=pure))
        else:
            text = render(mixtures, form, None if prefixes is None else read_prefixes(prefixes))
        write_text(out, text)
    if out != "-":
        title = f"{loaded.law.law.name} law of {fit}"
        report.print_result(title, mixtures, pure, study, quiet=quiet)
    if not len(observed) and not quiet:
        text = (
            "no observed mixture is compared: the files fitted are not here, or changed; see --runs"
        )
        print_labelled("note", text)
    if out not in (None, "-") and not quiet:
        print_labelled("wrote", str(out))


def _for_flops(
    planner: Planner,
    flops: str,
    sizes: tuple[float, ...],
    lengths: tuple[float, ...],
    model_size_range: str | None,
    tokens_range: str | None,
) -> Mixture:
    from mixfit.commands import mixtures as read

    read.refuse_sizes_with_flops(sizes, lengths)
    return planner.for_flops(
        read.number(flops, "--flops"),
        read.span(model_size_range, "--model-size-range"),
        read.span(tokens_range, "--tokens-range"),
    )
