"""A law with what is assumed of its parameters, and the text that names it.

In between the modules a `ShrunkLaw` is passed about; text stands at the command line and in files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mixfit.base.errors import UsageError, parameter
from mixfit.laws.catalogue import CATALOGUE, find_law
from mixfit.laws.law import Law

AUTO, NONE = "auto", "none"


@dataclass(frozen=True)
class ShrunkLaw:
    """A law, and how hard the domains' coefficients in its terms in N and D are pulled together.

    Attributes:
        law: as it stands in the catalogue.
        shrink: 0 or more, infinite for all of them alike, None for the law as it is.
    """

    law: Law
    shrink: float | None = None

    def __str__(self) -> str:
        """Write it as `parse_law` reads it.

        >>> str(parse_law("joint:0.01")), str(parse_law("joint"))
        ('joint:0.01', 'joint')
        """
        if self.shrink is None:
            return self.law.name
        short = f"{self.shrink:g}"
        return f"{self.law.name}:{short if float(short) == self.shrink else repr(self.shrink)}"

    @property
    def name(self) -> str:
        """The law's own name."""
        return self.law.name

    @property
    def tied(self) -> bool:
        """Whether all domains share one coefficient."""
        return self.shrink == math.inf

    @property
    def penalty(self) -> float:
        """The strength of the pull that the objective has; the tied law needs none."""
        return 0.0 if self.tied or self.shrink is None else self.shrink

    @property
    def contains(self) -> tuple[ShrunkLaw, ...]:
        """Smaller laws that are special cases of it, with none of their own shrinkage."""
        smaller = tuple(ShrunkLaw(law) for law in self.law.contains)
        if self.shrink is None or self.tied:
            return smaller
        return (replace(self, shrink=math.inf), *smaller)


@dataclass(frozen=True)
class AutoLaw:
    """A law whose shrinkage the rows to be fitted choose (see `mixfit.evaluation.shrinkage`)."""

    law: Law

    def __str__(self) -> str:
        return f"{self.law.name}:{AUTO}"


def parse_law(text: str) -> ShrunkLaw | AutoLaw:
    """Read a law and its shrinkage: a number of 0 or more, ``inf``, ``auto`` or ``none``.

    >>> parse_law("coupled-linear:0.01").shrink
    0.01

    Raises:
        UsageError: if there is no such law, its coefficients cannot be shrunk, or the number is
            none.
    """
    name, *rest = text.split(":")
    own = name not in CATALOGUE and rest and rest[0].isidentifier()
    if own and rest[0] not in (AUTO, NONE, "inf", "nan"):
        name, rest = f"{name}:{rest[0]}", rest[1:]  # a law of a user's own, module:NAME
    return with_shrinkage(find_law(name), ":".join(rest) if rest else None)


def with_shrinkage(law: Law, value: float | str | None) -> ShrunkLaw | AutoLaw:
    """Add a shrinkage, which may be text, to a law.

    Raises:
        UsageError: if the law's coefficients cannot be shrunk, or the number is none.
    """
    if value is None or value == NONE:
        return ShrunkLaw(law)
    if not law.shrinkable:
        able = ", ".join(known.name for known in CATALOGUE.values() if known.shrinkable)
        raise UsageError(
            f"The law {law.name} has no coefficient for each domain in N or D that"
            f" {parameter('shrink')} could pull together. Laws that have: {able}."
        )
    if value == AUTO:
        return AutoLaw(law)
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise UsageError(
            f"{parameter('shrink')} {value}: give a number of 0 or more, inf, auto or none."
        )
    return ShrunkLaw(law, number)


def law_of(law: str | Law | ShrunkLaw | AutoLaw) -> ShrunkLaw | AutoLaw:
    """Take a law in any form that the public functions accept.

    Raises:
        UsageError: if it is text that names none.
    """
    if isinstance(law, str):
        return parse_law(law)
    return ShrunkLaw(law) if isinstance(law, Law) else law
