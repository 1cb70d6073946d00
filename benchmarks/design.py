"""Error and regret of fits to mixtures that `mixfit design` chose, against random ones.

On a table of real runs, a part of its mixtures is held out at random, the arms choose from the
others, and a law is fitted to what each chose. On made-up laws the arms choose from all mixtures.
All arms see the same draws, so that differences have standard errors of their own. Error is the
mean relative error in percent, over targets, on mixtures held out. Regret is by how much the
mixture that a fit puts first is worse than the best, in percent of the mean loss: observed, among
all mixtures of the table, or true, for a made-up law, at the mixture that `mixfit optimize` finds.
The alarm is the standard error there by the fit's own curvature, in percent of the loss; at the end
stands what regret each level of it has meant.

    python benchmarks/design.py slimpajama.csv --where 'model_size==310M,n_tokens==7.998e9' \
        --mixtures 10,14,24 --test 20 --draws 25
    python benchmarks/design.py --made-up 10 --mixtures 20,33 --draws 12

A fit of eight targets takes about a second of one core. One strength of `--pool` serves all numbers
of mixtures, which keeps the study short: `mixfit fit` chooses it by mixtures held out.
"""

from __future__ import annotations

import argparse
import csv
import sys
from itertools import pairwise

import numpy as np

import mixfit
from mixfit.base.parallel import Executor, use_one_thread
from mixfit.design.plan import plan_runs
from mixfit.fitting.curvature import MeanCurvature
from mixfit.fitting.options import FitOptions
from mixfit.mixture.planner import optimize
from mixfit.runs.runs import Runs

ARMS = ("random", "i-optimal", "spread")
QUICK = FitOptions(restarts=3, hops=1, discrepancy="none")
NOISE, MISFIT = 0.003, 0.005
N, D = 3e8, 8e9


class Truth:
    """Made-up losses of an additive law, with a misfit and noise."""

    def __init__(self, k, targets, rng, *, misfit):
        self.C = np.exp(rng.normal(-0.2, 0.8, (targets, k)))
        self.C[np.arange(targets), np.arange(targets) % k] *= 4.0
        self.gamma = np.exp(rng.normal(np.log(0.6), 0.4, (targets, k)))
        self.E = rng.uniform(1.0, 2.0, targets)
        self.waves = rng.normal(size=(targets, k)) * 4
        self.phases = rng.uniform(0, 2 * np.pi, targets)
        self.misfit = MISFIT if misfit else 0.0

    def losses(self, h):
        powers = np.power(h[:, None, :], self.gamma)
        plain = self.E + 1 / np.maximum((self.C * powers).sum(axis=2), 1e-9)
        return plain * (1 + self.misfit * np.sin(h @ self.waves.T + self.phases))

    def best(self, k, rng):
        """Give the lowest mean loss, by a search that needs no derivatives."""
        h = rng.dirichlet(np.ones(k), 4000)
        for width in np.geomspace(0.5, 1e-3, 40):
            mean = self.losses(h).mean(axis=1)
            kept = h[np.argsort(mean)[:40]]
            moved = np.repeat(kept, 25, axis=0) * np.exp(width * rng.normal(size=(1000, k)))
            h = np.concatenate([kept, moved / moved.sum(axis=1, keepdims=True)])
        return self.losses(h).mean(axis=1).min()


def choose(arm, domains, count, candidates, seed):
    """Give the mixtures (count, k) of an arm."""
    if arm == "random":
        rng = np.random.default_rng([seed, 7])
        if candidates is None:
            return rng.dirichlet(np.ones(len(domains)), count)
        return candidates[rng.permutation(len(candidates))[:count]]
    return plan_runs(domains, count, kind=arm, candidates=candidates, seed=seed).mixtures


def fitted(runs, pool):
    return mixfit.fit(runs, f"additive:{pool}", options=QUICK)


def standard_error(fit, runs, N, D, h):
    """Give the standard error of the mean loss predicted for a mixture, in percent of it."""
    weights = dict.fromkeys(fit.targets, 1 / len(fit.targets))
    error = MeanCurvature.of(fit, runs, weights).standard_error(N, D, h[None])[0]
    mean = np.mean([loss[0] for loss in fit.predict(N, D, h[None]).values()])
    return 100 * float(error / mean)


def of_table(task):
    """Give arm to error and regret for one draw from a table."""
    runs, count, held, seed, pool = task
    order = np.random.default_rng([seed, 3]).permutation(len(runs.mixtures))
    test = runs.select(np.isin(runs.mixture, order[:held]))
    candidates = runs.mixtures[order[held:]]
    results = {}
    for arm in ARMS:
        chosen = choose(arm, runs.domains, count, candidates, seed)
        near = np.abs(runs.h[:, None, :] - chosen[None]).max(axis=2).argmin(axis=0)
        trained = runs.select(np.isin(runs.mixture, runs.mixture[near]))
        fit = fitted(trained, pool)
        predicted = np.mean(list(fit.predict(runs.N, runs.D, runs.h).values()), axis=0)
        observed = runs.losses.mean(axis=1)
        pick = int(np.argmin(predicted))
        regret = 100 * (observed[pick] / observed.min() - 1)
        alarm = standard_error(fit, trained, runs.N[pick], runs.D[pick], runs.h[pick])
        results[arm] = mixfit.evaluate(fit, test).average[None].mre, regret, alarm
    return results


