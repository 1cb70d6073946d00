"""A law with what is assumed of its parameters, and the text that names it.

In between the modules a `PooledLaw` is passed about; text stands at the command line and in files.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace
from typing import Annotated

from mixfit.base.errors import UsageError, parameter
from mixfit.base.plain import Key
from mixfit.laws.catalogue import CATALOGUE, find_law
from mixfit.laws.law import Law

AUTO, NONE, DOMAINS = "auto", "none", "domains"

Strength = Annotated[float, Key(least=0)]

# The pull of exponents to usual values that is assumed unless one says otherwise: enough to decide
# between optima that the rows cannot tell apart, as those of two model sizes cannot, and too little
# to be seen where they can. Exponents that differ by a factor of e are 0.000005 apart by it, a
# thousandth or two of the objective on real runs.
USUAL = 1e-5


@dataclass(frozen=True)
class Pool:
    """How hard parameters are pulled to each other (see `mixfit.fitting.prior`).

    Attributes:
        domains: the domains' parameters of a target to each other, 0 or more.
        targets: the domains' parameters of a target to those of the other targets.
        exponents: the exponents of N and D of a target to those of the other targets.
        usual: the exponents of N and D to usual values.
    """

    domains: Strength = 0.0
    targets: Strength = 0.0
    exponents: Strength = 0.0
    usual: Annotated[float, Key(least=0, omit=True)] = 0.0

    def __str__(self) -> str:
        """Write the numbers, but for the last if it is the one assumed, and for zeros before it.

        >>> str(Pool(0.01, usual=USUAL)), str(Pool(0.01, 0.1, 0.003, usual=USUAL)), str(Pool(0.01))
        ('0.01', '0.01+0.1+0.003', '0.01+0+0+0')
        """
        numbers = list(astuple(self))
        if self.usual == USUAL:
            del numbers[-1]
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
        usual = 0.0 if self.pool is None else self.pool.usual
        if self.law.poolable:
            return PooledLaw(self.law, Pool(strength, usual=usual))
        return PooledLaw(self.law, Pool(usual=usual) if usual > 0 and self.law.assumed else None)

    @property
    def contains(self) -> tuple[PooledLaw, ...]:
        """Smaller laws that are special cases of it, pooled as hard where there is what to pool."""
        smaller = tuple(PooledLaw(law) for law in self.law.contains)
        if self.pool is None:
            return smaller
        return tuple(replace(law, pool=self.pool).within(self.pool.domains) for law in smaller)


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


def assuming(law: Law) -> PooledLaw:
    """Give a law of which nothing is assumed but that its exponents are not far from usual."""
    return PooledLaw(law, Pool(usual=USUAL) if law.assumed else None)


def parse_law(text: str) -> PooledLaw | AutoLaw:
    """Read a law and how hard it is pooled, as after the colon in ``coupled:none``.

    That is ``auto`` (the default where a law can be pooled), ``domains`` (auto, with each target
    apart from the others), ``none``, or numbers of 0 or more: how hard the domains are pulled to
    each other, and after a plus how hard the targets, their exponents, and these to usual values.

    >>> parse_law("coupled:0.01").pool, parse_law("coupled:0.01+0.1+0.003").pool.targets
    (Pool(domains=0.01, targets=0.0, exponents=0.0, usual=1e-05), 0.1)

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
        return AutoLaw(law) if law.poolable else assuming(law)
    if value == NONE:
        return PooledLaw(law)
    if value in (AUTO, DOMAINS) and law.poolable:
        return AutoLaw(law, across=value == AUTO)
    pool = _numbers(value)
    if not law.poolable and (pool is None or pool != Pool(usual=pool.usual) or not law.assumed):
        able = ", ".join(known.name for known in CATALOGUE.values() if known.poolable)
        raise UsageError(
            f"The law {law.name} has no parameter for each domain that {parameter('pool')} could"
            f" pull together. Laws that have: {able}."
        )
    if pool is None:
        raise UsageError(
            f"{parameter('pool')} {value}: give a number of 0 or more, {AUTO}, {DOMAINS} or {NONE}."
        )
    return PooledLaw(law, pool)


def _numbers(text: str) -> Pool | None:
    """Read strengths; those left out at the end are as usual. None where they are none."""
    most = len(fields(Pool))
    try:
        numbers = [float(number) for number in text.split("+")]
    except ValueError:
        return None
    if len(numbers) > most or not all(0 <= number < float("inf") for number in numbers):
        return None
    pool = Pool(*numbers)
    return pool if len(numbers) == most else replace(pool, usual=USUAL)


def law_of(law: str | Law | PooledLaw | AutoLaw) -> PooledLaw | AutoLaw:
    """Take a law in any form that the public functions accept.

    Raises:
        UsageError: if it is text that names none.
    """
    if isinstance(law, str):
        return parse_law(law)
    return pooled(law, None) if isinstance(law, Law) else law
