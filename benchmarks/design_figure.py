"""Draw errors and regrets against the number of mixtures, of what benchmarks/design.py wrote.

python benchmarks/design_figure.py 'SlimPajama=slim.csv' 'made up, k = 5=five.csv' -o design.png
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd

COLOURS = {"random": "0.45", "i-optimal": "C0", "spread": "C1"}


def draw(tables, out):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        2, len(tables), figsize=(2.3 * len(tables), 4.4), layout="constrained", squeeze=False
    )
    for column, (name, table) in enumerate(tables.items()):
        for row, measure in enumerate(("error", "regret")):
            axis = axes[row, column]
            wide = table.pivot(index=["mixtures", "draw"], columns="arm", values=measure)
            for arm, colour in COLOURS.items():
                mean = wide[arm].groupby("mixtures").mean()
                # The error of the difference from random ones, on the same draws.
                apart = (wide[arm] - wide["random"]).groupby("mixtures")
                error = apart.std() / np.sqrt(apart.count())
                axis.errorbar(mean.index, mean, error, color=colour, label=arm, marker="o", ms=3)
            axis.set_ylim(bottom=0)
            axis.set_xticks(mean.index)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0, column].set_title(name, fontsize="medium")
        axes[1, column].set_xlabel("mixtures")
    axes[0, 0].set_ylabel("error on new mixtures, %")
    axes[1, 0].set_ylabel("regret, %")
    axes[0, 0].legend(frameon=False)
    figure.savefig(out, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", metavar="NAME=FILE")
    parser.add_argument("-o", "--out", required=True)
    options = parser.parse_args()
    pairs = (text.rpartition("=") for text in options.tables)
    draw({name: pd.read_csv(file) for name, _, file in pairs}, options.out)


if __name__ == "__main__":
    sys.exit(main())
