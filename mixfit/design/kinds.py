"""Ways to choose mixtures: I-optimal, and those of textbooks and of others' swarms."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import UsageError, nearest, parameter
from mixfit.design.criterion import i_optimal, neutral_model
from mixfit.design.region import CANDIDATES, closest_allowed, near_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mixfit.base.arrays import Array
    from mixfit.design.criterion import LinearModel
    from mixfit.design.region import Region

I_OPTIMAL, SPREAD, DIRICHLET, LATTICE = "i-optimal", "spread", "dirichlet", "lattice"
KINDS = (I_OPTIMAL, SPREAD, DIRICHLET, LATTICE)

_STRENGTHS = np.geomspace(0.1, 5.0, 15)  # RegMix's
_LEAST = 2e-4  # RegMix's; smaller weights become 0
_MOST_LISTED = 200_000  # points of a lattice
_TRIES = 6
# How far I-optimal mixtures are drawn from the edges, as a share of the way to the centre. A weight
# near 0 tells the linear model much, and a law, whose slope there is its own, little.
FROM_EDGES = 0.1
_HARDLY_APART = 1e-7


def check_kind(kind: str) -> None:
    """Refuse a kind that there is not.

    Raises:
        UsageError: it is none.
    """
    if kind not in KINDS:
        raise UsageError(
            f"There is no kind '{kind}'.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}."
        )


def choose(
    kind: str,
    region: Region,
    count: int,
    known: Array,
    rng: np.random.Generator,
    *,
    around: Array | None = None,
    models: Sequence[LinearModel] | None = None,
    candidates: Array | None = None,
) -> Array:
    """Choose mixtures in a region, no two alike on its grid.

    Args:
        kind: one of `KINDS`.
        region: to choose from.
        count: how many; a lattice may have fewer.
        known: mixtures (m, k) that are run in any case.
        rng: of all draws.
        around: mixture (k,) that Dirichlet draws are around; left out, the region's centre.
        models: that I-optimal mixtures are to teach; left out, the neutral one.
        candidates: mixtures (n, k) in the region to choose from, if not from all of it; only for
            the first two kinds.

    Returns:
        In whole steps of the grid, (count, k).

    Raises:
        UsageError: a lattice explodes, or the grid has too few mixtures in the region.
    """
    if not count:
        return np.zeros((0, region.k), np.int64)
    if kind == LATTICE:
        return region.on_grid(_lattice(region, count))

    def offered(pull: float) -> Array:
        if candidates is not None:
            return candidates
        drawn = region.draw(max(CANDIDATES, 2 * count), rng)
        return drawn + pull * (region.centre - drawn)

    pick: dict[str, Callable[[int, Array], Array]] = {
        I_OPTIMAL: lambda n, others: _i_optimal(
            offered(FROM_EDGES), n, others, models or [neutral_model(region.k)]
        ),
        SPREAD: lambda n, others: _spread(offered(0.0), n, others, region.centre),
        DIRICHLET: lambda n, _: _dirichlet(region, n, rng, around),
    }
    taken = {tuple(steps) for steps in region.on_grid(known)} if len(known) else set()
    chosen: list[Array] = []
    for _ in range(_TRIES):
        others = np.concatenate([known, *(steps[None] / region.grid for steps in chosen)])
        for steps in region.on_grid(pick[kind](count - len(chosen), others)):
            if tuple(steps) not in taken:
                taken.add(tuple(steps))
                chosen.append(steps)
        if len(chosen) == count:
            return np.array(chosen)
    raise UsageError(
        f"{parameter('mixtures')}: of {count} mixtures only {len(chosen)} differ in the region on "
        f"a grid of 1/{region.grid}. Ask for fewer, widen the region, or give a finer "
        f"{parameter('grid')}."
    )


def _i_optimal(candidates: Array, count: int, known: Array, models: Sequence[LinearModel]) -> Array:
    apart = closest_allowed(candidates)
    while True:
        chosen = i_optimal(models, candidates, count, known, near_to(candidates, apart))
        if len(chosen) == count or apart == 0.0:
            return candidates[chosen]
        # In a small region there is no room for so many that are so far apart.
        apart = apart / 2 if apart > _HARDLY_APART else 0.0


def _spread(candidates: Array, count: int, known: Array, centre: Array) -> Array:
    """Take the candidate that is farthest from all others, again and again."""
    begin = known if len(known) else centre[None]
    nearest_one = np.full(len(candidates), np.inf)
    for h in begin:
        np.minimum(nearest_one, ((candidates - h) ** 2).sum(axis=1), out=nearest_one)
    chosen = []
    for _ in range(count):
        chosen.append(int(np.argmax(nearest_one)))
        away = ((candidates - candidates[chosen[-1]]) ** 2).sum(axis=1)
        np.minimum(nearest_one, away, out=nearest_one)
    return candidates[chosen]


def _dirichlet(region: Region, count: int, rng: np.random.Generator, around: Array | None) -> Array:
    """Draw as RegMix does: around a mixture, from nearly one domain alone to nearly that mixture.

    What falls outside of the region is moved towards its centre until it is inside.
    """
    middle = region.centre if around is None else around
    middle = np.maximum(middle, 1e-6)
    strengths = _STRENGTHS[rng.permutation(count) % len(_STRENGTHS)]
    drawn = np.array([rng.dirichlet(s * middle / middle.sum()) for s in strengths])
    drawn[drawn < _LEAST] = 0.0
    drawn /= drawn.sum(axis=1, keepdims=True)
    return np.array([_into(region, h) for h in drawn])


def _into(region: Region, h: Array) -> Array:
    """Move a mixture (k,) towards the centre until the region has it."""
    polytope, centre = region.polytope, region.centre
    step, share = h - centre, 1.0
    matrix = np.vstack([-np.eye(region.k), np.eye(region.k), -polytope.rows, polytope.rows])
    limit = np.concatenate([-polytope.lower, polytope.upper, -polytope.low, polytope.high])
    towards, room = matrix @ step, np.maximum(limit - matrix @ centre, 0.0)
    blocking = towards > 1e-12
    if blocking.any():
        share = min(1.0, float((room[blocking] / towards[blocking]).min()))
    return centre + share * step


def lattice_points(k: int, divisions: int) -> int:
    """Count the mixtures of k domains whose weights are multiples of 1/divisions.

    >>> lattice_points(3, 2), lattice_points(17, 4)
    (6, 4845)
    """
    return comb(divisions + k - 1, k - 1)


def _lattice(region: Region, count: int) -> Array:
    """Give the finest simplex lattice that has at most so many mixtures in the region.

    It divides what the smallest weights leave, as the paper's grid does.
    """
    best: Array | None = None
    divisions, found = 1, 0
    while lattice_points(region.k, divisions + 1) <= _MOST_LISTED:
        points = np.array([h for h in _points(region, divisions + 1) if _inside(region, h)])
        found = len(points)
        if found > count:
            break
        divisions += 1
        best = points if found else best
    if best is None:
        finer = divisions + 1
        many = found or lattice_points(region.k, finer)
        raise UsageError(
            f"{parameter('kind')} lattice: {region.k} domains in steps of 1/{finer} are {many:,} "
            f"mixtures, and {parameter('mixtures')} is {count}. A lattice explodes with the number "
            f"of domains; take another {parameter('kind')}."
        )
    return best


def _points(region: Region, divisions: int) -> Iterator[Array]:
    """Give the lattice, each point as stars between bars."""
    k, lower = region.k, region.polytope.lower
    rest = 1.0 - lower.sum()
    for bars in combinations(range(divisions + k - 1), k - 1):
        ends = np.array([-1, *bars, divisions + k - 1])
        yield lower + rest * (np.diff(ends) - 1) / divisions


def _inside(region: Region, h: Array) -> bool:
    return region.polytope.violation(h) <= 1e-9
