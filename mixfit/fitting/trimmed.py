"""Which rows to fit, and how that was chosen, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mixfit.base.plain import Blank, Key


@dataclass(frozen=True)
class Cut:
    """Rows from some N and D on, and how well a law fitted to them predicts larger ones.

    Attributes:
        model_size: the smallest N that is fitted.
        tokens: the smallest D.
        rows: how many are fitted.
        mre: mean relative error on what was held out, in percent.
        difference: of the errors from those of the cut chosen, as a geometric mean of ratios, in
            percent.
        standard_error: of the difference, in percent.
    """

    model_size: float
    tokens: float
    rows: int
    mre: Annotated[float, Key(infinite=True)]
    difference: Blank
    standard_error: Blank


@dataclass(frozen=True)
class Trim:
    """How it was chosen from which N and D on rows are fitted.

    Attributes:
        tests: what was held out, in words.
        model_size: the smallest N kept.
        tokens: the smallest D kept.
        cuts: those that were tried.
    """

    tests: str
    model_size: float
    tokens: float
    cuts: tuple[Cut, ...]

    @property
    def chosen(self) -> Cut:
        """The cut that was chosen."""
        here = self.model_size, self.tokens
        return next(cut for cut in self.cuts if (cut.model_size, cut.tokens) == here)
