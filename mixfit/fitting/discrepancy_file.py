"""The discrepancies of a fit to and from its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.packed import packed, unpacked
from mixfit.base.plain import NotNegative  # noqa: TC001, the fit file reads it by its type
from mixfit.fitting.discrepancy import Discrepancy, Kernel, Points

if TYPE_CHECKING:
    from mixfit.base.plain import Place
    from mixfit.fitting.result import Fit


@dataclass(frozen=True)
class StoredPoints:
    """Where the discrepancies of a fit were seen, and how alike they are."""

    kernel: Kernel
    mixtures: str
    mixture: str
    model_size: str
    tokens: str


@dataclass(frozen=True)
class StoredDiscrepancy:
    """The discrepancy of a target; its weights are 0 where it has no loss."""

    variance: NotNegative
    weights: str


def stored_points(fit: Fit) -> StoredPoints | None:
    """Give what the discrepancies of a fit share; None where there is none."""
    own = next((t.discrepancy for t in fit.targets.values() if t.discrepancy is not None), None)
    if own is None:
        return None
    points = own.points
    return StoredPoints(
        kernel=own.kernel,
        mixtures=packed(points.mixtures),
        mixture=packed(points.mixture.astype(float)),
        model_size=packed(points.N),
        tokens=packed(points.D),
    )


def stored_discrepancy(discrepancy: Discrepancy | None) -> StoredDiscrepancy | None:
    """Give the discrepancy of a target as a file has it."""
    if discrepancy is None:
        return None
    return StoredDiscrepancy(discrepancy.variance, packed(discrepancy.weights))


def points_of(stored: StoredPoints, domains: int, place: Place) -> Points:
    """Read where discrepancies were seen.

    Args:
        stored: as it stands in a file.
        domains: how many the fit has.
        place: there.

    Raises:
        InputError: it holds what cannot be; the message names the place.
    """
    mixtures, mixture, N, D = (
        unpacked(getattr(stored, name), place.at(name), columns)
        for name, columns in (
            ("mixtures", domains),
            ("mixture", 1),
            ("model_size", 1),
            ("tokens", 1),
        )
    )
    mixtures = mixtures.reshape(-1, domains)
    for name, numbers in (("model_size", N), ("tokens", D)):
        if len(numbers) != len(mixture):
            raise place.at(name).error("must have as many numbers as 'mixture'.")
        if not (numbers > 0).all():
            raise place.at(name).error("must have positive numbers.")
    if not np.isin(mixture, np.arange(len(mixtures))).all():
        raise place.at("mixture").error("must have numbers of rows of 'mixtures'.")
    for name in ("mixture", "model_size", "tokens"):
        if not getattr(stored.kernel, name) > 0:
            raise place.at("kernel", name).error("must be a positive number.")
    return Points(mixtures, mixture.astype(int), N, D)


def discrepancy_of(
    stored: StoredDiscrepancy, kernel: Kernel, points: Points, place: Place
) -> Discrepancy:
    """Read the discrepancy of a target, at points that were read.

    Raises:
        InputError: it holds what cannot be; the message names the place.
    """
    weights = unpacked(stored.weights, place.at("weights"))
    if len(weights) != len(points):
        raise place.at("weights").error(f"must have {len(points)} numbers, one for each point.")
    return Discrepancy(kernel, points, weights, stored.variance)
