"""Results to pictures; nothing here computes. Needs matplotlib, the extra ``mixfit[plot]``.

Each picture is a function ``mixfit.plots.NAME(result, ax=None)``, which gives a matplotlib figure;
``result.plot(kind)`` calls it, and so do the commands with ``--plot``.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mixfit.base.errors import UsageError, nearest, parameter
from mixfit.base.shown import draw_by

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg", ".pdf")


class Kind(NamedTuple):
    """A kind of picture of a result.

    Attributes:
        module: in `mixfit.plots`.
        function: that draws it.
        options: of the function, fixed.
        caption: what it shows, for a page and for those who do not see it.
    """

    module: str
    function: str
    options: dict[str, str]
    caption: str


_CURVES = (
    "Loss against {} with the law's curves for some mixtures, dotted beyond what was fitted; the"
    " colour is a domain's weight"
)
# Tuples of results that are drawn together: `Mixture` and `PureTarget`.
BUDGETS, EACH_TARGET = "Budgets", "EachTarget"
# Type of a result, or what it is called here, to its kinds of pictures, the first by default.
KINDS: dict[str, dict[str, Kind]] = {
    "Evaluation": {
        "observed": Kind("evaluate", "observed", {}, "Observed against predicted loss"),
        "by-size": Kind("evaluate", "curves", {"along": "N"}, _CURVES.format("model size")),
        "by-tokens": Kind("evaluate", "curves", {"along": "D"}, _CURVES.format("tokens")),
        "by-flops": Kind("evaluate", "curves", {"along": "6ND"}, _CURVES.format("6ND")),
        "residuals": Kind(
            "evaluate",
            "residuals",
            {},
            "How far predictions are above what was observed, against N, D and each domain's"
            " weight; where the law is right, all is flat at 0",
        ),
    },
    "Fit": {
        "by-flops": Kind("evaluate", "curves", {"along": "6ND"}, _CURVES.format("6ND")),
        "by-size": Kind("evaluate", "curves", {"along": "N"}, _CURVES.format("model size")),
        "by-tokens": Kind("evaluate", "curves", {"along": "D"}, _CURVES.format("tokens")),
    },
    "Study": {
        "weights": Kind(
            "optimize",
            "weights",
            {},
            "The weights of the best mixture, as far as each may go within 0.1% of the best loss,"
            " beside other mixtures",
        ),
        "losses": Kind(
            "optimize", "losses", {}, "Predicted losses of other mixtures against the best one's"
        ),
    },
    "Mixture": {"weights": Kind("optimize", "weights", {}, "The weights of the best mixture")},
    BUDGETS: {
        "weights": Kind("scaling", "budgets", {}, "The best mixture against model size and tokens")
    },
    "Growth": {
        "growth": Kind(
            "scaling", "growth", {}, "The best mixture as model size and tokens grow together"
        )
    },
    EACH_TARGET: {
        "weights": Kind("targets", "each_target", {}, "The best mixture for each target alone")
    },
    "Influence": {
        "influence": Kind(
            "targets", "influence", {}, "Which domain helps which target, for a point of weight"
        )
    },
    "Surface": {
        "surface": Kind("simplex", "surface", {}, "The loss over all mixtures of three domains")
    },
    "TargetMap": {
        "map": Kind(
            "simplex",
            "target_map",
            {},
            "The best mixture for each way to weigh the domains as targets",
        )
    },
    "Comparison": {
        "errors": Kind("compare", "errors", {}, "Held-out error by law and target"),
        "mixtures": Kind(
            "compare", "learning_curve", {}, "Held-out error against the number of mixtures fitted"
        ),
    },
}
_FUNCTIONS = {kind.function: kind.module for kinds in KINDS.values() for kind in kinds.values()}

__all__ = list(_FUNCTIONS)


def __getattr__(name: str) -> object:
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 'mixfit.plots' has no attribute '{name}'")
    require_matplotlib()
    return getattr(import_module(f"mixfit.plots.{_FUNCTIONS[name]}"), name)


def require_matplotlib() -> None:
    """Refuse to draw where matplotlib is not installed.

    Raises:
        UsageError: if it is not; the message names the extra.
    """
    try:
        import_module("matplotlib")
    except ImportError:
        raise UsageError(
            "Pictures need matplotlib, which is not installed: pip install 'mixfit[plot]'."
        ) from None


def check_picture(path: str | None, kind: str | None, results: tuple[str, ...]) -> None:
    """Refuse, before any work is done, a picture that could not be drawn or written.

    Args:
        path: the file, or None for no picture.
        kind: asked for, or None for the first.
        results: the types of result of which there may be one.

    Raises:
        UsageError: the ending is none of a picture's, there is no such kind, there is a kind but
            no file, or matplotlib is not installed.
    """
    if path is None:
        if kind is not None:
            raise UsageError(f"{parameter('plot_kind')} needs {parameter('plot')} FILE.")
        return
    if Path(path).suffix.lower() not in ENDINGS:
        raise UsageError(
            f"{parameter('plot')} {path}: pictures are written as .png, .svg or .pdf; end the name"
            " so."
        )
    known = list(dict.fromkeys(name for result in results for name in KINDS[result]))
    if kind is not None and kind not in known:
        raise UsageError(
            f"There is no kind of picture '{kind}'.{nearest(kind, known)} Kinds:"
            f" {', '.join(known)}."
        )
    require_matplotlib()


def draw(
    result: Any, kind: str | None = None, *, name: str | None = None, **options: Any
) -> Figure:
    """Draw a result.

    Args:
        result: of a type in `KINDS`.
        kind: of picture; the first by default.
        name: that `KINDS` has for the result, where it is a tuple of results.
        options: of the drawing function.

    Raises:
        UsageError: there is no such kind, or matplotlib is not installed.
    """
    return _draw(name or type(result).__name__, result, kind, **options)


def _draw(name: str, result: Any, kind: str | None, **options: Any) -> Figure:
    kinds = KINDS[name]
    if kind is not None and kind not in kinds:
        raise UsageError(
            f"There is no kind of picture '{kind}' of this result.{nearest(kind, kinds)} Kinds:"
            f" {', '.join(kinds)}."
        )
    require_matplotlib()
    chosen = kinds[kind or next(iter(kinds))]
    module: Any = import_module(f"mixfit.plots.{chosen.module}")
    figure: Figure = getattr(module, chosen.function)(result, **chosen.options, **options)
    return figure


for _name in KINDS:  # those of tuples are never looked up
    draw_by(_name, partial(_draw, _name))
