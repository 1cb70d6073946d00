"""What each picture shows: its axes, labels and marks, and the values drawn; not its pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from random_fits import additive

from mixfit import plots
from mixfit.base.errors import UsageError
from mixfit.evaluation.comparison import AVERAGE
from mixfit.evaluation.evaluate import evaluate
from mixfit.fitting.fit import fit
from mixfit.mixture.growth import grow
from mixfit.mixture.over_simplex import influence, map_targets, surface
from mixfit.mixture.planner import Planner
from mixfit.mixture.result import Certainty, Gain
from mixfit.plots import BUDGETS, EACH_TARGET, draw
from mixfit.runs.runs import Runs


def titles(figure):
    return [ax.get_title(loc="left") for ax in figure.axes]


def words(figure):
    """All text that is drawn."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return [text.get_text() for text in figure.findobj(Text)]


def points(ax):
    """What is drawn as dots in axes, (points, 2)."""
    return np.concatenate(
        [np.asarray(c.get_offsets()) for c in ax.collections if len(c.get_offsets())]
    )


def overlapping(figure):
    """Tick labels of one axis, and parts of a picture, that cover each other."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    found = []
    # What belongs to the whole picture, and its panels with all that belongs to them.
    own = [t for t in (figure._supxlabel, figure._supylabel, figure._suptitle) if t is not None]
    boxes = [artist.get_window_extent(renderer) for artist in (*own, *figure.legends)]
    boxes += [ax.get_tightbbox(renderer) for ax in figure.axes]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            if (
                one.width
                and other.width
                and one.shrunk(0.98, 0.9).overlaps(other.shrunk(0.98, 0.9))
            ):
                found.append(("parts of the picture", one, other))
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            labels = [
                text
                for text in axis.get_ticklabels()
                if text.get_text() and text.get_visible() and not text.get_rotation()
            ]
            boxes = [text.get_window_extent(renderer) for text in labels]
            seen = [np.isfinite(box.get_points()).all() for box in boxes]
            labels = [text for text, own in zip(labels, seen, strict=True) if own]
            boxes = [box for box, own in zip(boxes, seen, strict=True) if own]
            found += [
                (one.get_text(), other.get_text())
                for i, (one, a) in enumerate(zip(labels, boxes, strict=True))
                for other, b in zip(labels[i + 1 :], boxes[i + 1 :], strict=True)
                if a.shrunk(0.98, 0.8).overlaps(b)
            ]
    return found


def inside(figure):
    """Whether everything drawn lies in the picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    return (
        box.x0 >= -0.05 and box.y0 >= -0.05 and box.x1 <= width + 0.05 and box.y1 <= height + 0.05
    )


def test_observed(evaluation):
    figure = evaluation.plot("observed")
    assert titles(figure) == ["mean over targets", "web", "math"]
    web = figure.axes[1]
    observed = evaluation.runs.losses_of("web")
    drawn = points(web)
    order = np.lexsort(drawn.T)
    expected = np.column_stack([observed, evaluation.predicted["web"]])
    assert np.allclose(drawn[order], expected[np.lexsort(expected.T)])
    # Rows that were fitted are rings, apart from the unseen ones.
    fitted, unseen = web.collections
    assert len(fitted.get_offsets()) == evaluation.fitted.sum()
    assert len(unseen.get_offsets()) == (~evaluation.fitted).sum()
    assert len(fitted.get_facecolors()) == 0
    texts = words(figure)
    own = evaluation.runs.N >= 5e8
    errors = np.abs(evaluation.predicted["web"] / observed - 1)[own]
    assert any(f"unseen {100 * errors.mean():.2f}%" in text for text in texts)
    assert {"fitted", "unseen", "800M parameters", "observed loss", "predicted loss"} <= set(texts)
    assert not overlapping(figure)
    assert inside(figure)


def test_observed_without_knowing_what_was_fitted(fitted, table):
    figure = evaluate(fitted, table).plot()
    assert {"fitted", "unseen"} & set(words(figure)) == set()
    assert len(figure.axes[1].collections) == 1


def test_intervals_are_drawn_where_given(evaluation):
    predicted = evaluation.predicted["web"]
    bars = np.column_stack([predicted - 0.1, predicted + 0.2])
    figure = evaluation.plot("observed", intervals={"web": bars})
    ((lines,), none) = (
        [c for c in figure.axes[i].collections if hasattr(c, "get_segments")] for i in (1, 2)
    )
    assert none == []
    assert np.allclose([s[:, 1] for s in lines.get_segments()], bars)


