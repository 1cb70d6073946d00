"""Make tables of runs from laws whose parameters are known.

Without options, this writes the sample tables and `truth.yaml` beside itself. With `--rows` it
writes one table of any size, for benchmarks. The same options always give the same files.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.laws.parameters import FREE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Params = dict[str, Array]

HERE = Path(__file__).parent
NOISE = 0.002  # standard deviation of the log of a loss
CHUNK = 1 << 14  # rows made and written at once
STEPS = 10_000  # drawn weights are multiples of 1 / STEPS

# The uniform mixture at this N and D has terms of about these sizes.
REFERENCE_N, REFERENCE_D = 2e8, 4e9
TERM_SIZES = {"S": (0.5, 0.9), "S_2": (0.1, 0.2), "A": (0.4, 0.5), "B": (0.32, 0.42)}

# What parameters are drawn from, uniformly; those of a name that is not here, or that must not be
# negative where these are, are drawn as starts of a fit are. Coefficients are then scaled to the
# sizes above.
RANGES = {
    ("E", False): (0.8, 1.4),
    ("C", True): (0.5, 1.5),
    ("gamma", True): (0.4, 1.0),
    ("gamma", False): (-1.2, -0.5),
    ("kappa", False): (0.6, 1.5),
    ("C_A", True): (0.6, 1.5),
    ("gamma_A", False): (0.4, 1.0),
    ("alpha", False): (0.25, 0.45),
    ("C_alpha", True): (0.29, 0.33),
    ("gamma_alpha", False): (0.9, 1.1),
    ("C_B", True): (0.6, 1.5),
    ("gamma_B", False): (0.4, 1.0),
    ("beta", False): (0.25, 0.4),
    ("C_beta", True): (0.29, 0.33),
    ("gamma_beta", False): (0.9, 1.1),
    ("delta", False): (0.02, 0.1),
    ("C_2", True): (0.5, 1.5),
    ("gamma_2", True): (0.4, 1.0),
    ("delta_2", False): (0.02, 0.1),
    ("eta", False): (-0.08, 0.08),
}
OWN_DOMAIN = 3.0  # times the coefficient C of the domain that a target is the loss on


@dataclass(frozen=True)
class Table:
    """What a table of runs is made of.

    Attributes:
        law: a name in the catalogue.
        domains: names of the columns of weights.
        targets: names of the columns of losses.
        mixtures: how many distinct ones; the first is uniform.
        model_sizes: in parameters.
        tokens: checkpoints of every run, in tokens.
        rows: mixtures * model sizes * checkpoints, or fewer.
        seed: of the parameters, the mixtures and the noise.
        noise: standard deviation of the log of a loss.
        missing: how many losses are left out.
        size_column: name of the column of N.
        tokens_column: name of the column of D.
        loss_column: name of the columns of losses, with ``{}`` for the target.
    """

    law: str
    domains: tuple[str, ...]
    targets: tuple[str, ...]
    mixtures: int
    model_sizes: tuple[int, ...]
    tokens: tuple[int, ...]
    rows: int
    seed: int
    noise: float = NOISE
    missing: int = 0
    size_column: str = "model_size"
    tokens_column: str = "n_tokens"
    loss_column: str = "{}_loss"


SAMPLES = {
    "additive.csv": Table(
        law="additive",
        domains=("web", "code", "books"),
        targets=("web", "code", "books", "math"),
        mixtures=14,
        model_sizes=(50_000_000, 100_000_000, 200_000_000, 400_000_000),
        tokens=tuple(x * 10**9 for x in (1, 2, 4, 6, 8, 12, 16)),
        rows=392,
        seed=1,
        missing=5,
    ),
    "joint.parquet": Table(
        law="joint",
        domains=("web", "code", "books", "forums"),
        targets=("web", "code", "math"),
        mixtures=24,
        model_sizes=(50_000_000, 100_000_000, 200_000_000, 400_000_000),
        tokens=tuple(x * 10**9 for x in (1, 2, 4, 8, 16)),
        rows=480,
        seed=5,
        size_column="params",
        tokens_column="tokens",
        loss_column="loss_{}",
    ),
    "coupled.csv": Table(
        law="coupled",
        domains=("web", "code", "books"),
        targets=("web", "math"),
        mixtures=16,
        model_sizes=(50_000_000, 100_000_000, 200_000_000, 400_000_000, 800_000_000),
        tokens=tuple(x * 10**9 for x in (1, 2, 4, 8, 16)),
        rows=400,
        seed=3,
    ),
}


def draw_mixtures(count: int, k: int, rng: np.random.Generator) -> Array:
    """Draw mixtures, (count, k): the uniform one, then random ones, every third with a zero."""
    steps = np.empty((count, k), dtype=np.int64)
    for row in steps:
        weights = rng.dirichlet(np.ones(k))
        row[:] = np.floor(weights * STEPS)
        row[row.argmax()] += STEPS - row.sum()
    for row in steps[2::3]:
        absent = rng.integers(k)
        left, row[absent] = row[absent], 0
        row[row.argmax()] += left
    mixtures = steps / STEPS
    mixtures[0] = 1.0 / k
    return mixtures


def draw_params(law: str, k: int, own: int | None, rng: np.random.Generator) -> Params:
    """Draw natural parameters of a law with losses between 1 and 5, to four digits.

    Args:
        law: a name in the catalogue.
        k: the number of domains.
        own: the index of the domain that the target is the loss on, if it is one.
        rng: the source of randomness.
    """
    formula = Formula(CATALOGUE[law], k, REFERENCE_N, REFERENCE_D)
    params = formula.natural(formula.random(rng))
    for group in formula.law.groups:
        low_high = RANGES.get((group.name, group.per_domain))
        if low_high is not None and (low_high[0] > 0 or group.kind == FREE):
            params[group.name] = rng.uniform(*low_high, group.size(k))
    if own is not None and "C" in params:
        params["C"][own] *= OWN_DOMAIN
    # Every term has its size, those under an outer power too.
    formula = replace(formula, law=replace(formula.law, outer=None))
    theta = formula.internal(params)
    uniform = np.full((1, k), 1.0 / k)
    sizes = formula.summand_values(theta, np.array([REFERENCE_N]), np.array([REFERENCE_D]), uniform)
    factors = np.ones(len(sizes))
    for index, term in enumerate(formula.law.terms):
        if term.role in TERM_SIZES:
            factors[index] = rng.uniform(*TERM_SIZES[term.role]) / sizes[index, 0]
    params |= formula.natural(formula.rescaled(theta, factors))
    return {name: np.array([float(f"{x:.4g}") for x in p]) for name, p in params.items()}


def true_params(table: Table) -> dict[str, Params]:
    """Give the parameters that a table's losses are made from, by target."""
    domains = table.domains
    return {
        target: draw_params(
            table.law,
            len(domains),
            domains.index(target) if target in domains else None,
            np.random.default_rng([table.seed, 1, index]),
        )
        for index, target in enumerate(table.targets)
    }


