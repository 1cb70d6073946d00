"""What users write on the command line, to numbers and names."""

from __future__ import annotations

from collections.abc import Sequence

from mixfit.base.errors import UsageError
from mixfit.base.numbers import parse_number

Texts = Sequence[str]


def number(text: str, option: str) -> float:
    """Read one number.

    Raises:
        UsageError: it is none; the message names the option.
    """
    try:
        return parse_number(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error.text}") from None


def numbers(texts: Texts | None, option: str) -> tuple[float, ...]:
    """Read numbers, several with commas between them or in several texts."""
    return tuple(number(part, option) for text in texts or () for part in text.split(","))


def span(text: str | None, option: str) -> tuple[float, float] | None:
    """Read a smallest and a largest number."""
    if text is None:
        return None
    ends = numbers([text], option)
    if len(ends) != 2:
        raise UsageError(f"{option} '{text}': give the smallest and the largest, as in 1B,100B.")
    return ends[0], ends[1]


def targets(texts: Texts | None) -> dict[str, float] | None:
    """Read ``NAME[=WEIGHT][,NAME[=WEIGHT]...]``, names being globs."""
    if not texts:
        return None
    weights: dict[str, float] = {}
    for text in (pair.strip() for given in texts for pair in given.split(",")):
        name, equals, weight = text.rpartition("=")
        if equals:
            weights[name] = number(weight, f"--target {text}")
        else:
            weights[text] = 1.0
    return weights


def percent(text: str, option: str) -> float:
    """Read a share, which may be written in percent, such as 0.2%."""
    if text.strip().endswith("%"):
        return number(text.strip()[:-1], option) / 100
    return number(text, option)


def names(texts: Texts | None, option: str) -> tuple[str, ...]:
    """Read names, several with commas between them or in several texts.

    Raises:
        UsageError: a name is empty.
    """
    found = tuple(part.strip() for text in texts or () for part in text.split(","))
    if not all(found):
        raise UsageError(f"{option}: a name is empty. Write {option} web,code,books.")
    return found
