"""Errors and regret of free fits, of pooled ones, and of these with a discrepancy.

For each number of mixtures and each draw of so many at random, a law is fitted to them with `--pool
none`, `--pool domains` and `--pool auto`, all with `--discrepancy none`, and then with both as they
are by default; or with some of these arms. It predicts the other mixtures, and a larger scale if
there is one. All arms see the same draws, so that differences have a standard error of their own.
Regret is the observed mean loss over targets of the mixture that a fit puts first among those not
fitted, at the largest N and D, over the lowest observed there, in percent.

    python benchmarks/pooling.py slimpajama.csv --law coupled --mixtures 10,14,20,30 \
        --where 'model_size>=3e8,model_size<1e9,n_tokens>=3.9e9' \
        --larger 'model_size>=1.2e9,model_size<2e9,n_tokens>=1.3e10'

takes some 20 minutes on two cores for ten draws and eight targets.
"""

from __future__ import annotations

import argparse
import csv
import sys

import numpy as np

import mixfit
from mixfit.base.parallel import Executor

ARMS = {  # pool and discrepancy
    "none": ("none", "none"),
    "domains": ("domains", "none"),
    "auto": ("auto", "none"),
    "discrepancy": ("auto", "auto"),
}


def run_draw(task):
    """Fit the arms to the mixtures of one draw; gives arm to errors, regret and strengths."""
    runs, larger, law, arms, chosen = task
    fitted = runs.select(np.isin(runs.mixture, chosen))
    others = runs.select(~np.isin(runs.mixture, chosen))
    results = {}
    for arm in arms:
        pool, discrepancy = ARMS[arm]
        options = mixfit.FitOptions(discrepancy=discrepancy)
        fit = mixfit.fit(fitted, f"{law}:{pool}", options=options)
        results[arm] = {
            "new": mean_error(fit, others) if len(others) else np.nan,
            "larger": np.nan if larger is None else mean_error(fit, larger),
            "regret": regret(fit, others) if len(others) else np.nan,
            "strength": str(fit.law.pool),
        }
    return results


def mean_error(fit, runs):
    """Give the mean over targets of the MRE in percent; what overflows is infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return mixfit.evaluate(fit, runs).average[None].mre


def regret(fit, runs):
    """Give the regret of the mixture that a fit puts first, in percent."""
    last = runs.select(runs.N.max() == runs.N)
    last = last.select(last.D.max() == last.D)
    known = ~np.isnan(last.losses).any(axis=1)
    if np.count_nonzero(known) < 5:
        return np.nan
    last = last.select(known)
    with np.errstate(over="ignore", invalid="ignore"):
        predicted = fit.predict(last.N, last.D, last.h)
    mean = np.mean([predicted[target] for target in last.targets], axis=0)
    observed = last.losses.mean(axis=1)
    return 100 * (observed[np.argmin(mean)] / observed.min() - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs")
    parser.add_argument("--law", default="additive")
    parser.add_argument("--where", default="", help="rows to draw mixtures from")
    parser.add_argument("--larger", help="rows of a larger scale, to predict")
    parser.add_argument("--targets")
    parser.add_argument("--mixtures", default="10,14,20,30")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--bad", type=float, default=1.0, help="percent of regret that is bad")
    parser.add_argument("--arms", default=",".join(ARMS), help="the first is what others gain over")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("-o", "--out", help="write every draw as CSV")
    options = parser.parse_args()
    first, *others = arms = options.arms.split(",")
    conditions = [options.where] if options.where else []
    runs = mixfit.read_runs(options.runs, where=conditions, targets=options.targets)
    larger = None
    if options.larger:
        larger = mixfit.read_runs(options.runs, where=options.larger, targets=options.targets)
    rows = []
    for count in map(int, options.mixtures.split(",")):
        orders = [
            np.random.default_rng([draw, 1]).permutation(len(runs.mixtures))
            for draw in range(options.draws)
        ]
        tasks = [(runs, larger, options.law, arms, order[:count]) for order in orders]
        draws = Executor(options.jobs).map(run_draw, tasks)
        print(f"{options.law}, {count} mixtures, {options.draws} draws")
        for measure in ("new", "larger", "regret"):
            free, *pooled = (np.array([draw[arm][measure] for draw in draws]) for arm in arms)
            if np.isnan(free).all():
                continue
            line = f"  {measure:7s} {first} {free.mean():.3f}"
            for arm, own in zip(others, pooled, strict=True):
                gain = free - own
                error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
                line += f"  {arm} {own.mean():.3f} (gain {gain.mean():+.3f} ± {error:.3f})"
            if measure == "regret":
                bad = [np.mean(x > options.bad) for x in (free, *pooled)]
                line += f"  over {options.bad:g}%: " + ", ".join(f"{share:.0%}" for share in bad)
            print(line)
        strengths = sorted(draw[arms[-1]]["strength"] for draw in draws)
        print("  strengths", " ".join(strengths), flush=True)
        for number, draw in enumerate(draws):
            for arm, result in draw.items():
                rows.append(
                    {"law": options.law, "mixtures": count, "draw": number, "arm": arm} | result
                )
    if options.out:
        with open(options.out, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
