"""Options that commands share: the same names, meanings and help everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixfit.base.parallel import Executor

ASKED = "Constraints"
Texts = list[str] | None


def option(metavar: str, text: str, panel: str, *names: str) -> typer.models.OptionInfo:
    """Declare an option without a default to show, which has the parameter's name or another."""
    made: typer.models.OptionInfo = typer.Option(
        *names, metavar=metavar, help=text, show_default=False, rich_help_panel=panel
    )
    return made


RunsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="RUNS...",
        help="Files (CSV, TSV, JSON Lines or Parquet), directories of such files, or globs.",
        show_default=False,
    ),
]
FitArgument = Annotated[
    str,
    typer.Argument(metavar="FIT", help="A fit file made by 'mixfit fit -o'.", show_default=False),
]
Delta = Annotated[
    float | None,
    typer.Option(
        help="Of the Huber loss, eq. (6). [default: 0.001, or as the law's authors have it]",
        show_default=False,
    ),
]
Solver = Annotated[
    str | None,
    typer.Option(
        help="trust-region, basin-hopping as in the paper (slow), or early-stopping. [default: "
        "trust-region, or as the law's authors have it]",
        show_default=False,
    ),
]
Restarts = Annotated[
    int | None,
    typer.Option(
        help="Random starts, at the most. [default: 12, or as the law's authors have it]",
        show_default=False,
    ),
]
Hops = Annotated[
    int | None,
    typer.Option(
        help="Hops in a row that must find nothing lower before the search ends. "
        "[default: as many as the law has parameters, 64 at most]",
        show_default=False,
    ),
]
Discrepancy = Annotated[
    str | None,
    typer.Option(
        metavar="auto|gp|none",
        help="Add to predictions what the law leaves of the losses near the runs fitted: auto"
        " where the rows speak for it, gp always. [default: auto, or none for the laws of others]",
        show_default=False,
    ),
]
Treatment = Annotated[
    str,
    typer.Option(
        metavar="authors|mixfit",
        help="How the laws of others are fitted: as their authors do, or as mixfit fits its own.",
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


def _out(path: str | None) -> str | None:
    # Its other names are standard output too, which then holds the result alone.
    return "-" if path in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1") else path


Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        callback=_out,
        help="Write YAML there, or JSON if its name ends in .json; - is standard output.",
        show_default=False,
    ),
]
Plot = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Draw a picture there: PNG, SVG or PDF by the ending.",
        show_default=False,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print no notes and no progress."),
]

AtLeast = Annotated[
    Texts, option("NAME=SHARE", "Smallest weight of a domain or group.", ASKED, "--min")
]
AtMost = Annotated[
    Texts, option("NAME=SHARE", "Largest weight of a domain or group.", ASKED, "--max")
]
Fix = Annotated[Texts, option("NAME=SHARE", "Weight of a domain or group.", ASKED)]
Group = Annotated[
    Texts, option("NAME=D,D", "Name a group of domains, whose weights are summed.", ASKED)
]
Available = Annotated[
    Texts,
    option("NAME=TOKENS|FILE", "Unique tokens that there are of a domain, such as 10B.", ASKED),
]
MaxEpochs = Annotated[
    Texts,
    option(
        "R|NAME=R",
        "Passes over them, at the most, of all domains or of one; may be repeated. [default: 4]",
        ASKED,
    ),
]

# Options that are not called as the function or its parameter in Python is, by command.
OTHER_NAMES = {
    "check": {"target_groups": "--target-group"},
    "fit": {"target_groups": "--target-group"},
    "eval": {"domain": "--plot-domain", "target_groups": "--target-group"},
    "compare": {
        "labels": "--test",
        "objective": "--target",
        "split_by_rows": "--test",
        "split_folds": "--folds",
        "split_sizes": "--leave-size-out",
        "target_groups": "--target-group",
        "tests": "--test",
    },
    "design": {
        "form": "--format",
        "groups": "--group",
    },
    "optimize": {
        "baselines": "--baseline",
        "form": "--format",
        "groups": "--group",
        "no_worse_than_mixture": "--no-worse-than",
        "targets": "--target",
    },
    "report": {"target_groups": "--target-group"},
}


def option_of(command: str) -> Callable[[str], str]:
    """Give what an error calls a parameter where a command was run (see `MixfitError.said_with`).

    >>> option_of("optimize")("targets"), option_of("fit")("model_size")
    ('--target', '--model-size')
    """
    others = OTHER_NAMES.get(command, {})
    return lambda name: others.get(name, "--" + name.replace("_", "-"))


def plot_kind(default: str, *others: str, names: tuple[str, ...] = ()) -> typer.models.OptionInfo:
    """Declare the option of the kind of picture, with the kinds that a command draws."""
    option: typer.models.OptionInfo = typer.Option(
        *names,
        metavar="KIND",
        help=f"Of picture: {', '.join((default, *others))}. [default: {default}]",
        show_default=False,
    )
    return option


def executor(jobs: int | None, cluster: str | None, *, quiet: bool) -> Executor:
    """Make what spreads the work, and shows on a terminal how far it is."""
    from mixfit.base.parallel import Executor
    from mixfit.reports.progress import progress_of

    return Executor(jobs, cluster=cluster, progress=progress_of(quiet=quiet))
