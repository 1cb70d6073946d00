"""Results that show and draw themselves, although what lays them out stands above them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

TEXT, HTML = "text", "html"
_layouts: dict[str, Callable[[object, str], str]] = {}
_pictures: dict[str, Callable[..., Figure]] = {}


class Shown:
    """A result that `print` gives as tables, and a notebook too.

    Rooms import downward only, so that a result cannot import its report. `mixfit.reports`, which
    importing mixfit imports, leaves here how each type is laid out, and this looks it up.
    """

    def __str__(self) -> str:
        return self._laid_out(TEXT)

    def _repr_html_(self) -> str:
        return self._laid_out(HTML)

    def _laid_out(self, form: str) -> str:
        names = (base.__name__ for base in type(self).__mro__)
        return next(_layouts[name] for name in names if name in _layouts)(self, form)


class Drawn:
    """A result that can be drawn; `mixfit.plots` leaves here how, as for `Shown`."""

    def plot(self, kind: str | None = None, **options: Any) -> Figure:
        """Draw the result as a matplotlib figure.

        Args:
            kind: of picture; `mixfit.plots` lists those of each result.
            options: of the drawing function, such as ``ax``.

        Raises:
            UsageError: if there is no such kind, or matplotlib is not installed.
        """
        return _pictures[type(self).__name__](self, kind, **options)


def draw_by(name: str, draw: Callable[..., Figure]) -> None:
    """Leave how the results of a type are drawn.

    Args:
        name: of the type.
        draw: from a result, the kind of picture or None, and options to a figure.
    """
    _pictures[name] = draw


def show_by(name: str, layout: Callable[[object, str], str]) -> None:
    """Leave how the results of a type are laid out.

    Args:
        name: of the type. Not the type: to import them all would make importing mixfit slow.
        layout: from a result and `TEXT` or `HTML` to that form of it.
    """
    _layouts[name] = layout
