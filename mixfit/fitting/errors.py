"""What predictions are off by besides their parameters, estimated from the rows that were fitted.

Two parts. Within the sizes and lengths that were fitted: how far whole mixtures, runs and
checkpoints are from the law. Beyond them: the largest sizes are left out, and then more, the law is
fitted to the others from where it is, and the errors where it was not fitted are compared with
those of runs within; likewise for the longest lengths. What all mixtures of a target have in common
there, a shift, is most of it, and stays apart. What the parameters explain of these errors, by
resamples of the smaller fits, is taken off: it is counted apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.fitting.discrepancy import Discrepancy
from mixfit.fitting.kriging import averaged, near, neighbours
from mixfit.fitting.optimum import weighted, weights_of
from mixfit.fitting.pulls import pulled
from mixfit.fitting.solvers import descend
from mixfit.fitting.uncertainty import Errors, Growth, Noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.base.parallel import Executor
    from mixfit.fitting.optimum import Optimum
    from mixfit.laws.formula import Formula
    from mixfit.runs.target_rows import TargetRows

_CUTS = 2  # of sizes, and of lengths
_LEAST = 2  # sizes, and lengths, that must remain; with one, the law has another form
_TOLERANCE, _ROUGH = 1e-5, 1e-4
_RESAMPLES = 16  # of each cut, for what parameters explain of the errors beyond


def errors_of(
    optima: Sequence[Optimum],
    parameters: Sequence[float],
    pulls: float,
    seed: int,
    executor: Executor,
) -> Errors:
    """Estimate the errors of a fit.

    Args:
        optima: its targets.
        parameters: how many numbers in h the rows decided, of each target.
        pulls: how far off pulls may be, see `mixfit.fitting.pulls`.
        seed: of random weights.
        executor: where the work is done.
    """
    tasks = [_Task(*own, pulls, seed) for own in zip(optima, parameters, strict=True)]
    measured = executor.map(_measure, tasks, "measuring errors")
    noise = {optimum.rows.target: own.noise for optimum, own in zip(optima, measured, strict=True)}
    sizes, lengths = (
        _growth([(away, own.noise) for own in measured for away in getattr(own, name)])
        for name in ("sizes", "lengths")
    )
    return Errors(model_size=sizes, tokens=lengths, noise=noise)


class _Task(NamedTuple):
    optimum: Optimum
    parameters: float
    pulls: float
    seed: int


class _Away(NamedTuple):
    """Errors where a law was not fitted, less what chance and the parameters explain.

    Attributes:
        distance: the mean difference of logs from what was fitted.
        shift: square of the mean error, in percent squared.
        own: variance of the mixtures' errors about it.
    """

    distance: float
    shift: float
    own: float


class _Measured(NamedTuple):
    noise: Noise
    sizes: list[_Away]
    lengths: list[_Away]


def _measure(task: _Task) -> _Measured:
    optimum = task.optimum
    rows = optimum.rows
    objective, theta = optimum.objective()
    within = 100 * np.log(rows.loss / objective.formula.predict(theta, rows.N, rows.D, rows.h))
    sizes, lengths = [], []
    kinds = objective.formula.law
    if kinds.uses_model_size:
        known = np.unique(rows.N)
        cuts = known[::-1][1 : 1 + _CUTS]
        sizes = _beyond(task, rows.N, cuts)
    if kinds.uses_tokens:
        low, high = np.log(rows.D.min()), np.log(rows.D.max())
        cuts = np.exp(high - (high - low) * np.arange(1, _CUTS + 1) / (_CUTS + 1))
        lengths = _beyond(task, rows.D, cuts)
    noise = noise_of(within, rows, task.parameters)
    if optimum.discrepancy is not None:
        noise = _noise_beside(optimum.discrepancy, noise, within, rows)
    return _Measured(noise, sizes, lengths)


def _beyond(task: _Task, values: Array, cuts: Array) -> list[_Away]:
    """Fit the rows up to each cut, and predict those beyond."""
    found = []
    for cut in cuts:
        kept = values <= cut * (1 + 1e-9)
        if len(np.unique(values[kept])) < _LEAST or kept.all():
            continue
        away = _away(task, kept, values)
        if away is not None:
            found.append(away)
    return found


def _away(task: _Task, kept: Mask, values: Array) -> _Away | None:
    every = task.optimum.rows
    rows, beyond = every.select(kept), every.select(~kept)
    if np.ptp(rows.N) == 0 < np.ptp(every.N) or np.ptp(rows.D) == 0 < np.ptp(every.D):
        return None  # the law has another form there
    objective, start = task.optimum.objective(rows)
    mixture = np.unique(beyond.mixture, return_inverse=True)[1]

    theta = descend(objective, start, tolerance=_TOLERANCE).theta
    resamples = []
    for index, weights in enumerate(weights_of(len(every.mixtures), _RESAMPLES, task.seed)):
        drawn = weighted(objective, rows, weights)
        drawn = pulled(drawn, task.optimum, task.pulls, task.seed, index)
        resamples.append(descend(drawn, theta, tolerance=_ROUGH).theta)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        predicted = _predicted(
            objective.formula, [theta, *resamples], rows, beyond, task.optimum.discrepancy
        )
        # The mean error of each mixture beyond, in percent.
        means, *resampled = (
            means_by(100 * np.log(beyond.loss / own), mixture) for own in predicted
        )
    by_parameters = np.array([own for own in resampled if np.all(np.isfinite(own))])
    if len(by_parameters) < 2 or not np.all(np.isfinite(means)):
        return None
    shifts = by_parameters.mean(axis=1)
    own = means.var(ddof=1) if len(means) > 1 else 0.0
    # A mean of some mixtures is off by chance too.
    shift = means.mean() ** 2 - own / len(means) - shifts.var(ddof=1)
    own -= (by_parameters - shifts[:, None]).var(axis=0, ddof=1).mean()
    distance = float(np.log(values[~kept] / values[kept].max()).mean())
    return _Away(distance, float(shift), float(own))


def _predicted(
    formula: Formula,
    thetas: Sequence[Array],
    rows: TargetRows,
    beyond: TargetRows,
    added: Discrepancy | None,
) -> Array:
    """Predict losses from rows that were fitted, with what the law leaves of them if it counts.

    Returns:
        (thetas, rows beyond).
    """
    law = np.array([formula.predict(theta, beyond.N, beyond.D, beyond.h) for theta in thetas])
    if added is None:
        return law
    left = np.array(
        [near(rows.loss - formula.predict(theta, rows.N, rows.D, rows.h)) for theta in thetas]
    )
    points, seen = averaged(rows, left)
    (first,) = Discrepancy.of(added.kernel, points, seen[:1])
    at = beyond.N, beyond.D, beyond.h
    return law + first.predict(*at) + first.taken_up(seen[0] - seen, *at)


def _growth(points: Sequence[tuple[_Away, Noise]]) -> Growth | None:
    """Compare errors beyond what was fitted with those within."""
    points = [(away, noise) for away, noise in points if noise.total > 0]
    if not points:
        return None
    scales = [away.distance * noise.total**2 for away, noise in points]
    within = [noise.mixture**2 + noise.run**2 for _, noise in points]
    shift = [away.shift / scale for (away, _), scale in zip(points, scales, strict=True)]
    own = [
        (away.own - known) / scale
        for (away, _), known, scale in zip(points, within, scales, strict=True)
    ]
    return Growth(*(float(np.sqrt(max(float(np.mean(x)), 0.0))) for x in (shift, own)))


def noise_of(errors: Array, rows: TargetRows, parameters: float) -> Noise:
    """Estimate variance components by moments: mixtures, their runs, and checkpoints of these.

    Args:
        errors: observed from predicted, in percent, (rows,).
        rows: the rows.
        parameters: how many numbers in h were fitted to them.
    """
    run, first = rows.trained()
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


def _noise_beside(added: Discrepancy, noise: Noise, errors: Array, rows: TargetRows) -> Noise:
    """Give the noise of runs and checkpoints where the law's misfit is added to predictions.

    The variance of a point is that of a mean of some checkpoints; their scatter around it is what a
    single one has besides.
    """
    scale = 100 / float(rows.loss.mean())
    group = neighbours(rows)
    grouped = group >= 0
    means = means_by(errors[grouped], group[grouped])
    besides = float(np.mean((errors[grouped] - means[group[grouped]]) ** 2))
    checkpoint = added.variance * scale**2 + besides
    run = added.variance * added.kernel.run * scale**2
    return Noise(noise.mixture, float(np.sqrt(run)), float(np.sqrt(checkpoint)))


def means_by(values: Array, group: Indices) -> Array:
    """Give the mean of the values of each group, numbered from 0."""
    means: Array = np.bincount(group, values) / np.bincount(group)
    return means


def _square(values: Array, freedom: float) -> float:
    """Give the mean square for so many degrees of freedom, 0 for none."""
    return float(values @ values) / freedom if freedom > 0 else 0.0
