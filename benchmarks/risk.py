"""What the mixture of the lowest risk costs or saves, and what a standard error there has meant.

Of a table of real runs at one size and length, random mixtures are fitted and resampled, and of all
others the one with the lowest prediction is picked: by the fit, by the mean over resamples, and by
the upper 90% quantile of `mixfit optimize --risk upper`. The losses observed say what each pick
gives away, for all targets alike and for each alone; and what the fit's pick gave away by the
standard error of the loss there, over resamples, as `mixfit optimize` has it for its alarm. With
`--scales` the law is fitted to rows of other sizes and lengths; made-up laws are those of
`benchmarks/design.py`. Examples:

    python benchmarks/risk.py table.csv --where 'model_size==310M,n_tokens==2e10' --mixtures 14,24
    python benchmarks/risk.py table.csv --law coupled:0.001+0.003 --mixtures 14 \
        --scales 'model_size<5e8,n_tokens>=3.9e9' --where 'model_size==1B,n_tokens==2e10'
    python benchmarks/risk.py --made-up 10 --mixtures 14,20,33
"""

from __future__ import annotations

import argparse
import csv
from statistics import NormalDist

import numpy as np
from design import NOISE, D, N, Truth, mean_gain, print_levels

import mixfit
from mixfit.base.parallel import use_one_thread
from mixfit.evaluation.decision import decide
from mixfit.fitting.options import FitOptions
from mixfit.fitting.uncertainty import deviation, widening
from mixfit.runs.runs import Runs

UPPER = NormalDist().inv_cdf(0.9)
WAYS = ("fit", "mean", "upper")
OTHERS = 200  # mixtures of a made-up law to pick from


def regrets(fitted, others, law, resamples, seed, discrepancy):
    """Fit some mixtures, and pick among others.

    Returns:
        (objectives, ways) regrets in percent of the loss, and (objectives,) standard errors of the
        loss where the fit's pick is, likewise.
    """
    options = FitOptions(restarts=3, hops=1, seed=seed, discrepancy=discrepancy)
    fit = mixfit.fit(fitted, law, options=options)
    fit = mixfit.resample(fit, fitted, resamples, seed=seed)
    where = others.N, others.D, others.h
    observed = np.array([others.losses_of(target) for target in fit.targets])
    point, drawn, wide = [], [], []
    for target, own in fit.targets.items():
        point.append(own.predict(*where))
        drawn.append(fit.resamples.predict(own, *where))
        wide.append(widening(fit, target))
    point, drawn, wide = np.array(point), np.array(drawn), np.array(wide)
    objectives = [np.full(len(point), 1 / len(point)), *np.eye(len(point))]
    found, errors = [], []
    for weights in objectives:
        of_draws = np.einsum("t,trm->rm", weights, drawn)
        mean = of_draws.mean(axis=0)
        # The others have no weight in the mean of the factors either.
        wider = wide[weights > 0].mean()
        picks = (weights @ point, mean, mean + UPPER * wider * of_draws.std(axis=0))
        found.append([decide(weights @ observed, pick).regret for pick in picks])
        best = int(np.argmin(picks[0]))
        errors.append(100 * wider * deviation(of_draws[:, best]) / picks[0][best])
    return np.array(found), np.array(errors)


def drawn_from(runs, judged, mixtures, seed):
    """Give the rows of random mixtures, and those of all others that are judged by."""
    known = [int(i) for i in np.unique(judged.mixture)]
    places = np.random.default_rng(seed).permutation(known)[:mixtures]
    chosen = judged.mixtures[places]
    near = np.abs(runs.mixtures[:, None] - chosen[None]).max(axis=2).min(axis=1) < 1e-6
    return runs.select(near[runs.mixture]), judged.select(~np.isin(judged.mixture, places))


def made_up(k, mixtures, seed):
    """Give likewise the rows of a made-up law, every other one with a misfit."""
    rng = np.random.default_rng([seed, k, 11])
    truth = Truth(k, 4, rng, misfit=seed % 2 == 1)
    domains = [f"d{i}" for i in range(k)]
    both = []
    for count, noise in ((mixtures, NOISE), (OTHERS, 0.0)):
        h = rng.dirichlet(np.ones(k), count)
        losses = truth.losses(h)
        losses = losses * (1 + noise * rng.normal(size=losses.shape))
        both.append(
            Runs.from_arrays(N, D, h, {f"t{j}": y for j, y in enumerate(losses.T)}, domains)
        )
    return tuple(both)


def complete(runs):
    """Leave out rows that lack a loss, and those that were logged twice."""
    runs = runs.select(~np.isnan([runs.losses_of(t) for t in runs.targets]).any(axis=0))
    rows = np.stack([runs.mixture, runs.N, runs.D])
    return runs.select(np.sort(np.unique(rows, axis=1, return_index=True)[1]))


def print_ways(every):
    """Print mean regrets, for all targets alike and for each alone."""
    for name, part in (("all alike", every[:, :1]), ("each alone", every[:, 1:])):
        means = part.mean(axis=1)  # by draw
        for place, way in enumerate(WAYS):
            over = 100 * np.mean(part[..., place] > 1)
            against = f"against the fit {mean_gain(means[:, place] - means[:, 0])}"
            of_picks = f"{means[:, place].mean():6.3f}, over 1% in {over:3.0f}%"
            print(f"  {name:10} {way:5} {of_picks}; {against}", flush=True)


def main():
    """Print regrets, by way to pick and by standard error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="?")
    parser.add_argument("--made-up", type=int, metavar="K", help="domains of made-up laws")
    parser.add_argument("--where", default=[], help="rows at one size and length, to judge by")
    parser.add_argument("--scales", help="rows to fit; those to judge by, where left out")
    parser.add_argument("--targets", nargs="*", default=None)
    parser.add_argument("--law", default="additive:0.001+0.003")
    parser.add_argument("--discrepancy", default="none")
    parser.add_argument("--mixtures", default="14")
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--resamples", type=int, default=40)
    parser.add_argument("-o", "--out", help="add every pick to a CSV file")
    asked = parser.parse_args()
    if asked.runs:
        judged = complete(mixfit.read_runs(asked.runs, where=asked.where, targets=asked.targets))
        runs = judged
        if asked.scales:
            runs = mixfit.read_runs(asked.runs, where=asked.scales, targets=asked.targets)
            runs = complete(runs)
        if np.ptp(judged.N) or np.ptp(judged.D):
            parser.error("the rows to judge by must have one model size and length; see --where")
    rows = []
    for mixtures in map(int, asked.mixtures.split(",")):
        every = []
        for seed in range(asked.draws):
            if asked.runs:
                fitted, others = drawn_from(runs, judged, mixtures, seed)
            else:
                fitted, others = made_up(asked.made_up, mixtures, seed)
            found, errors = regrets(
                fitted, others, asked.law, asked.resamples, seed, asked.discrepancy
            )
            every.append(found)
            for place, (own, error) in enumerate(zip(found, errors, strict=True)):
                rows.append((mixtures, float(error), float(own[0]), place))
        print(f"{asked.law}, {mixtures} mixtures, {asked.draws} draws: regret %")
        print_ways(np.array(every))
    _, errors, found, _ = np.array(rows).T
    print_levels(errors, found, (0.5, 1.0))
    if asked.out:
        with open(asked.out, "a", newline="", encoding="utf-8") as stream:
            named = asked.runs or f"made up, {asked.made_up}"
            csv.writer(stream).writerows((named, asked.law, *row) for row in rows)


if __name__ == "__main__":
    use_one_thread()
    main()
