"""The parameters of a law as data: names, values allowed, and where a search may start.

A parameter is *natural* as in the paper and in fit files, and *internal* in the vector theta that a
solver moves: the log of a positive number, and otherwise the number itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixfit.base.arrays import Array, Mask

POSITIVE, NONNEGATIVE, FREE = "positive", "nonnegative", "free"

_ROUNDING = 1e-6  # by which a number that was at a bound may be beyond it in a file


@dataclass(frozen=True)
class Start:
    """A distribution of internal parameters to start from: a normal one, or a function of it.

    Attributes:
        mean: of the normal distribution, but for what `in_log_k` adds.
        spread: its standard deviation.
        in_log_k: what is added to the mean for each unit of log k, for k domains.
        of: what is applied to the normal number, such as ``np.exp``; None for nothing.
    """

    mean: float
    spread: float
    in_log_k: float = 0.0
    of: Callable[[Array], Array] | None = None

    def draw(self, rng: np.random.Generator, size: int, k: int) -> Array:
        """Draw some numbers, (size,), for k domains."""
        numbers = rng.normal(self.mean + self.in_log_k * np.log(k), self.spread, size)
        return numbers if self.of is None else self.of(numbers)


ORDER_ONE = Start(-1.0, 0.7)  # of the log of a number
_STARTS = {
    POSITIVE: ORDER_ONE,
    NONNEGATIVE: replace(ORDER_ONE, of=np.exp),
    FREE: Start(0.0, 0.2),
}


@dataclass(frozen=True)
class Param:
    """A named parameter: one number, or one for each domain.

    Attributes:
        name: as in the fit file, such as ``C_A``.
        per_domain: whether there is one for each domain.
        kind: `POSITIVE`, `NONNEGATIVE` or `FREE`, of the natural numbers.
        lower: bound on the internal numbers.
        upper: bound on the internal numbers.
        start: where a search may start; None for the usual one of the kind.
        scale: whether the function is multiplied by a factor where this is (see
            `mixfit.laws.coefficients.Coefficient.scaled`). Its bounds are then those of a formula's
            own units, and say nothing of natural numbers.
        pull: how hard, beside others, a prior pulls the domains' internal numbers together where
            parameters are pooled (see `mixfit.fitting.prior`); 0 for not at all.
        across: likewise how hard it pulls them to those of other targets.
        usual: a natural number near which published fits have it, to which a weak prior pulls it;
            None for none.
    """

    name: str
    per_domain: bool
    kind: str
    lower: float
    upper: float
    start: Start | None = None
    scale: bool = False
    pull: float = 0.0
    across: float = 0.0
    usual: float | None = None

    def size(self, k: int) -> int:
        """Count the numbers for k domains."""
        return k if self.per_domain else 1

    def draw(self, rng: np.random.Generator, k: int) -> Array:
        """Draw internal numbers to start from, (size,)."""
        return (self.start or _STARTS[self.kind]).draw(rng, self.size(k), k)

    def natural(self, internal: Array) -> Array:
        """Convert internal numbers."""
        return np.exp(internal) if self.kind == POSITIVE else internal.copy()

    def internal(self, natural: Array) -> Array:
        """Convert natural numbers."""
        return np.log(natural) if self.kind == POSITIVE else natural.copy()

    def possible(self, natural: Array, *, bounded: bool) -> tuple[Mask, str]:
        """Tell which natural numbers are allowed, and what they must be, in words.

        Args:
            natural: any numbers, NaN too.
            bounded: whether the bounds count, or the kind alone.
        """
        if bounded:
            low, high = (float(self.natural(np.array(x))) for x in (self.lower, self.upper))
            return within(natural, low, high), f"a number from {low:.3g} to {high:.3g}"
        finite = np.isfinite(natural)
        if self.kind == FREE:
            return finite, "a finite number"
        if self.kind == NONNEGATIVE:
            return finite & (natural >= 0), "a number of 0 or more"
        return finite & (natural > 0), "a positive number"


def within(numbers: Array, low: float, high: float) -> Mask:
    """Tell which numbers lie within bounds, but for rounding; NaN does not."""
    inside: Mask = (numbers >= low - _ROUNDING * abs(low)) & (
        numbers <= high + _ROUNDING * abs(high)
    )
    return inside
