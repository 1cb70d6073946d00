"""Numbers and conditions as users write them."""

import numpy as np
import pytest
from tables_of_runs import HEADER, ROWS, frame, message, parquet, table

from mixfit.base.errors import UsageError
from mixfit.base.numbers import parse_number
from mixfit.runs.conditions import parse_conditions
from mixfit.runs.read import read_runs


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


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("step<3", [1, 2]),
        ("step <= 3", [1, 2, 3]),
        ("step>=3, step<4", [3]),
        (["step>1", "step!=3"], [2, 4]),
        ("step==2", [2]),
        ("model_size>=0.5B", [3, 4]),
        ("run==a b", [1, 2]),
        ("run=='a b',step>1", [2]),
        ('run!="c,d"', [1, 2, 4]),
        ("done==true", [1, 3]),
        ("lr>0", [1, 2, 3]),  # a missing cell meets no comparison
        ("lr!=0.1", [2, 4]),  # but !=
    ],
)
def test_conditions(where, rows):
    data = frame().assign(
        step=[1, 2, 3, 4],
        run=["a b", "a b ", "c,d", None],
        done=[True, False, True, False],
        lr=[0.1, 0.2, 0.1, None],
    )
    expected = frame().iloc[[row - 1 for row in rows]]
    data.to_csv("runs.csv", index=False)
    for source in ("runs.csv", parquet(data), data):
        runs = read_runs(source, where=where)
        np.testing.assert_array_equal(runs.losses_of("x"), expected["loss_x"])
        assert runs.rows_read == 4


def test_conditions_are_kept_without_spaces():
    runs = read_runs(table(*ROWS), where=["model_size > 1e8 , n_tokens>=4B", "loss_x < 3.5"])
    assert runs.where == ("model_size>1e8", "n_tokens>=4B", "loss_x<3.5")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            "n_token>1",
            "--where 'n_token>1': runs.csv has no column 'n_token'. Did you mean 'n_tokens'? "
            "The columns are weight_a, weight_b, model_size, n_tokens, loss_x, y_loss.",
        ),
        (
            "n_tokens=1",
            "--where 'n_tokens=1' is not of the form COLUMN OP VALUE, with OP one of "
            "< <= > >= == !=, such as 'model_size>=3e8'. Equality is written ==.",
        ),
        (
            "n_tokens>big",
            "--where 'n_tokens>big': big is not a number, and text can be compared with == and != "
            "only. Write a number like 3e8, 310M or 7B.",
        ),
        (
            ["loss_x<9", "n_tokens>1T"],
            "--where 'n_tokens>1T' leaves no row: none has such a n_tokens. "
            "Change the condition or leave it out.",
        ),
        (
            "model_size<4e8,loss_x<2.85",
            "--where 'model_size<4e8' and 'loss_x<2.85' leave no row together, though each leaves "
            "some. Leave one out.",
        ),
    ],
)
def test_conditions_that_cannot_be_used(where, said):
    assert message(table(*ROWS), where=where, error=UsageError) == said


def test_text_in_the_column_of_a_condition():
    table(ROWS[0] + ",1", ROWS[1] + ",one", header=HEADER + ",step")
    assert message("runs.csv", where="step<3") == (
        "runs.csv: row 2 (line 3), column step: 'one' is not a number, and --where 'step<3' "
        "compares numbers. Mend the cell, or put quotes around the value to compare text with "
        "== or !=."
    )
    assert len(read_runs("runs.csv", where="step=='1'")) == 1
