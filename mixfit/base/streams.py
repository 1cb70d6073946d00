"""Standard output and standard error, which may be closed, full, or a pipe that nobody reads."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from mixfit.base.errors import InputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OUTPUT, _ERROR = 1, 2
# What a terminal obeys: control characters but tabs, what turns the direction of text, line ends.
_OBEYED = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Write what a terminal would obey as what it is; names of files and domains may hold it.

    >>> print(visible("red\x1b[31m"))
    red\x1b[31m
    """
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class _Stream(io.FileIO):
    """A stream that drops what nobody can read.

    A reader that has seen enough, such as ``head``, is no mistake. Any other failure of standard
    output is an error, once; one of standard error can be told to nobody.

    Attributes:
        lost: whether something was dropped.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self.lost = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or drop."""
        size = memoryview(data).nbytes
        if self.lost:
            return size
        try:
            return super().write(data) or 0
        except OSError as error:
            self.lost = True
            if isinstance(error, BrokenPipeError) or self.fileno() == _ERROR:
                return size
            raise _failed(error.strerror or str(error)) from None


def guard() -> None:
    """Put streams that meet all of this in the place of Python's.

    Raises:
        InputError: if standard output is closed.
    """
    closed = sys.stdout is None
    # A file that is opened later must not get the number of a stream, and what is meant for that.
    for number in (0, _OUTPUT, _ERROR):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _guarded(sys.stdout, sys.__stdout__, _OUTPUT)
    sys.stderr = _guarded(sys.stderr, sys.__stderr__, _ERROR)
    if closed:
        raise _failed("it is closed")


def _guarded(stream: TextIO | None, of_python: TextIO | None, number: int) -> TextIO:
    if stream is not None and (stream is not of_python or not isinstance(stream, io.TextIOWrapper)):
        return stream  # put there by whoever called the program
    return io.TextIOWrapper(
        io.BufferedWriter(_Stream(number)),
        encoding=None if stream is None else stream.encoding,
        errors="backslashreplace",  # a file's name need not be UTF-8
        line_buffering=number == _ERROR or (stream is not None and _unbuffered(stream)),
    )


def _unbuffered(stream: io.TextIOWrapper) -> bool:
    return stream.line_buffering or stream.write_through


def write_result(text: str) -> None:
    """Write a result to standard output as UTF-8, whatever the encoding there is.

    Raises:
        InputError: if not all of it was taken.
    """
    buffer: Any = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    buffer.write(text.encode("utf-8"))
    buffer.flush()
    if getattr(getattr(buffer, "raw", None), "lost", False):
        raise _failed("its reader went away")


def _failed(why: str) -> InputError:
    return InputError(f"standard output: cannot be written ({why}).")
