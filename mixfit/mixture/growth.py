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

_MOST_POWER = 3.0
_CONSTANT = "constant"


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

    @classmethod
    def of(cls, text: str) -> Speed:
        """Take the powers of t with which N and D grow, or log for 1 + log t.

        >>> Speed.of("1:0.5").name, Speed.of("1:log").name, Speed.of("0.7:0").name
        ('N as t, D as √t', 'N as t, D as 1 + log t', 'N as t^0.7, D constant')

        Raises:
            UsageError: it is not two such, or nothing grows.
        """
        ways = [_way(part) for part in text.split(":")]
        known = [way for way in ways if way is not None]
        if not len(ways) == len(known) == 2 or {words for words, _ in known} == {_CONSTANT}:
            raise UsageError(
                f"{parameter('speeds')} '{text}': write how N and D grow with t, as powers of t"
                f" from 0 to {_MOST_POWER:g}, or log, such as 1:0.5 for N as t and D as its root."
            )
        (of_N, N), (of_D, D) = known
        return cls(f"N and D {of_N}" if of_N == of_D else f"N {of_N}, D {of_D}", N, D)


def _way(text: str) -> tuple[str, Callable[[Array], Array]] | None:
    """Give a power of t, or log, in words and as a function; None where it is neither."""
    if text == "log":
        return "as 1 + log t", _logarithm
    try:
        power = float(text)
    except ValueError:
        return None
    if not 0 <= power <= _MOST_POWER:
        return None
    words = {0.0: _CONSTANT, 0.5: "as √t", 1.0: "as t"}.get(power, f"as t^{power:g}")
    return words, lambda t: t**power


def _logarithm(t: Array) -> Array:
    return 1.0 + np.log(t)


SPEEDS = tuple(Speed.of(text) for text in ("1:1", "1:0.5", "0.5:1", "1:log", "1:0", "0:1"))


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
