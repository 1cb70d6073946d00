"""``mixfit fit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands import options as given
from mixfit.commands.output import finish
from mixfit.commands.tables import AS_USUAL, TableOptions, reads_tables

if TYPE_CHECKING:
    from mixfit.laws.pooled import AutoLaw, PooledLaw


@reads_tables
def fit(
    runs: given.RunsArgument,
    law: Annotated[
        str,
        typer.Option(
            help="Which law; 'mixfit laws' lists them, and 'auto' lets held-out runs decide."
        ),
    ] = "additive",
    table: TableOptions = AS_USUAL,
    pool: Annotated[
        str | None,
        typer.Option(
            metavar="auto|domains|none|VALUE",
            help="How hard parameters of domains, and of targets, are pulled to each other, for"
            " better predictions from few mixtures: auto lets held-out mixtures decide, domains"
            " keeps each target apart. [default: auto, where the law has what to pool]",
            show_default=False,
        ),
    ] = None,
    trim: Annotated[
        str | None,
        typer.Option(
            metavar="auto",
            help="auto lets the largest size, held out, decide from which model size and which"
            " length on rows are fitted; with --law auto, once all rows have chosen the law."
            " [default: all rows are]",
            show_default=False,
        ),
    ] = None,
    resamples: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            help="Fit again so often with random weights on the mixtures, such as 200, for"
            " intervals of parameters, predictions and optima; 0 for none.",
        ),
    ] = 0,
    note: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=TEXT",
            help="What a reader asks and no table tells, for the fit file and the report; KEY is"
            " embeddings, tokenizer, schedule, hyperparameters, data, loss or left-out; may be"
            " repeated.",
            show_default=False,
        ),
    ] = None,
    delta: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE|auto",
            help="Of the Huber loss, eq. (6); auto is in proportion to the residuals of a first"
            " fit. [default: 0.001, or as the law's authors have it]",
            show_default=False,
        ),
    ] = None,
    solver: given.Solver = None,
    restarts: given.Restarts = None,
    hops: given.Hops = None,
    discrepancy: given.Discrepancy = None,
    treatment: given.Treatment = "authors",
    seed: given.Seed = 0,
    jobs: given.Jobs = None,
    cluster: given.Cluster = None,
    out: given.Out = None,
    quiet: given.Quiet = False,
) -> None:
    """Fit a law to every target of a table of runs.

    Example: mixfit fit runs.csv --law coupled --where 'model_size>=3e8' -o fit.yaml
    """
    from dataclasses import replace

    from mixfit.base.files import check_out
    from mixfit.commands import words
    from mixfit.fitting.file import save_fit
    from mixfit.fitting.fit import fit as fit_runs
    from mixfit.fitting.options import FitOptions
    from mixfit.fitting.record import parse_record
    from mixfit.laws.pooled import AUTO
    from mixfit.reports.fit import report_fit

    wanted = _wanted(law, pool, trim)
    record = parse_record(note or ())
    check_out(out, [*runs, *(table.join or ())])
    beside = _beside(out) if resamples else None
    check_out(beside, runs)
    given_delta = None if delta in (None, AUTO) else words.number(delta, "--delta")
    chosen = FitOptions(given_delta, seed, solver, restarts, hops, treatment, discrepancy)
    checkpoints = table.read(runs)
    check_out(out, checkpoints.paths)
    executor = given.executor(jobs, cluster, quiet=quiet)
    if delta == AUTO:
        from mixfit.fitting.delta import choose_delta

        first = "additive" if isinstance(wanted, str) else wanted
        own, told = choose_delta(checkpoints, first, options=chosen, jobs=executor)
        chosen = replace(chosen, delta=own)
        checkpoints = replace(checkpoints, notes=(*checkpoints.notes, told))
    if isinstance(wanted, str):
        from mixfit.evaluation.choose import fit_auto

        fitted = fit_auto(checkpoints, trim=trim is not None, options=chosen, jobs=executor)
    elif trim is not None:
        from mixfit.evaluation.trim import fit_trimmed

        fitted = fit_trimmed(checkpoints, wanted, options=chosen, jobs=executor)
    else:
        fitted = fit_runs(checkpoints, wanted, options=chosen, jobs=executor)
    if fitted.trim is not None:
        from mixfit.evaluation.trim import trimmed

        checkpoints = trimmed(checkpoints, fitted.trim)
    if resamples:
        from mixfit.fitting.resamples import resample

        fitted = resample(fitted, checkpoints, resamples, seed=seed, jobs=executor)
    fitted = replace(fitted, record=record)
    finish(
        out,
        lambda path: save_fit(fitted, path),
        lambda: report_fit(fitted, checkpoints),
        quiet=quiet,
        also_written=[beside],
    )


def _wanted(law: str, pool: str | None, trim: str | None) -> str | PooledLaw | AutoLaw:
    """Read the law, ``auto`` as that word, and refuse options that do not go together."""
    from mixfit.base.errors import UsageError
    from mixfit.laws.pooled import AUTO, parse_law

    if law == AUTO and pool is not None:
        raise UsageError("--law auto chooses how hard to pool too; leave --pool out.")
    wanted = law if law == AUTO else parse_law(law if pool is None else f"{law}:{pool}")
    if trim not in (None, AUTO):
        raise UsageError(f"--trim {trim}: it can be auto; choose rows of your own with --where.")
    return wanted


def _beside(out: str | None) -> str | None:
    """Give the file of the resamples, which stands beside that of the fit."""
    from mixfit.base.errors import UsageError
    from mixfit.fitting.resample_file import resample_path

    if out == "-":
        raise UsageError("--resamples writes a file beside the fit: give --out a name, not -.")
    return None if out is None else str(resample_path(out))
