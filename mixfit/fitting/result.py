"""What a fit is: the results of fitting, without how they come about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np

from mixfit.base.errors import Note
from mixfit.base.numbers import counted
from mixfit.base.plain import Blank, Key, Omitted
from mixfit.base.shown import Drawn, Shown
from mixfit.fitting.inputs import rows_of
from mixfit.fitting.uncertainty import intervals
from mixfit.laws.formula import Formula
from mixfit.runs.columns import Columns  # noqa: TC001, the fit file reads it by its type
from mixfit.runs.runs import JoinedFiles, SourceFile  # noqa: TC001, likewise

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import ArrayLike

    from mixfit.base.arrays import Array
    from mixfit.fitting.discrepancy import Discrepancy, DiscrepancyAt
    from mixfit.fitting.misfits import Misfits
    from mixfit.fitting.options import FitOptions
    from mixfit.fitting.trimmed import Trim
    from mixfit.fitting.uncertainty import Errors, Intervals, Resamples
    from mixfit.laws.law import Law
    from mixfit.laws.pooled import PooledLaw
    from mixfit.runs.runs import Runs

_SMALLEST_ERROR = 1e-4  # percent; smaller errors are the solver's


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
        joined: files that were joined to `files`, if any.
    """

    files: tuple[SourceFile, ...]
    where: tuple[str, ...]
    columns: Columns
    mixtures: int
    model_size: Range
    tokens: Range
    weights: dict[str, Range]
    joined: Omitted[JoinedFiles] = None

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
            joined=runs.joined,
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """Of all files that were read."""
        joined = () if self.joined is None else self.joined.files
        return tuple(file.path for file in (*self.files, *joined))


@dataclass(frozen=True, eq=False)
class TargetFit:
    """A law fitted to one target.

    Attributes:
        target: its name.
        domains: in the order of the columns of h.
        form: of the law, with the terms that the target's rows can tell apart (see
            `Law.identified`).
        params: natural parameters by name, (1,) or (k,) in the order of the domains, for N in
            parameters and D in tokens.
        rows: how many had a loss for this target.
        huber: mean Huber loss of the law on them, eq. (6).
        mre: mean relative error of the law on them, in percent.
        status: what became of the search, such as ``converged``.
        effective: pooled parameter to how many of its numbers the rows decide, of k or of 1.
        discrepancy: what is added to the law in predictions, if anything.
        notes: what a careful reader should know.
    """

    target: str
    domains: tuple[str, ...]
    form: Law
    params: dict[str, Array]
    rows: int
    huber: float
    mre: float
    status: str
    effective: dict[str, float] = field(default_factory=dict)
    discrepancy: Discrepancy | None = None
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        return f"TargetFit({self.target}: MRE {self.mre:.2f}%, {self.status})"

    def formula(self) -> tuple[Formula, Array]:
        """Give the law in natural units, and its internal parameters."""
        formula = Formula(self.form, len(self.domains))
        return formula, formula.internal(self.params)

    def entropy_bound(self) -> float | None:
        """Bound the entropy of a target that is itself a training domain (section 6).

        For disjoint domains the best mixture for the target is the target itself, so that its
        entropy is at most the loss at that corner for infinite N and D: E + 1/C_i in eq. (4).

        Returns:
            The bound, or None where the target is no domain, or the law's limit is no bound: where
            N or D is fixed, or the mixture's effect does not stay as D grows.
        """
        lasting = [term for term in self.form.terms if term.n is None and term.d is None]
        scaled = [term for term in self.form.terms if term not in lasting]
        if (
            self.target not in self.domains
            or not (self.form.uses_model_size and self.form.uses_tokens)
            or not any(term.coefficient.depends_on_mixture for term in lasting)
            or any(term.n is not None and term.d is not None for term in scaled)
        ):
            return None
        corner = np.array([[float(domain == self.target) for domain in self.domains]])
        formula = Formula(self.form.with_terms(lasting), len(self.domains))
        theta = formula.internal(self.params)
        return float(formula.predict(theta, np.ones(1), np.ones(1), corner)[0])

    def predict(self, N: Array, D: Array, h: Array) -> Array:
        """Predict losses, (rows,); N and D of shape (rows,), h of shape (rows, k)."""
        formula, theta = self.formula()
        loss = formula.predict(theta, N, D, h)
        return loss if self.discrepancy is None else loss + self.discrepancy.predict(N, D, h)

    def law_alone(self) -> TargetFit:
        """Give the fit without its discrepancy."""
        return replace(self, discrepancy=None)

    def with_params(self, params: dict[str, Array]) -> TargetFit:
        """Give the fit with other natural parameters; what they leave, the discrepancy takes up."""
        moved = replace(self, params=params)
        if self.discrepancy is None:
            return moved
        change = moved._at_points() - self._at_points()
        return replace(moved, discrepancy=self.discrepancy.moved(change))

    def off_by(self, draw: DiscrepancyAt) -> TargetFit:
        """Give the fit, which has a discrepancy, with this off by one of its draws."""
        assert self.discrepancy is not None
        return replace(self, discrepancy=replace(self.discrepancy, off=draw))

    def _at_points(self) -> Array:
        """Give the law's predictions where the discrepancy was seen."""
        assert self.discrepancy is not None
        formula, theta = self.formula()
        points = self.discrepancy.points
        return formula.predict(theta, points.N, points.D, points.h)