def make_chunks(table: Table) -> Iterator[pa.Table]:
    """Make a table, some rows at a time."""
    k = len(table.domains)
    formula = Formula(CATALOGUE[table.law], k)
    thetas = [formula.internal(params) for params in true_params(table).values()]
    mixtures = draw_mixtures(table.mixtures, k, np.random.default_rng([table.seed, 2]))
    rng = np.random.default_rng([table.seed, 3])
    model_sizes, tokens = np.array(table.model_sizes), np.array(table.tokens)
    losses_in_all = table.rows * len(table.targets)
    left_out = rng.choice(losses_in_all, table.missing, replace=False) if table.missing else []
    for start in range(0, table.rows, CHUNK):
        row = np.arange(start, min(start + CHUNK, table.rows))
        run, mixture = np.divmod(row, table.mixtures)
        checkpoint, size = np.divmod(run, len(model_sizes))
        N, D, h = model_sizes[size], tokens[checkpoint], mixtures[mixture]
        columns = {f"weight_{d}": pa.array(h[:, i]) for i, d in enumerate(table.domains)}
        columns[table.size_column] = pa.array(N)
        columns[table.tokens_column] = pa.array(D)
        for index, (target, theta) in enumerate(zip(table.targets, thetas, strict=True)):
            loss = formula.predict(theta, N.astype(float), D.astype(float), h)
            loss = np.round(loss * np.exp(table.noise * rng.standard_normal(len(row))), 6)
            loss[np.isin(row * len(table.targets) + index, left_out)] = np.nan
            columns[table.loss_column.format(target)] = pa.array(loss, from_pandas=True)
        yield pa.table(columns)


