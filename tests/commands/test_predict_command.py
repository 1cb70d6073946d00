"""`mixfit predict`: what is given, and what comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from random_fits import additive

from mixfit.fitting.file import load_fit, save_fit
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.runs.read import read_runs

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


def test_mixtures_without_a_file_have_the_words_of_optimize(run):
    run(*BUDGET, "--mixture", "uniform", "--mixture", "u=web=2,code=2", "--out", "out.csv")
    frame = pd.read_csv("out.csv")
    assert list(frame["mixture"]) == ["uniform"] * 2 + ["u"] * 2
    expected = load_fit("fit.yaml").predict([1e9, 7e9], 1e10, [0.5, 0.5])["x"]
    np.testing.assert_allclose(frame["loss"], [*expected, *expected], rtol=1e-12)
    said = refused(run, *BUDGET, "--mixture", "unifrm")
    assert said == (
        "--mixture unifrm: there is no such file. Did you mean 'uniform'? A mixture is a file, "
        "uniform, observed, or shares such as web=1,code=1."
    )
    said = refused(run, *BUDGET, "--mixture", "observed")
    assert said.startswith("--mixture observed: the runs that were fitted are not where they were")


def test_the_mean_mixture_of_the_runs_fitted_is_predicted(tmp_path, monkeypatch, called):
    monkeypatch.chdir(tmp_path)
    lines = ["weight_web,weight_code,model_size,n_tokens,loss_x"]
    for h in (0.1, 0.3, 0.4, 0.5, 0.9):
        for N, D in ((1e8, 1e9), (1e9, 1e10), (3e8, 5e9)):
            lines.append(f"{h},{1 - h},{N},{D},{1 + h * h + 30 / N**0.2 + 100 / D**0.25}")
    Path("runs.csv").write_text("\n".join(lines), encoding="utf-8")
    made = fit(read_runs("runs.csv"), options=FitOptions(restarts=1, hops=0), jobs=1)
    save_fit(made, "fit.yaml")
    asked = ("--model-size", "1B", "--tokens", "10B", "--out", "out.csv")
    done = called("predict", "fit.yaml", "--mixture", "now=observed", *asked)
    assert done.returncode == 0, done.stderr
    frame = pd.read_csv("out.csv")
    assert list(frame["mixture"]) == ["now"]
    expected = made.predict(1e9, 1e10, [0.44, 0.56])["x"]
    np.testing.assert_allclose(frame["loss"], expected, rtol=1e-9)


def test_what_is_missing_or_too_much_is_refused(run):
    assert refused(run, *MIXTURE) == "--model-size is missing: the rows fitted had several."
    assert refused(run) == "What should be predicted? Give --mixture, or --table."
    both = refused(run, *MIXTURE, "--table", "rows.csv")
    assert both == "--table has the mixtures, sizes and lengths: leave out the others."
    twice = refused(run, *MIXTURE, *MIXTURE, *BUDGET)
    assert twice.endswith("there is a mixture 'web=0.5,code=0.5' already.")
    assert "out.txt" in refused(run, *MIXTURE, *BUDGET, "--out", "out.txt")
