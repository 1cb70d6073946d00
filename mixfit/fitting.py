"""A law and runs to a `Fit`: eq. (6) minimised for every target."""

from __future__ import annotations

import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.catalogue import CATALOGUE, find_law
from mixfit.coefficients import NotContainedError
from mixfit.diagnosis import diagnose, table_notes
from mixfit.errors import NotApplicableError, Note, UsageError, nearest
from mixfit.laws import Formula
from mixfit.metrics import mean_relative_error
from mixfit.objective import Objective, huber, make_blocks
from mixfit.parallel import map_tasks
from mixfit.solvers import SOLVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from mixfit.coefficients import Array
    from mixfit.laws import Law
    from mixfit.runs import Columns, Runs, SourceFile
    from mixfit.selection import Selection
    from mixfit.solvers import Solution

# Ridge that keeps the first guess of the terms' sizes near equal shares of the mean loss.
_SHARE_RIDGE = 1e-3
_SMALLEST_SHARE = 0.02
_DRAWS = 20


@dataclass(frozen=True)
class FitOptions:
    """How a fit is made.

    Attributes:
        delta: of the Huber loss, eq. (6), in units of the loss.
        solver: a name in `mixfit.solvers.SOLVERS`.
        restarts: random starts at the most.
        hops: hops in a row that must find nothing lower before the search ends.
        seed: of all random numbers.
    """

    delta: float = 1e-3
    solver: str = "trust-region"
    restarts: int = 12
    hops: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.delta > 0 and np.isfinite(self.delta)):
            raise UsageError(f"delta is {self.delta:g}; it must be a positive number (--delta).")
        if self.solver not in SOLVERS:
            known = ", ".join(SOLVERS)
            hint = nearest(self.solver, SOLVERS)
            raise UsageError(f"There is no solver '{self.solver}'.{hint} Solvers: {known}.")
        if self.restarts < 1:
            raise UsageError(f"restarts is {self.restarts}; it must be 1 or more (--restarts).")
        if self.hops < 0:
            raise UsageError(f"hops is {self.hops}; it must be 0 or more (--hops).")


@dataclass(frozen=True)
class Range:
    """The smallest and the largest of some numbers."""

    min: float
    max: float

    @classmethod
    def of(cls, values: Array) -> Range:
        """Find the range of an array with at least one entry."""
        return cls(float(values.min()), float(values.max()))


@dataclass(frozen=True)
class FitData:
    """What a fit was made on.

    Attributes:
        files: that were read.
        where: conditions that the rows meet.
        columns: which column was read as what.
        mixtures: how many distinct ones.
        model_size: in parameters.
        tokens: in tokens.
        weights: domain to the range of its weight.
    """

    files: tuple[SourceFile, ...]
    where: tuple[str, ...]
    columns: Columns
    mixtures: int
    model_size: Range
    tokens: Range
    weights: dict[str, Range]

    @classmethod
    def of(cls, runs: Runs) -> FitData:
        """Summarise runs."""
        return cls(
            files=runs.files,
            where=runs.where,
            columns=runs.columns,
            mixtures=len(runs.mixtures),
            model_size=Range.of(runs.N),
            tokens=Range.of(runs.D),
            weights={d: Range.of(runs.h[:, i]) for i, d in enumerate(runs.domains)},
        )


