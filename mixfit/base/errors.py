"""What a user can cause, and what a user should know: errors and notes."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PARAMETER = re.compile("\x02(\\w+)\x03")


class MixfitError(Exception):
    """Wrong input or a wrong command; its text is the whole message for the user.

    The text names the file, the column and the row where there are any, and says what to do.
    Everything else that is raised is a bug in mixfit. It names parameters by `parameter`, so that
    `str` gives their names to users of Python, and the command line can give those of its options.

    >>> error = UsageError(f"{parameter('max_mre')} is -1; it must be 0 or more.")
    >>> str(error)
    'max_mre is -1; it must be 0 or more.'
    >>> error.said_with(lambda name: "--" + name.replace("_", "-"))
    '--max-mre is -1; it must be 0 or more.'

    Attributes:
        text: as it was given, with the names of parameters marked; for another error to quote.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.said_with(lambda name: name)

    def said_with(self, name_of: Callable[[str], str]) -> str:
        """Give the text with other names for parameters.

        Args:
            name_of: from the name of a parameter to what to call it.
        """
        return said_with(self.text, name_of)


def said_with(text: str, name_of: Callable[[str], str]) -> str:
    """Give a text with what to call the parameters that `parameter` marked in it."""
    return _PARAMETER.sub(lambda match: name_of(match.group(1)), text)


def parameter(name: str) -> str:
    """Name a parameter in the text of an error (see `MixfitError`)."""
    return f"\x02{name}\x03"


class InputError(MixfitError):
    """A file or a value in it cannot be used."""


class UsageError(MixfitError):
    """An option or an argument cannot be used."""


class NotApplicableError(UsageError):
    """A law cannot describe a target or a mixture; the text is the reason, a clause about it."""


class WorkerError(MixfitError):
    """The processes or machines that the work was spread over cannot do it."""


@dataclass(frozen=True, order=True)
class Note:
    """Something that a careful reader of a result wants to know.

    Attributes:
        code: a stable name for the kind of note, such as ``at-bound``, for programs.
        text: one sentence for people, without the target's name.
        target: the target that it is about, or "" for all of them.
    """

    code: str
    text: str
    target: str = field(default="", metadata={"omit": True})  # see `mixfit.base.plain.Key`

    def __str__(self) -> str:
        return f"{self.target}: {self.text}" if self.target else self.text


def nearest(word: str, known: Iterable[str]) -> str:
    """Give " Did you mean 'x'?" for the known name nearest to a word, or "" if none is near.

    >>> nearest("aditive", ["additive", "joint"])
    " Did you mean 'additive'?"
    """
    others = [name for name in known if name != word]
    matches = difflib.get_close_matches(word, others, n=1, cutoff=0.5)
    return f" Did you mean '{matches[0]}'?" if matches else ""
