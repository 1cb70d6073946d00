"""The KKT law: its shares, derivatives and recovery, and its place in a comparison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.kkt import KktLaw, fit_kkt, shares
from mixfit.evaluation.together import TogetherContender
from mixfit.fitting.options import FitOptions
from mixfit.laws.law import OURS
from mixfit.runs.runs import Runs
from mixfit.runs.splits import split_folds

DOMAINS = ("web", "code", "books")
B, C = np.log([0.3, 0.5, 0.2]), np.log([2.0, 4.0, 1.5])
H = 6.0  # millions
TRUTH = np.concatenate([C, B, [np.log(H)], np.log([0.6, 0.4, 0.9]), np.log([0.3, 0.2, 0.4])])
TRUTH = np.concatenate([TRUTH, [1.2, 0.8, 1.0]])
LAW = KktLaw(TRUTH, np.arange(3), 3)


def rows_of(count=24, seed=0, targets=DOMAINS):
    rng = np.random.default_rng(seed)
    h = rng.dirichlet(np.ones(3), count)
    h[0] = [0.97, 0.0, 0.03]
    N, D, row = (
        x.ravel()
        for x in np.meshgrid([3e7, 1e8, 4e8], [2e9, 1e10], np.arange(count), indexing="ij")
    )
    h = h[row.astype(int)]
    losses = LAW.predict(N, D, h)
    columns = {t: losses[:, DOMAINS.index(t)] for t in targets if t in DOMAINS}
    columns |= {t: losses[:, 0] for t in targets if t not in DOMAINS}
    return Runs.from_arrays(N, D, h, columns, DOMAINS)


def test_the_equation():
    """L_i = E_i + c_i x_i^-b_i + A_i (D h_i)^-a_i, N in millions and D in billions."""
    N, D, h = np.array([1e8]), np.array([5e9]), np.array([[0.5, 0.3, 0.2]])
    x, _ = shares(h, np.array([100.0]), B, C, np.array([H]))
    expected = (
        np.array([1.2, 0.8, 1.0])
        + np.array([2.0, 4.0, 1.5]) * x[0] ** -np.array([0.3, 0.5, 0.2])
        + np.array([0.6, 0.4, 0.9]) * (5 * h[0]) ** -np.array([0.3, 0.2, 0.4])
    )
    np.testing.assert_allclose(LAW.predict(N, D, h)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("h", [[0.5, 0.3, 0.2], [0.97, 0.02, 0.01]], ids=["inside", "at H"])
def test_the_shares_are_the_minimum_that_they_are_defined_as(h):
    h, size, b, c = np.array(h), 40.0, np.exp(B), np.exp(C)
    x, free = shares(h[None], np.array([size]), B, C, np.array([H]))
    assert free.all() == (h.max() < 0.9)
    np.testing.assert_allclose(x.sum(), size + 2 * H, rtol=1e-12)
    found = minimize(
        lambda x: h @ (c * x**-b),
        np.full(3, size / 3 + 2 * H / 3),
        method="SLSQP",
        bounds=[(H, None)] * 3,
        constraints={"type": "eq", "fun": lambda x: x.sum() - size - 2 * H},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    np.testing.assert_allclose(x[0], found.x, rtol=1e-4)


def test_derivatives_agree_with_differences():
    runs = rows_of(8)
    at = LAW.at(runs.N, runs.D, runs.h)
    np.testing.assert_allclose(at.loss, LAW.predict(runs.N, runs.D, runs.h), rtol=1e-14)
    for place in range(len(TRUTH)):
        step = 1e-6 * np.eye(len(TRUTH))[place]
        ends = [
            replace(LAW, theta=TRUTH + sign * step).predict(runs.N, runs.D, runs.h)
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(at.jacobian[:, :, place], slope, rtol=1e-5, atol=1e-7)


def test_known_losses_are_predicted_elsewhere():
    runs, new = rows_of(), rows_of(10, seed=1)
    law, converged = fit_kkt(runs, DOMAINS, replace(OURS, restarts=4, hops=4), seed=0)
    assert converged
    assert law.parameters == 16  # 5K + 1
    np.testing.assert_allclose(
        law.predict(new.N, new.D, new.h), LAW.predict(new.N, new.D, new.h), rtol=2e-3
    )


def test_a_domain_without_losses_has_its_share():
    runs = rows_of(targets=("web", "books"))
    law, _ = fit_kkt(runs, ("web", "books"), replace(OURS, restarts=4, hops=2), seed=0)
    assert law.parameters == 13
    error = law.predict(runs.N, runs.D, runs.h) / runs.losses - 1
    assert np.abs(error).max() < 2e-3


def test_missing_losses_are_left_out():
    runs = rows_of(12)
    losses = runs.losses.copy()
    losses[::5, 1] = np.nan
    some = Runs.from_arrays(
        runs.N, runs.D, runs.h, dict(zip(DOMAINS, losses.T, strict=True)), DOMAINS
    )
    law, _ = fit_kkt(some, DOMAINS, replace(OURS, restarts=4, hops=2), seed=0)
    assert np.nanmax(np.abs(law.predict(some.N, some.D, some.h) / losses - 1)) < 5e-3


@pytest.fixture(scope="module")
def done():
    runs = rows_of(10, targets=(*DOMAINS, "math"))
    options = FitOptions(restarts=2, hops=0)
    return compare_laws(split_folds(runs, 2), ["kkt", "chinchilla"], options=options)


class TestComparison:
    def test_it_predicts_all_targets_that_are_domains(self, done):
        for target in DOMAINS:
            summary = done.summaries["kkt", target, "new mixtures"]
            assert summary.test < 0.3 * done.summaries["chinchilla", target, "new mixtures"].test

    def test_others_are_not_applicable(self, done):
        assert ("kkt", "math", "new mixtures") not in done.summaries
        assert "kkt is not applicable: it needs a target that is a training domain" in {
            note.text for note in done.notes
        }

    def test_it_is_never_chosen(self, done):
        (kkt, _) = done.standings
        assert kkt.excluded == "it is fitted to all targets together, for comparison only"
        assert kkt.parameters == 6  # 16 for three targets
        assert done.choice.law == "chinchilla"

    def test_the_number_of_processes_changes_nothing(self, done):
        runs = rows_of(10, targets=(*DOMAINS, "math"))
        options = FitOptions(restarts=2, hops=0)
        again = compare_laws(split_folds(runs, 2), ["kkt", "chinchilla"], options=options, jobs=2)
        assert again.figures == done.figures

    def test_it_must_be_fitted_first(self):
        with pytest.raises(AssertionError):
            TogetherContender("kkt").result(None, (), 0)
