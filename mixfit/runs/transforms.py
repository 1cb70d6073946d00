"""Targets that are no losses: what makes a loss of them, and what undoes it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError, nearest, parameter
from mixfit.base.metrics import rank_correlation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mixfit.base.arrays import Array, Indices

# What is done to a target's values before they are fitted, and what undoes it.
TRANSFORMS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "1-x": (lambda x: 1.0 - x, lambda y: 1.0 - y),
    "100-x": (lambda x: 100.0 - x, lambda y: 100.0 - y),
    "-log x": (lambda x: -np.log(x), lambda y: np.exp(-y)),
}
_FEWEST_ALONE = 10  # runs of one row each
_CORRELATED = 0.5
_ENOUGH = 20_000  # rows
_FEWEST = 3  # runs of several lengths, or sizes, that say something of all


def to_loss(transform: str, values: Array) -> Array:
    """Make losses of a target's values; what has no logarithm becomes infinite.

    >>> to_loss("1-x", np.array([0.25, 1.0]))
    array([0.75, 0.  ])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        made = TRANSFORMS[transform][0](values)
    # NaN stands for a missing cell alone.
    return np.where(np.isnan(made) & ~np.isnan(values), np.inf, made)


def as_logged(
    losses: Mapping[str, float], transforms: Mapping[str, str] | None
) -> dict[str, float]:
    """Undo what was done to some targets' values; the others stay as they are.

    >>> as_logged({"qa": 0.25, "web": 3.0}, {"qa": "1-x"})
    {'qa': 0.75, 'web': 3.0}

    Args:
        losses: target to loss.
        transforms: target to a name in `TRANSFORMS`.
    """
    return {
        target: float(undone(np.asarray(loss), (transforms or {}).get(target)))
        for target, loss in losses.items()
    }


def titled(target: str, transforms: Mapping[str, str] | None) -> str:
    """Name a target with what is fitted in its place, where that is another.

    >>> titled("qa", {"qa": "1-x"}), titled("web", {"qa": "1-x"})
    ('qa (1-x)', 'web')
    """
    transform = (transforms or {}).get(target)
    return target if transform is None else f"{target} ({transform})"


def undone(losses: Array, transform: str | None) -> Array:
    """Give values as they were logged; unchanged for no transform."""
    return losses if transform is None else TRANSFORMS[transform][1](losses)


def transforms_of(
    given: Mapping[str, str] | None, targets: Mapping[str, str | tuple[str, ...]]
) -> dict[str, str]:
    """Tell which transform each target has, of those that have one.

    Args:
        given: globs over names of targets or columns, to names in `TRANSFORMS`; the last that
            matches counts.
        targets: target to its column or columns.

    Raises:
        UsageError: a glob matches no target, or there is no such transform.
    """
    name = parameter("transform")
    chosen: dict[str, str] = {}
    for glob, transform in (given or {}).items():
        if transform not in TRANSFORMS:
            raise UsageError(
                f"{name} '{glob}={transform}': there is no such transform."
                f"{nearest(transform, TRANSFORMS)} Transforms: {', '.join(TRANSFORMS)}."
            )
        matched = [
            target
            for target, column in targets.items()
            if glob == target
            or fnmatchcase(target, glob)
            or (isinstance(column, str) and (glob == column or fnmatchcase(column, glob)))
        ]
        if not matched:
            raise UsageError(
                f"{name} '{glob}={transform}' matches no target.{nearest(glob, targets)} "
                f"The targets are {', '.join(targets)}."
            )
        chosen |= dict.fromkeys(matched, transform)
    return {target: chosen[target] for target in targets if target in chosen}


def rising_notes(
    mixture: Indices, N: Array, D: Array, losses: Array, targets: Sequence[str]
) -> list[Note]:
    """Name the targets whose values rise with N or D in most runs, as no loss does.

    Args:
        mixture: (rows,), numbered from 0.
        N: (rows,).
        D: (rows,).
        losses: (rows, t), NaN where missing.
        targets: names of the t targets.
    """
    # Of a large table some mixtures tell as much as all.
    looked_at = mixture <= np.searchsorted(np.cumsum(np.bincount(mixture)), _ENOUGH)
    mixture, losses = mixture[looked_at], losses[looked_at]
    N, D = N[looked_at], D[looked_at]
    ways = []
    for what, along, fixed in (("D", D, N), ("N", N, D)):
        order = np.lexsort((along, fixed, mixture))
        key = np.column_stack([mixture, fixed])[order]
        new_run = np.r_[True, (key[1:] != key[:-1]).any(axis=1)]
        ways.append((what, order, np.cumsum(new_run), along[order]))
    notes = []
    for target, values in zip(targets, losses.T, strict=True):
        seen = [(what, *_rises(run, along, values[order])) for what, order, run, along in ways]
        told = [(what, rose, runs) for what, rose, runs in seen if runs >= _FEWEST]
        risen = [
            f"its values rise with {what} in {rose} of {runs} runs that differ in {what} alone"
            for what, rose, runs in told
            if rose > runs / 2
        ]
        if not told and _correlation(N * D, values) > _CORRELATED:
            risen = ["its values rise with N D, over all runs"]
        if risen:
            text = (
                f"{risen[0]}, as those of an accuracy do. The laws are of losses, which fall: fit "
                "1-x or -log x in its place, see --transform"
            )
            notes.append(Note("rising", text, target))
    return notes


def _correlation(along: Array, values: Array) -> float:
    """Give the rank correlation of the values that are known, or NaN for few."""
    known = ~np.isnan(values)
    few = np.count_nonzero(known) < _FEWEST_ALONE
    return float("nan") if few else rank_correlation(along[known], values[known])


def _rises(run: Indices, along: Array, values: Array) -> tuple[int, int]:
    """Count the runs that end higher than they begin, and those of more than one length or size.

    Args:
        run: (rows,) ascending.
        along: (rows,) ascending in each run.
        values: (rows,), NaN where missing.
    """
    known = ~np.isnan(values)
    run, along, values = run[known], along[known], values[known]
    starts = np.flatnonzero(np.r_[True, run[1:] != run[:-1]]) if len(run) else run
    ends = np.r_[starts[1:], len(run)] - 1 if len(run) else run
    differ = along[ends] > along[starts]
    return int(np.count_nonzero((values[ends] > values[starts]) & differ)), int(differ.sum())
