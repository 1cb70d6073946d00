"""Rows sorted by mixture, in the shape in which an objective works on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.laws.coefficients import log_weights

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices

_WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_CALL_COST = 24  # rows whose arithmetic takes as long as the overhead that a block has
_SLAB = 1 << 15  # rows worked on at once, so that what is needed of them stays in the cache


@dataclass(frozen=True, eq=False)
class Blocks:
    """Rows sorted by mixture and cut into blocks of equal width.

    A block holds rows of one mixture; a place left free in it has weight 0. Sums over the rows of
    a block are then small matrix products, and what depends on h alone is evaluated once for a
    mixture.

    Attributes:
        log_N: (blocks, width), in the formula's units.
        log_D: (blocks, width), in the formula's units.
        loss: (blocks, width), observed.
        weight: (blocks, width), sums to 1.
        mixture: (blocks,) index into the mixtures, ascending.
        h: (mixtures, k).
    """

    log_N: Array
    log_D: Array
    loss: Array
    weight: Array
    mixture: Indices
    h: Array

    @cached_property
    def log_h(self) -> Array:
        """The logs of the weights, (mixtures, k)."""
        return log_weights(self.h)

    @cached_property
    def slabs(self) -> tuple[slice, ...]:
        """Runs of blocks with few enough rows to be worked on at once."""
        blocks, width = self.loss.shape
        step = max(1, _SLAB // width)
        return tuple(slice(i, min(i + step, blocks)) for i in range(0, blocks, step))

    @cached_property
    def _firsts(self) -> dict[int, tuple[Indices, slice]]:
        firsts = {}
        for slab in self.slabs:
            mixture = self.mixture[slab]
            first = np.flatnonzero(np.diff(mixture, prepend=-1))
            firsts[slab.start] = (first, slice(int(mixture[0]), int(mixture[-1]) + 1))
        return firsts

    def mixtures_in(self, slab: slice) -> tuple[Indices, slice]:
        """Give the first block of each mixture in a slab, and the mixtures."""
        return self._firsts[slab.start]


def make_blocks(
    log_N: Array, log_D: Array, loss: Array, mixture: Indices, mixtures: Array
) -> Blocks:
    """Sort rows by mixture and cut them into blocks; all rows weigh alike.

    Args:
        log_N: (rows,) in the formula's units.
        log_D: (rows,) in the formula's units.
        loss: (rows,).
        mixture: (rows,) index into the mixtures.
        mixtures: (m, k), of which those without a row are left out.
    """
    present, mixture, counts = np.unique(mixture, return_inverse=True, return_counts=True)
    widths = [*_WIDTHS, int(counts.max())] if counts.max() < _WIDTHS[-1] else _WIDTHS
    width = min(widths, key=lambda w: int((-(-counts // w)).sum()) * (w + _CALL_COST))
    blocks_of = -(-counts // width)
    order = np.argsort(mixture, kind="stable")
    place = np.arange(len(mixture)) - np.repeat(np.cumsum(counts) - counts, counts)
    first_block = np.cumsum(blocks_of) - blocks_of
    block = np.repeat(first_block, counts) + place // width
    position = (block, place % width)
    shape = (int(blocks_of.sum()), width)

    def spread(values: Array) -> Array:
        filled = np.zeros(shape)
        filled[position] = values[order]
        return filled

    return Blocks(
        log_N=spread(log_N),
        log_D=spread(log_D),
        loss=spread(loss),
        weight=spread(np.full(len(loss), 1.0 / len(loss))),
        mixture=np.repeat(np.arange(len(present)), blocks_of),
        h=mixtures[present],
    )


def sampled(blocks: Blocks, rows: int, rng: np.random.Generator) -> Blocks:
    """Take some rows of each mixture, about so many in all; few rows are left as they are.

    Args:
        blocks: all rows.
        rows: how many to keep.
        rng: chooses which.
    """
    block, place = np.nonzero(blocks.weight)
    if len(block) <= rows:
        return blocks
    mixture = blocks.mixture[block]
    keys = rng.random(len(block))
    order = np.lexsort((keys, mixture))
    counts = np.bincount(mixture, minlength=len(blocks.h))
    rank = np.arange(len(block)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = order[rank < np.maximum(1, counts * rows // len(block))[mixture[order]]]
    chosen = (block[kept], place[kept])
    return make_blocks(
        blocks.log_N[chosen], blocks.log_D[chosen], blocks.loss[chosen], mixture[kept], blocks.h
    )
