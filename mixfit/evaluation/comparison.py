"""What a comparison is: its results, not how they come about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mixfit.base.shown import Drawn, Shown

if TYPE_CHECKING:
    import pandas as pd

    from mixfit.base.errors import Note
    from mixfit.evaluation.decision import Decisions
    from mixfit.evaluation.evaluate import Score
    from mixfit.fitting.result import Candidate, Choice

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
        decisions: (law, what is picked for as in `mixfit.evaluation.decision`, column) to what its
            picks are worth among the mixtures held out; not there where these are too few.
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
    decisions: dict[tuple[str, str, str], Decisions]
    standings: tuple[Candidate, ...]
    choice: Choice | None
    notes: tuple[Note, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give a table with a row for each figure, as a compare file has them."""
        import pandas as pd

        from mixfit.evaluation.comparison_file import figure_rows

        return pd.DataFrame(figure_rows(self))
