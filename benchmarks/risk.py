"""What taking the mixture of the lowest risk, and not of the lowest predicted loss, costs or saves.

Of a table of real runs at one size and length, random mixtures are fitted and resampled, and of all
others the one with the lowest prediction is picked: by the fit, by the mean over resamples, and by
the upper 90% quantile of `mixfit optimize --risk upper`. The losses observed say what each pick
gives away, for all targets alike and for each alone. Example:

    python benchmarks/risk.py table.csv --where 'model_size==310M,n_tokens==2e10' --mixtures 14
"""

from __future__ import annotations

import argparse
from statistics import NormalDist

import numpy as np

import mixfit
from mixfit.evaluation.decision import decide
from mixfit.fitting.options import FitOptions
from mixfit.fitting.uncertainty import widening

UPPER = NormalDist().inv_cdf(0.9)
WAYS = ("fit", "mean", "upper")


def regrets(runs, law, mixtures, resamples, seed):
    """Fit some mixtures, and pick among the others; (objectives, ways) in percent of the loss."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(runs.mixtures))[:mixtures]
    known = np.isin(runs.mixture, chosen)
    fitted, others = runs.select(known), runs.select(~known)
    options = FitOptions(restarts=3, hops=1, seed=seed, discrepancy="none")
    fit = mixfit.fit(fitted, law, options=options)
    fit = mixfit.resample(fit, fitted, resamples, seed=seed)
    where = others.N, others.D, others.h
    observed = np.array([others.losses_of(target) for target in runs.targets])
    point, drawn, wide = [], [], []
    for target, own in fit.targets.items():
        point.append(own.predict(*where))
        drawn.append(fit.resamples.predict(own, *where))
        wide.append(widening(fit, target))
    point, drawn, wide = np.array(point), np.array(drawn), np.array(wide)
    objectives = [np.full(len(point), 1 / len(point)), *np.eye(len(point))]
    found = []
    for weights in objectives:
        of_draws = np.einsum("t,trm->rm", weights, drawn)
        mean = of_draws.mean(axis=0)
        # The others have no weight in the mean of the factors either.
        above = UPPER * wide[weights > 0].mean()
        picks = (weights @ point, mean, mean + above * of_draws.std(axis=0))
        found.append([decide(weights @ observed, pick).regret for pick in picks])
    return np.array(found)


def main():
    """Print mean regrets, for all targets alike and for each alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs")
    parser.add_argument("--where", default=[])
    parser.add_argument("--targets", nargs="*", default=None)
    parser.add_argument("--law", default="additive:0.001+0.003")
    parser.add_argument("--mixtures", type=int, default=14)
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--resamples", type=int, default=40)
    asked = parser.parse_args()
    runs = mixfit.read_runs(asked.runs, where=asked.where, targets=asked.targets)
    _, first = np.unique(runs.mixture, return_index=True)
    runs = runs.select(np.sort(first))  # a checkpoint may be logged twice
    complete = ~np.isnan([runs.losses_of(target) for target in runs.targets]).any(axis=0)
    runs = runs.select(complete)
    if np.ptp(runs.N) or np.ptp(runs.D):
        parser.error("the rows must have one model size and one length; see --where")
    every = np.array(
        [
            regrets(runs, asked.law, asked.mixtures, asked.resamples, seed)
            for seed in range(asked.draws)
        ]
    )
    print(f"{asked.law}, {asked.mixtures} of {len(runs)} mixtures, {asked.draws} draws: regret %")
    for name, part in (("all alike", every[:, :1]), ("each alone", every[:, 1:])):
        means = part.mean(axis=1)  # by draw
        for place, way in enumerate(WAYS):
            gain = means[:, place] - means[:, 0]
            error = gain.std(ddof=1) / np.sqrt(len(gain))
            over = 100 * np.mean(part[..., place] > 1)
            against = f"against the fit {gain.mean():+.3f} ± {error:.3f}"
            of_picks = f"{means[:, place].mean():6.3f}, over 1% in {over:3.0f}%"
            print(f"  {name:10} {way:5} {of_picks}; {against}")


if __name__ == "__main__":
    main()
