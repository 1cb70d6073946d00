"""Laws with how hard they are pooled, as values and as text."""

from __future__ import annotations

import pytest

from mixfit.base.errors import UsageError
from mixfit.laws.catalogue import ADDITIVE, CATALOGUE, CHINCHILLA, JOINT
from mixfit.laws.pooled import USUAL, AutoLaw, Pool, PooledLaw, assuming, law_of, parse_law
from mixfit.laws.rivals import RIVALS


def test_laws_are_read_with_their_strength():
    assert parse_law("joint:none") == PooledLaw(CATALOGUE["joint"])
    assert parse_law("coupled-linear:0.01").pool == Pool(0.01, usual=USUAL)
    assert parse_law("joint:0.01+0.1+0.003").pool == Pool(0.01, 0.1, 0.003, USUAL)
    assert parse_law("joint:0.01+0+0+0.0001").pool == Pool(0.01, usual=0.0001)
    assert parse_law("chinchilla:0+0+0+0.1").pool == Pool(usual=0.1)
    for text, message in {
        "chinchilla:0.1": (
            "The law chinchilla has no parameter for each domain that --pool could pull together."
            " Laws that have: simple, additive, joint, full, powered, coupled, coupled-linear,"
            " coupled-joint, twofold, coupled-twofold, coupled-joint-twofold, skaling-inside,"
            " skaling-beside."
        ),
        "joint:strong": "--pool strong: give a number of 0 or more, auto, domains or none.",
        "joint:-1": "--pool -1: give a number of 0 or more, auto, domains or none.",
        "joint:nan": "--pool nan: give a number of 0 or more, auto, domains or none.",
        "joint:0.1+": "--pool 0.1+: give a number of 0 or more, auto, domains or none.",
        "joint:1+1+1+1+1": "--pool 1+1+1+1+1: give a number of 0 or more, auto, domains or none.",
        "joint:inf": "--pool inf: give a number of 0 or more, auto, domains or none.",
    }.items():
        with pytest.raises(UsageError) as caught:
            parse_law(text)
        assert caught.value.said_with("--{}".format) == message


@pytest.mark.parametrize(
    "text",
    [
        "joint",
        "joint:0.01",
        "joint:0",
        "joint:0.01+0+0.003",
        "joint:domains",
        "joint:none",
        "chinchilla",
        "chinchilla:none",
        "joint:0.01+0+0.003+0.1",
        "joint:0.01+0+0+0",
    ],
)
def test_text_comes_back(text):
    assert str(parse_law(text)) == text


def test_no_digit_of_a_strength_is_lost():
    assert parse_law(str(PooledLaw(JOINT, Pool(0.0123456789)))).pool == Pool(0.0123456789)


def test_a_law_in_any_form():
    assert law_of("joint:auto") == law_of(AutoLaw(JOINT)) == law_of(JOINT) == AutoLaw(JOINT)
    assert law_of("joint:none") == law_of(PooledLaw(JOINT)) == PooledLaw(JOINT)
    assert law_of("joint:domains") == AutoLaw(JOINT, across=False)


def test_of_a_law_without_domains_usual_exponents_are_assumed():
    assert law_of("chinchilla") == law_of(CHINCHILLA) == assuming(CHINCHILLA)
    assert assuming(CHINCHILLA) == PooledLaw(CHINCHILLA, Pool(usual=USUAL))
    assert law_of("chinchilla:none") == PooledLaw(CHINCHILLA)


def test_of_published_laws_nothing_is_assumed():
    for law in RIVALS:
        assert assuming(law) == law_of(law) == PooledLaw(law)


def test_what_a_pooled_law_contains_is_pooled_as_hard():
    assert PooledLaw(JOINT).contains == (PooledLaw(ADDITIVE),)
    assert PooledLaw(JOINT, Pool(0.1, 0.2)).contains == (PooledLaw(ADDITIVE, Pool(0.1)),)
    assert PooledLaw(ADDITIVE, Pool(0.1)).contains == (PooledLaw(CHINCHILLA),)
    (smaller,) = PooledLaw(ADDITIVE, Pool(0.1, usual=0.2)).contains
    assert smaller == PooledLaw(CHINCHILLA, Pool(usual=0.2))
