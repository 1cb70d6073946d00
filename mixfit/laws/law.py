"""What a law is: a sum of terms; the laws themselves are declared in `mixfit.laws.catalogue`.

Every law is a sum of terms ``c(h) * N^-p(h) * D^-q(h)``. Eq. (3) of the paper is the case of three
terms, ``E(h) + A(h) / N^alpha(h) + B(h) / D^beta(h)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.laws.coefficients import Coefficient, Group


@dataclass(frozen=True)
class Term:
    """One term, ``c(h) * N^-p(h) * D^-q(h)``.

    Attributes:
        role: what the term stands for; terms of one role correspond between laws.
        coefficient: c.
        n: p, or None where the term does not depend on N.
        d: q, or None where the term does not depend on D.
    """

    role: str
    coefficient: Coefficient
    n: Coefficient | None = None
    d: Coefficient | None = None

    @property
    def parts(self) -> tuple[Coefficient, ...]:
        """The coefficient and the exponents that there are."""
        return tuple(part for part in (self.coefficient, self.n, self.d) if part is not None)

    @property
    def shrinkable(self) -> bool:
        """Whether it scales with N or D, and its coefficient has a number for every domain."""
        scales = self.n is not None or self.d is not None
        return scales and self.coefficient.tied() is not None

    @property
    def centred(self) -> bool:
        """Whether a change of the units of N and D can be taken up by the coefficient."""
        return not any(e is not None and e.depends_on_mixture for e in (self.n, self.d))


@dataclass(frozen=True)
class Law:
    """A formula for the loss L(N, D, h).

    Attributes:
        name: on the command line.
        equation: in plain text, as the paper writes it.
        source: where it was published.
        terms: whose sum it is.
        contains: smaller laws that are special cases of it.
    """

    name: str
    equation: str
    source: str
    terms: tuple[Term, ...]
    contains: tuple[Law, ...] = ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """The named groups of parameters; a name that two terms have is one group."""
        found: dict[str, Group] = {}
        for term in self.terms:
            for part in term.parts:
                for group in part.groups():
                    found.setdefault(group.name, group)
        return tuple(found.values())

    @property
    def mixture_groups(self) -> tuple[Group, ...]:
        """The groups of parameters of what depends on h."""
        parts = [part for term in self.terms for part in term.parts if part.depends_on_mixture]
        names = {group.name for part in parts for group in part.groups()}
        return tuple(group for group in self.groups if group.name in names)

    def count(self, k: int) -> int:
        """Count the parameters for k domains."""
        return sum(group.size(k) for group in self.groups)

    @property
    def shrinkable(self) -> bool:
        """Whether a term in N or D has a number for every domain."""
        return any(term.shrinkable for term in self.terms)

    def bound(self, domains: Sequence[str], target: str) -> Law:
        """Give the law for one target, for terms that need to know which domain it is.

        Args:
            domains: in the order of the columns of h.
            target: which may or may not be one of them.

        Raises:
            NotApplicableError: if the law means nothing for this target.
        """

        def part(unbound: Coefficient | None) -> Coefficient | None:
            return None if unbound is None else unbound.bound(domains, target)

        terms = [
            replace(t, coefficient=t.coefficient.bound(domains, target), n=part(t.n), d=part(t.d))
            for t in self.terms
        ]
        return replace(self, terms=tuple(terms))

    def impossible(self, params: Mapping[str, Array]) -> Iterator[tuple[str, int | None, str]]:
        """Find natural parameters that the law cannot have.

        Args:
            params: natural parameters, name to (1,) or (k,).

        Yields:
            The parameter, the index of its domain or None, and what it must be.
        """
        for term in self.terms:
            for part in term.parts:
                with np.errstate(all="ignore"):
                    theta = part.internal(params)
                start = 0
                for group in part.groups():
                    numbers = theta[start : start + len(params[group.name])]
                    start += len(numbers)
                    for index in np.flatnonzero(np.isnan(numbers)):
                        yield group.name, int(index) if group.per_domain else None, "positive"
                    if group.lower == 0 and numbers[0] < 0:
                        yield group.name, None, "0 or more"

    def check(self, h: Array, domains: Sequence[str]) -> None:
        """Refuse mixtures, (m, k), at which the law is infinite whatever its parameters.

        Raises:
            NotApplicableError: if there is one.
        """
        for term in self.terms:
            for part in term.parts:
                part.check(h, domains)

    def tied(self) -> Law:
        """Give the law in which the domains share each number that shrinkage pulls together."""
        terms = []
        for term in self.terms:
            tied = term.coefficient.tied() if term.shrinkable else None
            terms.append(term if tied is None else replace(term, coefficient=tied))
        return replace(self, terms=tuple(terms))

    def identified(self, *, one_model_size: bool, one_token_count: bool) -> Law:
        """Give the form of the law that a table with one N, or one D, can tell apart.

        With one N every N^-p is a constant factor, so that the exponent goes. A term that has lost
        an exponent goes too if another has the same exponents left and a coefficient of the same
        family, or if none are left and another such term depends on h at least as it does. This
        gives the paper's "fixed N" and "fixed (N, D)" forms (appendix B).
        """
        terms = [
            replace(
                term,
                n=None if one_model_size else term.n,
                d=None if one_token_count else term.d,
            )
            for term in self.terms
        ]
        # From the last on, so that of terms that could absorb each other the first stays.
        for term, original in reversed(list(zip(terms, self.terms, strict=True))):
            others = [other for other in terms if other is not term]
            if term != original and any(_absorbs(other, term) for other in others):
                terms = others
        return replace(self, terms=tuple(terms))

    @property
    def uses_model_size(self) -> bool:
        """Whether any term depends on N."""
        return any(term.n is not None for term in self.terms)

    @property
    def uses_tokens(self) -> bool:
        """Whether any term depends on D."""
        return any(term.d is not None for term in self.terms)


def _absorbs(other: Term, term: Term) -> bool:
    """Tell whether a term, having lost an exponent, cannot be told from another one."""
    if (other.n is None) != (term.n is None) or (other.d is None) != (term.d is None):
        return False
    if term.n is None and term.d is None:
        return other.coefficient.depends_on_mixture or not term.coefficient.depends_on_mixture
    return other.coefficient.family == term.coefficient.family
