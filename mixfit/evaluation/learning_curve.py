"""From a comparison to held-out errors by the number of mixtures fitted (the paper's Fig. 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import UsageError
from mixfit.evaluation.comparison import TEST
from mixfit.evaluation.evaluate import ALL_SIZES

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.evaluation.comparison import Comparison

_LABEL = re.compile(r"q=(\d+)")  # as `mixfit.runs.splits.split_learning_curve` writes it


class Quartiles(NamedTuple):
    """How the error of a law falls with the number of mixtures.

    Attributes:
        mixtures: how many were fitted, (points,), ascending.
        low: lower quartile of the draws' errors, (points,), in percent.
        median: of them.
        high: their upper quartile.
    """

    mixtures: Array
    low: Array
    median: Array
    high: Array


def learning_curves(comparison: Comparison, target: str) -> dict[str, Quartiles]:
    """Give law to its curve; a law that is not applicable has none.

    Args:
        comparison: on splits by `mixfit.runs.splits.split_learning_curve`.
        target: one of its targets, or `mixfit.evaluation.comparison.AVERAGE`.

    Raises:
        UsageError: the comparison is on other splits.
    """
    counts = {column: _LABEL.fullmatch(column) for column in comparison.columns}
    numbers = {column: int(match.group(1)) for column, match in counts.items() if match}
    if len(numbers) < len(counts):
        raise UsageError(
            "A curve by the number of mixtures needs splits that fit several numbers of them"
            " (split_learning_curve)."
        )
    errors: dict[str, dict[int, dict[int, float]]] = {}
    for figure in comparison.figures:
        if figure.split == TEST and figure.target == target:
            of_law = errors.setdefault(figure.law, {}).setdefault(numbers[figure.column], {})
            # Of all sizes, where there are several; else of the only one.
            whole = figure.model_size is ALL_SIZES
            if figure.fold not in of_law or whole:
                of_law[figure.fold] = figure.score.mre
    curves = {}
    for law, by_number in errors.items():
        mixtures = sorted(by_number)
        draws = [list(by_number[q].values()) for q in mixtures]
        quartiles = np.array([np.quantile(each, [0.25, 0.5, 0.75]) for each in draws]).T
        curves[law] = Quartiles(np.array(mixtures, dtype=float), *quartiles)
    return curves
