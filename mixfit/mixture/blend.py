"""A mixture to be trained on, with its weights as they are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mixfit.base.arrays import Array

DECIMALS = 6  # of the weights in files


@dataclass(frozen=True, eq=False)
class Blend:
    """A mixture to be trained on.

    Attributes:
        domains: names of the k domains.
        weights: (k,).
        model_size: N in parameters, or None.
        tokens: D, or None.
        available: domain to the unique tokens that there are of it, of those where it is known.
        decimals: of the weights as they are written.
    """

    domains: tuple[str, ...]
    weights: Array
    model_size: float | None = None
    tokens: float | None = None
    available: Mapping[str, float] = field(default_factory=dict)
    decimals: int = DECIMALS

    @property
    def shares(self) -> dict[str, float]:
        """Domain to weight as it is written; the decimals sum to exactly 1."""
        return dict(zip(self.domains, rounded(self.weights, self.decimals), strict=True))

    @property
    def tokens_of(self) -> dict[str, float]:
        """Domain to its tokens, of the weights as they are written; none where D is not known."""
        if self.tokens is None:
            return {}
        return {domain: share * self.tokens for domain, share in self.shares.items()}

    @property
    def passes(self) -> dict[str, float]:
        """Domain to passes over its unique tokens, of those of which these are known."""
        return {
            domain: tokens / self.available[domain]
            for domain, tokens in self.tokens_of.items()
            if self.available.get(domain, 0.0) > 0
        }


def plain_counts(blend: Blend) -> dict[str, Any]:
    """Give the tokens of each domain and the passes over them, those that are known."""
    counts: dict[str, Any] = {}
    if blend.tokens is not None:
        counts["domain_tokens"] = {d: round(tokens) for d, tokens in blend.tokens_of.items()}
    if blend.passes:
        counts["passes"] = {d: float(f"{passes:.4g}") for d, passes in blend.passes.items()}
    return counts


def rounded(weights: Array, decimals: int = DECIMALS) -> list[float]:
    """Round weights so that the decimals printed sum to exactly 1 (largest remainder).

    A weight of 0 stays 0.

    >>> rounded(np.array([1, 1, 1]) / 3, 2)
    [0.34, 0.33, 0.33]

    Args:
        weights: (k,) of 0 or more; they are divided by their sum.
        decimals: to round to.
    """
    return [count / 10**decimals for count in _counts(weights, 10**decimals)]


def percentages(weights: Array) -> list[str]:
    """Write weights as percentages with one decimal that sum to exactly 100.

    >>> percentages(np.array([1, 1, 1]) / 3)
    ['33.4', '33.3', '33.3']
    """
    return [f"{count / 10:.1f}" for count in _counts(weights, 1000)]


def _counts(weights: Array, total: int) -> list[int]:
    exact = np.asarray(weights, dtype=np.float64) / np.sum(weights) * total
    counts = np.floor(exact)
    missing = round(total - counts.sum())
    # Those that lost most by rounding down; the first of equals, to nine digits.
    lost = np.round(exact - counts, 9)
    lost[exact == 0] = -1.0
    counts[np.argsort(-lost, kind="stable")[:missing]] += 1
    return [int(count) for count in counts]
