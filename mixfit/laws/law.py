"""What a law is: a sum of terms; the laws themselves are declared in `mixfit.laws.catalogue`.

Every law is a sum of terms ``c(h) * N^-p(h) * D^-q(h)``. Eq. (3) of the paper is the case of three
terms, ``E(h) + A(h) / N^alpha(h) + B(h) / D^beta(h)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.laws.coefficients import Coefficient
    from mixfit.laws.parameters import Param


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
    def exponents(self) -> tuple[Coefficient, ...]:
        """The exponents that there are."""
        return tuple(exponent for exponent in (self.n, self.d) if exponent is not None)

    @property
    def functions(self) -> tuple[Coefficient, ...]:
        """The coefficient and the exponents that there are."""
        return (self.coefficient, *self.exponents)

    @property
    def constant(self) -> bool:
        """Whether it is one number, the same everywhere, such as the paper's E."""
        return not self.exponents and not self.coefficient.depends_on_mixture

    @property
    def centred(self) -> bool:
        """Whether a change of the units of N and D can be taken up by the coefficient."""
        return not any(exponent.depends_on_mixture for exponent in self.exponents)

    @property
    def text(self) -> str:
        """The term as people write it, such as ``A N^-alpha``."""
        numerator, over, denominator = self.coefficient.text.partition(" / ")
        powers = " ".join(
            f"{letter}^{_negated(exponent)}"
            for letter, exponent in (("N", self.n), ("D", self.d))
            if exponent is not None
        )
        if powers and numerator == "1":
            numerator = powers
        elif powers:
            sums = " + " in numerator or numerator.startswith("sum ")
            numerator = f"({numerator}) {powers}" if sums else f"{numerator} {powers}"
        return numerator + over + denominator


def _negated(exponent: Coefficient) -> str:
    text = exponent.text
    if text.isidentifier():
        return f"-{text}"
    negated = text.removeprefix("-")
    return negated if negated.isidentifier() else f"-({text})"


@dataclass(frozen=True)
class Law:
    """A formula for the loss L(N, D, h).

    Attributes:
        name: on the command line.
        source: where it was published.
        terms: whose sum it is.
        contains: smaller laws that are special cases of it, from whose optima a fit starts too.
        candidate: whether it is one of those that ``--law auto`` chooses among.

    Raises:
        ValueError: if the terms do not fit together, or a smaller law is no special case.
    """

    name: str
    source: str
    terms: tuple[Term, ...]
    contains: tuple[Law, ...] = ()
    candidate: bool = False

    def __post_init__(self) -> None:
        roles = [term.role for term in self.terms]
        for role in roles:
            if roles.count(role) > 1:
                raise ValueError(f"The law {self.name} has two terms of the role {role}.")
        first = {param.name: param for param in self.groups}
        for function in self._functions:
            for param in function.params:
                if first[param.name] != param:
                    raise ValueError(
                        f"The law {self.name} has two parameters {param.name} that differ in kind,"
                        " bounds or starts."
                    )
        if self.contains:
            from mixfit.laws.formula import check_contained

            for smaller in self.contains:
                check_contained(smaller, self)

    @property
    def _functions(self) -> tuple[Coefficient, ...]:
        return tuple(function for term in self.terms for function in term.functions)

    @property
    def equation(self) -> str:
        """The formula as people write it."""
        return " + ".join(term.text for term in self.terms)

    @property
    def groups(self) -> tuple[Param, ...]:
        """The parameters; a name that two terms have is one parameter."""
        groups: dict[str, Param] = {}
        for function in self._functions:
            for param in function.params:
                groups.setdefault(param.name, param)
        return tuple(groups.values())

    @property
    def mixture_groups(self) -> tuple[Param, ...]:
        """The parameters of what depends on h."""
        functions = [function for function in self._functions if function.depends_on_mixture]
        names = {param.name for function in functions for param in function.params}
        return tuple(param for param in self.groups if param.name in names)

    @property
    def factor_names(self) -> frozenset[str]:
        """The parameters that are a factor on powers of N and D, and mean nothing without them."""
        scaled = [term.coefficient for term in self.terms if term.exponents]
        return frozenset(
            param.name for function in scaled for param in function.params if param.scale
        )

    @property
    def constant(self) -> Term | None:
        """The term that is one number everywhere, if there is one."""
        return next((term for term in self.terms if term.constant), None)

    def count(self, k: int) -> int:
        """Count the parameters for k domains."""
        return sum(param.size(k) for param in self.groups)

    @property
    def poolable(self) -> bool:
        """Whether a prior can pull the domains' parameters together."""
        return any(param.pull > 0 for param in self.groups)

    def impossible(self, params: Mapping[str, Array]) -> Iterator[tuple[str, int | None, str]]:
        """Name the natural parameters that this law cannot have.

        Args:
            params: all of them by name, (1,) or (k,); any numbers.

        Yields:
            The parameter, the index of the domain or None where it has one number, and what the
            number must be, such as "a positive number".
        """
        seen = set[tuple[str, int | None]]()
        for term in self.terms:
            for function in term.functions:
                as_exponent = function is not term.coefficient
                for name, index, text in function.impossible(params, as_exponent=as_exponent):
                    if (name, index) not in seen:
                        seen.add((name, index))
                        yield name, index, text

    def bound(self, domains: Sequence[str], target: str) -> Law:
        """Give the law for one target, for terms that need to know which domain it is.

        Args:
            domains: in the order of the columns of h.
            target: which may or may not be one of them.

        Raises:
            NotApplicableError: if the law means nothing for this target.
        """
        return self._with_terms(
            replace(
                term,
                coefficient=term.coefficient.bound(domains, target),
                n=None if term.n is None else term.n.bound(domains, target),
                d=None if term.d is None else term.d.bound(domains, target),
            )
            for term in self.terms
        )

    def _with_terms(self, terms: Iterable[Term]) -> Law:
        """Give this law with other terms; what it contains is known of its own terms alone."""
        terms = tuple(terms)
        return self if terms == self.terms else replace(self, terms=terms, contains=())

    def check(self, h: Array, domains: Sequence[str]) -> None:
        """Refuse mixtures, (m, k), at which the law is infinite whatever its parameters.

        Raises:
            NotApplicableError: if there is one.
        """
        for function in self._functions:
            function.check(h, domains)

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
        return self._with_terms(terms)

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
    if not term.exponents:
        return other.coefficient.depends_on_mixture or not term.coefficient.depends_on_mixture
    return other.coefficient.family == term.coefficient.family
