"""``mixfit fit``."""

from __future__ import annotations

from typing import Annotated

import typer

from mixfit.commands import options as given


def fit(
    runs: given.RunsArgument,
    law: Annotated[
        str,
        typer.Option(help="Which law; 'mixfit laws' lists them."),
    ] = "additive",
    weights: given.Weights = None,
    targets: given.Targets = None,
    model_size: given.ModelSize = None,
    tokens: given.Tokens = None,
    where: given.Where = None,
    delta: given.Delta = 1e-3,
    solver: given.Solver = "trust-region",
    restarts: given.Restarts = 12,
    hops: given.Hops = 20,
    seed: given.Seed = 0,
    jobs: given.Jobs = None,
    out: given.Out = None,
    quiet: given.Quiet = False,
) -> None:
    """Fit a law to every target of a table of runs.

    Example: mixfit fit runs.csv --law coupled --where 'model_size>=3e8' -o fit.yaml
    """
    from mixfit.catalogue import find_law
    from mixfit.fitting import FitOptions
    from mixfit.fitting import fit as fit_runs
    from mixfit.reports.fit import print_fit
    from mixfit.reports.progress import progress
    from mixfit.reports.text import print_labelled
    from mixfit.storage import check_out, save_fit

    find_law(law)
    check_out(out, runs)
    chosen = FitOptions(delta=delta, solver=solver, restarts=restarts, hops=hops, seed=seed)
    table = given.read(runs, weights, targets, model_size, tokens, where)
    with progress(f"fitting {law}", len(table.targets), quiet=quiet) as done:
        found = fit_runs(table, law, options=chosen, jobs=jobs, done=done)
    if out != "-":
        print_fit(found, table, quiet=quiet)
    if out is not None:
        save_fit(found, out)
        if out != "-" and not quiet:
            print_labelled("wrote", out)
