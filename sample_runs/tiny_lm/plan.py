"""Which models are trained: sizes, mixtures, stages, and the groups that are computed together.

Everything here was fixed before the first run of the tables.
"""

import itertools
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from model import Shape
from text import DOMAINS
from tokenizer import VOCABULARY

#: Sequences in a step of one model.
BATCH = 8
#: No weight of the grid is below this one.
MINIMAL_WEIGHT = 0.05
#: What stands for a full pool where a domain is made scarce, in tokens.
SCARCE_POOL = 2**21
#: Learning rates tried first, by size; extended by a factor of 2 while the best is at an end.
RATES = {
    "49k": (2e-3, 4e-3, 8e-3, 16e-3),
    "111k": (2e-3, 4e-3, 8e-3, 16e-3),
    "197k": (2e-3, 4e-3, 8e-3, 16e-3),
    "788k": (1e-3, 2e-3, 4e-3, 8e-3),
}
RATE_TOKENS = 1_000_000


@dataclass(frozen=True)
class Size:
    """A model size, how long it trains, and how many models of it are computed together.

    On a CPU a group of one is fastest for wide models, whose activations then stay in the cache.
    """

    name: str
    width: int
    tokens: int
    group: int

    @property
    def shape(self) -> Shape:
        """The shape of its models."""
        return Shape(self.width, VOCABULARY)


SIZES = {
    size.name: size
    for size in (
        Size("49k", 32, 1_500_000, 4),
        Size("111k", 48, 2_500_000, 4),
        Size("197k", 64, 4_000_000, 4),
        Size("788k", 128, 4_000_000, 1),
    )
}


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        stage: The stage it belongs to.
        size: Its size.
        mixture: A name for its mixture.
        weights: Weights of the domains, in the order of DOMAINS.
        seed: A label; it stands for different random numbers in every run.
        tokens: D at its end.
        unique: Unique training tokens by domain where they are limited.
        rate: A learning rate, in the search for one; else the one found is taken.
    """

    stage: str
    size: Size
    mixture: str
    weights: tuple[float, ...]
    seed: int
    tokens: int
    unique: dict[str, int] = field(default_factory=dict)
    rate: float | None = None

    @property
    def run_id(self) -> str:
        """The name of the run in its table."""
        rate = "" if self.rate is None else f"-lr{self.rate:g}"
        return f"{self.size.name}-{self.mixture}-s{self.seed}{rate}"

    @property
    def entropy(self) -> int:
        """What seeds its random numbers; runs share none, whatever their seed label."""
        return zlib.crc32(self.run_id.encode())


Weights = dict[str, tuple[float, ...]]


def main_mixtures() -> Weights:
    """24 mixtures: an evenly spaced grid above MINIMAL_WEIGHT, the uniform one, and 3 random ones.

    In an order that mixes the three kinds, so that the first groups to finish cover the simplex.
    """
    k = len(DOMAINS)
    steps = 3
    grid = [c for c in itertools.product(range(steps + 1), repeat=k) if sum(c) == steps]
    spread = (1 - k * MINIMAL_WEIGHT) / steps
    weights = {
        "grid" + "".join(map(str, c)): tuple(MINIMAL_WEIGHT + spread * n for n in c) for c in grid
    }
    weights |= random_mixtures("random", 3, seed=1)
    names = list(weights)
    np.random.default_rng(0).shuffle(names)
    return {"uniform": (1 / k,) * k} | {name: weights[name] for name in names}


def random_mixtures(name: str, count: int, seed: int) -> Weights:
    """`count` mixtures drawn uniformly from the simplex, rounded to four decimals."""
    rng = np.random.default_rng(seed)
    drawn = rng.dirichlet(np.ones(len(DOMAINS)), count).round(4)
    drawn[:, -1] += 1 - drawn.sum(1)
    return {f"{name}{i}": tuple(row.round(4).tolist()) for i, row in enumerate(drawn)}


def held_out_mixtures() -> Weights:
    """Eight random mixtures for the largest size, which no smaller model trains on."""
    return random_mixtures("held", 8, seed=2)


def scarce_runs() -> Iterator[Run]:
    """Runs in which german, english or both have 1/4, 1/16 or 1/64 of a pool, and their references.

    At 49k and 111k parameters, D to 1.5M and 2M tokens: at most 43 passes over the scarce text.
    """
    configurations = [
        (scarce, weight, parts)
        for scarce, weights in (
            (("german",), (0.25, 0.5, 0.7)),
            (("english",), (0.25, 0.5, 0.7)),
            (("german", "english"), (0.25, 0.4)),
        )
        for weight in weights
        for parts in [(n,) * len(scarce) for n in (64, 16, 4)] + [()]
    ]
    configurations += [(("german", "english"), 0.4, parts) for parts in ((4, 64), (64, 4))]
    for name, tokens in (("49k", 1_500_000), ("111k", 2_000_000)):
        for scarce, weight, parts in configurations:
            rest = (1 - weight * len(scarce)) / (len(DOMAINS) - len(scarce))
            weights = tuple(weight if d in scarce else rest for d in DOMAINS)
            unique = {d: SCARCE_POOL // part for d, part in zip(scarce, parts, strict=False)}
            label = "+".join(scarce) + f"{weight:g}".replace("0.", "-") + "of"
            label += "+".join(map(str, parts)) if parts else "all"
            yield Run("repetition", SIZES[name], label, weights, 1, tokens, unique)


def stage_runs(stage: str) -> list[Run]:
    """The runs of a stage, in the order in which they are trained."""

    def runs(size: str, mixtures: Weights, seed: int) -> list[Run]:
        s = SIZES[size]
        return [Run(stage, s, name, h, seed, s.tokens) for name, h in mixtures.items()]

    kind, _, size = stage.partition("-")
    if kind == "main":
        return runs(size, main_mixtures(), 1)
    if kind == "seeds":  # The first group again, with other seeds.
        again = dict(list(main_mixtures().items())[:4])
        return [run for seed in (2, 3) for run in runs(size, again, seed)]
    if kind == "held":
        return runs(size, held_out_mixtures(), 1)
    if kind == "repetition":
        return list(scarce_runs())
    raise ValueError(f"no stage {stage!r}; there are {', '.join(STAGES)}")


#: The stages in the order of their worth.
STAGES = (
    "main-49k",
    "main-111k",
    "seeds-49k",
    "main-197k",
    "held-788k",
    "seeds-111k",
    "repetition",
    "seeds-197k",
)
#: The tables, and the stages that each holds.
TABLES = {
    "runs": tuple(stage for stage in STAGES if stage != "repetition"),
    "repetition": ("repetition",),
    "rates": ("rates",),
    "experiment": ("experiment",),
}


def rate_runs(size: Size, rates: Iterable[float]) -> list[Run]:
    """Short runs on the uniform mixture, one for each learning rate."""
    k = len(DOMAINS)
    return [
        Run("rates", size, "uniform", (1 / k,) * k, 0, RATE_TOKENS, rate=rate) for rate in rates
    ]


def groups(runs: list[Run]) -> list[list[Run]]:
    """Runs cut into groups of one size and length, which are computed together."""
    result: list[list[Run]] = []
    for run in runs:
        last = result[-1] if result else None
        if (
            last
            and len(last) < run.size.group
            and (last[0].size, last[0].tokens)
            == (
                run.size,
                run.tokens,
            )
        ):
            last.append(run)
        else:
            result.append([run])
    return result
