"""`mixfit predict`: what is given, and what comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from random_fits import additive

from mixfit.fitting.file import load_fit, save_fit

MIXTURE = ("--mixture", "web=0.5,code=0.5")
BUDGET = ("--model-size", "1B,7B", "--tokens", "10B")


@pytest.fixture
def run(tmp_path, monkeypatch, called):
    """Run the command in a folder with a fit file, giving standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    save_fit(additive({"x": [1.0, 2.0]}, {"x": [0.5, 0.5]}, ["web", "code"]), "fit.yaml")

    def command(*arguments, status=0):
        done = called("predict", "fit.yaml", *arguments)
        assert done.returncode == status, done.stderr
        return done.stdout, done.stderr

    return command


def refused(run, *arguments):
    out, said = run(*arguments, status=2)
    assert out == ""
    return said.removeprefix("error: ").removesuffix("\n")


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_file_has_what_the_fit_predicts(run, name):
    _, notes = run(*MIXTURE, *BUDGET, "--out", name)
    frame = (pd.read_csv if name.endswith("csv") else pd.read_parquet)(name)
    expected = load_fit("fit.yaml").predict([1e9, 7e9], 1e10, [0.5, 0.5])["x"]
    np.testing.assert_allclose(frame["loss"], expected, rtol=1e-12)
    assert list(frame["model_size"]) == [1e9, 7e9]
    assert "no intervals: the fit was not resampled" in notes
    assert "7 times the largest size fitted" in notes


def test_a_table_of_trainings_is_predicted(run):
    rows = "run,N,D,web,code\na,1e9,1e10,0.5,0.5\nb,1e9,1e10,0.2,0.8\n"
    Path("rows.csv").write_text(rows, encoding="utf-8")
    text, _ = run("--table", "rows.csv", "--out", "out.csv")
    frame = pd.read_csv("out.csv")
    assert list(frame["mixture"]) == ["a", "b"]
    assert "90% interval" not in text
    expected = load_fit("fit.yaml").predict(1e9, 1e10, [[0.5, 0.5], [0.2, 0.8]])["x"]
    np.testing.assert_allclose(frame["loss"], expected, rtol=1e-12)


def test_what_is_missing_or_too_much_is_refused(run):
    assert refused(run, *MIXTURE) == "--model-size is missing: the rows fitted had several."
    assert refused(run) == "What should be predicted? Give --mixture, or --table."
    both = refused(run, *MIXTURE, "--table", "rows.csv")
    assert both == "--table has the mixtures, sizes and lengths: leave out the others."
    twice = refused(run, *MIXTURE, *MIXTURE, *BUDGET)
    assert twice.endswith("there is a mixture 'web=0.5,code=0.5' already.")
    assert "out.txt" in refused(run, *MIXTURE, *BUDGET, "--out", "out.txt")