@dataclass(frozen=True, eq=False)
class TargetFit:
    """A law fitted to one target.

    Attributes:
        target: its name.
        law: in the form that the target's rows can tell apart (see `Law.identified`).
        params: natural parameters by name, (1,) or (k,) in the order of the domains, for N in
            parameters and D in tokens.
        rows: how many had a loss for this target.
        huber: mean Huber loss on them, eq. (6).
        mre: mean relative error on them, in percent.
        status: what became of the search, such as ``converged``.
        notes: what a careful reader should know.
    """

    target: str
    law: Law
    params: dict[str, Array]
    rows: int
    huber: float
    mre: float
    status: str
    notes: tuple[Note, ...] = ()

    def formula(self) -> tuple[Formula, Array]:
        """Give the law in natural units, and its internal parameters."""
        k = next((len(self.params[g.name]) for g in self.law.groups if g.per_domain), 1)
        formula = Formula(self.law, k)
        return formula, formula.internal(self.params)

    def entropy_bound(self, domains: Sequence[str]) -> float | None:
        """Bound the entropy of a target that is itself a training domain (section 6).

        For disjoint domains the best mixture for the target is the target itself, so that its
        entropy is at most the loss at that corner for infinite N and D: E + 1/C_i in eq. (4).

        Args:
            domains: in the order of the columns of h.

        Returns:
            The bound, or None where the target is no domain, or the law's limit is no bound: where
            N or D is fixed, or the mixture's effect does not stay as D grows.
        """
        lasting = [term for term in self.law.terms if term.n is None and term.d is None]
        scaled = [term for term in self.law.terms if term not in lasting]
        if (
            self.target not in domains
            or not (self.law.uses_model_size and self.law.uses_tokens)
            or not any(term.coefficient.depends_on_mixture for term in lasting)
            or any(term.n is not None and term.d is not None for term in scaled)
        ):
            return None
        corner = np.array([[float(domain == self.target) for domain in domains]])
        formula, theta = self.formula()
        values = formula.term_values(theta, np.ones(1), np.ones(1), corner)[:, 0]
        return float(sum(v for v, t in zip(values, self.law.terms, strict=True) if t in lasting))

    def predict(self, N: Array, D: Array, h: Array) -> Array:
        """Predict losses, (rows,); N and D of shape (rows,), h of shape (rows, k)."""
        formula, theta = self.formula()
        return formula.predict(theta, N, D, h)


