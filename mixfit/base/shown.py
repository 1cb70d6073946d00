"""Results that show themselves, although what lays them out stands above them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Layout = Callable[[object], str]

TEXT, HTML = "text", "html"
_layouts: dict[str, Mapping[str, Layout]] = {}


class Shown:
    """A result that `print` gives as tables, and a notebook too.

    Rooms import downward only, so that a result cannot import its report. `mixfit.reports`, which
    importing mixfit imports, leaves here how each type is laid out, and this looks it up.
    """

    def __str__(self) -> str:
        layout = _layout_of(self, TEXT)
        return repr(self) if layout is None else layout(self)

    def _repr_html_(self) -> str | None:
        layout = _layout_of(self, HTML)
        return None if layout is None else layout(self)


def show_by(name: str, layouts: Mapping[str, Layout]) -> None:
    """Leave how the results of a type are laid out.

    Args:
        name: of the type. Not the type: to import them all would make importing mixfit slow.
        layouts: `TEXT` and `HTML` to a function that makes it of a result.
    """
    _layouts[name] = layouts


def _layout_of(result: object, kind: str) -> Layout | None:
    names = (base.__name__ for base in type(result).__mro__)
    return next((_layouts[name][kind] for name in names if name in _layouts), None)
