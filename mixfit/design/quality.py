"""What can be said of a design before a run is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.design.criterion import NOISE, neutral_model
from mixfit.design.result import Coverage, Figures, LawSize, Quality
from mixfit.laws.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mixfit.base.arrays import Array
    from mixfit.design.region import Region

# Those that the study in docs/design.md is of.
_LAWS = ("simple", "additive", "coupled", "joint", "coupled-joint")
_POINTS = 600  # of the region at which errors are worked out
_RANDOM = 7  # designs
FALSE, ROUGH, SOUND = "a false optimum", "rough predictions", "sound predictions"
_ENOUGH = 1.4  # mixtures for each number of a law
# Mixtures for each number of the additive law at one N and D, 2k + 1, from which on the errors of
# the study in docs/design.md hold, in percent.
_ERRORS = ((2.2, (0.35, 1.7)), (1.3, (0.4, 2.0)), (0.85, (0.65, 2.4)), (0.65, (0.9, 0.95)))


def quality_of(
    region: Region,
    mixtures: Array,
    existing: Array,
    sizes: Iterable[tuple[float | None, float | None]],
    rng: np.random.Generator,
) -> Quality:
    """Work out what is known before a run is trained.

    Args:
        region: of the design.
        mixtures: the new ones (m, k).
        existing: those that were run before (e, k).
        sizes: pairs of N and D of the runs.
        rng: of the points at which errors are worked out, and of the random designs.
    """
    every = np.concatenate([mixtures, existing])
    drawn_evenly = region.draw(_POINTS + 3 * len(mixtures), rng)
    points, others = drawn_evenly[:_POINTS], drawn_evenly[_POINTS:]
    drawn = [
        _figures(np.concatenate([rng.permutation(others)[: len(mixtures)], existing]), points)
        for _ in range(_RANDOM)
    ]
    medians = {
        name: float(np.median([getattr(figures, name) for figures in drawn]))
        for name in ("mean_error", "largest_error", "difference", "least_distance")
    }
    middle = points.mean(axis=0)
    return Quality(
        figures=_figures(every, points),
        random=Figures(**medians),
        coverage={
            domain: _coverage(every[:, index], float(middle[index]))
            for index, domain in enumerate(region.domains)
        },
        laws=law_sizes(region.k, len(every), list(sizes)),
        errors=next((e for least, e in _ERRORS if len(every) >= least * (2 * region.k + 1)), None),
    )


def _figures(mixtures: Array, points: Array) -> Figures:
    model = neutral_model(points.shape[1])
    errors = model.deviations(mixtures, points) / NOISE
    f, half = model.features(points), len(points) // 2
    apart = f[:half] - f[half : 2 * half]
    known = model.with_runs(mixtures)
    variances = np.einsum("np,np->n", apart, np.linalg.solve(known, apart.T).T)
    squares = (mixtures**2).sum(axis=1)
    squares = squares[:, None] + squares - 2 * mixtures @ mixtures.T
    squares[np.diag_indices(len(mixtures))] = np.inf
    return Figures(
        mean_error=float(np.sqrt(np.mean(errors**2))),
        largest_error=float(errors.max()),
        difference=2 * float(np.sqrt(np.maximum(variances, 0.0).mean())) / NOISE,
        least_distance=float(np.sqrt(max(squares.min(), 0.0)))
        if len(mixtures) > 1
        else float("nan"),
    )


def _coverage(weights: Array, middle: float) -> Coverage:
    return Coverage(
        zero=int(np.count_nonzero(weights == 0)),
        low=int(np.count_nonzero((weights > 0) & (weights < middle / 2))),
        high=int(np.count_nonzero(weights > 2 * middle)),
        least=float(weights.min()),
        mean=float(weights.mean()),
        most=float(weights.max()),
    )


def law_sizes(
    k: int, mixtures: int, sizes: list[tuple[float | None, float | None]]
) -> tuple[LawSize, ...]:
    """Set laws, in the form that runs of some sizes can tell apart, beside a number of mixtures.

    Laws that these runs cannot tell from a smaller one are left out.
    """
    model_sizes, lengths = ({pair[place] for pair in sizes} for place in (0, 1))
    found: dict[int, str] = {}
    for name in _LAWS:
        form = CATALOGUE[name].identified(
            one_model_size=len(model_sizes) == 1, one_token_count=len(lengths) == 1
        )
        found.setdefault(form.count(k), name)
    return tuple(
        LawSize(name, numbers, _expected(mixtures / numbers))
        for numbers, name in sorted(found.items())
    )


def _expected(for_each: float) -> str:
    return FALSE if for_each < 1 else ROUGH if for_each < _ENOUGH else SOUND
