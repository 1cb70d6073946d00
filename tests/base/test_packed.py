"""Arrays as texts: they come back, and other texts are refused."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixfit.base.errors import InputError
from mixfit.base.packed import packed, unpacked
from mixfit.base.plain import Place

PLACE = Place("fit.yaml", "weights")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_come_back_to_the_last_bit(numbers):
    assert unpacked(packed(np.array(numbers)), PLACE).tolist() == numbers


def test_rows_come_back():
    rows = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(unpacked(packed(rows), PLACE, 3), rows)
    np.testing.assert_array_equal(unpacked(" \n".join(packed(rows)), PLACE, 3), rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a?", "is not the base64 text of numbers. Make the file anew."),
        ("", "does not hold whole rows of 1. Make the file anew."),
        (
            base64.b64encode(b"1234567").decode(),
            "does not hold whole rows of 1. Make the file anew.",
        ),
        (packed(np.array([np.inf])), "holds a number that is not finite. Make the file anew."),
    ],
)
def test_other_texts_are_refused(text, said):
    with pytest.raises(InputError) as error:
        unpacked(text, PLACE)
    assert str(error.value) == f"fit.yaml: 'weights' {said}"


def test_half_a_row_is_refused():
    with pytest.raises(InputError, match="does not hold whole rows of 2"):
        unpacked(packed(np.arange(3.0)), PLACE, 2)
