"""A law with what is assumed of its parameters, and the text that names it.

In between the modules a `PooledLaw` is passed about; text stands at the command line and in files.
"""

from __future__ import annotations

from dataclasses import dataclass

from mixfit.base.errors import UsageError, parameter
from mixfit.laws.catalogue import CATALOGUE, find_law
from mixfit.laws.law import Law

AUTO, NONE = "auto", "none"


@dataclass(frozen=True)
class PooledLaw:
    """A law, and how hard the domains' parameters are pulled together.

    Attributes:
        law: as it was declared.
        pool: the strength of the pull, 0 or more (see `mixfit.fitting.prior`), None for none.
    """

    law: Law
    pool: float | None = None

    def __str__(self) -> str:
        """Write it as `parse_law` reads it.

        >>> str(parse_law("joint:0.01")), str(parse_law("joint"))
        ('joint:0.01', 'joint')
        """
        if self.pool is None:
            return self.law.name
        short = f"{self.pool:g}"
        return f"{self.law.name}:{short if float(short) == self.pool else repr(self.pool)}"

    @property
    def name(self) -> str:
        """The law's own name."""
        return self.law.name

    @property
    def contains(self) -> tuple[PooledLaw, ...]:
        """Smaller laws that are special cases of it, pooled as hard where there is what to pool."""
        return tuple(
            PooledLaw(law, self.pool if law.poolable else None) for law in self.law.contains
        )


@dataclass(frozen=True)
class AutoLaw:
    """A law of which the rows to be fitted choose how hard it is pooled."""

    law: Law

    def __str__(self) -> str:
        return f"{self.law.name}:{AUTO}"


def parse_law(text: str) -> PooledLaw | AutoLaw:
    """Read a law and how hard it is pooled: a number of 0 or more, ``auto`` or ``none``.

    >>> parse_law("coupled:0.01").pool
    0.01

    Raises:
        UsageError: if there is no such law, it has nothing to pool, or the number is none.
    """
    name, *rest = text.split(":")
    own = name not in CATALOGUE and rest and rest[0].isidentifier()
    if own and rest[0] not in (AUTO, NONE, "inf", "nan"):
        name, rest = f"{name}:{rest[0]}", rest[1:]  # a law of a user's own, module:NAME
    return pooled(find_law(name), ":".join(rest) if rest else None)


def pooled(law: Law, value: float | str | None) -> PooledLaw | AutoLaw:
    """Add the strength of the pull, which may be text, to a law.

    Raises:
        UsageError: if the law has nothing to pool, or the number is none.
    """
    if value is None or value == NONE:
        return PooledLaw(law)
    if not law.poolable:
        able = ", ".join(known.name for known in CATALOGUE.values() if known.poolable)
        raise UsageError(
            f"The law {law.name} has no parameter for each domain that {parameter('pool')} could"
            f" pull together. Laws that have: {able}."
        )
    if value == AUTO:
        return AutoLaw(law)
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise UsageError(f"{parameter('pool')} {value}: give a number of 0 or more, auto or none.")
    return PooledLaw(law, number)


def law_of(law: str | Law | PooledLaw | AutoLaw) -> PooledLaw | AutoLaw:
    """Take a law in any form that the public functions accept.

    Raises:
        UsageError: if it is text that names none.
    """
    if isinstance(law, str):
        return parse_law(law)
    return PooledLaw(law) if isinstance(law, Law) else law
