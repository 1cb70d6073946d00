"""Trains many tiny language models on mixtures of four domains, and writes tables of their runs.

    python tiny_lm.py prepare            # text and tokenizer
    python tiny_lm.py rates 49k 111k     # learning rates of these sizes, once
    python tiny_lm.py train              # all stages, or those named; again to go on
    python tiny_lm.py tables             # CSV and Parquet of all runs finished so far

Texts, states and finished groups are in the work folder, and what others read is beside this file.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import pandas as pd
import tokenizer
import torch
from plan import RATES, SIZES, STAGES, TABLES, Run, groups, rate_runs, stage_runs
from text import DOMAINS
from tokenizer import Tokens
from train import train

HERE = Path(__file__).parent
WORK = Path("~/.cache/mixfit-tiny-lm").expanduser()


def main() -> None:
    """Parses the command line and does what it says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", dest="compiled", action="store_false")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="fetch the text and train the tokenizer")
    rates = commands.add_parser("rates", help="choose learning rates")
    rates.add_argument("sizes", nargs="+", choices=SIZES)
    training = commands.add_parser("train", help="train what is not trained yet")
    training.add_argument("stages", nargs="*", default=list(STAGES))
    training.add_argument("--first", type=int, help="only so many runs of each stage")
    commands.add_parser("tables", help="write the tables")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    bench = Bench(given.work, compiled=given.compiled)
    if given.command == "prepare":
        bench.prepare()
    elif given.command == "rates":
        for name in given.sizes:
            bench.choose_rate(name)
    elif given.command == "train":
        for stage in given.stages:
            bench.train_runs(stage_runs(stage)[: given.first])
    else:
        bench.write_tables()


class Bench:
    """Trains groups of runs one after the other, and keeps what is finished.

    Attributes:
        work: Folder of the text, of states, and of one part table for each finished group.
        compiled: Whether models are compiled.
    """

    def __init__(self, work: Path, *, compiled: bool = True) -> None:
        self.work = work
        self.compiled = compiled

    def prepare(self) -> Tokens:
        """The text. It must be that of the tables beside this file, if they are there."""
        found = tokenizer.prepare(self.work)
        recorded = HERE / "text.json"
        if not recorded.exists():
            recorded.write_text(json.dumps(found, indent=1) + "\n")
        elif json.loads(recorded.read_text())["text"] != found["text"]:
            sys.exit(
                f"The text in {self.work} is not that of {recorded}: other versions of packages? "
                "Losses on it cannot be compared. To start tables of your own, remove text.json, "
                "rates.csv and the tables here."
            )
        return tokenizer.load(self.work)

    def train_runs(self, runs: list[Run]) -> None:
        """Trains the runs that are not finished, group by group."""
        finished = set(self.finished()["run_id"])
        tokens = self.prepare()
        for group in groups([run for run in runs if run.run_id not in finished]):
            name = f"{group[0].stage}-{group[0].run_id}-{len(group)}"
            print(f"{time.strftime('%F %T')}  {name}", flush=True)
            rates = [run.rate or self.rate(run.size.name) for run in group]
            state = self.work / "states" / f"{name}.pt"
            table = train(group, rates, tokens, state, compiled=self.compiled)
            table["torch"] = torch.__version__
            _replace(table, self.work / "parts" / f"{name}.csv")
            state.unlink(missing_ok=True)

    def finished(self) -> pd.DataFrame:
        """Rows of all finished runs, from the parts and from the tables beside this file."""
        files = [HERE / f"{table}.csv" for table in TABLES]
        files += sorted((self.work / "parts").glob("*.csv"))
        tables = [pd.read_csv(path) for path in files if path.exists()]
        if not tables:
            return pd.DataFrame(columns=["stage", "run_id", "n_tokens"])
        return pd.concat(tables, ignore_index=True).drop_duplicates(["run_id", "n_tokens"])

    def write_tables(self) -> None:
        """Writes the tables of all finished runs beside this file, as CSV and Parquet."""
        rows = self.finished()
        for table, stages in TABLES.items():
            chosen = rows[rows["stage"].isin(stages)].sort_values(
                ["model_size", "stage", "run_id", "n_tokens"], kind="stable"
            )
            if len(chosen):
                _replace(chosen, HERE / f"{table}.csv")
                _replace(chosen, HERE / f"{table}.parquet")
                print(f"{table}: {chosen['run_id'].nunique()} runs, {len(chosen)} rows")

    def rate(self, size: str) -> float:
        """The learning rate chosen for a size: the lowest mean validation loss on the domains.

        From the last checkpoint of the runs of stage "rates"; the outside target has no say.
        """
        rows = self.finished()
        rows = rows[(rows["stage"] == "rates") & rows["run_id"].str.startswith(f"{size}-")]
        if not len(rows):
            sys.exit(f"No learning rate for {size} yet: run `rates {size}` first.")
        last = rows[rows["n_tokens"] == rows["n_tokens"].max()].set_index("learning_rate")
        return float(last[[f"loss_{name}" for name in DOMAINS]].mean(axis=1).idxmin())

    def choose_rate(self, name: str) -> None:
        """Trains with every rate of RATES, and with one more while the best is at an end."""
        rates = list(RATES[name])
        self.train_runs(rate_runs(SIZES[name], rates))
        while (best := self.rate(name)) in {min(rates), max(rates)}:
            rates.append(best / 2 if best == min(rates) else best * 2)
            self.train_runs(rate_runs(SIZES[name], rates))
        print(f"{name}: learning rate {best:g}")


def _replace(table: pd.DataFrame, path: Path) -> None:
    """Writes a table whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    if path.suffix == ".csv":
        table.to_csv(partial, index=False)
    else:
        table.to_parquet(partial, index=False)
    partial.replace(path)


if __name__ == "__main__":
    main()
