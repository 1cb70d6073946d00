"""What the picks of a law are worth, on losses made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.decision import (
    EACH_TARGET,
    OBJECTIVE,
    Decision,
    Decisions,
    decide,
    objectives,
)
from mixfit.fitting.options import FitOptions
from mixfit.reports.compare import averages, regret
from mixfit.runs.runs import Runs
from mixfit.runs.splits import split_folds
from mixfit.runs.target_rows import TargetRows

OBSERVED = np.array([2.2, 2.0, 2.1, 2.5, 2.4, 2.3, 2.6, 2.7])


def test_a_perfect_order_gives_nothing_away():
    made = decide(OBSERVED, OBSERVED - 0.1)
    assert (made.regret, made.best_of_five) == (0, 0)
    assert (made.order, made.order_of_best) == (pytest.approx(1), pytest.approx(1))
    assert made.optimism == pytest.approx(5.0)  # 0.1 of 2.0
    assert made.mixtures == 8


def test_the_pick_and_the_best_of_the_first_five():
    predicted = np.array([2.0, 2.6, 2.1, 1.9, 2.2, 2.3, 2.5, 2.4])  # puts the fourth first
    made = decide(OBSERVED, predicted)
    assert made.regret == pytest.approx(100 * (2.5 / 2.0 - 1))
    assert made.best_of_five == pytest.approx(100 * (2.1 / 2.0 - 1))
    assert made.optimism == pytest.approx(100 * (2.5 - 1.9) / 2.5)


def test_what_overflows_is_put_last():
    predicted = OBSERVED.copy()
    predicted[1] = np.inf
    assert decide(OBSERVED, predicted).regret == pytest.approx(5.0)
    assert decide(OBSERVED, np.full(8, np.nan)) is None


def test_four_mixtures_are_too_few():
    assert decide(OBSERVED[:4], OBSERVED[:4]) is None


def test_decisions_are_averaged_and_optimism_has_its_error():
    made = Decisions.of(
        [Decision(8, 1.0, 0.5, 2.0, 0.9, np.nan), Decision(6, 3.0, 0.5, 4.0, 0.7, 0.5)]
    )
    assert (made.mixtures, made.regret, made.optimism) == (14, 2.0, 3.0)
    assert made.optimism_error == pytest.approx(1.0)
    assert (made.order, made.order_of_best) == (pytest.approx(0.8), 0.5)


def rows(target, losses, sizes=(1e8, 2e8), mixtures=6):
    h = np.linspace(0.1, 0.9, mixtures)
    N, m = (x.ravel() for x in np.meshgrid(sizes, np.arange(mixtures)))
    weights = np.column_stack([h, 1 - h])[m.astype(int)]
    runs = Runs.from_arrays(N, 1e9, weights, {target: losses(N, weights)}, ("a", "b"))
    return TargetRows.of(runs, target)


def test_the_objective_is_that_at_the_largest_scale():
    web = rows("web", lambda N, h: 2 + h[:, 0] - N / 1e9)
    math = rows("math", lambda N, h: 3 + h[:, 1])
    predicted = [web.loss + 0.5, math.loss + 0.5]
    observed, of_law, noise = objectives([web, math], predicted, {"web": 3.0, "math": 1.0})
    at = web.N == 2e8
    np.testing.assert_allclose(observed, 0.75 * web.loss[at] + 0.25 * math.loss[at])
    np.testing.assert_allclose(of_law, observed + 0.5)
    assert noise is None


def test_noise_is_known_where_mixtures_were_trained_again():
    """The objective of two runs is 0.1 apart, twice; what is logged twice is no second run."""
    h = np.linspace(0.1, 0.9, 6)[[0, 1, 2, 3, 4, 5, 0, 1, 2]]
    web = np.array([2.2, 2.0, 2.1, 2.5, 2.4, 2.3, 2.3, 2.1, 2.1])
    math = np.array([3.2, 3.0, 3.1, 3.5, 3.4, 3.3, 3.3, 3.1, 3.1])
    weights = np.column_stack([h, 1 - h])
    runs = Runs.from_arrays(1e8, 1e9, weights, {"web": web, "math": math}, ("a", "b"))
    parts = [TargetRows.of(runs, target) for target in ("web", "math")]
    among = objectives(parts, [part.loss for part in parts], {"web": 1.0, "math": 3.0})
    assert among.noise == pytest.approx(0.1 / np.sqrt(2))
    made = decide(*among)
    assert made.noise == pytest.approx(100 * 0.1 / among.observed.min())
    regretted = replace(made, regret=made.noise)
    assert Decisions.of([regretted]).within_noise
    assert regret(Decisions.of([regretted])) == "none"
    assert not Decisions.of([replace(made, regret=1.01 * made.noise)]).within_noise
    assert not Decisions.of([replace(regretted, noise=None)]).within_noise


def test_a_scale_with_too_few_mixtures_is_passed_over():
    web = rows("web", lambda N, h: 2 + h[:, 0])
    web = web.select((web.N == 1e8) | (web.mixture < 3))
    assert len(objectives([web], [web.loss], {"web": 1.0}).observed) == 6
    assert (
        objectives([web.select(web.mixture < 3)], [web.loss[web.mixture < 3]], {"web": 1}) is None
    )


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(3), 20)
    losses = {
        "web": 1.5 + 1 / (h**0.5 @ [1.0, 2.0, 0.5]),
        "math": 1.2 + 1 / (h**0.7 @ [0.5, 0.5, 3.0]),
    }
    return Runs.from_arrays(1e8, 1e9, h, losses, ("a", "b", "c"))


def test_compare_says_what_picks_are_worth(runs):
    options = FitOptions(restarts=1, hops=0)
    splits = split_folds(runs, 2)
    compared = compare_laws(splits, ["additive:none", "ridge"], options=options)
    for law in compared.laws:
        for kind in (OBJECTIVE, EACH_TARGET):
            assert compared.decisions[law, kind, "new mixtures"].mixtures == (
                20 if kind == OBJECTIVE else 40
            )
    exact = compared.decisions["additive:none", OBJECTIVE, "new mixtures"]
    assert exact.regret == pytest.approx(0.0, abs=1e-9)
    assert exact.order == pytest.approx(1.0)
    assert "regret\n%" in averages(compared).headers
    web = compare_laws(splits, ["ridge"], objective={"w*": 2.0}, options=options)
    each = compared.decisions["ridge", EACH_TARGET, "new mixtures"]
    own = web.decisions["ridge", OBJECTIVE, "new mixtures"]
    assert web.decisions["ridge", EACH_TARGET, "new mixtures"] == own != each
    with pytest.raises(UsageError) as caught:
        compare_laws(splits, ["ridge"], objective={"coda": 1.0})
    assert str(caught.value) == (
        "objective coda: the rows compared have no such target. Their targets are web, math."
    )
