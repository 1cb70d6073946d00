"""The rule that chooses a law, on errors made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.evaluation.rule import choose, difference, logs_of
from mixfit.fitting.result import Candidate

SHARED = np.random.default_rng(0).normal(0, 1, (12, 4))  # of mixtures and targets, in all laws


def errors(factor, spread=0.0, seed=1):
    """Errors in percent that rise and fall with those of other laws."""
    away = np.random.default_rng(seed).normal(0, 1, SHARED.shape)
    away = spread * (away - away.mean())
    return {"new mixtures": logs_of(factor * np.exp(SHARED + away))}


def candidate(law, parameters, excluded=""):
    return Candidate(law, parameters, 0.4, excluded)


def test_a_difference_is_that_of_geometric_means():
    gap = difference(errors(0.5), errors(0.4))
    assert gap.percent == pytest.approx(25.0)
    assert gap.percent_error == pytest.approx(0.0, abs=1e-9)  # however much mixtures differ


def test_its_standard_error_counts_mixtures_and_targets():
    noisy, plain = errors(0.4, 0.5), errors(0.4)
    away = noisy["new mixtures"] - plain["new mixtures"]
    expected = np.var(away.mean(axis=1), ddof=1) / 12 + np.var(away.mean(axis=0), ddof=1) / 4
    assert difference(noisy, plain).error == pytest.approx(np.sqrt(expected))


@pytest.mark.parametrize("name", "abcdefgh")
def test_sums_are_in_the_order_of_what_was_held_out(name):
    half = np.random.default_rng(0).lognormal(0, 4, (200, 1, 1))
    gaps = np.concatenate([half, -half])  # what rounding leaves of their sum tells the order
    one = {f"{name} {number}": gap for number, gap in enumerate(gaps)}
    other = {f"{name} {number}": np.zeros((1, 1)) for number in reversed(range(400))}
    assert difference(one, other).mean == np.mean(gaps)


def test_what_was_held_out_weighs_alike():
    one = {"a": np.log(np.full((9, 2), 2.0)), "b": np.log(np.full((1, 2), 0.5))}
    other = {"a": np.zeros((9, 2)), "b": np.zeros((1, 2))}
    assert difference(one, other).percent == pytest.approx(0.0)


def test_missing_errors_have_no_say():
    one, other = errors(0.5), errors(0.4)
    one["new mixtures"][3, 2] = np.nan
    assert difference(one, other).percent == pytest.approx(25.0)


def test_a_smaller_law_that_is_as_good_is_chosen():
    logs = {"large": errors(0.40), "small": errors(0.41, 0.5)}
    choice, compared = choose([candidate("large", 9), candidate("small", 5)], logs)
    assert choice.law == "small"
    assert choice.reason.startswith(
        "held-out error 0.4% on average with 5 parameters, as good as the lowest, 0.4% of large"
        " with 9 (difference "
    )
    assert compared[1].difference == 0.0
    assert compared[0].difference == pytest.approx(-difference(*logs.values()).percent, abs=20)


def test_a_larger_law_that_is_surely_better_is_chosen():
    logs = {"large": errors(0.40), "small": errors(0.44, 0.05)}
    choice, compared = choose([candidate("large", 9), candidate("small", 5)], logs)
    assert (choice.law, choice.reason) == ("large", "lowest held-out error, 0.4% on average")
    assert compared[1].difference == pytest.approx(10, abs=5)


def test_of_laws_that_differ_by_what_solvers_leave_the_smaller_is_chosen():
    logs = {"large": errors(0.4), "small": errors(0.4 * (1 + 1e-6))}
    assert choose([candidate("large", 9), candidate("small", 5)], logs)[0].law == "small"
    one = {law: {"size": own["new mixtures"][:1, :1]} for law, own in logs.items()}
    assert np.isfinite(difference(one["large"], one["small"]).mean)
    assert choose([candidate("large", 9), candidate("small", 5)], one)[0].law == "small"
    logs["small"] = errors(0.401)
    assert choose([candidate("large", 9), candidate("small", 5)], logs)[0].law == "large"


def test_one_far_mixture_does_not_decide():
    logs = {"large": errors(0.40), "small": errors(0.50)}
    logs["large"]["new mixtures"][0] = np.log(50.0)
    assert choose([candidate("large", 9), candidate("small", 5)], logs)[0].law == "small"
    logs = {"large": errors(0.30), "small": errors(0.50)}
    logs["large"]["new mixtures"][0] = np.log(5.0)
    assert choose([candidate("large", 9), candidate("small", 5)], logs)[0].law == "large"


def test_none_is_chosen_where_none_can_be():
    choice, compared = choose([candidate("one", 5, "it is no law")], {})
    assert choice is None
    assert compared[0].excluded == "it is no law"
