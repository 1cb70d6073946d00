"""What must hold of the statistics, measured: known parameters, intervals, optima, solvers.

Tests say that the code does what it should; this asks, on tables made of known laws, whether what
it says is true. Every figure stands beside what must hold of it. Example:

    python benchmarks/verify.py -o docs/verify.md
    python benchmarks/verify.py --part recovery --jobs 1
    python benchmarks/verify.py --runs slimpajama.csv --best best_known.csv

With `-o` the figures are put into a page, between its markers. The status is 1 where something
does not hold. The same version gives the same figures on any number of processes.
"""

from __future__ import annotations

import argparse
import csv
import platform
import re
import sys
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import coverage
import design
import numpy as np
from scipy.optimize import Bounds, minimize
from scipy.stats import spearmanr
from solvers import LBFGS, Recorder

import mixfit
from mixfit.base.parallel import Executor, available_processors, use_one_thread
from mixfit.fitting.options import FitOptions
from mixfit.fitting.search import TargetSearch, draw_start
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import NONE, PooledLaw
from mixfit.runs.target_rows import TargetRows

sys.path.append(str(Path(__file__).parents[1] / "sample_runs"))
from make_sample_runs import NOISE, draw_params

DOMAINS = ("web", "code", "books")
TARGET = "web"
LAW_TABLES = 5
LEAST_WEIGHT = 0.02  # some laws are infinite at a weight of 0
SIZES, LENGTHS = (5e7, 1e8, 2e8, 4e8), (1e9, 2e9, 4e9, 8e9, 1.6e10)
ALONE = FitOptions(restarts=24, hops=24, treatment="mixfit", discrepancy="none")
MARKERS = "<!-- figures -->\n", "<!-- end of figures -->\n"


@dataclass(frozen=True)
class Figure:
    """What was measured, and what must hold of it."""

    what: str
    value: str
    must: str
    holds: bool


def most(what, value, limit, form="{:.2g}", unit=""):
    """A figure that must not be above a limit."""
    return Figure(what, form.format(value) + unit, f"at most {limit:g}{unit}", value <= limit)


def least(what, value, limit, form="{:.2g}", unit=""):
    """A figure that must not be below a limit."""
    return Figure(what, form.format(value) + unit, f"at least {limit:g}{unit}", value >= limit)


class Made:
    """A table of runs that a law of the catalogue made, and what made it."""

    def __init__(self, name, seed, noise):
        rng = np.random.default_rng([seed, 1])
        law = CATALOGUE[name]
        self.params = draw_params(name, len(DOMAINS), DOMAINS.index(TARGET), rng)
        self._formula = Formula(law.bound(DOMAINS, TARGET), len(DOMAINS))
        sizes = SIZES if law.uses_model_size else SIZES[:1]
        lengths = LENGTHS if law.uses_tokens else LENGTHS[:1]
        where = self._rows(rng, 24, sizes, lengths)
        losses = self.losses(*where) * np.exp(noise * rng.standard_normal(len(where[0])))
        self.runs = mixfit.Runs.from_arrays(*where, {TARGET: losses}, DOMAINS)
        # Where all runs have one N, or one D, a law says nothing of others.
        self.beyond = self._rows(
            rng,
            20,
            [sizes[-1] * (4 if law.uses_model_size else 1)],
            [lengths[-1] * (3 if law.uses_tokens else 1)],
        )

    def losses(self, N, D, h):
        """Give the losses without noise."""
        return self._formula.predict(self._formula.internal(self.params), N, D, h)

    @staticmethod
    def _rows(rng, mixtures, sizes, lengths):
        h = np.maximum(rng.dirichlet(np.ones(len(DOMAINS)), mixtures), LEAST_WEIGHT)
        h /= h.sum(axis=1, keepdims=True)
        N, D, m = np.meshgrid(sizes, lengths, np.arange(mixtures), indexing="ij")
        return N.ravel(), D.ravel(), h[m.ravel().astype(int)]

    def fitted(self, name):
        """Fit the law that made it, not pooled."""
        return mixfit.fit(self.runs, f"{name}:{NONE}", options=ALONE)


