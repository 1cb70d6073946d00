"""What a fit says of itself: how near it is, what the rows decide of it, and what is assumed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note
from mixfit.base.metrics import mean_relative_error
from mixfit.base.numbers import counted
from mixfit.fitting.diagnosis import delta_notes, diagnose
from mixfit.fitting.objective import huber
from mixfit.fitting.prior import effective_parameters, pooling
from mixfit.fitting.result import TargetFit
from mixfit.laws.law import OURS
from mixfit.laws.pooled import Pool

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mixfit.base.arrays import Array
    from mixfit.fitting.options import FitOptions
    from mixfit.fitting.search import Solved
    from mixfit.laws.formula import Formula
    from mixfit.laws.law import Law
    from mixfit.laws.pooled import PooledLaw
    from mixfit.runs.target_rows import TargetRows

_WRITTEN = 1e-6  # of a loss: less is rounding of the parameters as they are written
_HALF = 0.5  # of an exponent that the rows decide; less, and the prior does
_FAR = 2.0  # times what is usual of an exponent, or less than one over this of it
_LITTLE = 0.1  # of a number that the rows decide; less is as good as unmeasured


def described(solved: Solved, law: PooledLaw, rows: TargetRows, options: FitOptions) -> TargetFit:
    """Give the fit of a law to the rows of a target, with what it says of itself.

    Args:
        solved: where the search ended.
        law: with how hard it is pooled.
        rows: that were fitted.
        options: of the fit.
    """
    params = solved.formula.natural(solved.theta)
    predicted = solved.formula.predict(solved.theta, rows.N, rows.D, rows.h)
    # What is too large to be written changes; then the law is as near as its written parameters.
    written = solved.formula.predict(solved.formula.internal(params), rows.N, rows.D, rows.h)
    if not np.allclose(written, predicted, rtol=_WRITTEN):
        predicted = written
    penalty = solved.objective.penalty
    assumed: list[Note] = []
    shares: dict[str, Array] = {}
    if penalty is not None:
        of_rows = solved.objective.at(solved.theta).model.matrix - penalty.matrix
        shares = effective_parameters(solved.formula, of_rows, penalty)
        assumed = _assumed(solved.formula, solved.theta, law, of_rows)
    status, notes = diagnose(solved, rows.domains)
    own = options.of(solved.formula.law)
    scaled = [] if own.source else delta_notes(rows.loss - predicted, rows.loss, own.delta)
    return TargetFit(
        target=rows.target,
        domains=rows.domains,
        form=solved.formula.law,
        params=params,
        rows=len(rows),
        huber=float(huber(rows.loss - predicted, solved.objective.delta).mean()),
        mre=mean_relative_error(predicted, rows.loss),
        status=status,
        effective={name: float(own.sum()) for name, own in shares.items()},
        notes=tuple(
            replace(note, target=rows.target)
            for note in (*notes, *scaled, *_unmeasured(shares, rows), *assumed)
        ),
    )


def _assumed(formula: Formula, theta: Array, law: PooledLaw, of_rows: Array) -> list[Note]:
    """Name the exponents that the runs do not tell, so that they are what is usual, or ought to be.

    Args:
        formula: that was fitted.
        theta: where the search ended.
        law: with how hard it is pooled.
        of_rows: the Gauss-Newton matrix of the rows alone, (size, size).
    """
    usual = None if law.pool is None else pooling(formula, Pool(usual=law.pool.usual))
    if usual is None:
        return []
    shares = effective_parameters(formula, of_rows, usual)
    fitted = formula.natural(theta)
    near: dict[str, float] = {}
    notes = []
    for param in formula.law.groups:
        if param.usual is None or shares.get(param.name, np.ones(1))[0] >= _HALF:
            continue
        ratio = float(fitted[param.name][0]) / param.usual
        if 1 / _FAR < ratio < _FAR:
            near[param.name] = param.usual
            continue
        side = "above" if ratio > 1 else "below"
        text = (
            f"the runs hardly tell {param.name} and yet take it far {side} {param.usual:g}, near"
            " which published fits lie: predictions far from these runs may be far off"
        )
        notes.append(Note("assumed", text))
    if near:
        numbers = ", ".join(dict.fromkeys(f"{usual:g}" for usual in near.values()))
        text = (
            f"the runs hardly tell {' and '.join(near)}: pulled to {numbers}, near what published"
            " fits have"
        )
        notes.append(Note("assumed", text))
    return notes


def _unmeasured(shares: Mapping[str, Array], rows: TargetRows) -> list[Note]:
    """Name the domains of which the rows decide next to nothing."""
    by_domain = [own for own in shares.values() if len(own) == len(rows.domains) > 1]
    if not by_domain:
        return []
    most = np.max(by_domain, axis=0)
    names = [domain for domain, share in zip(rows.domains, most, strict=True) if share < _LITTLE]
    if not names:
        return []
    text = f"the runs say next to nothing of {', '.join(names)}: pooling decides"
    return [Note("unmeasured", text)]


def treatment_notes(law: Law, options: FitOptions) -> list[Note]:
    """Say how a law of others is fitted where that is not how mixfit fits its own.

    Args:
        law: as it was declared.
        options: of the fit.
    """
    own = options.of(law)
    if not own.source or own == replace(OURS, source=own.source):
        return []
    hops = "" if own.hops is None else f", {counted(own.hops, 'hop')}"
    text = f"delta {own.delta:g}, {own.solver}, at most {counted(own.restarts, 'start')}{hops}"
    return [Note("as-its-authors", f"{law.name} is fitted with {text}: {own.source}")]


def pool_notes(law: PooledLaw, fits: Collection[TargetFit]) -> list[Note]:
    """Say how much of the pooled parameters the rows decided.

    Args:
        law: with how hard it is pooled.
        fits: of its targets.
    """
    shares = []
    for param in law.law.groups:
        own = [fit.effective[param.name] for fit in fits if param.name in fit.effective]
        if own and param.per_domain:
            k = len(next(iter(fits)).domains)
            shares.append(f"{np.mean(own):.1f} of {k} {param.name}")
    if not shares:
        return []
    text = f"pooled with strength {law.pool}: the rows decide {', '.join(shares)} of a target"
    return [Note("pooled", text if len(fits) == 1 else f"{text}, on average")]
