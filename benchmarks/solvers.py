"""Which method comes nearest to the optimum, and how soon.

For each law and target, on one process: mixfit's default, the paper's basin hopping over L-BFGS
with exact gradients, random restarts of L-BFGS with exact gradients, and the paper's method with
numerical gradients. Every method sees the same objective and the same starts' distribution, and
every evaluation is recorded. All run in one go, so that ratios hold on any machine.

    python benchmarks/solvers.py RUNS [--where COND] [--law LAW]... [--seconds 60] [-o bench.csv]
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
from scipy.optimize import Bounds, basinhopping, minimize

from mixfit import read_runs
from mixfit.base.errors import MixfitError
from mixfit.base.parallel import Executor
from mixfit.fitting.options import FitOptions
from mixfit.fitting.search import TargetSearch, draw_start
from mixfit.fitting.solvers import search
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import PooledLaw
from mixfit.runs.target_rows import TargetRows

CHECKPOINTS = (1, 5, 20, 60)
LBFGS = {"maxiter": 3000, "maxfun": 100_000, "ftol": 1e-12, "gtol": 1e-8}


class OutOfTimeError(Exception):
    """The seconds of a method are over."""


class Recorder:
    """An objective that keeps the lowest value so far, with the time at which it was reached."""

    def __init__(self, objective, seconds):
        self._objective = objective
        self._begin = time.perf_counter()
        self._seconds = seconds
        self.bounds = objective.bounds
        self.size = objective.formula.size
        self.trace = []  # (seconds, lowest value)

    def _record(self, value):
        now = time.perf_counter() - self._begin
        if now > self._seconds:
            raise OutOfTimeError
        if np.isfinite(value) and (not self.trace or value < self.trace[-1][1]):
            self.trace.append((now, float(value)))

    def at(self, theta):
        here = self._objective.at(theta)
        self._record(here.value)
        return here

    def value_and_gradient(self, theta):
        here = self.at(theta)
        if np.isfinite(here.value) and np.all(np.isfinite(here.gradient)):
            return here.value, here.gradient
        return 1e10, np.zeros_like(theta)

    def finite_value(self, theta):
        value = self.at(theta).value
        return value if np.isfinite(value) else 1e10


def mixfit_default(recorder, sample, rng):
    while True:
        search(recorder, sample, [], rng=rng, restarts=FitOptions().restarts, hops=recorder.size)


def paper_exact(recorder, sample, rng):
    hop_forever(recorder.value_and_gradient, recorder, sample, rng, jac=True)


def paper_numerical(recorder, sample, rng):
    hop_forever(recorder.finite_value, recorder, sample, rng, jac=None)


def hop_forever(function, recorder, sample, rng, *, jac):
    basinhopping(
        function,
        np.clip(sample(rng), *recorder.bounds),
        niter=1_000_000,
        rng=rng,
        minimizer_kwargs={
            "method": "L-BFGS-B",
            "jac": jac,
            "bounds": Bounds(*recorder.bounds),
            "options": LBFGS,
        },
    )


def restarts(recorder, sample, rng):
    while True:
        minimize(
            recorder.value_and_gradient,
            np.clip(sample(rng), *recorder.bounds),
            method="L-BFGS-B",
            jac=True,
            bounds=Bounds(*recorder.bounds),
            options=LBFGS,
        )


METHODS = {
    "mixfit": mixfit_default,
    "basin hopping, exact gradients": paper_exact,
    "L-BFGS restarts, exact gradients": restarts,
    "the paper's: basin hopping, numerical gradients": paper_numerical,
}


def run_method(task):
    """Run one method on one target until its seconds are over; gives the trace."""
    rows, law, method, seconds, seed = task
    objective = TargetSearch(rows, FitOptions()).objective(PooledLaw(CATALOGUE[law]))
    recorder = Recorder(objective, seconds)
    with suppress(OutOfTimeError):
        METHODS[method](recorder, partial(draw_start, objective), np.random.default_rng(seed))
    return recorder.trace


def seconds_until(trace, level):
    return next((moment for moment, value in trace if value <= level), float("inf"))


def reached(trace, moment):
    return next((value for at, value in reversed(trace) if at <= moment), float("inf"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--where", action="append", default=[])
    parser.add_argument("--law", action="append", choices=sorted(CATALOGUE))
    parser.add_argument("--targets", action="append")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("-o", "--out", type=Path)
    chosen = parser.parse_args()
    runs = read(chosen.runs, chosen.where, chosen.targets)
    laws = chosen.law or ["additive", "joint", "coupled"]
    keys = [(law, t, method) for law in laws for t in runs.targets for method in METHODS]
    tasks = [
        (TargetRows.of(runs, t), law, method, chosen.seconds, chosen.seed)
        for law, t, method in keys
    ]
    processes = min(chosen.jobs or os.cpu_count() or 1, len(tasks))
    minutes = -(-len(tasks) // processes) * chosen.seconds / 60
    print(f"{len(tasks)} searches of {chosen.seconds:g} s: {minutes:.0f} min", file=sys.stderr)
    executor = Executor(chosen.jobs, progress=dots)
    traces = dict(zip(keys, executor.map(run_method, tasks), strict=True))
    moments = [s for s in CHECKPOINTS if s <= chosen.seconds]
    rows = []
    for law in laws:
        for target in runs.targets:
            mine = {method: traces[law, target, method] for method in METHODS}
            lowest = min(trace[-1][1] for trace in mine.values() if trace)
            for method, trace in mine.items():
                rows.append(
                    {
                        "law": law,
                        "target": target,
                        "method": method,
                        "lowest of all": lowest,
                        "seconds to 1%": seconds_until(trace, 1.01 * lowest),
                        **{f"after {s} s": reached(trace, s) for s in moments},
                    }
                )
    report(rows, laws, moments, chosen.seconds)
    if chosen.out:
        with chosen.out.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def read(paths, where, targets):
    """Read runs; what is wrong with them ends the program in one line."""
    try:
        return read_runs(paths, where=where, targets=targets)
    except MixfitError as error:
        sys.exit(f"error: {error}")


@contextmanager
def dots(label, total):
    """Print a dot after each task."""
    yield lambda: print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def report(rows, laws, moments, seconds):
    """Print for each law and method the mean over targets of what matters."""
    for law in laws:
        print(f"\n{law}: medians over targets of the seconds until within 1% of the lowest")
        print(f"objective that any method found in {seconds:g} s, and means of how far above it")
        print(f"{'':50s}{'seconds':>9s}" + "".join(f"{f'after {s} s':>12s}" for s in moments))
        medians = {}
        for method in METHODS:
            mine = [row for row in rows if row["law"] == law and row["method"] == method]
            times = [row["seconds to 1%"] for row in mine]
            medians[method] = float(np.median(times))
            shown = f"{medians[method]:.2f}" if np.isfinite(medians[method]) else f"> {seconds:g}"
            above = [
                np.mean([100 * (row[f"after {s} s"] / row["lowest of all"] - 1) for row in mine])
                for s in moments
            ]
            print(f"{method:50s}{shown:>9s}" + "".join(f"{x:>+11.2f}%" for x in above))
        mixfit = medians.pop("mixfit")
        for method, median in medians.items():
            if np.isfinite(median):
                print(f"mixfit is {median / mixfit:.0f} times as fast as {method}")
            else:
                print(f"mixfit is more than {seconds / mixfit:.0f} times as fast as {method}")


if __name__ == "__main__":
    main()
