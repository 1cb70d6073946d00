"""Tables of runs: what is read, and that nothing but an error of ours is raised."""

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
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tables_of_runs import (
    HEADER,
    ROWS,
    assert_same,
    frame,
    message,
    parquet,
    table,
    write,
    write_csv,
)

from mixfit.base.errors import InputError, MixfitError, UsageError
from mixfit.runs.read import read_runs

REAL = Path(__file__).parents[3] / "shared/data/slimpajama_small.csv"


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
    second = write_csv(frame().iloc[2:][reversed(frame().columns)], "second.csv")
    both = read_runs([first, Path(second)])
    assert_same(both, read_runs(frame()))
    assert [(file.path, file.rows) for file in both.files] == [("runs.csv", 2), ("second.csv", 2)]


def test_a_directory_stands_for_the_tables_in_it_and_says_what_it_leaves_out():
    parquet(frame().iloc[3:], "log/sub/part.parquet")
    write_csv(frame().iloc[:2], "log/a.csv")
    write(frame().iloc[2:3].to_json(orient="records", lines=True), "log/b.jsonl")
    runs = read_runs("log")
    assert_same(runs, read_runs(frame()))
    inside = ["log/a.csv", "log/b.jsonl", "log/sub/part.parquet"]
    assert [file.path for file in runs.files] == inside
    assert [file.path for file in read_runs("log/**/*.*").files] == inside
    assert message("log/*.tsv") == "log/*.tsv: no file has such a name."
    write("not a table", "log/readme.txt")
    write("", "log/.hidden.csv")
    assert [(note.code, note.text) for note in read_runs("log").notes] == [
        (
            "left-out",
            "log: 3 tables are read, and what is none by its name is not: .hidden.csv, readme.txt",
        )
    ]
    # A name with brackets is a file before it is a glob.
    write_csv(frame(), "log/[a].csv")
    assert read_runs("log/[a].csv").files[0].path == "log/[a].csv"


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
            "N": np.arange(1, rows + 1) * 10_000,
            "D": np.arange(1, rows + 1) * 1_000_000,
            "loss_x": np.linspace(3, 2, rows),
        }
    )
    kept = np.flatnonzero(data["N"] % 70_000 == 0)
    data["keep"] = (data["N"] % 70_000 == 0).map({True: "yes", False: "no"})
    write_csv(data, "runs.csv")
    from_parquet = read_runs(parquet(data, row_group_size=30_000), where="keep==yes")
    np.testing.assert_array_equal(from_parquet.N, (kept + 1.0) * 10_000)
    assert_same(from_parquet, read_runs("runs.csv", where="keep==yes"))
    data.loc[190_000, "loss_x"] = -1
    said = message(parquet(data), where="N>1B")
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


def test_rows_filtered_out_may_hold_anything():
    runs = read_runs(table(*ROWS, "-5,x,big,,0,inf"), where="n_tokens>0")
    assert_same(runs, read_runs(table(*ROWS, "9,9,9,nan,9,9"), where="n_tokens>0"))


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
