"""Trains the largest models on the mixtures that mixfit finds, and on others to compare with.

    mixfit fit runs.csv --law auto --where 'model_size<2e5' --allow-units -o fit.yaml
    mixfit optimize fit.yaml --model-size 787584 --tokens 4M -o average.yaml
    mixfit optimize fit.yaml --model-size 787584 --tokens 4M --target dictionary -o outside.yaml
    python experiment.py average=average.yaml outside=outside.yaml

The others are the uniform mixture, the natural proportions of the text, and the first two of the
random mixtures held out. Every mixture is trained with two seeds; runs that are in the main table
already are taken from there. Started again, it goes on, and then prints what was measured.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from plan import SIZES, Run, Weights, held_out_mixtures
from text import DOMAINS, OUTSIDE
from tiny_lm import HERE, WORK, Bench

SIZE = SIZES["788k"]
SEEDS = (1, 2)


def main() -> None:
    """Parses the command line, trains what is missing, and prints measured losses."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("mixtures", nargs="+", metavar="NAME=FILE", help="of mixfit optimize")
    parser.add_argument("--work", type=Path, default=WORK)
    given = parser.parse_args()
    torch.set_num_threads(1)
    mixtures: Weights = {}
    for argument in given.mixtures:
        name, _, path = argument.partition("=")
        mixtures[f"best-{name}"] = read_mixture(Path(path))
    mixtures |= others()
    bench = Bench(given.work)
    runs = [
        Run("experiment", SIZE, name, weights, seed, SIZE.tokens)
        for seed in SEEDS
        for name, weights in mixtures.items()
    ]
    check_weights(bench.finished(), runs)
    bench.train_runs(runs)
    bench.write_tables()
    print(measured(bench.finished(), runs).to_string(float_format="%.4f"))


def read_mixture(path: Path) -> tuple[float, ...]:
    """The weights of the one mixture in a file of `mixfit optimize`, in the order of DOMAINS."""
    [mixture] = yaml.safe_load(path.read_text())["mixtures"]
    return tuple(float(mixture["weights"][name]) for name in DOMAINS)


def others() -> Weights:
    """The mixtures to compare with."""
    text = json.loads((HERE / "text.json").read_text())["text"]
    tokens = np.array([text[name]["train"]["tokens"] for name in DOMAINS])
    held = held_out_mixtures()
    return {
        "uniform": (1 / len(DOMAINS),) * len(DOMAINS),
        "natural": tuple((tokens / tokens.sum()).tolist()),
        **{name: held[name] for name in list(held)[:2]},
    }


def check_weights(finished: pd.DataFrame, runs: list[Run]) -> None:
    """Exits where a finished run has the name of one of these and another mixture."""
    for run in runs:
        rows = finished[finished["run_id"] == run.run_id]
        if len(rows):
            trained = rows[[f"weight_{name}" for name in DOMAINS]].iloc[0].to_numpy()
            if not np.allclose(trained, run.weights, atol=1e-6):
                sys.exit(f"{run.run_id} is trained already, on another mixture: choose other names")


def measured(finished: pd.DataFrame, runs: list[Run]) -> pd.DataFrame:
    """Losses at the end, a row for each mixture: the mean over seeds, and half their difference."""
    rows = finished[finished["run_id"].isin([run.run_id for run in runs])]
    rows = rows[rows["n_tokens"] == rows["n_tokens"].max()]
    targets = [f"loss_{name}" for name in [*DOMAINS, *OUTSIDE]]
    rows = rows.assign(average=rows[targets].mean(axis=1))
    by_mixture = rows.groupby("mixture")[["average", *targets]]
    half = (by_mixture.max() - by_mixture.min()) / 2
    table = by_mixture.mean().join(half[["average", "loss_dictionary"]].add_suffix(" ±"))
    return table.sort_values("average")


if __name__ == "__main__":
    main()
