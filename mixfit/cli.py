"""The command line: the commands, and what becomes of errors."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mixfit._version import __version__
from mixfit.base import streams
from mixfit.base.errors import MixfitError
from mixfit.base.parallel import use_one_thread
from mixfit.commands.check import check
from mixfit.commands.compare import compare
from mixfit.commands.config import config
from mixfit.commands.design import design
from mixfit.commands.evaluate import evaluate
from mixfit.commands.fit import fit
from mixfit.commands.laws import laws
from mixfit.commands.optimize import optimize
from mixfit.commands.options import option_of
from mixfit.commands.predict import predict
from mixfit.commands.report import report
from mixfit.commands.schema import schema
from mixfit.commands.settings import defaults_of, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

app = typer.Typer(
    name="mixfit",
    help="Fit data-mixture scaling laws to small training runs, and find the mixture to train on.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS: dict[str, Callable[..., None]] = {
    "design": design,
    "check": check,
    "fit": fit,
    "eval": evaluate,
    "compare": compare,
    "optimize": optimize,
    "predict": predict,
    "report": report,
    "laws": laws,
    "config": config,
    "schema": schema,
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
    context.default_map = defaults_of(read_settings(Path.cwd(), context))


class _StoppedError(BaseException):
    """The user, or the system, ends the program by a signal."""


def _stop(number: int, _: FrameType | None) -> NoReturn:
    for each in _stopping():
        signal.signal(each, _end_now)
    raise _StoppedError(number)


def _end_now(number: int, _: FrameType | None) -> NoReturn:
    os._exit(128 + number)  # a second signal: whatever the first one waits for


def _stopping() -> Iterator[int]:
    """Give the signals that end the program, but for those that its caller had it ignore."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            yield number


def main() -> None:
    """Run the program.

    An error that the user can mend ends with one message and status 2. A signal ends every process
    and, as in a shell, gives 128 plus its number, so that it is never taken for a gate that fails.
    """
    use_one_thread()
    for number in _stopping():
        signal.signal(number, _stop)
    asked: dict[str, str] = {}  # the command, told by `_common`
    try:
        streams.guard()
        try:
            app(obj=asked, prog_name="mixfit")
        finally:
            sys.stdout.flush()
    except MixfitError as error:
        text = error.said_with(option_of(asked.get("command", "")))
        # A message of several faults has a line each; a name in it may hold line ends too.
        lines = re.split(r"\n(?=also: |and [0-9,]+ fault)", text)
        _end("error: " + "\n".join(streams.visible(line) for line in lines), 2)
    except MemoryError:
        _end("error: there is not enough memory. Take fewer rows, or fewer --jobs.", 2)
    except _StoppedError as stopped:
        _end("stopped", 128 + int(stopped.args[0]))


def _end(text: str, status: int) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(status)
