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
from mixfit.commands.options import option_of
from mixfit.commands.predict import predict

if TYPE_CHECKING:
    from collections.abc import Callable
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
_COMMANDS: dict[str, Callable[..., None]] = {
    "fit": fit,
    "eval": evaluate,
    "compare": compare,
    "optimize": optimize,
    "predict": predict,
    "laws": laws,
}
for _name, _command in _COMMANDS.items():
    # A short help is not cut, as the first line of the help would be.
    app.command(_name, short_help=(_command.__doc__ or "").partition("\n")[0])(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mixfit {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    context.ensure_object(dict)["command"] = context.invoked_subcommand


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
    asked: dict[str, str] = {}  # the command, told by `_common`
    try:
        app(obj=asked)
    except MixfitError as error:
        text = error.said_with(option_of(asked.get("command", "")))
        print(f"error: {text}", file=sys.stderr)
        sys.exit(2)
    except _StoppedError as stopped:
        print("stopped", file=sys.stderr)
        sys.exit(128 + int(stopped.args[0]))
