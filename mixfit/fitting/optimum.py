"""A target of a fit with what is needed to fit it again from where it is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.fitting.pooling import goals_of
from mixfit.fitting.search import TargetSearch
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.fitting.discrepancy import Discrepancy
    from mixfit.fitting.objective import Objective
    from mixfit.fitting.options import FitOptions
    from mixfit.fitting.prior import Shapes
    from mixfit.fitting.result import Fit
    from mixfit.laws.pooled import PooledLaw
    from mixfit.runs.runs import Runs

_CONCENTRATION = 1.0  # of the Dirichlet distribution: that of the Bayesian bootstrap


@dataclass(frozen=True, eq=False)
class Optimum:
    """A target of a fit with what is needed to fit it again from where it is.

    Attributes:
        rows: that were fitted.
        law: with the strengths of pooling.
        goal: where other targets pull it, if they do.
        params: its natural parameters.
        options: of the fit.
        discrepancy: what its law leaves, if that is added to predictions.
    """

    rows: TargetRows
    law: PooledLaw
    goal: Shapes | None
    params: dict[str, Array]
    options: FitOptions
    discrepancy: Discrepancy | None

    def objective(self, rows: TargetRows | None = None) -> tuple[Objective, Array]:
        """Give what was minimised, on its rows or on others, and the internal parameters."""
        search = TargetSearch(self.rows if rows is None else rows, self.options)
        objective = replace(search.objective(self.law, self.goal), blocks=search.rough_blocks)
        names = [param.name for param in objective.formula.law.groups]
        theta = objective.formula.internal({name: self.params[name] for name in names})
        lower, upper = objective.bounds
        return objective, np.clip(theta, lower, upper)


def optima(fit: Fit, runs: Runs) -> list[Optimum]:
    """Give the targets of a fit with what is needed to fit them again.

    Args:
        fit: made on these runs.
        runs: the rows that were fitted.
    """
    rows = [TargetRows.of(runs, target) for target in fit.targets]
    goals: list[Shapes | None] = [None for _ in rows]
    if fit.law.pool is not None and fit.law.pool.across and len(rows) > 1:
        formulas, thetas = zip(*(own.formula() for own in fit.targets.values()), strict=True)
        goals = [*goals_of(rows, formulas, thetas)]
    return [
        Optimum(
            rows=own,
            law=fit.law,
            goal=goal,
            params=target.params,
            options=fit.options,
            discrepancy=target.discrepancy,
        )
        for own, goal, target in zip(rows, goals, fit.targets.values(), strict=True)
    ]


def weights_of(mixtures: int, count: int, seed: int) -> Array:
    """Draw weights on mixtures, (count, mixtures), of mean 1."""
    rng = np.random.default_rng([seed, zlib.crc32(b"resamples")])
    return mixtures * rng.dirichlet(np.full(mixtures, _CONCENTRATION), count)


def weighted(objective: Objective, rows: TargetRows, weights: Array) -> Objective:
    """Give an objective with other weights on the mixtures.

    Args:
        objective: made of these rows.
        rows: the rows.
        weights: of all mixtures of the runs, (mixtures,).
    """
    blocks = objective.blocks
    present = np.unique(rows.mixture)
    weight = blocks.weight * weights[present][blocks.mixture, None]
    return replace(objective, blocks=replace(blocks, weight=weight / weight.sum()))
