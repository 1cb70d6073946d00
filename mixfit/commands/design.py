"""``mixfit design``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands import options as given
from mixfit.commands.output import finish

if TYPE_CHECKING:
    from mixfit.fitting.result import Fit

_WHAT, _SCALE, _NEXT, _OUTPUT = "Mixtures", "Scale", "Next runs", "Output"


def design(
    domains: Annotated[
        given.Texts,
        given.option(
            "NAME[,NAME...]",
            "The domains. [default: those of --fit, --runs or --candidates]",
            _WHAT,
        ),
    ] = None,
    mixtures: Annotated[
        int | None,
        given.option(
            "M",
            "How many new mixtures. [default: 3k+3 for k domains, or as many as --flops-budget "
            "buys]",
            _WHAT,
        ),
    ] = None,
    targets: Annotated[
        given.Texts,
        given.option(
            "NAME[,NAME...]", "The losses that you will log. [default: the domains]", _WHAT
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="i-optimal, spread, dirichlet (RegMix's) or lattice (the paper's grid).",
            rich_help_panel=_WHAT,
        ),
    ] = "i-optimal",
    include: Annotated[
        given.Texts,
        given.option(
            "MIXTURE[,...]",
            "Mixtures to train in any case: uniform, proportional, unimax, leave-one-out, FILE, "
            "NAME=FILE or D=SHARE,...; may be repeated.",
            _WHAT,
        ),
    ] = None,
    replicates: Annotated[
        int,
        typer.Option(
            metavar="R",
            help="Runs of a central mixture, which tell the noise; 3 or more do.",
            rich_help_panel=_WHAT,
        ),
    ] = 1,
    runs: Annotated[
        given.Texts,
        given.option("RUNS", "Runs that there are: they count, and are not repeated.", _WHAT),
    ] = None,
    candidates: Annotated[
        given.Texts,
        given.option(
            "TABLE", "Mixtures to choose from. [default: all that obey the constraints]", _WHAT
        ),
    ] = None,
    grid: Annotated[
        int,
        typer.Option(
            metavar="G",
            help="Weights are multiples of 1/G, such as 2048.",
            rich_help_panel=_WHAT,
        ),
    ] = 10**6,
    model_sizes: Annotated[
        given.Texts,
        given.option("N[,N...]", "Parameters of the runs. [default: --model-size]", _SCALE),
    ] = None,
    run_tokens: Annotated[
        given.Texts,
        given.option(
            "D[,D...]",
            "Tokens of the runs, one number or one for each of --model-sizes. [default: --tokens]",
            _SCALE,
        ),
    ] = None,
    flops_budget: Annotated[
        str | None, given.option("C", "FLOPs of all runs together, 6 N D each.", _SCALE)
    ] = None,
    model_size: Annotated[
        str | None,
        given.option("N", "Parameters of the training that the mixture is for.", _SCALE),
    ] = None,
    tokens: Annotated[
        str | None,
        given.option("D", "Its tokens, such as 150B; --available needs them.", _SCALE),
    ] = None,
    fit: Annotated[
        str | None,
        given.option("FIT", "A fit of the runs that there are, for --next.", _NEXT),
    ] = None,
    batch: Annotated[
        int | None,
        given.option(
            "M",
            "How many mixtures more: half optima that the runs might as well have led to, half "
            "I-optimal given all runs.",
            _NEXT,
            "--next",
        ),
    ] = None,
    target: Annotated[
        given.Texts,
        given.option(
            "NAME[=WEIGHT][,...]",
            "Targets that count, names or globs, for --next. [default: all alike]",
            _NEXT,
        ),
    ] = None,
    at_least: given.AtLeast = None,
    at_most: given.AtMost = None,
    fix: given.Fix = None,
    group: given.Group = None,
    available: given.Available = None,
    max_epochs: given.MaxEpochs = None,
    seed: given.Seed = 0,
    form: Annotated[
        str | None,
        given.option(
            "FORMAT",
            "Of the files of --each-run: json, csv, megatron, hf or mosaic.",
            _OUTPUT,
            "--format",
        ),
    ] = None,
    prefixes: Annotated[
        str | None,
        given.option("FILE", "Lines 'domain: prefix' for --format megatron or mosaic.", _OUTPUT),
    ] = None,
    each_run: Annotated[
        str | None,
        given.option("FOLDER", "Write the mixture of every run to a file there.", _OUTPUT),
    ] = None,
    details: Annotated[
        str | None,
        given.option("FILE", "Write all that is known of the design there, as YAML.", _OUTPUT),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write the sheet of runs there, as CSV; - is standard output.",
            show_default=False,
        ),
    ] = None,
    quiet: given.Quiet = False,
) -> None:
    """Say which mixtures to train: a sheet of runs, to be filled in with losses.

    Example: mixfit design --domains web,code,books --mixtures 24 --replicates 3 -o runs.csv
    """
    from mixfit.base.errors import UsageError
    from mixfit.base.files import check_out, write_text
    from mixfit.base.plain import to_yaml
    from mixfit.commands import mixtures as texts
    from mixfit.commands import words
    from mixfit.commands.fitted import runs_of_fit
    from mixfit.design.files import design_to_plain, write_each_run
    from mixfit.design.plan import plan_runs
    from mixfit.design.sheet import check_blank_losses, render_sheet
    from mixfit.mixture.exports import FORMATS
    from mixfit.mixture.files import read_prefixes
    from mixfit.reports.design import report_design

    if (form is None) != (each_run is None):
        raise UsageError("--each-run and --format go together: a folder and the form of its files.")
    if form is not None:
        texts.check_form(form, FORMATS)
    if form == "megatron" and prefixes is None:
        raise UsageError("--format megatron needs --prefixes FILE, with lines 'domain: prefix'.")
    named = [*(available or ()), *(include or ()), *([] if prefixes is None else [prefixes])]
    inputs = [
        *(runs or ()),
        *(candidates or ()),
        *([] if fit is None else [fit]),
        *texts.files_named(named),
    ]
    for path in (out, details):
        check_out(path, inputs)
    if out is not None:
        check_blank_losses(out)
    loaded = _loaded(
        fit,
        batch,
        domains=domains,
        mixtures=mixtures,
        targets=targets,
        include=include,
        candidates=candidates,
        flops_budget=flops_budget,
        replicates=replicates > 1,
    )
    found = texts.domains_of(domains, runs or candidates) if loaded is None else loaded.domains
    asked = texts.region(
        minimum=at_least or (),
        maximum=at_most or (),
        fix=fix or (),
        group=group or (),
        available=available or (),
        max_epochs=max_epochs or (),
    )
    large = None if tokens is None else words.number(tokens, "--tokens")
    size = None if model_size is None else words.number(model_size, "--model-size")
    sizes = words.numbers(model_sizes, "--model-sizes")
    lengths = words.numbers(run_tokens, "--run-tokens")
    existing = texts.mixtures_run(runs, found)
    if loaded is None:
        made = plan_runs(
            found,
            mixtures,
            targets=words.names(targets, "--targets"),
            constraints=asked,
            tokens=large,
            model_sizes=sizes or ([] if size is None else [size]),
            run_tokens=lengths or ([] if large is None else [large]),
            flops_budget=None
            if flops_budget is None
            else words.number(flops_budget, "--flops-budget"),
            kind=kind,
            include=texts.included(include or (), found, asked, large),
            replicates=replicates,
            existing=existing,
            candidates=texts.mixtures_run(candidates, found),
            grid=grid,
            seed=seed,
        )
    else:
        from mixfit.design.next_runs import plan_next

        made = plan_next(
            loaded,
            runs_of_fit(loaded, runs),
            batch or 0,
            targets=words.targets(target),
            constraints=asked,
            model_size=size,
            tokens=large,
            model_sizes=sizes,
            run_tokens=lengths,
            existing=existing,
            grid=grid,
            seed=seed,
        )
    if each_run is not None and form is not None:
        write_each_run(made, each_run, form, {} if prefixes is None else read_prefixes(prefixes))
    if details is not None:
        write_text(details, to_yaml(design_to_plain(made)))
    finish(
        out,
        lambda path: write_text(path, render_sheet(made)),
        lambda: report_design(made),
        quiet=quiet,
        also_written=[details, each_run],
    )


def _loaded(fit: str | None, batch: int | None, **first: object) -> Fit | None:
    """Read the fit that the next runs follow from; None for a first design.

    Args:
        fit: the file.
        batch: how many mixtures are wanted.
        first: options of first designs, those that were given.

    Raises:
        MixfitError: the options do not go together, or the file cannot be used.
    """
    from mixfit.base.errors import UsageError, parameter
    from mixfit.fitting.file import load_fit

    if (fit is None) != (batch is None):
        raise UsageError("--fit and --next go together: the fit, and how many mixtures more.")
    if fit is None:
        return None
    for name, value in first.items():
        if value:
            raise UsageError(
                f"{parameter(name)} is for first designs: leave it out, or --fit and --next."
            )
    return load_fit(fit)
