"""What a careful reader should know of a fit: which parameters the runs pin, and which not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note
from mixfit.base.numbers import distinct, short
from mixfit.laws.coefficients import Constant
from mixfit.laws.parameters import POSITIVE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mixfit.base.arrays import Array, Mask
    from mixfit.fitting.result import Range
    from mixfit.fitting.search import Solved
    from mixfit.laws.formula import Formula
    from mixfit.laws.law import Law

# A parameter is not pinned if moving it by 1 raises the objective by less than this share.
_FLAT = 1e-3
# How many times delta, or its inverse, the median residual is at the most where nothing is said. On
# real runs it is 5 to 70 times the paper's delta.
_FAR_ABOVE, _FAR_BELOW = 300.0, 30.0
# A budget such as 788K for models of 787,584 parameters is none outside of them.
_AS_LARGE = 1.005
# Residuals that are smaller, as shares of the losses, are those of a law that is exact.
_EXACT = 1e-5


def table_notes(N: Array, D: Array, law: Law) -> tuple[Note, ...]:
    """Say what a table with few model sizes or token counts cannot tell, for all targets.

    Args:
        N: model sizes, (rows,).
        D: token counts, (rows,).
        law: as asked for.
    """
    notes = []
    sizes = np.unique(N)
    if law.uses_model_size and len(sizes) == 1:
        notes.append(
            Note(
                "one-model-size",
                f"all rows have {short(sizes[0])} parameters: what depends on N is dropped, and the"
                " fit says nothing about other sizes",
            )
        )
    if not law.uses_model_size and len(sizes) > 1:
        notes.append(_no_term("N", f"{short(sizes[0])} to {short(sizes[-1])} parameters"))
    if not law.uses_tokens and np.ptp(D) > 0:
        notes.append(_no_term("D", f"{short(D.min())} to {short(D.max())} tokens"))
    if law.uses_model_size and len(sizes) == 2:
        notes.append(
            Note(
                "two-model-sizes",
                f"two model sizes ({' and '.join(distinct(sizes))}) cannot pin E, A and"
                " alpha together: what the fit says of other sizes is not from the runs",
            )
        )
    if law.uses_tokens and np.ptp(D) == 0:
        notes.append(
            Note(
                "one-token-count",
                f"all rows have {short(D[0])} tokens: what depends on D is dropped, and the fit"
                " says nothing about other lengths",
            )
        )
    return tuple(notes)


def _no_term(name: str, span: str) -> Note:
    text = f"the law has no term in {name}: it takes rows of {span} as if they were alike"
    return Note(f"no-{name}", text)


def outside_notes(
    value: float, known: Range, what: str, code: str, unit: str, done: str = "fitted"
) -> Iterator[Note]:
    """Say how far a budget is from what the runs had, if it is outside of that.

    Args:
        value: its N or D.
        known: what the runs had.
        what: ``size`` or ``length``.
        code: ``model-size`` or ``tokens``.
        unit: words after numbers, such as " tokens".
        done: what became of these sizes and lengths.
    """
    large, small = ("largest", "smallest") if what == "size" else ("longest", "shortest")
    if value > known.max * _AS_LARGE:
        extreme, ratio, which = known.max, value / known.max, f"the {large}"
    elif value < known.min / _AS_LARGE:
        extreme, ratio, which = known.min, known.min / value, f"below the {small}"
    else:
        return
    times = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"
    text = f"{short(value)}{unit} is {times} times {which} {what} {done}, {short(extreme)}"
    yield Note(f"{code}-outside", text)


def diagnose(solved: Solved, domains: Sequence[str]) -> tuple[str, tuple[Note, ...]]:
    """Look at the lowest point of a search.

    Returns:
        The status, ``converged`` or what happened instead, and notes.
    """
    formula, theta = solved.formula, solved.theta
    names = _labels(formula, domains)
    lower, upper = formula.bounds
    notes = []
    at_bound = (theta <= lower) | (theta >= upper)
    constant = _places_of_constant(formula)
    for place in np.flatnonzero(at_bound & constant & (theta == 0.0)):
        text = f"{names[place]} is at its lower bound 0"
        for exponent, role in _fading_in_size(formula.law):
            text += f", so {exponent} and {role} are not pinned by these sizes"
        notes.append(Note("at-bound", text))
    # The model at the optimum says how much moving one parameter by 1 (a factor e for those that
    # are positive) costs when all others follow as well as they can.
    here = solved.objective.at(theta)
    loose = at_bound & ~constant
    free = np.flatnonzero(~at_bound)
    matrix = here.model.matrix[np.ix_(free, free)]
    ridge = 1e-12 * matrix.trace() * np.eye(len(free))
    cost = 0.5 / np.diag(np.linalg.inv(matrix + ridge))
    loose[free] |= cost < _FLAT * here.value
    if loose.any():
        listed = ", ".join(names[i] for i in np.flatnonzero(loose))
        text = f"not pinned by the runs, or running away: {listed}"
        notes.append(Note("not-pinned", text))
    in_h = sum(g.size(formula.k) for g in formula.law.mixture_groups)
    mixtures = len(solved.objective.blocks.h)
    if mixtures < in_h:
        notes.append(
            Note(
                "few-mixtures",
                f"{mixtures} mixtures for {in_h} parameters in h: the fit can follow noise, and"
                " predictions for other mixtures may be far off",
            )
        )
    if not solved.solution.point.converged:
        notes.append(Note("not-converged", "the last descent ended at its limit of steps"))
    return "converged" if solved.solution.point.converged else "not converged", tuple(notes)


def delta_notes(residuals: Array, losses: Array, delta: float) -> tuple[Note, ...]:
    """Say that the Huber loss is none of these residuals, where delta is far from them.

    Args:
        residuals: (rows,).
        losses: (rows,), whose unit is that of delta.
        delta: of the Huber loss.
    """
    usual = float(np.median(np.abs(residuals)))
    if usual > _FAR_ABOVE * delta:
        what = "all count by their size, as in an L1 fit"
    elif usual < delta / _FAR_BELOW and usual > _EXACT * float(np.median(np.abs(losses))):
        what = "all count by their square, and runs far off as much as they can"
    else:
        return ()
    ratio = f"1e{np.log10(usual / delta):.0f}"
    text = (
        f"residuals are some {ratio} times delta, {delta:g}: {what}. Where losses are in an odd"
        " unit, --delta auto is in proportion"
    )
    return (Note("delta-scale", text),)


def _places_of_constant(formula: Formula) -> Mask:
    """Tell which entry of theta is the law's constant, (size,)."""
    places = np.zeros(formula.size, bool)
    if formula.law.constant is not None:
        places[formula.places(formula.law.constant.coefficient)] = True
    return places


def _fading_in_size(law: Law) -> Iterator[tuple[str, str]]:
    """Give the exponent and the role of what falls with N alone, down to the constant."""
    for term in law.terms:
        if isinstance(term.n, Constant) and term.n.kind == POSITIVE and term.d is None:
            yield term.n.name, term.role


def _labels(formula: Formula, domains: Sequence[str]) -> list[str]:
    """Name every entry of theta, as ``alpha`` or ``C[web]``."""
    found = []
    for group in formula.law.groups:
        per_domain = [f"{group.name}[{domain}]" for domain in domains]
        found += per_domain if group.per_domain else [group.name]
    return found
