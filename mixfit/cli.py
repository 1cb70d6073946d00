"""The command line: the commands, and what becomes of errors."""

from __future__ import annotations

import io
import signal
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mixfit._version import __version__
from mixfit.base.errors import MixfitError
from mixfit.base.parallel import use_one_thread
from mixfit.commands.compare import compare
from mixfit.commands.evaluate import evaluate
from mixfit.commands.fit import fit
from mixfit.commands.laws import laws
from mixfit.commands.optimize import optimize

if TYPE_CHECKING:
    from types import FrameType

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
app.command("compare")(compare)
app.command("optimize")(optimize)
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


class _StoppedError(BaseException):
    """The user, or the system, ends the program by a signal."""


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise _StoppedError(number)


def main() -> None:
    """Run the program.

    An error that the user can mend ends with one message and status 2. A signal ends every process
    and, as in a shell, gives 128 plus its number, so that it is never taken for a gate that fails.
    """
    use_one_thread()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name need not be UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except MixfitError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except _StoppedError as stopped:
        print("stopped", file=sys.stderr)
        sys.exit(128 + int(stopped.args[0]))
