"""What a careful statistician looks for in the residuals of a law.

Trends with N, D and the weights are rank correlations over runs or mixtures, not over rows, which
are not independent. As many of them are looked at, only those count that chance would hardly give
among so many.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import Note
from mixfit.base.metrics import rank_correlation
from mixfit.base.numbers import short
from mixfit.fitting.blocks import make_blocks
from mixfit.fitting.errors import means_by
from mixfit.fitting.misfits import Early, Influence, Misfits, Trend
from mixfit.fitting.optimum import optima
from mixfit.fitting.solvers import descend

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mixfit.base.arrays import Array, Indices
    from mixfit.fitting.objective import Objective, Quadratic
    from mixfit.fitting.optimum import Optimum
    from mixfit.fitting.result import Fit
    from mixfit.runs.runs import Runs
    from mixfit.runs.target_rows import TargetRows

_LEVEL = 0.01  # of all that is looked at together
_EXACT = 1e-3  # percent: what residuals are of rounding and of where a solver stopped
_ENOUGH = 10  # runs, or mixtures, to say anything from
_CHECKPOINTS = 4  # of a run, to see a trend within it
_EARLY = 1 / 3  # of the lengths, on a log scale
_WORSE = 1.5  # times the error of later checkpoints
_OUTSIZED = 10.0  # times the median influence
_SUSPECT = 0.3  # of the law's error: one step may fall short
_MOST_REFITTED = 5  # runs, and mixtures, of a target
_TOLERANCE = 1e-4
_RIDGE = 1e-9


def with_misfits(fit: Fit, runs: Runs) -> Fit:
    """Look at the residuals of a fit, those of its law alone: beyond the runs predictions are its.

    Args:
        fit: made on these runs.
        runs: the rows that were fitted.

    Returns:
        The fit with its `misfits` and notes on them.
    """
    trends: list[Trend] = []
    early: list[Early] = []
    influences: list[Influence] = []
    for optimum in optima(fit, runs):
        rows = optimum.rows
        with np.errstate(all="ignore"):
            law = fit.targets[rows.target].law_alone()
            predicted = law.predict(rows.N, rows.D, rows.h)
            residual = 100 * np.log(rows.loss / predicted)
        # A law that predicts losses that are none tells nothing, nor does one that is exact.
        if not np.all(np.isfinite(residual)) or np.abs(residual).mean() < _EXACT:
            continue
        seen = _Seen.of(rows, residual)
        trends += seen.trends()
        early += seen.early()
        influences += influences_of(optimum, float(np.median(np.abs(residual))))
    looked_at = len(trends) + len(early)
    level = _LEVEL / max(looked_at, 1)
    found = Misfits(
        looked_at=looked_at,
        trends=tuple(trend for trend in trends if trend.p < level),
        influences=tuple(influences),
        early=tuple(e for e in early if e.p < level and e.early > _WORSE * e.later),
    )
    return replace(fit, misfits=found, notes=(*fit.notes, *_notes(found, len(fit.targets))))


class _Seen(NamedTuple):
    """The residuals of a target by run, one training of a mixture at a size.

    Attributes:
        rows: that were fitted.
        residual: observed from predicted, in percent, (rows,).
        run: number of the run, (rows,).
        mixture: of each run, (runs,), numbered from 0.
        first: a row of each run, (runs,).
    """

    rows: TargetRows
    residual: Array
    run: Indices
    mixture: Indices
    first: Indices

    @classmethod
    def of(cls, rows: TargetRows, residual: Array) -> _Seen:
        run, first = rows.trained()
        mixture = np.unique(rows.mixture[first], return_inverse=True)[1]
        return cls(rows, residual, run, mixture, first)

    def trends(self) -> Iterator[Trend]:
        """Give the trends of residuals that there is enough to see from."""
        rows, target = self.rows, self.rows.target
        order = np.lexsort((rows.D, self.run))
        last = order[np.flatnonzero(np.diff(self.run[order], append=-1))]
        within = [
            rank_correlation(self.residual[own], rows.D[own])
            for own in np.split(order, np.flatnonzero(np.diff(self.run[order])) + 1)
            if len(np.unique(rows.D[own])) >= _CHECKPOINTS
        ]
        # Of a run what is farthest in D, as that is where predictions are wanted.
        yield from self._over_runs(self.residual[last], rows.N[last], "N")
        if len(within) >= _ENOUGH:
            yield Trend(target, "D", float(np.mean(within)), _signed_rank(np.array(within)))
        else:
            yield from self._over_runs(self.residual[last], rows.D[last], "D")
        means = means_by(means_by(self.residual, self.run), self.mixture)
        h = rows.mixtures[np.unique(rows.mixture)]
        if len(means) >= _ENOUGH:
            for domain, weights in zip(rows.domains, h.T, strict=True):
                if np.ptp(weights) > 0:
                    correlation = rank_correlation(means, weights)
                    p = _p_of(correlation, len(means) - 2)
                    yield Trend(target, domain, correlation, p)

    def _over_runs(self, values: Array, x: Array, against: str) -> Iterator[Trend]:
        """Correlate over runs, apart from what the runs of a mixture have in common."""
        free = len(values) - int(self.mixture.max()) - 2
        if np.ptp(x) == 0 or free < _ENOUGH:
            return
        logs = np.log(x)
        pair = [own - means_by(own, self.mixture)[self.mixture] for own in (values, logs)]
        correlation = rank_correlation(*(np.round(own, 9) for own in pair))
        if not np.isnan(correlation):
            yield Trend(self.rows.target, against, correlation, _p_of(correlation, free))

    def early(self) -> Iterator[Early]:
        """Compare early checkpoints with the later ones of the same runs."""
        D, size = self.rows.D, np.abs(self.residual)
        low, high = np.log(D.min()), np.log(D.max())
        cut = float(np.exp(low + _EARLY * (high - low)))
        is_early = np.log(D) < np.log(cut)
        both = np.intersect1d(self.run[is_early], self.run[~is_early])
        if len(both) < _ENOUGH:
            return
        kept = np.isin(self.run, both)
        sides = []
        for side in (kept & is_early, kept & ~is_early):
            number = np.searchsorted(both, self.run[side])
            sides.append(means_by(size[side], number))
        p = _signed_rank(sides[0] - sides[1])
        # The next length that was logged is where later ones begin.
        begin = float(D[~is_early].min())
        yield Early(self.rows.target, begin, float(sides[0].mean()), float(sides[1].mean()), p)


def _p_of(correlation: float, free: int) -> float:
    """Give the two-sided p of a correlation with so many degrees of freedom."""
    from scipy.stats import t

    left = max(1.0 - correlation**2, 1e-15)
    return float(2 * t.sf(abs(correlation) * np.sqrt(free / left), free))


def _signed_rank(values: Array) -> float:
    """Give Wilcoxon's two-sided p that values are as often above 0 as below."""
    from scipy.stats import wilcoxon

    return float(wilcoxon(values).pvalue) if np.any(values != 0) else 1.0


