"""Names, files and numbers that a careless program trips over."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mixfit.base.errors import UsageError
from mixfit.cli import app
from mixfit.fitting.options import FitOptions

QUICK = ["--restarts", "1", "--hops", "0", "--jobs", "1"]


@pytest.fixture
def table(sample_runs, tmp_path):
    return shutil.copy(sample_runs / "additive.csv", tmp_path / "runs.csv")


@pytest.fixture
def fitted(table, tmp_path):
    path = tmp_path / "fit.yaml"
    found = CliRunner().invoke(app, ["fit", str(table), *QUICK, "-o", str(path)])
    assert found.exit_code == 0
    return path


def test_optimize_does_not_overwrite_what_it_reads(fitted, tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text("web: 1.0\n")
    budget = ["optimize", str(fitted), "--model-size", "1B", "--tokens", "10B"]
    cases = (
        (fitted, []),
        (base, ["--baseline", f"b={base}"]),
        (base, ["--no-worse-than", str(base)]),
    )
    for path, more in cases:
        before = path.read_bytes()
        found = CliRunner().invoke(app, [*budget, *more, "-o", str(path)])
        assert isinstance(found.exception, UsageError)
        assert "is read, and would be overwritten" in str(found.exception)
        assert path.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_file_name_that_is_not_utf8(mixfit, table, tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/runs\xff.csv")
    shutil.copy(table, odd)
    done = mixfit("fit", odd, *QUICK, "-o", "fit.yaml")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "runs\N{REPLACEMENT CHARACTER}.csv" in (tmp_path / "fit.yaml").read_text("utf-8")


def test_a_target_called_average(table):
    path = Path(table)
    path.write_text(path.read_text().replace("math_loss", "average_loss", 1))
    found = CliRunner().invoke(app, ["compare", str(table), "--law", "additive", *QUICK])
    assert isinstance(found.exception, UsageError)
    assert "called 'average'" in str(found.exception)


def test_a_negative_seed():
    with pytest.raises(UsageError, match="seed is -5"):
        FitOptions(seed=-5)
