"""What a mixture file holds."""

from __future__ import annotations

from dataclasses import dataclass

from mixfit.base.errors import Note  # noqa: TC001, the mixture file is read by its type
from mixfit.base.plain import Blank, Omitted  # noqa: TC001, likewise
from mixfit.fitting.result import Range  # noqa: TC001, likewise


@dataclass(frozen=True)
class StoredFile:
    """A file that another was made from."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StoredBaseline:
    """A `Baseline`, with its weights by domain."""

    name: str
    weights: dict[str, float]
    loss: float
    predicted_loss: dict[str, float]
    predicted: Omitted[dict[str, float]] = None


@dataclass(frozen=True)
class StoredFree:
    """The best mixture without constraints."""

    weights: dict[str, float]
    loss: float


@dataclass(frozen=True)
class StoredCost:
    """A `Cost`."""

    constraint: str
    cost: float


@dataclass(frozen=True, kw_only=True)
class StoredChange:
    """A `LeastChange`, with its weights by domain."""

    start: dict[str, float]
    within: float
    divergence: float
    weights: dict[str, float]
    domain_tokens: Omitted[dict[str, float]] = None
    passes: Omitted[dict[str, float]] = None
    loss: float
    predicted_loss: dict[str, float]


@dataclass(frozen=True)
class StoredEnds:
    """The ends of a 90% interval."""

    low: Blank
    high: Blank


@dataclass(frozen=True)
class StoredGain:
    """A `Gain`, with the name of what is gained over."""

    name: str
    mean: float
    low: Blank
    high: Blank
    probability: Blank


@dataclass(frozen=True)
class StoredCertainty:
    """A `Certainty`, with the ends of weights by domain."""

    resamples: int
    weights: dict[str, StoredEnds]
    loss: StoredEnds
    standard_error: float
    gains: tuple[StoredGain, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, kw_only=True)
class StoredMixture:
    """A `Mixture`, with what is known of it where it is the only one."""

    target: Omitted[str] = None
    model_size: float | None
    tokens: float | None
    risk: Omitted[str] = None
    weights: dict[str, float]
    domain_tokens: Omitted[dict[str, float]] = None
    passes: Omitted[dict[str, float]] = None
    predicted_loss: dict[str, float]
    predicted: Omitted[dict[str, float]] = None
    loss: float
    objective: float
    gap: float
    convex: bool
    notes: tuple[Note, ...]
    distance_to_corner: Omitted[float] = None
    as_good: Omitted[dict[str, Range]] = None
    baselines: Omitted[tuple[StoredBaseline, ...]] = None
    certainty: Omitted[StoredCertainty] = None
    unconstrained: Omitted[StoredFree] = None
    costs: Omitted[tuple[StoredCost, ...]] = None
    least_change: Omitted[StoredChange] = None


@dataclass(frozen=True)
class MixtureFile:
    """The keys of a mixture file; ``docs/files.md`` says what each is."""

    fit: StoredFile
    targets: dict[str, float]
    mixtures: tuple[StoredMixture, ...]
