"""What is assumed of a law's parameters: that the domains' are not far from each other.

With few mixtures a handful of rows sets each domain's parameters, and pulls them about. The prior
adds to the objective

    strength / 2 * sum over pooled parameters of  pull * sum over domains of (x_i - mean of all x)^2

where x_i is internal: the log of an inner exponent gamma_i, with a pull of 1, and the log of the
value that the function has for domain i alone, such as -log C_i in the mixture term, with a pull of
0.01 there and of 1 in a term that scales with N or D. What the rows say of a domain they still say;
what they do not, it takes from the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.laws.formula import Formula


@dataclass(frozen=True, eq=False)
class Penalty:
    """A quadratic function of theta, half of ``theta matrix theta``.

    Attributes:
        matrix: positive semidefinite, (size, size).
    """

    matrix: Array

    def value(self, theta: Array) -> float:
        """Evaluate at theta, (size,)."""
        return 0.5 * float(theta @ self.matrix @ theta)

    def gradient(self, theta: Array) -> Array:
        """Give the gradient, (size,)."""
        gradient: Array = self.matrix @ theta
        return gradient


def pooling(formula: Formula, strength: float) -> Penalty | None:
    """Give what the prior adds to the objective of a formula; None where that is nothing.

    Args:
        formula: whose parameters say how hard they are pulled (`mixfit.laws.parameters.Param`).
        strength: of all pulls.
    """
    pulled = [param for param in formula.law.groups if param.pull > 0]
    if strength == 0 or not pulled:
        return None
    matrix = np.zeros((formula.size, formula.size))
    from_mean = np.eye(formula.k) - 1.0 / formula.k
    for param in pulled:
        places = formula.slices[param.name]
        matrix[places, places] = strength * param.pull * from_mean
    return Penalty(matrix)


def effective_parameters(formula: Formula, model: Array, penalty: Penalty) -> dict[str, float]:
    """Tell how many numbers of each pooled parameter the rows decide, of k.

    It is the trace of the share that the rows have in the curvature, (G + P)^-1 G, over the places
    of the parameter: k where the prior does nothing, and 1, their common level, where it does all.

    Args:
        formula: that was fitted.
        model: G, the Gauss-Newton matrix of the rows alone at the optimum, (size, size).
        penalty: P.
    """
    ridge = 1e-12 * model.trace() * np.eye(len(model))
    share = np.diag(np.linalg.solve(model + penalty.matrix + ridge, model))
    return {
        param.name: float(share[formula.slices[param.name]].sum())
        for param in formula.law.groups
        if param.pull > 0
    }
