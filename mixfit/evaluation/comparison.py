"""What a comparison is: its results, and the rule that chooses a law; not how they come about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.shown import Drawn, Shown
from mixfit.fitting.result import Candidate, Choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

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


@dataclass(frozen=True, eq=False)
class Comparison(Shown, Drawn):
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
    standings: tuple[Candidate, ...]
    choice: Choice | None
    notes: tuple[Note, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give a table with a row for each figure, as a compare file has them."""
        import pandas as pd

        from mixfit.evaluation.comparison_file import figure_rows

        return pd.DataFrame(figure_rows(self))


def choose(standings: Sequence[Candidate]) -> Choice | None:
    """Choose the law with the lowest mean held-out error, or a smaller one that is as good.

    As good is what lies within one standard error, that of the lowest mean. The reason names the
    laws that have a lower error and may not be chosen.
    """
    candidates = [standing for standing in standings if not standing.excluded]
    if not candidates:
        return None
    best = min(candidates, key=lambda s: (s.mre, s.parameters or 0))
    margin = 0.0 if np.isnan(best.standard_error) else best.standard_error
    near = [s for s in candidates if s.mre <= best.mre + margin]
    chosen = min(near, key=lambda s: (s.parameters or 0, s.mre))
    reason = f"lowest mean held-out MRE, {best.mre:.3g}%"
    if chosen is not best:
        reason = (
            f"mean held-out MRE {chosen.mre:.3g}% with {chosen.parameters} parameters, within one"
            f" standard error ({margin:.2g}) of the lowest, {best.mre:.3g}% of {best.law} with"
            f" {best.parameters}"
        )
    passed = [s for s in standings if s.excluded and s.mre < chosen.mre]
    reason += "".join(f"; not {s.law}: {s.excluded}" for s in passed)
    return Choice(law=chosen.law, reason=reason)