def recovered(task):
    """Give the largest errors of predictions and parameters, and the objective over the truth's."""
    name, seed = task
    made = Made(name, seed, 0.0)
    fit = made.fitted(name)
    predicted = fit.predict(*made.beyond)[TARGET]
    own = fit.targets[TARGET].params
    noisy = Made(name, seed, NOISE)
    residuals = noisy.runs.losses_of(TARGET) - noisy.losses(
        noisy.runs.N, noisy.runs.D, noisy.runs.h
    )
    size, delta = np.abs(residuals), ALONE.filled(CATALOGUE[name]).delta
    huber = np.where(size < delta, residuals**2 / 2, delta * (size - delta / 2)).mean()
    return (
        np.abs(predicted / made.losses(*made.beyond) - 1).max(),
        max(np.abs(own[group] / numbers - 1).max() for group, numbers in made.params.items()),
        noisy.fitted(name).targets[TARGET].huber / huber,
    )


def recovery(executor):
    """Every law fitted to what it made: without noise all comes back, with it nothing is lower."""
    tasks = [(name, seed) for name in CATALOGUE for seed in range(LAW_TABLES)]
    errors = np.array(executor.map(recovered, tasks)).reshape(len(CATALOGUE), LAW_TABLES, 3)
    tables = f"{len(CATALOGUE)} laws, {LAW_TABLES} tables each"
    worst = [list(CATALOGUE)[place] for place in errors.max(axis=1).argmax(axis=0)]
    return [
        most(
            f"{tables}, no noise: largest relative error of predictions at 4 times the largest size"
            f" and 3 times the longest length ({worst[0]})",
            errors[..., 0].max(),
            1e-6,
        ),
        most(f"the same: largest relative error of a parameter ({worst[1]})",
             errors[..., 1].max(), 1e-4),
        most(
            f"{tables}, noise of {NOISE:.1%}: largest objective of a fit, as a multiple of that at"
            f" the true parameters ({worst[2]})",
            errors[..., 2].max(),
            1,
            "{:.4f}",
        ),
    ]  # fmt: skip


def covered(task):
    """Give the shares of losses and of best weights inside of their intervals, in percent."""
    seed, truth = task
    return coverage.table(seed, "additive:0.001+0.003", truth, 24, 40)


def intervals(executor):
    """90% intervals of new trainings at four times the size, by benchmarks/coverage.py."""
    right = np.array(executor.map(covered, [(seed, "additive") for seed in range(40)]))
    wrong = np.array(executor.map(covered, [(seed, "coupled") for seed in range(20)]))
    losses = right[:, 0]
    return [
        Figure(
            "additive law on 40 additive tables: losses inside of their 90% intervals",
            f"{losses.mean():.1f}% ± {losses.std(ddof=1) / np.sqrt(len(losses)):.1f}",
            "85 to 96%",
            bool(85 <= losses.mean() <= 96),
        ),
        least("additive law on 20 coupled tables, so that the law is wrong: the same",
              wrong[:, 0].mean(), 78, "{:.1f}", "%"),
        least("additive law on 40 additive tables: weights of the best mixture inside of theirs",
              right[:, 1].mean(), 80, "{:.1f}", "%"),
    ]  # fmt: skip


def alarm(executor):
    """The standard error at the pick against its regret, by benchmarks/design.py."""
    tasks = [(5, count, seed, "none") for count in (10, 18) for seed in range(16)]
    rows = [own for draw in executor.map(design.of_truth, tasks) for own in draw.values()]
    _, regret, error = np.array(rows).T
    calm, loud = regret[error < 0.2], regret[error >= 0.8]
    fits = f"{len(rows)} fits to 10 or 18 mixtures of 5 domains, not pooled"
    return [
        least(f"{fits}: rank correlation of the standard error of the loss at the best mixture with"
              " its regret", spearmanr(error, regret).statistic, 0.5),
        most(f"the {len(calm)} with a standard error below 0.2%: mean regret",
             calm.mean(), 0.2, unit="%"),
        least(f"the {len(loud)} with one above 0.8%: mean regret, as a multiple of that",
              loud.mean() / calm.mean(), 10, "{:.0f}"),
    ]  # fmt: skip