def influences_of(optimum: Optimum, error: float) -> Iterator[Influence]:
    """Find the runs and mixtures of a target without which its predictions would be others.

    What leaving one out does is taken from one step of the Gauss-Newton model. Where that is far
    more than for others it is fitted again without, and counts if predictions for the other
    mixtures, at the largest N and D, move by more than the law is off.

    Args:
        optimum: the target.
        error: the median of its relative errors on the rows, in percent.
    """
    rows = optimum.rows
    objective, theta = optimum.objective()
    formula = objective.formula
    run, first = rows.trained()
    present, mixture = np.unique(rows.mixture[first], return_inverse=True)
    h = rows.mixtures[present]
    N, D = np.full(len(h), rows.N.max()), np.full(len(h), rows.D.max())
    here = formula.predict(theta, N, D, h)

    def shift(elsewhere: Array, own: int) -> float:
        with np.errstate(all="ignore"):
            moved = np.log(formula.predict(elsewhere, N, D, h) / here)
        others = moved[np.arange(len(h)) != own]
        return float(100 * np.sqrt(np.mean(others**2)))

    without = _Without.of(objective, theta, rows, run, first)
    units = {"run": [np.array([number]) for number in range(len(first))]}
    if len(h) < len(first):
        units["mixture"] = [np.flatnonzero(mixture == number) for number in range(len(h))]
    for kind, groups in units.items():
        if len(h) < _ENOUGH:
            return
        shifts = np.array([shift(without.step(own), mixture[own[0]]) for own in groups])
        usual = float(np.median(shifts))
        suspects = np.flatnonzero((shifts > _OUTSIZED * usual) & (shifts > _SUSPECT * error))
        for place in suspects[np.argsort(-shifts[suspects], kind="stable")][:_MOST_REFITTED]:
            own = groups[place]
            left, start = optimum.objective(rows.select(~np.isin(run, own)))
            moved = left.formula.natural(descend(left, start, tolerance=_TOLERANCE).theta)
            true = shift(formula.internal(moved), mixture[own[0]])
            if true > max(error, usual):
                row = first[own[0]]
                weights = dict(zip(rows.domains, rows.h[row].tolist(), strict=True))
                size = float(rows.N[row]) if kind == "run" else None
                yield Influence(rows.target, weights, size, true, usual)


