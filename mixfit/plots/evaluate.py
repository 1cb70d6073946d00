"""Pictures of evaluations and fits: observed against predicted, the law's curves, residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D

from mixfit.base.numbers import fixed, short
from mixfit.evaluation.curves import FLOPS, MODEL_SIZE, TOKENS, curves_of
from mixfit.evaluation.evaluate import Evaluation
from mixfit.evaluation.residuals import ALL, FITTED, UNSEEN, points_of, trend
from mixfit.plots import style
from mixfit.runs.transforms import undone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mixfit.base.arrays import Array
    from mixfit.evaluation.curves import TargetCurves
    from mixfit.evaluation.residuals import Points
    from mixfit.fitting.result import Fit

_MOST_SIZES = 8  # that a legend lists
_NAMES = {MODEL_SIZE: "N, parameters", TOKENS: "D, tokens", FLOPS: "6ND, FLOPs"}
_MEAN = "mean over targets"
_SIDES = "observed", "predicted"


@style.styled
def observed(
    evaluation: Evaluation,
    ax: Axes | None = None,
    *,
    target: str | None = None,
    intervals: Mapping[str, Array] | None = None,
) -> Figure:
    """Draw observed against predicted losses, a panel for each target (the paper's Fig. 3).

    The colour is the model size; rows that the fit was made on are rings, unseen ones dots.

    Args:
        evaluation: the evaluation.
        ax: axes to draw one panel in: that of the target, or the mean over targets.
        target: the only one to draw.
        intervals: target to the lower and the upper end of each prediction, (rows, 2), drawn as
            bars; those of the evaluation where it has some.
    """
    if intervals is None:
        known = evaluation.intervals.items()
        intervals = {name: np.column_stack([own.low, own.high]) for name, own in known}
    if ax is not None or target is not None:
        figure, ax = style.single(ax, 3.6, 3.2)
        _observed_panel(ax, evaluation, target, intervals)
        labels = [_named(f"{word} loss", evaluation.transforms) for word in _SIDES]
        ax.set(xlabel=labels[0], ylabel=labels[1])
        _key_of_sizes(ax, evaluation)
        return figure
    names: list[str | None] = list(evaluation.targets)
    if len(names) > 1:
        names.insert(0, None)
    if len(names) == 1:
        return observed(evaluation, target=names[0], intervals=intervals)
    picture, axes = style.panels(len(names), height=None)
    for panel, name in zip(axes, names, strict=True):
        _observed_panel(panel, evaluation, name, intervals)
    labels = [_named(f"{word} loss", evaluation.transforms) for word in _SIDES]
    picture.supxlabel(labels[0])
    picture.supylabel(labels[1])
    _key_of_sizes(picture, evaluation)
    return picture


def _observed_panel(
    ax: Axes, evaluation: Evaluation, target: str | None, intervals: Mapping[str, Array]
) -> None:
    points = points_of(evaluation, target)
    sizes = evaluation.runs.N[points.rows]
    many = style.rasterised(len(points.rows) * (len(evaluation.targets) + 1))
    observed, predicted = points.as_logged()
    both = np.concatenate([observed, predicted])
    low, high = float(both.min()), float(both.max())
    room = 0.06 * (high - low or 0.1)
    ends = (low - room, high + room)
    ax.plot(ends, ends, color=style.GREY, linewidth=0.8, zorder=1)
    if target is not None and target in intervals:
        bars = undone(np.asarray(intervals[target])[points.rows], points.transform)
        lines = [
            [(seen, low), (seen, high)] for seen, (low, high) in zip(observed, bars, strict=True)
        ]
        ax.add_collection(
            LineCollection(lines, colors=style.GREY, linewidths=0.6, alpha=0.6, rasterized=many)
        )
    colours = _colours_of(evaluation.runs.N)(sizes)
    for part in (FITTED, ALL, UNSEEN):  # unseen rows on top
        if part not in points.parts:
            continue
        own = np.flatnonzero(points.parts[part])
        own = own[style.thinned(len(own))]
        ring = part == FITTED and UNSEEN in points.parts
        ax.scatter(
            observed[own],
            predicted[own],
            s=9 if ring else 8,
            facecolors="none" if ring else colours[own],
            edgecolors=colours[own] if ring else "none",
            linewidths=0.5,
            alpha=0.55 if ring else 0.85,
            zorder=2 if ring else 3,
            rasterized=many,
            gid=part,
        )
    ax.set(xlim=ends, ylim=ends, box_aspect=1)
    ax.locator_params(nbins=4)
    ax.text(
        0.97,
        0.03,
        _errors(points),
        transform=ax.transAxes,
        ha="right",
        va="bottom",
        fontsize=7,
        linespacing=1.15,
    )
    style.title(ax, _mean_of(evaluation) if target is None else _titled(target, points.transform))


def _mean_of(evaluation: Evaluation) -> str:
    return "mean, as fitted" if evaluation.transforms else _MEAN


def _titled(target: str, transform: str | None) -> str:
    return style.shortened(target, 20) + ("" if transform is None else ", as logged")


def _named(what: str, transforms: Mapping[str, str]) -> str:
    """Name an axis of losses, on which some targets have what was logged in their place."""
    return f"{what}, or as logged" if transforms else what


def _errors(points: Points) -> str:
    what = "MRE" if points.transform is None else f"MRE of {points.transform}"
    if len(points.scores) == 1:
        (score,) = points.scores.values()
        return f"{what} {fixed(score.mre)}%"
    lines = [f"{part} {fixed(score.mre)}%" for part, score in points.scores.items()]
    return "\n".join([what, *lines])


def _colours_of(sizes: Array) -> Any:
    """Give what makes colours of model sizes."""
    if len(np.unique(sizes)) > _MOST_SIZES:
        colours, scale = style.size_norm(sizes)
        return lambda N: colours(scale(N))
    known = style.size_colours(sizes)
    return lambda N: np.array([known[float(one)] for one in N])


def _key_of_sizes(place: Any, evaluation: Evaluation) -> None:
    """Say what colours and markers mean, above the panels or within the only one."""
    sizes = evaluation.runs.N
    marks = []
    if len(np.unique(sizes)) <= _MOST_SIZES:
        known = style.size_colours(sizes)
        marks = [
            Line2D([], [], color=colour, marker="o", linestyle="", markersize=4, label=label)
            for colour, label in zip(known.values(), style.size_labels(sizes), strict=True)
        ]
    else:
        colours, scale = style.size_norm(sizes)
        figure = place.figure if hasattr(place, "transAxes") else place
        axes = [place] if hasattr(place, "transAxes") else place.axes
        bar = figure.colorbar(
            ScalarMappable(scale, colours), ax=axes, shrink=0.6, label=_NAMES[MODEL_SIZE]
        )
        bar.outline.set_visible(False)
        style.count_axis(bar.ax.yaxis, sizes)
    if evaluation.fitted is not None and 0 < evaluation.fitted.sum() < len(sizes):
        ring = {"color": style.DARK, "marker": "o", "linestyle": "", "markersize": 4}
        marks += [
            Line2D([], [], markerfacecolor="none", label="fitted", **ring),
            Line2D([], [], label="unseen", **ring),
        ]
    if not marks:
        return
    if hasattr(place, "transAxes"):
        place.legend(handles=marks, loc="upper left", handletextpad=0.2, borderaxespad=0.2)
    else:
        place.legend(
            handles=marks,
            loc="outside upper center",
            ncols=min(len(marks), 4 if len(marks) > 5 else 5),
            handletextpad=0.2,
            columnspacing=1.2,
        )


@style.styled
def curves(
    result: Evaluation | Fit,
    ax: Axes | None = None,
    *,
    along: str = FLOPS,
    target: str | None = None,
    domain: str | None = None,
) -> Figure:
    """Draw loss against N, D or 6ND with the law's curves for some mixtures (Fig. 1, left).

    The colour is the weight of a domain, which each panel names: the target's own, or else the
    one that matters most to it. Curves are dotted outside of the sizes and lengths fitted.

    Args:
        result: an evaluation, or a fit, which has no runs to draw beside its curves.
        ax: axes to draw one target in.
        along: ``N`` (at the D that the most sizes share), ``D`` or ``6ND`` (a curve for each N).
        target: the only one to draw; with `ax` the first where it is left out.
        domain: whose weight is the colour.
    """
    fit, runs = (result.fit, result.runs) if isinstance(result, Evaluation) else (result, None)
    names = list(result.targets)
    if ax is not None or target is not None or len(names) == 1:
        figure, ax = style.single(ax, 4.6, 3.2)
        _curves_panel(ax, curves_of(fit, target or names[0], along, runs, domain), along)
        ax.set(xlabel=_NAMES[along], ylabel=_named("loss", fit.data.columns.transforms or {}))
        _bar_of_weights(figure, [ax])
        return figure
    found = [curves_of(fit, name, along, runs, domain) for name in names]
    picture, axes = style.panels(len(names), most=4 if len(names) > 9 else 3, height=1.9)
    for panel, one in zip(axes, found, strict=True):
        _curves_panel(panel, one, along, panels=len(found))
    picture.supxlabel(_NAMES[along])
    picture.supylabel(_named("loss", fit.data.columns.transforms or {}))
    _bar_of_weights(picture, axes)
    return picture


def _curves_panel(ax: Axes, found: TargetCurves, along: str, panels: int = 1) -> None:
    weights = np.array([curve.weight for curve in found.curves])
    low, high = float(weights.min()), float(weights.max())
    scale = Normalize(low, high if high > low else low + 1.0)
    for curve in found.curves:
        colour = style.WEIGHTS(scale(curve.weight))
        if curve.beyond.any():
            ax.plot(curve.x, curve.loss, color=colour, linewidth=0.9, linestyle=":", zorder=2)
        inside = np.where(curve.beyond, np.nan, curve.loss)
        ax.plot(curve.x, inside, color=colour, linewidth=1.1, zorder=2)
    few = style.thinned(len(found.x))
    ax.scatter(
        found.x[few],
        found.loss[few],
        s=7,
        c=found.weight[few],
        cmap=style.WEIGHTS,
        norm=scale,
        edgecolors="white",
        linewidths=0.2,
        zorder=3,
        rasterized=style.rasterised(len(found.x) * panels),
    )
    style.count_axis(ax.xaxis, np.concatenate([curve.x for curve in found.curves]))
    ax.locator_params(axis="y", nbins=5)
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top + 0.12 * (top - bottom))  # room for what is written there
    at = "" if found.tokens is None else f", D = {short(found.tokens)}"
    style.title(ax, f"{_titled(found.target, found.transform)}{at}", 40)
    what = f"{style.shortened(found.domain, 16)} {100 * low:.0f} to {100 * high:.0f}%"
    ax.text(0.98, 0.98, what, transform=ax.transAxes, ha="right", va="top", fontsize=7)


def _bar_of_weights(figure: Figure, axes: Sequence[Axes]) -> None:
    bar = figure.colorbar(
        ScalarMappable(Normalize(0.0, 1.0), style.WEIGHTS),
        ax=list(axes),
        location="top",
        shrink=0.4,
        aspect=30,
        pad=0.15 / figure.get_size_inches()[1],  # as far from the panels in a tall figure
        label="weight of the domain named",
        ticks=[0.0, 1.0],
    )
    bar.outline.set_visible(False)
    bar.ax.set_xticklabels(["lowest", "highest"])


@style.styled
def residuals(
    evaluation: Evaluation, ax: Axes | None = None, *, target: str | None = None, of: str = "N"
) -> Figure:
    """Draw relative residuals against N, D and each domain's weight, with their trends.

    Dots are rows, the mean over targets; the line is their median and the band their quartiles in
    groups of about as many rows. Thin lines are the medians of single targets. Where a law is
    right, all are flat at 0.

    Args:
        evaluation: the evaluation.
        ax: axes to draw one panel in.
        target: the only one to draw.
        of: of the panel in `ax`: ``N``, ``D`` or a domain.
    """
    runs = evaluation.runs
    known = {"N": runs.N, "D": runs.D, **dict(zip(runs.domains, runs.h.T, strict=True))}
    if ax is not None:
        _residuals_panel(ax, evaluation, of, known[of], target)
        ax.set_ylabel(_of_residuals(evaluation))
        return style.figure_of(ax)
    # What all rows have alike says nothing.
    shown = {name: x for name, x in known.items() if np.ptp(x) > 0}
    picture, axes = style.panels(len(shown), most=3, height=1.6)
    for panel, (name, x) in zip(axes, shown.items(), strict=True):
        _residuals_panel(panel, evaluation, name, x, target)
    lowest = min(panel.get_ylim()[0] for panel in axes)
    highest = max(panel.get_ylim()[1] for panel in axes)
    for panel in axes:
        panel.set_ylim(lowest, highest)
    picture.supylabel(_of_residuals(evaluation))
    what = _MEAN if target is None else target
    marks = [
        Line2D([], [], color=_DOT, marker="o", linestyle="", markersize=3, label=f"a row, {what}"),
        Line2D([], [], color=_TREND, label="its median, and quartiles"),
    ]
    if target is None and len(evaluation.targets) > 1:
        label = "the median of each target"
        marks.append(Line2D([], [], color=style.GREY, linewidth=0.7, label=label))
    picture.legend(handles=marks, loc="outside lower center", ncols=3)
    return picture


def _of_residuals(evaluation: Evaluation) -> str:
    what = "what is fitted" if evaluation.transforms else "observed loss"
    return f"prediction above {what}, %"


_DOT, _TREND = "#b3c6d9", "#0072B2"


def _residuals_panel(
    ax: Axes, evaluation: Evaluation, name: str, x: Array, target: str | None
) -> None:
    points = points_of(evaluation, target)
    values, own = points.residuals, x[points.rows]
    many = style.rasterised(len(values) * (2 + len(evaluation.runs.domains)))
    ax.axhline(0.0, color=style.DARK, linewidth=0.7, zorder=1)
    few = style.thinned(len(values))
    ax.scatter(own[few], values[few], s=3, color=_DOT, linewidths=0, rasterized=many, zorder=2)
    if target is None and len(evaluation.targets) > 1:
        for each in evaluation.targets:
            of_target = points_of(evaluation, each)
            line = trend(x[of_target.rows], of_target.residuals)
            ax.plot(line.x, line.median, color=style.GREY, linewidth=0.6, zorder=3)
    line = trend(own, values)
    ax.fill_between(line.x, line.low, line.high, color=_TREND, alpha=0.25, linewidth=0, zorder=4)
    ax.plot(line.x, line.median, color=_TREND, marker="o", markersize=2.5, zorder=5)
    low, high = np.quantile(values, [0.005, 0.995])
    room = 0.1 * (high - low or 0.1)
    ax.set_ylim(min(low, line.low.min()) - room, max(high, line.high.max()) + room)
    ax.locator_params(axis="y", nbins=5)
    if name in _NAMES and name not in evaluation.runs.domains:
        style.count_axis(ax.xaxis, own)
        style.title(ax, _NAMES[name])
    else:
        style.percent_axis(ax.xaxis)
        ax.locator_params(axis="x", nbins=5)
        style.title(ax, f"weight of {name}", 30)
