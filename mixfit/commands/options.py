"""Options that commands share: the same names, meanings and help everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixfit.base.parallel import Executor
    from mixfit.runs.runs import Runs

RunsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="RUNS...",
        help="CSV or Parquet files, or directories of Parquet files.",
        show_default=False,
    ),
]
FitArgument = Annotated[
    str,
    typer.Argument(metavar="FIT", help="A fit file made by 'mixfit fit -o'.", show_default=False),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="Weight columns. [default: weight_*]", show_default=False),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help="Loss columns, or target names. [default: loss_* and *_loss]",
        show_default=False,
    ),
]
ModelSize = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of N in parameters, or one number for all rows, such as 310M. "
        "[default: model_size, n_params, params or N]",
        show_default=False,
    ),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of D in tokens, or one number for all rows, such as 10B. "
        "[default: n_tokens, tokens or D]",
        show_default=False,
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COND[,COND...]",
        help="Rows to take, such as 'model_size>=3e8'; may be repeated, all must hold. "
        "Operators: < <= > >= == !=",
        show_default=False,
    ),
]
Delta = Annotated[float, typer.Option(help="Of the Huber loss, eq. (6).")]
Solver = Annotated[
    str,
    typer.Option(help="trust-region, or basin-hopping as in the paper (slow)."),
]
Restarts = Annotated[int, typer.Option(help="Random starts, at the most.")]
Hops = Annotated[
    int | None,
    typer.Option(
        help="Hops in a row that must find nothing lower before the search ends. "
        "[default: as many as the law has parameters]",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="Of all random numbers.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help="Processes. [default: one for each processor]",
        show_default=False,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="A Dask scheduler to spread the work by, such as tcp://host:8786, in place of local "
        "processes.",
        show_default=False,
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="Write YAML there; - is standard output.",
        show_default=False,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print no notes and no progress."),
]


# Options that are not called as the function or its parameter in Python is, by command.
OTHER_NAMES = {
    "compare": {
        "labels": "--test",
        "objective": "--target",
        "split_by_rows": "--test",
        "split_folds": "--folds",
        "split_sizes": "--leave-size-out",
        "tests": "--test",
    },
    "optimize": {
        "form": "--format",
        "groups": "--group",
        "no_worse_than_mixture": "--no-worse-than",
        "targets": "--target",
    },
}


def option_of(command: str) -> Callable[[str], str]:
    """Give what an error calls a parameter where a command was run (see `MixfitError.said_with`).

    >>> option_of("optimize")("targets"), option_of("fit")("model_size")
    ('--target', '--model-size')
    """
    others = OTHER_NAMES.get(command, {})
    return lambda name: others.get(name, "--" + name.replace("_", "-"))


def executor(jobs: int | None, cluster: str | None, *, quiet: bool) -> Executor:
    """Make what spreads the work, and shows on a terminal how far it is."""
    from mixfit.base.parallel import Executor
    from mixfit.reports.progress import progress_of

    return Executor(jobs, cluster=cluster, progress=progress_of(quiet=quiet))


def read(
    sources: Sequence[str],
    weights: list[str] | None,
    targets: list[str] | None,
    model_size: str | None,
    tokens: str | None,
    where: list[str] | None,
    domains: Sequence[str] | None = None,
) -> Runs:
    """Read runs with what the common options say."""
    from mixfit.runs.read import read_runs

    return read_runs(
        list(sources),
        weights=weights,
        targets=targets,
        model_size=model_size,
        tokens=tokens,
        where=where or (),
        domains=domains,
    )
