"""The KKT law: all targets together, for comparison only.

"Explaining Data Mixing Scaling Laws", 2026 (arXiv 2606.08167). The targets are training domains.
A model of N parameters shares them out among the domains, x_i to domain i, and the loss there is

    L_i = E_i + c_i x_i^-b_i + A_i (D h_i)^-a_i

The shares x minimise sum_i h_i c_i x_i^-b_i subject to sum_i x_i = N + (K - 1) H and x_i >= H: H
parameters serve all domains. With a multiplier lambda that makes the sum right,

    x_i = max(H, (h_i b_i c_i / lambda)^(1 / (b_i + 1)))

N and H are in millions of parameters and D in billions of tokens, and a weight counts as 1e-4 at
the least. So one domain's loss depends on the numbers of all: they are fitted together, 5K + 1 in
all, to eq. (6) summed over targets, by the search of mixfit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.fitting.objective import Quadratic, huber
from mixfit.fitting.solvers import search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.arrays import Array, Indices
    from mixfit.laws.law import Treatment
    from mixfit.runs.runs import Runs

_PARAMETERS, _TOKENS = 1e6, 1e9  # the units of N and H, and of D
_LEAST_WEIGHT = 1e-4
_BISECTIONS = 60
_LOWEST, _HIGHEST = -12.0, 12.0  # of logs, but for the exponents'
_LOWEST_EXPONENT, _HIGHEST_EXPONENT = -7.0, 2.0


def shares(h: Array, N: Array, log_b: Array, log_c: Array, H: Array) -> tuple[Array, Array]:
    """Share the parameters of models out among the domains.

    Args:
        h: mixtures, none of them with a weight of 0, (m, k).
        N: in millions, (m,).
        log_b: (k,).
        log_c: (k,).
        H: in millions, not above N, (m,).

    Returns:
        x in millions (m, k), and whether each is above H.
    """
    power = 1.0 / (np.exp(log_b) + 1.0)
    gain = np.log(h) + log_b + log_c  # the log of lambda at x_i = 1
    total = np.log(N + (h.shape[1] - 1.0) * H)
    low = (gain - total[:, None] / power).max(axis=1)
    high = (gain - np.log(H)[:, None] / power).max(axis=1)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        free = np.exp(np.minimum(power * (gain - middle[:, None]), total[:, None]))
        above = np.maximum(free, H[:, None]).sum(axis=1) > np.exp(total)
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    x = np.exp(power * (gain - high[:, None]))
    return np.maximum(x, H[:, None]), x > H[:, None]


@dataclass(frozen=True, eq=False)
class _At:
    """The law at some rows.

    Attributes:
        loss: (rows, targets).
        jacobian: (rows, targets, size), its derivatives in theta.
    """

    loss: Array
    jacobian: Array


@dataclass(frozen=True, eq=False)
class KktLaw:
    """The law with its numbers in one vector: log c, log b, log H, log A, log a and E.

    Attributes:
        theta: (2 k + 1 + 3 t,), c and b of every domain, and A, a and E of every target.
        own: the place of each target among the domains, (t,).
        k: the number of domains.
    """

    theta: Array
    own: Indices
    k: int

    @property
    def parameters(self) -> int:
        """How many numbers there are."""
        return len(self.theta)

    def _numbers(self) -> tuple[Array, ...]:
        k, t = self.k, len(self.own)
        return tuple(np.split(self.theta, np.cumsum([k, k, 1, t, t])))

    def predict(self, N: Array, D: Array, h: Array) -> Array:
        """Give the losses, (rows, targets); N in parameters and D in tokens, (rows,)."""
        log_c, log_b, log_H, log_A, log_a, E = self._numbers()
        own, (N, h, row) = self.own, _models(N, h)
        x, _ = shares(h, N, log_b, log_c, np.minimum(np.exp(log_H), N))
        in_size = np.exp(log_c[own] - np.exp(log_b[own]) * np.log(x[:, own]))
        seen = np.log(D / _TOKENS)[:, None] + np.log(h[:, own])[row]
        return np.asarray(E + in_size[row] + np.exp(log_A - np.exp(log_a) * seen))

    def at(self, N: Array, D: Array, h: Array) -> _At:
        """Give the losses and their derivatives; arguments as for `predict`."""
        log_c, log_b, log_H, log_A, log_a, E = self._numbers()
        k, own, (N, h, row) = self.k, self.own, _models(N, h)
        b, H = np.exp(log_b), np.minimum(np.exp(log_H), N)
        x, free = shares(h, N, log_b, log_c, H)
        log_x = np.log(x)
        # How log x moves with log c, log b and log H: lambda moves so that the sum stays right.
        weight = np.where(free, x / (b + 1.0), 0.0)
        total = weight.sum(axis=1, keepdims=True)
        inside = np.where(free, 1.0 / (b + 1.0), 0.0)[:, :, None]
        in_c = inside * (np.eye(k) - (weight / total)[:, None, :])
        in_b = in_c * (1.0 - b * log_x)[:, None, :]
        spare = ((free.sum(axis=1) - 1) * H)[:, None] / total
        in_H = np.where(free, spare / (b + 1.0), 1.0)
        in_size = np.exp(log_c[own] - b[own] * log_x[:, own])
        fall = (-b[own] * in_size)[:, :, None]
        each, first, t = np.arange(len(own)), 2 * k + 1, len(own)
        of_size = np.zeros((len(N), t, first))
        of_size[:, :, :k] = fall * in_c[:, own]
        of_size[:, :, k : 2 * k] = fall * in_b[:, own]
        of_size[:, :, 2 * k] = fall[:, :, 0] * in_H[:, own]
        of_size[:, each, own] += in_size
        of_size[:, each, k + own] -= in_size * b[own] * log_x[:, own]
        a = np.exp(log_a)
        seen = np.log(D / _TOKENS)[:, None] + np.log(h[:, own])[row]
        in_data = np.exp(log_A - a * seen)
        jacobian = np.zeros((len(D), t, len(self.theta)))
        jacobian[:, :, :first] = of_size[row]
        jacobian[:, each, first + each] = in_data
        jacobian[:, each, first + t + each] = -in_data * a * seen
        jacobian[:, each, first + 2 * t + each] = 1.0
        return _At(E + in_size[row] + in_data, jacobian)


def _models(N: Array, h: Array) -> tuple[Array, Array, Indices]:
    """Give the distinct N in millions and h of some rows, and which of them each row has."""
    both, row = np.unique(np.column_stack([N, h]), axis=0, return_inverse=True)
    return both[:, 0] / _PARAMETERS, np.maximum(both[:, 1:], _LEAST_WEIGHT), row.reshape(-1)


@dataclass(frozen=True, eq=False)
class _Objective:
    """The mean Huber loss over rows and targets, divided by delta, as a function of theta.

    Attributes:
        runs: the rows.
        loss: (rows, targets), NaN where there is none.
        own: the place of each target among the domains.
        delta: of the Huber loss.
    """

    runs: Runs
    loss: Array
    own: Indices
    delta: float

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """The lower and the upper bound of theta, each (size,)."""
        k, t = len(self.runs.domains), len(self.own)
        sizes = [k, k, 1, t, t, t]
        most_H = float(np.log(self.runs.N.min() / _PARAMETERS))
        lower = [_LOWEST, _LOWEST_EXPONENT, most_H + _LOWEST, _LOWEST, _LOWEST_EXPONENT, 0.0]
        upper = [_HIGHEST, _HIGHEST_EXPONENT, most_H, _HIGHEST, _HIGHEST_EXPONENT, 1e3]
        return np.repeat(lower, sizes), np.repeat(upper, sizes)

    def at(self, theta: Array) -> _ObjectiveAt:
        """Evaluate at theta, (size,)."""
        return _ObjectiveAt(self, KktLaw(theta, self.own, len(self.runs.domains)))

    def start(self, rng: np.random.Generator) -> Array:
        """Draw a theta at which the three parts of each target's loss are of its size."""
        runs, (k, t) = self.runs, (len(self.runs.domains), len(self.own))
        level = float(np.nanmean(self.loss))
        log_b, log_a = rng.normal(-1.0, 0.7, k), rng.normal(-1.0, 0.7, t)
        size = np.log(runs.N.mean() / _PARAMETERS / k)
        data = np.log(runs.D.mean() / _TOKENS / k)
        log_c = np.log(level * rng.uniform(0.05, 0.5, k)) + np.exp(log_b) * size
        log_A = np.log(level * rng.uniform(0.05, 0.5, t)) + np.exp(log_a) * data
        log_H = [np.log(runs.N.min() / _PARAMETERS) - rng.uniform(0.1, 3.0)]
        E = np.nanmin(self.loss, axis=0) * rng.uniform(0.1, 0.8, t)
        lower, upper = self.bounds
        theta: Array = np.concatenate([log_c, log_b, log_H, log_A, log_a, E])
        return np.clip(theta, lower, upper)


