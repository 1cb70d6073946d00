"""Tables of runs as users write them, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest

from mixfit.base.errors import InputError, MixfitError
from mixfit.runs.read import read_runs

if TYPE_CHECKING:
    from mixfit.runs.runs import Runs

HEADER = "weight_a,weight_b,model_size,n_tokens,loss_x,y_loss"
ROWS = [
    "0.25,0.75,310000000,4e9,3.0,2.5",
    "0.25,0.75,310000000,8e9,2.9,2.4",
    "0.5,0.5,6.1e8,4e9,2.8,",
    "1,0,6.1e8,8e9,2.7,NaN",
]


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


def write_csv(data: pd.DataFrame, name: str) -> str:
    arrow_csv.write_csv(pa.Table.from_pandas(data, preserve_index=False), name)
    return name
