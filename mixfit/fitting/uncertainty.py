"""How sure a fit is, as plain data: resamples of its parameters, and the errors of predictions."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated

import numpy as np

from mixfit.base.errors import UsageError, parameter
from mixfit.base.plain import Key, NotNegative

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit, Range, TargetFit

LEVEL = 0.9  # of all intervals
_ENDS = (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)
_QUANTILE = NormalDist().inv_cdf(_ENDS[1])
TOO_FEW = 20  # resamples, of which the ends of an interval would be single ones


@dataclass(frozen=True, eq=False)
class Resamples:
    """The parameters of a fit under random weights on its mixtures.

    Attributes:
        seed: of the weights.
        params: target to natural parameters by name, (count, 1) or (count, k); row i of all
            targets belongs to the same weights.
    """

    seed: int
    params: dict[str, dict[str, Array]]

    def __len__(self) -> int:
        """Count the resamples."""
        return len(next(iter(next(iter(self.params.values())).values())))

    def __repr__(self) -> str:
        return f"Resamples({len(self)} of {len(self.params)} targets)"

    def of(self, target: str) -> Iterator[dict[str, Array]]:
        """Give the natural parameters of a target in each resample."""
        own = self.params[target]
        for index in range(len(self)):
            yield {name: numbers[index] for name, numbers in own.items()}

    def intervals(self, target: str) -> tuple[dict[str, Array], dict[str, Array]]:
        """Give the ends of the 90% interval of each natural parameter of a target."""
        low, high = {}, {}
        for name, numbers in self.params[target].items():
            low[name], high[name] = ends(numbers)
        return low, high

    def deviations(self, target: str) -> dict[str, Array]:
        """Give the standard deviation of each natural parameter of a target.

        It is that of a normal distribution with the same 90% interval.
        """
        low, high = self.intervals(target)
        return {name: (high[name] - low[name]) / (2 * _QUANTILE) for name in low}

    def predict(self, fit: TargetFit, N: Array, D: Array, h: Array) -> Array:
        """Predict losses with each resample, (count, rows); arguments as in `Formula.predict`.

        What a resample leaves, the discrepancy of the fit takes up.
        """
        formula, theta = fit.formula()
        thetas = [formula.internal(own) for own in self.of(fit.target)]
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = np.array([formula.predict(own, N, D, h) for own in thetas])
            if fit.discrepancy is None:
                return predicted
            points = fit.discrepancy.points
            at_points = np.array(
                [formula.predict(own, points.N, points.D, points.h) for own in (theta, *thetas)]
            )
        moved = fit.discrepancy.taken_up(at_points[1:] - at_points[0], N, D, h)
        return predicted + fit.discrepancy.predict(N, D, h) + moved

    def spread(self, fit: TargetFit, N: Array, D: Array, h: Array) -> Array:
        """Give the standard deviation of predictions over resamples, (rows,), in percent.

        It is that of a normal distribution with the same 90% interval, so that a resample that went
        astray does not decide alone.
        """
        predicted = self.predict(fit, N, D, h)
        sound = np.isfinite(predicted) & (predicted > 0)
        logs = np.log(predicted, out=np.full(predicted.shape, np.inf), where=sound)
        with np.errstate(invalid="ignore"):
            low, high = ends(logs)
            wide: Array = high - low
        return 100 * np.where(np.isnan(wide), np.inf, wide) / (2 * _QUANTILE)


def ends(values: Array) -> Array:
    """Give the ends of the 90% interval of draws (count, ...), (2, ...).

    Between them 90% of further draws lie, however few there are: the quantiles that are usual
    (those of a sample's own range) lie nearer, with 40 draws around 86%.
    """
    found: Array = np.quantile(values, _ENDS, axis=0, method="weibull")
    return found


def deviation(values: Array) -> Array:
    """Give the standard deviation of a normal distribution with the 90% interval of draws."""
    low, high = ends(values)
    wide: Array = (high - low) / (2 * _QUANTILE)
    return wide


@dataclass(frozen=True)
class ResampleFile:
    """Where the resamples of a fit file stand.

    Attributes:
        file: its name, in the directory of the fit file.
        sha256: of its bytes.
        count: how many resamples there are.
        seed: of their weights.
    """

    file: str
    sha256: str
    count: int
    seed: int


Params = dict[str, dict[str, float] | float]
Ends = Annotated[Params | None, Key(omit=True, infinite=True)]


@dataclass(frozen=True)
class Noise:
    """How far losses of one target are from the law: standard deviations in percent of the loss.

    Attributes:
        mixture: of what all runs of a mixture have in common: the law's misfit in h.
        run: of what the checkpoints of a run have in common besides.
        checkpoint: of the rest.
    """

    mixture: NotNegative
    run: NotNegative
    checkpoint: NotNegative

    @property
    def total(self) -> float:
        """That of one loss."""
        return float(np.sqrt(self.mixture**2 + self.run**2 + self.checkpoint**2))


@dataclass(frozen=True)
class Growth:
    """How errors grow beyond the sizes, or lengths, that were fitted.

    At a distance of x, the difference of logs, the variance of the error grows by x times these
    numbers squared times that within (`Noise.total`), as for a random walk. They are estimated over
    all targets, as each has few distances.

    Attributes:
        shift: of what all mixtures have in common.
        own: of what each mixture has of its own.
    """

    shift: NotNegative
    own: NotNegative


@dataclass(frozen=True)
class Errors:
    """The errors that parameters do not tell of, each estimated from the rows that were fitted.

    Attributes:
        model_size: beyond the sizes fitted; None where there are too few to leave some out.
        tokens: beyond the lengths fitted; likewise.
        noise: target to how far its losses are from the law.
    """

    model_size: Growth | None
    tokens: Growth | None
    noise: dict[str, Noise]


@dataclass(frozen=True, eq=False)
class Intervals:
    """Predicted losses of one target with their 90% intervals, all (rows,).

    The parts are standard deviations in percent of the loss; NaN where they are not known, as are
    the ends then.

    Attributes:
        loss: predicted.
        low: lower end, for the loss of a checkpoint.
        high: upper end.
        parameters: by resamples.
        shift: the misfit beyond the sizes and lengths fitted that all mixtures have in common.
        own: that of a mixture, within and beyond what was fitted.
        noise: of a run and of a checkpoint.
    """

    loss: Array
    low: Array
    high: Array
    parameters: Array
    shift: Array
    own: Array
    noise: Array


def intervals(fit: Fit, target: str, N: Array, D: Array, h: Array) -> Intervals:
    """Predict losses of a target with intervals.

    Args:
        fit: with `resamples` and `errors`.
        target: of the fit.
        N: parameters, (rows,).
        D: tokens, (rows,).
        h: weights, (rows, k).

    Raises:
        UsageError: the fit was not resampled.
    """
    resamples, errors = resampled(fit)
    fitted = fit.targets[target]
    loss = fitted.predict(N, D, h)
    spread = widening(fit, target) * resamples.spread(fitted, N, D, h)
    noise = errors.noise[target]
    size = distance(N, fit.data.model_size), errors.model_size, fitted.form.uses_model_size
    length = distance(D, fit.data.tokens), errors.tokens, fitted.form.uses_tokens
    shift, own = np.zeros(len(N)), np.full(len(N), noise.mixture**2)
    discrepancy = fitted.discrepancy
    if discrepancy is not None:
        own = (100 * discrepancy.deviation(N, D, h) / loss) ** 2
    one_of_several = _one_of_several(fit, fitted)
    for (away, growth, used), one in zip((size, length), one_of_several, strict=True):
        if growth is None or one:
            # Where the rows have one size, or too few, nothing tells what others would add. If
            # only this target's have one, it is not known which.
            unknown = np.where((away > 0) | one, np.nan, 0.0)
            shift, own = shift + unknown, own + unknown
        elif used:
            shift = shift + away * (growth.shift * noise.total) ** 2
            if discrepancy is None:  # which else grows by itself
                own = own + away * (growth.own * noise.total) ** 2
    of_runs = np.full(len(N), noise.run**2 + noise.checkpoint**2)
    total = np.sqrt(spread**2 + shift + own + of_runs) / 100
    return Intervals(
        loss=loss,
        low=loss * np.exp(-_QUANTILE * total),
        high=loss * np.exp(_QUANTILE * total),
        parameters=spread,
        shift=np.sqrt(shift),
        own=np.sqrt(own),
        noise=np.sqrt(of_runs),
    )


def _one_of_several(fit: Fit, target: TargetFit) -> tuple[bool, bool]:
    """Say whether a target was logged at one of the sizes, and of the lengths, that others had."""
    law, form, data = fit.law.law, target.form, fit.data
    sizes, lengths = (known.min < known.max for known in (data.model_size, data.tokens))
    return (
        sizes and law.uses_model_size and not form.uses_model_size,
        lengths and law.uses_tokens and not form.uses_tokens,
    )


def widening(fit: Fit, target: str) -> float:
    """Give by how much the spread of predictions over resamples is too small.

    What is fitted to m mixtures takes a share p / m of their errors away, p being how many numbers
    in h the rows decided, so that resamples see the rest only: the usual correction of estimates
    that are robust to clusters.
    """
    mixtures = fit.data.mixtures
    left = max(mixtures - decided_in_h(fit.targets[target]), 1.0)
    return float(np.sqrt(max(mixtures / left, 1.0)))


def tails(fit: Fit, targets: Iterable[str]) -> float:
    """Give by how much an interval is wider as mixtures are few to tell the spread from.

    It is the quantile of Student's distribution with m - p degrees of freedom over the normal one,
    p being the mean over targets.
    """
    from scipy.stats import t

    decided = float(np.mean([decided_in_h(fit.targets[target]) for target in targets]))
    return float(t.ppf(_ENDS[1], max(fit.data.mixtures - decided, 1.0)) / _QUANTILE)


def decided_in_h(fit: TargetFit) -> float:
    """Count the numbers in h that the rows decided."""
    k = len(fit.domains)
    return sum(fit.effective.get(group.name, group.size(k)) for group in fit.form.mixture_groups)


def distance(values: Array, fitted: Range) -> Array:
    """Give how far values are outside of a range, as differences of logs, 0 inside."""
    away: Array = np.maximum(np.log(values / fitted.max), np.log(fitted.min / values))
    return np.maximum(away, 0.0)


def resampled(fit: Fit) -> tuple[Resamples, Errors]:
    """Give what intervals need of a fit.

    Raises:
        UsageError: it is not there.
    """
    if fit.resamples is None or fit.errors is None:
        raise UsageError(
            "The fit has no resamples, which intervals come from. Make it with"
            f" {parameter('resamples')}, such as 200."
        )
    return fit.resamples, fit.errors
