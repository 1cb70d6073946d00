"""Laws with their shrinkage, as values and as text."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.laws.catalogue import ADDITIVE, CATALOGUE, COUPLED, COUPLED_LINEAR, JOINT
from mixfit.laws.shrunk import AutoLaw, ShrunkLaw, law_of, parse_law


def test_laws_are_read_with_their_shrinkage():
    assert parse_law("joint") == ShrunkLaw(CATALOGUE["joint"])
    assert parse_law("coupled-linear:0.01").shrink == 0.01
    assert parse_law("joint:inf").shrink == np.inf
    for text, message in {
        "additive:0.1": (
            "The law additive has no coefficient for each domain in N or D that --shrink could"
            " pull together. Laws that have: joint, full, coupled-linear, coupled-joint."
        ),
        "joint:strong": "--shrink strong: give a number of 0 or more, inf, auto or none.",
        "joint:-1": "--shrink -1: give a number of 0 or more, inf, auto or none.",
        "joint:nan": "--shrink nan: give a number of 0 or more, inf, auto or none.",
    }.items():
        with pytest.raises(UsageError) as caught:
            parse_law(text)
        assert caught.value.said_with("--{}".format) == message


@pytest.mark.parametrize("text", ["joint", "joint:0.01", "joint:0", "joint:inf", "joint:auto"])
def test_text_comes_back(text):
    assert str(parse_law(text)) == text


def test_no_digit_of_a_shrinkage_is_lost():
    assert parse_law(str(ShrunkLaw(JOINT, 0.0123456789))).shrink == 0.0123456789


def test_a_law_in_any_form():
    assert law_of("joint:auto") == law_of(AutoLaw(JOINT)) == AutoLaw(JOINT)
    assert law_of("joint") == law_of("joint:none") == law_of(JOINT) == ShrunkLaw(JOINT)


def test_what_a_law_with_a_shrinkage_contains():
    assert ShrunkLaw(JOINT).contains == (ShrunkLaw(ADDITIVE),)
    tied = ShrunkLaw(COUPLED_LINEAR, np.inf)
    assert tied.contains == (ShrunkLaw(COUPLED),)
    assert ShrunkLaw(COUPLED_LINEAR, 0.1).contains == (tied, ShrunkLaw(COUPLED))
    assert (tied.penalty, ShrunkLaw(JOINT).penalty, ShrunkLaw(JOINT, 0.1).penalty) == (0, 0, 0.1)
