"""``mixfit design``: from names of domains to a sheet, a fit, more runs and an optimum."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from mixfit.runs.read import read_runs

DOMAINS = ("--domains", "web,code,books")


@pytest.fixture
def run(tmp_path, monkeypatch, called):
    """Run the command in a folder of its own, giving standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments, status=0):
        done = called("design", *arguments)
        assert done.returncode == status, done.stderr
        return done.stdout, done.stderr

    return command


def refused(run, *arguments):
    out, said = run(*arguments, status=2)
    assert out == ""
    return said.removeprefix("error: ").removesuffix("\n")


def rows(path):
    return list(csv.DictReader(io.StringIO(Path(path).read_text("utf-8"))))


def weights(row):
    return {name: value for name, value in row.items() if name.startswith("weight_")}


# The law behind the tests: additive, one target for each domain and one for none.
C = np.array([[2.0, 0.4, 0.5], [0.3, 1.5, 0.2], [0.5, 0.3, 1.2], [0.9, 0.8, 0.4]])
GAMMA = np.array([[0.6, 0.5, 0.7], [0.4, 0.5, 0.8], [0.6, 0.9, 0.5], [0.5, 0.5, 0.6]])
TARGETS = ("web", "code", "books", "exam")


def true_losses(h, N, D):
    term = 1 / (C * h**GAMMA).sum(axis=1)
    return 1.2 + term + 40 / N**0.25 + 700 / D**0.33


def fill(source, goal, leave=0):
    """Fill a sheet in with the law's losses and some noise, but for its last rows."""
    table = rows(source)
    rng = np.random.default_rng(len(table))
    for row in table[: len(table) - leave]:
        h = np.array([float(x) for x in weights(row).values()])
        losses = true_losses(h, float(row["model_size"]), float(row["n_tokens"]))
        for target, loss in zip(TARGETS, losses * (1 + 1e-3 * rng.normal(size=4)), strict=True):
            row[f"loss_{target}"] = repr(float(loss))
    with open(goal, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, table[0])
        writer.writeheader()
        writer.writerows(table)


def test_a_sheet(run):
    out, err = run(*DOMAINS, "--mixtures", "12", "--targets", "web,exam", "-o", "runs.csv")
    table = rows("runs.csv")
    assert list(table[0]) == [
        "run",
        "replicate",
        "model_size",
        "n_tokens",
        "weight_web",
        "weight_code",
        "weight_books",
        "loss_web",
        "loss_exam",
    ]
    assert len(table) == 12
    for row in table:
        assert sum(round(1e6 * float(x)) for x in weights(row).values()) == 10**6
        assert row["loss_web"] == row["loss_exam"] == row["model_size"] == ""
    assert out.startswith("12 mixtures of 3 domains, i-optimal, seed 0; 12 runs\n")
    assert "additive                 7                1.7  sound predictions" in out
    assert "note  the sheet leaves model_size and n_tokens empty; fill in what you train" in err
    assert err.endswith("wrote  runs.csv\n") or err.endswith("wrote runs.csv\n")


def test_the_same_bytes_and_others_for_another_seed(run):
    sheets = []
    for seed in ("1", "1", "2"):
        out, _ = run(*DOMAINS, "--mixtures", "8", "--seed", seed, "-o", "-", "--quiet")
        sheets.append(out)
    assert sheets[0] == sheets[1] != sheets[2]


def test_weights_on_the_grid_of_a_sampler(run):
    out, _ = run(*DOMAINS, "--mixtures", "9", "--grid", "2048", "-o", "-", "--quiet")
    for row in csv.DictReader(io.StringIO(out)):
        steps = [float(x) * 2048 for x in weights(row).values()]
        assert steps == [round(x) for x in steps]
        assert sum(float(x) for x in weights(row).values()) == 1.0