def write(table: Table, path: Path) -> None:
    """Write a table as CSV or Parquet, by its suffix."""
    if path.suffix == ".parquet":
        chunks = make_chunks(table)
        first = next(chunks)
        with pq.ParquetWriter(path, first.schema) as writer:
            writer.write_table(first)
            for chunk in chunks:
                writer.write_table(chunk)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        for index, chunk in enumerate(make_chunks(table)):
            chunk.to_pandas().to_csv(file, index=False, header=index == 0, lineterminator="\n")


def describe(table: Table) -> dict[str, object]:
    """Give what `truth.yaml` says of a table."""

    def plain(name: str, values: Array) -> object:
        groups = {group.name: group for group in CATALOGUE[table.law].groups}
        if not groups[name].per_domain:
            return float(values[0])
        return dict(zip(table.domains, values.tolist(), strict=True))

    return {
        "law": table.law,
        "domains": list(table.domains),
        "rows": table.rows,
        "mixtures": table.mixtures,
        "missing_losses": table.missing,
        "noise": table.noise,
        "seed": table.seed,
        "targets": {
            target: {"params": {name: plain(name, values) for name, values in params.items()}}
            for target, params in true_params(table).items()
        },
    }


def make_samples(folder: Path) -> None:
    """Write the sample tables and their true parameters into a folder."""
    for name, table in SAMPLES.items():
        write(table, folder / name)
    truth = {"tables": {name: describe(table) for name, table in SAMPLES.items()}}
    text = "# What the tables here were made from. Written by make_sample_runs.py.\n"
    text += "# noise: standard deviation of the log of each loss. N in parameters, D in tokens.\n"
    text += yaml.safe_dump(truth, sort_keys=False)
    (folder / "truth.yaml").write_text(text, encoding="utf-8")


def big_table(options: argparse.Namespace) -> Table:
    """Lay out a table of the size that is asked for."""
    model_sizes = (50_000_000, 100_000_000, 200_000_000, 400_000_000, 800_000_000)
    checkpoints = -(-options.rows // (options.mixtures * len(model_sizes)))
    return Table(
        law=options.law,
        domains=tuple(f"d{i + 1:02}" for i in range(options.domains)),
        targets=tuple(f"t{i + 1:03}" for i in range(options.targets)),
        mixtures=options.mixtures,
        model_sizes=model_sizes,
        tokens=tuple(int(x) for x in np.geomspace(1e9, 5e10, checkpoints).round(-3)),
        rows=options.rows,
        seed=options.seed,
        noise=options.noise,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=_count(1), help="make one table of this many rows")
    parser.add_argument("--mixtures", type=_count(1), default=50, help="distinct mixtures [50]")
    parser.add_argument("--domains", type=_count(2), default=5, help="training domains [5]")
    parser.add_argument("--targets", type=_count(1), default=1, help="columns of losses [1]")
    parser.add_argument("--own", action="store_true", help="losses on the domains themselves")
    parser.add_argument("--law", choices=list(CATALOGUE), default="additive", help="[additive]")
    parser.add_argument("--noise", type=float, default=NOISE, help="of log losses [%(default)s]")
    parser.add_argument("--seed", type=_count(0), default=0, help="[0]")
    parser.add_argument("-o", "--out", type=Path, help="a .csv or .parquet file; needs --rows")
    options = parser.parse_args(arguments)
    if options.rows is None and options.out is None:
        make_samples(HERE)
    elif options.rows is None or options.out is None:
        parser.error("--rows and --out go together")
    elif options.out.suffix not in (".csv", ".parquet"):
        parser.error("--out needs a name that ends in .csv or .parquet")
    else:
        table = big_table(options)
        write(replace(table, targets=table.domains) if options.own else table, options.out)


def _count(least: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more")
        return number

    return count


if __name__ == "__main__":
    main()
