"""Files: written whole or not at all, and never over an input."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mixfit.base.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Give a temporary file beside a path, and move it there once it is complete.

    Raises:
        InputError: if the file cannot be written.
    """
    goal = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{goal.name}.", dir=goal.parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(goal, error) from None
    part = Path(name)
    try:
        yield part
        # Temporary files are made private; give this one what a plain open() would have given it.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        part.replace(goal)
    except OSError as error:
        raise _cannot_write(goal, error) from None
    finally:
        with suppress(OSError):
            part.unlink()


def _cannot_write(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: cannot be written ({error.strerror or error}). Choose another file."
    )


def check_out(path: str | None, inputs: Sequence[str] = ()) -> None:
    """Refuse, before any work is done, a file that could not be written or that is an input.

    Args:
        path: the file; None and ``-`` are always right.
        inputs: files that are read.

    Raises:
        UsageError: if the folder is not there or not writable, or the file is one of the inputs.
    """
    if path in (None, "-"):
        return
    goal = Path(path)
    if goal.is_dir():
        raise UsageError(f"{path}: this is a directory. Give the name of a file in it.")
    if not goal.parent.is_dir():
        raise UsageError(f"{path}: there is no directory {goal.parent}. Make it first.")
    if not os.access(goal.parent, os.W_OK):
        raise UsageError(f"{path}: the directory {goal.parent} cannot be written to.")
    if goal.exists() and any(Path(p).exists() and goal.samefile(p) for p in inputs):
        raise UsageError(f"{path}: this file is read, and would be overwritten. Choose another.")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all; ``-`` is standard output.

    Raises:
        InputError: if it cannot be written.
    """
    if str(path) == "-":
        sys.stdout.write(text)
        return
    with writing(path) as part:
        part.write_text(text, encoding="utf-8")


def file_sha256(path: str | Path) -> str:
    """Give the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