def lost(task):
    """Give the regret, in percent, of the optimum of a fit as `mixfit fit` makes it."""
    seed, law, truth = task
    parameters, runs, _ = coverage.made(seed, truth, 24)
    fit = mixfit.fit(runs, law)
    N, D = 4 * coverage.SIZES[-1], 3 * coverage.LENGTHS[-1]
    found = mixfit.optimize(fit, model_size=N, tokens=D).weights
    best = coverage.best_mixture(truth, parameters)
    true = partial(coverage.true_mean, truth, parameters)
    return 100 * (true(found) / true(best) - 1)


def optimum(executor):
    """True losses of the best mixtures of fits, at 4 times the size, against the true best."""
    cases = (("additive", "additive", 0.05), ("coupled", "coupled", 0.05),
             ("additive", "coupled", 0.2))  # fmt: skip
    figures = []
    for law, truth, limit in cases:
        regret = executor.map(lost, [(seed, law, truth) for seed in range(12)])
        figures.append(
            most(
                f"{law} law fitted to 12 {truth} tables of 24 mixtures of 4 domains: mean regret of"
                f" the best mixture (largest {max(regret):.2g}%)",
                np.mean(regret),
                limit,
                unit="%",
            )
        )
    tasks = [(5, count, seed, "0.03") for count in (10, 18) for seed in range(16)]
    picks = [draw["i-optimal"][1] for draw in executor.map(design.of_truth, tasks)]
    figures.append(
        most(
            "additive law, pooled, fitted to 10 or 18 I-optimal mixtures of 5 domains at one N and"
            f" D, half of {len(picks)} tables with a misfit: mean regret of the best mixture",
            np.mean(picks),
            0.3,
            unit="%",
        )
    )
    return figures


def both(task):
    """Give how far SciPy's best of six starts is above ours, and how far it gets from there."""
    name, seed = task
    search = TargetSearch(TargetRows.of(Made(name, seed, NOISE).runs, TARGET), FitOptions())
    law = PooledLaw(CATALOGUE[name])
    ours = search.solve(law)
    objective = ours.objective
    recorder = Recorder(objective, np.inf)
    down = partial(
        minimize,
        recorder.value_and_gradient,
        jac=True,
        bounds=Bounds(*objective.bounds),
    )
    rng = np.random.default_rng(seed)
    starts = [np.clip(draw_start(objective, rng), *objective.bounds) for _ in range(6)]
    lowest = min(down(start, method="L-BFGS-B", options=LBFGS).fun for start in starts)
    further = min(down(ours.theta, method=way).fun for way in ("L-BFGS-B", "SLSQP"))
    value = ours.solution.point.value
    return 100 * (lowest / value - 1), 100 * (1 - further / value)


def scipy_agrees(executor):
    """Our solver and SciPy's L-BFGS-B and SLSQP on the same objectives."""
    names = [name for name, law in CATALOGUE.items() if law.candidate]
    found = np.array(executor.map(both, [(name, seed) for name in names for seed in range(2)]))
    above, further = found.T
    pairs = f"{len(names)} laws, 2 noisy tables each"
    near = np.mean(np.abs(above) < 0.1)
    return [
        least(f"{pairs}: how far the lowest of six starts of SciPy's L-BFGS-B is above our optimum,"
              f" least (median {np.median(above):.2g}%)", above.min(), -0.01, unit="%"),
        least("the same: share of them within 0.1% of each other", 100 * near, 50, "{:.0f}", "%"),
        most("the same: how far below our optimum SciPy's L-BFGS-B and SLSQP come from there",
             further.max(), 1e-4, unit="%"),
    ]  # fmt: skip


def objective_of(task):
    """Give the objective of a law fitted to a target, in units of delta."""
    runs, name, target = task
    options = FitOptions(discrepancy="none")
    fit = mixfit.fit(runs.only([target]), f"{name}:{NONE}", options=options)
    return fit.targets[target].huber / fit.options.filled(CATALOGUE[name]).delta


