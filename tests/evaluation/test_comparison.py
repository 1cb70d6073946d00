"""The rule that chooses a law, on standings made by hand."""

from __future__ import annotations

from mixfit.evaluation.comparison import choose
from mixfit.fitting.result import Candidate


def standing(law, parameters, test, error=0.05, excluded=""):
    return Candidate(law, parameters, test, error, excluded)


def test_the_smaller_law_is_chosen_within_one_standard_error():
    small, large = standing("small", 5, 0.44), standing("large", 9, 0.40)
    choice = choose([large, small])
    assert choice.law == "small"
    assert choice.reason == (
        "mean held-out MRE 0.44% with 5 parameters, within one standard error (0.05) of the lowest,"
        " 0.4% of large with 9"
    )
    choice = choose([large, standing("small", 5, 0.46)])
    assert (choice.law, choice.reason) == ("large", "lowest mean held-out MRE, 0.4%")
    assert choose([standing("small", 5, 0.44, float("nan")), large]).law == "small"
    assert choose([small, standing("large", 9, 0.40, float("nan"))]).law == "large"


def test_none_is_chosen_where_none_can_be():
    assert choose([standing("one", 5, 0.4, excluded="it is no law")]) is None
