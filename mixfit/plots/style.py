"""One style for all pictures: colours, sizes and axes; and how pictures become files."""

from __future__ import annotations

import io
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from mixfit.base.files import writing
from mixfit.base.numbers import distinct, short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes

    from mixfit.base.arrays import Array

    P = ParamSpec("P")

WIDTH = 6.75  # inches, the text of a page; a panel of one half of it is a column of a paper
GREY, DARK = "#8c8c8c", "#333333"
_DPI = 200
_MOST_POINTS = 20_000  # of a panel, beyond which more cover each other and show nothing
# Okabe and Ito's colours, which colour-blind readers tell apart, without the yellow, which print
# loses.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#5A5A5A")
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
_MARKERS = "osD^vPX*"
_SEQUENCE = LinearSegmentedColormap.from_list(
    "sizes", colormaps["viridis"](np.linspace(0.05, 0.88, 64))
)
# For shares and distances, from near white to dark.
SHARES = LinearSegmentedColormap.from_list(
    "shares", ["#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"]
)
WEIGHTS = LinearSegmentedColormap.from_list(
    "weights", colormaps["plasma"](np.linspace(0.0, 0.84, 64))
)
# Blue where a loss falls, orange where it grows.
CHANGES = LinearSegmentedColormap.from_list(
    "changes", ["#08519c", "#6baed6", "#f7f7f7", "#fdae6b", "#a63603"]
)
_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # which comes with matplotlib: the same everywhere
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": DARK,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "figure.labelsize": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,  # names of domains are names, whatever signs stand in them
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "mixfit",
}
# Without times, so that the same result gives the same file.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


class Picture(Figure):  # type: ignore[misc]
    """A figure in the style of this package, which a notebook shows and `save` writes."""

    def _repr_png_(self) -> bytes:
        return to_bytes(self, ".png")


class Look(NamedTuple):
    """How what has a name is drawn wherever it is drawn."""

    colour: str
    dash: Any
    marker: str


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Give each name a colour, a dash and a marker: the same for the same names in any order.

    Beyond seven names colours come again, with another dash and another marker.
    """
    found = {}
    for place, name in enumerate(sorted(names)):
        again, colour = divmod(place, len(_COLOURS))
        dash = _DASHES[again % len(_DASHES)]
        found[name] = Look(_COLOURS[colour], dash, _MARKERS[again % len(_MARKERS)])
    return found


def in_order(names: Sequence[str]) -> dict[str, Look]:
    """Give each name, such as a law, a colour and a marker by its place."""
    found = {}
    for place, name in enumerate(names):
        again, colour = divmod(place, len(_COLOURS))
        marker = _MARKERS[place % len(_MARKERS)]
        found[name] = Look(_COLOURS[colour], _DASHES[again % len(_DASHES)], marker)
    return found


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a drawing function draw in the style of the package, but in axes of the user's own."""

    @wraps(draw)
    def drawn(*args: P.args, **options: P.kwargs) -> Figure:
        if options.get("ax") is not None or (len(args) > 1 and args[1] is not None):
            return draw(*args, **options)
        with rc_context(_STYLE):
            return draw(*args, **options)

    return drawn


def figure_of(ax: Axes) -> Figure:
    """Give the figure that axes are part of."""
    figure: Figure = ax.figure.figure  # of a part of a figure, the whole
    return figure


def new(width: float = WIDTH, height: float = 3.0) -> Picture:
    """Make an empty figure of a width and a height in inches."""
    return Picture(figsize=(width, height), layout="constrained")


def single(ax: Axes | None, width: float = 4.6, height: float = 3.0) -> tuple[Figure, Axes]:
    """Give the axes to draw in and their figure; new ones where there are none."""
    if ax is not None:
        return figure_of(ax), ax
    figure = new(width, height)
    return figure, figure.add_subplot()


def panels(
    count: int, *, most: int = 4, height: float | None = 1.75, extra: float = 0.5
) -> tuple[Picture, list[Axes]]:
    """Make a figure with panels in rows, as wide as a page.

    Args:
        count: of panels.
        most: panels in a row.
        height: of a row, in inches; None for panels that are square.
        extra: room for legends, in inches.
    """
    columns = _columns(count, most)
    rows = -(-count // columns)
    width = WIDTH if columns > 2 else 2.9 * columns + 0.4
    if height is None:
        height = 0.97 * width / columns
    elif columns <= 2:
        height = max(height, 2.2)
    figure = new(width, rows * height + extra)
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = list(grid.ravel())
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]


def _columns(count: int, most: int) -> int:
    """Give how many panels stand in a row, so that the last row is not much shorter."""
    if count <= most:
        return count
    rows = -(-count // most)
    return -(-count // rows)


def left_column(axes: Sequence[Axes]) -> list[Axes]:
    """Give the panels at the left side."""
    found = []
    for ax in axes:
        spec = ax.get_subplotspec()
        assert spec is not None
        if spec.colspan.start == 0:
            found.append(ax)
    return found


def legend(figure: Figure, ax: Axes, marks: Sequence[Any]) -> None:
    """Say what marks mean: below the whole of a picture of ours, or below the axes of a user's."""
    options: dict[str, Any] = {
        "handles": list(marks),
        "ncols": 3 if len(marks) in (5, 6) else min(len(marks), 4),
        "handletextpad": 0.4,
        "columnspacing": 1.2,
    }
    if isinstance(figure, Picture):
        figure.legend(loc="outside lower center", **options)
    else:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), **options)


