"""What tests of several rooms make their runs and parameters with."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

from mixfit.base.parallel import Executor
from mixfit.fitting.options import FitOptions
from mixfit.laws.catalogue import CATALOGUE, DESIGNED
from mixfit.laws.pooled import PooledLaw

K = 3
N_UNIT, D_UNIT = 1.7e8, 5.1e9
DOMAINS = ("web", "code", "books")
MODEL_SIZES = (5e7, 1e8, 2e8, 4e8)
TOKENS = (1e9, 4e9, 16e9)
QUICK = FitOptions(restarts=4, hops=4)

DESIGNED_NAMES = [law.name for law in DESIGNED]
# Every pair of a smaller law and one that contains it.
CONTAINED = [(inner.name, law.name) for law in CATALOGUE.values() for inner in law.contains]
# Whether a table has one N, and whether it has one D.
SIZES = {"one N": (True, False), "one D": (False, True), "one N and one D": (True, True)}


def draw_theta(formula, rng):
    """A random point at which each term is of order 1 near the units."""
    theta = formula.random(rng)
    for term in formula.law.terms:
        for exponent in (term.n, term.d):
            if exponent is not None and exponent.depends_on_mixture:
                # Exponents far apart would make N^-alpha(h) differ by many orders of magnitude.
                corners = theta[formula.places(exponent)]
                corners[: formula.k] = rng.normal(-1.0, 0.1, formula.k)
                theta[formula.places(exponent)] = corners
    n, d = np.array([formula.n_unit]), np.array([formula.d_unit])
    uniform = np.full((1, formula.k), 1 / formula.k)
    sizes = formula.summand_values(theta, n, d, uniform)[:, 0]
    return formula.rescaled(theta, rng.uniform(0.3, 1.0, len(sizes)) / sizes)


def draw_rows(rng, rows, k=K):
    """N, D and h; the rows 1 and 2 have a zero in h, and row 3 is all of one domain."""
    h = rng.dirichlet(np.ones(k), rows)
    h[1, 0] = h[2, -1] = 0.0
    h[3] = np.eye(k)[0]
    h /= h.sum(axis=1, keepdims=True)
    return np.exp(rng.normal(np.log(N_UNIT), 0.8, rows)), rng.uniform(1e9, 2e10, rows), h


def draw_mixtures(rng, count):
    """Mixtures of three domains, the first uniform, some with a zero."""
    h = np.vstack([np.full((1, K), 1 / K), rng.dirichlet(np.ones(K), count - 1)])
    h[np.arange(1, count, 5), 0] = h[np.arange(2, count, 5), 1] = 0.0
    return h / h.sum(axis=1, keepdims=True)


def make_table(mixtures, model_sizes=MODEL_SIZES, tokens=TOKENS):
    """Every mixture at every N and D: N, D, h."""
    mixture, N, D = (x.ravel() for x in np.meshgrid(range(len(mixtures)), model_sizes, tokens))
    return N, D, mixtures[mixture.astype(int)]


def told_executor(jobs=1):
    """An executor, and the list of what it tells of its progress: (label, total), then steps."""
    told = []

    @contextmanager
    def progress(label, total):
        told.append((label, total))
        yield lambda: told.append("a step")

    return Executor(jobs, progress=progress), told


def free(name):
    """A law of the catalogue that is not pooled."""
    return PooledLaw(CATALOGUE[name])
