"""How the best mixture moves as N and D grow together at chosen speeds (the paper's Fig. 10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import UsageError, parameter
from mixfit.base.shown import Drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixfit.base.arrays import Array
    from mixfit.mixture.planner import Planner
    from mixfit.mixture.result import Mixture


class Speed(NamedTuple):
    """How N and D grow with t, from 1.

    Attributes:
        name: in words.
        N: factor of N as a function of t.
        D: factor of D.
    """

    name: str
    N: Callable[[Array], Array]
    D: Callable[[Array], Array]


def _same(t: Array) -> Array:
    return t


def _constant(t: Array) -> Array:
    return np.ones_like(t)


def _logarithm(t: Array) -> Array:
    return 1.0 + np.log(t)


SPEEDS = (
    Speed("N and D as t", _same, _same),
    Speed("N as t, D as √t", _same, np.sqrt),
    Speed("N as √t, D as t", np.sqrt, _same),
    Speed("N as t, D as log t", _same, _logarithm),
    Speed("N as t, D constant", _same, _constant),
    Speed("N constant, D as t", _constant, _same),
)


@dataclass(frozen=True, eq=False)
class Growth(Drawn):
    """The best mixtures along several ways to grow.

    Attributes:
        t: from 1, (points,).
        ways: name of a speed to the best mixture at each t.
    """

    t: Array
    ways: dict[str, tuple[Mixture, ...]]

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the k domains."""
        return next(iter(self.ways.values()))[0].domains


def grow(
    planner: Planner,
    model_size: float,
    tokens: float,
    *,
    speeds: Sequence[Speed] = SPEEDS,
    most: float = 1000.0,
    points: int = 9,
) -> Growth:
    """Find the best mixtures as N and D grow from a budget.

    Args:
        planner: with the targets and constraints.
        model_size: N at the start.
        tokens: D at the start.
        speeds: at which they grow.
        most: the largest t.
        points: of each way, at even steps of log t.

    Raises:
        UsageError: a number is of no use, or the constraints cannot hold at one of the budgets.
    """
    if not most > 1 or points < 2:
        raise UsageError(f"{parameter('most')} must be over 1, {parameter('points')} 2 or more.")
    t = np.geomspace(1.0, most, points)
    ways = {}
    for speed in speeds:
        found: list[Mixture] = []
        for N, D in zip(model_size * speed.N(t), tokens * speed.D(t), strict=True):
            near = [mixture.weights for mixture in found[-1:]]
            found.append(planner.question.at(float(N), float(D)).best(near))
        ways[speed.name] = tuple(found)
    return Growth(t, ways)
