"""What a design is: mixtures, the runs that train them, and what is known before they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

    from mixfit.base.arrays import Array
    from mixfit.base.errors import Note


@dataclass(frozen=True)
class PlannedRun:
    """A run to be trained.

    Attributes:
        name: its id.
        mixture: index into the mixtures of the design.
        model_size: N in parameters, or None where it is left to the user.
        tokens: D, likewise.
        replicate: 1, and more for further runs of the same mixture and size.
    """

    name: str
    mixture: int
    model_size: float | None
    tokens: float | None
    replicate: int = 1

    @property
    def flops(self) -> float:
        """6 N D, or NaN where N or D is not known."""
        if self.model_size is None or self.tokens is None:
            return float("nan")
        return 6.0 * self.model_size * self.tokens


@dataclass(frozen=True)
class Coverage:
    """How often a domain's weight is where, among all mixtures.

    Attributes:
        zero: mixtures without the domain.
        low: mixtures with less than half of its mean weight in the region, but some.
        high: mixtures with more than twice its mean weight in the region.
        least: its smallest weight.
        mean: its mean weight.
        most: its largest weight.
    """

    zero: int
    low: int
    high: int
    least: float
    mean: float
    most: float


@dataclass(frozen=True)
class Figures:
    """What the runs of mixtures will tell, by the model of `mixfit.design.criterion`.

    Errors are standard errors in units of the noise of one run.

    Attributes:
        mean_error: root mean square of the errors of predictions over the region.
        largest_error: the largest of them.
        difference: two standard errors of the difference between predictions for two mixtures, root
            mean square over the region: smaller differences will not be seen.
        least_distance: Euclidean distance of the two mixtures that are nearest to each other.
    """

    mean_error: float
    largest_error: float
    difference: float
    least_distance: float


@dataclass(frozen=True)
class LawSize:
    """A law beside the mixtures that there will be.

    Attributes:
        law: its name.
        numbers: that it has for each target, with the N and D of the runs.
        expect: what to expect of a fit without pooling: ``a false optimum``, ``rough predictions``
            or ``sound predictions``.
    """

    law: str
    numbers: int
    expect: str


@dataclass(frozen=True)
class Quality:
    """What is known of a design before a run is trained.

    Attributes:
        figures: of the design, with the runs that there are.
        random: medians of the same over random designs of as many mixtures.
        coverage: domain to where its weights are.
        laws: the laws, from small to large.
        errors: the lowest and the highest mean relative error, in percent, that pooled fits to
            I-optimal designs with as many mixtures for each number of the additive law had on new
            mixtures in the study of docs/design.md; None where it has none so small.
    """

    figures: Figures
    random: Figures
    coverage: dict[str, Coverage]
    laws: tuple[LawSize, ...]
    errors: tuple[float, float] | None = None


@dataclass(frozen=True)
class DomainTokens:
    """What there is of a domain, for the training that the mixture is for.

    Attributes:
        unique: tokens that there are.
        keep: of them to be kept for a run of each number of tokens, so that its passes are those of
            that training; run tokens to tokens.
    """

    unique: float
    keep: dict[float, float]


@dataclass(frozen=True)
class Alarm:
    """How well a fit knows its own optimum.

    Attributes:
        loss: the weighted loss that is predicted at h*.
        standard_error: of it, in percent of it.
        level: ``calm``, ``uncertain`` or ``alarm``.
        weights: domain to weight of h*.
    """

    loss: float
    standard_error: float
    level: str
    weights: dict[str, float]


@dataclass(frozen=True, eq=False)
class Design(Shown):
    """Mixtures to train, and the runs that train them.

    Attributes:
        domains: names of the k domains.
        targets: names of the losses to be logged.
        kind: how mixtures were chosen.
        seed: of all random numbers.
        grid: weights are multiples of 1/grid.
        steps: the new mixtures in steps of 1/grid, whole numbers (m, k).
        origins: (m,) where each comes from, such as ``uniform`` or ``i-optimal``.
        existing: mixtures (e, k) that were run before.
        runs: in the order in which they stand on the sheet, which is random.
        quality: what is known before they are trained; None where the region has one mixture.
        asked: what the mixtures obey, as it stands on the command line.
        tokens: D of the training that the mixture is for, or None.
        available: domain to what there is of it, where that is known.
        alarm: how well the fit knows its optimum, where there is one.
        notes: what a careful reader should know.
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    kind: str
    seed: int
    grid: int
    steps: Array
    origins: tuple[str, ...]
    existing: Array
    runs: tuple[PlannedRun, ...]
    quality: Quality | None
    asked: tuple[str, ...] = ()
    tokens: float | None = None
    available: dict[str, DomainTokens] | None = None
    alarm: Alarm | None = None
    notes: tuple[Note, ...] = ()

    @property
    def mixtures(self) -> Array:
        """The new mixtures, (m, k)."""
        return self.steps / self.grid

    @property
    def cost(self) -> dict[float, tuple[int, float]]:
        """Model size to how many runs it has and the FLOPs of them all; none where not known."""
        cost: dict[float, tuple[int, float]] = {}
        for run in sorted(self.runs, key=lambda run: run.model_size or 0.0):
            if run.model_size is not None and np.isfinite(run.flops):
                runs, flops = cost.get(run.model_size, (0, 0.0))
                cost[run.model_size] = runs + 1, flops + run.flops
        return cost

    def __repr__(self) -> str:
        return (
            f"Design({len(self.steps)} mixtures of {len(self.domains)} domains, {len(self.runs)} "
            f"runs, {self.kind})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Give the sheet as a data frame, with the losses empty (see `mixfit.design.sheet`)."""
        import pandas as pd

        from mixfit.design.sheet import sheet_rows

        header, *rows = sheet_rows(self)
        filled = [[np.nan if cell == "" else cell for cell in row] for row in rows]
        return pd.DataFrame(filled, columns=header).infer_objects()
