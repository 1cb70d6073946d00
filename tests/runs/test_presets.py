"""The layouts of other tools, on tables made as these write them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tables_of_runs import message, write, write_csv

from mixfit.base.errors import UsageError
from mixfit.runs.presets import PRESETS
from mixfit.runs.read import read_runs

DOMAINS = ("arxiv", "github", "pile_cc")
ROWS = 8


@pytest.fixture
def h():
    return np.random.default_rng(0).dirichlet(np.ones(3), ROWS)


@pytest.fixture
def losses():
    return np.random.default_rng(1).uniform(2, 3, (ROWS, 3))


def columns(values, name):
    return {name.format(d): values[:, i] for i, d in enumerate(DOMAINS)}


def shuffled(data):
    return data.sample(frac=1, random_state=0)


def regmix(h, losses):
    index = {"index": np.arange(1, ROWS + 1)}
    weights = pd.DataFrame(index | columns(h.round(3), "train_the_pile_{}"))
    values = pd.DataFrame(index | columns(losses, "metric/the_pile_{}_val_loss"))
    write_csv(weights, "train_mixture_1m.csv")
    write_csv(shuffled(values), "train_pile_loss_1m.csv")


def olmix(h, losses):
    shared = {"run": [f"swarm-{i}" for i in range(ROWS)], "name": "x", "index": range(ROWS)}
    write_csv(pd.DataFrame(shared | columns(h, "{}")), "ratios.csv")
    write_csv(shuffled(pd.DataFrame(shared | columns(losses, "{}"))), "metrics.csv")


def test_regmix(h, losses):
    regmix(h, losses)
    runs = read_runs("train_mixture_1m.csv", join="train_pile_loss_1m.csv", preset="regmix")
    assert (runs.domains, runs.targets) == (DOMAINS, DOMAINS)
    np.testing.assert_allclose(runs.h, h, atol=1.5e-3)
    np.testing.assert_allclose(runs.losses, losses)
    assert (set(runs.N), set(runs.D)) == ({1e6}, {1e9})
    note = next(note for note in runs.notes if note.code == "assumed")
    assert note.text == (
        "N is taken to be 1M and D is taken to be 1B, as in the runs that the layout regmix is "
        "known for, since the table does not log it. Mixtures found for one N and one D do not "
        "depend on this; give your own with --set"
    )
    told = read_runs(
        "train_mixture_1m.csv",
        join="train_pile_loss_1m.csv",
        preset="regmix",
        model_size="60M",
        tokens=2e9,
    )
    assert (set(told.N), set(told.D)) == ({6e7}, {2e9})
    assert "assumed" not in [note.code for note in told.notes]


@pytest.mark.parametrize("key", ["run", "run_id"])
def test_olmix(h, losses, key):
    olmix(h, losses)
    for name in ("ratios.csv", "metrics.csv"):
        data = pd.read_csv(name)
        write_csv(data.rename(columns={"run": key}), name)
    runs = read_runs("ratios.csv", join="metrics.csv", preset="olmix")
    assert (runs.domains, runs.targets, runs.joined.key) == (DOMAINS, DOMAINS, key)
    assert runs.columns.targets["arxiv"] == "join:arxiv"
    np.testing.assert_allclose(runs.h, h)
    np.testing.assert_allclose(runs.losses, losses)
    assert message("ratios.csv", preset="olmix", error=UsageError) == (
        "--preset olmix: ratios.csv is one of two files, the weights and the metrics. Give the "
        "weights first, and the metrics with --join."
    )


def test_olmix_with_metrics_of_other_names_and_sizes(h, losses):
    olmix(h, losses)
    ratios, metrics = pd.read_csv("ratios.csv"), pd.read_csv("metrics.csv")
    write_csv(metrics.rename(columns={"arxiv": "eval/bpb"}), "metrics.csv")
    write_csv(ratios.assign(model_size="190M", tokens=4e9), "ratios.csv")
    runs = read_runs("ratios.csv", join="metrics.csv", preset="olmix")
    assert runs.domains == DOMAINS
    assert runs.targets == ("eval/bpb", "github", "pile_cc")
    assert (set(runs.N), set(runs.D)) == ({1.9e8}, {4e9})


def test_the_paper(h, losses):
    sizes = {"model_size": [1e8, 3e8] * 4, "n_tokens": 1e10}
    data = pd.DataFrame(columns(h, "weight_{}") | sizes | columns(losses, "{}_loss"))
    write_csv(data, "runs.csv")
    runs = read_runs("runs.csv", preset="paper")
    assert (runs.domains, runs.targets) == (DOMAINS, DOMAINS)
    np.testing.assert_array_equal(runs.losses, read_runs("runs.csv").losses)


@pytest.mark.parametrize(
    ("weight", "loss"),
    [
        ("config.mixture.{}", "eval/{}_loss"),
        ("config.data.weights.{}", "summary.eval/{}/loss"),
        ("config.mixture_weights.{}.value", "eval/loss/{}"),
        ("config.weight_{}", "summary.{}_loss"),
        ("config.ratios/{}", "val/{}"),
    ],
)
def test_wandb(h, losses, weight, loss):
    data = pd.DataFrame(
        {"ID": [f"a{i}" for i in range(ROWS)], "Name": "sweep", "_step": 1000, "State": "finished"}
        | {"config.lr": 1e-3, "config.weight_decay": 0.1, "config.n_params": 310_000_000}
        | {"tokens": 4_000_000_000}
        | columns(h, weight)
        | columns(losses, loss)
        | {"eval/hellaswag_acc": 0.4, "eval/runtime": 3.0}
        | columns(losses, loss + "__MIN")
    )
    write_csv(data, "wandb.csv")
    runs = read_runs("wandb.csv", preset="wandb")
    assert (runs.domains, runs.targets) == (DOMAINS, DOMAINS)
    np.testing.assert_allclose(runs.h, h)
    np.testing.assert_allclose(runs.losses, losses)
    assert (set(runs.N), set(runs.D)) == ({3.1e8}, {4e9})


def test_wandb_as_nested_json_lines(h, losses):
    lines = [
        {
            "name": f"run-{i}",
            "config": {"model_size": "310M", "mixture": dict(zip(DOMAINS, h[i], strict=True))},
            "summary": {f"eval/{d}_loss": losses[i, j] for j, d in enumerate(DOMAINS)}
            | {"tokens": 4e9, "_runtime": 3600},
        }
        for i in range(ROWS)
    ]
    write("\n".join(json.dumps(line) for line in lines), "runs.jsonl")
    runs = read_runs("runs.jsonl", preset="wandb")
    assert (runs.domains, runs.targets) == (DOMAINS, DOMAINS)
    np.testing.assert_allclose(runs.h, h)
    np.testing.assert_allclose(runs.losses, losses)


def test_what_options_say_goes_before_the_layout(h, losses):
    regmix(h, losses)
    runs = read_runs(
        "train_mixture_1m.csv",
        join="train_pile_loss_1m.csv",
        preset="regmix",
        targets="metric/the_pile_a*_val_loss",
    )
    assert runs.columns.targets == {"arxiv": "metric/the_pile_arxiv_val_loss"}
    assert runs.domains == DOMAINS


def test_a_layout_that_is_not_known_or_not_named(h, losses):
    regmix(h, losses)
    assert message("train_mixture_1m.csv", preset="regmx", error=UsageError) == (
        "--preset regmx: there is no such layout. Did you mean 'regmix'? Layouts: "
        f"{', '.join(PRESETS)}."
    )
    assert message("train_mixture_1m.csv", preset="regmix").startswith(
        "train_mixture_1m.csv: no loss column (as the layout regmix has them). "
    )
    said = message("train_mixture_1m.csv", join="train_pile_loss_1m.csv")
    assert said.endswith("If the layout is that of regmix, give --preset regmix.")
