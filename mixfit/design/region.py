"""The mixtures that may be trained, and those that everyone wants among them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import UsageError, parameter
from mixfit.mixture.constraints import Constraints, feasible_polytope, linear_items
from mixfit.simplex.grid import to_steps
from mixfit.simplex.sampling import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixfit.base.arrays import Array, Mask
    from mixfit.mixture.constraints import Item
    from mixfit.simplex.polytope import Polytope

CANDIDATES = 1000
_NEAR = 0.1  # of the median distance of two mixtures: nearer ones are as good as one
_LARGEST_GRID = 10**9


@dataclass(frozen=True, eq=False)
class Region:
    """The mixtures that obey what was asked for.

    Attributes:
        domains: names of the k domains.
        items: what was asked for.
        polytope: the mixtures that obey it.
        grid: weights are multiples of 1/grid.
    """

    domains: tuple[str, ...]
    items: tuple[Item, ...]
    polytope: Polytope
    grid: int

    @classmethod
    def of(
        cls,
        domains: Sequence[str],
        constraints: Constraints | None = None,
        tokens: float | None = None,
        grid: int = 10**6,
    ) -> Region:
        """Gather what was asked for.

        Args:
            domains: names of the k domains, two or more.
            constraints: what the mixtures must obey; only linear ones.
            tokens: D of the training that the mixture is for, which limits on data need.
            grid: see `Region`.

        Raises:
            UsageError: names or numbers cannot be used, or no mixture obeys the constraints.
        """
        _check_domains(domains)
        decimals_of(grid)
        items = linear_items(constraints or Constraints(), domains, tokens)
        return cls(tuple(domains), items, feasible_polytope(items, len(domains)), grid)

    @property
    def k(self) -> int:
        """The number of domains."""
        return len(self.domains)

    @cached_property
    def centre(self) -> Array:
        """A mixture (k,) well inside: the even one where nothing was asked for."""
        inside = self.polytope.interior
        assert inside is not None
        return inside.centre

    @property
    def free(self) -> bool:
        """Whether there is more than one mixture."""
        inside = self.polytope.interior
        assert inside is not None
        return bool(np.count_nonzero(inside.free) > 1)

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Draw mixtures evenly, (count, k)."""
        polytope = self.polytope
        unlimited = polytope.lower.max() == 0.0 and polytope.upper.min() == 1.0
        if unlimited and not len(polytope.rows):
            return rng.dirichlet(np.ones(self.k), count)
        return draw(self.polytope, count, rng)

    def on_grid(self, mixtures: Array) -> Array:
        """Round mixtures (n, k) to the grid, in whole steps (n, k)."""
        steps = [to_steps(self.polytope, h, self.grid) for h in mixtures]
        return np.array(steps).reshape(-1, self.k).astype(np.int64)

    def broken(self, h: Array) -> str | None:
        """Name what a mixture (k,) breaks by more than half a step, or give None."""
        slack = 0.5 / self.grid + 1e-9
        for item in self.items:
            total = float(h[list(item.domains)].sum())
            if not item.low - slack <= total <= item.high + slack:
                return item.marked
        return None


def near_to(mixtures: Array, distance: float) -> Callable[[Array], Mask]:
    """Give what tells which mixtures (n, k) are nearer to one (k,) than a distance."""
    squares = (mixtures**2).sum(axis=1)

    def near(h: Array) -> Mask:
        # One product with a vector, as there may be many of both.
        is_near: Mask = squares - 2 * (mixtures @ h) + h @ h < distance**2
        return is_near

    return near


def closest_allowed(mixtures: Array) -> float:
    """Give the distance below which two of mixtures drawn evenly (n, k) are as good as one."""
    half = len(mixtures) // 2
    distances = np.sqrt(((mixtures[:half] - mixtures[half : 2 * half]) ** 2).sum(axis=1))
    return _NEAR * float(np.median(distances))


def decimals_of(grid: int) -> int:
    """Give the decimals that write every multiple of 1/grid exactly.

    >>> decimals_of(1000), decimals_of(2048)
    (3, 11)

    Raises:
        UsageError: none do, or the grid is too coarse or too fine.
    """
    for decimals in range(1, 31):
        if grid > 1 and 10**decimals % grid == 0 and grid <= _LARGEST_GRID:
            return decimals
    raise UsageError(
        f"{parameter('grid')} {grid}: weights in steps of 1/{grid} have no exact decimals. Give a "
        "product of twos and fives from 2 to a billion, such as 1000 or 2048."
    )


def _check_domains(domains: Sequence[str]) -> None:
    if len(domains) < 2:
        raise UsageError(
            f"{parameter('domains')}: a mixture has two or more domains. Name them, as in "
            f"{parameter('domains')} web,code,books."
        )
    for index, domain in enumerate(domains):
        if not domain:
            raise UsageError(f"{parameter('domains')}: a name is empty.")
        if domain in domains[:index]:
            raise UsageError(f"{parameter('domains')}: {domain} stands twice.")
