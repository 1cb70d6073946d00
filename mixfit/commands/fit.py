"""``mixfit fit``."""

from __future__ import annotations

from typing import Annotated

import typer

from mixfit.commands import options as given
from mixfit.commands.output import finish


def fit(
    runs: given.RunsArgument,
    law: Annotated[
        str,
        typer.Option(
            help="Which law; 'mixfit laws' lists them, and 'auto' lets held-out runs decide."
        ),
    ] = "additive",
    weights: given.Weights = None,
    targets: given.Targets = None,
    model_size: given.ModelSize = None,
    tokens: given.Tokens = None,
    where: given.Where = None,
    pool: Annotated[
        str,
        typer.Option(
            metavar="VALUE|auto|none",
            help="Pull the domains' parameters towards each other, for better predictions from few"
            " mixtures: auto lets held-out mixtures decide how hard.",
        ),
    ] = "none",
    delta: given.Delta = None,
    solver: given.Solver = None,
    restarts: given.Restarts = None,
    hops: given.Hops = None,
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
    from mixfit.base.errors import UsageError
    from mixfit.base.files import check_out
    from mixfit.fitting.file import save_fit
    from mixfit.fitting.fit import fit as fit_runs
    from mixfit.fitting.result import FitOptions
    from mixfit.laws.pooled import AUTO, NONE, AutoLaw, parse_law
    from mixfit.reports.fit import report_fit

    if law == AUTO and pool != NONE:
        raise UsageError("--law auto chooses how hard to pool too; leave --pool out.")
    wanted = law if law == AUTO else parse_law(law if pool == NONE else f"{law}:{pool}")
    check_out(out, runs)
    chosen = FitOptions(delta, seed, solver, restarts, hops, treatment)
    table = given.read(runs, weights, targets, model_size, tokens, where)
    executor = given.executor(jobs, cluster, quiet=quiet)
    if isinstance(wanted, str | AutoLaw):
        from mixfit.evaluation.choose import fit_auto

        fitted = fit_auto(table, wanted, options=chosen, jobs=executor)
    else:
        fitted = fit_runs(table, wanted, options=chosen, jobs=executor)
    finish(out, lambda path: save_fit(fitted, path), lambda: report_fit(fitted, table), quiet=quiet)
