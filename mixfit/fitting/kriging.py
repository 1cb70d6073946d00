"""The discrepancies of a fit, by marginal likelihood from what its law leaves of the losses."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import cho_solve, lapack
from scipy.optimize import minimize

from mixfit.base.errors import Note
from mixfit.base.metrics import robust_deviation
from mixfit.fitting.discrepancy import (
    GP,
    NONE,
    Apart,
    Discrepancy,
    Kernel,
    Points,
    alike,
    alike_seen,
    covariance,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array, Indices
    from mixfit.base.parallel import Executor
    from mixfit.fitting.result import Fit, TargetFit
    from mixfit.runs.runs import Runs
    from mixfit.runs.target_rows import TargetRows

_ROUGH, _MOST = 500, 800  # points at the most, to find the kernel and in the end
_SAME_D = 0.01  # a difference of logs
_LEAST = 5  # mixtures
_FAR = 5.0  # standard deviations; a run that went wrong counts as no farther off
_EXACT = 1e-6  # of the losses; a law that leaves less leaves rounding
# The logs of variances, in units of a point's noise, and of lengths, as before anything is seen:
# mean and standard deviation. The length between mixtures is in units of their median distance.
_VARIANCE, _LENGTH, _MIXTURE = (-1.5, 2.0), (0.7, 0.7), (0.0, 1.0)
_BOUNDS = {"mixture": (-2.0, 3.0), "model_size": (-1.0, 3.0), "tokens": (-1.0, 3.0)}
_VARIANCE_BOUNDS = -9.0, 3.0
_STEPS = 60


def with_discrepancies(
    fits: Sequence[Fit], tables: Sequence[Runs], executor: Executor
) -> list[tuple[Fit, float]]:
    """Add to fits what their laws leave of the losses, where their options ask for it.

    Args:
        fits: each made on a table.
        tables: the rows that were fitted.
        executor: where the work is done.

    Returns:
        For each the fit, and the seconds that it took.
    """
    wanted = [number for number, fit in enumerate(fits) if fit.options.discrepancy != NONE]
    tasks = [
        _Task(fits[number].targets, tables[number], fits[number].options.discrepancy == GP)
        for number in wanted
    ]
    results = executor.map(_timed, tasks, "what the law leaves") if tasks else []
    given = [(fit, 0.0) for fit in fits]
    for number, (found, seconds) in zip(wanted, results, strict=True):
        given[number] = _with(fits[number], found), seconds
    return given


class _Task(NamedTuple):
    targets: dict[str, TargetFit]
    runs: Runs
    always: bool


def _timed(task: _Task) -> tuple[dict[str, Discrepancy], float]:
    begin = time.perf_counter()
    found = discrepancies_of(task.targets, task.runs, always=task.always)
    return found, time.perf_counter() - begin


def _with(fit: Fit, found: Mapping[str, Discrepancy]) -> Fit:
    if not found:
        return fit
    targets = {
        name: replace(target, discrepancy=found.get(name)) for name, target in fit.targets.items()
    }
    text = (
        "predictions add a discrepancy, what the law leaves of the losses near the runs fitted;"
        " --discrepancy none leaves it out"
    )
    return replace(fit, targets=targets, notes=(*fit.notes, Note("discrepancy", text)))


def discrepancies_of(
    fits: Mapping[str, TargetFit], runs: Runs, *, always: bool
) -> dict[str, Discrepancy]:
    """Find the discrepancies of a law from the losses that it was fitted to.

    The kernel is that with the highest marginal likelihood over all targets together, each with
    noise of its own, times weak priors.

    Args:
        fits: the law fitted to each target.
        runs: the rows that were fitted.
        always: whether they are wanted although the rows do not speak for them.

    Returns:
        Target to discrepancy; nothing where mixtures are too few, where the law is exact, or where
        the likelihood does not rise by more than one for each number of the kernel.
    """
    sound = {}
    for target, fit in fits.items():
        loss = runs.losses_of(target)
        left = loss - fit.predict(runs.N, runs.D, runs.h)
        usual = robust_deviation(left)
        if np.isfinite(usual) and usual > _EXACT * np.nanmean(loss):
            sound[target] = near(left)
    if not sound or len(runs.mixtures) < _LEAST:
        return {}
    search = _Search(averaged(runs, np.array([*sound.values()]), _ROUGH))
    kernel, gained = search.best()
    if not always and not gained > len(search.free):
        return {}
    seen = averaged(runs, np.array([*sound.values()]))
    return dict(zip(sound, Discrepancy.of(kernel, *seen), strict=True))


def near(left: Array) -> Array:
    """Bring what is left of a target, (rows,), to within five robust standard deviations."""
    most = _FAR * robust_deviation(left)
    return np.clip(left, -most, most)


class Seen(NamedTuple):
    """What is left at points, (targets, points), NaN where a target has no loss."""

    points: Points
    left: Array


def averaged(runs: Runs | TargetRows, left: Array, most: int = _MOST) -> Seen:
    """Average what is left over neighbouring checkpoints of each run.

    Args:
        runs: the rows that were fitted.
        left: (targets, rows), NaN where a target has no loss.
        most: points at the most.
    """
    group = neighbours(runs, most)
    numbers, rows = np.unique(group, return_index=True)
    first = rows[numbers >= 0]
    points = Points(
        mixtures=runs.mixtures,
        mixture=runs.mixture[first],
        N=runs.N[first],
        D=np.exp(_means(np.log(runs.D), group)),
    )
    return Seen(points, np.array([_means(own, group) for own in left]))


def neighbours(runs: Runs | TargetRows, most: int = _MOST) -> Indices:
    """Group rows: neighbouring checkpoints of a run, so that there are not too many groups.

    Returns:
        The group (rows,) of each row, and -1 for those of runs beyond `most`, which are evenly
        spread in the order of their mixtures.
    """
    order = np.lexsort([runs.D, runs.N, runs.mixture])
    new_run = np.diff(runs.mixture[order], prepend=-1) != 0
    new_run |= np.diff(runs.N[order], prepend=0) != 0
    # What is logged twice, at nearly the same D, has one noise.
    new_checkpoint = new_run | (np.diff(np.log(runs.D[order]), prepend=0.0) > _SAME_D)
    run, checkpoint = np.cumsum(new_run) - 1, np.cumsum(new_checkpoint) - 1
    first = checkpoint[new_run]
    lengths = np.diff(first, append=checkpoint[-1] + 1)
    kept = np.ones(len(lengths), bool)
    if len(lengths) > most:
        kept[:] = False
        kept[np.linspace(0, len(lengths) - 1, most).astype(int)] = True
    parts = 1
    while parts < lengths.max() and np.minimum(parts + 1, lengths[kept]).sum() <= most:
        parts += 1
    of_run = np.where(kept, np.minimum(parts, lengths), 0)
    part = (checkpoint - first[run]) * of_run[run] // lengths[run]
    group = np.empty(len(order), int)
    group[order] = np.where(kept[run], (np.cumsum(of_run) - of_run)[run] + part, -1)
    return group


def _means(values: Array, group: Indices) -> Array:
    """Give the means of the values of each group over what is not NaN; NaN where nothing is."""
    counted = (group >= 0) & ~np.isnan(values)
    size = group.max() + 1
    count = np.bincount(group[counted], minlength=size)
    total = np.bincount(group[counted], values[counted], size)
    means: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


class _Search:
    """The kernel with the highest posterior density, in the logs of its numbers."""

    def __init__(self, seen: Seen) -> None:
        points = seen.points
        self._points = points
        self._apart = Apart.of(points.N, points.D, points.h, points)
        several = {
            "model_size": len(np.unique(points.N)) > 1,
            "tokens": len(np.unique(points.D)) > 1,
        }
        distances = self._apart.mixture[self._apart.mixture > 0]
        self._distance = float(np.sqrt(np.median(distances)))
        trained = np.unique(np.stack([points.mixture, points.N]), axis=1).shape[1]
        self._priors = {"mixture": _MIXTURE, "everywhere": _VARIANCE}
        for name, there in several.items():
            if there:
                self._priors |= {name: _LENGTH, f"by_{name}": _VARIANCE}
                self._priors |= {f"common_{name}": _VARIANCE}
        if trained < len(points):
            self._priors["run"] = _VARIANCE
        self.free = tuple(self._priors)
        self._groups = [
            (places, _standardised(seen.left[np.ix_(own, places)]))
            for places, own in alike_seen(seen.left)
        ]

    def best(self) -> tuple[Kernel, float]:
        """Find it; give by how much it raises the log likelihood over noise alone too."""
        middle, spread = np.array([*self._priors.values()]).T
        bounds = [_BOUNDS.get(name, _VARIANCE_BOUNDS) for name in self.free]

        def goal(logs: Array) -> tuple[float, Array]:
            value, slope = self._likelihood(self._kernel(logs))
            off = (logs - middle) / spread
            # One table is one piece of evidence, however many targets it has.
            return 0.5 * float(
                off @ off
            ) - value / self._targets, off / spread - slope / self._targets

        found = minimize(
            goal,
            middle,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _STEPS, "ftol": 1e-6},
        )
        kernel = self._kernel(found.x)
        return kernel, self._likelihood(kernel)[0] - self._noise_alone()

    @property
    def _targets(self) -> int:
        return sum(len(left) for _, left in self._groups)

    def _kernel(self, logs: Array) -> Kernel:
        numbers = dict(zip(self.free, np.exp(logs).tolist(), strict=True))
        return Kernel(**{**numbers, "mixture": numbers["mixture"] * self._distance})

    def _noise_alone(self) -> float:
        """Give the highest log likelihood without a discrepancy."""
        shares = np.exp(np.linspace(*_VARIANCE_BOUNDS, 25)) if "run" in self.free else [0.0]
        return max(self._likelihood(Kernel(run=float(share)), slopes=False)[0] for share in shares)

    def _likelihood(self, kernel: Kernel, *, slopes: bool = True) -> tuple[float, Array]:
        """Give the log likelihood of all targets, each at its best noise, and its slope in logs."""
        value, slope = 0.0, np.zeros(len(self.free))
        for places, left in self._groups:
            points = self._points.select(places)
            factor, failed = lapack.dpotrf(covariance(kernel, points), lower=1)
            if failed:
                return -np.inf, slope
            weights = cho_solve((factor, True), left.T)
            variances = (left.T * weights).sum(axis=0) / len(places)
            value -= 0.5 * len(places) * float(np.log(variances).sum())
            value -= len(left) * float(np.log(np.diag(factor)).sum())
            if slopes:
                inverse, _ = lapack.dpotri(factor, lower=1)
                inverse = np.tril(inverse) + np.tril(inverse, -1).T
                outer = (weights / variances) @ weights.T - len(left) * inverse
                slope += [0.5 * float((outer * own).sum()) for own in self._changes(kernel, places)]
        return value, slope

    def _changes(self, kernel: Kernel, places: Indices) -> list[Array]:
        """Give the derivatives of the covariance in the logs of the free numbers."""
        grid = np.ix_(places, places)
        apart = Apart(*(own[grid] for own in vars(self._apart).values()))
        of_mixture, factor, _ = alike(kernel, apart)
        near = {
            "model_size": np.exp(-apart.model_size / kernel.model_size),
            "tokens": np.exp(-apart.tokens / kernel.tokens),
        }
        changes = {
            "mixture": of_mixture * factor * apart.mixture / kernel.mixture**2,
            "everywhere": kernel.everywhere * of_mixture,
        }
        for name, own in near.items():
            by, common = getattr(kernel, f"by_{name}"), getattr(kernel, f"common_{name}")
            changes[f"by_{name}"] = by * of_mixture * own
            changes[f"common_{name}"] = common * own
            away = getattr(apart, name) / getattr(kernel, name)
            changes[name] = (by * of_mixture + common) * own * away
        points = self._points.select(places)
        same = (points.mixture[:, None] == points.mixture) & (points.N[:, None] == points.N)
        changes["run"] = kernel.run * same
        return [changes[name] for name in self.free]


def _standardised(left: Array) -> Array:
    """Divide what is left of each target, (targets, points), by its size."""
    size: Array = np.sqrt((left**2).mean(axis=1, keepdims=True))
    return left / size
