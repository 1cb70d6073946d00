"""Pictures of targets and domains: the best mixture for each target, and which domain helps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import Normalize, TwoSlopeNorm

from mixfit.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from mixfit.base.arrays import Array
    from mixfit.mixture.over_simplex import Influence
    from mixfit.mixture.result import PureTarget


@style.styled
def each_target(pure: Sequence[PureTarget], ax: Axes | None = None) -> Figure:
    """Draw h* of every single target as a heat map, in percent (the paper's Fig. 7).

    Args:
        pure: the best mixture for each target.
        ax: axes to draw in.
    """
    h = np.array([entry.mixture.weights for entry in pure])
    domains = pure[0].mixture.domains
    figure, ax = _heat_map(
        ax,
        h,
        [entry.target for entry in pure],
        domains,
        style.SHARES,
        Normalize(0.0, 1.0),
        [[f"{100 * x:.0f}" if x >= 0.005 else "" for x in row] for row in h],
        "weight in h*",
    )
    style.percent_axis(figure.axes[-1].yaxis)
    budget = pure[0].mixture.budget
    ax.set_ylabel("target")
    ax.set_title("h* in %" + (f" at {budget}" if budget else ""), loc="left", pad=4)
    return figure


@style.styled
def influence(result: Influence, ax: Axes | None = None) -> Figure:
    """Draw by how much a point more of each domain changes each target's loss.

    Args:
        result: the changes.
        ax: axes to draw in.
    """
    changes = result.changes
    known = np.abs(changes[np.isfinite(changes)])
    # A few steep slopes at weights near 0 would leave all others without a colour.
    most = float(np.quantile(known, 0.98)) if len(known) and known.max() > 0 else 1.0
    figure, ax = _heat_map(
        ax,
        changes,
        result.targets,
        result.domains,
        style.CHANGES,
        TwoSlopeNorm(0.0, -most, most),
        [[_change(x) for x in row] for row in changes],
        "change, %",
    )
    ax.set_ylabel("target")
    text = f"change of the loss, %, for a point of weight\nat {result.about}"
    ax.set_title(text, loc="left", pad=4)
    return figure


def _change(x: float) -> str:
    if np.isnan(x):
        return ""
    if abs(x) < 0.005:
        return "0"
    text = f"{x:+.1f}" if abs(x) >= 1 else f"{x:+.2f}".replace("0.", ".")
    return text.replace("-", "−")


def _heat_map(
    ax: Axes | None,
    values: Array,
    rows: Sequence[str],
    columns: Sequence[str],
    colours: Colormap,
    scale: Any,
    texts: list[list[str]],
    label: str,
) -> tuple[Figure, Axes]:
    """Draw a table of numbers as colours, with the numbers where they have room."""
    margin = 1.1 + 0.065 * max(len(style.shortened(row, 22)) for row in rows)
    room = (style.WIDTH - margin - 0.5) / len(columns)
    cell = float(np.clip(room, 0.2, 0.62))
    width = max(cell * len(columns) + margin, 3.2)
    height = 0.2 * len(rows) + 0.55 + 0.05 * max(len(style.shortened(c, 18)) for c in columns)
    figure, ax = style.single(ax, width, max(height, 1.8))
    picture = ax.imshow(values, cmap=colours, norm=scale, aspect="auto", interpolation="nearest")
    ax.set_xticks(
        range(len(columns)),
        [style.shortened(name, 18) for name in columns],
        rotation=45 if len(columns) > 4 else 0,
        ha="right" if len(columns) > 4 else "center",
        rotation_mode="anchor" if len(columns) > 4 else "default",
    )
    ax.set_yticks(range(len(rows)), [style.shortened(name, 22) for name in rows])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xticks(np.arange(-0.5, len(columns)), minor=True)
    ax.set_yticks(np.arange(-0.5, len(rows)), minor=True)
    ax.tick_params(which="minor", length=0)
    ax.grid(which="minor", color="white", linewidth=0.8)
    longest = max(len(text) for row in texts for text in row)
    if cell >= 0.065 * longest + 0.04:
        for row, line in enumerate(texts):
            for column, text in enumerate(line):
                shade = colours(scale(values[row, column]))[:3]
                light = float(np.dot(shade, (0.299, 0.587, 0.114))) > 0.55
                ax.text(
                    column,
                    row,
                    text,
                    ha="center",
                    va="center",
                    fontsize=5.5 if cell < 0.32 else 6.5,
                    color="black" if light else "white",
                )
    bar = figure.colorbar(
        picture,
        ax=ax,
        shrink=0.8,
        aspect=25,
        label=label,
        extend="both" if scale.vmin < 0 else "neither",
    )
    bar.outline.set_visible(False)
    return figure, ax
