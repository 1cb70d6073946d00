"""Old text forms, on their way out."""

from __future__ import annotations

from mixfit.base.errors import UsageError
from mixfit.laws.catalogue import CATALOGUE, find_law
from mixfit.laws.law import Law

AUTO_SHRINK = "auto"


def with_shrinkage(law: str, shrink: float | str | None) -> str:
    """Write a law with how its coefficients are shrunk, such as ``coupled-linear:0.01``.

    >>> with_shrinkage("joint", 0.01), with_shrinkage("joint", None)
    ('joint:0.01', 'joint')
    """
    if shrink is None:
        return law
    if isinstance(shrink, str):
        return f"{law}:{shrink}"
    short = f"{shrink:g}"
    return f"{law}:{short if float(short) == shrink else repr(float(shrink))}"


def parse_law(text: str) -> tuple[Law, float | str | None]:
    """Read a law and its shrinkage: a number of 0 or more, ``inf``, ``auto``, or None.

    >>> law, shrink = parse_law("coupled-linear:auto")
    >>> law.name, shrink
    ('coupled-linear', 'auto')

    Raises:
        UsageError: if there is no such law, its coefficients cannot be shrunk, or the number is
            none.
    """
    name, colon, value = text.partition(":")
    law = find_law(name)
    if not colon:
        return law, None
    if not any(term.shrinkable for term in law.terms):
        able = ", ".join(x.name for x in CATALOGUE.values() if any(t.shrinkable for t in x.terms))
        raise UsageError(
            f"The law {name} has no coefficient for each domain in N or D that --shrink could pull"
            f" together. Laws that have: {able}."
        )
    if value == AUTO_SHRINK:
        return law, value
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise UsageError(f"--shrink {value}: give a number of 0 or more, inf, auto or none.")
    return law, number
