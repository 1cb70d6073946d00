"""``mixfit compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mixfit.commands import options as given
from mixfit.commands.output import finish
from mixfit.commands.tables import AS_USUAL, TableOptions, reads_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.runs.runs import Runs
    from mixfit.runs.splits import Splits

_DEFAULT_FOLDS = 5


@reads_tables
def compare(
    runs: given.RunsArgument,
    law: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A law, kkt, or the regressions ridge, scheffe2 and trees; may be repeated. "
            "[default: additive, joint, coupled]",
            show_default=False,
        ),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COND[,COND...]",
            help="Rows to fit, such as 'model_size<1e9'; with --test.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COND[,COND...]",
            help="Rows to test; may be repeated, a column each.",
            show_default=False,
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Cross-validate over mixtures in K folds. [default: 5, if no other split is asked "
            "for]",
            show_default=False,
        ),
    ] = None,
    mixtures: Annotated[
        str | None,
        typer.Option(
            metavar="Q[,Q...]",
            help="Fit on Q random mixtures and test on all others.",
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Random draws for each Q of --mixtures.")] = 10,
    leave_size_out: Annotated[
        bool,
        typer.Option(
            "--leave-size-out", help="Fit on the smaller model sizes and test on the next."
        ),
    ] = False,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=WEIGHT][,...]",
            help="What a mixture is chosen for, where regret is measured, as in optimize. "
            "[default: all targets alike]",
            show_default=False,
        ),
    ] = None,
    table: TableOptions = AS_USUAL,
    delta: given.Delta = None,
    solver: given.Solver = None,
    restarts: given.Restarts = None,
    hops: given.Hops = None,
    discrepancy: given.Discrepancy = None,
    treatment: given.Treatment = "authors",
    seed: given.Seed = 0,
    jobs: given.Jobs = None,
    cluster: given.Cluster = None,
    table_format: Annotated[
        str, typer.Option("--format", help="text, markdown, latex or csv.")
    ] = "text",
    plot: given.Plot = None,
    plot_kind: Annotated[str | None, given.plot_kind("errors", "mixtures")] = None,
    out: given.Out = None,
    quiet: given.Quiet = False,
) -> None:
    """Compare laws on runs that they were not fitted to.

    Example: mixfit compare runs.csv --law additive --law coupled --folds 5
    """
    from mixfit.base.errors import UsageError
    from mixfit.base.files import check_out
    from mixfit.base.plain import write_document
    from mixfit.commands.output import save_picture
    from mixfit.commands.words import targets as chosen_targets
    from mixfit.evaluation.compare import compare_laws
    from mixfit.evaluation.comparison_file import comparison_to_plain
    from mixfit.evaluation.contenders import contenders_of
    from mixfit.fitting.options import FitOptions
    from mixfit.plots import check_picture
    from mixfit.reports.compare import FORMATS, report_comparison
    from mixfit.runs.splits import split_by_rows

    laws = law or ["additive", "joint", "coupled"]
    contenders_of(laws)
    if table_format not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"There is no format '{table_format}'. Formats: {known}.")
    _check_one_split(train, test, folds, mixtures, leave_size_out=leave_size_out)
    for path in (out, plot):
        check_out(path, [*runs, *(table.join or ())])
    check_picture(plot, plot_kind, ("Comparison",))
    if plot_kind == "mixtures" and mixtures is None:
        raise UsageError("--plot-kind mixtures needs --mixtures Q,Q,... to be fitted.")
    chosen = FitOptions(delta, seed, solver, restarts, hops, treatment, discrepancy)

    def read(conditions: Sequence[str], domains: Sequence[str] | None = None) -> Runs:
        return table.read(runs, where=conditions, domains=domains)

    checkpoints = read(train or [])
    check_out(out, checkpoints.paths)
    tests = [read([condition], checkpoints.domains) for condition in test or []]
    splits = (
        split_by_rows(checkpoints, tests)
        if tests
        else _split(checkpoints, folds, mixtures, repeats, seed, leave_size_out=leave_size_out)
    )
    executor = given.executor(jobs, cluster, quiet=quiet)
    objective = chosen_targets(target)
    comparison = compare_laws(splits, laws, objective=objective, options=chosen, jobs=executor)
    if plot is not None:
        save_picture(plot, comparison, plot_kind)
    finish(
        out,
        lambda path: write_document(
            path, comparison_to_plain(comparison, chosen, checkpoints, tests)
        ),
        lambda: report_comparison(comparison, checkpoints.summary, table_format),
        quiet=quiet,
        form=table_format,
        also_written=[plot],
    )


def _check_one_split(
    train: list[str] | None,
    test: list[str] | None,
    folds: int | None,
    mixtures: str | None,
    *,
    leave_size_out: bool,
) -> None:
    from mixfit.base.errors import UsageError

    if bool(train) != bool(test):
        given_one, missing = ("--train", "--test") if train else ("--test", "--train")
        raise UsageError(f"{given_one} is given without {missing}; give both.")
    asked = {
        "--train and --test": bool(train),
        "--folds": folds is not None,
        "--mixtures": mixtures is not None,
        "--leave-size-out": leave_size_out,
    }
    names = [name for name, wanted in asked.items() if wanted]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} are different splits; ask for one of them.")


def _split(
    table: Runs,
    folds: int | None,
    mixtures: str | None,
    repeats: int,
    seed: int,
    *,
    leave_size_out: bool,
) -> Splits:
    from mixfit.runs.splits import split_folds, split_learning_curve, split_sizes

    if mixtures is not None:
        return split_learning_curve(table, _whole_numbers(mixtures), repeats=repeats, seed=seed)
    if leave_size_out:
        return split_sizes(table)
    return split_folds(table, _DEFAULT_FOLDS if folds is None else folds, seed=seed)


def _whole_numbers(text: str) -> list[int]:
    from mixfit.base.errors import UsageError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--mixtures '{text}' is not a list of whole numbers; write one like 5,10,20."
        ) from None