class _Without(NamedTuple):
    """The Gauss-Newton model of a target, and what each of its runs adds to it."""

    theta: Array
    bounds: tuple[Array, Array]
    matrix: Array
    of_runs: Quadratic

    @classmethod
    def of(
        cls, objective: Objective, theta: Array, rows: TargetRows, run: Indices, first: Indices
    ) -> _Without:
        """Sort the rows by run, where an objective has them by mixture."""
        formula = objective.formula
        logs = np.log(rows.N / formula.n_unit), np.log(rows.D / formula.d_unit)
        by_run = make_blocks(*logs, rows.loss, run, rows.h[first])
        at = replace(objective, blocks=by_run).at(theta)
        return cls(theta, objective.bounds, at.model.matrix, at.by_mixture())

    def step(self, runs: Indices) -> Array:
        """Give about where theta goes without some runs."""
        lower, upper = self.bounds
        free = np.flatnonzero((self.theta > lower) & (self.theta < upper))
        if not len(free):
            return self.theta
        rest = (self.matrix - self.of_runs.matrix[runs].sum(axis=0))[np.ix_(free, free)]
        rest += _RIDGE * self.matrix.trace() / len(free) * np.eye(len(free))
        theta = self.theta.copy()
        theta[free] += np.linalg.solve(rest, self.of_runs.gradient[runs].sum(axis=0)[free])
        return np.clip(theta, lower, upper)


def _notes(found: Misfits, targets: int) -> Iterator[Note]:
    def several(names: Iterable[str]) -> str:
        return f" in {len(set(names))} of {targets} targets, most" if targets > 1 else ""

    for what, own in (
        ("N", [trend for trend in found.trends if trend.against == "N"]),
        ("D", [trend for trend in found.trends if trend.against == "D"]),
        ("weights", [t for t in found.trends if t.against not in ("N", "D")]),
    ):
        if own:
            most = min(own, key=lambda trend: trend.p)
            of_target = f" {most.target}" if targets > 1 else ""
            against = f" with that of {most.against}" if what == "weights" else ""
            text = (
                f"residuals trend with {what}{several(t.target for t in own)}{of_target}{against}"
                f" (rank correlation {most.correlation:+.2f}, p {max(most.p, 1e-99):.0e})"
            )
            yield Note("residual-trend", text)
    if found.early:
        worst = max(found.early, key=lambda one: one.early / one.later)
        of_target = f" {worst.target}" if targets > 1 else ""
        text = (
            f"checkpoints before {short(worst.tokens)} tokens fit worse"
            f"{several(one.target for one in found.early)}{of_target} ({worst.early:.2f}% off,"
            f" later ones {worst.later:.2f}%); --trim auto tells from where on to fit"
        )
        yield Note("early-misfit", text)
    if found.influences:
        most_so = max(found.influences, key=lambda one: one.shift)
        largest = max(most_so.mixture, key=lambda domain: most_so.mixture[domain])
        size = "" if most_so.model_size is None else f"the {short(most_so.model_size)} run of "
        text = (
            f"predictions of {most_so.target} for other mixtures move by {most_so.shift:.2f}%"
            f" without {size}the mixture with {100 * most_so.mixture[largest]:.0f}% {largest}"
        )
        left = len(found.influences) - 1
        yield Note("influence", text + (f" (and {left} more such)" if left else ""))