@pytest.fixture
def as_accuracy(evaluation):
    """The evaluation, as if a target were 1-x of what was logged."""
    target = evaluation.targets[0]
    columns = replace(evaluation.fit.data.columns, transforms={target: "1-x"})
    data = replace(evaluation.fit.data, columns=columns)
    return replace(evaluation, fit=replace(evaluation.fit, data=data)), target


def test_what_was_logged_is_drawn(evaluation, as_accuracy):
    other, target = as_accuracy
    of_losses, as_logged = (own.plot("observed") for own in (evaluation, other))
    assert titles(as_logged) == ["mean, as fitted", f"{target}, as logged", *evaluation.targets[1:]]
    assert as_logged._supxlabel.get_text() == "observed loss, or as logged"
    np.testing.assert_allclose(points(as_logged.axes[1]), 1 - points(of_losses.axes[1]))
    np.testing.assert_allclose(points(as_logged.axes[2]), points(of_losses.axes[2]))
    assert any("MRE of 1-x" in text for text in words(as_logged))
    of_losses, as_logged = (own.plot("by-tokens") for own in (evaluation, other))
    for one, logged in zip(of_losses.axes[0].lines, as_logged.axes[0].lines, strict=True):
        np.testing.assert_allclose(logged.get_ydata(), 1 - one.get_ydata())
    np.testing.assert_allclose(points(as_logged.axes[0])[:, 1], 1 - points(of_losses.axes[0])[:, 1])
    assert other.plot("residuals")._supylabel.get_text() == "prediction above what is fitted, %"


def test_losses_of_h_are_as_logged(study, as_accuracy):
    other, target = as_accuracy
    planner = Planner(other.fit, observed=study.baselines[0].weights[None])
    logged = planner.study(planner.best(7e9, 150e9))
    value = 1 - logged.mixture.predicted_loss[target]
    picture = logged.plot("losses")
    assert f"{target}, as logged  {value:.4f}" in words(picture)
    assert "predicted loss of what is fitted above that of h*, %" in words(picture)
    assert f"{target} (1-x)" in words(influence(planner, 1e9, 2e10, np.ones(3) / 3, "x").plot())


def test_axes_of_ones_own(evaluation, comparison, study, planner, curve):
    pictures = [
        (plots.observed, evaluation),
        (plots.curves, evaluation),
        (plots.residuals, evaluation),
        (plots.errors, comparison),
        (plots.learning_curve, curve),
        (plots.weights, study),
        (plots.losses, study),
        (plots.budgets, planner.grid([1e9, 2e9], [1e10])),
        (plots.each_target, planner.each_target(1e9, 1e10)),
    ]
    for function, result in pictures:
        own = Figure()
        ax = own.add_subplot()
        assert function(result, ax) is own
        assert ax.has_data(), function


@pytest.mark.parametrize("kind", ["by-size", "by-tokens", "by-flops"])
def test_curves_go_through_what_the_law_predicts(evaluation, kind):
    figure = evaluation.plot(kind, domain="code", target="web")
    ax = figure.axes[0]
    fit, runs = evaluation.fit, evaluation.runs
    drawn = points(ax)
    # Every dot is a run, and the curves of its mixture pass at the law's value for it.
    N, D, h = runs.N, runs.D, runs.h
    x = {"by-size": N, "by-tokens": D, "by-flops": 6 * N * D}[kind]
    known = np.column_stack([x, runs.losses_of("web")])
    predicted = fit.targets["web"].law_alone().predict(N, D, h)
    curves = [xy[~np.isnan(xy[:, 1])] for xy in (line.get_xydata() for line in ax.lines)]
    curves = [curve for curve in curves if len(curve)]
    for dot in drawn:
        (row,) = np.flatnonzero(np.all(np.isclose(known, dot, rtol=1e-12), axis=1))
        near = [
            np.interp(dot[0], *curve.T)
            for curve in curves
            if curve[0, 0] <= dot[0] * 1.001 and dot[0] <= curve[-1, 0] * 1.001
        ]
        assert np.min(np.abs(np.array(near) - predicted[row])) < 0.01
    assert not overlapping(figure)
    assert any("code" in text for text in words(figure))