class _ObjectiveAt:
    """The objective at one theta."""

    def __init__(self, objective: _Objective, law: KktLaw) -> None:
        self._objective, self._law = objective, law

    @cached_property
    @np.errstate(over="ignore", invalid="ignore")
    def value(self) -> float:
        """The objective."""
        own, runs = self._objective, self._objective.runs
        residuals = own.loss - self._law.predict(runs.N, runs.D, runs.h)
        return float(np.nanmean(huber(residuals, own.delta))) / own.delta

    @property
    def gradient(self) -> Array:
        """Its gradient, (size,)."""
        return self.model.gradient

    @cached_property
    @np.errstate(over="ignore", invalid="ignore")
    def model(self) -> Quadratic:
        """Its gradient and Gauss-Newton matrix, as `mixfit.fitting.objective` has them."""
        own, runs = self._objective, self._objective.runs
        at = self._law.at(runs.N, runs.D, runs.h)
        known = ~np.isnan(own.loss)
        residuals, jacobian = (own.loss - at.loss)[known], at.jacobian[known]
        weights = 1.0 / np.maximum(np.abs(residuals), own.delta) / len(residuals)
        weighted = jacobian * weights[:, None]
        return Quadratic(-residuals @ weighted, weighted.T @ jacobian)


def fit_kkt(
    runs: Runs, targets: Sequence[str], treatment: Treatment, *, seed: int
) -> tuple[KktLaw, bool]:
    """Fit the law to some targets, all of them training domains.

    Args:
        runs: the rows to fit.
        targets: which; of the domains among them that are none the law has c and b alone.
        treatment: how it is fitted; with as many hops as there are targets where it has no number.
        seed: of all random numbers.

    Returns:
        The law, and whether the last descent converged.
    """
    own = np.array([runs.domains.index(target) for target in targets])
    loss = np.column_stack([runs.losses_of(target) for target in targets])
    objective = _Objective(runs, loss, own, treatment.delta)
    point = search(
        objective,
        objective.start,
        [],
        rng=np.random.default_rng([seed, len(targets)]),
        restarts=treatment.restarts,
        hops=len(targets) if treatment.hops is None else treatment.hops,
    ).point
    return KktLaw(point.theta, own, len(runs.domains)), point.converged
