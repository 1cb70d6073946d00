"""Numbers and conditions as users write them."""

import pytest

from mixfit.base.errors import UsageError
from mixfit.base.numbers import parse_number
from mixfit.runs.conditions import parse_conditions


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7e9", 7e9),
        ("7B", 7e9),
        ("310M", 310_000_000),
        ("0.31B", 310_000_000),
        ("1.3T", 1.3e12),
        (" 150 b ", 1.5e11),
        ("2k", 2000),
        ("1e3M", 1e9),
        (".5", 0.5),
        ("-3", -3),
        ("+4.", 4),
    ],
)
def test_numbers(text, value):
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "B", "7X", "7BB", "nan", "inf", "1e999", "1,000", "0x10"])
def test_not_numbers(text):
    with pytest.raises(UsageError) as caught:
        parse_number(text)
    assert str(caught.value) == (f"'{text}' is not a number. Write one like 7e9, 310M, 7B or 1.3T.")


def test_parts_of_conditions():
    parsed = parse_conditions([" a b <= 7B ,run=='x, y'", 'c != "1"'])
    assert [(c.column, c.sign, c.value) for c in parsed] == [
        ("a b", "<=", 7e9),
        ("run", "==", "x, y"),
        ("c", "!=", "1"),
    ]


@pytest.mark.parametrize("text", ["", "a", "a>", ">3", "a=3", "a=>3", "a>>3", "a<3<4>", "a><3"])
def test_bad_syntax(text):
    with pytest.raises(UsageError, match=r"is not of the form COLUMN OP VALUE|is not a number"):
        parse_conditions(text)
