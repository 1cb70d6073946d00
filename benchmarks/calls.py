"""Lowest Huber loss against inner solver calls: the paper's Fig. 2 with mixfit's default in it.

For one law and target, several repeats with different seeds: after each inner solve (a descent, or
a run of L-BFGS) the lowest objective so far. Draws medians and quartiles over the repeats.

    python benchmarks/calls.py RUNS [--where COND] [--law joint] [--target NAME] [-o calls.png]
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
from scipy.optimize import Bounds, basinhopping, minimize
from solvers import LBFGS, Recorder, dots, read

from mixfit.base.parallel import Executor
from mixfit.fitting import solvers
from mixfit.fitting.options import FitOptions
from mixfit.fitting.search import TargetSearch, draw_start
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import PooledLaw
from mixfit.runs.target_rows import TargetRows

METHODS = ("mixfit", "basin hopping over L-BFGS", "L-BFGS from random starts")


def run_method(task):
    """Give the lowest objective after each inner call, (calls,)."""
    rows, law, method, calls, seed = task
    objective = TargetSearch(rows, FitOptions()).objective(PooledLaw(CATALOGUE[law]))
    recorder = Recorder(objective, np.inf)
    sample, rng = partial(draw_start, objective), np.random.default_rng(seed)
    values = []
    if method == METHODS[0]:
        descend = solvers.descend

        def counted(*arguments, **options):
            point = descend(*arguments, **options)
            values.append(point.value)
            return point

        solvers.descend = counted
        try:
            while len(values) < calls:
                restarts, hops = FitOptions().restarts, recorder.size
                solvers.search(recorder, sample, [], rng=rng, restarts=restarts, hops=hops)
        finally:
            solvers.descend = descend
    else:
        local = {"method": "L-BFGS-B", "jac": True, "bounds": Bounds(*recorder.bounds)}
        local["options"] = LBFGS
        start = np.clip(sample(rng), *recorder.bounds)
        if method == METHODS[1]:
            basinhopping(
                recorder.value_and_gradient,
                start,
                niter=calls - 1,
                rng=rng,
                minimizer_kwargs=local,
                callback=lambda _x, value, _accepted: values.append(value),
            )
        else:
            for _ in range(calls):
                values.append(minimize(recorder.value_and_gradient, start, **local).fun)
                start = np.clip(sample(rng), *recorder.bounds)
    return np.minimum.accumulate(values[:calls])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--where", action="append", default=[])
    parser.add_argument("--law", default="joint", choices=sorted(CATALOGUE))
    parser.add_argument("--target", help="the first one by default")
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("-o", "--out", type=Path, default=Path("calls.png"))
    chosen = parser.parse_args()
    runs = read(chosen.runs, chosen.where, chosen.target and [chosen.target])
    target = runs.targets[0]
    rows = TargetRows.of(runs, target)
    tasks = [
        (rows, chosen.law, method, chosen.calls, seed)
        for method in METHODS
        for seed in range(chosen.repeats)
    ]
    print(f"{len(tasks)} searches of {chosen.calls} inner solver calls", file=sys.stderr)
    lowest = np.array(Executor(None, progress=dots).map(run_method, tasks))
    lowest = 1e-3 * lowest.reshape(len(METHODS), chosen.repeats, -1)
    for method, values in zip(METHODS, lowest, strict=True):
        median = np.median(values, axis=0)
        after = [call for call in (1, 5, 10, 20, 40, 80) if call <= chosen.calls]
        shown = "  ".join(f"{call}: {median[call - 1]:.3e}" for call in after)
        print(f"{method:28s} median Huber loss after calls  {shown}")
    draw(lowest, chosen.law, target, chosen.out)
    print(f"wrote {chosen.out}")


def draw(lowest, law, target, out):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    calls = np.arange(1, lowest.shape[2] + 1)
    for method, values in zip(METHODS, lowest, strict=True):
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
        (line,) = axes.plot(calls, middle, label=method)
        axes.fill_between(calls, low, high, alpha=0.2, color=line.get_color(), linewidth=0)
    axes.set(xlabel="inner solver calls", ylabel="Huber loss, eq. (6)", yscale="log")
    axes.set_title(f"{law} law, target {target}", fontsize="medium")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=150)


if __name__ == "__main__":
    main()
