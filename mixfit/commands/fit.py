"""``mixfit fit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands import options as given
from mixfit.commands.output import finish

if TYPE_CHECKING:
    from mixfit.fitting.result import Fit, FitOptions
    from mixfit.runs.runs import Runs

_AUTO, _NONE = "auto", "none"


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
    shrink: Annotated[
        str,
        typer.Option(
            metavar="VALUE|auto|none",
            help="Pull the domains' coefficients in N and D towards each other: 0 leaves the law"
            " free, inf makes them all alike, auto lets held-out runs decide.",
        ),
    ] = "none",
    delta: given.Delta = 1e-3,
    solver: given.Solver = "trust-region",
    restarts: given.Restarts = 12,
    hops: given.Hops = None,
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
    from mixfit.fitting.result import FitOptions
    from mixfit.laws.old_text import parse_law, with_shrinkage
    from mixfit.reports.fit import report_fit

    wanted = law if shrink == _NONE else with_shrinkage(law, shrink)
    if law != _AUTO:
        parse_law(wanted)
    elif wanted != law:
        raise UsageError("--law auto chooses the shrinkage too; leave --shrink out.")
    check_out(out, runs)
    chosen = FitOptions(delta=delta, solver=solver, restarts=restarts, hops=hops, seed=seed)
    table = given.read(runs, weights, targets, model_size, tokens, where)
    spread = cluster or jobs
    found = (
        _fit_auto(table, chosen, spread, quiet=quiet)
        if law == _AUTO
        else _fit(table, wanted, chosen, spread, quiet=quiet)
    )
    finish(out, lambda path: save_fit(found, path), lambda: report_fit(found, table), quiet=quiet)


def _fit(
    table: Runs,
    law: str,
    options: FitOptions,
    spread: int | str | None,
    *,
    quiet: bool,
) -> Fit:
    from mixfit.evaluation.shrinkage import count_tasks
    from mixfit.fitting.fit import fit as fit_runs
    from mixfit.laws.old_text import AUTO_SHRINK, parse_law
    from mixfit.reports.progress import progress

    steps = len(table.targets)
    if parse_law(law)[1] == AUTO_SHRINK:
        steps += count_tasks(table, options.seed)
    with progress(f"fitting {law}", steps, quiet=quiet) as done:
        return fit_runs(table, law, options=options, jobs=spread, done=done)


def _fit_auto(table: Runs, options: FitOptions, spread: int | str | None, *, quiet: bool) -> Fit:
    from mixfit.evaluation.choose import fit_auto
    from mixfit.evaluation.compare import count_tasks
    from mixfit.reports.progress import progress
    from mixfit.runs.splits import selection_splits

    total = count_tasks(selection_splits(table, seed=options.seed))
    with progress("choosing a law", total, quiet=quiet) as done:
        return fit_auto(table, options=options, jobs=spread, done=done)