def test_sizes_tokens_and_what_to_keep(run):
    out, _ = run(
        *DOMAINS, "--mixtures", "8", "--model-sizes", "50M,100M", "--run-tokens", "3B",
        "--tokens", "150B", "--available", "code=10B", "--replicates", "3", "-o", "runs.csv",
        "--details", "design.yaml",
    )  # fmt: skip
    table = rows("runs.csv")
    for row in table:
        share = float(row["weight_code"])
        assert row["n_tokens"] == "3000000000"
        assert share <= 40 / 150 + 1e-6
        assert int(row["tokens_code"]) == round(share * 3e9)
        assert float(row["passes_code"]) == pytest.approx(share * 15, rel=1e-3)
        assert row["unique_code"] == "200000000"
        assert row["passes_web"] == row["unique_web"] == ""
        # The run repeats what it keeps as often as the large training repeats all.
        if share > 0.01:
            passes = int(row["tokens_code"]) / int(row["unique_code"])
            assert passes == pytest.approx(float(row["passes_code"]), rel=1e-3)
    content = yaml.safe_load(Path("design.yaml").read_text("utf-8"))
    assert content["schema"] == "mixfit.design/1"
    assert sum(entry["runs"] for entry in content["cost"]) == len(table) == len(content["runs"])
    total = sum(6 * float(row["model_size"]) * 3e9 for row in table)
    assert sum(entry["flops"] for entry in content["cost"]) == pytest.approx(total)
    assert f"{total:.3g}" in out


def test_one_number_for_the_training_and_for_the_runs(run):
    run(*DOMAINS, "--mixtures", "6", "--model-sizes", "50M", "--tokens", "4B", "-o", "a.csv")
    run(*DOMAINS, "--mixtures", "6", "--model-size", "50M", "--run-tokens", "4B", "-o", "b.csv")
    for name in ("a.csv", "b.csv"):
        assert {(r["model_size"], r["n_tokens"]) for r in rows(name)} == {
            ("50000000", "4000000000")
        }


def test_mixtures_by_name(run):
    Path("base.yaml").write_text("web: 0.6\ncode: 0.2\nbooks: 0.2\n", "utf-8")
    Path("base2.yaml").write_text("web: 1\ncode: 1\nbooks: 2\n", "utf-8")
    run(
        *DOMAINS, "--mixtures", "12", "--include", "uniform,base.yaml", "--include",
        "web=0.5,code=0.25,books=0.25", "--include", "old=base2.yaml,leave-one-out", "--details",
        "d.yaml",
    )  # fmt: skip
    content = yaml.safe_load(Path("d.yaml").read_text("utf-8"))
    origins = [entry["origin"] for entry in content["mixtures"]]
    assert origins[:7] == [
        "uniform",
        "base",
        "web=0.5,code=0.25,books=0.25",
        "old",
        "without web",
        "without code",
        "without books",
    ]
    assert content["mixtures"][3]["weights"] == {"web": 0.25, "code": 0.25, "books": 0.5}
    assert "needs --available for every domain" in refused(run, *DOMAINS, "--include", "unimax")
    there = ("--available", "web=90B,code=1B,books=9B", "--tokens", "10B")
    run(*DOMAINS, *there, "--include", "proportional,unimax", "--details", "d.yaml")
    content = yaml.safe_load(Path("d.yaml").read_text("utf-8"))
    assert content["mixtures"][0]["weights"] == {"web": 0.9, "code": 0.01, "books": 0.09}


def test_a_file_for_each_run(run):
    Path("p.yaml").write_text("web: /w\ncode: /c\nbooks: /b\n", "utf-8")
    run(
        *DOMAINS, "--mixtures", "6", "--each-run", "blends", "--format", "megatron", "--prefixes",
        "p.yaml", "-o", "runs.csv",
    )  # fmt: skip
    table = rows("runs.csv")
    assert sorted(p.name for p in Path("blends").iterdir()) == [f"{r['run']}.txt" for r in table]
    for row in table:
        parts = Path(f"blends/{row['run']}.txt").read_text("utf-8").split()
        blend = dict(zip(parts[1::2], map(float, parts[::2]), strict=True))
        assert blend == {f"/{d[7]}": float(x) for d, x in weights(row).items() if float(x) > 0}
    run(*DOMAINS, "--mixtures", "4", "--each-run", "blends", "--format", "hf", "--grid", "2048")
    content = json.loads(Path("blends/run-01.json").read_text("utf-8"))
    assert sum(content["probabilities"]) == 1.0


