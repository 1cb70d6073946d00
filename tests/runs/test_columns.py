"""Which column is what, and what is said where that is not clear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tables_of_runs import HEADER, ROWS, message, table

from mixfit.base.errors import UsageError
from mixfit.runs.read import read_runs


def test_a_number_in_place_of_a_column():
    table("0.5,0.5,3,2", header="weight_a,weight_b,loss_x,y_loss")
    runs = read_runs("runs.csv", model_size="7B", tokens=1.5e11)
    assert (runs.N.tolist(), runs.D.tolist()) == ([7e9], [1.5e11])
    assert (runs.columns.model_size, runs.columns.tokens) == (7e9, 1.5e11)


def test_globs_name_domains_and_targets():
    header = "train_the_pile_a,train_the_pile_b,N,D,metric/the_pile_c_val_loss,cost"
    table("0.5,0.5,1e8,1e9,3,2", header=header)
    runs = read_runs(
        "runs.csv", weights="train_the_pile_*", targets="metric/the_pile_*_val_loss, cost"
    )
    assert runs.columns.weights == {"a": "train_the_pile_a", "b": "train_the_pile_b"}
    assert runs.columns.targets == {"c": "metric/the_pile_c_val_loss", "cost": "cost"}


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        ("y", ["y"]),
        ("y_loss,loss_x", ["y", "x"]),
        (["loss_*"], ["x"]),
        ("*", ["x", "y"]),
        ("w*,x", None),
        ("?_loss", ["y"]),
    ],
)
def test_targets_by_name_and_by_column(targets, found):
    table(*ROWS)
    if found is None:
        assert "column weight_a is read as a weight and as a target" in message(
            "runs.csv", targets=targets, error=UsageError
        )
    else:
        assert list(read_runs("runs.csv", targets=targets).targets) == found


def test_domains_of_a_fit_set_the_order():
    table(*ROWS)
    runs = read_runs("runs.csv", domains=["b", "a"])
    assert runs.domains == ("b", "a")
    np.testing.assert_array_equal(runs.h, read_runs("runs.csv").h[:, ::-1])
    assert message("runs.csv", domains=["a", "c"]) == (
        "runs.csv: the domains differ from those of the fit, a, c: the table has no weight for c "
        "and has weights for b too. Choose the weight columns with --weights."
    )


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (
            "wa,wb,N,D,x_loss",
            "runs.csv: no weight column (weight_*). Name the columns of the mixture's weights "
            "with --weights, as in --weights 'train_*'. The columns are wa, wb, N, D, x_loss.",
        ),
        (
            "weight_a,wb,N,D,x_loss",
            "runs.csv: only one weight column, weight_a; a mixture has two or more domains. Name "
            "the others with --weights. The columns are weight_a, wb, N, D, x_loss.",
        ),
        (
            "weight_a,weight_b,N,D,x",
            "runs.csv: no loss column (loss_* or *_loss). Name the columns of the losses with "
            "--targets, as in --targets 'val_*'. The columns are weight_a, weight_b, N, D, x.",
        ),
        (
            "weight_a,weight_b,n,D,x_loss",
            "runs.csv: no column for the model size (model_size, n_params, params, N). Name it "
            "with --model-size, or give one number that holds for every row, as in --model-size "
            "1e9. The columns are weight_a, weight_b, n, D, x_loss.",
        ),
        (
            "weight_a,weight_b,N,d,x_loss",
            "runs.csv: no column for the tokens (n_tokens, tokens, D). Name it with --tokens, or "
            "give one number that holds for every row, as in --tokens 1e9. "
            "The columns are weight_a, weight_b, N, d, x_loss.",
        ),
        (
            "weight_a,weight_b,N,D,x_loss,params",
            "runs.csv: columns params and N may both be the model size. "
            "Choose one, as in --model-size params.",
        ),
        (
            "weight_a,weight_b,N,D,x_loss,tokens",
            "runs.csv: columns tokens and D may both be the tokens. "
            "Choose one, as in --tokens tokens.",
        ),
        (
            "weight_a,weight_b,N,D,x_loss,loss_x",
            "runs.csv: columns x_loss and loss_x are both the target x. "
            "Choose one of them with --targets.",
        ),
    ],
)
def test_columns_that_are_missing_or_ambiguous(header, said):
    row = ",".join("1" for _ in header.split(","))
    assert message(table(row, header=header)) == said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"weights": "weigth_*"},
            "--weights 'weigth_*' matches no column of runs.csv. Did you mean 'weight_b'? The ",
        ),
        ({"weights": "weight_a,weight_c"}, "--weights 'weight_c' matches no column of runs.csv."),
        ({"weights": " , "}, "--weights is empty. Name columns, as in --weights 'a_*,b_*'."),
        ({"targets": []}, "--targets is empty. Name columns, as in --targets 'a_*,b_*'."),
        ({"targets": "z"}, "--targets 'z' matches no column of runs.csv."),
        (
            {"targets": "weight_*"},
            "runs.csv: column weight_a is read as a weight and as a target. Choose the columns "
            "with --weights and --targets so that each has one purpose.",
        ),
        (
            {"tokens": "model_size"},
            "runs.csv: column model_size is read as the model size and as the tokens. Choose the "
            "columns with --model-size and --tokens so that each has one purpose.",
        ),
        (
            {"model_size": "modelsize"},
            "--model-size modelsize: runs.csv has no such column, and it is not a number like 1e9 "
            "or 7B. Did you mean 'model_size'? The columns are weight_a, ",
        ),
        (
            {"tokens": "0"},
            "--tokens 0: the tokens must be a number above 0, such as 1e9.",
        ),
    ],
)
def test_options_that_cannot_be_used(options, said):
    assert message(table(*ROWS), error=UsageError, **options).startswith(said)


def test_a_column_that_both_conventions_match():
    said = message(table(*ROWS, header=HEADER.replace("y_loss", "weight_loss")), error=UsageError)
    assert said.startswith("runs.csv: column weight_loss is read as a weight and as a target.")


def test_files_whose_columns_differ():
    table(*ROWS)
    table(*ROWS, header=HEADER.replace("y_loss", "z_loss"), name="b.csv")
    assert message(["runs.csv", "b.csv"]) == (
        "b.csv: no column y_loss, which runs.csv has. Files that are read together need the same "
        "columns; choose them with --weights, --targets, --model-size and --tokens."
    )
    table(*(row + ",1" for row in ROWS), header=HEADER + ",z_loss", name="c.csv")
    assert message(["runs.csv", "c.csv"]).startswith("runs.csv: no column z_loss, which c.csv has.")
    assert len(read_runs(["runs.csv", "c.csv"], targets="x,y")) == 8


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"units": {"weights": 1e6}}, "units: weights cannot be counted in 1e+06."),
        ({"units": {"tokens": 0.0}}, "units: tokens cannot be counted in 0."),
        ({"targets": {"x": ()}}, "targets: x has no column."),
        ({"transforms": {"y": "1-x"}}, "transforms: there is no target 'y'."),
        (
            {"transforms": {"x": "1-y"}},
            "transforms: x has '1-y', which is none. Did you mean '1-x'?",
        ),
    ],
)
def test_columns_that_no_table_can_have(changed, said):
    table(*ROWS)
    columns = read_runs("runs.csv", targets="x").columns
    with pytest.raises(UsageError) as caught:
        replace(columns, **changed)
    assert str(caught.value) == said


def test_columns_of_a_fit_are_taken_where_the_table_has_them():
    header = "train_a,train_b,size,len,cost,weight_a,weight_b"
    table("0.5,0.5,1e8,1e9,3,0.25,0.75", header=header)
    options = {"weights": "train_*", "model_size": "size", "tokens": "len", "targets": "cost"}
    like = read_runs("runs.csv", **options).columns
    again = read_runs("runs.csv", like=like, domains=["a", "b"])
    assert (again.columns, again.h.tolist()) == (like, [[0.5, 0.5]])
    # An option goes before, and another table is read as tables mostly are.
    assert read_runs("runs.csv", like=like, weights="weight_*").h.tolist() == [[0.25, 0.75]]
    table(*ROWS, name="usual.csv")
    assert len(read_runs("usual.csv", like=like, domains=["a", "b"])) == 4
    # N of all rows is that of the fit, where the table does not log it.
    fixed = read_runs("runs.csv", **options | {"model_size": "7B"}).columns
    table("0.5,0.5,1e9,3", header="train_a,train_b,len,cost", name="less.csv")
    assert read_runs("less.csv", like=fixed).N.tolist() == [7e9]
    assert read_runs("usual.csv", like=fixed).N.tolist() == read_runs("usual.csv").N.tolist()
