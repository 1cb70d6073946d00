"""The examples do what they say, and their gates fail where they should."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import PROGRAM, ROOT, check_file

EXAMPLES = ROOT / "examples"
RUNS = ROOT / "sample_runs" / "additive.csv"


@pytest.fixture
def folder(tmp_path):
    """A repository with the files of the examples and a table of runs."""
    for path in EXAMPLES.iterdir():
        shutil.copy(path, tmp_path)
    shutil.copy(RUNS, tmp_path / "runs.csv")
    return tmp_path


def shifted(folder):
    """Shift the losses of the largest runs, as if the law did not hold there."""
    runs = pd.read_csv(folder / "runs.csv")
    losses = [column for column in runs if "loss" in column]
    runs.loc[runs["model_size"] >= 4e8, losses] *= 1.05
    runs.to_csv(folder / "runs.csv", index=False)


def run(folder, *command):
    environment = os.environ | {"PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_the_makefile_fits_gates_and_finds_a_mixture(folder):
    done = run(folder, "make", "RUNS=runs.csv")
    assert done.returncode == 0, done.stderr
    mixture = yaml.safe_load((folder / "mixture.yaml").read_text())["mixtures"][0]
    assert (mixture["model_size"], mixture["tokens"]) == (7e9, 150e9)
    assert mixture["weights"]["code"] <= 0.6
    for name in ("fit.yaml", "eval.yaml", "mixture.yaml"):
        check_file((folder / name).read_text())
    assert "up to date" in run(folder, "make", "RUNS=runs.csv", "mixture.yaml").stdout
    shifted(folder)
    failed = run(folder, "make", "RUNS=runs.csv")
    assert failed.returncode == 2  # of make: a recipe failed
    assert "FAIL" in failed.stderr
    assert "[Makefile:" in failed.stderr
    assert "Error 1" in failed.stderr
    assert not (folder / "eval.yaml").exists()
    assert (folder / "mixture.yaml").stat().st_mtime < (folder / "fit.yaml").stat().st_mtime


def job(folder):
    """Run the steps of the job that call mixfit, as a runner does: until one fails."""
    workflow = yaml.safe_load((folder / "ci.yml").read_text())
    for step in workflow["jobs"]["mixture"]["steps"]:
        command = step.get("run", "")
        if command.startswith("mixfit"):
            done = run(folder, "bash", "-e", "-o", "pipefail", "-c", command)
            if done.returncode:
                return step["name"], done
    return None, None


def test_the_job_of_ci_fails_where_the_gate_does(folder):
    assert job(folder) == (None, None)
    assert (folder / "mixture.yaml").exists()
    (folder / "mixture.yaml").unlink()
    shifted(folder)
    step, done = job(folder)
    assert step == "Predict the largest ones to 1 percent"
    assert done.returncode == 1
    assert "FAIL" in done.stderr
    assert not (folder / "mixture.yaml").exists()
    # A table that cannot be read is not a gate that fails.
    runs = pd.read_csv(folder / "runs.csv")
    runs.assign(model_size=np.nan).to_csv(folder / "runs.csv", index=False)
    assert job(folder)[1].returncode == 2
