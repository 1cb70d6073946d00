"""The Huber loss of a law on runs: value, gradient and Gauss-Newton matrix (the paper's eq. 6)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.laws.coefficients import Constant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mixfit.base.arrays import Array
    from mixfit.fitting.blocks import Blocks
    from mixfit.laws.coefficients import Coefficient
    from mixfit.laws.formula import Formula


def huber(residuals: Array, delta: float) -> Array:
    """Give the Huber loss of each residual, as below eq. (6).

    Args:
        residuals: observed minus predicted loss, any shape.
        delta: where it turns from quadratic to linear.
    """
    size = np.abs(residuals)
    return np.where(size < delta, residuals**2 / 2, delta * (size - delta / 2))


class Quadratic(NamedTuple):
    """A quadratic model of an objective around a point."""

    value: float
    gradient: Array
    matrix: Array


_NOTHING = Quadratic(0.0, np.zeros(()), np.zeros(()))


@dataclass(frozen=True, eq=False)
class Objective:
    """The mean Huber loss of a formula on rows, divided by delta, as a function of theta.

    The row-wise derivatives of a prediction lie in few directions: for each term one for its
    coefficient and one for each exponent. Their products are summed over the rows of a mixture
    first and meet the derivatives of the coefficients with respect to theta once for a mixture,
    so that no matrix of rows by parameters is ever formed.

    Attributes:
        formula: the law with its layout of theta.
        blocks: the rows.
        delta: of the Huber loss.
        shrink: half of it times the sum of the squared logs of the domains' coefficients over
            their geometric mean is added, for each term that can be shrunk.
    """

    formula: Formula
    blocks: Blocks
    delta: float
    shrink: float = 0.0

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The lower and the upper bound of theta, each (size,)."""
        return self.formula.bounds

    @np.errstate(over="ignore", invalid="ignore")
    def value(self, theta: Array) -> float:
        """Evaluate at theta, (size,)."""
        local = self._local(theta)
        losses = (self._loss(self._rows(local, s).residual, s) for s in self.blocks.slabs)
        return sum(losses) + self._penalty(theta).value

    @np.errstate(over="ignore", invalid="ignore")
    def gradient(self, theta: Array) -> tuple[float, Array]:
        """Give the value and the gradient, (size,)."""
        local = self._local(theta)
        jacobian = local.jacobian
        slope = np.zeros(jacobian.shape[:2])
        total = 0.0
        for slab in self.blocks.slabs:
            directions, residual, pull = self._directions(local, slab)
            total += self._loss(residual, slab)
            sums = np.einsum("dbw,bw->bd", directions, pull * residual)
            first, present = self.blocks.mixtures_in(slab)
            slope[present] -= np.add.reduceat(sums, first)
        penalty = self._penalty(theta)
        gradient = slope.reshape(-1) @ jacobian.reshape(slope.size, -1)
        return total + penalty.value, gradient + penalty.gradient

    @np.errstate(over="ignore", invalid="ignore")
    def quadratic(self, theta: Array) -> Quadratic:
        """Give the value, the gradient (size,) and the Gauss-Newton matrix (size, size).

        Rows are weighted in the matrix by psi(r) / r, psi being the derivative of the Huber loss:
        for a law linear in theta the model then lies above the objective everywhere.
        """
        local = self._local(theta)
        jacobian = local.jacobian
        mixtures, count, size = jacobian.shape
        # With the residual as one more direction, one product gives gradient and matrix.
        gram = np.zeros((mixtures, count + 1, count + 1))
        total = 0.0
        for slab in self.blocks.slabs:
            directions, residual, pull = self._directions(local, slab, spare=1)
            directions[count] = residual
            total += self._loss(residual, slab)
            weighted = directions * pull
            products = weighted.transpose(1, 0, 2) @ directions.transpose(1, 2, 0)
            first, present = self.blocks.mixtures_in(slab)
            if len(first) < len(products):
                products = np.add.reduceat(products, first)
            gram[present] += products
        flat = jacobian.reshape(-1, size)
        matrix = flat.T @ (gram[:, :count, :count] @ jacobian).reshape(-1, size)
        gradient = -gram[:, :count, count].reshape(-1) @ flat
        penalty = self._penalty(theta)
        return Quadratic(
            total + penalty.value, gradient + penalty.gradient, matrix + penalty.matrix
        )

    def _penalty(self, theta: Array) -> Quadratic:
        """Give what shrinkage adds, with its Gauss-Newton matrix."""
        if self.shrink == 0:
            return _NOTHING
        value, gradient = 0.0, np.zeros(len(theta))
        matrix = np.zeros((len(theta), len(theta)))
        for term in self.formula.law.terms:
            if term.shrinkable:
                places = np.arange(len(theta))[self.formula.places(term.coefficient)]
                ratios, jacobian = term.coefficient.log_ratios(theta[places])
                value += 0.5 * self.shrink * float(ratios @ ratios)
                gradient[places] += self.shrink * (ratios @ jacobian)
                matrix[np.ix_(places, places)] += self.shrink * (jacobian.T @ jacobian)
        return Quadratic(value, gradient, matrix)

    @np.errstate(over="ignore", invalid="ignore")
    def residuals(self, theta: Array) -> Array:
        """Give observed minus predicted loss, (rows,), sorted by mixture."""
        local = self._local(theta)
        residual = np.concatenate([self._rows(local, slab).residual for slab in self.blocks.slabs])
        return residual[self.blocks.weight > 0]

    def term_values(self, theta: Array) -> tuple[Array, Array]:
        """Give the observed losses (rows,) and the terms' values (terms, rows), by mixture."""
        values = self._local(theta).values
        used = self.blocks.weight > 0
        found = [
            np.broadcast_to(self._term(term, values, slice(None))[1], used.shape)[used]
            for term in self._terms
        ]
        return self.blocks.loss[used], np.array(found)

    @cached_property
    def _terms(self) -> tuple[_Term, ...]:
        terms, direction = [], 0
        for term in self.formula.law.terms:
            shift_N, shift_D = self.formula.shift(term)
            exponents = []
            if term.n is not None:
                exponents.append(-(self.blocks.log_N + shift_N))
            if term.d is not None:
                exponents.append(-(self.blocks.log_D + shift_D))
            terms.append(_Term(direction, tuple(exponents)))
            direction += 1 + len(exponents)
        return tuple(terms)

    @cached_property
    def _parts(self) -> tuple[tuple[Coefficient, slice | NDArray[np.intp]], ...]:
        """Coefficients and exponents in the order of directions, and where they are in theta."""
        return tuple(
            (part, self.formula.places(part))
            for term in self.formula.law.terms
            for part in term.parts
        )

    @cached_property
    def _latest(self) -> dict[bytes, _Local]:
        """What `_local` gave last: a solver asks for the value at a point, then for the rest."""
        return {}

    def _local(self, theta: Array) -> _Local:
        """Evaluate coefficients and exponents."""
        key = theta.tobytes()
        if key in self._latest:
            return self._latest[key]
        h, log_h = self.blocks.h, self.blocks.log_h
        values: list[Array | float] = []
        jacobian = np.zeros((len(h), len(self._parts), len(theta)))
        for direction, (part, places) in enumerate(self._parts):
            if isinstance(part, Constant):
                number, jacobian[:, direction, places] = part.number(theta[places])
                values.append(number)
            else:
                value, jacobian[:, direction, places] = part.value(theta[places], h, log_h)
                values.append(value[self.blocks.mixture, None])
        self._latest.clear()
        local = self._latest[key] = _Local(values, jacobian, {})
        return local

    def _rows(self, local: _Local, slab: slice) -> _Rows:
        """Evaluate the terms on the rows of a slab."""
        if slab.start in local.rows:
            return local.rows[slab.start]
        residual = self.blocks.loss[slab].copy()
        powers: list[Array | float] = []
        terms: list[Array | float] = []
        for term in self._terms:
            power, value = self._term(term, local.values, slab)
            residual -= value
            powers.append(power)
            terms.append(value)
        rows = _Rows(powers, terms, residual)
        if len(self.blocks.slabs) == 1:  # more would not stay in the cache
            local.rows[slab.start] = rows
        return rows

    def _term(
        self, term: _Term, values: list[Array | float], slab: slice
    ) -> tuple[Array | float, Array | float]:
        """Give N^-p D^-q and the whole term for the rows of a slab."""
        coefficient = _of_slab(values[term.direction], slab)
        if not term.logs:
            return 1.0, coefficient
        exponent = _of_slab(values[term.direction + 1], slab) * term.logs[0][slab]
        if len(term.logs) > 1:
            exponent += _of_slab(values[term.direction + 2], slab) * term.logs[1][slab]
        power = np.exp(exponent, out=exponent)
        return power, coefficient * power

    def _directions(self, local: _Local, slab: slice, spare: int = 0) -> tuple[Array, Array, Array]:
        """Give the derivatives of the predictions along the directions.

        Returns:
            The derivatives (directions + spare, blocks, width), the residuals (blocks, width), and
            what a residual is multiplied by to give its derivative in the objective.
        """
        powers, values, residual = self._rows(local, slab)
        directions = np.empty((len(self._parts) + spare, *residual.shape))
        for term, power, value in zip(self._terms, powers, values, strict=True):
            directions[term.direction] = power
            for offset, log_scale in enumerate(term.logs, start=1):
                np.multiply(value, log_scale[slab], out=directions[term.direction + offset])
        pull = self.blocks.weight[slab] / np.maximum(np.abs(residual), self.delta)
        return directions, residual, pull

    def _loss(self, residual: Array, slab: slice) -> float:
        size = np.abs(residual)
        inside = np.minimum(size, self.delta)
        # This is the Huber loss over delta, without a case.
        size += inside * (inside * (0.5 / self.delta) - 1.0)
        return float(np.vdot(self.blocks.weight[slab], size))


@dataclass(frozen=True, eq=False)
class _Term:
    """A term of the law on the rows.

    Attributes:
        direction: that of its coefficient; those of its exponents follow.
        logs: what each exponent is multiplied by, -log N or -log D, (blocks, width).
    """

    direction: int
    logs: tuple[Array, ...]


class _Rows(NamedTuple):
    """The terms on the rows of a slab.

    Attributes:
        powers: N^-p D^-q of each term, (blocks, width), or 1.
        terms: each term, (blocks, width), or what it is for each block.
        residual: observed minus predicted loss, (blocks, width).
    """

    powers: list[Array | float]
    terms: list[Array | float]
    residual: Array


class _Local(NamedTuple):
    """What follows from theta alone.

    Attributes:
        values: of the coefficients and exponents, each (blocks, 1) or one number.
        jacobian: their derivatives with respect to theta, (mixtures, directions, size).
        rows: what has been evaluated with them, by the start of the slab.
    """

    values: list[Array | float]
    jacobian: Array
    rows: dict[int, _Rows]


def _of_slab(value: Array | float, slab: slice) -> Array | float:
    return value if isinstance(value, float) else value[slab]
