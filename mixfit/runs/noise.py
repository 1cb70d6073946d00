"""Losses against what the rest of a table leads to expect, with the table's own noise as measure.

Three comparisons, none of which needs a law. A checkpoint: how the loss moves from it to the next,
against the smooth curve of its run over log D, after what all runs of this N and D have in common
is taken off. A run: its level against the line over log N through the runs of its mixture, after
what all mixtures have in common at this N is taken off. A mixture: its level against a regression
of all mixtures on h_i and h_i log h_i. Deviations are of log losses, so that they are relative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.metrics import robust_deviation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.runs.checks import Values

# Deviations count from so many standard deviations on, and from so large a share of the loss on.
LIMIT = 8.0
LEAST = 0.005
_LEAST_OF_MIXTURES = 0.03  # a regression is no law
_CHANCE = 5e-9  # of one normal deviation, where few mixtures leave few degrees of freedom
_SAME_LENGTH = 0.01  # of log D, within which checkpoints of different runs are compared
_FEWEST_ALIKE = 5  # runs of one N and D, to tell what they have in common
_TURNS = 4
_FEWEST_CHECKPOINTS = 4
_FEWEST_BENT = 6  # checkpoints of a run that is compared with a bent curve
_BACK = 0.5  # of a step that the next one takes back, if one checkpoint alone is off
_FEWEST_SIZES = 3
_FEWEST_VALUES = 20  # deviations that tell the noise
_FREE = 8  # degrees of freedom that a regression on mixtures must leave
_LEVERAGE = 0.7  # above which a mixture decides its own prediction


class Jump(NamedTuple):
    """A checkpoint that is off the curve of its run, alone or with all that follow.

    Attributes:
        before: the rows of the checkpoint before, where the losses that follow are off too; none
            where this checkpoint alone is off.
        rows: of the checkpoint.
        deviation: (t,) of its log losses from what is expected.
        sigmas: (t,) the same in standard deviations.
    """

    before: Indices
    rows: Indices
    deviation: Array
    sigmas: Array


class Level(NamedTuple):
    """A run, or a mixture, that is off.

    Attributes:
        rows: of it.
        deviation: (t,) of its log losses from what is expected.
        sigmas: (t,) the same in standard deviations.
    """

    rows: Indices
    deviation: Array
    sigmas: Array


@dataclass(frozen=True, eq=False)
class Levels:
    """Log losses by mixture, N and D.

    Attributes:
        N: of the rows (rows,), as are the next three.
        D: lengths (rows,).
        mixture: numbers of the mixtures.
        losses: (rows, t), NaN where missing.
        mixtures: (m, k).
    """

    N: Array
    D: Array
    mixture: Indices
    losses: Array
    mixtures: Array

    @classmethod
    def of(cls, values: Values, mixture: Indices, first: Indices) -> Levels:
        """Take them from checked values, whose mixtures are numbered."""
        return cls(values.N, values.D, mixture, values.losses, values.h[first])

    @cached_property
    def length(self) -> Indices:
        """The number of the length (rows,): lengths within 1% have one."""
        logs, inverse = np.unique(np.log(self.D), return_inverse=True)
        number = np.empty(len(logs), dtype=np.intp)
        start = count = 0
        while start < len(logs):
            end = int(np.searchsorted(logs, logs[start] + _SAME_LENGTH, side="right"))
            number[start:end] = count
            start, count = end, count + 1
        return number[inverse.reshape(-1)]

    @cached_property
    def point(self) -> Indices:
        """The number of the mixture, N and D (rows,) of each row."""
        return _numbered(self.mixture, self.N, self.length)

    @cached_property
    def _first(self) -> Indices:
        """The first row (points,) of each point."""
        return np.unique(self.point, return_index=True)[1]

    @cached_property
    def _logs(self) -> Array:
        """The mean log losses (points, t)."""
        return _means(np.log(self.losses), self.point)

    @cached_property
    def _relative(self) -> tuple[Array, Mask]:
        """Log losses less what all runs of this N and D have in common, and where that is known.

        They are NaN elsewhere.
        """
        cell = _numbered(self.N[self._first], self.length[self._first])
        mixture = self.mixture[self._first]
        there = _sums(~np.isnan(self._logs), cell).min(axis=1)
        known = (there >= _FEWEST_ALIKE)[cell]
        # By turns, so that a run that is off does not move what the others have in common.
        level = np.zeros_like(self._logs)
        for _ in range(_TURNS):
            common = _medians(self._logs - level, cell)[cell]
            level = _medians(self._logs - common, mixture)[mixture]
        return np.where(known[:, None], self._logs - common, np.nan), known

    @cached_property
    def run(self) -> Indices:
        """The number of the mixture and N (points,), counted as one run."""
        return _numbered(self.mixture[self._first], self.N[self._first])

    def rows_of(self, points: Indices) -> Indices:
        """Give the rows of some points."""
        return np.flatnonzero(np.isin(self.point, points))

    def jumps(self) -> Iterator[Jump]:
        """Give the checkpoints that are off the curve of their run."""
        relative, known = self._relative
        x = np.log(self.D[self._first])
        found = []
        for number, points in enumerate(_groups(self.run)):
            along = points[np.argsort(x[points], kind="stable")]
            if len(along) < _FEWEST_CHECKPOINTS:
                continue
            own = x[along]
            logs = relative[along]
            if not known[along].all():  # whose curve is bent
                if len(along) < _FEWEST_BENT:
                    continue
                logs = _residuals(_powers(own, 2), self._logs[along])
            moved = np.diff(logs, axis=0) - _slope(own, logs) * np.diff(own)[:, None]
            found += [(number, along[i], along[i + 1], step) for i, step in enumerate(moved)]
        if not found:
            return
        moves = np.array([step for *_, step in found])
        scales = np.broadcast_to(_scales(moves), moves.shape).copy()
        # Early in training, and in small models, losses may be noisier than elsewhere.
        sizes, lengths = self.N[self._first], self.length[self._first]
        ends = np.array([(sizes[one], lengths[one], lengths[other]) for _, one, other, _ in found])
        for alike in _groups(_numbered(ends)):
            scales[alike] = np.fmax(scales[alike], _scales(moves[alike], 0.9))
        sigmas = moves / scales
        alone = np.empty(0, dtype=np.intp)
        seen = set()
        for index in np.flatnonzero(_off(moves, sigmas).any(axis=1)):
            run, one, other, move = found[index]
            target = int(np.argmax(np.where(_off(move, sigmas[index]), np.abs(sigmas[index]), 0.0)))
            # What goes up and comes down again is one checkpoint.
            back = [
                0 <= i < len(found)
                and found[i][0] == run
                and moves[i, target] * np.sign(-move[target]) > _BACK * abs(move[target])
                for i in (index + 1, index - 1)
            ]
            point = one if back[1] and not back[0] else other
            if point in seen:
                continue
            seen.add(point)
            rows, before = (self.rows_of(np.array([own])) for own in (point, one))
            if point == one:
                yield Jump(alone, rows, -move, -sigmas[index])
            else:
                yield Jump(alone if back[0] else before, rows, move, sigmas[index])

    def runs_off(self) -> list[Level]:
        """Give the runs that are off the others of their mixture."""
        relative, _ = self._relative
        level = _medians(relative, self.run)
        first = np.unique(self.run, return_index=True)[1]
        mixture, x = self.mixture[self._first][first], np.log(self.N[self._first][first])
        some = np.flatnonzero(~np.isnan(level).all(axis=1))
        groups = [runs[np.isin(runs, some)] for runs in _groups(mixture)]
        groups = [runs for runs in groups if len(runs) >= _FEWEST_SIZES]
        deviations = np.full_like(level, np.nan)
        for runs in groups:
            deviations[runs] = _deviations(_line(x[runs]), level[runs])
        # Few sizes leave no slope, and so more of what the law does with N.
        sloped = np.zeros(len(level), dtype=np.bool_)
        for runs in groups:
            sloped[runs] = len(runs) > _FEWEST_SIZES
        scales = {kind: _scales(deviations[sloped == kind]) for kind in (True, False)}
        found = []
        for runs in groups:
            left = runs
            while len(left) >= _FEWEST_SIZES:
                own = _deviations(_line(x[left]), level[left])
                sigmas = own / scales[len(left) > _FEWEST_SIZES]
                off = _off(own, sigmas)
                if not off.any():
                    break
                worst = int(np.argmax(np.where(off, np.abs(sigmas), 0.0).max(axis=1)))
                points = np.flatnonzero(self.run == left[worst])
                found.append(Level(self.rows_of(points), own[worst], sigmas[worst]))
                left = np.delete(left, worst)
        return found

    def mixtures_off(self) -> list[Level]:
        """Give the mixtures that are off what the others lead to expect."""
        from scipy.special import stdtrit

        relative, _ = self._relative
        level = _medians(relative, self.mixture[self._first], len(self.mixtures))
        kept = np.flatnonzero(~np.isnan(level).all(axis=1))
        found: list[Level] = []
        while len(kept) > _FREE:
            h = self.mixtures[kept]
            design = np.column_stack([h, h * np.log(np.where(h > 0, h, 1.0))])
            design = design[:, np.ptp(design, axis=0) > 0]
            free = len(kept) - int(np.linalg.matrix_rank(design))
            if free < _FREE:
                break
            deviations = _deviations(design, level[kept])
            sigmas = deviations / _scales(deviations)
            limit = max(-float(stdtrit(free, _CHANCE)), LIMIT)
            off = _off(deviations, sigmas, limit, _LEAST_OF_MIXTURES)
            if not off.any():
                break
            worst = int(np.argmax(np.where(off, np.abs(sigmas), 0.0).max(axis=1)))
            rows = np.flatnonzero(self.mixture == kept[worst])
            found.append(Level(rows, deviations[worst], sigmas[worst]))
            kept = np.delete(kept, worst)
        return found

    def replicates_off(self) -> list[Level]:
        """Give the rows that are off the others of the same mixture, N and D."""
        logs = np.log(self.losses)
        count = _sums(~np.isnan(logs), self.point)
        if count.max(initial=0) < 2:
            return []
        # Of n values that have a mean, deviations have the variance 1 - 1/n of one.
        room = np.sqrt(np.where(count > 1, 1.0 - 1.0 / np.maximum(count, 1.0), np.nan))
        deviations = (logs - _means(logs, self.point)[self.point]) / room[self.point]
        sigmas = deviations / _scales(deviations)
        off = np.where(_off(deviations, sigmas), np.abs(sigmas), 0.0).max(axis=1)
        found = []
        for point in np.unique(self.point[off > 0]):
            rows = np.flatnonzero(self.point == point)
            worst = rows[np.argmax(off[rows])]
            found.append(Level(np.array([worst]), deviations[worst], sigmas[worst]))
        return found


def _off(deviations: Array, sigmas: Array, limit: float = LIMIT, least: float = LEAST) -> Mask:
    # A comparison with NaN is False.
    off: Mask = (np.abs(sigmas) > limit) & (np.abs(deviations) > least)
    return off


def _numbered(*keys: Array | Indices) -> Indices:
    """Number rows (rows,) that agree in all keys."""
    return np.unique(np.column_stack(keys), axis=0, return_inverse=True)[1].reshape(-1)


def _groups(number: Indices) -> list[Indices]:
    """Give the rows of each number, from 0 on."""
    order = np.argsort(number, kind="stable")
    return np.split(order, np.cumsum(np.bincount(number))[:-1])


def _sums(values: Array | Mask, number: Indices) -> Array:
    """Give the sums (numbers, t)."""
    sums = np.zeros((int(number.max()) + 1, values.shape[1]))
    for target, own in enumerate(values.T):
        sums[:, target] = np.bincount(number, own, len(sums))
    return sums


def _means(values: Array, number: Indices) -> Array:
    """Give the means (numbers, t) of the values that are there."""
    known = ~np.isnan(values)
    sums, counts = _sums(np.where(known, values, 0.0), number), _sums(known, number)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _medians(values: Array, number: Indices, count: int | None = None) -> Array:
    """Give the medians (numbers, t) of the values that are there."""
    medians = np.full((count or int(number.max()) + 1, values.shape[1]), np.nan)
    for own, rows in enumerate(_groups(number)):
        there = values[rows]
        full = ~np.isnan(there).all(axis=0)
        medians[own, full] = np.nanmedian(there[:, full], axis=0)
    return medians


def _slope(x: Array, values: Array) -> Array:
    """Give the slope (t,) of least absolute steps off it, which few points and steps do not move.

    It is the median of the slopes from point to point, weighted by their lengths; 0 for few points,
    whose noise it would follow.
    """
    length = np.diff(x)
    slopes = np.diff(values, axis=0) / length[:, None]
    found = np.zeros(values.shape[1])
    if len(length) < _FEWEST_BENT:
        return found
    for target, own in enumerate(slopes.T):
        order = np.argsort(own, kind="stable")  # NaN last
        weights = np.cumsum(np.where(np.isnan(own), 0.0, length)[order])
        if weights[-1] > 0:
            found[target] = own[order[np.searchsorted(weights, weights[-1] / 2)]]
    return found


def _powers(x: Array, degree: int) -> Array:
    return np.vander((x - x.mean()) / x.std(), degree + 1)


def _line(x: Array) -> Array:
    return _powers(x, 1 if len(x) > _FEWEST_SIZES else 0)


def _residuals(design: Array, values: Array) -> Array:
    """Give the residuals (rows, t) of least squares, NaN where a value is missing."""
    return _fitted(design, values, lambda _: 1.0)


def _deviations(design: Array, values: Array) -> Array:
    """Give residuals (rows, t) divided so that all are as wide; NaN where a row has its own say."""

    def room(basis: Array) -> Array:
        leverage = (basis * basis).sum(axis=1)
        return np.where(leverage > _LEVERAGE, np.nan, np.sqrt(np.maximum(1.0 - leverage, 1e-12)))

    return _fitted(design, values, room)


def _fitted(design: Array, values: Array, width: Callable[[Array], Array | float]) -> Array:
    """Give the residuals (rows, t) of least squares over a width that follows from the design."""
    residuals = np.full_like(values, np.nan)
    known = ~np.isnan(values)
    whole = known.all(axis=0)
    # Targets that lack no value have one decomposition.
    parts = [np.flatnonzero(whole)] * bool(whole.any())
    parts += [np.array([target]) for target in np.flatnonzero(~whole)]
    for targets in parts:
        rows = np.flatnonzero(known[:, targets[0]])
        here = np.ix_(rows, targets)
        basis, sizes, _ = np.linalg.svd(design[rows], full_matrices=False)
        basis = basis[:, sizes > 1e-9 * sizes.max(initial=1e-300)]
        left = values[here] - basis @ (basis.T @ values[here])
        residuals[here] = (left.T / width(basis)).T
    return residuals


def _scales(deviations: Array, tail: float = 0.95) -> Array:
    """Give the standard deviation (t,) of each target, whatever a few rows are; NaN for few rows.

    That of the middle, or of the tails where these are wider than normal.

    Args:
        deviations: (rows, t).
        tail: the share of rows whose deviations have a say.
    """
    from scipy.special import ndtri

    scales = np.full(deviations.shape[1], np.nan)
    normal = float(ndtri(0.5 + 0.5 * tail))
    for target, own in enumerate(np.abs(deviations.T)):
        known = np.sort(own[~np.isnan(own)])
        if len(known) >= _FEWEST_VALUES:
            last = float(known[int(tail * (len(known) - 1))])
            scales[target] = max(robust_deviation(known), last / normal, 1e-9)
    return scales
