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
from mixfit.fitting.solvers import SOLVERS, descend
from mixfit.laws.coefficients import NotContainedError
from mixfit.laws.formula import Formula
from mixfit.laws.old_text import parse_law, with_shrinkage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import FitOptions
    from mixfit.fitting.solvers import Point, Solution
    from mixfit.runs.runs import Runs

# Starts and hops of a table with more rows than this run on so many of them.
_ENOUGH_ROWS = 20_000
# Ridge that keeps the first guess of the terms' sizes near equal shares of the mean loss.
_SHARE_RIDGE = 1e-3
_SMALLEST_SHARE = 0.02
_DRAWS = 20
_PATH_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class TargetTask:
    """The rows that have a loss for one target, and the laws to fit to them.

    It can be pickled; see `target_task` for one made from runs, and `fit_target` for what is done.

    Attributes:
        target: its name.
        laws: names of laws, with their shrinkage if any (see `mixfit.laws.catalogue.parse_law`),
            which must all be applicable (see `mixfit.fitting.fit.refusals`).
        options: how they are fitted.
        domains: in the order of the columns of h.
        N: model sizes in parameters, (rows,).
        D: training lengths in tokens, (rows,).
        loss: (rows,).
        mixture: (rows,) index into the mixtures.
        mixtures: (m, k).
    """

    target: str
    laws: tuple[str, ...]
    options: FitOptions
    domains: tuple[str, ...]
    N: Array
    D: Array
    loss: Array
    mixture: NDArray[np.intp]
    mixtures: Array


def target_task(runs: Runs, target: str, laws: tuple[str, ...], options: FitOptions) -> TargetTask:
    """Take the rows of runs that have a loss for a target.

    Args:
        runs: the rows.
        target: one of theirs.
        laws: names in `mixfit.laws.catalogue.CATALOGUE`.
        options: how the laws are fitted.
    """
    loss = runs.losses_of(target)
    rows = np.flatnonzero(~np.isnan(loss))
    return TargetTask(
        target=target,
        laws=laws,
        options=options,
        domains=runs.domains,
        N=runs.N[rows],
        D=runs.D[rows],
        loss=loss[rows],
        mixture=runs.mixture[rows],
        mixtures=runs.mixtures,
    )