def best_known(executor, path, best, where):
    """Objectives on real runs against the lowest known, a CSV of law, target and objective."""
    runs = mixfit.read_runs(path, where=where)
    with open(best, encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    known = {(row["law"], row["target"]): float(row["objective"]) for row in rows}
    tasks = [(runs, law, target) for law, target in known if law in CATALOGUE]
    found = executor.map(objective_of, tasks)
    ratios = [own / known[law, target] for own, (_, law, target) in zip(found, tasks, strict=True)]
    law, target = tasks[int(np.argmax(ratios))][1:]
    return [
        most(
            f"{Path(path).name}, {len(tasks)} pairs of law and target: largest objective, as a"
            f" multiple of the lowest known ({law}, {target})",
            max(ratios),
            1.005,
            "{:.4f}",
        )
    ]


PARTS = {
    "recovery": recovery,
    "intervals": intervals,
    "alarm": alarm,
    "optimum": optimum,
    "scipy": scipy_agrees,
}
TITLES = {
    "recovery": "Known parameters come back",
    "intervals": "Intervals hold what they say",
    "alarm": "The alarm rings where picks are bad",
    "optimum": "The best mixture is nearly the best",
    "scipy": "SciPy finds no lower objective",
    "best": "Real runs reach the lowest objectives known",
}


def machine():
    """Name the kind of machine, and the versions."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = re.findall(r"^model name\s*: (.+)$", info.read_text("utf-8"), re.MULTILINE)
        model = names[0] if names else model
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "pandas"))
    return (
        f"mixfit {mixfit.__version__}, Python {platform.python_version()}, {packages};"
        f" {platform.system()}, {model}, {available_processors()} processors."
    )


def page_of(figures):
    """Write the figures of all parts, in Markdown."""
    parts = [machine() + "\n"]
    for name, own in figures.items():
        rows = [
            f"| {f.what} | {f.value} | {f.must} | {'yes' if f.holds else '**no**'} |" for f in own
        ]
        header = "| measured | figure | must be | holds |\n| :-- | --: | --: | :-- |\n"
        parts.append(f"## {TITLES[name]}\n\n{header}" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def put(page, content):
    """Put content between the markers of a page, in place of what stands there."""
    before, marker, rest = page.partition(MARKERS[0])
    _, end, after = rest.partition(MARKERS[1])
    if not (marker and end):
        raise ValueError(f"the page has no {MARKERS[0].strip()} and {MARKERS[1].strip()}")
    return f"{before}{marker}\n{content}\n{end}{after}"


def main(arguments=None):
    """Measure, print, and give the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=PARTS, help="leave the others out")
    parser.add_argument("--runs", help="a table of real runs, for --best")
    parser.add_argument("--best", help="CSV of law, target and lowest objective known on them")
    parser.add_argument("--where", default="model_size>=3e8,n_tokens>=3.9e9", help="rows of --runs")
    parser.add_argument("--jobs", type=int, help="processes; by default one a processor")
    parser.add_argument("-o", "--out", type=Path, help="a page with markers for the figures")
    asked = parser.parse_args(arguments)
    if (asked.runs is None) != (asked.best is None):
        parser.error("--runs and --best go together")
    parts = {name: PARTS[name] for name in asked.part or PARTS}
    if asked.runs:
        parts["best"] = partial(best_known, path=asked.runs, best=asked.best, where=asked.where)
    figures = {}
    for name, measure in parts.items():
        figures[name] = measure(Executor(asked.jobs))
        print(TITLES[name])
        for figure in figures[name]:
            mark = "ok  " if figure.holds else "FAIL"
            print(f"  {mark}  {figure.what}: {figure.value} ({figure.must})", flush=True)
    if asked.out:
        page = put(asked.out.read_text("utf-8"), page_of(figures))
        asked.out.write_text(page, encoding="utf-8")
    return 0 if all(figure.holds for own in figures.values() for figure in own) else 1


if __name__ == "__main__":
    use_one_thread()
    sys.exit(main())
