"""What a fit is: the results of fitting, without how they come about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError, nearest
from mixfit.base.shown import Shown
from mixfit.fitting.solvers import SOLVERS
from mixfit.laws.formula import Formula

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from mixfit.base.arrays import Array
    from mixfit.laws.law import Law
    from mixfit.runs.columns import Columns
    from mixfit.runs.runs import Runs, SourceFile


@dataclass(frozen=True)
class FitOptions:
    """How a fit is made.

    Attributes:
        delta: of the Huber loss, eq. (6), in units of the loss.
        solver: a name in `mixfit.fitting.solvers.SOLVERS`.
        restarts: random starts at the most.
        hops: hops in a row that must find nothing lower before the search ends; as many as the law
            has parameters where it is None.
        seed: of all random numbers.
    """

    delta: float = 1e-3
    solver: str = "trust-region"
    restarts: int = 12
    hops: int | None = None
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
        if self.hops is not None and self.hops < 0:
            raise UsageError(f"hops is {self.hops}; it must be 0 or more (--hops).")
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}; it must be 0 or more (--seed).")

    def at_most(self, *, restarts: int, hops: int) -> FitOptions:
        """Give the options with fewer restarts and hops, where they are more."""
        return replace(
            self,
            restarts=min(self.restarts, restarts),
            hops=hops if self.hops is None else min(self.hops, hops),
        )


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


SELECTION_RULE = (
    "lowest mean held-out MRE over new mixtures and larger scale, which weigh alike; within one"
    " standard error, the law with fewer parameters"
)


@dataclass(frozen=True)
class Candidate:
    """What spoke for or against a law; errors are mean held-out MREs over targets, in percent.

    Attributes:
        law: its name.
        parameters: the most that one target needs.
        mre: the mean of `parts`; None where it is not finite.
        error: the standard error of `mre`; None where it is not known.
        parts: what was held out to the error on it; None where it is not finite.
        excluded: why it cannot be chosen, or "".
    """

    law: str
    parameters: int
    mre: float | None
    error: float | None
    parts: dict[str, float | None]
    excluded: str = ""


@dataclass(frozen=True)
class Selection:
    """A law that was chosen for runs.

    Attributes:
        law: its name.
        reason: the figures that led to it.
        tests: what was done.
        restarts: of the fits that were compared.
        hops: of the fits that were compared.
        candidates: the laws to choose from.
    """

    law: str
    reason: str
    tests: str
    restarts: int
    hops: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class ShrinkPath:
    """The held-out errors that a shrinkage was chosen by.

    Attributes:
        values: of the shrinkage, falling.
        errors: what was held out, to the mean held-out MRE over targets for each value, in percent.
        mean: geometric mean of the errors of the mixtures held out, for each value, in percent; the
            kinds of rows held out weigh alike.
        chosen: the better of the first and the last value, or one between that is clearly better.
        tests: what was done, in words.
    """

    values: tuple[float, ...]
    errors: dict[str, tuple[float, ...]]
    mean: tuple[float, ...]
    chosen: float
    tests: str

    def note(self) -> Note:
        """Say in a line what was chosen, and the errors for all values."""
        paths = [
            f"{column} " + " ".join(f"{error:.3g}" for error in errors)
            for column, errors in self.errors.items()
        ]
        values = " ".join(f"{value:g}" for value in self.values)
        text = f"auto chose {self.chosen:g}; held-out MRE % for {values}: {'; '.join(paths)}"
        return Note("shrink", text)


@dataclass(frozen=True, eq=False)
class Fit(Shown):
    """A law fitted to every target of some runs.

    Attributes:
        law: its name.
        domains: in the order of the columns of h.
        options: how it was made.
        data: what it was made on.
        targets: target to its fit.
        notes: about all targets, or about the data.
        selection: how the law was chosen, where `mixfit.evaluation.choose` chose it.
        shrink: how hard the domains' coefficients are pulled together, if at all (see
            `mixfit.evaluation.shrinkage`).
        shrink_path: how the shrinkage was chosen, where it was.
    """

    law: str
    domains: tuple[str, ...]
    options: FitOptions
    data: FitData
    targets: dict[str, TargetFit]
    notes: tuple[Note, ...] = ()
    selection: Selection | None = None
    shrink: float | None = None
    shrink_path: ShrinkPath | None = None

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
