"""Which mixtures are trained at which sizes, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import UsageError, parameter
from mixfit.base.numbers import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array

_LEAST_CROSSED = 3
_CROSSED_SHARE = 6  # one mixture in so many is trained at all sizes
_MOST_MIXTURES = 100  # for each domain, that a budget may buy


@dataclass(frozen=True)
class Scales:
    """The sizes of the runs, from the cheapest.

    Attributes:
        sizes: pairs of N and D; one pair of None where both are left to the user.
    """

    sizes: tuple[tuple[float | None, float | None], ...]

    @classmethod
    def of(cls, model_sizes: Sequence[float], tokens: Sequence[float]) -> Scales:
        """Pair model sizes with tokens: one number of tokens for all sizes, or one for each.

        Raises:
            UsageError: the numbers cannot be used.
        """
        for name, numbers in (("model_sizes", model_sizes), ("run_tokens", tokens)):
            for value in numbers:
                if not (value > 0 and np.isfinite(value)):
                    raise UsageError(f"{parameter(name)} {value:g}: it must be a positive number.")
        if len(set(model_sizes)) < len(model_sizes):
            raise UsageError(f"{parameter('model_sizes')}: a size stands twice.")
        if len(tokens) > 1 and len(tokens) != len(model_sizes):
            raise UsageError(
                f"{parameter('run_tokens')} has {len(tokens)} numbers for {len(model_sizes)} model "
                "sizes. Give one for all sizes, or one for each."
            )
        N: Sequence[float | None] = model_sizes or [None]
        D: Sequence[float | None] = tokens or [None]
        pairs = list(zip(N, D if len(D) == len(N) else [D[0]] * len(N), strict=True))
        return cls(tuple(sorted(pairs, key=lambda pair: (pair[0] or 0.0) * (pair[1] or 1.0))))

    @property
    def costs(self) -> list[float] | None:
        """FLOPs of a run of each size, 6 N D, or None where they are not known."""
        known = [6.0 * N * D for N, D in self.sizes if N is not None and D is not None]
        return known if len(known) == len(self.sizes) else None


def crossed_by_default(mixtures: int) -> int:
    """Give how many of the mixtures are trained at all sizes."""
    return min(mixtures, max(_LEAST_CROSSED, -(-mixtures // _CROSSED_SHARE)))


def _others(count: int, costs: Sequence[float]) -> list[int]:
    """Deal mixtures out to the sizes below the largest, more to the cheaper ones."""
    cheap = np.array(costs[:-1])
    shares = (1 / cheap) / (1 / cheap).sum()
    given = np.zeros(len(cheap))
    dealt = []
    for number in range(count):
        place = int(np.argmax(shares * (number + 1) - given))
        given[place] += 1
        dealt.append(place)
    return dealt


def plan_cost(scales: Scales, mixtures: int, crossed: int, replicates: int) -> float:
    """Give the FLOPs of a plan."""
    costs = scales.costs
    assert costs is not None
    cost = crossed * sum(costs) + (replicates - 1) * costs[0]
    if len(costs) == 1:
        return cost + (mixtures - crossed) * costs[0]
    return cost + sum(costs[place] for place in _others(mixtures - crossed, costs))


def mixtures_for(scales: Scales, flops: float, replicates: int, k: int) -> int:
    """Find how many mixtures a budget of FLOPs buys.

    Raises:
        UsageError: none, or the cost of a run is not known.
    """
    _check_budget(scales, flops)
    count = 0
    while count < _MOST_MIXTURES * k:
        more = count + 1
        if plan_cost(scales, more, crossed_by_default(more), replicates) > flops:
            break
        count = more
    if not count:
        raise _too_little(flops, plan_cost(scales, 1, 1, replicates), 1)
    return count


def crossed_for(scales: Scales, mixtures: int, flops: float | None, replicates: int) -> int:
    """Find how many of the mixtures are trained at all sizes, fewer where a budget needs it.

    Raises:
        UsageError: the budget is too small for two, or the cost of a run is not known.
    """
    crossed = crossed_by_default(mixtures)
    if flops is None:
        return crossed
    _check_budget(scales, flops)
    least = min(2, mixtures)
    while crossed > least and plan_cost(scales, mixtures, crossed, replicates) > flops:
        crossed -= 1
    cost = plan_cost(scales, mixtures, crossed, replicates)
    if cost > flops:
        raise _too_little(flops, cost, mixtures)
    return crossed


def _check_budget(scales: Scales, flops: float) -> None:
    if not (flops > 0 and np.isfinite(flops)):
        raise UsageError(f"{parameter('flops_budget')} must be a positive number, such as 1e20.")
    if scales.costs is None:
        raise UsageError(
            f"{parameter('flops_budget')} needs {parameter('model_sizes')} and "
            f"{parameter('run_tokens')}, as a run costs 6 N D."
        )


def _too_little(flops: float, cost: float, mixtures: int) -> UsageError:
    what = "one mixture costs" if mixtures == 1 else f"{mixtures} mixtures cost"
    return UsageError(
        f"{parameter('flops_budget')} {flops:.3g}: {what} {cost:.3g} at the least. Give more, or "
        f"smaller {parameter('model_sizes')}, or fewer {parameter('run_tokens')}."
    )


def assign(scales: Scales, mixtures: Array, crossed: int, central: int) -> list[tuple[int, int]]:
    """Say which mixture is trained at which size.

    Those that are trained at all sizes are the central one and others far from it and from each
    other, so that what N changes and what the mixture changes can be told apart.

    Args:
        scales: the sizes.
        mixtures: (m, k).
        crossed: how many are trained at all sizes.
        central: index of the central mixture.

    Returns:
        Pairs of the index of a mixture and that of a size.
    """
    if len(scales.sizes) == 1:
        return [(index, 0) for index in range(len(mixtures))]
    chosen = [central]
    apart = ((mixtures - mixtures[central]) ** 2).sum(axis=1)
    while len(chosen) < crossed:
        chosen.append(int(np.argmax(apart)))
        np.minimum(apart, ((mixtures - mixtures[chosen[-1]]) ** 2).sum(axis=1), out=apart)
    everywhere = [(index, size) for index in chosen for size in range(len(scales.sizes))]
    rest = [index for index in range(len(mixtures)) if index not in chosen]
    costs = scales.costs or [N or 1.0 for N, _ in scales.sizes]
    return everywhere + list(zip(rest, _others(len(rest), costs), strict=True))


def said(scales: Scales) -> str:
    """Say the sizes in words, such as ``50M, 100M parameters, 4B tokens``; "" where not known."""
    N = ", ".join(short(size) for size, _ in scales.sizes if size is not None)
    lengths = sorted({tokens for _, tokens in scales.sizes if tokens is not None})
    D = ", ".join(short(tokens) for tokens in lengths)
    parts = ([f"{N} parameters"] if N else []) + ([f"{D} tokens"] if D else [])
    return ", ".join(parts)
