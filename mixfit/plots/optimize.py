"""Pictures of a best mixture beside others: its weights, and the losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mixfit.base.numbers import fixed
from mixfit.mixture.blend import percentages
from mixfit.mixture.result import Study
from mixfit.plots import style

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mixfit.base.arrays import Array
    from mixfit.mixture.result import Baseline, Mixture

BEST, AVERAGE = "h*", "average"
_OVER_RESAMPLES = "90% over resamples"
# Of other mixtures: no colours, which are those of the domains.
_MARKERS, _FACES = "oDs^vPX*", ("black", "white", "#bdbdbd", "#6b6b6b")
_USUAL = ("uniform", "best observed", "unconstrained")  # look the same in every picture


@style.styled
def weights(
    result: Study | Mixture, ax: Axes | None = None, *, intervals: Array | None = None
) -> Figure:
    """Draw h* as bars, with other mixtures as markers.

    A grey band on a bar is how far the weight can go within 0.1% of the best loss.

    Args:
        result: a best mixture, or a study of one.
        ax: axes to draw in.
        intervals: the lower and the upper end of each weight, (k, 2); those over resamples where
            the study has some.
    """
    interval = "interval"
    if intervals is None and isinstance(result, Study) and result.certainty is not None:
        intervals, interval = result.certainty.weights, _OVER_RESAMPLES
    mixture = result.mixture if isinstance(result, Study) else result
    others = _others(result) if isinstance(result, Study) else {}
    count = len(mixture.domains)
    figure, ax = style.single(ax, 5.0, 0.26 * count + 0.95)
    known = style.looks(mixture.domains)
    places = np.arange(count)[::-1]
    ax.barh(
        places,
        mixture.weights,
        height=0.72,
        color=[known[domain].colour for domain in mixture.domains],
        zorder=2,
    )
    marks: list[Line2D | Patch] = [Patch(color=style.GREY, label=f"{BEST}")]
    highest = float(mixture.weights.max())
    if isinstance(result, Study):
        low, high = result.ranges.T
        ax.barh(
            places,
            high - low,
            left=low,
            height=0.26,
            color="#2b2b2b",
            alpha=0.45,
            linewidth=0,
            zorder=3,
        )
        marks.append(Patch(color="#2b2b2b", alpha=0.45, label="as good within 0.1%"))
        highest = max(highest, float(high.max()))
    if intervals is not None:
        ends = np.asarray(intervals)
        middle = ends.mean(axis=1)
        highest = max(highest, float(ends.max()))
        ax.errorbar(
            middle,
            places,
            xerr=(ends[:, 1] - ends[:, 0]) / 2,
            fmt="none",
            ecolor="black",
            elinewidth=0.9,
            capsize=2,
            zorder=4,
        )
        marks.append(Line2D([], [], color="black", linewidth=0.9, label=interval))
        highest = max(highest, float(ends.max()))
    known_looks = _looks(others)
    for name, other in others.items():
        look = known_looks[name]
        ax.plot(other.weights, places, zorder=5, clip_on=False, **look)
        marks.append(Line2D([], [], label=style.shortened(name, 24), **look))
        highest = max(highest, float(other.weights.max()))
    labels = [
        f"{style.shortened(domain, 22)}  {share}%"
        for domain, share in zip(mixture.domains, percentages(mixture.weights), strict=True)
    ]
    ax.set_yticks(places, labels)
    ax.tick_params(axis="y", length=0)
    ax.set(xlim=(0.0, min(1.02, highest * 1.06)), ylim=(-0.6, count - 0.4), xlabel="weight")
    ax.grid(axis="x")
    style.percent_axis(ax.xaxis)
    if mixture.budget:
        style.title(ax, mixture.budget, 60)
    style.legend(figure, ax, marks)
    return figure


def _looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give how the markers of other mixtures look, by name."""
    order = (*_USUAL, *(name for name in names if name not in _USUAL))
    return {
        name: {
            "marker": _MARKERS[place % len(_MARKERS)],
            "markerfacecolor": _FACES[place % len(_FACES)],
            "markeredgecolor": "black",
            "markeredgewidth": 0.6,
            "markersize": 4,
            "linestyle": "",
        }
        for place, name in enumerate(order)
    }


