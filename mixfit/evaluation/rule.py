"""The rule that chooses a law: by paired differences of the logs of held-out errors.

Errors of laws on the same mixtures and targets rise and fall together, so that differences say more
than levels; and in logs no mixture far from all others decides alone. What was held out to ask for
new mixtures, and what to ask for a larger scale, weigh alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.fitting.result import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Candidate

RULE = (
    "lowest geometric mean of held-out errors over what was held out, which weighs alike; within"
    " a third of a standard error of the paired difference, the law with fewer parameters"
)
# Standard errors by which a larger law must be ahead of a smaller one.
_AHEAD = 1 / 3
_SAME = 1e-4  # a share of the errors: laws with fewer between them have the same form here
_SMALLEST, _LARGEST = 1e-4, 1e6  # percent; smaller errors are the solver's, larger ones nonsense


class Difference(NamedTuple):
    """How much larger the errors of one law are than those of another one, as a log.

    Attributes:
        mean: over what was held out.
        error: its standard error, NaN where it is not known.
    """

    mean: float
    error: float

    @property
    def percent(self) -> float:
        """The difference of the geometric means, in percent."""
        return 100 * float(np.expm1(self.mean))

    @property
    def percent_error(self) -> float:
        """Its standard error, in percent."""
        return 100 * float(np.exp(self.mean)) * self.error


def logs_of(errors: Array) -> Array:
    """Give the logs of errors in percent, within what is worth telling apart."""
    logs: Array = np.log(np.clip(errors, _SMALLEST, _LARGEST))
    return logs


def difference(one: Mapping[str, Array], other: Mapping[str, Array]) -> Difference:
    """Compare two laws.

    Mixtures and targets are both samples of those that one may meet, so that the standard error
    takes the spread over either into account.

    Args:
        one: what was held out, to the logs of the errors, (mixtures, targets), NaN where missing.
        other: likewise of the law that it is compared with.
    """
    means, variances = [], []
    for label in one:  # in their order, which the last digit of a sum depends on
        if label not in other:
            continue
        gap = one[label] - other[label]
        if np.isnan(gap).all():
            continue
        means.append(float(np.nanmean(gap)))
        variances.append(sum(_variance_of_mean(gap, axis) for axis in (0, 1)))
    if not means:
        return Difference(float("nan"), float("nan"))
    return Difference(float(np.mean(means)), float(np.sqrt(np.sum(variances)) / len(means)))


def _variance_of_mean(gap: Array, axis: int) -> float:
    """Give the variance of a mean over rows or columns; 0 where there is one."""
    known = ~np.isnan(gap).all(axis=axis)
    means = np.nanmean(gap[:, known] if axis == 0 else gap[known], axis=axis)
    return float(np.var(means, ddof=1) / len(means)) if len(means) > 1 else 0.0


def choose(
    candidates: Sequence[Candidate], logs: Mapping[str, Mapping[str, Array]]
) -> tuple[Choice | None, tuple[Candidate, ...]]:
    """Choose the law with the lowest held-out error, or a smaller one that is about as good.

    Args:
        candidates: what is known of each law.
        logs: law to what was held out, to the logs of its errors, (mixtures, targets); all of the
            same mixtures and targets.

    Returns:
        The choice, or None if there is none, and the candidates with their differences from it.
    """
    able = [candidate for candidate in candidates if not candidate.excluded]
    if not able:
        return None, tuple(candidates)
    first = able[0]
    ahead = {c.law: difference(logs[c.law], logs[first.law]).mean for c in able}
    best = min(able, key=lambda c: (ahead[c.law], c.parameters or 0))
    near = [c for c in able if _as_good(difference(logs[c.law], logs[best.law]))]
    chosen = min(near, key=lambda c: (c.parameters or 0, ahead[c.law]))
    reason = f"lowest held-out error, {chosen.mre:.3g}% on average"
    if chosen is not best:
        gap = difference(logs[chosen.law], logs[best.law])
        reason = (
            f"held-out error {chosen.mre:.3g}% on average with {chosen.parameters} parameters, as"
            f" good as the lowest, {best.mre:.3g}% of {best.law} with {best.parameters} (difference"
            f" {gap.percent:.2g} ± {gap.percent_error:.2g}%)"
        )
    passed = [c for c in candidates if c.excluded and c.mre < chosen.mre]
    reason += "".join(f"; not {c.law}: {c.excluded}" for c in passed)
    compared = []
    for candidate in candidates:
        gap = Difference(float("nan"), float("nan"))
        if candidate.law in logs:
            gap = difference(logs[candidate.law], logs[chosen.law])
            gap = gap if np.isfinite(gap.mean) else Difference(float("nan"), float("nan"))
        compared.append(
            replace(candidate, difference=gap.percent, standard_error=gap.percent_error)
        )
    return Choice(law=chosen.law, reason=reason), tuple(compared)


def _as_good(gap: Difference) -> bool:
    return gap.mean <= (_SAME if np.isnan(gap.error) else max(_SAME, _AHEAD * gap.error))
