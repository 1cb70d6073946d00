"""How good the law is that `mixfit fit --law auto` takes, over many splits of real tables.

Each split takes some rows of a table to choose on and to fit, and others to predict: larger models,
longer trainings, or other mixtures. Beside the law chosen, all that it was chosen among are fitted
to the same rows, so that its error can be set against that of the best in hindsight, and of
additive. Regret is what is lost by taking the mixture that a fit puts first among those predicted
at the largest N and D, in percent of the lowest loss there, targets alike.

    python benchmarks/choosing.py --slimpajama a.csv --regmix b.csv --five-domains c.csv -o out.csv

A table that is not given is left out, `--part 1/2` takes every second split, and a split whose rows
stand in the output already is not run again. With all three it takes hours on two cores. With
`--seeds 5` further seeds choose too, and those that choose the same are counted. `--table` prints
what stands in the output as a table.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pooling import mean_error, regret

import mixfit
from mixfit.laws.catalogue import CATALOGUE


@dataclass(frozen=True)
class Case:
    """A split: rows of a table to fit and to predict.

    Attributes:
        table: which.
        fitted: conditions on the rows fitted.
        predicted: on those predicted; None for the mixtures that were not drawn.
        mixtures: how many are drawn to be fitted; None for all.
        draw: seed of the draw.
        targets: left out, all.
    """

    table: str
    fitted: str = ""
    predicted: str | None = None
    mixtures: int | None = None
    draw: int = 0
    targets: str | None = None

    def __str__(self) -> str:
        """Name it."""
        drawn = f"{self.mixtures} mixtures, draw {self.draw}" if self.mixtures else ""
        parts = (self.table, self.fitted, drawn, self.targets or "")
        tested = self.predicted or "other mixtures"
        return f"{'; '.join(filter(None, parts))} -> {tested}"

    def split(self, path):
        """Give the rows to fit and to predict."""
        runs = mixfit.read_runs(path, where=self.fitted or (), targets=self.targets)
        others = runs
        if self.predicted is not None:
            others = mixfit.read_runs(path, where=self.predicted, targets=self.targets)
        if self.mixtures is None:
            return runs, others
        order = np.random.default_rng([self.draw, 2]).permutation(len(runs.mixtures))
        drawn = np.isin(runs.mixture, order[: self.mixtures])
        return runs.select(drawn), runs.select(~drawn) if self.predicted is None else others


LARGE = "model_size>=1.2e9,n_tokens>=1.3e10"
USUAL = "model_size>=3e8,model_size<1e9,n_tokens>=3.9e9"
WEB, CODE = "arxiv,book,c4,commoncrawl", "github,stackexchange,wikipedia,openhermes"
CASES = (
    Case("slimpajama", USUAL, LARGE),
    Case("slimpajama", USUAL, LARGE, 14),
    Case("slimpajama", USUAL, LARGE, 20, 1),
    Case("slimpajama", USUAL, LARGE, 30, 2),
    Case("slimpajama", USUAL, LARGE, 40, 3),
    Case("slimpajama", USUAL, None, 12, 4),
    Case("slimpajama", USUAL, None, 24, 5),
    Case("slimpajama", "model_size<9e8,n_tokens>=3.9e9", "model_size>=9e8,n_tokens>=1.1e10"),
    Case("slimpajama", "model_size>=3e8,n_tokens>=3.9e9,n_tokens<1.5e10", "n_tokens>=1.7e10"),
    Case("slimpajama", USUAL + ",n_tokens<1.1e10", LARGE, targets="c4,github"),
    Case("slimpajama", USUAL, LARGE, 20, 6, WEB),
    Case("slimpajama", "model_size<9e8,n_tokens>=3.9e9", LARGE, 30, 7, CODE),
    Case("five_domains", "n_params<2.5e8", "n_params>2.5e8"),
    Case("five_domains", "n_params<2.5e8", "n_params>2.5e8", 14),
    Case("five_domains", "n_params<2.5e8", "n_params>2.5e8", 20, 1),
    Case("five_domains", "n_params<2.5e8", None, 16, 2),
    Case("five_domains", "n_tokens<2e10", "n_tokens>=2.5e10"),
    Case("five_domains", "", None, 12, 3),
    Case("regmix", "", None, 34, targets="arxiv,github,pile_cc,stackexchange"),
    Case("regmix", "", None, 48, 1, "freelaw,wikipedia_en,hackernews,uspto_backgrounds"),
    Case("regmix", "", None, 64, 2, "arxiv,github,pile_cc,stackexchange"),
    Case("regmix", "", None, 96, 3, "pubmed_central,dm_mathematics,ubuntu_irc"),
    Case("regmix", "", None, 128, 4, "arxiv,github,pile_cc,stackexchange"),
    Case("regmix", "", None, 256, 5, "arxiv,github,pile_cc,stackexchange"),
)


def run(case, path, jobs, seeds):
    """Give a row for each candidate of a split, and which of them was chosen."""
    fitted, predicted = case.split(path)
    chosen, *others = (
        mixfit.fit_auto(fitted, options=mixfit.FitOptions(seed=seed), jobs=jobs)
        for seed in range(seeds)
    )
    same = 1 + sum(other.law.law == chosen.law.law for other in others)
    rows = []
    for law in (law for law in CATALOGUE.values() if law.candidate):
        fit = chosen if law == chosen.law.law else mixfit.fit(fitted, law, jobs=jobs)
        rows.append(
            {
                "split": str(case),
                "law": law.name,
                "error": mean_error(fit, predicted),
                "regret": regret(fit, predicted),
                "chosen": law == chosen.law.law,
                "seeds": f"{same} of {seeds}",
            }
        )
    return rows


def lines_of(path):
    """Give the lines of a table of the splits in the output, and of what they come to."""
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    lines = [
        "| table | fitted | predicted | auto takes | error | best | its error | additive"
        " | regret | of best |",
        "| :-- | :-- | :-- | :-- | --: | :-- | --: | --: | --: | --: |",
    ]
    over, over_additive = [], []
    for case in CASES:
        laws = {row["law"]: row for row in rows if row["split"] == str(case)}
        if not laws:
            continue
        error = {law: float(row["error"]) for law, row in laws.items()}
        own = next(law for law, row in laws.items() if row["chosen"] == "True")
        best = min(error, key=error.get)
        over.append(error[own] / error[best])
        over_additive.append(error[own] / error["additive"])
        what = f"`{case.fitted}`" if case.fitted else "all"
        drawn = "" if case.mixtures is None else f", {case.mixtures} mixtures"
        of = "" if case.targets is None else f"; {case.targets}"
        tested = "other mixtures" if case.predicted is None else f"`{case.predicted}`"
        cells = (
            *(case.table, what + drawn + of, tested, own, f"{error[own]:.2f}", best),
            *(f"{x:.2f}" for x in (error[best], error["additive"])),
            *(f"{float(laws[law]['regret']):.2f}" for law in (own, best)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"Error over the lowest: median {np.median(over):.2f}, highest {max(over):.2f}; over"
        f" additive's: highest {max(over_additive):.2f}.",
    ]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tables = sorted({case.table for case in CASES})
    for table in tables:
        parser.add_argument(f"--{table.replace('_', '-')}", help="its file")
    parser.add_argument("--part", default="0/1", help="such as 1/2: every second split, from 1 on")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--seeds", type=int, default=1, help="how many choose")
    parser.add_argument("--table", action="store_true", help="print the output, and run nothing")
    parser.add_argument("-o", "--out", type=Path, required=True, help="CSV, which is added to")
    options = parser.parse_args()
    if options.table:
        print("\n".join(lines_of(options.out)))
        return
    first, step = map(int, options.part.split("/"))
    done = set()
    if options.out.exists():
        with options.out.open(encoding="utf-8") as stream:
            done = {row["split"] for row in csv.DictReader(stream)}
    for case in CASES[first::step]:
        path = getattr(options, case.table)
        if path is None or str(case) in done:
            continue
        rows = run(case, path, options.jobs, options.seeds)
        new = not options.out.exists()
        with options.out.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0])
            if new:
                writer.writeheader()
            writer.writerows(rows)
        own = next(row for row in rows if row["chosen"])
        best = min(row["error"] for row in rows)
        print(f"{case}: {own['law']} {own['error']:.3f}%, best {best:.3f}%", flush=True)


if __name__ == "__main__":
    sys.exit(main())
