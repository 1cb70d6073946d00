"""The criterion: rank-one steps, and designs against those of another program."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mixfit.design.criterion import LinearModel, i_optimal, neutral_features, neutral_model

NONE = np.zeros((0, 3))


def nothing_near(candidates):
    return lambda h: np.zeros(len(candidates), bool)


def mean_variance(model, chosen, candidates):
    return float(np.mean(model.deviations(chosen, candidates) ** 2))


def quadratic(h):
    """The terms of a quadratic in two of three weights, which is Scheffe's quadratic."""
    a, b = h[:, 0], h[:, 1]
    return np.column_stack([np.ones(len(h)), a, b, a * a, a * b, b * b])


# Mean variance over a lattice, noise 1, of the best of pyDOE 1.6.0's designs (I-optimal; fedorov,
# modified_fedorov, detmax, simple_exchange and sequential) from the same candidates.
@pytest.mark.parametrize(
    ("divisions", "runs", "of_pydoe"),
    [(10, 8, 0.5144317549), (10, 12, 0.3386409583), (6, 10, 0.4439741329)],
)
def test_designs_are_as_good_as_those_of_another_program(divisions, runs, of_pydoe):
    lattice = np.array(
        [p for p in itertools.product(range(divisions + 1), repeat=3) if sum(p) == divisions]
    )
    candidates = lattice / divisions
    model = LinearModel(quadratic, 1e-9 * np.eye(6), 1.0)
    chosen = i_optimal([model], candidates, runs, NONE, nothing_near(candidates))
    value = mean_variance(model, candidates[chosen], candidates)
    assert 0.98 * of_pydoe < value < of_pydoe * (1 + 1e-6)


def test_a_linear_model_is_learned_best_at_the_corners():
    candidates = np.concatenate([np.eye(3), np.random.default_rng(0).dirichlet(np.ones(3), 200)])
    model = LinearModel(lambda h: h, 1e-9 * np.eye(3), 1.0)
    chosen = i_optimal([model], candidates, 6, NONE, nothing_near(candidates))
    assert sorted(chosen) == [0, 0, 1, 1, 2, 2]


def test_what_is_kept_up_step_by_step_is_what_it_is_from_scratch():
    candidates = np.random.default_rng(1).dirichlet(np.ones(4), 60)
    model = neutral_model(4)
    known = np.random.default_rng(2).dirichlet(np.ones(4), 5)
    chosen = i_optimal([model], candidates, 7, known, nothing_near(candidates))
    runs = np.concatenate([known, candidates[chosen]])
    value = mean_variance(model, runs, candidates)
    # No exchange of one run is better, each worked out anew.
    for place in range(len(chosen)):
        for other in range(0, 60, 7):
            changed = candidates[chosen].copy()
            changed[place] = candidates[other]
            alternative = mean_variance(model, np.concatenate([known, changed]), candidates)
            assert value < alternative * 1.005


def test_two_models_count_by_their_weights():
    candidates = np.random.default_rng(1).dirichlet(np.ones(3), 80)
    first = LinearModel(lambda h: h, np.eye(3), 0.1, weight=1.0)
    second = LinearModel(lambda h: h[:, :1], np.eye(1), 0.1, weight=1e9)
    both = i_optimal([first, second], candidates, 1, NONE, nothing_near(candidates))
    assert both[0] == np.argmax(candidates[:, 0])


def test_the_neutral_model_is_that_of_an_additive_law_with_equal_domains():
    rng = np.random.default_rng(3)
    h = rng.dirichlet(np.ones(3), 5)

    def term(log_c, log_gamma):
        return 1 / (np.exp(log_c) * h ** np.exp(log_gamma)).sum(axis=1)

    step, zero = 1e-6, np.zeros(3)
    f = neutral_features(h)
    for i in range(3):
        e = step * np.eye(3)[i]
        slope = (term(e, zero) - term(-e, zero)) / (2 * step)
        np.testing.assert_allclose(slope, -f[:, 1 + i], atol=1e-8)
        slope = (term(zero, e) - term(zero, -e)) / (2 * step)
        np.testing.assert_allclose(slope, -f[:, 4 + i], atol=1e-8)


def test_mixtures_that_are_near_are_not_both_taken():
    candidates = np.array([[0.9, 0.1], [0.9001, 0.0999], [0.5, 0.5]])
    model = neutral_model(2)

    def near(h):
        return np.abs(candidates - h).max(axis=1) < 0.01

    chosen = i_optimal([model], candidates, 3, np.zeros((0, 2)), near)
    assert len(chosen) == 2
    assert 2 in chosen
    assert list(i_optimal([model], candidates, 3, candidates[:1], near)) == [2]
