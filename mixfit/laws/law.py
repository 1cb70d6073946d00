"""What a law is: a sum of terms; the laws themselves are declared in `mixfit.laws.catalogue`.

Every law is a sum of terms ``c(h) * N^-p(h) * D^-q(h)``. Eq. (3) of the paper is the case of three
terms, ``E(h) + A(h) / N^alpha(h) + B(h) / D^beta(h)``. Some of the terms may stand under an outer
power, ``(sum of terms)^kappa``, which then is one summand of the loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from mixfit.laws.parameters import FREE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.laws.coefficients import Coefficient, Constant
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

    def without(self, *, n: bool, d: bool) -> Term:
        """Give the term without its exponent of N, or of D."""
        lost = [exponent for exponent, gone in ((self.n, n), (self.d, d)) if exponent and gone]
        shared = {param.name for exponent in lost for param in exponent.params}
        coefficient = self.coefficient
        if shared.intersection(param.name for param in coefficient.params):
            coefficient = coefficient.alone()
        kept_n, kept_d = None if n else self.n, None if d else self.d
        return replace(self, coefficient=coefficient, n=kept_n, d=kept_d)

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
class Outer:
    """A power of the sum of some terms of a law, ``(sum of terms)^kappa``.

    Attributes:
        roles: of the terms, whose values must not be negative.
        exponent: kappa, one number.
    """

    roles: tuple[str, ...]
    exponent: Constant

    def kept(self, terms: Sequence[Term]) -> Outer | None:
        """Give what is left of it where a law has only these terms.

        A power of one term with a number for a coefficient is such a term itself.
        """
        inside = [term for term in terms if term.role in self.roles]
        if not inside or (len(inside) == 1 and not inside[0].coefficient.depends_on_mixture):
            return None
        return replace(self, roles=tuple(term.role for term in inside))


@dataclass(frozen=True)
class Treatment:
    """How a law is fitted where nothing else is asked for; bounds and starts are its parameters'.

    Attributes:
        source: why it is not fitted as mixfit's own laws are, or "" where it is.
        delta: of the Huber loss, eq. (6), in units of the loss.
        solver: a name in `mixfit.fitting.solvers.SOLVERS`.
        restarts: random starts at the most.
        hops: hops in a row that must find nothing lower; None for as many as there are parameters.
        discrepancy: whether a discrepancy is added to it (`mixfit.fitting.discrepancy.KINDS`).
    """

    source: str = ""
    delta: float = 1e-3
    solver: str = "trust-region"
    restarts: int = 12
    hops: int | None = None
    discrepancy: str = "auto"


OURS = Treatment()


@dataclass(frozen=True)
class Law:
    """A formula for the loss L(N, D, h).

    Attributes:
        name: on the command line.
        source: where it was published.
        terms: whose sum it is.
        contains: smaller laws that are special cases of it, from whose optima a fit starts too.
        candidate: whether it is one of those that ``--law auto`` chooses among.
        outer: the power that some of the terms stand under, if there is one.
        treatment: how it is fitted, as its authors do where they say.
        least_model_sizes: how many sizes rows of several sizes must have for it to be a candidate:
            from fewer it predicts a further one worse than laws with fewer parameters. A target
            that is logged at fewer of them counts as the others.

    Raises:
        ValueError: if the terms do not fit together, or a smaller law is no special case.
    """

    name: str
    source: str
    terms: tuple[Term, ...]
    contains: tuple[Law, ...] = ()
    candidate: bool = False
    outer: Outer | None = None
    treatment: Treatment = OURS
    least_model_sizes: int = 2

    def __post_init__(self) -> None:
        roles = [term.role for term in self.terms]
        lacking = set(self.outer.roles).difference(roles) if self.outer else ()
        if lacking:
            raise ValueError(f"The law {self.name} has no term of the role {min(lacking)}.")
        for role in roles:
            if roles.count(role) > 1:
                raise ValueError(f"The law {self.name} has two terms of the role {role}.")
        first = {param.name: param for param in self.groups}
        for function in self.functions:
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
    def functions(self) -> tuple[Coefficient, ...]:
        """The coefficients and exponents of all terms, and the exponent of the outer power."""
        of_terms = [function for term in self.terms for function in term.functions]
        return tuple(of_terms) if self.outer is None else (*of_terms, self.outer.exponent)

    def under_outer(self, term: Term) -> bool:
        """Tell whether a term stands under the outer power."""
        return self.outer is not None and term.role in self.outer.roles

    @property
    def summands(self) -> tuple[tuple[Term, ...], ...]:
        """What the loss is the sum of: terms, those under the outer power together."""
        inside = tuple(term for term in self.terms if self.under_outer(term))
        alone = [(term,) if term not in inside else inside for term in self.terms]
        return tuple(dict.fromkeys(alone))

    @property
    def equation(self) -> str:
        """The formula as people write it."""
        texts = [" + ".join(term.text for term in summand) for summand in self.summands]
        if self.outer is not None:
            (place,) = (i for i, own in enumerate(self.summands) if self.under_outer(own[0]))
            texts[place] = f"({texts[place]})^{self.outer.exponent.text}"
        return " + ".join(texts)

    @property
    def groups(self) -> tuple[Param, ...]:
        """The parameters; a name that two terms have is one parameter."""
        groups: dict[str, Param] = {}
        for function in self.functions:
            for param in function.params:
                groups.setdefault(param.name, param)
        return tuple(groups.values())

    @property
    def mixture_groups(self) -> tuple[Param, ...]:
        """The parameters of what depends on h."""
        functions = [function for function in self.functions if function.depends_on_mixture]
        names = {param.name for function in functions for param in function.params}
        return tuple(param for param in self.groups if param.name in names)

    @property
    def factor_names(self) -> frozenset[str]:
        """The parameters that are a factor on powers of N and D, and mean nothing without them."""
        scaled = [term.coefficient for term in self.terms if term.exponents]
        factors = {param.name for function in scaled for param in function.params if param.scale}
        exponents = [exponent for term in self.terms for exponent in term.exponents]
        return frozenset(factors.difference(p.name for e in exponents for p in e.params))

    @property
    def constant(self) -> Term | None:
        """The term that is one number everywhere, if there is one."""
        alone = (term for term in self.terms if not self.under_outer(term))
        return next((term for term in alone if term.constant), None)

    def count(self, k: int) -> int:
        """Count the parameters for k domains."""
        return sum(param.size(k) for param in self.groups)

    @property
    def poolable(self) -> bool:
        """Whether a prior can pull the domains' parameters together."""
        return any(param.pull > 0 for param in self.groups)

    @property
    def assumed(self) -> bool:
        """Whether it has exponents that published fits know."""
        return any(param.usual is not None for param in self.groups)

    def impossible(self, params: Mapping[str, Array]) -> Iterator[tuple[str, int | None, str]]:
        """Name the natural parameters that this law cannot have.

        Args:
            params: all of them by name, (1,) or (k,); any numbers.

        Yields:
            The parameter, the index of the domain or None where it has one number, and what the
            number must be, such as "a positive number".
        """
        seen = set[tuple[str, int | None]]()
        coefficients = [term.coefficient for term in self.terms]
        for function in self.functions:
            as_exponent = all(function is not coefficient for coefficient in coefficients)
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
        return self.with_terms(
            replace(
                term,
                coefficient=term.coefficient.bound(domains, target),
                n=None if term.n is None else term.n.bound(domains, target),
                d=None if term.d is None else term.d.bound(domains, target),
            )
            for term in self.terms
        )

    def with_terms(self, terms: Iterable[Term]) -> Law:
        """Give this law with other terms; what it contains is known of its own terms alone."""
        terms = tuple(terms)
        if terms == self.terms:
            return self
        outer = None if self.outer is None else self.outer.kept(terms)
        return replace(self, terms=terms, contains=(), outer=outer)

    @property
    def exchangeable(self) -> tuple[tuple[Term, Term], ...]:
        """Pairs of functions of h that could change places, and the law would be the same."""
        of_h = [term for term in self.terms if term.coefficient.depends_on_mixture]
        return tuple((a, b) for a, b in combinations(of_h, 2) if self._exchangeable(a, b))

    def _exchangeable(self, a: Term, b: Term) -> bool:
        if self.under_outer(a) != self.under_outer(b):
            return False
        if (a.n is None, a.d is None) != (b.n is None, b.d is None):
            return False
        # What a function beside the two shares with one of them would not change place with it.
        pair = {param.name for term in (a, b) for f in term.functions for param in f.params}
        beside = [f for term in self.terms if term not in (a, b) for f in term.functions]
        if self.outer is not None:
            beside.append(self.outer.exponent)
        if pair.intersection(param.name for f in beside for param in f.params):
            return False
        return all(x.family == y.family for x, y in zip(a.functions, b.functions, strict=True))

    def check(self, h: Array, domains: Sequence[str]) -> None:
        """Refuse mixtures, (m, k), at which the law is infinite whatever its parameters.

        Raises:
            NotApplicableError: if there is one.
        """
        for function in self.functions:
            function.check(h, domains)

    def identified(self, *, one_model_size: bool, one_token_count: bool) -> Law:
        """Give the form of the law that a table with one N, or one D, can tell apart.

        With one N every N^-p is a constant factor, so that the exponent goes. A term that has lost
        an exponent goes too if another has the same exponents left and a coefficient of the same
        family, or if none are left and another such term depends on h at least as it does. This
        gives the paper's "fixed N" and "fixed (N, D)" forms (appendix B). Of terms under an outer
        power, those that are numbers go like terms beside it, and others absorb each other alone.
        A function of h stays if its exponent may be 0, since the law has it without one too.
        """
        terms = [term.without(n=one_model_size, d=one_token_count) for term in self.terms]
        # From the last on, so that of terms that could absorb each other the first stays.
        for term, original in reversed(list(zip(terms, self.terms, strict=True))):
            others = [other for other in terms if other is not term]
            inside = self.under_outer(term)
            # A number under an outer power, and the power with it, is all but one beside it.
            able = [o for o in others if term.constant or self.under_outer(o) == inside]
            lost = term != original and not _may_stand_without(original, term)
            if lost and any(_absorbs(other, term) for other in able):
                terms = others
        return self.with_terms(terms)

    @property
    def uses_model_size(self) -> bool:
        """Whether any term depends on N."""
        return any(term.n is not None for term in self.terms)

    @property
    def uses_tokens(self) -> bool:
        """Whether any term depends on D."""
        return any(term.d is not None for term in self.terms)


def _may_stand_without(original: Term, term: Term) -> bool:
    """Tell whether it is a function of h, and the exponents that it has lost may be 0."""
    both = ((original.n, term.n), (original.d, term.d))
    lost = [exponent for exponent, left in both if exponent is not None and left is None]
    may_be_zero = all(param.kind == FREE for exponent in lost for param in exponent.params)
    return term.coefficient.depends_on_mixture and may_be_zero


def _absorbs(other: Term, term: Term) -> bool:
    """Tell whether a term, having lost an exponent, cannot be told from another one."""
    if (other.n is None) != (term.n is None) or (other.d is None) != (term.d is None):
        return False
    if not term.exponents:
        return other.coefficient.depends_on_mixture or not term.coefficient.depends_on_mixture
    return other.coefficient.family == term.coefficient.family