def title(ax: Axes, text: str, most: int = 26) -> None:
    """Write a panel's name above it at the left; a long one is cut in its middle."""
    ax.set_title(shortened(text, most), loc="left", pad=3)


def shortened(text: str, most: int) -> str:
    """Cut a long name in its middle.

    >>> shortened("stackexchange", 20), shortened("a_very_long_name_of_a_domain", 13)
    ('stackexchange', 'a_very…domain')
    """
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-(most - 1 - half) :]}"


def count_axis(axis: Any, values: Array, *, log: bool = True) -> None:
    """Give an axis of N, D or FLOPs few ticks that read like 310M or 46B."""
    low, high = float(np.min(values)), float(np.max(values))
    if not log or low <= 0:
        axis.set_major_formatter(FuncFormatter(lambda x, _: short(x)))
        return
    set_scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
    set_scale("log")
    decades = np.log10(high / low) if high > low else 0.0
    flops = high > 1e16
    most, some = (1.2, 0.7) if flops else (2.2, 1.2)
    subs = (1.0,) if decades > most else (1.0, 3.0) if decades > some else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda x, _: _power(x) if flops else short(x)))
    if decades < 0.35:  # no tick of these may lie within
        ticks = np.unique([float(f"{x:.2g}") for x in np.geomspace(low, high, 3)])
        axis.set_ticks(ticks, [short(x) for x in ticks])


def _power(number: float) -> str:
    return f"{number:.0e}".replace("e+", "e")


def size_colours(sizes: Array) -> dict[float, Any]:
    """Give each model size a colour, from dark for the smallest to light for the largest."""
    known = np.unique(sizes)
    places = np.linspace(0.0, 1.0, len(known)) if len(known) > 1 else np.array([0.35])
    return {float(N): _SEQUENCE(place) for N, place in zip(known, places, strict=True)}


def size_labels(sizes: Array) -> list[str]:
    """Write model sizes so that they can be told apart, with their unit."""
    return [f"{label} parameters" for label in distinct(np.unique(sizes))]


def size_norm(sizes: Array) -> tuple[Any, LogNorm]:
    """Give the colour map of many model sizes, and its scale."""
    return _SEQUENCE, LogNorm(float(np.min(sizes)), float(np.max(sizes)))


def rasterised(points: int) -> bool:
    """Tell whether so many points of a figure should be drawn as an image within a drawing."""
    return points > 1500


def thinned(points: int) -> slice:
    """Give the points of one panel to draw, every so many of them where they are too many."""
    return slice(None, None, -(-points // _MOST_POINTS) or 1)


def percent_axis(axis: Any) -> None:
    """Write an axis of shares from 0 to 1 in percent, with the digits that its steps need."""
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{round(100 * x, 3):g}%"))


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move heights of labels apart until neighbours have a gap, within bounds as far as can be.

    >>> spread([0.5, 0.5, 0.0], 0.1, 0.0, 1.0)
    [0.45, 0.55, 0.0]
    """
    order = np.argsort(values, kind="stable")
    blocks: list[list[float]] = []  # middle and number of labels that touch each other
    for place in order:
        blocks.append([float(values[place]), 1])
        while True:
            middle, count = blocks[-1]
            half = gap * (count - 1) / 2
            blocks[-1][0] = min(max(middle, low + half), max(high - half, low + half))
            if len(blocks) < 2:
                break
            (below, fewer), (above, more) = blocks[-2:]
            if above - below >= gap * (fewer + more) / 2:
                break
            blocks[-2:] = [[(below * fewer + above * more) / (fewer + more), fewer + more]]
    heights = [
        middle + gap * (place - (count - 1) / 2)
        for middle, count in blocks
        for place in range(int(count))
    ]
    moved = [0.0] * len(heights)
    for place, height in zip(order, heights, strict=True):
        moved[place] = round(height, 12)
    return moved


def name_lines(
    ax: Axes, ends: Mapping[str, float], known: Mapping[str, Look], inches: float
) -> None:
    """Write the names of lines beside their right ends, where they do not cover each other.

    Args:
        ax: of the lines; its limits are final.
        ends: name to the height at which its line ends.
        known: name to its look.
        inches: about how high the axes are.
    """
    low, high = ax.get_ylim()
    gap = min((high - low) * 0.125 / inches, (high - low) / max(len(ends) - 1, 1))
    heights = spread(list(ends.values()), gap, low, high)
    for name, height in zip(ends, heights, strict=True):
        ax.text(
            1.03,
            height,
            shortened(name, 16),
            transform=ax.get_yaxis_transform(),
            va="center",
            fontsize=7,
            color=known[name].colour,
        )


def to_bytes(figure: Figure, suffix: str, dpi: float = _DPI) -> bytes:
    """Give a figure as the bytes of a PNG, SVG or PDF file, always the same for the same figure.

    Args:
        figure: the figure.
        suffix: of such a file.
        dpi: dots per inch of a PNG, and of what is an image within a drawing.
    """
    out = io.BytesIO()
    _write(figure, out, suffix, dpi)
    return out.getvalue()


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure to a file: PNG, SVG or PDF by its ending, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    with writing(path) as part, part.open("wb") as out:
        _write(figure, out, Path(path).suffix.lower())


def _write(figure: Figure, out: Any, suffix: str, dpi: float = _DPI) -> None:
    with rc_context(_STYLE):
        figure.savefig(
            out,
            format=suffix.removeprefix("."),
            dpi=dpi,
            metadata=_METADATA[suffix],
        )
