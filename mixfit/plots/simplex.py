"""Pictures over all mixtures of three domains, a triangle, or of four, a tetrahedron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mixfit.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mixfit.base.arrays import Array
    from mixfit.mixture.over_simplex import Surface, TargetMap

_TRIANGLE = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])
_TETRAHEDRON = np.array(
    [
        [0.0, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        [0.5, 0.75**0.5, 0.0],
        [0.5, 0.75**0.5 / 3, (2 / 3) ** 0.5],
    ]
)
_STAR = {"marker": "*", "color": "#D55E00", "markeredgecolor": "white", "markeredgewidth": 0.6}


@style.styled
def surface(result: Surface, ax: Axes | None = None) -> Figure:
    """Draw the loss over all mixtures of three domains, with h* and what is as good within 0.1%.

    Args:
        result: the losses.
        ax: axes to draw in.
    """
    figure, ax = style.single(ax, 4.6, 3.7)
    x, y = (result.h @ _TRIANGLE).T
    # The corners may be far above the rest, which would leave all else in one colour.
    high = float(np.quantile(result.loss, 0.97))
    low = float(min(result.loss.min(), result.best.loss))
    levels = MaxNLocator(12).tick_values(low, high)
    filled = ax.tricontourf(
        x, y, result.loss, levels=levels, cmap=style.SHARES, extend="max", zorder=1
    )
    ax.tricontour(x, y, result.loss, levels=levels, colors="white", linewidths=0.3, zorder=2)
    ax.tricontour(
        x, y, result.loss, levels=[result.as_good], colors="#D55E00", linewidths=1.2, zorder=3
    )
    marks = [
        Line2D([], [], linestyle="", markersize=9, label="h*", **_STAR),
        Line2D([], [], color="#D55E00", linewidth=1.2, label="as good within 0.1%"),
    ]
    if len(result.observed):
        seen = {"color": style.DARK, "marker": "o", "linestyle": "", "markeredgecolor": "white"}
        points = result.observed @ _TRIANGLE
        ax.plot(*points.T, markersize=3.5, markeredgewidth=0.4, zorder=4, **seen)
        marks.append(Line2D([], [], markersize=3.5, label="runs", **seen))
    best = result.best.weights @ _TRIANGLE
    ax.plot(*best, markersize=11, zorder=5, **_STAR)
    _frame(ax, result.best.domains)
    bar = figure.colorbar(filled, ax=ax, shrink=0.75, aspect=25, label="weighted loss")
    bar.outline.set_visible(False)
    style.legend(figure, ax, marks)
    if result.best.budget:
        ax.set_title(result.best.budget, loc="left", pad=4)
    return figure


@style.styled
def target_map(result: TargetMap, ax: Axes | None = None) -> Figure:
    """Draw h*(w) against w, the weights of the domains as targets (the paper's Figs. 8 and 9).

    For three domains arrows lead from w to h*(w); for four, w lies in a tetrahedron. The colour is
    the Jensen-Shannon distance between the two: where it is 0, training on what is wanted is best.

    Args:
        result: the best mixtures.
        ax: axes to draw in; three-dimensional ones for four domains.
    """
    scale = Normalize(0.0, max(float(result.distance.max()), 0.05))
    if len(result.domains) == 4:
        return _tetrahedron(result, ax, scale)
    figure, ax = style.single(ax, 4.6, 3.7)
    start, end = result.w @ _TRIANGLE, result.h @ _TRIANGLE
    ax.quiver(
        *start.T,
        *(end - start).T,
        angles="xy",
        scale_units="xy",
        scale=1.0,
        width=0.0025,
        headwidth=4,
        headlength=5,
        color=style.GREY,
        zorder=2,
    )
    _dots(ax, start.T, result, scale, 16)
    _frame(ax, result.domains)
    _distance_bar(figure, ax, scale)
    marks = [
        Line2D([], [], color=style.WEIGHTS(0.5), marker="o", linestyle="", label="w, wanted"),
        Line2D([], [], color=style.GREY, marker=">", markersize=4, label="leads to h*(w)"),
    ]
    style.legend(figure, ax, marks)
    if result.budget:
        ax.set_title(result.budget, loc="left", pad=4)
    return figure


def _dots(ax: Any, places: Array, result: TargetMap, scale: Normalize, size: float) -> None:
    ax.scatter(
        *places,
        s=size,
        c=result.distance,
        cmap=style.WEIGHTS,
        norm=scale,
        edgecolors="white",
        linewidths=0.3,
        zorder=3,
    )


def _tetrahedron(result: TargetMap, ax: Any, scale: Normalize) -> Figure:
    if ax is None:
        figure: Figure = style.new(4.8, 3.9)
        ax = figure.add_subplot(projection="3d")
    else:
        figure = style.figure_of(ax)
    order = np.argsort(-result.distance, kind="stable")  # near ones on top of far ones
    places = (result.w[order] @ _TETRAHEDRON).T
    ax.computed_zorder = False
    ax.scatter(
        *places,
        s=14,
        c=result.distance[order],
        cmap=style.WEIGHTS,
        norm=scale,
        depthshade=False,
        edgecolors="white",
        linewidths=0.3,
        zorder=3,
    )
    for first in range(4):
        for second in range(first):
            edge = _TETRAHEDRON[[first, second]].T
            ax.plot(*edge, color=style.GREY, linewidth=0.8, zorder=1)
    centre = _TETRAHEDRON.mean(axis=0)
    for corner, domain in zip(_TETRAHEDRON, result.domains, strict=True):
        where = centre + 1.16 * (corner - centre)
        ax.text(*where, style.shortened(domain, 18), ha="center", va="center", fontsize=8)
    ax.set_axis_off()
    ax.set_box_aspect((1.0, 0.87, 0.82), zoom=1.25)
    ax.view_init(elev=18, azim=-40)  # no corner stands before the others
    _distance_bar(figure, ax, scale)
    if result.budget:
        ax.set_title(f"each dot a weighting w of the targets, {result.budget}", pad=2)
    return figure


def _distance_bar(figure: Figure, ax: Axes, scale: Normalize) -> None:
    label = "Jensen-Shannon distance of w, h*(w)"
    bar = figure.colorbar(
        ScalarMappable(scale, style.WEIGHTS), ax=ax, shrink=0.75, aspect=25, label=label
    )
    bar.outline.set_visible(False)


def _frame(ax: Axes, domains: Sequence[str]) -> None:
    """Draw the triangle, its corners' names and ticks of tenths along its edges."""
    ax.fill(*_TRIANGLE.T, facecolor="none", edgecolor=style.DARK, linewidth=0.8, zorder=6)
    places = ((-0.02, -0.045, "left"), (1.02, -0.045, "right"), (0.5, 0.75**0.5 + 0.02, "center"))
    for domain, (x, y, side) in zip(domains, places, strict=True):
        ax.text(
            x,
            y,
            f"all {style.shortened(domain, 18)}",
            ha=side,
            va="bottom" if side == "center" else "top",
        )
    for share in (0.25, 0.5, 0.75):
        for first, second in ((0, 1), (1, 2), (2, 0)):
            at = _TRIANGLE[second] * share + _TRIANGLE[first] * (1 - share)
            along = _TRIANGLE[second] - _TRIANGLE[first]
            inward = 0.018 * np.array([-along[1], along[0]])
            ax.plot(*np.array([at, at + inward]).T, color=style.DARK, linewidth=0.6, zorder=6)
    ax.set(xlim=(-0.06, 1.06), ylim=(-0.12, 0.97))
    ax.set_aspect("equal")
    ax.set_axis_off()
