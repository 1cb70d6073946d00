"""How a fit is made, where that is not as its law has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np

from mixfit.base.errors import UsageError, nearest, parameter
from mixfit.base.plain import Key
from mixfit.fitting.discrepancy import KINDS
from mixfit.fitting.solvers import SOLVERS
from mixfit.laws.law import OURS

if TYPE_CHECKING:
    from mixfit.laws.law import Law, Treatment

_DELTAS = 1e-12, 1e12  # beyond them the Huber loss, or what it is divided by, overflows

AUTHORS, MIXFIT = "authors", "mixfit"


@dataclass(frozen=True)
class FitOptions:
    """How a fit is made. What is None is as the law has it (`mixfit.laws.law.Treatment`).

    Attributes:
        delta: of the Huber loss, eq. (6), in units of the loss; 1e-3 for the laws of the paper and
            of mixfit.
        seed: of all random numbers.
        solver: a name in `mixfit.fitting.solvers.SOLVERS`; ``trust-region`` for those.
        restarts: random starts at the most; 12 for those.
        hops: hops in a row that must find nothing lower before the search ends; as many as the law
            has parameters for those.
        discrepancy: ``auto`` to add what the law leaves of the losses to predictions, where the
            rows speak for it (`mixfit.fitting.discrepancy`), ``gp`` to do so always, ``none``;
            ``auto`` for those laws.
        treatment: ``authors`` to fit the laws of others as their authors do, ``mixfit`` to fit all
            laws as those of mixfit.
    """

    delta: Annotated[float | None, Key(word="auto")] = None
    seed: int = 0
    solver: Annotated[str | None, Key(word="auto")] = None
    restarts: Annotated[int | None, Key(word="auto")] = None
    hops: Annotated[int | None, Key(word="auto")] = None
    treatment: Annotated[str, Key(omit=True)] = AUTHORS
    discrepancy: Annotated[str | None, Key(omit=True)] = None

    def __post_init__(self) -> None:
        if self.treatment not in (AUTHORS, MIXFIT):
            raise UsageError(
                f"There is no treatment '{self.treatment}'. Treatments: {AUTHORS}, {MIXFIT}."
            )
        if self.delta is not None and not (self.delta > 0 and np.isfinite(self.delta)):
            raise UsageError(
                f"delta is {self.delta:g}; it must be a positive number ({parameter('delta')})."
            )
        if self.delta is not None and not _DELTAS[0] <= self.delta <= _DELTAS[1]:
            least, most = _DELTAS
            raise UsageError(
                f"delta is {self.delta:g}; it must be from {least:g} to {most:g}"
                f" ({parameter('delta')}). It is in the unit of the losses, and 0.001 in the paper."
            )
        if self.solver is not None and self.solver not in SOLVERS:
            known = ", ".join(SOLVERS)
            hint = nearest(self.solver, SOLVERS)
            raise UsageError(f"There is no solver '{self.solver}'.{hint} Solvers: {known}.")
        if self.discrepancy is not None and self.discrepancy not in KINDS:
            raise UsageError(
                f"There is no discrepancy '{self.discrepancy}' ({parameter('discrepancy')})."
                f" Discrepancies: {', '.join(KINDS)}."
            )
        for name, least in (("restarts", 1), ("hops", 0), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(
                    f"{name} is {value}; it must be {least} or more ({parameter(name)})."
                )

    def of(self, law: Law) -> Treatment:
        """Give how a law is fitted: as these options say, and else as the law has it."""
        return self.treated(law.treatment if self.treatment == AUTHORS else OURS)

    def treated(self, own: Treatment) -> Treatment:
        """Give a treatment with what these options say."""
        names = ("delta", "solver", "restarts", "hops", "discrepancy")
        asked = {name: getattr(self, name) for name in names}
        return replace(own, **{name: x for name, x in asked.items() if x is not None})

    def filled(self, law: Law) -> FitOptions:
        """Give the options with all that is None as a law has it."""
        own = self.of(law)
        return replace(
            self,
            delta=own.delta,
            solver=own.solver,
            restarts=own.restarts,
            hops=own.hops,
            discrepancy=own.discrepancy,
        )

    def at_most(self, *, restarts: int, hops: int) -> FitOptions:
        """Give the options with fewer restarts and hops, where they are more or are not said."""
        return replace(
            self,
            restarts=restarts if self.restarts is None else min(self.restarts, restarts),
            hops=hops if self.hops is None else min(self.hops, hops),
        )
