"""``mixfit optimize``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands.options import FitArgument, Out, Quiet  # noqa: TC001 (typer reads them)
from mixfit.commands.output import finish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mixfit.base.arrays import Array
    from mixfit.mixture.planner import Planner
    from mixfit.mixture.result import Mixture, PureTarget, Study

_BUDGET, _ASKED, _COMPARED = "Budget", "Constraints", "Comparison"
_NONE_OBSERVED = (
    "no observed mixture is compared: the files fitted are not here, or changed; see --runs"
)


def _repeated(metavar: str, text: str, panel: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        metavar=metavar, help=text, show_default=False, rich_help_panel=panel
    )
    return option


Texts = list[str] | None


def optimize(
    fit: FitArgument,
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
    out: Out = None,
    quiet: Quiet = False,
) -> None:
    """Find the mixture with the lowest predicted loss.

    Example: mixfit optimize fit.yaml --model-size 7B --tokens 150B -o mixture.yaml
    """
    from mixfit.base.files import check_out, write_text
    from mixfit.base.plain import to_yaml
    from mixfit.commands import mixtures as texts
    from mixfit.fitting.file import load_fit
    from mixfit.mixture.files import mixtures_to_plain, read_prefixes, render
    from mixfit.mixture.planner import Planner
    from mixfit.reports.optimize import report_result
    from mixfit.reports.report import Remark

    texts.check_output(form, out, prefixes, each_target=each_target)
    named = [*(available or ()), *(no_worse_than or ()), *(baseline or ())]
    named += [text for text in (prior, prefixes) if text is not None]
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
        max_epochs=max_epochs,
        prior=prior,
        kl=kl,
        no_worse_than=no_worse_than or (),
    )
    compared = texts.baselines(baseline or (), loaded)
    sizes, lengths = texts.numbers(model_size, "--model-size"), texts.numbers(tokens, "--tokens")
    planner = Planner(loaded, texts.targets(target), asked, observed)
    texts.check_budget(sizes, lengths, flops, each_target=each_target)
    request = Request(
        planner,
        sizes or (None,),
        lengths or (None,),
        None if flops is None else texts.number(flops, "--flops"),
        texts.span(model_size_range, "--model-size-range"),
        texts.span(tokens_range, "--tokens-range"),
        each_target,
        compared,
    )
    result = answer(request)
    mixtures, pure, study = result.mixtures, result.pure, result.study

    def write(path: str) -> None:
        if form == "yaml":
            text = to_yaml(mixtures_to_plain(mixtures, fit, study=study, pure=pure))
        else:
            text = render(mixtures, form, None if prefixes is None else read_prefixes(prefixes))
        write_text(path, text)

    finish(
        out,
        write,
        lambda: report_result(f"{loaded.law.name} law of {fit}", mixtures, pure, study),
        quiet=quiet,
        always=[] if len(observed) else [Remark("note", _NONE_OBSERVED)],
    )


@dataclass(frozen=True)
class Request:
    """What is to be found.

    Attributes:
        planner: of the fit, for the targets and under the constraints.
        model_sizes: N of the budgets.
        tokens: D of the budgets; there is one for each N and D.
        flops: in place of these, or None.
        model_size_range: the smallest and the largest N searched for the FLOPs, or None.
        tokens_range: likewise D.
        each_target: find the best mixture for each target alone.
        baselines: mixtures to compare with.
    """

    planner: Planner
    model_sizes: tuple[float | None, ...]
    tokens: tuple[float | None, ...]
    flops: float | None
    model_size_range: tuple[float, float] | None
    tokens_range: tuple[float, float] | None
    each_target: bool
    baselines: Mapping[str, Array]


@dataclass(frozen=True)
class Answer:
    """What was found: mixtures by budget or by target, and more about an only one."""

    mixtures: tuple[Mixture, ...] = ()
    pure: tuple[PureTarget, ...] = ()
    study: Study | None = None


def answer(request: Request) -> Answer:
    """Find what is requested."""
    planner = request.planner
    if request.each_target:
        return Answer(pure=planner.each_target(request.model_sizes[0], request.tokens[0]))
    if request.flops is None:
        mixtures = planner.grid(request.model_sizes, request.tokens)
    else:
        ranges = request.model_size_range, request.tokens_range
        mixtures = (planner.for_flops(request.flops, *ranges),)
    if len(mixtures) > 1:
        return Answer(mixtures)
    return Answer(mixtures, study=planner.study(mixtures[0], request.baselines))