def of_truth(task):
    """Give arm to error and regret for one made-up law."""
    k, count, seed, pool = task
    rng = np.random.default_rng([seed, k, 5])
    truth = Truth(k, 4 if k <= 5 else 5, rng, misfit=seed % 2 == 1)
    domains = [f"d{i}" for i in range(k)]
    test_h = rng.dirichlet(np.ones(k), 200)
    best, results = truth.best(k, rng), {}
    for arm in ARMS:
        h = choose(arm, domains, count, None, seed)
        clean = truth.losses(h)
        noisy = clean * (1 + NOISE * np.random.default_rng([seed, 9]).normal(size=clean.shape))
        runs = Runs.from_arrays(N, D, h, {f"t{j}": y for j, y in enumerate(noisy.T)}, domains)
        fit = fitted(runs, pool)
        expected = truth.losses(test_h)
        predicted = np.column_stack(list(fit.predict(N, D, test_h).values()))
        error = 100 * np.mean(np.abs(predicted / expected - 1))
        found = optimize(fit, model_size=N, tokens=D).weights
        regret = 100 * (truth.losses(found[None]).mean() / best - 1)
        results[arm] = error, regret, standard_error(fit, runs, N, D, found)
    return results


def print_arms(draws, bad):
    """Print the means of each arm, and by how much they are lower than those of random ones."""
    for place, measure in enumerate(("error", "regret")):
        base = np.array([draw["random"][place] for draw in draws])
        for arm in ARMS:
            own = np.array([draw[arm][place] for draw in draws])
            line = f"  {measure:6s} {arm:9s} {own.mean():.3f}"
            if arm != "random":
                line += f"  less by {mean_gain(base - own)}"
            if measure == "regret":
                line += f"  over {bad:g}%: {np.mean(own > bad):.0%}"
            print(line, flush=True)


def print_levels(errors, regrets, bad):
    """Print what regret each level of the standard error has meant, all in percent of the loss."""
    over = " and ".join(f"{limit:g}" for limit in bad)
    print(f"standard error at the pick, percent of the loss: picks, mean regret, over {over}%")
    for low, high in pairwise((0.0, 0.2, 0.4, 0.8, 1.6, np.inf)):
        own = regrets[(low <= errors) & (errors < high)]
        if len(own):
            shares = ", ".join(f"{np.mean(own > limit):.0%}" for limit in bad)
            print(f"  {low:g} to {high:g}: {len(own)}, {own.mean():.3f}, {shares}")


def mean_gain(gains):
    """Write the mean of paired differences with its standard error."""
    error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
    return f"{gains.mean():+.3f} ± {error:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?")
    parser.add_argument("--made-up", type=int, metavar="K", help="domains of made-up laws")
    parser.add_argument("--where", default="")
    parser.add_argument("--targets")
    parser.add_argument("--mixtures", default="10,14,24")
    parser.add_argument("--test", type=int, default=20, help="mixtures held out of a table")
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--pool", default="0.03", help="how hard fits are pooled, or none")
    parser.add_argument("--bad", type=float, default=1.0, help="percent of regret that is bad")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("-o", "--out", help="write every draw as CSV")
    options = parser.parse_args()
    if options.table:
        runs = mixfit.read_runs(
            options.table, where=[options.where] if options.where else [], targets=options.targets
        )
        runs = runs.select(~np.isnan(runs.losses).any(axis=1))
        print(f"{runs.summary}; {len(runs.targets)} targets; pool {options.pool}")
    else:
        print(f"made-up laws of {options.made_up} domains; pool {options.pool}")
    rows = []
    for count in map(int, options.mixtures.split(",")):
        if options.table:
            tasks = [(runs, count, options.test, s, options.pool) for s in range(options.draws)]
        else:
            tasks = [(options.made_up, count, s, options.pool) for s in range(options.draws)]
        work = of_table if options.table else of_truth
        draws = Executor(options.jobs).map(work, tasks)
        print(f"{count} mixtures, {options.draws} draws")
        print_arms(draws, options.bad)
        for number, draw in enumerate(draws):
            for arm, (error, regret, alarm) in draw.items():
                own = {"mixtures": count, "draw": number, "arm": arm}
                rows.append(own | {"error": error, "regret": regret, "alarm": alarm})
    errors, regrets = (np.array([row[name] for row in rows]) for name in ("alarm", "regret"))
    print_levels(errors, regrets, (options.bad,))
    if options.out:
        with open(options.out, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    use_one_thread()
    sys.exit(main())
