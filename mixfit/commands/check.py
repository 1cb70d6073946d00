"""``mixfit check``."""

from __future__ import annotations

from typing import Annotated

import typer

from mixfit.commands import options as given  # noqa: TC001 (typer reads it)
from mixfit.commands.output import finish
from mixfit.commands.tables import AS_USUAL, TableOptions, reads_tables


@reads_tables
def check(
    runs: given.RunsArgument,
    table: TableOptions = AS_USUAL,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="N,D",
            help="Parameters and tokens of the training that the mixture is for, such as 7B,150B:"
            " how far it is beyond these runs.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with status 2 on warnings too.")
    ] = False,
    out: given.Out = None,
    quiet: given.Quiet = False,
) -> None:
    """Say all that is wrong or doubtful in a table of runs, the worst first.

    Example: mixfit check runs.csv --budget 7B,150B
    """
    from mixfit.base.files import check_out
    from mixfit.base.plain import write_document
    from mixfit.commands.options import option_of
    from mixfit.fitting.check import check_to_plain
    from mixfit.reports.check import report_check

    check_out(out, [*runs, *(table.join or ())])
    found = table.check(runs, budget=_budget(budget)).said_with(option_of("check"))
    finish(
        out,
        lambda path: write_document(path, check_to_plain(found)),
        lambda: report_check(found),
        quiet=quiet,
    )
    if found.fails(strict=strict):
        raise typer.Exit(2)


def _budget(text: str | None) -> tuple[float, float] | None:
    """Read ``N,D``."""
    from mixfit.base.errors import UsageError
    from mixfit.base.numbers import find_number

    if text is None:
        return None
    numbers = [find_number(part) for part in text.split(",")]
    if len(numbers) != 2 or None in numbers:
        raise UsageError(f"--budget {text}: write parameters and tokens, as in 7B,150B.")
    N, D = (number for number in numbers if number is not None)
    return N, D
