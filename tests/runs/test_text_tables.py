"""CSV with other separators and JSON Lines, told by their content and not by their name."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from tables_of_runs import HEADER, ROWS, assert_same, frame, message, table, write

from mixfit.runs.read import read_runs


def json_lines(data):
    return data.to_json(orient="records", lines=True)


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("name", ["runs.csv", "runs.tsv", "runs.txt", "runs"])
def test_separators_are_told_by_what_stands_there(separator, name):
    lines = [line.replace(",", separator) for line in (HEADER, *ROWS)]
    assert_same(read_runs(write("\n".join(lines), name)), read_runs(table(*ROWS, name="comma.csv")))


def test_a_separator_is_that_of_most_cells_and_of_both_lines():
    # Commas in the names of columns, and semicolons in cells of a table with commas.
    header = HEADER.replace(",", "\t") + "\tnote, with comma"
    row = ROWS[0].replace(",", "\t") + "\ta, b"
    assert read_runs(write(f"{header}\n{row}\n")).domains == ("a", "b")
    runs = read_runs(table(ROWS[0] + ",a;b;c;d;e;f;g;h;i", header=HEADER + ",note"))
    assert runs.domains == ("a", "b")
    said = message(write("weight_a;weight_b;N;D;x_loss\n0,5;0,5;1e8;1e9;2,5\n"))
    assert said.split("\n")[0].startswith("runs.csv: row 1 (line 2), column weight_a: '0,5' is not")


def test_lines_of_a_wrong_width_name_their_separator():
    lines = [line.replace(",", ";") for line in (HEADER, ROWS[0], "1;2")]
    assert message(write("\n".join(lines))) == (
        "runs.csv: line 3 has 2 cells and the header has 6. Mend the line, or quote the cells that "
        "hold a semicolon."
    )


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv"])
def test_json_lines(name):
    expected = read_runs(frame())
    assert_same(read_runs(write(json_lines(frame()), name)), expected)
    assert_same(read_runs(write("\ufeff\n" + json_lines(frame()) + "\n\n", name)), expected)
    assert_same(read_runs(write(gzip.compress(json_lines(frame()).encode()), name)), expected)
    assert_same(read_runs(write(frame().to_json(orient="records", indent=1), name)), expected)


def test_nested_records_and_missing_values():
    write(
        '{"config": {"mix": {"a": 0.5, "b": 0.5}}, "N": "7B", "D": 1e10, "eval": {"x": NaN, '
        '"y": 2}}\n{"config": {"mix": {"a": 1, "b": 0}}, "N": 7000000000, "D": 1e10, '
        '"eval": {"x": 3.0}}\n'
    )
    runs = read_runs("runs.csv", weights="config.mix.*", targets="eval.*")
    np.testing.assert_array_equal(runs.N, [7e9, 7e9])
    np.testing.assert_array_equal(runs.h, [[0.5, 0.5], [1, 0]])
    np.testing.assert_array_equal(runs.losses, [[np.nan, 2], [3, np.nan]])
    assert runs.targets == ("x", "y")


def test_what_is_said_of_json():
    lines = json_lines(frame().astype(object)).splitlines()
    assert message(write("\n".join([lines[0], "", lines[1].replace("2.9", "-1")]))).startswith(
        "runs.csv: row 2 (line 3), column loss_x: the value is -1, and a loss must be a number "
    )
    broken = message(write("\n".join([lines[0], lines[1][:-1]])))
    assert broken.startswith("runs.csv: line 2 is no JSON (")
    assert broken.endswith("). Write one record a line.")
    assert message(write(lines[0] + "\n[1]")) == (
        "runs.csv: line 2 is no record. Write one record a line."
    )
    assert message(write("[]")) == "runs.csv: the list has no records. Each is a row."
    assert message(write("[1]")) == (
        "runs.csv: item 1 of the list is no record. Write one record a row."
    )
    assert message(write('{"a": {"b": 1}, "a.b": 2}\n')) == (
        "runs.csv: row 1: 'a.b' stands twice. Give one of them another name."
    )
    # A header that only looks like JSON is one of CSV.
    write("{a},weight_a,weight_b,N,D,x_loss\n1,0.5,0.5,1e8,1e9,2\n")
    assert read_runs("runs.csv").domains == ("a", "b")


def test_sizes_as_people_write_them():
    rows = ["0.25,0.75,310M,4B,3.0,2.5", "0.5,0.5, 1.3b ,1.3T,2.9,2.4", "1,0,6.1e8,8e9,2.8,2.3"]
    runs = read_runs(table(*rows))
    np.testing.assert_array_equal(runs.N, [3.1e8, 1.3e9, 6.1e8])
    np.testing.assert_array_equal(runs.D, [4e9, 1.3e12, 8e9])
    assert len(read_runs("runs.csv", where="model_size>=610M,n_tokens<1T")) == 1
    # A loss is no count.
    assert message(table("0.5,0.5,1B,20B,3K,2")).startswith(
        "runs.csv: row 1 (line 2), column loss_x: '3K' is not a number."
    )
    assert message(table("0.5,0.5,1Q,20B,3,2")).startswith(
        "runs.csv: row 1 (line 2), column model_size: '1Q' is not a number."
    )
