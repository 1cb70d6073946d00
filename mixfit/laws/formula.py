"""A law with k domains, evaluated at any runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mixfit.laws.coefficients import Constant, NotContainedError, log_weights
from mixfit.laws.parameters import FREE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mixfit.base.arrays import Array, Indices
    from mixfit.laws.coefficients import Coefficient
    from mixfit.laws.law import Law, Term

_NEGLIGIBLE = 1e-12  # a loss of no account
_SAME = 1e-9  # relative difference of predictions that are as good as equal
_MOST_DRAWS, _ENOUGH_DRAWS = 12, 2  # by which a law is checked to contain another one


@dataclass(frozen=True, eq=False)
class TermAt:
    """A term where it is evaluated, ``c N^-p D^-q`` from the values of c, p and q.

    Attributes:
        coefficient: c, any shape.
        exponents: p and q, those that there are, each with the log of what it is an exponent of;
            all of one shape with c, or numbers.
    """

    coefficient: Array
    exponents: tuple[tuple[Array, Array | float], ...]

    @cached_property
    def value(self) -> Array:
        """The term."""
        value = self.coefficient
        for exponent, log_scale in self.exponents:
            value = value * np.exp(-exponent * log_scale)
        return value

    def gradient(self, coefficient: Array, exponents: Sequence[Array]) -> Array:
        """Give the derivatives of the term, from those of c, p and q, with an axis more."""
        # Not the value over the coefficient, which may be 0.
        power = np.ones(np.shape(self.coefficient))
        gradient: Array = np.zeros(np.shape(coefficient))
        for (exponent, log_scale), slope in zip(self.exponents, exponents, strict=True):
            power = power * np.exp(-exponent * log_scale)
            gradient = gradient - (self.value * log_scale)[..., None] * slope
        return gradient + power[..., None] * coefficient


@dataclass(frozen=True, eq=False)
class OuterAt:
    """An outer power where it is evaluated, from the sum of the terms under it.

    Attributes:
        total: the sum, any shape.
        kappa: the exponent, of one shape with it, or one number.
    """

    total: Array
    kappa: Array | float

    @cached_property
    def value(self) -> Array:
        """The power."""
        return np.asarray(self.total**self.kappa)

    @property
    def slope(self) -> Array:
        """Its derivative in the sum."""
        return np.asarray(self.kappa * self.total ** (self.kappa - 1.0))

    @property
    def bend(self) -> Array:
        """Its second derivative in the sum."""
        return np.asarray(self.kappa * (self.kappa - 1.0) * self.total ** (self.kappa - 2.0))

    @property
    def in_kappa(self) -> Array:
        """Its derivative in the exponent."""
        return np.asarray(self.value * np.log(self.total))


@dataclass(frozen=True)
class Formula:
    """A law for k domains, with its parameters laid out in one vector theta.

    theta holds internal parameters (see `mixfit.laws.coefficients`) in units in which N and D are
    divided by `n_unit` and `d_unit`, so that a solver finds numbers of order 1. Terms whose
    exponents depend on h keep natural units, since no coefficient could take up the change.

    Attributes:
        law: the declaration.
        k: the number of domains.
        n_unit: of N, in parameters.
        d_unit: of D, in tokens.
    """

    law: Law
    k: int
    n_unit: float = 1.0
    d_unit: float = 1.0

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where in theta each parameter stands."""
        slices, start = {}, 0
        for param in self.law.groups:
            slices[param.name] = slice(start, start + param.size(self.k))
            start += param.size(self.k)
        return slices

    @cached_property
    def size(self) -> int:
        """The length of theta."""
        return self.law.count(self.k)

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """The lower and the upper bound of every internal parameter, each (size,)."""
        params = self.law.groups
        return (
            np.concatenate([np.full(p.size(self.k), p.lower) for p in params]),
            np.concatenate([np.full(p.size(self.k), p.upper) for p in params]),
        )

    def places(self, function: Coefficient) -> slice | Indices:
        """Give the indices in theta of the parameters of one coefficient or exponent.

        They follow from the parameters' names, so that equal ones have the same.
        """
        return self._places[function]

    @cached_property
    def _places(self) -> dict[Coefficient, slice | Indices]:
        places: dict[Coefficient, slice | Indices] = {}
        for function in self.law.functions:
            slices = [self.slices[param.name] for param in function.params]
            if all(a.stop == b.start for a, b in pairwise(slices)):
                places[function] = slice(slices[0].start, slices[-1].stop)
            else:  # a name that an earlier function has too
                places[function] = np.concatenate([np.arange(s.start, s.stop) for s in slices])
        return places

    def ordered(self, theta: Array) -> Array:
        """Give the theta of the same law with its exchangeable terms in order.

        The term whose coefficients C_i are farthest apart, as the logs of the term's values at the
        corners, comes first.
        """
        ordered = theta.copy()
        for first, second in self.law.exchangeable:
            if self._spread(first, ordered) >= self._spread(second, ordered):
                continue
            for one, other in zip(first.functions, second.functions, strict=True):
                here, there = self.places(one), self.places(other)
                ordered[here], ordered[there] = ordered[there].copy(), ordered[here].copy()
        return ordered

    def _spread(self, term: Term, theta: Array) -> float:
        """Give how far the coefficients of a term are apart."""
        names = [p.name for p in term.coefficient.params if p.per_domain and p.scale]
        return max((float(np.ptp(theta[self.slices[name]])) for name in names), default=0.0)

    def shift(self, term: Term) -> tuple[float, float]:
        """Give what is to be added to log N and log D in this formula's units for a term."""
        if term.centred:
            return 0.0, 0.0
        return float(np.log(self.n_unit)), float(np.log(self.d_unit))

    def _term_at(
        self, term: Term, theta: Array, N: Array, D: Array, h: Array, log_h: Array
    ) -> TermAt:
        shift_N, shift_D = self.shift(term)
        logs = np.log(N / self.n_unit) + shift_N, np.log(D / self.d_unit) + shift_D
        exponents = [
            (self._value(exponent, theta, h, log_h), log_scale)
            for exponent, log_scale in zip((term.n, term.d), logs, strict=True)
            if exponent is not None
        ]
        return TermAt(self._value(term.coefficient, theta, h, log_h), tuple(exponents))

    def _value(self, function: Coefficient, theta: Array, h: Array, log_h: Array) -> Array:
        return function.value(theta[self.places(function)], h, log_h)[0]

    def kappa(self, theta: Array) -> float:
        """Give the exponent of the outer power, 1 where the law has none."""
        if self.law.outer is None:
            return 1.0
        exponent = self.law.outer.exponent
        return exponent.number(theta[self.places(exponent)])[0]

    def summand_values(self, theta: Array, N: Array, D: Array, h: Array) -> Array:
        """Evaluate each summand of the law, (summands, rows); their sum is the predicted loss.

        Args:
            theta: internal parameters, (size,).
            N: parameters, (rows,).
            D: tokens, (rows,).
            h: weights, (rows, k).
        """
        log_h = log_weights(h)
        values = []
        for summand in self.law.summands:
            each = [self._term_at(term, theta, N, D, h, log_h).value for term in summand]
            total: Array = np.sum(each, axis=0)
            inside = self.law.under_outer(summand[0])
            values.append(OuterAt(total, self.kappa(theta)).value if inside else total)
        return np.array(values)

    def predict(self, theta: Array, N: Array, D: Array, h: Array) -> Array:
        """Give the predicted losses, (rows,); arguments as in `summand_values`."""
        total: Array = self.summand_values(theta, N, D, h).sum(axis=0)
        return total

    def weight_gradient(self, theta: Array, N: Array, D: Array, h: Array) -> Array:
        """Give the derivatives of the loss along the simplex, (rows, k).

        Arguments as in `summand_values`.
        """
        log_h = log_weights(h)
        gradient = np.zeros_like(h)
        for summand in self.law.summands:
            total, slope_of_total = np.zeros(len(h)), np.zeros_like(h)
            for term in summand:
                slope, *slopes = (
                    function.weight_gradient(theta[self.places(function)], h, log_h)
                    for function in term.functions
                )
                at = self._term_at(term, theta, N, D, h, log_h)
                total = total + at.value
                slope_of_total += at.gradient(slope, slopes)
            if self.law.under_outer(summand[0]):
                slope_of_total *= OuterAt(total, self.kappa(theta)).slope[:, None]
            gradient += slope_of_total
        return gradient

    def natural(self, theta: Array) -> dict[str, Array]:
        """Convert to natural parameters, name to (1,) or (k,); N in parameters and D in tokens."""
        theta = self._scaled(theta, self._centred, np.log(self.n_unit), np.log(self.d_unit))
        natural: dict[str, Array] = {}
        for function in self.law.functions:
            natural |= function.natural(theta[self.places(function)])
        return {param.name: natural[param.name] for param in self.law.groups}

    def internal(self, natural: Mapping[str, Array]) -> Array:
        """Convert from natural parameters; the inverse of `natural`."""
        theta = np.empty(self.size)
        for function in self.law.functions:
            theta[self.places(function)] = function.internal(natural)
        logs = np.log(1.0 / self.n_unit), np.log(1.0 / self.d_unit)
        return self._scaled(theta, self._centred, *logs)

    @property
    def _centred(self) -> list[Term]:
        return [term for term in self.law.terms if term.centred]

    def _scaled(self, theta: Array, terms: Iterable[Term], log_n: float, log_d: float) -> Array:
        """Multiply each of some terms by n^p d^q, the factor that a change of units leaves.

        Exponents that depend on h count as at the uniform mixture.
        """
        theta = theta.copy()
        for term in terms:
            factor = self._exponent(term.n, theta) * log_n
            factor += self._exponent(term.d, theta) * log_d
            places = self.places(term.coefficient)
            theta[places] = term.coefficient.scaled(theta[places], factor)
        return theta

    def _exponent(self, function: Coefficient | None, theta: Array) -> float:
        """Give an exponent at the uniform mixture."""
        if function is None:
            return 0.0
        uniform = np.full((1, self.k), 1.0 / self.k)
        return float(self._value(function, theta, uniform, log_weights(uniform))[0])

    def _to_natural_units(self, theta: Array, terms: Iterable[Term]) -> Array:
        """Take theta from this formula's units to those of the terms that keep natural ones."""
        kept = [term for term in terms if not term.centred]
        return self._scaled(theta, kept, np.log(self.n_unit), np.log(self.d_unit))

    def random(self, rng: np.random.Generator) -> Array:
        """Draw a theta at which each coefficient is of order 1 at N = n_unit and D = d_unit."""
        theta = np.empty(self.size)
        for function in self.law.functions:
            theta[self.places(function)] = function.random(rng, self.k)
        return self._to_natural_units(theta, self.law.terms)

    def rescaled(self, theta: Array, factors: Array) -> Array:
        """Multiply each summand by a positive factor, (summands,)."""
        theta = theta.copy()
        for summand, factor in zip(self.law.summands, factors, strict=True):
            power = self.kappa(theta) if self.law.under_outer(summand[0]) else 1.0
            for term in summand:
                places = self.places(term.coefficient)
                log_factor = float(np.log(factor)) / power
                theta[places] = term.coefficient.scaled(theta[places], log_factor)
        return theta

    def embedded(self, smaller: Formula, theta: Array) -> Array:
        """Find the theta at which this law equals a smaller one that it contains.

        Terms correspond by their roles. A term that the smaller law lacks shares that law's
        constant with it, an exponent that it lacks is 0, and an outer power that it lacks 1: an
        additive law is a coupled one whose delta and eta are 0, and chinchilla is additive with
        half of E in a mixture term in which all domains are alike.

        >>> from mixfit.laws.catalogue import ADDITIVE, CHINCHILLA
        >>> smaller, larger = Formula(CHINCHILLA, k=2), Formula(ADDITIVE, k=2)
        >>> numbers = {"E": 3.0, "A": 400.0, "alpha": 0.3, "B": 900.0, "beta": 0.4}
        >>> theta = smaller.internal({name: np.array([x]) for name, x in numbers.items()})
        >>> natural = larger.natural(larger.embedded(smaller, theta))
        >>> {name: natural[name].round(9).tolist() for name in ("E", "C", "gamma", "A")}
        {'E': [1.5], 'C': [0.666666667, 0.666666667], 'gamma': [1.0, 1.0], 'A': [400.0]}

        Args:
            smaller: with the same k and units.
            theta: of the smaller law.

        Raises:
            NotContainedError: if there is no such theta.
        """
        of_role = {term.role: term for term in smaller.law.terms}
        roles = {term.role for term in self.law.terms}
        if not roles >= set(of_role):
            raise NotContainedError("a term that the larger law lacks")
        lacking = len(roles - set(of_role))
        constant = smaller.law.constant
        if lacking:
            if constant is None:
                raise NotContainedError("there is no constant that a term could share")
            theta = _shared(smaller, theta, constant, 1 + lacking)
        embedded = np.empty(self.size)
        to_convert = []  # terms taken from one in the formula's units
        for term in self.law.terms:
            other = of_role.get(term.role, constant)
            assert other is not None
            if other.centred:
                to_convert.append(term)
            for function, source in zip(
                (term.coefficient, term.n, term.d),
                (other.coefficient, other.n, other.d),
                strict=True,
            ):
                if function is not None:
                    embedded[self.places(function)] = _embedded_function(
                        function, source, smaller, theta
                    )
                elif source is not None:
                    raise NotContainedError("an exponent that the larger law lacks")
        self._embed_outer(embedded, smaller, theta)
        lower, upper = self.bounds
        return np.clip(self._to_natural_units(embedded, to_convert), lower, upper)

    def _embed_outer(self, embedded: Array, smaller: Formula, theta: Array) -> None:
        """Set the exponent of the outer power to that of a smaller law, or to 1."""
        own, other = self.law.outer, smaller.law.outer
        if other is not None and other != own:
            raise NotContainedError("the outer powers differ")
        if own is not None:
            (name,) = (param.name for param in own.exponent.params)
            embedded[self.places(own.exponent)] = (
                own.exponent.internal({name: np.ones(1)})
                if other is None
                else theta[smaller.places(other.exponent)]
            )


