"""How many losses of trainings that were not fitted lie inside their 90% intervals.

Tables are made of known laws with clustered noise: an offset for each run, and checkpoints whose
errors follow each other. The law is fitted with resamples, and predicts new runs of new mixtures at
four times the largest size and three times the longest length; and the weights of the mixture that
is best there for all targets alike are compared with the intervals of those found. Example:

    python benchmarks/coverage.py --tables 200 --law additive --truth additive
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.optimize import minimize

import mixfit
from mixfit.evaluation.evaluate import evaluate
from mixfit.fitting.options import FitOptions

K = 4
SIZES = np.array([5e7, 1e8, 2e8, 4e8])
LENGTHS = np.array([1e9, 2e9, 4e9, 8e9, 1.6e10])
RUN, CHECKPOINT, FOLLOWS = (
    0.002,
    0.002,
    0.7,
)  # relative noise, and how checkpoints follow each other


def losses_of(truth, parameters, N, D, h):
    """Losses of an additive law, or of one whose mixture term fades with D, (rows,)."""
    E, C, gamma = parameters
    mixture = 1 / (C * h**gamma).sum(axis=1)
    fading = (D / 4e9) ** -0.08 if truth == "coupled" else 1.0
    return E + mixture * fading + 200 / N**0.34 + 3000 / D**0.37


def runs_of(rng, truth, parameters, mixtures, sizes, lengths, noisy=True):
    """Make runs: every mixture at every size, with a checkpoint at every length."""
    h = rng.dirichlet(np.ones(K), mixtures)
    m, n, d = (x.ravel() for x in np.indices((mixtures, len(sizes), len(lengths))))
    N, D = sizes[n], lengths[d]
    losses = {}
    for target, own in parameters.items():
        error = np.zeros((mixtures, len(sizes), len(lengths)))
        if noisy:
            error += RUN * rng.standard_normal((mixtures, len(sizes), 1))
            last = rng.standard_normal(error.shape[:2])
            for place in range(len(lengths)):
                error[..., place] += CHECKPOINT * last
                fresh = rng.standard_normal(last.shape)
                last = FOLLOWS * last + np.sqrt(1 - FOLLOWS**2) * fresh
        losses[target] = losses_of(truth, own, N, D, h[m]) * np.exp(error.ravel())
    return mixfit.Runs.from_arrays(N, D, h[m], losses, [f"d{i}" for i in range(K)])


def made(seed, truth, mixtures, targets=3):
    """Give the parameters of a truth, and noisy runs of it."""
    rng = np.random.default_rng(seed)
    parameters = {
        f"t{i}": (rng.uniform(1, 1.5), rng.uniform(0.3, 1.2, K), rng.uniform(0.4, 0.9, K))
        for i in range(targets)
    }
    return parameters, runs_of(rng, truth, parameters, mixtures, SIZES, LENGTHS), rng


def table(seed, law, truth, mixtures, resamples):
    """Fit one table; give the shares of losses and of best weights inside, in percent."""
    parameters, runs, rng = made(seed, truth, mixtures)
    new = runs_of(rng, truth, parameters, 20, 4 * SIZES[-1:], 3 * LENGTHS[-1:])
    options = FitOptions(restarts=3, hops=0, seed=seed)
    fit = mixfit.resample(mixfit.fit(runs, law, options=options), runs, resamples, seed=seed)
    planner = mixfit.Planner(fit)
    (found,) = planner.with_certainty([planner.best(4 * SIZES[-1], 3 * LENGTHS[-1])])
    true = best_mixture(truth, parameters)
    low, high = found.certainty.weights.T
    weights = np.mean((low - 1e-6 <= true) & (true <= high + 1e-6))
    return evaluate(fit, new).average[None].inside, 100 * weights


def true_mean(truth, parameters, h):
    """Give the true loss of a mixture there, the mean over targets."""
    N, D = 4 * SIZES[-1:], 3 * LENGTHS[-1:]
    return np.mean([losses_of(truth, own, N, D, h[None])[0] for own in parameters.values()])


def best_mixture(truth, parameters):
    """Give the mixture with the lowest true loss, all targets alike, (k,); the truth is convex."""

    def mean_loss(logits):
        h = np.exp(logits - logits.max())
        return true_mean(truth, parameters, h / h.sum())

    found = minimize(mean_loss, np.zeros(K), tol=1e-12)
    weights = np.exp(found.x - found.x.max())
    return weights / weights.sum()


def main():
    """Print the coverage over tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--law", default="additive")
    parser.add_argument("--truth", default="additive", choices=["additive", "coupled"])
    parser.add_argument("--mixtures", type=int, default=24)
    parser.add_argument("--resamples", type=int, default=100)
    asked = parser.parse_args()
    inside = []
    for seed in range(asked.tables):
        inside.append(table(seed, asked.law, asked.truth, asked.mixtures, asked.resamples))
        print(seed, *(f"{share:.0f}" for share in inside[-1]), flush=True)
    for name, own in zip(("losses", "best weights"), np.array(inside).T, strict=True):
        error = np.std(own) / np.sqrt(len(own))
        print(f"{asked.law} on {asked.truth}, {name}: {own.mean():.1f}% ± {error:.1f} inside")


if __name__ == "__main__":
    main()
