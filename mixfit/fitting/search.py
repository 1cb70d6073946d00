"""The search for one target's parameters: objective, starts and solver put together."""

from __future__ import annotations

import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from mixfit.fitting.blocks import make_blocks, sampled
from mixfit.fitting.objective import Objective
from mixfit.fitting.prior import pooling
from mixfit.fitting.solvers import LAST_STEPS, SOLVERS, Solution, descend
from mixfit.laws.coefficients import NotContainedError
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import NONE, PooledLaw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.blocks import Blocks
    from mixfit.fitting.options import FitOptions
    from mixfit.fitting.prior import Shapes
    from mixfit.runs.target_rows import TargetRows

# Starts and hops of a table with more rows than this run on so many of them.
_ENOUGH_ROWS = 20_000
# Ridge that keeps the first guess of the terms' sizes near equal shares of the mean loss.
_SHARE_RIDGE = 1e-3
_SMALLEST_SHARE = 0.02
_DRAWS = 20
_PATH_TOLERANCE = 1e-5
_MOST_HOPS = 64  # of a search that is told nothing: those of large laws would never end

# Strengths of the pull between domains, by which a pooled law is followed down.
GRID = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0)


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

    def objective(self, law: PooledLaw, centre: Shapes | None = None) -> Objective:
        """Give the objective of a law, in the form that the rows can tell apart.

        Args:
            law: which must be applicable (see `mixfit.fitting.fit.refusals`).
            centre: where other targets pull the parameters (see `mixfit.fitting.prior.centres`).
        """
        rows = self.rows
        form = law.law.bound(rows.domains, rows.target).identified(
            one_model_size=bool(np.ptp(rows.N) == 0), one_token_count=bool(np.ptp(rows.D) == 0)
        )
        formula = Formula(form, rows.mixtures.shape[1], self._n_unit, self._d_unit)
        penalty = None if law.pool is None else pooling(formula, law.pool, centre)
        return Objective(formula, self._blocks, self.options.of(law.law).delta, penalty)

    def solve(self, law: PooledLaw) -> Solved:
        """Fit a law, each target apart from the others.

        A law that is not pooled is searched for from many starts, among others from the optima of
        the laws that it contains. A pooled one is followed down from where it is pooled hardest.
        """
        if law not in self._solved:
            followed = law.pool is not None and law.law.poolable and law.pool.domains < GRID[0]
            self._solved[law] = self._follow(law) if followed else self._search(law)
        return self._solved[law]

    def _follow(self, law: PooledLaw) -> Solved:
        assert law.pool is not None
        begin = time.perf_counter()
        *_, theta = self.path(law, [*(x for x in GRID if x > law.pool.domains), law.pool.domains])
        objective = self.objective(law)
        solution = Solution(descend(objective, theta, steps=LAST_STEPS), 0)
        # What it starts from counts for itself.
        seconds = time.perf_counter() - begin - self._solved[law.within(GRID[0])].seconds
        return Solved(objective, solution, seconds)

    def _search(self, law: PooledLaw) -> Solved:
        objective, own = self.objective(law), self.options.of(law.law)
        known = []
        for smaller in law.contains:
            inner = self.solve(smaller)
            with suppress(NotContainedError):
                known.append(objective.formula.embedded(inner.formula, inner.theta))
        begin = time.perf_counter()
        # A stream of its own for each target and law: results do not depend on what else is fitted.
        names = (self.rows.target, str(law).removesuffix(f":{NONE}"))
        rng = np.random.default_rng([self.options.seed, *(zlib.crc32(n.encode()) for n in names)])
        blocks = sampled(self._blocks, _ENOUGH_ROWS, rng)
        rough = objective if blocks is self._blocks else replace(objective, blocks=blocks)
        solution = SOLVERS[own.solver](
            objective,
            partial(draw_start, rough),
            known,
            rng=rng,
            restarts=own.restarts,
            hops=_hops(objective.formula, law) if own.hops is None else own.hops,
            rough=rough,
        )
        if law.pool is None:
            # Nothing tells exchangeable terms apart, so that they are put in an order.
            theta = objective.formula.ordered(solution.point.theta)
            solution = replace(solution, point=replace(solution.point, theta=theta))
        return Solved(objective, solution, time.perf_counter() - begin)

    def path(
        self,
        law: PooledLaw,
        strengths: Sequence[float],
        *,
        start: Array | None = None,
        tolerance: float = _PATH_TOLERANCE,
    ) -> list[Array]:
        """Follow the optimum of a law from where it is pooled hardest, each the start of the next.

        Where all domains are nearly alike there are few local minima, and what is reached from
        there predicts other mixtures better than a lower minimum elsewhere.

        Args:
            law: that can be pooled.
            strengths: of the pull between domains, falling from `GRID[0]` or more.
            start: internal parameters to start from; None to search for the first optimum.
            tolerance: of each descent (see `mixfit.fitting.solvers.descend`).

        Returns:
            Internal parameters of the law's objective for each.
        """
        theta = self.solve(law.within(GRID[0])).theta if start is None else start
        thetas = [theta] if start is None else []
        for strength in strengths[len(thetas) :]:
            objective = replace(self.objective(law.within(strength)), blocks=self.rough_blocks)
            here = descend(objective, theta, tolerance=tolerance)
            theta, exchanged = here.theta, objective.formula.ordered(here.theta)
            # The pull on exchangeable terms differs, so that the other way round may be lower.
            moved = not np.array_equal(exchanged, theta)
            if moved and objective.at(exchanged).value < here.value:
                theta = descend(objective, exchanged, tolerance=tolerance).theta
            thetas.append(theta)
        return thetas

    @cached_property
    def rough_blocks(self) -> Blocks:
        """The rows, of large tables some of each mixture."""
        names = [zlib.crc32(name.encode()) for name in (self.rows.target, "path")]
        return sampled(
            self._blocks, _ENOUGH_ROWS, np.random.default_rng([self.options.seed, *names])
        )

    def seconds(self, law: PooledLaw) -> float:
        """Give the time that a law that is solved took, with those that it contains."""
        wanted, counted = [law], set[PooledLaw]()
        while wanted:
            last = wanted.pop()
            counted.add(last)
            wanted += last.contains
        return sum(self._solved[each].seconds for each in counted if each in self._solved)


def _hops(formula: Formula, law: PooledLaw) -> int:
    """Give how many hops in a row must find nothing lower: as many as there are parameters.

    What all domains have alike counts once, since a law is pooled hardest where it is searched for.
    """
    return min(formula.size if law.pool is None else formula.law.count(1), _MOST_HOPS)


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
