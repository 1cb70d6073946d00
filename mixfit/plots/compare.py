"""Pictures of comparisons: errors by law and target, and by the number of mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mixfit.evaluation.comparison import AVERAGE
from mixfit.evaluation.learning_curve import learning_curves
from mixfit.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mixfit.evaluation.comparison import Comparison

_FAR = 1000.0  # percent, beyond which an error is not drawn to scale


@style.styled
def errors(comparison: Comparison, ax: Axes | None = None, *, column: str | None = None) -> Figure:
    """Draw held-out errors by law and target, a panel for each part held out.

    Bars are standard errors over the mixtures held out. An error beyond 1,000% is drawn there.

    Args:
        comparison: the comparison.
        ax: axes to draw one part in.
        column: the part; the first by default.
    """
    rows = [AVERAGE, *comparison.targets] if len(comparison.targets) > 1 else [AVERAGE]
    if ax is not None:
        _errors_panel(ax, comparison, column or comparison.columns[0], rows)
        return style.figure_of(ax)
    columns = list(comparison.columns)
    wide = max(0.065 * max(len(style.shortened(row, 22)) for row in rows), 0.5)
    laws = len(comparison.laws)
    height = max(0.24, 0.075 * laws) * len(rows) + 1.0
    per_row = min(len(columns), 3)
    lines = -(-len(columns) // per_row)
    width = style.WIDTH if per_row > 1 else 4.2 + wide
    picture = style.new(width, lines * height + 0.3)
    grid = picture.subplots(lines, per_row, squeeze=False, sharey=True)
    axes = list(grid.ravel())
    for place, panel in enumerate(axes):
        if place >= len(columns):
            panel.remove()
            continue
        _errors_panel(panel, comparison, columns[place], rows)
    looks = style.in_order(comparison.laws)
    marks = [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle="", markersize=4, label=law)
        for law, look in looks.items()
    ]
    picture.legend(
        handles=marks,
        loc="outside lower center",
        ncols=min(len(marks), 4),
        handletextpad=0.2,
        columnspacing=1.2,
    )
    return picture


def _errors_panel(ax: Axes, comparison: Comparison, column: str, rows: list[str]) -> None:
    places = np.arange(len(rows))[::-1].astype(float)
    looks = style.in_order(comparison.laws)
    step = 0.76 / len(looks)
    seen = []
    for number, (law, look) in enumerate(looks.items()):
        at = places + 0.38 - step * (number + 0.5)
        found = [comparison.summaries.get((law, row, column)) for row in rows]
        tests = np.array([np.nan if s is None else s.test for s in found])
        spread = np.array([np.nan if s is None else s.error for s in found])
        shown = np.where(np.isnan(tests), np.nan, np.minimum(tests, _FAR))
        seen += shown[np.isfinite(shown)].tolist()
        known = np.isfinite(spread) & (tests < _FAR)
        ax.errorbar(
            shown[known],
            at[known],
            xerr=np.minimum(spread[known], 0.999 * shown[known]),
            fmt="none",
            ecolor=look.colour,
            elinewidth=0.8,
            alpha=0.8,
        )
        ax.plot(
            shown,
            at,
            linestyle="",
            color=look.colour,
            marker=look.marker,
            markersize=3.5,
            label=law,
        )
    ax.set_yticks(places, [style.shortened(row, 22) for row in rows])
    ax.tick_params(axis="y", length=0)
    for place in places[:-1]:
        ax.axhline(place - 0.5, color="#ededed", linewidth=0.6, zorder=0)
    ax.axhspan(places[0] - 0.5, places[0] + 0.5, color="#f2f2f2", zorder=0)
    ax.set_ylim(-0.5, len(rows) - 0.5)
    _percent_scale(ax, "x", seen)
    ax.set_xlabel("held-out MRE, %")
    style.title(ax, column)


def _percent_scale(ax: Axes, which: str, values: list[float]) -> None:
    """Set a scale of errors: from 0, or of logarithms where they differ by much."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = min(values, default=0.1), max(values, default=1.0)
    if low > 0 and high / low > 8:
        (ax.set_xscale if which == "x" else ax.set_yscale)("log")
        close = high / low < 100
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if close else (1.0,)))
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    else:
        limits = (0.0, high * 1.1)
        if which == "x":
            ax.set_xlim(limits)
        else:
            ax.set_ylim(limits)
        axis.set_major_locator(MaxNLocator(5))
    ax.grid(axis="x" if which == "x" else "y")


@style.styled
def learning_curve(
    comparison: Comparison, ax: Axes | None = None, *, target: str = AVERAGE
) -> Figure:
    """Draw held-out errors against the number of mixtures fitted (the paper's Fig. 5).

    Lines are medians over the random draws, bands their quartiles.

    Args:
        comparison: on splits by `mixfit.split_learning_curve`.
        ax: axes to draw one panel in.
        target: to draw there; the mean over targets by default.

    Raises:
        UsageError: the comparison is on other splits.
    """
    if ax is not None:
        _learning_panel(ax, comparison, target)
        ax.set(xlabel="mixtures fitted", ylabel="held-out MRE, %")
        ax.legend()
        return style.figure_of(ax)
    rows = [AVERAGE, *comparison.targets] if len(comparison.targets) > 1 else [AVERAGE]
    picture, axes = style.panels(len(rows), most=4 if len(rows) > 9 else 3, height=1.7)
    for panel, row in zip(axes, rows, strict=True):
        _learning_panel(panel, comparison, row)
    picture.supxlabel("mixtures fitted")
    picture.supylabel("held-out MRE, %")
    handles, labels = axes[0].get_legend_handles_labels()
    picture.legend(
        handles, labels, loc="outside upper center", ncols=min(len(labels), 4), columnspacing=1.2
    )
    return picture


def _learning_panel(ax: Axes, comparison: Comparison, target: str) -> None:
    looks = style.in_order(comparison.laws)
    values: list[float] = []
    numbers: set[float] = set()
    for law, curve in learning_curves(comparison, target).items():
        look = looks[law]
        shown = np.minimum(np.stack([curve.low, curve.median, curve.high]), _FAR)
        ax.fill_between(
            curve.mixtures, shown[0], shown[2], color=look.colour, alpha=0.18, linewidth=0
        )
        ax.plot(
            curve.mixtures,
            shown[1],
            color=look.colour,
            linestyle=look.dash,
            marker=look.marker,
            markersize=3,
            label=law,
        )
        values += shown.ravel().tolist()
        numbers |= set(curve.mixtures.tolist())
    _percent_scale(ax, "y", values)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    style.title(ax, "mean over targets" if target == AVERAGE else target)
