import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.fitting.result import Range
from mixfit.mixture.constraints import (
    Constraints,
    feasible_polytope,
    linear_items,
    mixture_of,
    polytope_of,
)
from mixfit.simplex.polytope import Polytope

DOMAINS = ("web", "code", "books")


def polytope(**asked):
    tokens = asked.pop("tokens", None)
    return polytope_of(linear_items(Constraints(**asked), DOMAINS, tokens), 3)


def message(**asked):
    tokens = asked.pop("tokens", None)
    with pytest.raises(UsageError) as caught:
        feasible_polytope(linear_items(Constraints(**asked), DOMAINS, tokens), 3)
    return str(caught.value)


def test_bounds():
    found = polytope(min={"web": 0.1}, max={"code": 0.4}, fix={"books": 0.3})
    np.testing.assert_array_equal(found.lower, [0.1, 0, 0.3])
    np.testing.assert_array_equal(found.upper, [1, 0.4, 0.3])
    assert len(found.rows) == 0


def test_groups_become_rows():
    found = polytope(groups={"text": ["books", "web"]}, min={"text": 0.2}, max={"text": 0.5})
    np.testing.assert_array_equal(found.rows, [[1, 0, 1]])
    assert (found.low.tolist(), found.high.tolist()) == ([0.2], [0.5])


def test_available_data_cap_the_weights():
    found = polytope(available={"code": 10e9, "books": 1e15}, max_epochs=4, tokens=100e9)
    np.testing.assert_allclose(found.upper, [1, 0.4, 1])


def test_a_prior_without_a_domain_keeps_it_out():
    found = polytope(prior={"web": 1, "code": 3}, kl=0.1)
    np.testing.assert_array_equal(found.upper, [1, 1, 0])
    assert polytope(prior={"web": 1}, kl=0.0).upper.tolist() == [1, 1, 1]


def test_clashes_are_named_and_nothing_else_is():
    text = message(min={"web": 0.6, "code": 0.5, "books": 0.01}, max={"books": 0.9})
    assert text == (
        "These cannot hold together, as weights sum to 1: min web=0.6, min code=0.5. "
        "Loosen one of them."
    )
    text = message(fix={"web": 0.4}, groups={"g": ["web", "code"]}, max={"g": 0.3, "books": 0.9})
    assert "fix web=0.4, max g=0.3" in text
    assert "books" not in text
    assert "min web=0.5, max web=0.2" in message(min={"web": 0.5}, max={"web": 0.2})


def test_too_little_data_is_an_error_that_names_it():
    text = message(available=dict.fromkeys(DOMAINS, 1e9), tokens=100e9)
    assert "available web=1B (at most 0.04 of 100B in 4 epochs)" in text
    assert text.count("available") == 3


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"min": {"wbe": 0.1}}, ["min wbe=0.1", "Did you mean 'web'?"]),
        ({"max": {"web": 30}}, ["max web=30", "fraction"]),
        ({"min": {"web": -0.1}}, ["fraction"]),
        ({"groups": {"g": ["web", "cod"]}, "max": {"g": 0.5}}, ["Did you mean 'code'?"]),
        ({"groups": {"web": ["code"]}, "max": {"web": 0.5}}, ["a domain already"]),
        ({"groups": {"g": ["web", "code"]}}, ["nothing is asked of it"]),
        ({"groups": {"g": []}, "max": {"g": 0.5}}, ["needs domains"]),
        ({"available": {"web": 1e9}}, ["tokens"]),
        ({"available": {"bok": 1e9}, "tokens": 1e9}, ["Did you mean 'books'?"]),
        ({"available": {"web": -1}, "tokens": 1e9}, ["0 or more"]),
        ({"available": {"web": 1}, "tokens": 1e9, "max_epochs": 0}, ["max_epochs"]),
    ],
)
def test_wrong_requests(asked, words):
    text = message(**asked)
    for word in words:
        assert word in text


def test_mixtures_are_normalised_and_checked():
    np.testing.assert_allclose(mixture_of({"code": 3, "web": 1}, DOMAINS, "x"), [0.25, 0.75, 0])
    for weights, words in (
        ({"web": -1}, "0 or more"),
        ({"web": 0}, "all weights are 0"),
        ({"book": 1}, "Did you mean 'books'?"),
        ({"web": np.nan}, "0 or more"),
    ):
        with pytest.raises(UsageError, match=words.replace("?", r"\?")):
            mixture_of(weights, DOMAINS, "--prior")


@pytest.mark.parametrize("seed", range(30))
def test_interior_and_nearest_obey_random_constraints(seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 12))
    inside = rng.dirichlet(np.ones(k))
    rows = (rng.random((2, k)) < 0.5).astype(float)
    p = Polytope(
        np.where(rng.random(k) < 0.4, inside * 0.9, 0.0),
        np.where(rng.random(k) < 0.4, np.minimum(inside * 1.5, 1.0), 1.0),
        rows,
        rows @ inside * 0.95,
        np.where(rng.random(2) < 0.3, rows @ inside * 0.95, 1.0),
    )
    assert p.violation(inside) >= 0
    if p.interior is not None:
        assert p.violation(p.interior.centre) < 1e-9
        slope = rng.normal(size=k)
        lowest = p.lowest(slope)
        assert p.violation(lowest) < 1e-9
        assert slope @ lowest <= slope @ p.interior.centre + 1e-9


def test_constraints_that_leave_hardly_any_choice():
    # No more than 0.3 + 0.3 + 0.4: one mixture.
    p = Polytope(np.zeros(3), np.array([0.3, 0.3, 0.4]), np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    assert not p.interior.free.any()
    rows = np.array([[1.0, 1, 0]])
    p = Polytope(np.zeros(3), np.array([1.0, 1, 0.4]), rows, np.zeros(1), np.array([0.6]))
    np.testing.assert_array_equal(p.interior.free, [True, True, False])
    assert p.interior.centre[2] == 0.4


def test_weights_are_kept_to_what_the_runs_had():
    had = {"web": Range(0.2, 0.6), "code": Range(0.1, 0.4), "books": Range(0.0, 0.3)}

    def bounds(factor):
        items = linear_items(Constraints(within_observed=factor), DOMAINS, None, had)
        found = polytope_of(items, 3)
        return found.lower.tolist(), found.upper.tolist(), items[0].label

    assert bounds(1.0) == (
        [0.2, 0.1, 0.0],
        [0.6, 0.4, 0.3],
        "--within-observed 1 (web from 0.2 to 0.6)",
    )
    assert bounds(2.0)[:2] == ([0.1, 0.05, 0.0], [1.0, 0.8, 0.6])
    assert Constraints(within_observed=1.0).any
    for factor in (0.9, float("inf"), float("nan")):
        with pytest.raises(UsageError, match=rf"within_observed {factor:g}: it must be 1 or more"):
            bounds(factor)
    assert message(within_observed=1.0) == (
        "within_observed 1: there are no runs whose weights it could stand for."
    )