class TargetSearch:
    """The search for one target's parameters, from the smallest law contained to the one wanted."""

    def __init__(self, task: TargetTask) -> None:
        self.task = task
        log_N, log_D = np.log(task.N), np.log(task.D)
        self._n_unit, self._d_unit = float(np.exp(log_N.mean())), float(np.exp(log_D.mean()))
        self._blocks = make_blocks(
            log_N - np.log(self._n_unit),
            log_D - np.log(self._d_unit),
            task.loss,
            task.mixture,
            task.mixtures,
        )
        self._solved: dict[str, tuple[Objective, Solution]] = {}
        self._seconds: dict[str, float] = {}

    def objective(self, name: str) -> Objective:
        """Give the objective of a law, in the form that the rows can tell apart.

        Args:
            name: of the law, with its shrinkage if any (see `mixfit.laws.catalogue.parse_law`);
                infinite shrinkage gives the tied law.
        """
        task = self.task
        law, shrink = parse_law(name)
        assert not isinstance(shrink, str), "a shrinkage is chosen before a search"
        tied = shrink == np.inf
        form = law.bound(task.domains, task.target).identified(
            one_model_size=bool(np.ptp(task.N) == 0), one_token_count=bool(np.ptp(task.D) == 0)
        )
        if tied:
            form = form.tied()
        formula = Formula(form, task.mixtures.shape[1], self._n_unit, self._d_unit)
        return Objective(
            formula, self._blocks, task.options.delta, 0.0 if tied else float(shrink or 0.0)
        )

    def solve(self, name: str) -> tuple[Objective, Solution]:
        """Fit a law, starting among others from the optima of those that it contains.

        Args:
            name: of the law, with its shrinkage if any (see `mixfit.laws.catalogue.parse_law`).
        """
        if name in self._solved:
            return self._solved[name]
        objective, options = self.objective(name), self.task.options
        law, shrink = parse_law(name)
        known = []
        for smaller in self._contained(name):
            inner, optimum = self.solve(smaller)
            with suppress(NotContainedError):
                known.append(objective.formula.embedded(inner.formula, optimum.point.theta))
        begin = time.perf_counter()
        # A stream of its own for each target and law: results do not depend on what else is fitted.
        names = (self.task.target, name)
        rng = np.random.default_rng([options.seed, *(zlib.crc32(n.encode()) for n in names)])
        blocks = sampled(self._blocks, _ENOUGH_ROWS, rng)
        rough = objective if blocks is self._blocks else replace(objective, blocks=blocks)
        solution = SOLVERS[options.solver](
            objective,
            partial(draw_start, rough),
            known,
            rng=rng,
            restarts=options.restarts,
            hops=objective.formula.size if options.hops is None else options.hops,
            rough=rough,
        )
        if shrink == np.inf:  # the tied law has the parameters of the free one, all alike
            free = self.objective(law.name)
            theta = free.formula.embedded(objective.formula, solution.point.theta)
            objective = free
            solution = replace(solution, point=replace(solution.point, theta=theta))
        self._seconds[name] = time.perf_counter() - begin
        self._solved[name] = objective, solution
        return objective, solution

    def path(self, name: str, shrinks: Sequence[float]) -> list[Array]:
        """Follow the optimum of a law over shrinkages, each the start of the next.

        The path is followed from the tied law down and from the free law up, as either may lead
        into a worse optimum; the lower one counts.

        Args:
            name: of the law.
            shrinks: falling, from infinity to 0.

        Returns:
            Internal parameters of `objective(name)` for each.
        """
        between = [self.objective(with_shrinkage(name, shrink)) for shrink in shrinks[1:-1]]
        tied = self.solve(with_shrinkage(name, shrinks[0]))[1].point
        free = self.solve(with_shrinkage(name, shrinks[-1]))[1].point
        down = _follow(between, tied)
        up = _follow(between[::-1], free)[::-1]
        lower = [min(pair, key=lambda point: point.value) for pair in zip(down, up, strict=True)]
        return [tied.theta, *(point.theta for point in lower), free.theta]

    def _contained(self, name: str) -> tuple[str, ...]:
        law, shrink = parse_law(name)
        if shrink is None or shrink == np.inf:
            return tuple(smaller.name for smaller in law.contains)
        return (with_shrinkage(law.name, np.inf), *(smaller.name for smaller in law.contains))

    def refit(self, name: str, params: Mapping[str, Array], mixture_weights: Array) -> Point:
        """Follow an optimum to where it goes when the mixtures weigh otherwise.

        One descent from the parameters given, on the same rows: what resampling by mixture needs.

        Args:
            name: of the law.
            params: natural parameters of the optimum for equal weights.
            mixture_weights: how often each mixture counts, (mixtures,) in the order of the task.
        """
        objective = self.objective(name)
        present = np.unique(self.task.mixture)
        blocks = self._blocks.reweighted(mixture_weights[present])
        return descend(replace(objective, blocks=blocks), objective.formula.internal(params))

    def seconds(self, name: str) -> float:
        """Give the time that a law that is solved took, with those that it contains."""
        wanted, found = [name], set[str]()
        while wanted:
            law = wanted.pop()
            found.add(law)
            wanted += self._contained(law)
        return sum(self._seconds[law] for law in found)


def _follow(problems: Sequence[Objective], point: Point) -> list[Point]:
    found = []
    for problem in problems:
        point = descend(problem, point.theta, tolerance=_PATH_TOLERANCE)
        found.append(point)
    return found


def draw_start(objective: Objective, rng: np.random.Generator) -> Array:
    """Draw parameters at random, and fit the sizes of the terms to the losses.

    Returns:
        Internal parameters, (size,).
    """
    formula = objective.formula
    for _ in range(_DRAWS):
        theta = formula.random(rng)
        loss, values = objective.term_values(theta)
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
