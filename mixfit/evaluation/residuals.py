"""Observed and predicted losses side by side: fitted rows and unseen ones, residuals and trends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.evaluation.evaluate import score_of
from mixfit.runs.transforms import undone

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.evaluation.evaluate import Evaluation, Score

FITTED, UNSEEN, ALL = "fitted", "unseen", "all"
_NEAR = 0.01  # of the range of x, within which values count as one


@dataclass(frozen=True, eq=False)
class Points:
    """The observed and predicted losses of one target, or of the mean over targets.

    Attributes:
        rows: the rows (p,) of the runs that have the loss.
        observed: losses (p,).
        predicted: losses (p,).
        parts: `FITTED` and `UNSEEN` to the points (p,) that are such, or `ALL` to all where it is
            not known which rows were fitted; none without points.
        scores: of the parts.
        transform: what the losses are in place of the target's values, None if they are these.
    """

    rows: Indices
    observed: Array
    predicted: Array
    parts: dict[str, Mask]
    scores: dict[str, Score]
    transform: str | None = None

    def as_logged(self) -> tuple[Array, Array]:
        """Give what was observed and what is predicted, each (p,), as the target was logged."""
        return undone(self.observed, self.transform), undone(self.predicted, self.transform)

    @property
    def residuals(self) -> Array:
        """(prediction - observation) / observation, (p,), in percent."""
        return 100.0 * (self.predicted - self.observed) / self.observed


def points_of(evaluation: Evaluation, target: str | None = None) -> Points:
    """Give the losses of a target, or the means over targets of the rows that have them all."""
    if target is None:
        observed = np.column_stack([evaluation.runs.losses_of(t) for t in evaluation.targets])
        every = observed.mean(axis=1)
        predicted = np.mean([evaluation.predicted[t] for t in evaluation.targets], axis=0)
    else:
        every, predicted = evaluation.runs.losses_of(target), evaluation.predicted[target]
    rows = np.flatnonzero(~np.isnan(every))
    observed, predicted = every[rows], predicted[rows]
    parts = {ALL: np.ones(len(rows), dtype=bool)}
    if evaluation.fitted is not None:
        fitted = evaluation.fitted[rows]
        parts = {FITTED: fitted, UNSEEN: ~fitted}
    parts = {name: own for name, own in parts.items() if own.any()}
    scores = {name: score_of(predicted[own], observed[own]) for name, own in parts.items()}
    transform = None if target is None else evaluation.transforms.get(target)
    return Points(rows, observed, predicted, parts, scores, transform)


def part_scores(evaluation: Evaluation) -> dict[str, dict[str, Score]]:
    """Give part, such as `UNSEEN`, to target to score; parts without rows are not there."""
    scores: dict[str, dict[str, Score]] = {}
    for target in evaluation.targets:
        for part, score in points_of(evaluation, target).scores.items():
            scores.setdefault(part, {})[target] = score
    return scores


class Trend(NamedTuple):
    """How a quantity goes with another: over groups of points with near values of it.

    Attributes:
        x: mean of each group, (groups,), ascending.
        low: lower quartile of the quantity in each group.
        median: of the quantity in each group.
        high: upper quartile of the quantity in each group.
    """

    x: Array
    low: Array
    median: Array
    high: Array


def trend(x: Array, y: Array, most: int = 8) -> Trend:
    """Find how y goes with x, each (p,), by groups of about as many points.

    Points with nearly one x are in one group; where x has few values, each is a group.
    """
    values = np.unique(x)
    starts = [0]
    while (
        end := np.searchsorted(values, values[starts[-1]] + _NEAR * np.ptp(values), "right")
    ) < len(values):
        starts.append(int(end))
    group = np.searchsorted(values[starts], x, "right") - 1
    counts = np.bincount(group)
    if len(counts) > most:
        middle = (np.cumsum(counts) - counts / 2) / len(x)
        group = np.minimum((middle * most).astype(int), most - 1)[group]
    groups = [group == number for number in np.unique(group)]
    quartiles = np.array([np.quantile(y[own], [0.25, 0.5, 0.75]) for own in groups])
    means = np.array([x[own].mean() for own in groups])
    return Trend(means, *quartiles.T)