def test_a_fit_draws_curves_alone(fitted):
    figure = fitted.plot()
    assert titles(figure)[:2] == ["web", "math"]
    assert not any(
        len(c.get_offsets()) > 0 and c.get_offsets().size for c in figure.axes[0].collections
    )
    # Beyond what was fitted curves are dotted.
    solid = [line.get_xydata() for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    data = fitted.data
    for curve in solid:
        x = curve[~np.isnan(curve[:, 1]), 0]
        assert x.max() <= 6 * data.model_size.max * data.tokens.max * 1.01


def test_no_curve_where_the_law_has_no_term(table):
    one = table.select((table.N.min() == table.N) & (table.D.min() == table.D))
    evaluation = evaluate(fit(one, "chinchilla"), one)
    with pytest.raises(UsageError) as caught:
        evaluation.plot("by-size")
    assert str(caught.value) == (
        "The fit of web has no term in N: its rows have one value, and there is no curve to draw."
        " Draw another kind of picture."
    )
    with pytest.raises(UsageError, match="the fit has no such domain"):
        evaluation.plot("by-size", domain="cod")


def test_residuals(evaluation):
    figure = evaluation.plot("residuals")
    domains = [f"weight of {domain}" for domain in evaluation.runs.domains]
    assert titles(figure) == ["N, parameters", "D, tokens", *domains]
    limits = {ax.get_ylim() for ax in figure.axes}
    assert len(limits) == 1
    alone = evaluation.plot("residuals", target="web").axes[0]
    observed = evaluation.runs.losses_of("web")
    residuals = 100 * (evaluation.predicted["web"] / observed - 1)
    dots = np.asarray(alone.collections[0].get_offsets())
    assert np.allclose(np.sort(dots[:, 1]), np.sort(residuals))
    assert not overlapping(figure)


def test_a_panel_that_would_say_nothing_is_left_out(fitted, table):
    one = table.select(table.N.max() == table.N)
    assert "N, parameters" not in titles(evaluate(fitted, one).plot("residuals"))


def test_weights(study):
    intervals = np.column_stack([study.mixture.weights - 0.05, study.mixture.weights + 0.05])
    figure = study.plot("weights", intervals=intervals)
    (ax,) = figure.axes
    bars, bands = ax.containers[:2]
    assert np.allclose([bar.get_width() for bar in bars], study.mixture.weights)
    assert np.allclose([band.get_x() for band in bands], study.ranges[:, 0])
    assert np.allclose([b.get_x() + b.get_width() for b in bands], study.ranges[:, 1])
    texts = words(figure)
    assert {"uniform", "best observed", "as good within 0.1%", "interval"} <= set(texts)
    drawn = [tuple(line.get_xdata()) for line in ax.lines]
    for baseline in study.baselines:
        assert tuple(baseline.weights) in drawn
    assert inside(figure)
    assert "interval" not in words(study.plot("weights"))
    assert "uniform" not in words(study.mixture.plot())


def test_losses(study):
    intervals = {"h*": {AVERAGE: (study.mixture.loss * 0.99, study.mixture.loss * 1.02)}}
    figure = study.plot("losses", intervals=intervals)
    (ax,) = figure.axes
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels[0] == f"average  {study.mixture.loss:.4f}"
    uniform = study.baselines[0]
    expected = [uniform.loss / study.mixture.loss]
    expected += [uniform.predicted_loss[t] / x for t, x in study.mixture.predicted_loss.items()]
    assert any(
        len(line.get_xdata()) == len(expected)
        and np.allclose(line.get_xdata(), 100 * (np.array(expected) - 1))
        for line in ax.lines
    )
    (bar,) = (s for c in ax.collections for s in c.get_segments() if len(s))
    assert np.allclose(bar[:, 0], [-1.0, 2.0])
    assert inside(figure)


def test_a_grid_of_budgets(planner):
    sizes, lengths = [1e9, 3e9, 1e10], [1e10, 1e11]
    mixtures = planner.grid(sizes, lengths)
    figure = draw(mixtures, name=BUDGETS)
    assert titles(figure) == ["D = 10B", "D = 100B", "N = 1B", "N = 3B", "N = 10B"]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert set(lines) == set(planner.question.domains)
    assert np.allclose(lines["code"].get_xdata(), sizes)
    expected = [m.shares["code"] for m in mixtures if m.tokens == 1e10]
    assert np.allclose(lines["code"].get_ydata(), expected)
    assert not overlapping(figure)
    assert inside(figure)
    assert titles(draw(planner.grid([1e9], lengths), name=BUDGETS)) == ["N = 1B"]


def test_growth(planner):
    found = grow(planner, 1e9, 1e10, most=100.0, points=3)
    figure = found.plot()
    assert titles(figure) == list(found.ways)
    lines = {line.get_label(): line for line in figure.axes[3].lines}
    way = found.ways[list(found.ways)[3]]
    assert np.allclose(lines["web"].get_ydata(), [m.shares["web"] for m in way])
    assert not overlapping(figure)
    assert inside(figure)


def heat(figure):
    (image,) = figure.axes[0].images
    return np.asarray(image.get_array())


def test_each_target(planner):
    pure = planner.each_target(1e9, 1e10)
    figure = draw(pure, name=EACH_TARGET)
    assert np.allclose(heat(figure), [p.mixture.weights for p in pure])
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == [p.target for p in pure]
    assert inside(figure)


def test_influence(planner):
    h = np.full(3, 1 / 3)
    found = influence(planner, 1e9, 1e10, h, "the uniform mixture")
    figure = found.plot()
    assert np.allclose(heat(figure), found.changes)
    assert titles(figure)[0].endswith("\nat the uniform mixture")
    assert inside(figure)


def test_many_domains_and_targets(many):
    mixture = many.best(1e9, 1e10)
    study = many.study(mixture)
    for figure in (
        study.plot("weights"),
        study.plot("losses"),
        draw(many.each_target(1e9, 1e10), name=EACH_TARGET),
        draw(many.grid([1e9, 1e10], [1e10]), name=BUDGETS),
    ):
        assert not overlapping(figure)
        assert inside(figure)


def test_surface(planner):
    found = surface(planner, 1e9, 1e10, steps=12)
    figure = found.plot()
    texts = words(figure)
    assert {"all web", "all code", "all books", "h*", "as good within 0.1%", "runs"} <= set(texts)
    star = next(line for line in figure.axes[0].lines if line.get_marker() == "*")
    h = found.best.weights
    assert np.allclose(star.get_xydata(), [[h[1] + h[2] / 2, h[2] * 0.75**0.5]])
    assert inside(figure)


@pytest.mark.parametrize("k", [3, 4])
def test_target_map(k):
    domains = [f"d{i}" for i in range(k)]
    C = {d: list(0.3 + np.eye(k)[i]) for i, d in enumerate(domains)}
    made = additive(C, {d: [0.6] * k for d in domains}, domains)
    found = map_targets(Planner(made), 1e9, 1e10, steps=3)
    figure = found.plot()
    assert {f"{'all ' if k == 3 else ''}{d}" for d in domains} <= set(words(figure))
    assert inside(figure)


def test_errors(comparison):
    figure = comparison.plot()
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["average", *comparison.targets]
    drawn = {line.get_label(): line.get_xdata() for line in ax.lines}
    for law in comparison.laws:
        tests = [
            comparison.summaries[law, row, "new mixtures"].test
            for row in (AVERAGE, *comparison.targets)
        ]
        assert np.allclose(drawn[law], tests)
    assert set(comparison.laws) <= set(words(figure))
    assert not overlapping(figure)
    assert inside(figure)


def test_learning_curve(curve, comparison):
    figure = curve.plot("mixtures")
    assert not overlapping(figure)
    assert titles(figure) == ["mean over targets", *curve.targets]
    (line,) = figure.axes[0].lines
    assert line.get_xdata().tolist() == [4, 8]
    own = [
        f.score.mre
        for f in curve.figures
        if (f.split, f.column, f.target) == ("test", "q=4", AVERAGE)
    ]
    assert len(own) == 3
    assert line.get_ydata()[0] == pytest.approx(np.median(own))
    with pytest.raises(UsageError, match="split_learning_curve"):
        comparison.plot("mixtures")


def test_names_are_names_whatever_signs_they_have(tmp_path):
    odd = ("$x_1$", "<a> & b", "m|\\frac{1}")
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(3), 12)
    losses = {"$\\alpha": 3 - h[:, 0], "a" * 80: 2 + h[:, 1]}
    runs = Runs.from_arrays(np.tile([1e8, 2e8, 4e8], 4), np.repeat([1e9, 2e9], 6), h, losses, odd)
    made = fit(runs, "chinchilla")
    evaluation = evaluate(made, runs)
    for figure in (evaluation.plot(), evaluation.plot("residuals"), evaluation.plot("by-flops")):
        texts = words(figure)
        assert any("$\\alpha" in text or "$x_1$" in text for text in texts)
        assert inside(figure)


def test_what_resamples_say_is_drawn(study):
    """Intervals of weights, and of what h* gains over another mixture, where the study has them."""
    weights = study.mixture.weights
    known = Certainty(
        count=9,
        weights=np.column_stack([weights - 0.02, weights + 0.02]),
        low=1.0,
        high=2.0,
        standard_error=0.1,
        gains={"uniform": Gain(1.0, 0.5, 2.0, 0.9)},
        notes=(),
    )
    sure = replace(study, mixture=replace(study.mixture, certainty=known))
    assert "90% over resamples" in words(sure.plot("weights"))
    assert "90% over resamples" in words(sure.plot("losses"))
    lines = [
        np.reshape(segment, (-1, 2))[:, 0]
        for collection in sure.plot("losses").axes[0].collections
        for segment in getattr(collection, "get_segments", list)()
    ]
    expected = [100 * (1 / 0.995 - 1), 100 * (1 / 0.98 - 1)]
    assert any(len(ends) == 2 and np.allclose(ends, expected) for ends in lines)