@dataclass(frozen=True, eq=False)
class Fit:
    """A law fitted to every target of some runs.

    Attributes:
        law: its name.
        domains: in the order of the columns of h.
        options: how it was made.
        data: what it was made on.
        targets: target to its fit.
        notes: about all targets, or about the data.
        selection: how the law was chosen, where `mixfit.selection` chose it.
    """

    law: str
    domains: tuple[str, ...]
    options: FitOptions
    data: FitData
    targets: dict[str, TargetFit]
    notes: tuple[Note, ...] = ()
    selection: Selection | None = None

    def predict(self, N: ArrayLike, D: ArrayLike, h: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """Predict the losses of training runs.

        Args:
            N: model sizes in parameters, (rows,) or one number.
            D: training lengths in tokens, (rows,) or one number.
            h: mixtures, (rows, k) in the order of `domains`; each row sums to 1.

        Returns:
            Target to predicted losses, (rows,).

        Raises:
            UsageError: if the shapes do not fit, N or D is not positive, or a row of h is no
                mixture.
        """
        weights = np.atleast_2d(np.asarray(h, dtype=np.float64))
        k = len(self.domains)
        if weights.ndim != 2 or weights.shape[1] != k:
            raise UsageError(
                f"h has shape {np.shape(h)}; it must be (rows, {k}), a column for each of the"
                f" domains {', '.join(self.domains)}."
            )
        if np.any(~(weights >= 0)) or np.any(np.abs(weights.sum(axis=1) - 1) > 1e-6):
            raise UsageError("Each row of h must hold weights of 0 or more that sum to 1.")
        scales = []
        for name, given in (("N", N), ("D", D)):
            scale = np.asarray(given, dtype=np.float64)
            if scale.shape not in ((), (len(weights),)):
                raise UsageError(
                    f"{name} has shape {scale.shape}; it must be one number or ({len(weights)},)."
                )
            if np.any(~(scale > 0)) or np.any(np.isinf(scale)):
                raise UsageError(f"{name} must be positive and finite.")
            scales.append(np.broadcast_to(scale, len(weights)))
        sizes, tokens = scales
        return {name: f.predict(sizes, tokens, weights) for name, f in self.targets.items()}


def fit(
    runs: Runs,
    law: str = "additive",
    *,
    options: FitOptions | None = None,
    jobs: int | str | None = None,
    done: Callable[[], None] = lambda: None,
) -> Fit:
    """Fit a law to every target of runs: the Huber loss, eq. (6), minimised for each.

    The result depends on the rows, the law, the options and the targets' names, not on `jobs` nor
    on which other targets there are.

    Args:
        runs: the rows to fit.
        law: a name in `mixfit.catalogue.CATALOGUE`.
        options: how; `FitOptions()` by default.
        jobs: processes that targets are spread over, by default one for each processor, or the
            address of a cluster (see `mixfit.parallel.map_tasks`).
        done: called whenever a target is done.

    Raises:
        UsageError: if there is no such law, or it can be fitted to none of the targets.
    """
    options = options or FitOptions()
    declared = find_law(law)
    refused = refusals(declared, runs)
    if len(refused) == len(runs.targets):
        targets, reasons = ", ".join(refused), "; ".join(dict.fromkeys(refused.values()))
        raise UsageError(
            f"The law {law} cannot be fitted to {targets}: {reasons}. Choose other targets with"
            " --targets, or another law."
        )
    tasks = [target_task(runs, t, (law,), options) for t in runs.targets if t not in refused]
    outcomes = map_tasks(fit_target, tasks, jobs=jobs, done=done)
    general = table_notes(runs.N, runs.D, declared)
    fits = {}
    for task, (outcome,) in zip(tasks, outcomes, strict=True):
        own = [note for note in table_notes(task.N, task.D, declared) if note not in general]
        notes = (*(replace(note, target=task.target) for note in own), *outcome.fit.notes)
        fits[task.target] = replace(outcome.fit, notes=notes)
    left_out = [
        Note("not-applicable", f"left out: {law} cannot be fitted, since {reason}", target)
        for target, reason in refused.items()
    ]
    return Fit(
        law=law,
        domains=runs.domains,
        options=options,
        data=FitData.of(runs),
        targets=fits,
        notes=(*runs.notes, *left_out, *general),
    )


def refusals(law: Law, runs: Runs) -> dict[str, str]:
    """Find the targets that a law cannot be fitted to.

    Args:
        law: as it stands in the catalogue.
        runs: the rows to fit.

    Returns:
        Target to reason, a clause about the law.
    """
    found = {}
    for target in runs.targets:
        try:
            rows = ~np.isnan(runs.losses_of(target))
            law.bound(runs.domains, target).check(runs.h[rows], runs.domains)
        except NotApplicableError as error:
            found[target] = str(error)
    return found


@dataclass(frozen=True, eq=False)
class TargetTask:
    """The rows that have a loss for one target, and the laws to fit to them.

    It can be pickled; see `target_task` for one made from runs, and `fit_target` for what is done.

    Attributes:
        target: its name.
        laws: names of laws, which must all be applicable (see `refusals`).
        options: how they are fitted.
        domains: in the order of the columns of h.
        N: model sizes in parameters, (rows,).
        D: training lengths in tokens, (rows,).
        loss: (rows,).
        mixture: (rows,) index into the mixtures.
        mixtures: (m, k).
    """

    target: str
    laws: tuple[str, ...]
    options: FitOptions
    domains: tuple[str, ...]
    N: Array
    D: Array
    loss: Array
    mixture: NDArray[np.intp]
    mixtures: Array


class Outcome(NamedTuple):
    """A law fitted to one target, and the seconds that it took with all that it started from."""

    law: str
    fit: TargetFit
    seconds: float


def target_task(runs: Runs, target: str, laws: tuple[str, ...], options: FitOptions) -> TargetTask:
    """Take the rows of runs that have a loss for a target.

    Args:
        runs: the rows.
        target: one of theirs.
        laws: names in `mixfit.catalogue.CATALOGUE`.
        options: how the laws are fitted.
    """
    loss = runs.losses_of(target)
    rows = np.flatnonzero(~np.isnan(loss))
    return TargetTask(
        target=target,
        laws=laws,
        options=options,
        domains=runs.domains,
        N=runs.N[rows],
        D=runs.D[rows],
        loss=loss[rows],
        mixture=runs.mixture[rows],
        mixtures=runs.mixtures,
    )


def fit_target(task: TargetTask) -> list[Outcome]:
    """Fit laws to one target; what they contain in common is solved once.

    A law's result does not depend on which other laws are fitted beside it.
    """
    search = _Search(task)
    return [Outcome(law, _target_fit(search, law), search.seconds(law)) for law in task.laws]


def _target_fit(search: _Search, law: str) -> TargetFit:
    task = search.task
    objective, solution = search.solve(law)
    formula = objective.formula
    theta = solution.point.theta
    predicted = formula.predict(theta, task.N, task.D, task.mixtures[task.mixture])
    status, notes = diagnose(objective, solution, task.domains)
    return TargetFit(
        target=task.target,
        law=formula.law,
        params=formula.natural(theta),
        rows=len(task.loss),
        huber=float(huber(task.loss - predicted, task.options.delta).mean()),
        mre=mean_relative_error(predicted, task.loss),
        status=status,
        notes=tuple(replace(note, target=task.target) for note in notes),
    )


class _Search:
    """The search for one target's parameters, from the smallest law contained to the one wanted."""

    def __init__(self, task: TargetTask) -> None:
        self.task = task
        self._log_N, self._log_D = np.log(task.N), np.log(task.D)
        self._n_unit = float(np.exp(self._log_N.mean()))
        self._d_unit = float(np.exp(self._log_D.mean()))
        self._solved: dict[str, tuple[Objective, Solution]] = {}
        self._seconds: dict[str, float] = {}

    def solve(self, name: str) -> tuple[Objective, Solution]:
        """Fit a law, starting among others from the optima of those that it contains."""
        if name in self._solved:
            return self._solved[name]
        task, options = self.task, self.task.options
        law = (
            CATALOGUE[name]
            .bound(task.domains, task.target)
            .identified(
                one_model_size=bool(np.ptp(task.N) == 0), one_token_count=bool(np.ptp(task.D) == 0)
            )
        )
        objective = self._objective(
            Formula(law, task.mixtures.shape[1], self._n_unit, self._d_unit)
        )
        known = []
        for smaller in law.contains:
            inner, optimum = self.solve(smaller)
            with suppress(NotContainedError):
                known.append(objective.formula.embedded(inner.formula, optimum.point.theta))
        begin = time.perf_counter()
        # A stream of its own for each target and law: results do not depend on what else is fitted.
        seeds = [options.seed, zlib.crc32(task.target.encode()), zlib.crc32(name.encode())]
        solution = SOLVERS[options.solver](
            objective,
            partial(_start, objective),
            known,
            rng=np.random.default_rng(seeds),
            restarts=options.restarts,
            hops=options.hops,
        )
        self._seconds[name] = time.perf_counter() - begin
        self._solved[name] = objective, solution
        return objective, solution

    def seconds(self, name: str) -> float:
        """Give the time that a law that is solved took, with those that it contains."""
        wanted, found = [name], set[str]()
        while wanted:
            law = wanted.pop()
            found.add(law)
            wanted += CATALOGUE[law].contains
        return sum(self._seconds[law] for law in found)

    def _objective(self, formula: Formula) -> Objective:
        task = self.task
        blocks = make_blocks(
            self._log_N - np.log(self._n_unit),
            self._log_D - np.log(self._d_unit),
            task.loss,
            task.mixture,
            task.mixtures,
        )
        return Objective(formula, blocks, task.options.delta)


def _start(objective: Objective, rng: np.random.Generator) -> Array:
    """Draw parameters at random, and fit the sizes of the terms to the losses."""
    formula = objective.formula
    for _ in range(_DRAWS):
        theta = formula.random(rng)
        loss, values = objective.term_values(theta)
        # A factor cannot mend a term that is below 0, as sums with coefficients of both signs may.
        if np.all(values.mean(axis=1) > 0):
            break
    else:
        return theta
    shapes = values / values.mean(axis=1, keepdims=True)
    count = len(shapes)
    equal = np.full(count, loss.mean() / count)
    normal = shapes @ shapes.T / len(loss) + _SHARE_RIDGE * np.eye(count)
    shares = equal + np.linalg.solve(normal, shapes @ (loss - equal @ shapes) / len(loss))
    shares = np.maximum(shares, _SMALLEST_SHARE * loss.mean())
    return formula.rescaled(theta, shares / values.mean(axis=1))
