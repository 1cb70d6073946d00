"""The Huber loss of a law on runs: value, gradient and Gauss-Newton matrix (the paper's eq. 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.coefficients import log_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from mixfit.coefficients import Array, Coefficient
    from mixfit.laws import Formula, Term

_WIDTHS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 128, 256, 512, 1024)
_CALL_COST = 6  # rows whose arithmetic takes as long as the overhead of one small matrix product
_SLAB = 1 << 15  # rows worked on at once, so that what is needed of them stays in the cache


def huber(residuals: Array, delta: float) -> Array:
    """Give the Huber loss of each residual, as below eq. (6).

    Args:
        residuals: observed minus predicted loss, any shape.
        delta: where it turns from quadratic to linear.
    """
    size = np.abs(residuals)
    return np.where(size < delta, residuals**2 / 2, delta * (size - delta / 2))


@dataclass(frozen=True, eq=False)
class Blocks:
    """Rows sorted by mixture and cut into blocks of equal width.

    A block holds rows of one mixture; a place left free in it has weight 0. Sums over the rows of
    a block are then small matrix products, and what depends on h alone is evaluated once for a
    mixture.

    Attributes:
        log_N: (blocks, width), in the formula's units.
        log_D: (blocks, width), in the formula's units.
        loss: (blocks, width), observed.
        weight: (blocks, width), sums to 1.
        mixture: (blocks,) index into the mixtures, ascending.
        h: (mixtures, k).
    """

    log_N: Array
    log_D: Array
    loss: Array
    weight: Array
    mixture: NDArray[np.intp]
    h: Array

    @cached_property
    def log_h(self) -> Array:
        """The logs of the weights, (mixtures, k)."""
        return log_weights(self.h)

    @cached_property
    def slabs(self) -> tuple[slice, ...]:
        """Runs of blocks with few enough rows to be worked on at once."""
        blocks, width = self.loss.shape
        step = max(1, _SLAB // width)
        return tuple(slice(i, min(i + step, blocks)) for i in range(0, blocks, step))

    def reweighted(self, mixture_weights: Array) -> Blocks:
        """Give the same rows with those of each mixture weighted, (mixtures,)."""
        weight = self.weight * mixture_weights[self.mixture][:, None]
        return replace(self, weight=weight / weight.sum())


def make_blocks(
    log_N: Array, log_D: Array, loss: Array, mixture: NDArray[np.intp], mixtures: Array
) -> Blocks:
    """Sort rows by mixture and cut them into blocks; all rows weigh alike.

    Args:
        log_N: (rows,) in the formula's units.
        log_D: (rows,) in the formula's units.
        loss: (rows,).
        mixture: (rows,) index into the mixtures.
        mixtures: (m, k), of which those without a row are left out.
    """
    present, mixture, counts = np.unique(mixture, return_inverse=True, return_counts=True)
    width = min(_WIDTHS, key=lambda w: int((-(-counts // w)).sum()) * (w + _CALL_COST))
    blocks_of = -(-counts // width)
    order = np.argsort(mixture, kind="stable")
    place = np.arange(len(mixture)) - np.repeat(np.cumsum(counts) - counts, counts)
    first_block = np.cumsum(blocks_of) - blocks_of
    block = np.repeat(first_block, counts) + place // width
    position = (block, place % width)
    shape = (int(blocks_of.sum()), width)

    def spread(values: Array) -> Array:
        filled = np.zeros(shape)
        filled[position] = values[order]
        return filled

    return Blocks(
        log_N=spread(log_N),
        log_D=spread(log_D),
        loss=spread(loss),
        weight=spread(np.full(len(loss), 1.0 / len(loss))),
        mixture=np.repeat(np.arange(len(present)), blocks_of),
        h=mixtures[present],
    )


class Quadratic(NamedTuple):
    """A quadratic model of an objective around a point."""

    value: float
    gradient: Array
    matrix: Array


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
    """

    formula: Formula
    blocks: Blocks
    delta: float

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The lower and the upper bound of theta, each (size,)."""
        return self.formula.bounds

    def value(self, theta: Array) -> float:
        """Evaluate at theta, (size,)."""
        values = self._values(theta)
        return sum(self._loss(self._residual(values, slab), slab) for slab in self.blocks.slabs)

    def gradient(self, theta: Array) -> tuple[float, Array]:
        """Give the value and the gradient, (size,)."""
        value, slope, _ = self._sums(theta, with_gram=False)
        return value, slope.reshape(-1) @ self._jacobian(theta)

    def quadratic(self, theta: Array) -> Quadratic:
        """Give the value, the gradient (size,) and the Gauss-Newton matrix (size, size).

        Rows are weighted in the matrix by psi(r) / r, psi being the derivative of the Huber loss:
        for a law linear in theta the model then lies above the objective everywhere.
        """
        value, slope, gram = self._sums(theta, with_gram=True)
        jacobian = self._jacobian(theta)
        mixtures, directions, _ = gram.shape
        weighted = gram @ jacobian.reshape(mixtures, directions, -1)
        matrix = jacobian.T @ weighted.reshape(mixtures * directions, -1)
        return Quadratic(value, slope.reshape(-1) @ jacobian, matrix)

    def residuals(self, theta: Array) -> Array:
        """Give observed minus predicted loss, (rows,), sorted by mixture."""
        values = self._values(theta)
        residual = np.concatenate([self._residual(values, slab) for slab in self.blocks.slabs])
        return residual[self.blocks.weight > 0]

    def term_values(self, theta: Array) -> tuple[Array, Array]:
        """Give the observed losses (rows,) and the terms' values (terms, rows), by mixture."""
        values = self._values(theta)
        used = self.blocks.weight > 0
        found = [
            (values[id(term.coefficient)] * self._power(term, values, slice(None)) * used)[used]
            for term in self.formula.law.terms
        ]
        return self.blocks.loss[used], np.array(found)

    @cached_property
    def _parts(self) -> list[tuple[Term, Coefficient]]:
        """The terms' coefficients and exponents, in the order of the directions."""
        return [(term, part) for term in self.formula.law.terms for part in term.parts]

    def _values(self, theta: Array) -> dict[int, Array]:
        """Give the value of every coefficient and exponent by block, (blocks, 1)."""
        h, log_h = self.blocks.h, self.blocks.log_h
        places = self.formula.places
        return {
            id(part): part.value(theta[places(part)], h, log_h)[0][self.blocks.mixture][:, None]
            for _, part in self._parts
        }

    def _jacobian(self, theta: Array) -> Array:
        """Give the derivatives of what `_values` gives, (mixtures * directions, size)."""
        h, log_h = self.blocks.h, self.blocks.log_h
        jacobian = np.zeros((len(h), len(self._parts), self.formula.size))
        for direction, (_, part) in enumerate(self._parts):
            places = self.formula.places(part)
            jacobian[:, direction, places] = part.value(theta[places], h, log_h)[1]
        return jacobian.reshape(-1, self.formula.size)

    def _power(self, term: Term, values: dict[int, Array], slab: slice) -> Array | float:
        """Give N^-p D^-q of a term for the rows of a slab, or 1 where it has no exponent."""
        exponent: Array | float = 0.0
        for part, log_scale in self._exponents(term, slab):
            exponent = exponent - values[id(part)][slab] * log_scale
        return np.exp(exponent) if term.n or term.d else 1.0

    def _exponents(self, term: Term, slab: slice) -> Iterator[tuple[Coefficient, Array]]:
        shift_N, shift_D = self.formula.shift(term)
        if term.n is not None:
            yield term.n, self.blocks.log_N[slab] + shift_N
        if term.d is not None:
            yield term.d, self.blocks.log_D[slab] + shift_D

    def _residual(self, values: dict[int, Array], slab: slice) -> Array:
        residual = self.blocks.loss[slab]
        with np.errstate(over="ignore", invalid="ignore"):
            for term in self.formula.law.terms:
                power = self._power(term, values, slab)
                residual = residual - values[id(term.coefficient)][slab] * power
        return residual

    def _sums(self, theta: Array, *, with_gram: bool) -> tuple[float, Array, Array]:
        """Sum over the rows of each mixture.

        Returns:
            The value; the derivatives of the objective along the directions (mixtures,
            directions); and the weighted products of the directions (mixtures, directions,
            directions), empty if they are not wanted.
        """
        blocks = self.blocks
        values = self._values(theta)
        count = len(self._parts)
        slope = np.zeros((len(blocks.h), count))
        gram = np.zeros((len(blocks.h), count, count) if with_gram else (0, count, count))
        total = 0.0
        for slab in blocks.slabs:
            with np.errstate(over="ignore", invalid="ignore"):
                directions, residual = self._directions(values, slab)
                total += self._loss(residual, slab)
                # psi(r) / (delta r), with psi the derivative of the Huber loss.
                pull = blocks.weight[slab] / np.maximum(np.abs(residual), self.delta)
                sums = -(directions @ (pull * residual)[:, :, None])[:, :, 0]
                first = np.flatnonzero(np.diff(blocks.mixture[slab], prepend=-1))
                present = blocks.mixture[slab][first]
                slope[present] += np.add.reduceat(sums, first)
                if with_gram:
                    products = (directions * pull[:, None, :]) @ directions.transpose(0, 2, 1)
                    gram[present] += np.add.reduceat(products, first)
        return total, slope, gram

    def _directions(self, values: dict[int, Array], slab: slice) -> tuple[Array, Array]:
        """Give the derivatives of the predictions along the directions, and the residuals.

        Returns:
            (blocks, directions, width) and (blocks, width).
        """
        residual = self.blocks.loss[slab]
        directions = np.empty((len(residual), len(self._parts), residual.shape[1]))
        at = 0
        for term in self.formula.law.terms:
            power = self._power(term, values, slab)
            directions[:, at] = power
            value = values[id(term.coefficient)][slab] * power
            at += 1
            for _, log_scale in self._exponents(term, slab):
                np.multiply(value, -log_scale, out=directions[:, at])
                at += 1
            residual = residual - value
        return directions, residual

    def _loss(self, residual: Array, slab: slice) -> float:
        size = np.abs(residual)
        inside = np.minimum(size, self.delta)
        # This is the Huber loss over delta, without a case.
        loss = inside * (0.5 * inside / self.delta - 1.0) + size
        return float(np.vdot(self.blocks.weight[slab], loss))