def _others(study: Study) -> dict[str, Mixture | Baseline]:
    others: dict[str, Mixture | Baseline] = {b.name: b for b in study.baselines}
    if study.unconstrained is not None:
        others = {"unconstrained": study.unconstrained, **others}
    return others


@style.styled
def losses(
    study: Study,
    ax: Axes | None = None,
    *,
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
) -> Figure:
    """Draw how far other mixtures' predicted losses are from those of h* (Figs. 1, right, and 4).

    Left of the line a mixture is better for that target. The numbers beside the targets are the
    losses of h*, or what was logged in the place of losses; the percentages are of what is fitted.

    Args:
        study: of a best mixture.
        ax: axes to draw in.
        intervals: name of a mixture, or `BEST`, to target, or `AVERAGE`, to the lower and the
            upper end of its predicted loss, drawn as bars; those of what h* gains over a mixture
            where the study has them.
    """
    interval = "interval"
    if intervals is None and study.certainty is not None:
        interval = _OVER_RESAMPLES
        best_loss = study.mixture.loss
        intervals = {
            name: {AVERAGE: (best_loss / (1 - gain.low / 100), best_loss / (1 - gain.high / 100))}
            for name, gain in study.certainty.gains.items()
        }
    mixture, others = study.mixture, _others(study)
    targets = list(mixture.predicted_loss)
    rows = [AVERAGE, *targets] if len(targets) > 1 else targets
    figure, ax = style.single(ax, 5.0, 0.24 * len(rows) + 0.95)
    places = np.arange(len(rows))[::-1].astype(float)
    best = np.array(_losses_of(mixture, rows))
    ax.axvline(0.0, color=style.GREY, linewidth=1.2, zorder=1)
    marks = [Line2D([], [], color=style.GREY, linewidth=1.2, label=f"{BEST}")]
    shift = 0.5 / (len(others) + 1)
    intervals = intervals or {}
    known_looks = _looks(others)
    named: dict[str, Mixture | Baseline] = {BEST: mixture, **others}
    for place, (name, other) in enumerate(named.items()):
        at = places + 0.25 - shift * (place + 0.5)
        if name in intervals:
            ends = np.array([intervals[name].get(row, (np.nan, np.nan)) for row in rows])
            relative = 100.0 * (ends / best[:, None] - 1.0)
            ax.hlines(at, relative[:, 0], relative[:, 1], color=style.DARK, linewidth=0.9)
        if name == BEST:
            continue  # its own losses are the line at 0
        values = 100.0 * (np.array(_losses_of(other, rows)) / best - 1.0)
        look = known_looks[name]
        ax.plot(values, at, **look)
        marks.append(Line2D([], [], label=style.shortened(name, 24), **look))
    logged = mixture.as_logged(mixture.predicted_loss)
    names = [style.shortened(row, 22) + ", as logged" * (row in logged) for row in rows]
    values = [logged.get(row, x) for row, x in zip(rows, best.tolist(), strict=True)]
    if intervals:
        marks.append(Line2D([], [], color=style.DARK, linewidth=0.9, label=interval))
    labels = [f"{name}  {fixed(x, 4)}" for name, x in zip(names, values, strict=True)]
    ax.set_yticks(places, labels)
    ax.tick_params(axis="y", length=0)
    for place in places[:-1]:
        ax.axhline(place - 0.5, color="#ededed", linewidth=0.6, zorder=0)
    if rows[0] == AVERAGE:
        ax.axhspan(places[0] - 0.5, places[0] + 0.5, color="#f2f2f2", zorder=0)
    ax.set_ylim(-0.5, len(rows) - 0.5)
    ax.margins(x=0.06)
    of = " of what is fitted" if logged else ""
    ax.set_xlabel(f"predicted loss{of} above that of h*, %")
    if mixture.budget:
        style.title(ax, mixture.budget, 60)
    style.legend(figure, ax, marks)
    return figure


def _losses_of(mixture: Mixture | Baseline, rows: list[str]) -> list[float]:
    known = {AVERAGE: mixture.loss, **mixture.predicted_loss}
    return [known[row] for row in rows]
