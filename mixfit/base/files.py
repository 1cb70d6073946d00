"""Files: written whole or not at all, and never over an input."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mixfit.base.errors import InputError, UsageError
from mixfit.base.streams import write_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Give a temporary file, whose content becomes that of a path once it is complete.

    The temporary file lies beside the path, and is moved there. Links are followed. A device or a
    pipe stays what it is, and is written to.

    Raises:
        InputError: if the file cannot be written.
    """
    try:
        goal = _followed(path)
        own = _mode(goal)
        moved = own is None or stat.S_ISREG(own)
        handle, name = tempfile.mkstemp(
            prefix=f".{goal.name[:40]}.", dir=goal.parent if moved else None
        )
        os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from None
    part = Path(name)
    try:
        yield part
        if not moved:
            with part.open("rb") as source, goal.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            return
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.chmod(_usual_mode() if own is None else stat.S_IMODE(own))
        part.replace(goal)
    except OSError as error:
        raise _cannot_write(path, error) from None
    finally:
        with suppress(OSError):
            part.unlink()


def _followed(path: str | Path) -> Path:
    """Give the file that a path leads to, so that a link stays one."""
    goal = Path(path)
    if not goal.is_symlink():
        return goal
    own = _mode(goal)
    # What a link under /proc leads to, such as a pipe, need not have a name.
    return goal if own is not None and not stat.S_ISREG(own) else Path(os.path.realpath(goal))


def _mode(path: Path) -> int | None:
    """Give the type and the permissions of what stands at a path, None where nothing does."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _usual_mode() -> int:
    # Temporary files are made private; give this one what a plain open() would have given it.
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _cannot_write(path: str | Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: cannot be written ({error.strerror or error}). Choose another file."
    )


def check_out(
    path: str | None, inputs: Iterable[str] = (), others: Iterable[str | None] = ()
) -> None:
    """Refuse, before any work is done, a file that could not be written or that is an input.

    Args:
        path: the file; None and ``-`` are always right.
        inputs: files that are read.
        others: files that are written too.

    Raises:
        UsageError: if the folder is not there or not writable, the file is read-only, or it is one
            of the inputs or of the others.
    """
    if path is None or path == "-":
        return
    try:
        goal = _followed(path)
        own = _mode(goal)
        folder = _mode(goal.parent)
    except OSError as error:
        raise UsageError(_cannot_write(path, error).text) from None
    if own is not None and stat.S_ISDIR(own):
        raise UsageError(f"{path}: this is a directory. Give the name of a file in it.")
    if folder is None or not stat.S_ISDIR(folder):
        raise UsageError(f"{path}: there is no directory {goal.parent}. Make it first.")
    # Root may write to all files; a file that nobody is to write to is kept even so.
    if own is not None and (not own & 0o222 or not os.access(goal, os.W_OK)):
        raise UsageError(f"{path}: this file is read-only. Choose another.")
    if (own is None or stat.S_ISREG(own)) and not os.access(goal.parent, os.W_OK):
        raise UsageError(f"{path}: the directory {goal.parent} cannot be written to.")
    if own is not None and stat.S_ISREG(own) and any(_same(goal, each) for each in inputs):
        raise UsageError(f"{path}: this file is read, and would be overwritten. Choose another.")
    written = [os.path.realpath(other) for other in others if other not in (None, "-")]
    if os.path.realpath(goal) in written:
        raise UsageError(f"{path}: two results would be written to this file. Choose another.")


def _same(goal: Path, other: str) -> bool:
    with suppress(OSError, ValueError):
        return goal.samefile(other)
    return False


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all; ``-`` is standard output.

    Raises:
        InputError: if it cannot be written.
    """
    if str(path) == "-":
        write_result(text)
        return
    with writing(path) as part:
        part.write_text(text, encoding="utf-8")


def file_sha256(path: str | Path) -> str:
    """Give the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
