"""Which picture ``mixfit optimize`` draws, and what has to be known for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixfit.base.errors import UsageError
from mixfit.plots import BUDGETS, EACH_TARGET, KINDS, check_picture, draw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from mixfit.mixture.growth import Speed
    from mixfit.mixture.planner import Planner
    from mixfit.mixture.result import Mixture, PureTarget, Study

_OF_ONE = ("Study", "Growth", "Influence", "Surface", "TargetMap")
_OF_EACH = (EACH_TARGET, "Influence", "TargetMap")


def check(
    path: str | None,
    kind: str | None,
    sizes: Sequence[float],
    lengths: Sequence[float],
    *,
    each_target: bool,
) -> None:
    """Refuse a picture that could not be drawn, before any work is done.

    Args:
        path: the file, or None for no picture.
        kind: asked for, or None.
        sizes: the model sizes asked for.
        lengths: the numbers of tokens asked for.
        each_target: whether each target is on its own.

    Raises:
        UsageError: it could not be drawn.
    """
    check_picture(path, kind, (*_OF_ONE, BUDGETS, EACH_TARGET))
    grid = len(sizes) > 1 or len(lengths) > 1
    able = _OF_EACH if each_target else (BUDGETS,) if grid else _OF_ONE
    kinds = [name for result in able for name in KINDS[result]]
    if kind is not None and kind not in kinds:
        what = "--each-target" if each_target else "a grid" if grid else "one budget"
        raise UsageError(
            f"--plot-kind {kind} is no picture of {what}. Kinds there: {', '.join(kinds)}."
        )
    if kind == "growth" and not (sizes and lengths):
        raise UsageError(
            "--plot-kind growth needs --model-size and --tokens, from which both grow."
        )


def speeds_of(texts: Sequence[str], kind: str | None) -> Sequence[Speed]:
    """Read how N and D grow, in a picture of growth.

    Args:
        texts: such as ``1:0.5``; none for the usual ones.
        kind: of picture that is asked for.

    Raises:
        UsageError: one cannot be read, or the picture is another.
    """
    from mixfit.mixture.growth import SPEEDS, Speed

    if texts and kind != "growth":
        raise UsageError("--speeds is for --plot-kind growth.")
    return [Speed.of(text) for text in texts] or SPEEDS


def draw_optimum(
    path: str,
    kind: str | None,
    planner: Planner,
    study: Study | None,
    mixtures: Sequence[Mixture],
    pure: Sequence[PureTarget],
    speeds: Sequence[Speed],
) -> None:
    """Draw what was found, or what is asked for beside it, and write the picture.

    Args:
        path: the file.
        kind: of picture; the weights if None.
        planner: that found the mixtures.
        study: of the only mixture, where there is one.
        mixtures: the best ones by budget.
        pure: the best ones for each target alone.
        speeds: at which N and D grow, in a picture of growth.
    """
    from mixfit.plots.style import save

    save(_drawn(kind, planner, study, mixtures, pure, speeds), path)


def _drawn(
    kind: str | None,
    planner: Planner,
    study: Study | None,
    mixtures: Sequence[Mixture],
    pure: Sequence[PureTarget],
    speeds: Sequence[Speed],
) -> Figure:
    from mixfit.mixture.growth import grow
    from mixfit.mixture.over_simplex import influence, map_targets, surface

    if kind in (None, "weights", "losses"):
        if study is not None:
            return draw(study, kind)
        return draw(pure or mixtures, kind, name=EACH_TARGET if pure else BUDGETS)
    first = pure[0].mixture if pure else mixtures[0]
    budget = first.model_size, first.tokens
    if kind == "growth":
        assert first.model_size is not None
        assert first.tokens is not None
        return draw(grow(planner, first.model_size, first.tokens, speeds=speeds), kind)
    if kind == "influence":
        best = planner.best(*budget) if pure else first
        about = "h*" + (f" for {best.budget}" if best.budget else "")
        return draw(influence(planner, *budget, best.weights, about), kind)
    if kind == "surface":
        return draw(surface(planner, *budget), kind)
    return draw(map_targets(planner, *budget), kind)
