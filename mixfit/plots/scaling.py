"""Pictures of best mixtures that move with the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from mixfit.base.numbers import short
from mixfit.plots import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mixfit.base.arrays import Array
    from mixfit.mixture.growth import Growth
    from mixfit.mixture.result import Mixture

_MOST = 3  # panels in a row
_NAMES = {"N": "N, parameters", "D": "D, tokens"}


@style.styled
def budgets(mixtures: Sequence[Mixture], ax: Axes | None = None) -> Figure:
    """Draw the weights of h* against N, and against D (the paper's Fig. 6).

    Args:
        mixtures: the best ones for a grid of budgets.
        ax: axes to draw the first panel in.
    """
    table = {(m.model_size, m.tokens): m for m in mixtures}
    sizes = list(dict.fromkeys(m.model_size for m in mixtures))
    lengths = list(dict.fromkeys(m.tokens for m in mixtures))
    shown: list[tuple[str, str, list[Mixture]]] = []
    if len(sizes) > 1:
        for D in _few(lengths):
            own = sorted((table[N, D] for N in sizes), key=lambda m: m.model_size or 0.0)
            shown.append(("N", "" if D is None else f"D = {short(D)}", own))
    if len(lengths) > 1:
        for N in _few(sizes):
            own = sorted((table[N, D] for D in lengths), key=lambda m: m.tokens or 0.0)
            shown.append(("D", "" if N is None else f"N = {short(N)}", own))
    if ax is not None:
        _panel(ax, *shown[0], inches=2.2)
        return style.figure_of(ax)
    if len({along for along, _, _ in shown}) > 1 and len(shown) > 2:
        return _two_rows(shown)
    picture, axes = style.panels(len(shown), most=_MOST, height=2.4, extra=0.2)
    for panel, one in zip(axes, shown, strict=True):
        _panel(panel, *one, inches=1.8, named=panel in _right(axes))
    _share_heights(axes)
    return picture


def _few(values: list[float | None]) -> list[float | None]:
    known = sorted(values, key=lambda x: x or 0.0)
    if len(known) <= _MOST:
        return known
    return [known[0], known[len(known) // 2], known[-1]]


def _two_rows(shown: list[tuple[str, str, list[Mixture]]]) -> Figure:
    """Draw panels against N above, and those against D below."""
    rows = [[one for one in shown if one[0] == along] for along in ("N", "D")]
    columns = max(len(row) for row in rows)
    picture = style.new(style.WIDTH, 4.6)
    grid = picture.subplots(2, columns, squeeze=False)
    axes = []
    for row, places in zip(rows, grid, strict=True):
        for place, one in enumerate(row):
            _panel(places[place], *one, inches=1.7, named=place == len(row) - 1)
            axes.append(places[place])
        for empty in places[len(row) :]:
            empty.remove()
    _share_heights(axes)
    return picture


def _right(axes: Sequence[Axes]) -> list[Axes]:
    """Give the last panel of each row."""
    last: dict[int, Axes] = {}
    for ax in axes:
        spec = ax.get_subplotspec()
        assert spec is not None
        last[spec.rowspan.start] = ax
    return list(last.values())


def _panel(
    ax: Axes,
    along: str,
    heading: str,
    mixtures: list[Mixture],
    *,
    inches: float,
    named: bool = True,
) -> None:
    x = np.array([(m.model_size if along == "N" else m.tokens) or 0.0 for m in mixtures])
    _lines(ax, x, mixtures, inches=inches, named=named)
    style.count_axis(ax.xaxis, x)
    ax.set_xlabel(_NAMES[along])
    if heading:
        style.title(ax, heading)


def _lines(ax: Axes, x: Array, mixtures: Sequence[Mixture], *, inches: float, named: bool) -> None:
    domains = mixtures[0].domains
    known = style.looks(domains)
    h = np.array([m.weights for m in mixtures])
    for domain, weight in zip(domains, h.T, strict=True):
        look = known[domain]
        ax.plot(
            x,
            weight,
            color=look.colour,
            linestyle=look.dash,
            marker=look.marker if len(x) <= 8 else "",
            markersize=2.5,
            label=domain,
        )
    ax.set_ylim(-0.01, float(h.max()) * 1.05 + 0.01)
    style.percent_axis(ax.yaxis)
    if named:
        ends = dict(zip(domains, h[-1].tolist(), strict=True))
        style.name_lines(ax, ends, known, inches)


def _share_heights(axes: Sequence[Axes]) -> None:
    """Let all panels have the highest limit; only those at the left have numbers."""
    top = max(ax.get_ylim()[1] for ax in axes)
    left = style.left_column(axes)
    for ax in axes:
        ax.set_ylim(-0.01, top)
        ax.grid(axis="y")
        if ax in left:
            ax.set_ylabel("weight in h*")
        else:
            ax.tick_params(labelleft=False)


@style.styled
def growth(result: Growth, ax: Axes | None = None, *, way: str | None = None) -> Figure:
    """Draw h* as N and D grow at different speeds (the paper's Fig. 10), a panel for each.

    Args:
        result: the best mixtures along each way to grow.
        ax: axes to draw one way in.
        way: the one to draw there; the first by default.
    """
    if ax is not None:
        way = way or next(iter(result.ways))
        _growth_panel(ax, result, way, named=True)
        return style.figure_of(ax)
    picture, axes = style.panels(len(result.ways), most=_MOST, height=2.1, extra=0.2)
    for panel, name in zip(axes, result.ways, strict=True):
        _growth_panel(panel, result, name, named=panel in _right(axes))
    _share_heights(axes)
    start = next(iter(result.ways.values()))[0]
    picture.suptitle(f"from {start.budget} at t = 1", fontsize=8, x=0.01, ha="left")
    return picture


def _growth_panel(ax: Axes, result: Growth, way: str, *, named: bool) -> None:
    _lines(ax, result.t, result.ways[way], inches=1.5, named=named)
    style.count_axis(ax.xaxis, result.t)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    ax.set_xlabel("t")
    style.title(ax, way)
