"""What a user can cause, and what a user should know: errors and notes."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class MixfitError(Exception):
    """Wrong input or a wrong command; its text is the whole message for the user.

    The text names the file, the column and the row where there are any, and says what to do.
    Everything else that is raised is a bug in mixfit.
    """


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
    target: str = ""

    def __str__(self) -> str:
        return f"{self.target}: {self.text}" if self.target else self.text


def nearest(word: str, known: Iterable[str]) -> str:
    """Give " Did you mean 'x'?" for the known name nearest to a word, or "" if none is near.

    >>> nearest("aditive", ["additive", "joint"])
    " Did you mean 'additive'?"
    """
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{matches[0]}'?" if matches else ""
