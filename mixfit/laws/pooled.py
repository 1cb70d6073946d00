"""A law with what is assumed of its parameters, and the text that names it.

In between the modules a `PooledLaw` is passed about; text stands at the command line and in files.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Annotated

from mixfit.base.errors import UsageError, parameter
from mixfit.base.plain import Key
from mixfit.laws.catalogue import CATALOGUE, find_law
from mixfit.laws.law import Law

AUTO, NONE, DOMAINS = "auto", "none", "domains"

Strength = Annotated[float, Key(least=0)]


@dataclass(frozen=True)
class Pool:
    """How hard parameters are pulled to each other (see `mixfit.fitting.prior`).

    Attributes:
        domains: the domains' parameters of a target to each other, 0 or more.
        targets: the domains' parameters of a target to those of the other targets.
        exponents: the exponents of N and D of a target to those of the other targets.
    """

    domains: Strength = 0.0
    targets: Strength = 0.0
    exponents: Strength = 0.0

    def __str__(self) -> str:
        """Write the numbers, without those at the end that are 0.

        >>> str(Pool(0.01)), str(Pool(0.01, 0.1, 0.003))
        ('0.01', '0.01+0.1+0.003')
        """
        numbers = list(astuple(self))
        while len(numbers) > 1 and numbers[-1] == 0:
            del numbers[-1]
        return "+".join(short if float(short := f"{x:g}") == x else repr(x) for x in numbers)

    @property
    def across(self) -> bool:
        """Whether targets are pulled to each other."""
        return self.targets > 0 or self.exponents > 0


@dataclass(frozen=True)
class PooledLaw:
    """A law, and how hard its parameters are pulled together.

    Attributes:
        law: as it was declared.
        pool: how hard; None for not at all.
    """

    law: Law
    pool: Pool | None = None

    def __str__(self) -> str:
        """Write it as `parse_law` reads it.

        >>> str(parse_law("joint:0.01")), str(parse_law("joint:none"))
        ('joint:0.01', 'joint:none')
        """
        if self == pooled(self.law, None):
            return self.law.name
        return f"{self.law.name}:{NONE if self.pool is None else self.pool}"

    @property
    def name(self) -> str:
        """The law's own name."""
        return self.law.name

    def within(self, strength: float) -> PooledLaw:
        """Give the law with its domains pulled together, each target apart from the others."""
        return PooledLaw(self.law, Pool(strength)) if self.law.poolable else PooledLaw(self.law)

    @property
    def contains(self) -> tuple[PooledLaw, ...]:
        """Smaller laws that are special cases of it, pooled as hard where there is what to pool."""
        smaller = tuple(PooledLaw(law) for law in self.law.contains)
        if self.pool is None:
            return smaller
        return tuple(law.within(self.pool.domains) for law in smaller)


@dataclass(frozen=True)
class AutoLaw:
    """A law of which the rows to be fitted choose how hard it is pooled.

    Attributes:
        law: as it was declared.
        across: whether targets are pulled to each other too.
    """

    law: Law
    across: bool = True

    def __str__(self) -> str:
        """Write it as `parse_law` reads it.

        >>> str(parse_law("joint")), str(parse_law("joint:auto")), str(parse_law("joint:domains"))
        ('joint', 'joint', 'joint:domains')
        """
        if self == pooled(self.law, None):
            return self.law.name
        return f"{self.law.name}:{AUTO if self.across else DOMAINS}"

    @property
    def name(self) -> str:
        """The law's own name."""
        return self.law.name


def parse_law(text: str) -> PooledLaw | AutoLaw:
    """Read a law and how hard it is pooled, as after the colon in ``coupled:none``.

    That is ``auto`` (the default where a law can be pooled), ``domains`` (auto, with each target
    apart from the others), ``none``, or numbers of 0 or more: how hard the domains are pulled to
    each other, and after a plus how hard the targets, and their exponents.

    >>> parse_law("coupled:0.01").pool, parse_law("coupled:0.01+0.1+0.003").pool.targets
    (Pool(domains=0.01, targets=0.0, exponents=0.0), 0.1)

    Raises:
        UsageError: if there is no such law, it has nothing to pool, or the number is none.
    """
    name, *rest = text.split(":")
    own = name not in CATALOGUE and rest and rest[0].isidentifier()
    if own and rest[0] not in (AUTO, NONE, DOMAINS, "inf", "nan"):
        name, rest = f"{name}:{rest[0]}", rest[1:]  # a law of a user's own, module:NAME
    return pooled(find_law(name), ":".join(rest) if rest else None)


def pooled(law: Law, value: str | None) -> PooledLaw | AutoLaw:
    """Add how hard it is pooled, as text, to a law.

    Raises:
        UsageError: if the law has nothing to pool, or a number is none.
    """
    if value is None:
        return AutoLaw(law) if law.poolable else PooledLaw(law)
    if value == NONE:
        return PooledLaw(law)
    if not law.poolable:
        able = ", ".join(known.name for known in CATALOGUE.values() if known.poolable)
        raise UsageError(
            f"The law {law.name} has no parameter for each domain that {parameter('pool')} could"
            f" pull together. Laws that have: {able}."
        )
    if value in (AUTO, DOMAINS):
        return AutoLaw(law, across=value == AUTO)
    try:
        numbers = [float(number) for number in value.split("+")]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or not all(0 <= number < float("inf") for number in numbers):
        raise UsageError(
            f"{parameter('pool')} {value}: give a number of 0 or more, {AUTO}, {DOMAINS} or {NONE}."
        )
    return PooledLaw(law, Pool(*numbers))


def law_of(law: str | Law | PooledLaw | AutoLaw) -> PooledLaw | AutoLaw:
    """Take a law in any form that the public functions accept.

    Raises:
        UsageError: if it is text that names none.
    """
    if isinstance(law, str):
        return parse_law(law)
    return pooled(law, None) if isinstance(law, Law) else law