def test_a_sheet_with_losses_is_not_overwritten(run):
    run(*DOMAINS, "--mixtures", "6", "--model-sizes", "50M", "--tokens", "4B", "-o", "runs.csv")
    run(*DOMAINS, "--mixtures", "7", "--targets", ",".join(TARGETS), "--model-sizes", "50M",
        "--tokens", "4B", "-o", "runs.csv")  # fmt: skip
    fill("runs.csv", "runs.csv")
    text = refused(run, *DOMAINS, "-o", "runs.csv")
    assert text == (
        "runs.csv: this file has losses in it, and would be overwritten. Choose another."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Name the domains, as in --domains web,code,books."),
        (("--domains", "web,,code"), "--domains: a name is empty."),
        ((*DOMAINS, "--min", "web=0.6", "--fix", "code=0.5"), "These cannot hold together"),
        ((*DOMAINS, "--format", "hf"), "--each-run and --format go together"),
        ((*DOMAINS, "--available", "web=1B"), "--available needs the length of the training"),
        ((*DOMAINS, "--include", "web=1,code=1", "--min", "books=0.1"), "--include web=1,code=1:"),
        ((*DOMAINS, "--include", "nothing.yaml"), "nothing.yaml: there is no such file."),
        ((*DOMAINS, "--include", "uniform,uniform"), "--include uniform: uniform stands twice."),
        ((*DOMAINS, "--flops-budget", "1e20"), "--flops-budget needs --model-sizes and --run-tok"),
        (("--next", "4"), "--fit and --next go together"),
        (("--fit", "f.yaml", "--next", "4", "--mixtures", "9"), "--mixtures is for first designs"),
        ((*DOMAINS, "--grid", "3"), "--grid 3: weights in steps of 1/3 have no exact decimals"),
    ],
)
def test_what_cannot_be_used(run, options, said):
    assert refused(run, *options).startswith(said)


def test_from_names_of_domains_to_an_optimum(run, called, tmp_path):
    """Design, fill in, fit, design again, fill in, fit and optimise, by the commands alone."""

    def done(*arguments):
        finished = called(*arguments)
        assert finished.returncode == 0, finished.stderr
        return finished

    sizes = ("--model-sizes", "50M,100M,200M", "--run-tokens", "1B,2B,4B")
    targets = ("--targets", ",".join(TARGETS))
    done("design", *DOMAINS, *targets, "--mixtures", "10", *sizes, "--seed", "5", "-o", "first.csv")
    empty = called("fit", "first.csv")
    assert empty.returncode == 2
    assert "no row kept has a loss" in empty.stderr
    fill(tmp_path / "first.csv", tmp_path / "some.csv", leave=3)
    quick = ("--pool", "none", "--restarts", "2", "--hops", "1", "--jobs", "1")
    partly = done("fit", "some.csv", *quick)
    assert "3 rows have no loss at all: left out, some.csv: row" in partly.stderr
    fill(tmp_path / "first.csv", tmp_path / "runs.csv")
    done("design", "--runs", "runs.csv", *targets, *sizes, "--mixtures", "5", "-o", "more.csv")
    fill(tmp_path / "more.csv", tmp_path / "more_runs.csv")
    both = read_runs([tmp_path / "runs.csv", tmp_path / "more_runs.csv"])
    assert len(both.mixtures) == 15
    done("fit", "runs.csv", "more_runs.csv", *quick, "-o", "fit.yaml")
    asked = done(
        "design", "--fit", "fit.yaml", "--next", "4", "--model-size", "1B", "--tokens", "20B", "-o",
        "next.csv",
    )  # fmt: skip
    assert "(1 SE, by the fit's own curvature)" in asked.stdout
    assert "4 mixtures of 3 domains" in asked.stdout
    fill(tmp_path / "next.csv", tmp_path / "next_runs.csv")
    assert "MRE" in done("eval", "fit.yaml", "next_runs.csv").stdout
    done("fit", "runs.csv", "more_runs.csv", "next_runs.csv", *quick, "-o", "fit.yaml")
    done(
        "optimize", "fit.yaml", "--model-size", "1B", "--tokens", "20B", "--format", "json", "-o",
        "best.json",
    )  # fmt: skip
    h = np.array(list(json.loads((tmp_path / "best.json").read_text()).values()))
    every = np.random.default_rng(0).dirichlet(np.ones(3), 20_000)
    lowest = min(true_losses(other, 1e9, 2e10).mean() for other in every)
    assert true_losses(h, 1e9, 2e10).mean() < lowest * 1.002
