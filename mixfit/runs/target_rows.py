"""The rows that have a loss for one target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.runs.runs import Runs


@dataclass(frozen=True, eq=False)
class TargetRows:
    """The rows that have a loss for one target, to be fitted or to be predicted.

    Attributes:
        target: its name.
        domains: names of the k domains.
        N: model sizes in parameters, (rows,).
        D: training lengths in tokens, (rows,).
        loss: (rows,), none missing.
        mixture: (rows,) index into the mixtures.
        mixtures: weights (m, k), those of `Runs.mixtures`; some may have no row.
    """

    target: str
    domains: tuple[str, ...]
    N: Array
    D: Array
    loss: Array
    mixture: Indices
    mixtures: Array

    @classmethod
    def of(cls, runs: Runs, target: str) -> TargetRows:
        """Take the rows of runs that have a loss for a target.

        Raises:
            UsageError: there is no such target.
        """
        loss = runs.losses_of(target)
        rows = np.flatnonzero(~np.isnan(loss))
        return cls(
            target=target,
            domains=runs.domains,
            N=runs.N[rows],
            D=runs.D[rows],
            loss=loss[rows],
            mixture=runs.mixture[rows],
            mixtures=runs.mixtures,
        )

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.loss)

    @property
    def h(self) -> Array:
        """The weights, (rows, k), the same to the last bit in all rows of a mixture."""
        return self.mixtures[self.mixture]

    @property
    def own_domain(self) -> int | None:
        """The domain that the target itself is, if any."""
        return self.domains.index(self.target) if self.target in self.domains else None

    def trained(self) -> tuple[Indices, Indices]:
        """Number the runs, a mixture at one N each: of each row, (rows,), and a row of each."""
        keys = np.stack([self.mixture, np.unique(self.N, return_inverse=True)[1]], axis=1)
        _, first, run = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        return run.reshape(-1), first

    def select(self, rows: Mask | Indices) -> TargetRows:
        """Take some rows, by a mask (rows,) or their indices; the mixtures keep their numbers."""
        return replace(
            self,
            N=self.N[rows],
            D=self.D[rows],
            loss=self.loss[rows],
            mixture=self.mixture[rows],
        )
