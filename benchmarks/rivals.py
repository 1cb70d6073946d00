"""Held-out errors of all laws, of mixfit and of others, on real runs: the tables of docs/rivals.md.

    python benchmarks/rivals.py FOLDER -o rivals.csv --tables

FOLDER holds slimpajama_small.csv, regmix_1m.csv and five_domains.csv. What is in the CSV already is
not done again, so that a run that was stopped goes on. Laws make two restarts and no hops, without
what they leave of the losses, and are not pooled but for a few that stand there twice; those of
others are fitted as their authors do, or with `--treatment mixfit` like those of mixfit. Laws that
are one where all rows have one N and D, such as additive and coupled, are fitted once. It takes a
quarter of an hour or so on one core. `--tables` prints what there is.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import mixfit
from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.comparison import AVERAGE, EACH_TARGET, OBJECTIVE
from mixfit.evaluation.regressors import REGRESSORS
from mixfit.evaluation.together import JOINT_LAWS
from mixfit.fitting.options import AUTHORS, MIXFIT, FitOptions
from mixfit.laws.catalogue import CATALOGUE
from mixfit.runs.splits import split_by_rows, split_folds, split_learning_curve

QUICK = FitOptions(restarts=2, hops=0, discrepancy="none")
FIELDS = ["setting", "laws", "column", "targets", "parameters", "train", "test", "error", "rank"]
FIELDS += ["regret", "regret_each"]  # of the mean over targets, and mean over single targets
PAPER = ["n_tokens>=3.9e9"]
# Targets of the wide tables, spread over them, to keep the time short.
OF_REGMIX = ["arxiv", "freelaw", "github", "pubmed_central", "wikipedia_en"]
OF_FIVE = 6
POOLED = {"additive", "powered", "coupled"}  # shown pooled too, as they are by default


def read(folder, name, where=()):
    return mixfit.read_runs(folder / name, where=list(where))


def one_scale(folder):
    """The last checkpoint of the 310M models: 60 mixtures at one (N, D)."""
    where = ["model_size>=3e8", "model_size<6e8", "n_tokens>=1.9999e10"]
    return split_folds(read(folder, "slimpajama_small.csv", where), 5)


def one_size(folder):
    where = [*PAPER, "model_size>=3e8", "model_size<6e8"]
    return split_folds(read(folder, "slimpajama_small.csv", where), 5)


def larger(folder):
    name = "slimpajama_small.csv"
    train = read(folder, name, [*PAPER, "model_size>=3e8", "model_size<1e9"])
    test = read(folder, name, ["model_size>=1e9", "n_tokens>=1.3e10"])
    return split_by_rows(train, [test], ["1.24B"])


def regmix_folds(folder):
    return split_folds(read(folder, "regmix_1m.csv").only(OF_REGMIX), 5)


def regmix_few(folder):
    runs = read(folder, "regmix_1m.csv").only(OF_REGMIX)
    return split_learning_curve(runs, [64], repeats=3)


def read_five(folder, *where):
    runs = read(folder, "five_domains.csv", where)
    places = np.linspace(0, len(runs.targets) - 1, OF_FIVE).round().astype(int)
    return runs.only([runs.targets[i] for i in places])


def five_domains(folder):
    return split_folds(read_five(folder), 5)


def five_domains_larger(folder):
    train, test = read_five(folder, "n_params<3e8"), read_five(folder, "n_params>=3e8")
    return split_by_rows(train, [test], ["302M"])


# Title, name in the tables of all, and what makes the splits.
SETTINGS = [
    ("SlimPajama, one (N, D): 60 mixtures of 7 domains at 310M, five folds", "S", one_scale),
    ("SlimPajama, one N: 60 mixtures at 310M and many D, five folds", "S, one N", one_size),
    ("SlimPajama, larger: 310M to 937M fitted, 1.24B tested", "S, larger", larger),
    ("RegMix, 512 mixtures of 17 domains, five folds", "R", regmix_folds),
    ("RegMix, 64 of 512 mixtures of 17 domains fitted, all others tested", "R, 64", regmix_few),
    ("Five domains: 26 mixtures at four N and several D, five folds", "F", five_domains),
    ("Five domains, larger: 19M to 202M fitted, 302M tested", "F, larger", five_domains_larger),
]


def forms(splits):
    """Give laws that the rows cannot tell apart together, as lists of names."""
    tables = [split.train for split in splits.splits]
    one_n = all(np.ptp(table.N) == 0 for table in tables)
    one_d = all(np.ptp(table.D) == 0 for table in tables)
    together = {}
    for law in CATALOGUE.values():
        form = law.identified(one_model_size=one_n, one_token_count=one_d)
        key = form.terms, form.outer, form.treatment
        together.setdefault(key, []).append(law.name)
    pooled = [f"{names[0]}:auto" for names in together.values() if set(names) & POOLED]
    return [*together.values(), *([name] for name in [*REGRESSORS, *JOINT_LAWS, *pooled])]


def run(setting, splits, names, treatment):
    """Give the row of one law."""
    law = names[0]
    many = treatment == AUTHORS and law in CATALOGUE and CATALOGUE[law].treatment.restarts > 12
    quick = replace(FitOptions(discrepancy="none") if many else QUICK, treatment=treatment)
    asked = f"{law}:none" if law in CATALOGUE and CATALOGUE[law].poolable else law
    done = compare_laws(splits, [asked], options=quick)
    standing = done.standings[0]
    fitted = {target for _, target, _ in done.summaries} - {AVERAGE}
    column = done.columns[-1]
    row = {
        "setting": setting,
        "laws": " ".join(names),
        "column": column,
        "targets": f"{len(fitted)} of {len(done.targets)}",
    }
    if (standing.law, AVERAGE, column) in done.summaries:
        summary = done.summaries[standing.law, AVERAGE, column]
        row |= {
            "parameters": standing.parameters or "",
            "train": summary.train,
            "test": summary.test,
            "error": summary.error,
            "rank": summary.rank,
        }
    for field, kind in (("regret", OBJECTIVE), ("regret_each", EACH_TARGET)):
        if (standing.law, kind, column) in done.decisions:
            row[field] = done.decisions[standing.law, kind, column].regret
    return row


def cell(text, digits):
    """Give a number as it stands in a table, and nothing where it is not known."""
    return "" if text in ("", "nan") else f"{float(text):.{digits}f}"


def show_all(rows):
    """Print two tables of laws by settings: errors held out, and regrets."""
    found = {(law, row["setting"]): row for row in rows for law in row["laws"].split()}
    laws = [
        law for law in [*CATALOGUE, *REGRESSORS, *JOINT_LAWS] if any(law == x for x, _ in found)
    ]
    laws += [law for law in dict.fromkeys(x for x, _ in found) if law not in laws]

    def text(law, setting, best, regret):
        row = found.get((law, setting))
        if row is None or not row["test"]:
            return ""
        if regret:
            return f"{cell(row['regret'], 2) or '-'} / {cell(row['regret_each'], 2)}"
        number = f"{float(row['test']):.3g}"
        return f"**{number}**" if float(row["test"]) == best else number

    for regret in (False, True):
        print("\n| law | " + " | ".join(name for _, name, _ in SETTINGS) + " |")
        print("| --- |" + " --- |" * len(SETTINGS))
        tests = [
            [float(r["test"] or "inf") for r in rows if r["setting"] == s] for s, _, _ in SETTINGS
        ]
        for law in laws:
            cells = [
                text(law, setting, min(test, default=None), regret)
                for (setting, _, _), test in zip(SETTINGS, tests, strict=True)
            ]
            print(f"| {label_of(law)} | " + " | ".join(cells) + " |")


def label_of(law):
    return law.replace(":auto", ", pooled")


def show(rows):
    """Print a table for each setting, best law first."""
    for setting, _, _ in SETTINGS:
        own = [row for row in rows if row["setting"] == setting]
        own.sort(key=lambda row: float(row["test"] or "inf"))
        print(f"\n{setting}:\n")
        print("| law | parameters | targets | fitted % | held out % | rank | regret % | each % |")
        print("| --- |" + " --- |" * 7)
        for row in own:
            label = ", ".join(label_of(law) for law in row["laws"].split())
            if not row["test"]:
                print(f"| {label} | | {row['targets']} | | not applicable | | | |")
                continue
            test, error = float(row["test"]), float(row["error"])
            print(
                f"| {label} | {row['parameters']} | {row['targets']} | {float(row['train']):.2f} |"
                f" {test:.3g} ± {error:.2g} | {cell(row['rank'], 3)} |"
                f" {cell(row['regret'], 2)} | {cell(row['regret_each'], 2)} |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True, help="CSV, which is added to")
    parser.add_argument("--settings", default="", help="only those that hold this text")
    parser.add_argument("--laws", default="", help="only these, with spaces between")
    parser.add_argument("--treatment", choices=[AUTHORS, MIXFIT], default=AUTHORS)
    parser.add_argument("--tables", action="store_true", help="print tables of what there is")
    options = parser.parse_args()
    rows = list(csv.DictReader(options.out.open())) if options.out.exists() else []
    if not rows:
        options.out.write_text(",".join(FIELDS) + "\n")
    for setting, _, make in SETTINGS:
        if options.settings not in setting:
            continue
        splits = make(options.folder)
        for names in forms(splits):
            if options.laws and not set(names) & set(options.laws.split()):
                continue
            if any(r["setting"] == setting and r["laws"] == " ".join(names) for r in rows):
                continue
            row = run(setting, splits, names, options.treatment)
            with options.out.open("a", newline="") as stream:
                csv.DictWriter(stream, FIELDS).writerow(row)
            rows.append({name: str(row.get(name, "")) for name in FIELDS})
            print(
                f"{setting[:30]:30s} {names[0]:16s} {row.get('test', 'not applicable')}", flush=True
            )
    if options.tables:
        show_all(rows)
        show(rows)


if __name__ == "__main__":
    sys.exit(main())
