"""Tables of runs made by known laws, and faults planted in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

SIZES = (5e7, 1e8, 2e8, 4e8)
LENGTHS = (1e9, 2e9, 4e9, 8e9, 12e9, 16e9)


def clean(  # one run after the other, as loggers write them
    seed=0, domains=3, mixtures=14, sizes=SIZES, lengths=LENGTHS, noise=0.002, law="additive"
):
    """A table of runs of every mixture at every size, logged at every length, with two targets."""
    rng = np.random.default_rng(seed)
    h = np.round(rng.dirichlet(np.full(domains, 1.2), mixtures), 4)
    h[:, -1] = np.round(1 - h[:, :-1].sum(axis=1), 4)
    mixture, N, D = (x.ravel() for x in np.meshgrid(range(mixtures), sizes, lengths, indexing="ij"))
    mixture = mixture.astype(int)
    names = [f"weight_{'abcdefghijkl'[i]}" for i in range(domains)]
    table = pd.DataFrame(h[mixture], columns=names)
    table["model_size"], table["n_tokens"] = N, D
    for target in ("x", "y"):
        table[f"loss_{target}"] = losses(rng, law, N, D, h, noise)[mixture, range(len(N))]
    return table.round(6)


def losses(rng, law, N, D, h, noise):
    """Losses (m, rows) by the law named, with parameters drawn, times log-normal noise."""
    k = h.shape[1]
    C, gamma = np.exp(rng.normal(0.0, 0.6, k)), rng.uniform(0.4, 0.9, k)
    alpha, beta = rng.uniform(0.3, 0.4, 2)
    mixed = 1 / (np.power(h, gamma) @ C)
    A, B = np.full(len(h), 60.0), np.full(len(h), 250.0)
    if law == "joint":
        A, B = (scale * (h @ rng.uniform(0.5, 1.5, k)) for scale in (60.0, 250.0))
    delta, eta = (0.04, 0.03) if law == "coupled" else (0.0, 0.0)
    loss = 1.0 + mixed[:, None] * (D / 4e9) ** -delta
    loss = loss + A[:, None] / N**alpha + B[:, None] * (N / 1e8) ** eta / D**beta
    return loss * np.exp(rng.normal(0, noise, loss.shape))


def run_of(table, mixture, size):
    """The rows of the run of a mixture, by number, at a size."""
    weights = table.filter(like="weight_")
    wanted = weights.drop_duplicates().iloc[mixture]
    return table.index[(weights == wanted).all(axis=1) & (table.model_size == size)]


def text(column, row, word):
    def plant(table):
        table[column] = table[column].astype(object)
        table.loc[row, column] = word
        return table

    return plant


def cell(column, row, value):
    def plant(table):
        table.loc[row, column] = value
        return table

    return plant


def column(name, change):
    def plant(table):
        table[name] = change(table[name])
        return table

    return plant


def scaled(columns, mixture, size, factor, part=slice(None)):
    """Losses of a run, or of some of its checkpoints, that are off by a factor."""

    def plant(table):
        rows = run_of(table, mixture, size)[part]
        table.loc[rows, columns] *= factor
        return table

    return plant


def rounded(decimals, size):
    """Weights that were logged with fewer decimals for one model size."""

    def plant(table):
        weights = [name for name in table if name.startswith("weight_")]
        rows = table.model_size == size
        table.loc[rows, weights] = table.loc[rows, weights].round(decimals)
        return table

    return plant


def again(row, longer=1.0):
    def plant(table):
        more = table.iloc[[row]].assign(n_tokens=lambda one: one.n_tokens * longer)
        return pd.concat([table, more], ignore_index=True)

    return plant


def cut(*runs):
    """Runs whose last checkpoints are missing."""

    def plant(table):
        gone = [row for mixture, size in runs for row in run_of(table, mixture, size)[3:]]
        return table.drop(index=gone).reset_index(drop=True)

    return plant


def copied(source, goal, part=slice(None)):
    """The losses of one run in the rows of another."""

    def plant(table):
        there, here = (run_of(table, *run)[part] for run in (source, goal))
        names = ["loss_x", "loss_y"]
        table.loc[here, names] = table.loc[there, names].to_numpy()
        return table

    return plant


def stale(table):
    """A logger that wrote one evaluation again at the next checkpoint."""
    table.loc[9, ["loss_x", "loss_y"]] = table.loc[8, ["loss_x", "loss_y"]].to_numpy()
    return table


def exchanged(one, other, mixture, size=None):
    """Columns that are exchanged in a mixture, or in one run of it."""

    def plant(table):
        rows = [row for own in ([size] if size else SIZES) for row in run_of(table, mixture, own)]
        table.loc[rows, [one, other]] = table.loc[rows, [other, one]].to_numpy()
        return table

    return plant


def replicated(factor, column):
    """Three seeds of every run at one length, of which one is off."""

    def plant(table):
        rng = np.random.default_rng(5)
        once = table[table.n_tokens == LENGTHS[-1]]
        seeds = pd.concat([once] * 3, ignore_index=True)
        noise = np.exp(rng.normal(0, 0.002, (len(seeds), 2)))
        seeds[["loss_x", "loss_y"]] *= noise
        seeds.loc[70, column] *= factor
        return seeds

    return plant


def weights(change):
    """Other weights of the same mixtures, normalised."""

    def plant(table):
        names = [name for name in table if name.startswith("weight_")]
        h = change(table[names].to_numpy().copy())
        table[names] = np.round(h / h.sum(axis=1, keepdims=True), 9)
        return table

    return plant


def _in_proportion(h):
    h[:, 1] = 2 * h[:, 0]
    return h


def _constant(h):
    h = h / h[:, 1:].sum(axis=1, keepdims=True) * 0.9
    h[:, 0] = 0.1
    return h


def _hardly_varied(h):
    h = h / h[:, 1:].sum(axis=1, keepdims=True)
    h[:, 1:] *= (1 - 0.05 - 0.002 * np.sin(np.arange(len(h)) // 24))[:, None]
    h[:, 0] = 1 - h[:, 1:].sum(axis=1)
    return h


def _halves(h):
    """The first two domains have a half together, the others the rest."""
    h[:, :2] /= 2 * h[:, :2].sum(axis=1, keepdims=True)
    h[:, 2:] /= 2 * h[:, 2:].sum(axis=1, keepdims=True)
    return h


def without(name):
    return lambda table: table.drop(columns=name)


def twice_in_header(table):
    return table.rename(columns={"loss_y": "loss_x"})


def rows_where(condition):
    return lambda table: table.query(condition).reset_index(drop=True)


def both(*plants):
    def plant(table):
        for one in plants:
            table = one(table)
        return table

    return plant


_ALL = ["loss_x", "loss_y"]
FOUR = {"domains": 4, "mixtures": 24}
# What is planted, the options of the table, the fault, its code, and its row counted from 1.
FAULTS = [
    ("text for a weight", {}, text("weight_a", 4, "half"), "not-a-number", 5),
    ("text for a loss", {}, text("loss_x", 4, "diverged"), "not-a-number", 5),
    ("text for N", {}, text("model_size", 4, "small"), "not-a-number", 5),
    ("no N", {}, cell("model_size", 7, np.nan), "size", 8),
    ("negative D", {}, cell("n_tokens", 7, -1e9), "size", 8),
    ("infinite loss", {}, cell("loss_y", 7, np.inf), "loss", 8),
    ("loss of 0", {}, cell("loss_y", 7, 0.0), "loss", 8),
    ("sum of weights", {}, cell("weight_a", 11, 1.4), "weight-sum", 12),
    ("negative weight", {}, cell("weight_a", 11, -0.2), "weight", 12),
    ("no weight", {}, cell("weight_b", 11, np.nan), "weight", 12),
    ("N in millions", {}, column("model_size", lambda N: N / 1e6), "unit", None),
    ("D in billions", {}, column("n_tokens", lambda D: D / 1e9), "unit", None),
    ("some D in billions", {}, cell("n_tokens", 3, 8.0), "unit", 4),
    ("hundreds of tokens", {}, column("n_tokens", lambda D: D / 1e2), "unit", 13),
    ("no losses", {}, column("loss_x", lambda loss: loss * np.nan), "empty-target", None),
    ("no column of D", {}, without("n_tokens"), "unreadable", None),
    ("a column twice", {}, twice_in_header, "unreadable", None),
    (
        "one row of fractions",
        {},
        both(
            *(column(f"weight_{d}", lambda h: 100 * h) for d in "abc"),
            *(cell(f"weight_{d}", 2, w) for d, w in zip("abc", (0.2, 0.3, 0.5), strict=True)),
        ),
        "weight-sum",
        1,
    ),
    ("weights of two decimals", {}, rounded(2, 2e8), "rounded-mixtures", 13),
    ("weights of three decimals", {}, rounded(3, 2e8), "rounded-mixtures", 13),
    ("a row twice", {}, again(40), "logged-twice", 337),
    ("a row twice, at the length asked for", {}, again(40, 1.001), "logged-twice", 337),
    ("a spike in one loss", {}, scaled("loss_x", 3, 1e8, 1.04, slice(2, 3)), "jump", 81),
    ("a spike in all losses", {}, scaled(_ALL, 3, 1e8, 1.04, slice(3, 4)), "jump", 82),
    ("a decimal slip", {}, scaled("loss_y", 5, 2e8, 10.0, slice(2, 3)), "jump", 135),
    ("a run resumed wrongly", {}, scaled(_ALL, 6, 4e8, 1.05, slice(3, None)), "jump", 166),
    ("a last checkpoint off", {}, scaled(_ALL, 2, 5e7, 1.06, slice(5, 6)), "jump", 54),
    ("a first checkpoint off", {}, scaled(_ALL, 2, 5e7, 1.06, slice(0, 1)), "jump", 50),
    ("a run that crashed", {}, cut((4, 2e8)), "ends-early", 111),
    ("two runs that crashed", {}, cut((4, 2e8), (9, 4e8)), "ends-early", 111),
    ("losses of another run", {}, copied((2, 1e8), (7, 1e8)), "same-losses", 175),
    ("losses of another row", {}, copied((2, 1e8), (7, 1e8), slice(5, 6)), "same-losses", 180),
    ("losses of the checkpoint before", {}, stale, "same-losses", 10),
    ("a run off", {}, scaled(_ALL, 8, 2e8, 1.04), "outlier", 205),
    ("a run off in one loss", {}, scaled("loss_x", 8, 2e8, 0.96), "outlier", 205),
    ("losses exchanged in a run", {}, exchanged("loss_x", "loss_y", 4, 1e8), "outlier", 103),
    ("a replicate off", {}, replicated(1.05, "loss_y"), "outlier", 71),
    ("weights exchanged", {"mixtures": 40}, exchanged("weight_a", "weight_c", 2), "outlier", 49),
    ("one loss in every row", {}, column("loss_x", lambda loss: 2.5), "constant-target", None),
    ("domains in proportion", FOUR, weights(_in_proportion), "collinear", None),
    ("two halves", FOUR, weights(_halves), "collinear", None),
    ("a domain of one weight", FOUR, weights(_constant), "hardly-varied", None),
    ("a domain hardly varied", FOUR, weights(_hardly_varied), "hardly-varied", None),
    ("one mixture", {"mixtures": 1}, lambda table: table, "one-mixture", None),
    ("few mixtures", {"mixtures": 5}, lambda table: table, "few-mixtures", None),
    ("two sizes", {}, rows_where("model_size>1.5e8"), "two-model-sizes", None),
    ("one size", {}, rows_where("model_size==1e8"), "one-model-size", None),
    ("one length", {}, rows_where("n_tokens==4e9"), "one-token-count", None),
    (
        "N written differently",
        {},
        both(*(cell("model_size", row, 1.001e8) for row in (6, 7, 30, 31))),
        "rounded-sizes",
        7,
    ),
    ("an accuracy", {}, column("loss_y", lambda loss: (4 - loss) / 4), "rising", None),
    ("weights that sum to 0.995", {}, column("weight_a", lambda h: h - 0.005), "normalised", None),
]
# What faults make of a table besides: a fault in one place may be seen in another.
ALSO = {
    "weights of two decimals": {"normalised"},
    "weights of three decimals": {"normalised"},
    "a run resumed wrongly": {"outlier"},
    "losses of another run": {"outlier"},
    "losses of another row": {"jump"},
    "a replicate off": {"one-token-count"},
}
CLEAN = [
    {"seed": 11},
    {"seed": 12, "domains": 5, "mixtures": 30, "law": "joint"},
    {"seed": 13, "law": "coupled", "noise": 0.01},
    {"seed": 14, "domains": 7, "mixtures": 60, "sizes": (1e8, 3e8, 1e9), "law": "coupled"},
    {"seed": 15, "noise": 0.0, "law": "joint"},
    {"seed": 16, "domains": 2, "mixtures": 6},
    {"seed": 17, "domains": 4, "mixtures": 40, "lengths": (2e9, 8e9, 16e9), "law": "joint"},
]
