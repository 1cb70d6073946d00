"""The command line: the commands, and what becomes of errors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mixfit._version import __version__
from mixfit.commands.evaluate import evaluate
from mixfit.commands.fit import fit
from mixfit.commands.laws import laws
from mixfit.errors import MixfitError
from mixfit.parallel import use_one_thread

app = typer.Typer(
    name="mixfit",
    help="Fit data-mixture scaling laws to small training runs, and find the mixture to train on.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("fit")(fit)
app.command("eval")(evaluate)
app.command("laws")(laws)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mixfit {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the program; an error that the user can mend ends with one message and status 2."""
    use_one_thread()
    try:
        app()
    except MixfitError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
