"""Tables of runs: what is read, what is refused, and what is said."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixfit.base.errors import InputError, MixfitError, UsageError
from mixfit.runs.identity import group_mixtures
from mixfit.runs.read import read_runs
from mixfit.runs.runs import Runs

REAL = Path(__file__).parents[3] / "shared/data/slimpajama_small.csv"
HEADER = "weight_a,weight_b,model_size,n_tokens,loss_x,y_loss"
ROWS = [
    "0.25,0.75,310000000,4e9,3.0,2.5",
    "0.25,0.75,310000000,8e9,2.9,2.4",
    "0.5,0.5,6.1e8,4e9,2.8,",
    "1,0,6.1e8,8e9,2.7,NaN",
]


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(text: str | bytes, name: str = "runs.csv") -> str:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def table(*rows: str, header: str = HEADER, name: str = "runs.csv") -> str:
    return write("\n".join([header, *rows]) + "\n", name)


def parquet(frame: pd.DataFrame, name: str = "runs.parquet", **options: object) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), name, **options)
    return name


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "weight_a": [0.25, 0.25, 0.5, 1],
            "weight_b": [0.75, 0.75, 0.5, 0],
            "model_size": [310_000_000, 310_000_000, 610_000_000, 610_000_000],
            "n_tokens": [4e9, 8e9, 4e9, 8e9],
            "loss_x": [3.0, 2.9, 2.8, 2.7],
            "y_loss": [2.5, 2.4, None, None],
        }
    )


def assert_same(one: Runs, other: Runs) -> None:
    for name in ("N", "D", "h", "losses"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.domains, one.targets, one.columns) == (other.domains, other.targets, other.columns)
    assert (one.where, one.rows_read, one.notes) == (other.where, other.rows_read, other.notes)


def message(*args: object, error: type[MixfitError] = InputError, **options: object) -> str:
    """Give the text of an error as the command line does, options for parameters."""
    with pytest.raises(error) as caught:
        read_runs(*args, **options)
    return caught.value.said_with(lambda name: "--" + name.replace("_", "-"))


# What is read


def test_values_and_names_of_a_csv_file():
    runs = read_runs(table(*ROWS))
    np.testing.assert_array_equal(runs.N, [3.1e8, 3.1e8, 6.1e8, 6.1e8])
    np.testing.assert_array_equal(runs.D, [4e9, 8e9, 4e9, 8e9])
    np.testing.assert_array_equal(runs.h, [[0.25, 0.75], [0.25, 0.75], [0.5, 0.5], [1, 0]])
    np.testing.assert_array_equal(runs.losses, [[3, 2.5], [2.9, 2.4], [2.8, np.nan], [2.7, np.nan]])
    assert runs.domains == ("a", "b")
    assert runs.targets == ("x", "y")
    assert (runs.columns.model_size, runs.columns.tokens) == ("model_size", "n_tokens")
    assert runs.columns.weights == {"a": "weight_a", "b": "weight_b"}
    assert runs.columns.targets == {"x": "loss_x", "y": "y_loss"}
    assert (runs.where, runs.rows_read, runs.notes, len(runs)) == ((), 4, (), 4)
    assert runs.files[0].path == "runs.csv"
    assert runs.files[0].rows == 4
    np.testing.assert_array_equal(runs.losses_of("x"), [3, 2.9, 2.8, 2.7])
    with pytest.raises(UsageError, match=r"no target 'z'.* The targets are x, y"):
        runs.losses_of("z")


def test_csv_parquet_gzip_and_data_frame_are_equal():
    from_csv = read_runs(table(*ROWS))
    assert_same(from_csv, read_runs(parquet(frame())))
    assert_same(from_csv, read_runs(frame()))
    assert_same(from_csv, read_runs(frame().astype(object)))
    assert_same(from_csv, read_runs(parquet(frame().astype(str), "text.parquet")))
    assert_same(from_csv, read_runs(write(gzip.compress(Path("runs.csv").read_bytes()), "r.gz")))
    assert read_runs(frame()).files == ()
    assert read_runs(write(Path("runs.parquet").read_bytes(), "runs.dat")).rows_read == 4


@pytest.mark.parametrize(
    "mend",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n\n" + text.replace("\n", "\n\n"),
        lambda text: text.replace(",", " , "),
        lambda text: text.replace("NaN", " NA "),
        lambda text: text.replace("NaN", "n/a"),
        lambda text: text.replace("weight_b", '"weight_b\n"'),
        lambda text: text.replace("weight_a", '"weight_a"').replace("0.25", '"0.25"'),
        lambda text: text.rstrip("\n"),
        lambda text: "\n".join("," + line for line in text.splitlines()),
        lambda text: "\n".join(
            ('"a\nb",' if i else '"no\nte",') + line for i, line in enumerate(text.splitlines())
        ),
    ],
)
def test_harmless_differences_of_csv_files(mend):
    expected = read_runs(table(*ROWS))
    assert_same(expected, read_runs(write(mend(Path("runs.csv").read_text()), "other.csv")))


def test_columns_in_any_order_and_several_files():
    first = table(*ROWS[:2])
    second = arrow_csv_copy(frame().iloc[2:][reversed(frame().columns)], "second.csv")
    both = read_runs([first, Path(second)])
    assert_same(both, read_runs(frame()))
    assert [(file.path, file.rows) for file in both.files] == [("runs.csv", 2), ("second.csv", 2)]


def arrow_csv_copy(data: pd.DataFrame, name: str) -> str:
    arrow_csv.write_csv(pa.Table.from_pandas(data, preserve_index=False), name)
    return name


def test_a_directory_stands_for_its_parquet_files():
    parquet(frame().iloc[2:], "log/sub/part.parquet")
    parquet(frame().iloc[:2], "log/a.parquet")
    write("not a table", "log/readme.txt")
    runs = read_runs("log")
    assert_same(runs, read_runs(frame()))
    assert [file.path for file in runs.files] == ["log/a.parquet", "log/sub/part.parquet"]


def test_from_parquet_only_the_columns_needed_are_read():
    data = pa.Table.from_pandas(frame(), preserve_index=False)
    nested = pa.array([[{"deep": [b"\xff"]}]] * 4)
    pq.write_table(data.append_column("config", nested), "runs.parquet", compression="none")
    assert_same(read_runs("runs.parquet"), read_runs(frame()))
    # Even where the pages of another column are broken.
    place = pq.ParquetFile("runs.parquet").metadata.row_group(0).column(6)
    assert place.path_in_schema.startswith("config")
    start = place.dictionary_page_offset or place.data_page_offset
    data_bytes = bytearray(Path("runs.parquet").read_bytes())
    data_bytes[start : start + place.total_compressed_size] = b"\xff" * place.total_compressed_size
    write(bytes(data_bytes), "runs.parquet")
    assert_same(read_runs("runs.parquet"), read_runs(frame()))
    said = message("runs.parquet", error=InputError, where="config==1")
    assert said.startswith("runs.parquet: broken Parquet file: ")


def test_conditions_hold_across_the_batches_of_a_large_file():
    rows = 200_000
    data = pd.DataFrame(
        {
            "weight_a": np.repeat(0.5, rows),
            "weight_b": np.repeat(0.5, rows),
            "N": np.arange(1, rows + 1),
            "D": np.arange(1, rows + 1) * 10,
            "loss_x": np.linspace(3, 2, rows),
        }
    )
    kept = np.flatnonzero(data["N"] % 7 == 0)
    data["keep"] = (data["N"] % 7 == 0).map({True: "yes", False: "no"})
    arrow_csv_copy(data, "runs.csv")
    from_parquet = read_runs(parquet(data, row_group_size=30_000), where="keep==yes")
    np.testing.assert_array_equal(from_parquet.N, kept + 1.0)
    assert_same(from_parquet, read_runs("runs.csv", where="keep==yes"))
    data.loc[190_000, "loss_x"] = -1
    said = message(parquet(data), where="N>100000")
    assert said.startswith("runs.parquet: row 190001, column loss_x: the value is -1,")


def test_importing_runs_is_cheap_and_reading_leaves_pandas_alone():
    table(*ROWS)
    parquet(frame())
    code = (
        "import sys, mixfit.runs.read as r\n"
        "assert not {'pyarrow', 'pandas', 'scipy'} & set(sys.modules)\n"
        "r.read_runs('runs.csv', where=['loss_x<5'])\n"
        "r.read_runs('runs.parquet', where=['loss_x<5'])\n"
        "assert not {'pandas', 'pyarrow.dataset', 'scipy'} & set(sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(root)})


# Missing losses, normalisation, checkpoints logged twice


def test_rows_without_any_loss_are_dropped_with_a_note():
    runs = read_runs(table(*ROWS, "0.5,0.5,6.1e8,9e9,,NA", "0.5,0.5,6.1e8,9.5e9,,"))
    assert_same(runs.select(slice(None)), runs)
    assert len(runs) == 4
    assert runs.rows_read == 6
    assert [(n.code, n.text) for n in runs.notes] == [
        ("no-loss", "2 rows have no loss at all and are left out")
    ]


def test_a_target_without_losses_is_left_out_if_another_remains():
    runs = read_runs(table(*ROWS), where="model_size>4e8")
    assert runs.targets == ("x",)
    assert runs.columns.targets == {"x": "loss_x"}
    assert runs.losses.shape == (2, 1)
    assert [(n.code, n.text, n.target) for n in runs.notes] == [
        ("empty-target", "no row has a loss in column y_loss; the target is left out", "y")
    ]
    assert message("runs.csv", where="model_size>4e8", targets="y") == (
        "runs.csv: no row kept has a loss in column y_loss. "
        "Choose other columns with --targets, or other rows with --where."
    )


def test_weights_that_nearly_sum_to_one_are_normalised():
    runs = read_runs(table("0.252,0.75,1e8,4e9,3,2", "0.5,0.5000004,1e8,4e9,3,2"))
    np.testing.assert_allclose(runs.h.sum(axis=1), 1, atol=1e-15)
    np.testing.assert_allclose(runs.h[0], [0.252 / 1.002, 0.75 / 1.002], rtol=1e-15)
    assert [(n.code, n.text) for n in runs.notes] == [
        (
            "normalised",
            "the weights of 1 row did not sum to 1 and are normalised; "
            "the largest deviation is 0.002",
        )
    ]
    assert read_runs(table("0.5,0.5000004,1e8,4e9,3,2")).notes == ()
    assert len(read_runs(table("0.5,0.49,1e8,4e9,3,2", "0.5,0.51,1e8,4e9,3,2"))) == 2


def test_a_weight_that_rounding_made_negative_is_zero():
    np.testing.assert_array_equal(read_runs(table("1,-1e-17,1e8,4e9,3,2")).h, [[1, 0]])


def test_checkpoints_logged_twice_are_kept_and_counted():
    rows = [
        "0.25,0.75,1e8,2e10,3.0,2.5",
        "0.5,0.5,1e8,2e10,3.0,2.5",  # another mixture
        "0.25,0.75,2e8,2e10,3.0,2.5",  # another size
        "0.25,0.75,1e8,1.9998e10,3.0,",  # logged twice: losses equal where both are known
        "0.25,0.75,1e8,2.02e10,3.0,2.5",  # 1% further
        "0.5,0.5,1e8,2.0001e10,3.0,2.500001",  # another loss
    ]
    runs = read_runs(table(*rows))
    assert len(runs) == 6
    assert [(n.code, n.text) for n in runs.notes] == [
        (
            "logged-twice",
            "1 checkpoint is logged twice (same mixture, N and losses at nearly the same D); "
            "both rows are kept",
        )
    ]
    assert read_runs(table(*rows[:3])).notes == ()


def test_mixtures_are_equal_to_one_millionth_whatever_the_rounding():
    h = np.array(
        [[0.1234565, 0.8765435], [0.5, 0.5], [0.12345649, 0.87654351], [0.123459, 0.876541]]
    )
    mixture, first = group_mixtures(h)
    assert mixture.tolist() == [0, 1, 0, 2]
    assert first.tolist() == [0, 1, 3]
    runs = read_runs(table(*ROWS))
    assert runs.mixture.tolist() == [0, 0, 1, 2]
    np.testing.assert_array_equal(runs.mixtures, [[0.25, 0.75], [0.5, 0.5], [1, 0]])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_grouping_finds_the_mixtures_that_were_drawn(seed):
    rng = np.random.default_rng(seed)
    centres = np.round(rng.dirichlet(np.ones(4), rng.integers(1, 30)), 4)
    _, drawn = np.unique(rng.integers(0, len(np.unique(centres, axis=0)), 80), return_inverse=True)
    centres = np.unique(centres, axis=0)
    h = centres[drawn] + rng.uniform(-4e-7, 4e-7, (80, 4))
    mixture, first = group_mixtures(h)
    assert len(first) == len(np.unique(drawn))
    np.testing.assert_array_equal(drawn[first][mixture], drawn)
    assert (np.diff(first) > 0).all()


def test_select_takes_masks_and_indices():
    runs = read_runs(table(*ROWS))
    by_mask = runs.select(runs.N > 4e8)
    assert_same(by_mask, runs.select(np.array([2, 3])))
    assert by_mask.mixtures.tolist() == [[0.5, 0.5], [1, 0]]
    assert by_mask.targets == ("x", "y")


# Choosing columns


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


# Conditions


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


def test_rows_filtered_out_may_hold_anything():
    runs = read_runs(table(*ROWS, "-5,x,big,,0,inf"), where="n_tokens>0")
    assert_same(runs, read_runs(table(*ROWS, "9,9,9,nan,9,9"), where="n_tokens>0"))


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


# Files that cannot be used


def test_files_that_are_not_tables():
    table(*ROWS)
    assert message("run.csv") == "run.csv: no such file. Did you mean 'runs.csv'?"
    assert message(write(b"", "empty.csv")) == (
        "empty.csv: the file is empty. It needs a header line and a line a row."
    )
    assert message(table(name="head.csv")) == "head.csv: the table has a header but no rows."
    assert message(parquet(frame().iloc[:0], "head.parquet")) == (
        "head.parquet: the table has columns but no rows."
    )
    assert message(frame().iloc[:0]) == "the data frame: the table has no rows."
    assert message(write(b"\x89PNG\x00\x01", "plot.csv")) == (
        "plot.csv: neither CSV nor Parquet. Give the runs as one of these."
    )
    assert message(write(b"\xff\xe9,b\n1,2\n", "latin.csv")) == (
        "latin.csv: neither Parquet nor CSV in UTF-8. Save the table as one of these."
    )
    assert message(write("a,b\n1,2\n".encode("utf-16"), "wide.csv")) == (
        "wide.csv: the text is UTF-16. Save the file as UTF-8."
    )
    broken = message(write(Path("head.parquet").read_bytes()[:-9], "cut.parquet"))
    assert broken.startswith("cut.parquet: broken Parquet file: ")
    assert message(write(gzip.compress(b"a,b\n" * 99)[:-9], "cut.gz")).startswith(
        "cut.gz: broken gzip file: "
    )
    Path("none").mkdir()
    assert message("none") == (
        "none: the directory holds no *.parquet file. Name the files instead."
    )
    assert message("runs.csv/deeper") == "runs.csv/deeper: cannot be read: Not a directory."
    assert message([], error=UsageError) == (
        "no file is given. Name a CSV or Parquet file with the runs."
    )
    assert message(["runs.csv", "./runs.csv"], error=UsageError) == (
        "./runs.csv is given twice; its rows would count double."
    )


def test_csv_files_of_a_wrong_shape():
    said = message(table(ROWS[0], "", "0.25,0.75,3", ROWS[1]))
    assert said == (
        "runs.csv: line 4 has 3 cells and the header has 6. "
        "Mend the line, or quote the cells that hold a comma."
    )
    assert message(table(*ROWS, header=HEADER.replace("y_loss", " loss_x"))) == (
        "runs.csv: column loss_x stands twice in the header. Rename one."
    )
    assert message(table("1;2", header="weight_a;weight_b")) == (
        "runs.csv: the columns are separated by ';'. Separate them by ','."
    )
    assert message(write(HEADER.encode() + b"\n0.5,0.5,\xff,1,2,3\n")) == (
        "runs.csv: the text is not UTF-8. Save the file as UTF-8."
    )


# Columns that are missing, or serve two purposes


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


# Values that cannot be used


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "0.5,0.5,big,4e9,3,2",
            "row 2 (line 3), column model_size: 'big' is not a number. "
            "Mend the cell, or leave the row out with --where.",
        ),
        (
            "0.5,half,1e8,4e9,3,2",
            "row 2 (line 3), column weight_b: 'half' is not a number. "
            "Mend the cell, or leave the row out with --where.",
        ),
        (
            "0.5,0.5,1e8,4e9,3,diverged",
            "row 2 (line 3), column y_loss: 'diverged' is not a number. "
            "Mend the cell, or leave the row out with --where.",
        ),
        (
            "0.5,0.5,,4e9,3,2",
            "row 2 (line 3), column model_size: the value is missing, and must be a number above "
            "0. Mend the cell, or leave the row out with --where 'model_size>0'.",
        ),
        (
            "0.5,0.5,1e8,-4e9,3,2",
            "row 2 (line 3), column n_tokens: the value is -4000000000, and must be a number above "
            "0. Mend the cell, or leave the row out with --where 'n_tokens>0'.",
        ),
        (
            "0.5,0.5,1e8,inf,3,2",
            "row 2 (line 3), column n_tokens: the value is inf, and must be a number above "
            "0. Mend the cell, or leave the row out with --where 'n_tokens<1e30'.",
        ),
        (
            "0.5,NA,1e8,4e9,3,2",
            "row 2 (line 3), column weight_b: the value is missing, and a weight must be a number "
            "from 0 to 1. Mend the cell (0 for a domain that is left out), or leave the row out "
            "with --where 'weight_b>=0'.",
        ),
        (
            "-0.1,1.1,1e8,4e9,3,2",
            "row 2 (line 3), column weight_a: the value is -0.1, and a weight must be a number "
            "from 0 to 1. Mend the cell (0 for a domain that is left out), or leave the row out "
            "with --where 'weight_a>=0'.",
        ),
        (
            "0.5,0.5,1e8,4e9,3,0",
            "row 2 (line 3), column y_loss: the value is 0, and a loss must be a number above 0. "
            "Empty the cell if the loss is unknown, or leave the row out with --where 'y_loss>0'.",
        ),
        (
            "0.5,0.5,1e8,4e9,inf,2",
            "row 2 (line 3), column loss_x: the value is inf, and a loss must be a number above 0. "
            "Empty the cell if the loss is unknown, or leave the row out with --where "
            "'loss_x<1e6'.",
        ),
        (
            "0.5,0.6,1e8,4e9,3,2",
            "row 2 (line 3): the weights weight_a, weight_b sum to 1.1, and must sum to 1 within "
            "1%. Mend the weights, or choose the columns that are weights with --weights.",
        ),
    ],
)
def test_values_that_cannot_be_used(row, said):
    assert message(table(ROWS[0], row)) == f"runs.csv: {said}"


def test_rows_are_named_as_they_stand_in_the_file():
    header = '"no\nte",' + HEADER
    rows = ['"one\ntwo",' + ROWS[0], "", "x," + ROWS[1], 'y,"0.5",0.5,1e8,-1,3,2']
    assert "row 3 (line 7), column n_tokens" in message(table(*rows, header=header))
    assert "row 3 (line 7), column n_tokens" in message("runs.csv", where="loss_x>2.9")
    bad = [ROWS[0].replace("0.25", "0.9")] * 6
    assert message([table(*ROWS, name="a.csv"), table(ROWS[0], *bad)]) == (
        "runs.csv: row 2 (line 3): the weights weight_a, weight_b sum to 1.65, and must sum to 1 "
        "within 1% (so in 5 rows more: runs.csv: row 3 (line 4), runs.csv: row 4 (line 5), "
        "runs.csv: row 5 (line 6), ...). Mend the weights, or choose the columns that are weights "
        "with --weights."
    )


def test_weights_in_percent():
    assert message(table("25,75,1e8,4e9,3,2", "50,50.5,1e8,4e9,3,2")) == (
        "runs.csv: row 1 (line 2): the weights weight_a, weight_b sum to 100, as they do in all "
        "rows: they look like percent. Divide them by 100."
    )


def test_cells_of_other_types():
    data = frame().assign(model_size=[True, False, True, True])
    assert "row 1, column model_size: 'true' is not a number" in message(parquet(data))
    data = frame().assign(model_size=[[1], [2], [3], [4]])
    assert "row 1, column model_size: 'a list<" in message(parquet(data))
    data = frame().astype({"model_size": object})
    data.loc[2, "model_size"] = "big"
    assert "the data frame: row 3, column model_size: 'big' is not a number" in message(data)
    decimals = frame().astype({"n_tokens": pd.ArrowDtype(pa.decimal128(20, 2))})
    assert_same(read_runs(decimals), read_runs(frame()))
    assert_same(read_runs(frame().astype({"n_tokens": "category"})), read_runs(frame()))


# Arrays


def test_from_arrays_checks_as_files_do():
    runs = Runs.from_arrays(
        1e8, [1e9, 2e9], [[0.5, 0.5], [0.2, 0.8]], {"x": [3, np.nan], "y": [2, 2]}, ["a", "b"]
    )
    assert (runs.domains, runs.targets, runs.rows_read) == (("a", "b"), ("x", "y"), 2)
    np.testing.assert_array_equal(runs.N, [1e8, 1e8])
    with pytest.raises(InputError, match="row 1, column N: the value is -1, and must be"):
        Runs.from_arrays([-1], [1], [[0.5, 0.5]], {"x": [1]}, ["a", "b"])
    with pytest.raises(InputError, match=r"h has shape \(1, 2\) for 3 domains and 1 targets"):
        Runs.from_arrays([1], [1], [[0.5, 0.5]], {"x": [1]}, ["a", "b", "c"])
    with pytest.raises(InputError, match="N, D or losses do not fit the 1 rows of h"):
        Runs.from_arrays([1], [1, 2], [[0.5, 0.5]], {"x": [1]}, ["a", "b"])


# Anything else


def read_anything(data: bytes, where: tuple[str, ...] = ()) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "runs.csv"
        path.write_bytes(data)
        try:
            runs = read_runs(path, where=where)
        except MixfitError as error:
            said = str(error)
        else:
            said = f"{path}: fine"
            assert np.isfinite(runs.h).all()
            assert (runs.N > 0).all()
            np.testing.assert_allclose(runs.h.sum(axis=1), 1)
    for line in said.split("\nalso: "):
        assert line.startswith((f"{path}: ", "where"))
        assert not re.search(r"[\x00-\x1f\x7f]", line)


CELL = st.one_of(
    st.sampled_from(["0.5", "1", "0", "1e9", "", "nan", "NA", "inf", '"', "a,b", "-1", " 2 ", "x"]),
    st.text(max_size=4),
    st.floats().map(str),
)
COLUMN = st.sampled_from([*HEADER.split(","), "tokens", "", "weight_c", "note", '"q\n"'])
LOOSE = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@LOOSE
@given(st.binary(max_size=200))
def test_no_bytes_make_anything_but_an_error_of_ours(data):
    read_anything(data)
    read_anything(b"PAR1" + data + b"PAR1")
    read_anything(HEADER.encode() + b"\n" + data)


@LOOSE
@given(
    st.one_of(st.just(HEADER.split(",")), st.lists(COLUMN, max_size=8)),
    st.lists(st.lists(CELL, min_size=6, max_size=6), max_size=5),
    st.sampled_from([(), ("model_size>0",), ("note==x",), ("loss_x!=1", "n_tokens<=1e9")]),
)
def test_no_table_makes_anything_but_an_error_of_ours(header, rows, where):
    text = "\n".join(",".join(cells) for cells in [header, *rows])
    read_anything(text.encode(errors="replace"), where)


@settings(LOOSE, max_examples=50)
@given(st.data())
def test_no_broken_parquet_file_makes_anything_but_an_error_of_ours(data):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame(), preserve_index=False), sink)
    whole = bytearray(sink.getvalue().to_pybytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    read_anything(bytes(whole))


# The real runs


@pytest.mark.skipif(not REAL.exists(), reason="the real runs are not here")
def test_the_real_runs():
    runs = read_runs(REAL)
    assert (len(runs), runs.mixtures.shape, len(runs.targets)) == (2408, (60, 7), 8)
    assert np.isnan(runs.losses).sum() == 16
    assert [(note.code, note.text.split()[0]) for note in runs.notes] == [("logged-twice", "220")]
    kept = read_runs(REAL, where=["model_size>=3e8", "n_tokens>=3.9e9"])
    assert (len(kept), kept.rows_read, len(kept.mixtures)) == (1614, 2408, 60)
    assert kept.files[0].rows == 2408
