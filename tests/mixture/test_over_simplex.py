"""Losses and best mixtures over all mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from random_fits import additive, dirichlet, random_fit

from mixfit.base.errors import UsageError
from mixfit.mixture.over_simplex import influence, lattice, map_targets, surface
from mixfit.mixture.planner import Planner
from mixfit.mixture.result import jensen_shannon

BUDGET = 1e9, 1e10


@pytest.mark.parametrize(("k", "steps", "count"), [(2, 5, 6), (3, 10, 66), (4, 8, 165)])
def test_a_lattice(k, steps, count):
    h = lattice(k, steps)
    assert h.shape == (count, k)
    assert np.allclose(h.sum(axis=1), 1)
    assert h.min() == 0
    assert len(np.unique(h, axis=0)) == count


@pytest.mark.parametrize("law", ["joint", "coupled", "simple"])
def test_influence_is_the_change_of_the_loss_for_a_point(law):
    fit = random_fit(law, 4, 3, 2)
    h = dirichlet(4, 0)
    found = influence(Planner(fit), *BUDGET, h, "h")
    here = fit.predict(*BUDGET, h)
    for column in range(4):
        moved = h * (1 - 0.01 / (1 - h[column]))
        moved[column] = h[column] + 0.01
        assert moved.sum() == pytest.approx(1)
        there = fit.predict(*BUDGET, moved / moved.sum())
        for row, target in enumerate(fit.targets):
            expected = 100 * (there[target][0] / here[target][0] - 1)
            assert found.changes[row, column] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_influence_at_a_corner():
    found = influence(Planner(random_fit("joint", 3, 1, 2)), *BUDGET, np.eye(3)[1], "all d1")
    assert np.isnan(found.changes[0]).tolist() == [False, True, False]


def test_no_mixture_of_the_surface_is_better_than_the_best():
    planner = Planner(random_fit("additive", 3, 2, 4))
    found = surface(planner, *BUDGET, steps=20)
    assert found.best.loss <= found.loss.min() + 1e-9
    place = int(np.argmin(found.loss))
    assert np.abs(found.h[place] - found.best.weights).max() < 0.1
    assert found.as_good == pytest.approx(1.001 * found.best.loss)


def test_the_map_has_the_best_mixture_for_each_weighting():
    domains = ["a", "b", "c"]
    C = {d: list(0.2 + np.eye(3)[i]) for i, d in enumerate(domains)}
    fit = additive(C, {d: [0.5, 0.7, 0.9] for d in domains}, domains)
    planner = Planner(fit)
    found = map_targets(planner, *BUDGET, steps=4)
    assert found.w.tolist() == lattice(3, 4).tolist()
    for w, h, distance in zip(found.w, found.h, found.distance, strict=True):
        wanted = {d: x for d, x in zip(domains, w, strict=True) if x}
        alone = Planner(fit, wanted).best(*BUDGET)
        assert h == pytest.approx(alone.weights, abs=2e-3)
        assert distance == pytest.approx(jensen_shannon(w, h))
    # For a single target whose domain helps it most, little else is best.
    corner = found.h[found.w[:, 0] == 1.0][0]
    assert corner[0] > 0.5


def test_what_cannot_be_mapped():
    with pytest.raises(UsageError) as caught:
        surface(Planner(random_fit("additive", 4, 1, 0)), *BUDGET)
    assert str(caught.value) == (
        "A picture of the loss over all mixtures needs three domains, and the fit has 4."
    )
    with pytest.raises(UsageError) as caught:
        map_targets(Planner(random_fit("additive", 3, 1, 0)), *BUDGET)
    assert str(caught.value) == (
        "A map of the best mixtures weighs the domains as targets, and the fit has no target"
        " d0, d1, d2."
    )
    with pytest.raises(UsageError, match="three or four domains, and the fit has 5"):
        map_targets(Planner(random_fit("additive", 5, 1, 0)), *BUDGET)
