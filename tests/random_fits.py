"""Fits with random parameters, for tests of what is done with fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.fitting.options import FitOptions
from mixfit.fitting.result import Fit, FitData, Range, TargetFit
from mixfit.laws.catalogue import find_law
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import PooledLaw
from mixfit.runs.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LAWS = (
    *("simple", "additive", "joint", "full", "powered", "coupled", "coupled-joint"),
    *("twofold", "coupled-twofold", "coupled-joint-twofold"),
)


def fit_of(law: str, domains: Sequence[str], targets: Mapping[str, Mapping[str, object]]) -> Fit:
    """Make a fit of natural parameters: numbers, or lists with one for each domain."""
    found = {}
    for name, params in targets.items():
        arrays = {key: np.atleast_1d(np.asarray(x, float)) for key, x in params.items()}
        found[name] = TargetFit(
            name, tuple(domains), find_law(law), arrays, 100, 1e-6, 0.1, "converged"
        )
    data = FitData(
        files=(),
        where=(),
        columns=Columns("N", "D", {d: d for d in domains}, {t: t for t in targets}),
        mixtures=10,
        model_size=Range(1e8, 1e9),
        tokens=Range(1e9, 1e11),
        weights={d: Range(0.0, 1.0) for d in domains},
    )
    return Fit(PooledLaw(find_law(law)), tuple(domains), FitOptions(), data, found)


def random_fit(law: str, k: int, targets: int, seed: int | Sequence[int]) -> Fit:
    """Make a fit of a law with random parameters."""
    rng = np.random.default_rng(seed)
    formula = Formula(find_law(law), k, 3e8, 1e10)
    return fit_of(
        law,
        [f"d{i}" for i in range(k)],
        {f"t{i}": formula.natural(formula.random(rng)) for i in range(targets)},
    )


def additive(
    C: Mapping[str, Sequence[float]], gamma: Mapping[str, Sequence[float]], domains: Sequence[str]
) -> Fit:
    """Make an additive fit that differs between targets in its mixture term alone."""
    rest = {"E": 1.0, "A": 100.0, "alpha": 0.3, "B": 500.0, "beta": 0.3}
    return fit_of("additive", domains, {t: {"C": C[t], "gamma": gamma[t], **rest} for t in C})


def dirichlet(k: int, seed: int) -> NDArray[np.float64]:
    """Draw a mixture."""
    return np.random.default_rng(seed).dirichlet(np.ones(k))
