"""What a careful statistician finds in the residuals of a fit, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trend:
    """Residuals of a target that go with something.

    Attributes:
        target: its name.
        against: ``N``, ``D`` or a domain, whose weight it is.
        correlation: Spearman's, over runs or mixtures; of D the mean of those within runs.
        p: how often chance alone would give one so far from 0, not corrected for how many were
            looked at.
    """

    target: str
    against: str
    correlation: float
    p: float


@dataclass(frozen=True)
class Influence:
    """A run, or a mixture, without which predictions would be others.

    Attributes:
        target: whose.
        mixture: domain to weight.
        model_size: N of the run, or None for all runs of the mixture.
        shift: how far predictions for the other mixtures move without it, root mean square in
            percent.
        usual: the median of this over all runs, or all mixtures.
    """

    target: str
    mixture: dict[str, float]
    model_size: float | None
    shift: float
    usual: float


@dataclass(frozen=True)
class Early:
    """Early checkpoints that the law fits worse than later ones.

    Attributes:
        target: its name.
        tokens: up to which they are early.
        early: mean relative error up to there, in percent.
        later: beyond.
        p: how often chance alone would give such a difference, not corrected.
    """

    target: str
    tokens: float
    early: float
    later: float
    p: float


@dataclass(frozen=True)
class Misfits:
    """What was found, of all targets.

    Attributes:
        looked_at: how many correlations and differences were; a p counts where it is below 0.01
            over this number.
        trends: of residuals.
        influences: outsized ones.
        early: checkpoints that the law does not fit.
    """

    looked_at: int
    trends: tuple[Trend, ...]
    influences: tuple[Influence, ...]
    early: tuple[Early, ...]
