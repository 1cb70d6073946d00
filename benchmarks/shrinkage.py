"""What automatic shrinkage is worth where the truth is known.

Makes synthetic tables from the coupled-linear law with stated spreads of the log of A_i and B_i,
fits coupled, the free law and the law with automatic shrinkage, and compares each with the true,
noiseless losses of new mixtures at the sizes and lengths fitted and at twice the largest.

    python benchmarks/shrinkage.py [--tables 50] [--seed 0] [--case NAME]... [--jobs 2]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "sample_runs"))
from make_sample_runs import NOISE, draw_mixtures, draw_params

from mixfit.base.metrics import mean_relative_error
from mixfit.base.parallel import Executor
from mixfit.evaluation.choose import fit_auto
from mixfit.fitting.fit import fit
from mixfit.fitting.result import FitOptions
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.runs.runs import Runs

K = 5
SIZES = np.array([5e7, 1e8, 2e8, 4e8])
LENGTHS = np.array([1e9, 2e9, 4e9, 8e9, 16e9])
TARGETS = tuple(f"t{i}" for i in range(K))  # one for each domain, as most tables have
LAWS = {"coupled": "coupled", "free": "coupled-linear:0", "auto": "coupled-linear:auto"}
# mixtures, spread of log A_i and log B_i
CASES = {
    "all A_i alike, 40 mixtures": (40, 0.0),
    "very different A_i, 80 mixtures": (80, 0.6),
    "nearly alike, 15 mixtures": (15, 0.05),
    "somewhat different, 15 mixtures": (15, 0.1),
    "different, 15 mixtures": (15, 0.2),
}
OPTIONS = FitOptions(restarts=6, hops=6)


def true_params(spread, rng):
    params = draw_params("coupled-linear", K, None, rng)
    for name in "AB":
        mean = np.exp(np.log(params[name]).mean())
        params[name] = mean * np.exp(spread * rng.standard_normal(K))
    return params


def losses(params, N, D, h):
    formula = Formula(CATALOGUE["coupled-linear"], K)
    return formula.predict(formula.internal(params), N, D, h)


def grid(mixtures, sizes, lengths):
    h, N, D = (
        np.repeat(mixtures, len(sizes) * len(lengths), axis=0),
        np.tile(np.repeat(sizes, len(lengths)), len(mixtures)),
        np.tile(lengths, len(mixtures) * len(sizes)),
    )
    return N, D, h


def run_table(task):
    """Give the errors of the laws on one table, (laws,), and what auto chose."""
    mixtures, spread, seed = task
    rng = np.random.default_rng([seed, mixtures, int(100 * spread)])
    truths = {target: true_params(spread, rng) for target in TARGETS}
    table = grid(draw_mixtures(mixtures, K, rng), SIZES, LENGTHS)
    observed = {}
    for target, params in truths.items():
        exact = losses(params, *table)
        observed[target] = exact * np.exp(NOISE * rng.standard_normal(len(exact)))
    runs = Runs.from_arrays(*table, observed, [f"d{i}" for i in range(K)])
    fresh = grid(draw_mixtures(40, K, rng), [*SIZES, 2 * SIZES[-1]], [*LENGTHS, 2 * LENGTHS[-1]])
    errors, chosen = [], None
    for name, law in LAWS.items():
        fitted = (fit_auto if name == "auto" else fit)(runs, law, options=OPTIONS)
        predicted = fitted.predict(*fresh)
        errors.append(
            np.mean([mean_relative_error(predicted[t], losses(truths[t], *fresh)) for t in TARGETS])
        )
        chosen = fitted.law.shrink
    return errors, chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the first table")
    parser.add_argument("--case", choices=CASES, action="append", help="all by default")
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    for name in options.case or CASES:
        mixtures, spread = CASES[name]
        seeds = range(options.seed, options.seed + options.tables)
        tasks = [(mixtures, spread, seed) for seed in seeds]
        results = Executor(options.jobs).map(run_table, tasks)
        errors = np.array([error for error, _ in results])
        best = errors[:, :2].min(axis=1)
        print(f"{name}: mean error % on new mixtures, {options.tables} tables of {K} targets")
        means = zip(LAWS, errors.mean(axis=0), strict=True)
        print("  " + "  ".join(f"{law} {error:.4f}" for law, error in means))
        ratio = np.median(errors[:, 2] / best)
        print(f"  auto against the better of the two: median ratio {ratio:.3f}")
        for slack in (0.0, 0.02, 0.1):
            share = np.mean(errors[:, 2] <= (1 + slack) * best)
            print(f"  within {100 * slack:g}% of it or better: {100 * share:.0f}% of tables")
        values, counts = np.unique([shrink for _, shrink in results], return_counts=True)
        times = [f"{v:g} {c} times" for v, c in zip(values, counts, strict=True)]
        print("  chosen: " + ", ".join(times), flush=True)


if __name__ == "__main__":
    main()
