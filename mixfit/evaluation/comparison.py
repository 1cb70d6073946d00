"""What a comparison is: its results, and the rule that chooses a law; not how they come about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.errors import Note
    from mixfit.evaluation.evaluate import Score

AVERAGE = "average"
TRAIN, TEST = "train", "test"


@dataclass(frozen=True)
class Figure:
    """How one law predicts one part of one split.

    Attributes:
        law: its name.
        target: or `AVERAGE` for the mean over targets.
        split: `TRAIN` or `TEST`.
        column: of the table.
        fold: the number of the split among those of the column.
        model_size: or `ALL_SIZES`.
        score: on the rows of the part.
    """

    law: str
    target: str
    split: str
    column: str
    fold: int
    model_size: float | None
    score: Score


@dataclass(frozen=True)
class Summary:
    """What a table says of a law, a target and a column: means over the splits of the column.

    Attributes:
        train: mean relative error on the rows fitted, in percent.
        test: on the rows held out.
        error: standard error of `test` over the mixtures held out, NaN for fewer than two.
        bias: mean of (prediction - observation) / observation held out, in percent.
        rank: Spearman's correlation held out, NaN where it is not defined.
        rows: held out, in all splits together.
    """

    train: float
    test: float
    error: float
    bias: float
    rank: float
    rows: int


@dataclass(frozen=True)
class Standing:
    """A law in the choice of one.

    Attributes:
        law: its name.
        parameters: the most that one target needs, or None where that says nothing.
        test: mean held-out MRE over targets and columns, in percent; NaN where it has none.
        error: its standard error.
        seconds: to fit all targets once, on one core.
        excluded: why it cannot be chosen, or "".
    """

    law: str
    parameters: int | None
    test: float
    error: float
    seconds: float
    excluded: str = ""


@dataclass(frozen=True)
class Choice:
    """The law to use.

    Attributes:
        law: its name.
        reason: the rule and the figures that led to it.
    """

    law: str
    reason: str


@dataclass(frozen=True, eq=False)
class Comparison(Shown):
    """Several laws on the same splits.

    Attributes:
        title: what was done.
        laws: in the order asked for.
        targets: in the order of the table.
        columns: of the table.
        figures: all there are.
        summaries: (law, target or `AVERAGE`, column) to what the table says; not there where a law
            is not applicable.
        standings: a law each, in the order asked for.
        choice: the law to use, or None if none can be.
        notes: what a careful reader should know.
    """

    title: str
    laws: tuple[str, ...]
    targets: tuple[str, ...]
    columns: tuple[str, ...]
    figures: tuple[Figure, ...]
    summaries: dict[tuple[str, str, str], Summary]
    standings: tuple[Standing, ...]
    choice: Choice | None
    notes: tuple[Note, ...]


def choose(standings: Sequence[Standing]) -> Choice | None:
    """Choose the law with the lowest mean held-out error, or a smaller one that is as good.

    As good is what lies within one standard error, that of the lowest mean. The reason names the
    laws that have a lower error and may not be chosen.
    """
    candidates = [standing for standing in standings if not standing.excluded]
    if not candidates:
        return None
    best = min(candidates, key=lambda s: (s.test, s.parameters or 0))
    margin = 0.0 if np.isnan(best.error) else best.error
    near = [s for s in candidates if s.test <= best.test + margin]
    chosen = min(near, key=lambda s: (s.parameters or 0, s.test))
    reason = f"lowest mean held-out MRE, {best.test:.3g}%"
    if chosen is not best:
        reason = (
            f"mean held-out MRE {chosen.test:.3g}% with {chosen.parameters} parameters, within one"
            f" standard error ({margin:.2g}) of the lowest, {best.test:.3g}% of {best.law} with"
            f" {best.parameters}"
        )
    passed = [s for s in standings if s.excluded and s.test < chosen.test]
    return Choice(chosen.law, reason + "".join(f"; not {s.law}: {s.excluded}" for s in passed))
