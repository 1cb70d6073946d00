"""What can be minimised over mixtures, and what can limit them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mixfit.base.arrays import Array


class Function(Protocol):
    """A function of h, with derivatives along the simplex.

    At a weight of 0 a slope may be huge, as the stand-in of an infinite one, but not infinite.
    """

    def value(self, h: Array) -> float:
        """Give the value at h (k,)."""
        ...

    def gradient(self, h: Array) -> tuple[float, Array]:
        """Give the value and the gradient (k,)."""
        ...

    def curvature(self, h: Array) -> Array:
        """Give the second derivatives (k, k)."""
        ...


class Limits(Protocol):
    """Functions c of h that must not pass 0, in units in which 1 is large."""

    def values(self, h: Array) -> Array:
        """Give c (m,)."""
        ...

    def gradients(self, h: Array) -> Array:
        """Give the gradients (m, k)."""
        ...

    def curvature(self, h: Array, multipliers: Array) -> Array:
        """Give the second derivatives (k, k) of multipliers c."""
        ...
