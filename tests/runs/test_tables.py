"""Files that are no tables, and what is said of them."""

from __future__ import annotations

import gzip
from pathlib import Path

from tables_of_runs import HEADER, ROWS, frame, message, parquet, table, write

from mixfit.base.errors import UsageError


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
        "none: the directory holds no table (*.csv, *.tsv, *.jsonl, *.ndjson, *.parquet, also with "
        ".gz). Name the files instead."
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
    assert message(write(HEADER.encode() + b"\n0.5,0.5,\xff,1,2,3\n")) == (
        "runs.csv: the text is not UTF-8. Save the file as UTF-8."
    )
