"""The options of tables on the command line, on the layouts that the page of tables shows."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pandas as pd
import pyarrow.csv as arrow_csv
import pytest
import yaml
from conftest import ROOT

PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
SHOWN = [
    command.replace("\\\n", " ")
    for command in re.findall(r"^ {4}(mixfit (?:.*\\\n)*.*)$", PAGE, re.MULTILINE)
]
QUICK = ("--restarts", "1", "--hops", "0", "--jobs", "1")
DOMAINS = ("arxiv", "github", "pile_cc")
RUNS = 24


@pytest.fixture
def mixfit(called):
    """Nothing here is about processes."""
    return called


def losses_of(h, N, D, rng):
    """Losses of three targets, each helped most by its own domain."""
    own = np.array([[0.9, 0.3, 0.3], [0.2, 0.9, 0.2], [0.3, 0.2, 0.8]])
    fixed = 1.5 + 300 / N**0.33 + 400 / D**0.3
    return (1 / (0.3 + 0.6 * h @ own.T)) + fixed[:, None] + rng.normal(0, 1e-3, (len(h), 3))


@pytest.fixture
def layouts(tmp_path):
    """The files of RegMix, Olmix, W&B and the paper, as these tools write them."""
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(3), RUNS)
    small = losses_of(h, np.full(RUNS, 1e6), np.full(RUNS, 1e9), rng)
    N, D = rng.choice([1e8, 3e8, 1e9], RUNS), rng.choice([2e9, 8e9, 2e10], RUNS)
    large = losses_of(h, N, D, rng)

    def save(name, data):
        pd.DataFrame(data).to_csv(tmp_path / name, index=False)

    def named(pattern, values):
        return {pattern.format(d): values[:, i] for i, d in enumerate(DOMAINS)}

    index = {"index": np.arange(1, RUNS + 1)}
    save("train_mixture_1m.csv", index | named("train_the_pile_{}", h.round(3)))
    loss = pd.DataFrame(index | named("metric/the_pile_{}_val_loss", small))
    save("train_pile_loss_1m.csv", loss.iloc[::-1])
    run = {"run": [f"r{i}" for i in range(RUNS)], "name": "swarm", "index": range(RUNS)}
    save("ratios.csv", run | named("{}", h))
    save("metrics.csv", pd.DataFrame(run | named("{}", small)).iloc[::-1])
    sizes = {"config.n_params": N.astype(int), "tokens": D.astype(int), "config.weight_decay": 0.1}
    accuracy = {"eval/arc_acc": 2 / large[:, 0], "eval/hellaswag_acc": 2 / large[:, 1]}
    weights = named("config.mixture.{}", h)
    save("wandb.csv", run | sizes | weights | named("eval/{}_loss", large) | accuracy)
    paper = {"model_size": N, "n_tokens": D} | named("{}_loss", large)
    save("slimpajama.csv", named("weight_{}", h) | paper)
    return tmp_path


@pytest.mark.parametrize("command", SHOWN)
def test_the_commands_of_the_page_work(mixfit, layouts, command):
    done = mixfit(*shlex.split(command)[1:], *QUICK)
    assert done.returncode == 0, done.stderr
    fit = yaml.safe_load((layouts / "fit.yaml").read_text())
    assert fit["domains"] == list(DOMAINS)
    targets = list(DOMAINS) if "_acc" not in command else [*DOMAINS, "qa"]
    assert list(fit["targets"]) == targets
    assert all(target["mre"] < 1 for target in fit["targets"].values())


def test_every_layout_has_a_command_with_at_most_two_options_beside_the_output():
    for preset in ("regmix", "olmix", "wandb"):
        (command,) = (c for c in SHOWN if f"--preset {preset} -o" in c)
        options = [word for word in shlex.split(command) if word.startswith("--")]
        assert len(options) <= 2
        assert command in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "options",
    [
        ["train_mixture_1m.csv", "--join", "train_pile_loss_1m.csv", "--preset", "regmix"],
        ["ratios.csv", "--join", "metrics.csv", "--preset", "olmix"],
        ["wandb.csv", "--preset", "wandb"],
    ],
)
def test_what_the_fit_knows_is_used_again(mixfit, layouts, options):
    fitted = mixfit("fit", *options, *QUICK, "-o", "fit.yaml")
    assert fitted.returncode == 0, fitted.stderr
    tables = options[: options.index("--preset")]
    evaluated = mixfit("eval", "fit.yaml", *tables, "-o", "-")
    assert evaluated.returncode == 0, evaluated.stderr
    trained = yaml.safe_load((layouts / "fit.yaml").read_text())["targets"]
    for row in yaml.safe_load(evaluated.stdout)["rows"]:
        if row["target"] != "average" and row["model_size"] == "all":
            assert row["mre"] == pytest.approx(trained[row["target"]]["mre"])
    budget = ["--model-size", "1B", "--tokens", "20B"]
    best = mixfit("optimize", "fit.yaml", *budget)
    assert best.returncode == 0, best.stderr
    assert "best observed" in best.stdout
    assert "no observed mixture" not in best.stderr
    with_runs = mixfit("optimize", "fit.yaml", *budget, "--runs", options[0])
    assert with_runs.returncode == 0, with_runs.stderr
    assert with_runs.stdout == best.stdout


def test_accuracies_are_turned_back_where_they_are_printed(mixfit, layouts):
    options = ["--preset", "wandb", "--targets", "eval/arc_acc", "--negate", "eval/arc_acc"]
    fitted = mixfit("fit", "wandb.csv", *options, *QUICK, "-o", "fit.yaml")
    assert "note  eval/arc_acc: 1-x is fitted in its place" in fitted.stderr
    assert mixfit("eval", "fit.yaml", "wandb.csv", "--predictions", "p.csv").returncode == 0
    predicted = arrow_csv.read_csv(layouts / "p.csv").to_pandas()
    logged = pd.read_csv(layouts / "wandb.csv")["eval/arc_acc"]
    np.testing.assert_allclose(predicted["eval/arc_acc"], logged)
    np.testing.assert_allclose(predicted["eval/arc_acc_predicted"], logged, rtol=0.02)
    best = ["optimize", "fit.yaml", "--model-size", "1B", "--tokens", "20B"]
    done = mixfit(*best, "-o", "mixture.yaml")
    (mixture,) = yaml.safe_load((layouts / "mixture.yaml").read_text())["mixtures"]
    accuracy, loss = mixture["predicted"]["eval/arc_acc"], mixture["loss"]
    assert accuracy == pytest.approx(1 - loss)
    assert f"eval/arc_acc (no loss, as logged)       100  {accuracy:.4f}" in done.stdout
    # A limit is an accuracy too: this one cannot be reached, and would be no limit on a loss.
    refused = mixfit(*best, "--no-worse-than", f"eval/arc_acc={accuracy + 0.05}")
    assert refused.returncode == 2
    assert mixfit(*best, "--no-worse-than", f"eval/arc_acc={accuracy - 0.05}").returncode == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--set", "model_size"],
            "--set 'model_size': N and D can be set, as in model_size=310M and n_tokens=10B.\n",
        ),
        (
            ["--set", "modelsize=1B"],
            "--set 'modelsize=1B': N and D can be set, as in model_size=310M and n_tokens=10B. Did "
            "you mean 'model_size'?",
        ),
        (
            ["--set", "weight_a=1"],
            "--set 'weight_a=1': N and D can be set, as in model_size=310M and n_tokens=10B.",
        ),
        (
            ["--set", "N=big"],
            "--set N=big: 'big' is not a number. Write one like 7e9, 310M or 7B.",
        ),
        (
            ["--set", "N=1B", "--set", "params=2B"],
            "--set params=2B: it is given already, as --model-size 1B.",
        ),
        (["--target-group", "qa"], "--target-group 'qa': write NAME=GLOB, as in qa='acc_*'."),
        (
            ["--target-group", "qa=x_*", "--target-group", "qa=y_*"],
            "--target-group: qa stands twice. Separate globs by commas.",
        ),
        (
            ["--transform", "1-x"],
            "--transform '1-x': write GLOB=HOW, HOW one of 1-x, 100-x, -log x.",
        ),
        (
            ["--target-group", "qa=x_*"],
            "--target-group qa= 'x_*' matches no column of slimpajama.csv.",
        ),
    ],
)
def test_options_that_cannot_be_used(mixfit, layouts, options, said):
    done = mixfit("fit", "slimpajama.csv", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {said}")


def test_a_number_in_place_of_a_column_that_is_logged(mixfit, layouts):
    done = mixfit("fit", "slimpajama.csv", "--set", "N=1B", "--law", "chinchilla", *QUICK)
    assert done.returncode == 0
    assert (
        "note  N is 1B in every row, as asked for; column model_size is not read\n" in done.stderr
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--model-size", "1B", "--tokens", "150"],
            "--tokens 150 is more than 10,000 times beyond what was fitted, 2B to 20B. If 150B is "
            "meant, write that, or take it as it stands with --allow-units.",
        ),
        (
            ["--model-size", "7", "--tokens", "150B"],
            "--model-size 7 is more than 10,000 times beyond what was fitted, 100M to 1B. If 7B is "
            "meant, write that, or take it as it stands with --allow-units.",
        ),
        (
            ["--model-size", "1B", "--tokens", "20B", "--available", "github=10"],
            "--available github=10 is a number of tokens. If 10B is meant, write that, or take it "
            "as it stands with --allow-units.",
        ),
    ],
)
def test_budgets_in_units_that_cannot_be_right(mixfit, layouts, options, said):
    assert mixfit("fit", "slimpajama.csv", *QUICK, "-o", "fit.yaml").returncode == 0
    done = mixfit("optimize", "fit.yaml", *options)
    assert (done.returncode, done.stderr) == (2, f"error: {said}\n")
    assert mixfit("optimize", "fit.yaml", *options, "--allow-units").returncode == 0


def test_every_fault_has_a_line(mixfit, layouts):
    runs = pd.read_csv(layouts / "slimpajama.csv")
    runs.assign(model_size=runs["model_size"] / 1e6, n_tokens=runs["n_tokens"] / 1e9).to_csv(
        layouts / "small.csv", index=False
    )
    done = mixfit("fit", "small.csv")
    first, second = done.stderr.splitlines()
    assert first.startswith("error: small.csv: column model_size holds 100 to 1K, and N is a")
    assert second.startswith("also: small.csv: column n_tokens holds 2 to 20, and D is a number")
    units = ["--model-size", "model_size*1M", "--tokens", "n_tokens*1B"]
    assert mixfit("fit", "small.csv", *units, *QUICK, "-o", "fit.yaml").returncode == 0
    # The fit knows its units: what follows is in parameters and in tokens.
    best = mixfit("optimize", "fit.yaml", "--model-size", "1B", "--tokens", "20B", "-q")
    assert mixfit("fit", "slimpajama.csv", *QUICK, "-o", "same.yaml").returncode == 0
    same = mixfit("optimize", "same.yaml", "--model-size", "1B", "--tokens", "20B", "-q")
    assert best.stdout.replace("fit.yaml", "same.yaml") == same.stdout
    assert mixfit("eval", "fit.yaml", "small.csv").returncode == 0
