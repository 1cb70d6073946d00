"""What text that is seen again and again does to losses: `repetition.csv` in a table.

    python repetition.py

Each run with scarce text is compared, checkpoint by checkpoint, with the run of the same size and
mixture that had all of its text. Both differ by the noise of a run, so that single figures are
rough.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from text import DOMAINS, OUTSIDE

TARGETS = (*DOMAINS, *OUTSIDE)
PASSES = (0, 1, 2, 3, 5, 8, 12, 20, 25, 35, 50)  # ends of what is averaged


def excess(table: pd.DataFrame) -> pd.DataFrame:
    """How far losses are above those of runs with all text, in percent.

    Returns:
        A row for each checkpoint and scarce domain: N, D, the domain, how often its text was
        seen, and the excess on the domain itself and, as a mean, on targets that were not scarce.
    """
    names = table["mixture"].str.extract(r"^(?P<scarce>[a-z+]+)(?P<weight>-\d+)of(?P<part>.+)$")
    table = table.join(names)
    key = ["model_size", "scarce", "weight", "n_tokens"]
    losses = [f"loss_{target}" for target in TARGETS]
    whole = table[table["part"] == "all"].set_index(key)[losses]
    rows = []
    for row in table[table["part"] != "all"].to_dict("records"):
        full = whole.loc[tuple(row[name] for name in key)]
        over = {t: 100 * (row[f"loss_{t}"] / full[f"loss_{t}"] - 1) for t in TARGETS}
        scarce = row["scarce"].split("+")
        others = np.mean([over[target] for target in TARGETS if target not in scarce])
        for domain in scarce:
            rows.append(
                {
                    "model_size": row["model_size"],
                    "n_tokens": row["n_tokens"],
                    "domain": domain,
                    "passes": row[f"weight_{domain}"] * row["n_tokens"] / row[f"unique_{domain}"],
                    "own": over[domain],
                    "others": others,
                }
            )
    return pd.DataFrame(rows)


def by_passes(found: pd.DataFrame) -> pd.DataFrame:
    """Means of the excess by model size and passes, with its scatter and how many there are."""
    bins = pd.cut(found["passes"], PASSES)
    groups = found.groupby(["model_size", bins], observed=True)
    return groups.agg(
        passes=("passes", "mean"),
        own=("own", "mean"),
        own_scatter=("own", "std"),
        others=("others", "mean"),
        checkpoints=("own", "size"),
    )


if __name__ == "__main__":
    path = Path(__file__).with_name("repetition.csv")
    print(by_passes(excess(pd.read_csv(path))).to_string(float_format="%.2f"))
