"""A law for a number of domains as a function of one vector of parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mixfit.laws.coefficients import FREE, Coefficient, Constant, NotContainedError, log_weights

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from mixfit.base.arrays import Array
    from mixfit.laws.law import Law, Term

_NEGLIGIBLE = 1e-12  # a loss of no account


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
        """Where in theta each group of parameters stands."""
        found, start = {}, 0
        for group in self.law.groups:
            found[group.name] = slice(start, start + group.size(self.k))
            start += group.size(self.k)
        return found

    @cached_property
    def size(self) -> int:
        """The length of theta."""
        return self.law.count(self.k)

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """The lower and the upper bound of every internal parameter, each (size,)."""
        groups = self.law.groups
        return (
            np.concatenate([np.full(g.size(self.k), g.lower) for g in groups]),
            np.concatenate([np.full(g.size(self.k), g.upper) for g in groups]),
        )

    def places(self, part: Coefficient) -> slice | NDArray[np.intp]:
        """Give the indices in theta of the parameters of one coefficient or exponent."""
        return self._places[id(part)]

    @cached_property
    def _places(self) -> dict[int, slice | NDArray[np.intp]]:
        found: dict[int, slice | NDArray[np.intp]] = {}
        for term in self.law.terms:
            for part in term.parts:
                slices = [self.slices[group.name] for group in part.groups()]
                if all(a.stop == b.start for a, b in pairwise(slices)):
                    found[id(part)] = slice(slices[0].start, slices[-1].stop)
                else:  # a name that an earlier part has too
                    found[id(part)] = np.concatenate([np.arange(s.start, s.stop) for s in slices])
        return found

    def shift(self, term: Term) -> tuple[float, float]:
        """Give what is to be added to log N and log D in this formula's units for a term."""
        if term.centred:
            return 0.0, 0.0
        return float(np.log(self.n_unit)), float(np.log(self.d_unit))

    def _exponents(self, term: Term, N: Array, D: Array) -> list[tuple[Coefficient, Array]]:
        """Give the exponents that a term has, each with the log of what it is an exponent of."""
        shift_N, shift_D = self.shift(term)
        logs = np.log(N / self.n_unit) + shift_N, np.log(D / self.d_unit) + shift_D
        pairs = zip((term.n, term.d), logs, strict=True)
        return [(exponent, log) for exponent, log in pairs if exponent is not None]

    def term_values(self, theta: Array, N: Array, D: Array, h: Array) -> Array:
        """Evaluate each term, (terms, rows); their sum over terms is the predicted loss.

        Args:
            theta: internal parameters, (size,).
            N: parameters, (rows,).
            D: tokens, (rows,).
            h: weights, (rows, k).
        """
        log_h = log_weights(h)
        values = np.empty((len(self.law.terms), len(h)))
        for index, term in enumerate(self.law.terms):
            values[index] = self._part(term.coefficient, theta, h, log_h)
            for exponent, log_scale in self._exponents(term, N, D):
                values[index] *= np.exp(-self._part(exponent, theta, h, log_h) * log_scale)
        return values

    def _part(self, part: Coefficient, theta: Array, h: Array, log_h: Array) -> Array:
        return part.value(theta[self.places(part)], h, log_h)[0]

    def predict(self, theta: Array, N: Array, D: Array, h: Array) -> Array:
        """Give the predicted losses, (rows,); arguments as in `term_values`."""
        total: Array = self.term_values(theta, N, D, h).sum(axis=0)
        return total

    def weight_gradient(self, theta: Array, N: Array, D: Array, h: Array) -> Array:
        """Give the derivatives of the loss along the simplex, (rows, k).

        Arguments as in `term_values`.
        """
        log_h = log_weights(h)
        values = self.term_values(theta, N, D, h)
        gradient = np.zeros_like(h)
        for term, value in zip(self.law.terms, values, strict=True):
            # Not the value over the coefficient, which may be 0.
            power = np.ones(len(h))
            for exponent, log_scale in self._exponents(term, N, D):
                slope = exponent.weight_gradient(theta[self.places(exponent)], h, log_h)
                gradient -= (value * log_scale)[:, None] * slope
                power *= np.exp(-self._part(exponent, theta, h, log_h) * log_scale)
            part = term.coefficient
            slope = part.weight_gradient(theta[self.places(part)], h, log_h)
            gradient += power[:, None] * slope
        return gradient

    def natural(self, theta: Array) -> dict[str, Array]:
        """Convert to natural parameters, name to (1,) or (k,); N in parameters and D in tokens."""
        theta = self._in_units(theta, 1.0, 1.0)
        found: dict[str, Array] = {}
        for term in self.law.terms:
            for part in term.parts:
                found |= part.natural(theta[self.places(part)])
        return {group.name: found[group.name] for group in self.law.groups}

    def internal(self, natural: Mapping[str, Array]) -> Array:
        """Convert from natural parameters; the inverse of `natural`."""
        theta = np.empty(self.size)
        for term in self.law.terms:
            for part in term.parts:
                theta[self.places(part)] = part.internal(natural)
        return replace(self, n_unit=1.0, d_unit=1.0)._in_units(theta, self.n_unit, self.d_unit)

    def _in_units(self, theta: Array, n_unit: float, d_unit: float) -> Array:
        """Give the theta of the same function where N and D are in other units."""
        theta = theta.copy()
        for term in self.law.terms:
            if term.centred:
                factor = self._exponent(term.n, theta) * np.log(self.n_unit / n_unit)
                factor += self._exponent(term.d, theta) * np.log(self.d_unit / d_unit)
                places = self.places(term.coefficient)
                theta[places] = term.coefficient.scaled(theta[places], factor)
        return theta

    def _exponent(self, part: Coefficient | None, theta: Array) -> float:
        """Give an exponent at the uniform mixture."""
        if part is None:
            return 0.0
        uniform = np.full((1, self.k), 1.0 / self.k)
        return float(self._part(part, theta, uniform, log_weights(uniform))[0])

    def random(self, rng: np.random.Generator) -> Array:
        """Draw a theta at which each coefficient is of order 1 at N = n_unit and D = d_unit."""
        theta = np.empty(self.size)
        for term in self.law.terms:
            for part in term.parts:
                theta[self.places(part)] = part.random(rng, self.k)
        return self._to_natural_where_not_centred(theta)

    def rescaled(self, theta: Array, factors: Array) -> Array:
        """Multiply each term by a positive factor, (terms,)."""
        theta = theta.copy()
        for term, factor in zip(self.law.terms, factors, strict=True):
            places = self.places(term.coefficient)
            theta[places] = term.coefficient.scaled(theta[places], float(np.log(factor)))
        return theta

    def embedded(self, smaller: Formula, theta: Array) -> Array:
        """Find the theta at which this law equals a smaller one that it contains.

        A term that the smaller law lacks shares the constant E with it, and an exponent that it
        lacks is 0.

        Args:
            smaller: with the same k and units.
            theta: of the smaller law.

        Raises:
            NotContainedError: if there is no such theta.
        """
        found = np.empty(self.size)
        natural = set[str]()  # terms taken from one that has natural units already
        of_role = {term.role: term for term in smaller.law.terms}
        lacking = [term for term in self.law.terms if term.role not in of_role]
        places = smaller.places(of_role["E"].coefficient)
        theta = theta.copy()
        # A positive term cannot be 0, but as good as that.
        theta[places] = np.maximum(theta[places], len(lacking) * _NEGLIGIBLE) / (1 + len(lacking))
        for term in self.law.terms:
            other = of_role.get(term.role, of_role["E"])
            if not other.centred:
                natural.add(term.role)
            for part, source in zip(
                (term.coefficient, term.n, term.d),
                (other.coefficient, other.n, other.d),
                strict=True,
            ):
                if part is not None:
                    found[self.places(part)] = _embedded_part(part, source, smaller, theta)
        lower, upper = self.bounds
        return np.clip(self._to_natural_where_not_centred(found, natural), lower, upper)

    def _to_natural_where_not_centred(self, theta: Array, natural: Collection[str] = ()) -> Array:
        theta = theta.copy()
        for term in self.law.terms:
            if not term.centred and term.role not in natural:
                factor = self._exponent(term.n, theta) * np.log(self.n_unit)
                factor += self._exponent(term.d, theta) * np.log(self.d_unit)
                places = self.places(term.coefficient)
                theta[places] = term.coefficient.scaled(theta[places], factor)
        return theta


def _embedded_part(
    part: Coefficient, source: Coefficient | None, smaller: Formula, theta: Array
) -> Array:
    if source is None:
        if isinstance(part, Constant) and part.kind == FREE:
            return np.zeros(1)
        raise NotContainedError("an exponent that cannot be 0")
    own: Array = theta[smaller.places(source)]
    if part == source:
        return own
    return part.from_power_mean(source.as_power_mean(own, smaller.k))
