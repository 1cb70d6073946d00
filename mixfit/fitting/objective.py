"""The Huber loss of a law on runs: value, gradient and Gauss-Newton matrix (the paper's eq. 6).

Laws are evaluated here on rows in blocks, for speed; `mixfit.laws.formula` is the plain way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.laws.coefficients import Constant
from mixfit.laws.formula import OuterAt

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices
    from mixfit.fitting.blocks import Blocks
    from mixfit.fitting.prior import Penalty
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
    """A quadratic model around a point: gradient (size,) and matrix (size, size)."""

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
        penalty: what the prior adds (see `mixfit.fitting.prior`), if anything.
    """

    formula: Formula
    blocks: Blocks
    delta: float
    penalty: Penalty | None = None

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The lower and the upper bound of theta, each (size,)."""
        return self.formula.bounds

    def at(self, theta: Array) -> ObjectiveAt:
        """Evaluate at theta, (size,)."""
        return ObjectiveAt(self, theta)

    @cached_property
    def terms(self) -> tuple[RowTerm, ...]:
        """The terms of the law, with what each is on the rows."""
        terms, direction = [], 0
        for term in self.formula.law.terms:
            shift_N, shift_D = self.formula.shift(term)
            logs = []
            if term.n is not None:
                logs.append(-(self.blocks.log_N + shift_N))
            if term.d is not None:
                logs.append(-(self.blocks.log_D + shift_D))
            inside = self.formula.law.under_outer(term)
            terms.append(RowTerm(direction, tuple(logs), inside))
            direction += 1 + len(logs)
        return tuple(terms)

    @cached_property
    def functions(self) -> tuple[tuple[Coefficient, slice | Indices], ...]:
        """Coefficients and exponents in the order of directions, and where they are in theta."""
        return tuple(
            (function, self.formula.places(function)) for function in self.formula.law.functions
        )


@dataclass(frozen=True, eq=False)
class RowTerm:
    """A term of the law on the rows.

    Attributes:
        direction: that of its coefficient; those of its exponents follow.
        logs: what each exponent is multiplied by, -log N or -log D, (blocks, width).
        inside: whether it stands under the outer power, whose exponent has the last direction.
    """

    direction: int
    logs: tuple[Array, ...]
    inside: bool

    def evaluate(
        self, values: list[Array | float], slab: slice
    ) -> tuple[Array | float, Array | float]:
        """Give N^-p D^-q and the whole term for the rows of a slab.

        Args:
            values: of all coefficients and exponents, by direction.
            slab: some blocks.
        """
        coefficient = _of_slab(values[self.direction], slab)
        if not self.logs:
            return 1.0, coefficient
        exponent = _of_slab(values[self.direction + 1], slab) * self.logs[0][slab]
        if len(self.logs) > 1:
            exponent += _of_slab(values[self.direction + 2], slab) * self.logs[1][slab]
        power = np.exp(exponent, out=exponent)
        return power, coefficient * power


class _Rows(NamedTuple):
    """The terms on the rows of a slab.

    Attributes:
        powers: N^-p D^-q of each term, (blocks, width), or 1.
        terms: each term, (blocks, width), or what it is for each block.
        residual: observed minus predicted loss, (blocks, width).
        outer: the power that some of the terms stand under, if there is one.
    """

    powers: list[Array | float]
    terms: list[Array | float]
    residual: Array
    outer: OuterAt | None


class ObjectiveAt:
    """An objective at one theta: coefficients at once, and what else is asked for when it is."""

    @np.errstate(over="ignore", invalid="ignore")
    def __init__(self, objective: Objective, theta: Array) -> None:
        """Evaluate the coefficients and exponents, once for each mixture."""
        self._objective, self._theta = objective, theta
        self._blocks = blocks = objective.blocks
        # Of the coefficients and exponents, each (blocks, 1) or one number.
        self._values: list[Array | float] = []
        # Their derivatives with respect to theta, (mixtures, directions, size).
        self._jacobian = np.zeros((len(blocks.h), len(objective.functions), len(theta)))
        for direction, (function, places) in enumerate(objective.functions):
            own = theta[places]
            if isinstance(function, Constant):
                number, self._jacobian[:, direction, places] = function.number(own)
                self._values.append(number)
            else:
                value, jacobian = function.value(own, blocks.h, blocks.log_h)
                self._jacobian[:, direction, places] = jacobian
                self._values.append(value[blocks.mixture, None])

    @cached_property
    @np.errstate(over="ignore", invalid="ignore")
    def value(self) -> float:
        """The objective."""
        losses = (self._loss(self._rows(slab).residual, slab) for slab in self._blocks.slabs)
        penalty = self._objective.penalty
        return sum(losses) + (0.0 if penalty is None else penalty.value(self._theta))

    @cached_property
    @np.errstate(over="ignore", invalid="ignore")
    def gradient(self) -> Array:
        """Its gradient, (size,), cheaper than that of the model."""
        jacobian = self._jacobian
        slope = np.zeros(jacobian.shape[:2])
        for slab in self._blocks.slabs:
            directions, residual, pull = self._directions(slab)
            sums = np.einsum("dbw,bw->bd", directions, pull * residual)
            first, present = self._blocks.mixtures_in(slab)
            slope[present] -= np.add.reduceat(sums, first)
        gradient: Array = slope.reshape(-1) @ jacobian.reshape(slope.size, -1)
        penalty = self._objective.penalty
        return gradient if penalty is None else gradient + penalty.gradient(self._theta)

    @cached_property
    @np.errstate(over="ignore", invalid="ignore")
    def model(self) -> Quadratic:
        """The gradient and the Gauss-Newton matrix.

        Rows are weighted in the matrix by psi(r) / r, psi being the derivative of the Huber loss:
        for a law linear in theta the model then lies above the objective everywhere.
        """
        _, count, size = self._jacobian.shape
        gram = self._gram
        flat = self._jacobian.reshape(-1, size)
        matrix = flat.T @ (gram[:, :count, :count] @ self._jacobian).reshape(-1, size)
        gradient = -gram[:, :count, count].reshape(-1) @ flat
        penalty = self._objective.penalty
        if penalty is None:
            return Quadratic(gradient, matrix)
        return Quadratic(gradient + penalty.gradient(self._theta), matrix + penalty.matrix)

    @np.errstate(over="ignore", invalid="ignore")
    def by_mixture(self) -> Quadratic:
        """Give what the rows of each mixture add to the model: (m, size) and (m, size, size)."""
        count, jacobian = self._jacobian.shape[1], self._jacobian
        gradient = -np.einsum("md,mds->ms", self._gram[:, :count, count], jacobian)
        matrix = jacobian.transpose(0, 2, 1) @ (self._gram[:, :count, :count] @ jacobian)
        return Quadratic(gradient, matrix)

    @cached_property
    def _gram(self) -> Array:
        """The products of the directions, summed over the rows of each mixture.

        With the residual as one more direction, one product gives gradient and matrix,
        (mixtures, directions + 1, directions + 1).
        """
        mixtures, count, _ = self._jacobian.shape
        gram = np.zeros((mixtures, count + 1, count + 1))
        for slab in self._blocks.slabs:
            directions, residual, pull = self._directions(slab, spare=1)
            directions[count] = residual
            weighted = directions * pull
            products = weighted.transpose(1, 0, 2) @ directions.transpose(1, 2, 0)
            first, present = self._blocks.mixtures_in(slab)
            if len(first) < len(products):
                products = np.add.reduceat(products, first)
            gram[present] += products
        return gram

    def summand_values(self) -> tuple[Array, Array]:
        """Give the observed losses (rows,) and the law's summands (summands, rows), by mixture."""
        used = self._blocks.weight > 0
        rows = self._evaluated(slice(None))
        values, inside = [], False
        for term, value in zip(self._objective.terms, rows.terms, strict=True):
            if not term.inside:
                values.append(value)
            elif rows.outer is not None and not inside:
                inside = True
                values.append(rows.outer.value)
        spread = [np.broadcast_to(value, used.shape)[used] for value in values]
        return self._blocks.loss[used], np.array(spread)

    @cached_property
    def _only_rows(self) -> _Rows:
        """The rows where one slab has them all; those of several would not stay in the cache."""
        return self._evaluated(self._blocks.slabs[0])

    def _rows(self, slab: slice) -> _Rows:
        return self._only_rows if len(self._blocks.slabs) == 1 else self._evaluated(slab)

    def _evaluated(self, slab: slice) -> _Rows:
        """Evaluate the terms on the rows of a slab."""
        residual = self._blocks.loss[slab].copy()
        powers, values = [], []
        inside: Array | float = 0.0
        for term in self._objective.terms:
            power, value = term.evaluate(self._values, slab)
            if term.inside:
                inside = inside + value
            else:
                residual -= value
            powers.append(power)
            values.append(value)
        if self._objective.formula.law.outer is None:
            return _Rows(powers, values, residual, None)
        outer = OuterAt(np.asarray(inside), self._values[-1])
        residual -= outer.value
        return _Rows(powers, values, residual, outer)

    def _directions(self, slab: slice, spare: int = 0) -> tuple[Array, Array, Array]:
        """Give the derivatives of the predictions along the directions.

        Returns:
            The derivatives (directions + spare, blocks, width), the residuals (blocks, width), and
            what a residual is multiplied by to give its derivative in the objective.
        """
        powers, values, residual, outer = self._rows(slab)
        directions = np.empty((len(self._values) + spare, *residual.shape))
        for term, power, value in zip(self._objective.terms, powers, values, strict=True):
            directions[term.direction] = power
            for offset, log_scale in enumerate(term.logs, start=1):
                np.multiply(value, log_scale[slab], out=directions[term.direction + offset])
            if term.inside and outer is not None:
                directions[term.direction : term.direction + 1 + len(term.logs)] *= outer.slope
        if outer is not None:
            directions[len(self._values) - 1] = outer.in_kappa
        size = np.maximum(np.abs(residual), self._objective.delta)
        return directions, residual, self._blocks.weight[slab] / size

    def _loss(self, residual: Array, slab: slice) -> float:
        delta, size = self._objective.delta, np.abs(residual)
        inside = np.minimum(size, delta)
        # This is the Huber loss over delta, without a case.
        size += inside * (inside * (0.5 / delta) - 1.0)
        return float(np.vdot(self._blocks.weight[slab], size))


def _of_slab(value: Array | float, slab: slice) -> Array | float:
    return value if isinstance(value, float) else value[slab]