@dataclass(frozen=True)
class Candidate:
    """What speaks for or against a law.

    Attributes:
        law: its name, with how hard it is pooled if it is.
        parameters: the most that one target needs, or None where that says nothing.
        mre: mean held-out MRE over targets and what was held out, in percent; NaN where it has
            none.
        excluded: why it cannot be chosen, or "".
        difference: of its errors from those of the law chosen, as a geometric mean of ratios, in
            percent; NaN where it has none.
        standard_error: of the difference, in percent.
        parts: what was held out to the MRE on it, in percent.
        seconds: to fit all targets once, on one core.
    """

    law: str
    parameters: int | None
    mre: Blank
    excluded: str = ""
    difference: Blank = np.nan
    standard_error: Blank = np.nan
    parts: Annotated[dict[str, float] | None, Key(omit=True, blank=True)] = None
    seconds: float = field(default=np.nan, compare=False, metadata={"stored": False})


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The choice of a law.

    Attributes:
        rule: that it was made by.
        law: the one chosen.
        reason: the figures that led to it.
        tests: what was held out, in words.
        restarts: of the fits that were compared.
        hops: of the fits that were compared.
        candidates: the laws to choose from.
    """

    rule: Omitted[str] = None
    law: str
    reason: str
    tests: Omitted[str] = None
    restarts: Omitted[int] = None
    hops: Omitted[int] = None
    candidates: Annotated[tuple[Candidate, ...], Key(omit=True)] = ()


@dataclass(frozen=True)
class Trial:
    """The held-out errors by which one strength was chosen.

    Attributes:
        chosen: the value with the lowest `mean`.
        values: of the strength, falling.
        mre: mean over mixtures and targets held out, for each value, in percent.
        mean: geometric mean likewise.
    """

    chosen: Annotated[float, Key(least=0)]
    values: Annotated[tuple[float, ...], Key(least=0)]
    mre: Annotated[tuple[float, ...], Key(infinite=True, least=0)]
    mean: Annotated[tuple[float, ...], Key(infinite=True, least=0)]

    @classmethod
    def of(cls, values: tuple[float, ...], errors: Array) -> Trial:
        """Choose by the errors of mixtures and targets held out, (values, errors), in percent."""
        mean = np.exp(np.log(np.maximum(errors, _SMALLEST_ERROR)).mean(axis=1))
        return cls(
            chosen=values[int(np.argmin(mean))],
            values=values,
            mre=tuple(errors.mean(axis=1).tolist()),
            mean=tuple(mean.tolist()),
        )


@dataclass(frozen=True)
class PoolPath:
    """How it was chosen how hard to pool.

    Attributes:
        tests: what was held out, in words.
        domains: the strength of the pull between domains.
        targets: that between targets, or None where each was kept apart.
    """

    tests: str
    domains: Trial
    targets: Omitted[Trial] = None

    def note(self) -> Note:
        """Say in a line what was chosen."""
        text = f"{self.tests} chose how hard to pool: {self.domains.chosen:g} between domains"
        if self.targets is not None:
            text += f", {self.targets.chosen:g} between targets"
        return Note("pool", text)


@dataclass(frozen=True, eq=False)
class Fit(Shown, Drawn):
    """A law fitted to every target of some runs.

    Attributes:
        law: with how hard its parameters are pulled together, if at all.
        domains: in the order of the columns of h.
        options: how it was made.
        data: what it was made on.
        targets: target to its fit.
        notes: about all targets, or about the data.
        selection: how the law was chosen, where `mixfit.evaluation.choose` chose it.
        pool_path: how it was chosen how hard to pool, where it was.
        resamples: its parameters under random weights on the mixtures, where it was resampled.
        errors: what predictions may be off by besides, likewise.
        record: what no table tells, a name in `mixfit.fitting.record.BLANKS` to what the user says.
        misfits: of a look at the residuals.
        trim: how it was chosen from which N and D on rows are fitted, where it was (see
            `mixfit.evaluation.trim`).
    """

    law: PooledLaw
    domains: tuple[str, ...]
    options: FitOptions
    data: FitData
    targets: dict[str, TargetFit]
    notes: tuple[Note, ...] = ()
    selection: Choice | None = None
    pool_path: PoolPath | None = None
    resamples: Resamples | None = None
    errors: Errors | None = None
    record: dict[str, str] = field(default_factory=dict)
    misfits: Misfits | None = None
    trim: Trim | None = None

    def __repr__(self) -> str:
        mean = np.mean([target.mre for target in self.targets.values()])
        counts = counted(len(self.targets), "target"), counted(len(self.domains), "domain")
        return f"Fit({self.law}, {', '.join(counts)}, mean MRE {mean:.2f}%)"

    @property
    def depends_on(self) -> tuple[bool, bool]:
        """Whether predictions depend on N, and on D: by laws, or by discrepancies."""
        each = self.targets.values()
        fades = [own.discrepancy.kernel.fades for own in each if own.discrepancy is not None]
        by_size = any(own.form.uses_model_size for own in each) or any(n for n, _ in fades)
        return by_size, any(own.form.uses_tokens for own in each) or any(d for _, d in fades)

    def to_frame(self) -> pd.DataFrame:
        """Give a table with a row for each target: rows, parameters, Huber, MRE and status.

        A parameter that each domain has is a column for each, such as ``C[web]``; what a target's
        form of the law lacks is NaN.
        """
        import pandas as pd

        rows = []
        for name, target in self.targets.items():
            row: dict[str, object] = {"target": name, "rows": target.rows}
            for group in target.form.groups:
                names = [f"{group.name}[{d}]" for d in self.domains] if group.per_domain else []
                row |= zip(names or [group.name], target.params[group.name].tolist(), strict=True)
            rows.append(row | {"huber": target.huber, "mre": target.mre, "status": target.status})
        return pd.DataFrame(rows)

    def predict(
        self,
        N: ArrayLike | pd.DataFrame,
        D: ArrayLike | None = None,
        h: ArrayLike | Mapping[str, ArrayLike] | None = None,
    ) -> dict[str, Array]:
        """Predict the losses of training runs.

        ``fit.predict(frame)`` takes all three from a data frame: from columns with the names of
        those that were fitted, or else ``N``, ``D`` and the names of the domains.

        Args:
            N: model sizes in parameters, (rows,) or one number; or the data frame.
            D: training lengths in tokens, (rows,) or one number.
            h: mixtures, (rows, k) in the order of `domains`, or one, (k,); or domain to its weights
                (rows,) or its one weight, 0 for those left out. The weights of a row sum to 1.

        Returns:
            Target to predicted losses, (rows,).

        Raises:
            UsageError: if the shapes do not fit, N or D is not positive, a row of h is no mixture,
                or the data frame lacks a column.
        """
        N, D, h = rows_of(N, D, h, self.domains, self.data.columns)
        return {name: target.predict(N, D, h) for name, target in self.targets.items()}

    def predict_intervals(
        self,
        N: ArrayLike | pd.DataFrame,
        D: ArrayLike | None = None,
        h: ArrayLike | Mapping[str, ArrayLike] | None = None,
    ) -> dict[str, Intervals]:
        """Predict the losses of training runs with their 90% intervals; arguments as in `predict`.

        Returns:
            Target to predicted losses with both ends, each (rows,).

        Raises:
            UsageError: as `predict`, and where the fit has no resamples (see `mixfit.resample`).
        """
        N, D, h = rows_of(N, D, h, self.domains, self.data.columns)
        return {name: intervals(self, name, N, D, h) for name in self.targets}