def _shared(formula: Formula, theta: Array, constant: Term, shares: int) -> Array:
    """Give the theta at which a constant is one of several equal shares of what it is."""
    theta, places = theta.copy(), formula.places(constant.coefficient)
    (name, number), *_ = constant.coefficient.natural(theta[places]).items()
    # A positive term cannot be 0, but as good as that.
    share = np.maximum(number, (shares - 1) * _NEGLIGIBLE) / shares
    theta[places] = constant.coefficient.internal({name: share})
    return theta


def _embedded_function(
    function: Coefficient, source: Coefficient | None, smaller: Formula, theta: Array
) -> Array:
    if source is None:
        if isinstance(function, Constant) and function.kind == FREE:
            return np.zeros(1)
        raise NotContainedError("an exponent that cannot be 0")
    own: Array = theta[smaller.places(source)]
    if function == source:
        return own
    return function.from_power_mean(source.as_power_mean(own, smaller.k))


def check_contained(smaller: Law, larger: Law) -> None:
    """Check by random parameters that one law is a special case of another one.

    Where only some of the smaller law's parameters have a counterpart, as simple's negative gamma
    in powered, those are compared.

    Raises:
        ValueError: if none has one, or predictions differ.
    """
    rng, k, rows = np.random.default_rng(0), 3, 8
    inner, outer = Formula(smaller, k), Formula(larger, k)
    h = rng.dirichlet(np.ones(k), rows)
    N, D = np.exp(rng.normal(size=(2, rows)))
    compared, reason = 0, ""
    for _ in range(_MOST_DRAWS):
        theta = inner.random(rng)
        try:
            embedded = outer.embedded(inner, theta)
        except NotContainedError as error:
            reason = str(error)
            continue
        expected, predicted = inner.predict(theta, N, D, h), outer.predict(embedded, N, D, h)
        if not np.all(np.abs(predicted - expected) <= _SAME * np.abs(expected)):
            reason, compared = "their predictions differ", 0
            break
        compared += 1
        if compared == _ENOUGH_DRAWS:
            break
    if not compared:
        raise ValueError(
            f"The law {larger.name} says that it contains {smaller.name}, and does not: {reason}."
        )
