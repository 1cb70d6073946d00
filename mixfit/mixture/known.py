"""Mixtures that follow from what data there are: in proportion to them, and UniMax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.mixture.constraints import Constraints, checked_available

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array

UNIFORM, PROPORTIONAL, UNIMAX = "uniform", "proportional", "unimax"


def proportional(constraints: Constraints, domains: Sequence[str]) -> Array | None:
    """Give the mixture (k,) in proportion to the unique tokens.

    Returns:
        None where they are not known of every domain, or there are none at all.
    """
    there = _tokens(constraints, domains)
    return None if there is None else np.asarray(there / there.sum())


def unimax(constraints: Constraints, domains: Sequence[str], tokens: float | None) -> Array | None:
    """Give UniMax, the evenest mixture (k,) that repeats no domain more often than allowed.

    Chung et al. 2023 (arXiv 2304.09151): every domain has the same weight, but for those whose
    tokens do not last; these are repeated as often as `Constraints.max_epochs` allows.

    >>> asked = Constraints(available={"web": 1e12, "code": 1e9, "wiki": 4e9}, max_epochs=4)
    >>> unimax(asked, ["web", "code", "wiki"], 100e9).round(3).tolist()
    [0.8, 0.04, 0.16]

    Args:
        constraints: with the unique tokens.
        domains: names of the k domains.
        tokens: D.

    Returns:
        None where the unique tokens are not known of every domain, or D is not, or they do not
        last for D.
    """
    there = _tokens(constraints, domains)
    if there is None or tokens is None:
        return None
    epochs = [constraints.max_epochs_of.get(name, constraints.max_epochs) for name in domains]
    caps = there * np.array(epochs) / tokens
    if caps.sum() < 1:
        return None
    weights, left = np.zeros(len(caps)), 1.0
    order = np.argsort(caps, kind="stable")
    for place, index in enumerate(order):
        weights[index] = min(caps[index], left / (len(order) - place))
        left -= weights[index]
    return weights


def _tokens(constraints: Constraints, domains: Sequence[str]) -> Array | None:
    available = checked_available(constraints, domains)
    if any(domain not in available for domain in domains) or not sum(available.values()) > 0:
        return None
    return np.array([available[domain] for domain in domains], dtype=np.float64)
