"""What predictions are off by besides their parameters, estimated from the rows that were fitted.

Two parts. Within the sizes and lengths that were fitted: how far whole mixtures, runs and
checkpoints are from the law. Beyond them: the largest sizes are left out, and then more, the law is
fitted to the others from where it is, and the errors where it was not fitted are compared with
those of runs within; likewise for the longest lengths. What all mixtures of a target have in common
there, a shift, is most of it, and stays apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.fitting.solvers import descend
from mixfit.fitting.uncertainty import Errors, Growth, Noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.base.parallel import Executor
    from mixfit.fitting.resamples import Optimum
    from mixfit.runs.target_rows import TargetRows

_CUTS = 2  # of sizes, and of lengths
_LEAST = 2  # sizes, and lengths, that must remain; with one, the law has another form
_TOLERANCE = 1e-5


def errors_of(optima: Sequence[Optimum], parameters: Sequence[float], executor: Executor) -> Errors:
    """Estimate the errors of a fit.

    Args:
        optima: its targets.
        parameters: how many numbers in h the rows decided, of each target.
        executor: where the work is done.
    """
    tasks = [*zip(optima, parameters, strict=True)]
    measured = executor.map(_measure, tasks, "measuring errors")
    noise = {
        optimum.rows.target: own.noise for optimum, own in zip(optima, measured, strict=True)
    }
    sizes, lengths = (
        _growth([(away, own.noise) for own in measured for away in getattr(own, name)])
        for name in ("sizes", "lengths")
    )
    return Errors(model_size=sizes, tokens=lengths, noise=noise)


class _Away(NamedTuple):
    """Errors where a law was not fitted.

    Attributes:
        distance: the mean difference of logs from what was fitted.
        shift: the mean error, in percent.
        own: the standard deviation of the mixtures' errors about it.
        mixtures: how many there are.
    """

    distance: float
    shift: float
    own: float
    mixtures: int


class _Measured(NamedTuple):
    noise: Noise
    sizes: list[_Away]
    lengths: list[_Away]


def _measure(task: tuple[Optimum, float]) -> _Measured:
    optimum, parameters = task
    rows = optimum.rows
    objective, theta = optimum.objective()
    within = 100 * np.log(rows.loss / objective.formula.predict(theta, rows.N, rows.D, rows.h))
    sizes, lengths = [], []
    kinds = objective.formula.law
    if kinds.uses_model_size:
        known = np.unique(rows.N)
        cuts = known[::-1][1 : 1 + _CUTS]
        sizes = _beyond(optimum, rows.N, cuts)
    if kinds.uses_tokens:
        low, high = np.log(rows.D.min()), np.log(rows.D.max())
        cuts = np.exp(high - (high - low) * np.arange(1, _CUTS + 1) / (_CUTS + 1))
        lengths = _beyond(optimum, rows.D, cuts)
    return _Measured(noise_of(within, rows, parameters), sizes, lengths)


def _beyond(optimum: Optimum, values: Array, cuts: Array) -> list[_Away]:
    """Fit the rows up to each cut, and predict those beyond."""
    found = []
    for cut in cuts:
        kept = values <= cut * (1 + 1e-9)
        if len(np.unique(values[kept])) < _LEAST or kept.all():
            continue
        away = _away(optimum, kept, values)
        if away is not None:
            found.append(away)
    return found


def _away(optimum: Optimum, kept: Mask, values: Array) -> _Away | None:
    rows, beyond = optimum.rows.select(kept), optimum.rows.select(~kept)
    if np.ptp(rows.N) == 0 < np.ptp(optimum.rows.N) or np.ptp(rows.D) == 0 < np.ptp(optimum.rows.D):
        return None  # the law has another form there
    objective, start = optimum.objective(rows)
    theta = descend(objective, start, tolerance=_TOLERANCE).theta
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        predicted = objective.formula.predict(theta, beyond.N, beyond.D, beyond.h)
        errors = 100 * np.log(beyond.loss / predicted)
    if not np.all(np.isfinite(errors)):
        return None
    means = means_by(errors, np.unique(beyond.mixture, return_inverse=True)[1])
    distance = float(np.log(values[~kept] / values[kept].max()).mean())
    own = float(means.std(ddof=1)) if len(means) > 1 else 0.0
    return _Away(distance, float(means.mean()), own, len(means))


def _growth(points: Sequence[tuple[_Away, Noise]]) -> Growth | None:
    """Compare errors beyond what was fitted with those within."""
    points = [(away, noise) for away, noise in points if noise.total > 0]
    if not points:
        return None
    shift, own = [], []
    for away, noise in points:
        scale = away.distance * noise.total**2
        # A mean of some mixtures is off by chance too, and mixtures differ within as well.
        shift.append((away.shift**2 - away.own**2 / away.mixtures) / scale)
        own.append((away.own**2 - noise.mixture**2 - noise.run**2) / scale)
    return Growth(*(float(np.sqrt(max(np.mean(x), 0.0))) for x in (shift, own)))


def noise_of(errors: Array, rows: TargetRows, parameters: float) -> Noise:
    """Estimate variance components by moments: mixtures, their runs, and checkpoints of these.

    Args:
        errors: observed from predicted, in percent, (rows,).
        rows: the rows.
        parameters: how many numbers in h were fitted to them.
    """
    keys = np.stack([rows.mixture, np.unique(rows.N, return_inverse=True)[1]], axis=1)
    _, first, run = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    run = run.reshape(-1)
    runs, count = means_by(errors, run), np.bincount(run)
    checkpoint = _square(errors - runs[run], len(rows) - len(runs))
    per_run = checkpoint / count
    mixture = np.unique(rows.mixture[first], return_inverse=True)[1]
    mixtures, of_each = means_by(runs, mixture), np.bincount(mixture)
    spread = _square(runs - mixtures[mixture], len(runs) - len(mixtures))
    of_runs = max(spread - float(per_run.mean()), 0.0)
    below = float(np.mean((of_runs + means_by(per_run, mixture)) / of_each))
    # What was fitted to the mixtures took part of their errors away.
    of_mixtures = max(_square(mixtures, max(len(mixtures) - parameters, 1.0)) - below, 0.0)
    return Noise(*(float(np.sqrt(x)) for x in (of_mixtures, of_runs, checkpoint)))


def means_by(values: Array, group: Indices) -> Array:
    """Give the mean of the values of each group, numbered from 0."""
    means: Array = np.bincount(group, values) / np.bincount(group)
    return means


def _square(values: Array, freedom: float) -> float:
    """Give the mean square for so many degrees of freedom, 0 for none."""
    return float(values @ values) / freedom if freedom > 0 else 0.0
