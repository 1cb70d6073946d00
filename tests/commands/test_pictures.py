"""Commands that draw: what is written, which kinds there are, and what is refused before work."""

from __future__ import annotations

import pytest
from conftest import ROOT
from random_fits import random_fit

from mixfit.fitting.file import save_fit
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.plots import KINDS
from mixfit.runs.read import read_runs

BUDGET = ("--model-size", "1B", "--tokens", "10B")
PNG = b"\x89PNG"
TABLE = ROOT / "sample_runs" / "additive.csv"


@pytest.fixture(scope="module")
def flat():
    runs = read_runs(TABLE, where="model_size<2e8")
    return fit(runs, "chinchilla", options=FitOptions(restarts=1, hops=0))


@pytest.fixture
def run(tmp_path, monkeypatch, flat, called):
    """Run a command in a folder with a table and its fit, giving standard error."""
    monkeypatch.chdir(tmp_path)
    save_fit(flat, "flat.yaml")
    save_fit(random_fit("joint", 3, 2, 1), "fit.yaml")

    def command(*arguments, status=0):
        done = called(*(TABLE if word == "TABLE" else word for word in arguments))
        assert done.returncode == status, done.stderr
        return done.stderr

    return command


@pytest.mark.parametrize("kind", [None, *KINDS["Evaluation"]])
def test_eval(run, tmp_path, kind):
    asked = [] if kind is None else ["--plot-kind", kind]
    said = run("eval", "flat.yaml", "TABLE", "--plot", "a.png", *asked)
    assert said.endswith("wrote  a.png\n")
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


def test_compare(run, tmp_path):
    laws = ("--law", "chinchilla", "--law", "ridge", "--jobs", "1", "--where", "model_size<2e8")
    run("compare", "TABLE", *laws, "--folds", "2", "--plot", "a.svg")
    assert "<svg" in (tmp_path / "a.svg").read_text()
    asked = ("--mixtures", "4,8", "--repeats", "2", "--plot-kind", "mixtures")
    run("compare", "TABLE", *laws, *asked, "--plot", "b.pdf")
    assert (tmp_path / "b.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    "asked",
    [
        BUDGET,
        (*BUDGET, "--plot-kind", "losses"),
        (*BUDGET, "--plot-kind", "growth"),
        (*BUDGET, "--plot-kind", "growth", "--speeds", "1:0.5,1:log"),
        (*BUDGET, "--plot-kind", "influence"),
        (*BUDGET, "--plot-kind", "surface"),
        (*BUDGET, "--each-target"),
        (*BUDGET, "--each-target", "--plot-kind", "influence"),
        ("--model-size", "1B,2B", "--tokens", "10B"),
        ("--flops", "1e20"),
    ],
)
def test_optimize(run, tmp_path, asked):
    assert "wrote  a.png\n" in run("optimize", "fit.yaml", *asked, "--plot", "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


EVAL = ("eval", "flat.yaml", "TABLE", "--plot", "a.png")
OPTIMIZE = ("optimize", "fit.yaml", *BUDGET)
REFUSED = [
    (
        ("eval", "flat.yaml", "TABLE", "--plot", "a.gif"),
        "--plot a.gif: pictures are written as .png, .svg or .pdf; end the name so.",
    ),
    (
        (*EVAL, "--plot-kind", "obserwed"),
        "There is no kind of picture 'obserwed'. Did you mean 'observed'? Kinds: observed, by-size,"
        " by-tokens, by-flops, residuals.",
    ),
    (
        ("eval", "flat.yaml", "TABLE", "--plot-kind", "residuals"),
        "--plot-kind needs --plot FILE.",
    ),
    (
        ("eval", "flat.yaml", "TABLE", "--plot", "flat.yaml"),
        "flat.yaml: this file is read, and would be overwritten. Choose another.",
    ),
    (
        (*EVAL, "--plot-kind", "by-size", "--plot-domain", "wed"),
        "--plot-domain 'wed': the fit has no such domain. Did you mean 'web'? Its domains are web,"
        " code, books.",
    ),
    (
        ("compare", "TABLE", "--plot", "a.png", "--plot-kind", "mixtures"),
        "--plot-kind mixtures needs --mixtures Q,Q,... to be fitted.",
    ),
    (
        (*OPTIMIZE, "--each-target", "--plot", "a.png", "--plot-kind", "losses"),
        "--plot-kind losses is no picture of --each-target. Kinds there: weights, influence, map.",
    ),
    (
        ("optimize", "fit.yaml", "--model-size", "1B,2B", "--plot", "a.png", "--plot-kind", "map"),
        "--plot-kind map is no picture of a grid. Kinds there: weights.",
    ),
    (
        ("optimize", "fit.yaml", "--flops", "1e20", "--plot", "a.png", "--plot-kind", "growth"),
        "--plot-kind growth needs --model-size and --tokens, from which both grow.",
    ),
    ((*OPTIMIZE, "--plot", "a.png", "--speeds", "1:1"), "--speeds is for --plot-kind growth."),
    (
        (*OPTIMIZE, "--plot", "a.png", "--plot-kind", "map"),
        "A map of the best mixtures weighs the domains as targets, and the fit has no target"
        " d0, d1, d2.",
    ),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_refused(run, tmp_path, words, message):
    assert run(*words, status=2) == f"error: {message}\n"
    assert not (tmp_path / "a.png").exists()
