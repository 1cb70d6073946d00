"""What is assumed of a law's parameters: that domains, and targets, are not far from each other.

With few mixtures a handful of rows sets each domain's parameters, and pulls them about. The prior
adds to the objective of a target

    strength / 2 * sum over pooled parameters of  pull * sum over domains of (x_i - mean of all x)^2

where x_i is internal: the log of an inner exponent gamma_i, with a pull of 1, and the log of the
value that the function has for domain i alone, such as -log C_i in the mixture term, with a pull of
0.01 there, of 0.1 in a second one, and of 1 in a term that scales with N or D. What the rows say of
a domain they still say; what they do not, it takes from the others.

Across targets it adds, with a strength of its own,

    across / 2 * sum over such parameters of  pull * sum over domains of (x_i - median of x_i)^2

where the median is over the other targets, and a domain that is the target itself counts neither
here nor in the medians of others. Numbers in units of the loss, such as -log C_i, count as
differences from their level over domains, so that each target keeps its own. The exponents of
N and D, one number each, are pulled to their medians likewise.

Rows of two model sizes cannot pin E, A and alpha together. So that what they say of a third is not
left to chance, it adds with a strength of its own, a weak one,

    usual / 2 * sum over alpha and beta of  (log of it - log of what published fits have)^2
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.laws.formula import Formula
    from mixfit.laws.parameters import Param
    from mixfit.laws.pooled import Pool

    Shapes = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Penalty:
    """A quadratic function of theta, half of ``theta matrix theta``, less ``pull theta``, plus one.

    Attributes:
        matrix: positive semidefinite, (size, size).
        pull: (size,).
        constant: what makes its least value 0.
    """

    matrix: Array
    pull: Array
    constant: float = 0.0

    def value(self, theta: Array) -> float:
        """Evaluate at theta, (size,)."""
        return float(0.5 * (theta @ self.matrix @ theta) - self.pull @ theta + self.constant)

    def gradient(self, theta: Array) -> Array:
        """Give the gradient, (size,)."""
        gradient: Array = self.matrix @ theta - self.pull
        return gradient


def pooling(
    formula: Formula,
    pool: Pool,
    centre: Shapes | None = None,
) -> Penalty | None:
    """Give what the prior adds to the objective of a formula; None where that is nothing.

    Args:
        formula: whose parameters say how hard they are pulled (`mixfit.laws.parameters.Param`).
        pool: how hard everything is pulled.
        centre: where the pulls to other targets go, from `centres`.
    """
    matrix, pull, constant = np.zeros((formula.size, formula.size)), np.zeros(formula.size), 0.0
    for param in formula.law.groups:
        places = formula.slices[param.name]
        if pool.domains > 0 and param.pull > 0:
            matrix[places, places] += pool.domains * param.pull * _from_mean(formula.k)
        if pool.usual > 0 and param.usual is not None:
            goal = param.internal(np.array([param.usual]))
            matrix[places, places] += pool.usual
            pull[places] += pool.usual * goal
            constant += 0.5 * pool.usual * float(goal @ goal)
        across = param.across * (pool.targets if param.per_domain else pool.exponents)
        if across > 0 and centre and param.name in centre:
            goal = centre[param.name]
            known = np.flatnonzero(np.isfinite(goal))
            weight = across * (_from_mean(len(known)) if _levelled(param) else np.eye(len(known)))
            own = np.arange(formula.size)[places][known]
            matrix[np.ix_(own, own)] += weight
            pull[own] += weight @ goal[known]
            constant += 0.5 * float(goal[known] @ weight @ goal[known])
    return Penalty(matrix, pull, constant) if matrix.any() else None


# Exponents that published fits and other tables have are apart by as much: a standard deviation of
# their logs.
_APART = 0.5


def redrawn(penalty: Penalty, formula: Formula, pool: Pool, rng: np.random.Generator) -> Penalty:
    """Draw anew what is usual of exponents: nobody knows it well.

    Args:
        penalty: from `pooling`, for the same formula and pool.
        formula: the law.
        pool: how hard everything is pulled.
        rng: of the draw.
    """
    pull, constant = penalty.pull.copy(), penalty.constant
    for param in formula.law.groups:
        if pool.usual > 0 and param.usual is not None:
            goal = param.internal(np.array([param.usual]))
            drawn = goal + _APART * rng.standard_normal(goal.shape)
            pull[formula.slices[param.name]] += pool.usual * (drawn - goal)
            constant += 0.5 * pool.usual * float(drawn @ drawn - goal @ goal)
    return replace(penalty, pull=pull, constant=constant)


def _levelled(param: Param) -> bool:
    """Whether a parameter is in units of the loss, of which each target has its own."""
    return param.per_domain and param.scale


def _from_mean(count: int) -> Array:
    """Give the matrix that takes numbers to their differences from their mean."""
    return np.eye(count) - 1.0 / count


def shapes_of(formula: Formula, theta: Array, own: int | None) -> Shapes:
    """Give what a target lends to others: its internal parameters that are pooled across targets.

    Args:
        formula: of the target's fit.
        theta: its internal parameters, (size,).
        own: which domain the target itself is, if any.

    Returns:
        Parameter to its numbers, (1,) or (k,), NaN for the domain that is the target itself; those
        in units of the loss as differences from their median.
    """
    shapes = {}
    for param in formula.law.groups:
        if param.across > 0:
            numbers = theta[formula.slices[param.name]].copy()
            if _levelled(param):
                numbers -= np.median(numbers)
            if param.per_domain and own is not None:
                numbers[own] = np.nan
            shapes[param.name] = numbers
    return shapes


def centres(lent: Sequence[Shapes]) -> list[Shapes]:
    """Give where each target is pulled to: the medians of what the others lend.

    Args:
        lent: of each target, from `shapes_of`.

    Returns:
        For each target: parameter to numbers, NaN where the target is not pulled.
    """
    goals: list[Shapes] = []
    for index, own in enumerate(lent):
        others = [shapes for other, shapes in enumerate(lent) if other != index]
        goal = {}
        for name, numbers in own.items():
            known = [shapes[name] for shapes in others if name in shapes]
            if known:
                goal[name] = np.where(np.isnan(numbers), np.nan, _median(np.array(known)))
        goals.append(goal)
    return goals


def _median(numbers: Array) -> Array:
    """Give the medians of columns over the rows that are known, NaN where none is."""
    medians = np.full(numbers.shape[1], np.nan)
    known = np.isfinite(numbers).any(axis=0)
    medians[known] = np.nanmedian(numbers[:, known], axis=0)
    return medians


def effective_parameters(formula: Formula, model: Array, penalty: Penalty) -> dict[str, Array]:
    """Tell how much of each number of the pooled parameters the rows decide.

    It is the share that the rows have in the curvature, the diagonal of (G + P)^-1 G. Its sum over
    the domains is the effective number of parameters: k where the prior does nothing, and 1, their
    common level, where domains that are pulled to each other alone are all alike.

    Args:
        formula: that was fitted.
        model: G, the Gauss-Newton matrix of the rows alone at the optimum, (size, size).
        penalty: P.

    Returns:
        Parameter to shares, (1,) or (k,).
    """
    ridge = 1e-12 * model.trace() * np.eye(len(model))
    share = np.diag(np.linalg.solve(model + penalty.matrix + ridge, model))
    pulled = np.diag(penalty.matrix) > 0
    return {
        param.name: share[formula.slices[param.name]]
        for param in formula.law.groups
        if pulled[formula.slices[param.name]].any()
    }
