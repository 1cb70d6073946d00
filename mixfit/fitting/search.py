"""The search for one target's parameters: objective, starts and solver put together."""

from __future__ import annotations

import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mixfit.fitting.blocks import make_blocks, sampled
from mixfit.fitting.objective import Objective
from mixfit.fitting.solvers import SOLVERS, Solution, descend
from mixfit.laws.coefficients import NotContainedError
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import PooledLaw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import FitOptions
    from mixfit.laws.law import Law
    from mixfit.runs.target_rows import TargetRows

# Starts and hops of a table with more rows than this run on so many of them.
_ENOUGH_ROWS = 20_000
# Ridge that keeps the first guess of the terms' sizes near equal shares of the mean loss.
_SHARE_RIDGE = 1e-3
_SMALLEST_SHARE = 0.02
_DRAWS = 20
_PATH_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Solved:
    """A law fitted to the rows of a target.

    Attributes:
        objective: what was minimised, as a function of internal parameters.
        solution: where the search ended.
        seconds: that it took, without the laws that it started from.
    """

    objective: Objective
    solution: Solution
    seconds: float

    @property
    def formula(self) -> Formula:
        """The law in the form that the rows can tell apart, with its layout of theta."""
        return self.objective.formula

    @property
    def theta(self) -> Array:
        """The internal parameters, (size,)."""
        return self.solution.point.theta


class TargetSearch:
    """The search for one target's parameters, from the smallest law contained to the one wanted.

    What several laws contain in common is solved once; a law's result does not depend on which
    others are asked for.
    """

    def __init__(self, rows: TargetRows, options: FitOptions) -> None:
        """Sort the rows by mixture.

        Args:
            rows: to be fitted.
            options: how.
        """
        self.rows, self.options = rows, options
        log_N, log_D = np.log(rows.N), np.log(rows.D)
        self._n_unit, self._d_unit = float(np.exp(log_N.mean())), float(np.exp(log_D.mean()))
        self._blocks = make_blocks(
            log_N - np.log(self._n_unit),
            log_D - np.log(self._d_unit),
            rows.loss,
            rows.mixture,
            rows.mixtures,
        )
        self._solved: dict[PooledLaw, Solved] = {}

    def objective(self, law: PooledLaw) -> Objective:
        """Give the objective of a law, in the form that the rows can tell apart.

        Args:
            law: which must be applicable (see `mixfit.fitting.fit.refusals`).
        """
        rows = self.rows
        form = law.law.bound(rows.domains, rows.target).identified(
            one_model_size=bool(np.ptp(rows.N) == 0), one_token_count=bool(np.ptp(rows.D) == 0)
        )
        formula = Formula(form, rows.mixtures.shape[1], self._n_unit, self._d_unit)
        delta = self.options.of(law.law).delta
        return Objective(formula, self._blocks, delta, law.pool or 0.0)

    def solve(self, law: PooledLaw) -> Solved:
        """Fit a law, starting among others from the optima of those that it contains."""
        if law not in self._solved:
            self._solved[law] = self._search(law)
        return self._solved[law]

    def _search(self, law: PooledLaw) -> Solved:
        objective, own = self.objective(law), self.options.of(law.law)
        known = []
        for smaller in law.contains:
            inner = self.solve(smaller)
            with suppress(NotContainedError):
                known.append(objective.formula.embedded(inner.formula, inner.theta))
        begin = time.perf_counter()
        # A stream of its own for each target and law: results do not depend on what else is fitted.
        names = (self.rows.target, str(law))
        rng = np.random.default_rng([self.options.seed, *(zlib.crc32(n.encode()) for n in names)])
        blocks = sampled(self._blocks, _ENOUGH_ROWS, rng)
        rough = objective if blocks is self._blocks else replace(objective, blocks=blocks)
        solution = SOLVERS[own.solver](
            objective,
            partial(draw_start, rough),
            known,
            rng=rng,
            restarts=own.restarts,
            hops=objective.formula.size if own.hops is None else own.hops,
            rough=rough,
        )
        return Solved(objective, solution, time.perf_counter() - begin)

    def path(self, law: Law, strengths: Sequence[float]) -> list[Array]:
        """Follow the optimum of a law from where it is pooled hardest, each the start of the next.

        Where all domains are nearly alike there are few local minima, and what is reached from
        there predicts other mixtures better than a lower minimum elsewhere.

        Args:
            law: that can be pooled.
            strengths: falling.

        Returns:
            Internal parameters of the law's objective for each.
        """
        theta = self.solve(PooledLaw(law, strengths[0])).theta
        thetas = [theta]
        for strength in strengths[1:]:
            objective = self.objective(PooledLaw(law, strength))
            theta = descend(objective, theta, tolerance=_PATH_TOLERANCE).theta
            thetas.append(theta)
        return thetas

    def seconds(self, law: PooledLaw) -> float:
        """Give the time that a law that is solved took, with those that it contains."""
        wanted, counted = [law], set[PooledLaw]()
        while wanted:
            last = wanted.pop()
            counted.add(last)
            wanted += last.contains
        return sum(self._solved[each].seconds for each in counted)


def draw_start(objective: Objective, rng: np.random.Generator) -> Array:
    """Draw parameters at random, and fit the sizes of the terms to the losses.

    Returns:
        Internal parameters, (size,).
    """
    formula = objective.formula
    for _ in range(_DRAWS):
        theta = formula.random(rng)
        loss, values = objective.at(theta).summand_values()
        # A factor cannot mend a term that is below 0, as sums with coefficients of both signs may.
        if np.all(values.mean(axis=1) > 0):
            break
    else:
        return theta
    shapes = values / values.mean(axis=1, keepdims=True)
    count = len(shapes)
    equal = np.full(count, loss.mean() / count)
    normal = shapes @ shapes.T / len(loss) + _SHARE_RIDGE * np.eye(count)
    shares = equal + np.linalg.solve(normal, shapes @ (loss - equal @ shapes) / len(loss))
    shares = np.maximum(shares, _SMALLEST_SHARE * loss.mean())
    return formula.rescaled(theta, shares / values.mean(axis=1))
