"""What is doubtful in the losses of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import parameter
from mixfit.base.numbers import counted, short
from mixfit.runs.checks import others
from mixfit.runs.findings import ADVICE, WARNING, Finding, at
from mixfit.runs.identity import logged_twice
from mixfit.runs.noise import LEAST, LIMIT, Levels
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mixfit.base.arrays import Array, Indices
    from mixfit.runs.checks import Values
    from mixfit.runs.noise import Jump, Level

_CHANCE = 1e-3  # that rows of equal losses are such by chance
_TARGETS_DIFFER = 0.01  # of the range of losses: what one target leaves open of another
_FEWEST_RUNS, _ALIKE = 4, 0.75  # runs of one N that end alike
_SHORTER = 0.95
_NAMED = 3  # targets


def loss_doubts(values: Values, mixture: Indices, first: Indices) -> Iterator[Finding]:
    """Find what is doubtful in losses; parameters as for `mixture_doubts`."""
    one, other = logged_twice(mixture, values.N, values.D, values.losses)
    twice = twice_finding(values, other)
    if twice is not None:
        yield twice
    yield from _constant(values)
    yield from _same_losses(values, set(zip(one.tolist(), other.tolist(), strict=True)))
    levels = Levels.of(values, mixture, first)
    yield from (_jump(values, found) for found in levels.jumps())
    yield from _outliers(values, levels)
    yield from _ends_early(values, levels)


def twice_finding(values: Values, again: Indices) -> Finding | None:
    """Say which rows are checkpoints that stand before already, if there are any.

    Args:
        values: checked.
        again: these rows, as `logged_twice` gives them.
    """
    rows = np.unique(again)
    if not len(rows):
        return None
    return Finding(
        code="logged-twice",
        severity=WARNING,
        rows=len(rows),
        message=f"{len(rows):,} {'checkpoint is' if len(rows) == 1 else 'checkpoints are'} logged "
        "twice (same mixture, N and losses at nearly the same D); both rows are kept",
        todo="Leave one of the two out where they are many: together they count double.",
        **at(values.row_name(int(rows[0]))),
    )


def _constant(values: Values) -> Iterator[Finding]:
    for target, losses in zip(values.columns.targets, values.losses.T, strict=True):
        known = losses[~np.isnan(losses)]
        if len(known) > 1 and np.ptp(known) == 0:
            yield Finding(
                code="constant-target",
                severity=WARNING,
                file=values.name,
                column=values.columns.named(target),
                target=target,
                rows=len(known),
                message=f"the loss is {known[0]:.6g} in every row",
                todo=f"Mend the column, or leave the target out with {parameter('targets')}.",
            )


def _same_losses(values: Values, twice: set[tuple[int, int]]) -> Iterator[Finding]:
    """Find rows that have the losses of a row of another mixture, N or D, to all digits."""
    losses = values.losses
    spread = np.array([np.ptp(column[~np.isnan(column)]) for column in losses.T])
    usable = losses[:, spread > 0]
    whole = np.flatnonzero(~np.isnan(usable).any(axis=1))
    if not usable.shape[1] or len(whole) < 3:
        return
    order = whole[np.lexsort(usable[whole].T)]
    equal = (usable[order[1:]] == usable[order[:-1]]).all(axis=1)
    found = []
    for position in np.flatnonzero(equal):
        one, other = sorted((int(order[position]), int(order[position + 1])))
        same_place = values.N[one] == values.N[other] and values.D[one] == values.D[other]
        same_place &= bool(np.abs(values.h[one] - values.h[other]).max() <= 1e-6)
        if not twice.intersection([(one, other), (other, one)]) and not same_place:
            found.append((one, other))
    expected = _expected_by_chance(usable[whole])
    if not found or not _too_many(len(found), expected):
        return
    rows = np.array(sorted(row for _, row in found))
    place = values.row_name(int(rows[0]))
    first = next(one for one, other in found if other == rows[0])
    other_row = values.row_name(first).beside(place)
    yield Finding(
        code="same-losses",
        severity=WARNING,
        rows=len(rows),
        message=f"all losses are those of {other_row} to the last digit, although "
        f"that row has another mixture, N or D{others(values, rows)}",
        todo="See in the log which of the rows the losses belong to, and mend or leave out the "
        "other.",
        **at(place),
    )


def _expected_by_chance(losses: Array) -> float:
    """How many pairs of rows would have equal losses by chance, if losses were as fine as here."""
    levels = []
    for column in losses.T:
        distinct = np.unique(column)
        step = float(np.diff(distinct).min())
        levels.append(float(np.ptp(distinct)) / max(step, 1e-15))
    levels.sort(reverse=True)
    pairs = 0.5 * len(losses) ** 2
    alike = levels[0] * np.prod([max(_TARGETS_DIFFER * level, 1.0) for level in levels[1:]])
    return float(2.0 * pairs / alike)


def _too_many(count: int, expected: float) -> bool:
    from scipy.special import pdtrc

    return bool(pdtrc(count - 1, expected) < _CHANCE)


def _jump(values: Values, found: Jump) -> Finding:
    named, size, more = _said(values, found)
    place = values.row_name(int(found.rows[0]))
    message = f"the loss on {named} is {size}% {more} the curve of its run"
    if len(found.before):
        way = "rises" if more == "above" else "falls"
        before = values.row_name(int(found.before[0])).beside(place)
        message = f"the loss on {named} {way} by {size}% more since {before} than is expected"
    return Finding(
        code="jump",
        severity=WARNING,
        rows=len(found.rows),
        message=f"{message}, {_times(found)}",
        todo="See the training's log there: a crash, a run that was resumed, or a wrong cell. "
        f"Leave out with {parameter('where')} what is no part of the run.",
        **at(place),
    )


def _outliers(values: Values, levels: Levels) -> Iterator[Finding]:
    for found in levels.replicates_off():
        lead = "the other runs of this mixture, N and D"
        yield _outlier(values, found, lead, "Leave it out if its log shows why.")
    for found in levels.runs_off():
        lead = "what its mixture's runs at other sizes lead to expect"
        todo = (
            "See in the log of this run, and of its setting, what differs; leave it out if that "
            "is no part of the study."
        )
        yield _outlier(values, found, lead, todo)
    for found in levels.mixtures_off():
        lead = "what other mixtures lead to expect"
        todo = "See whether its weights are those that were trained."
        yield _outlier(values, found, lead, todo)


def _outlier(values: Values, found: Level, lead: str, todo: str) -> Finding:
    named, size, more = _said(values, found)
    return Finding(
        code="outlier",
        severity=WARNING,
        rows=len(found.rows),
        message=f"the loss on {named} is {size}% {more} {lead}, "
        f"{_times(found)}{others(values, found.rows)}",
        todo=todo,
        **at(values.row_name(int(found.rows[0]))),
    )


def _said(values: Values, found: Jump | Level) -> tuple[str, str, str]:
    """Give the targets in words, by how many percent the worst is off, and in which direction."""
    sigmas = np.abs(np.nan_to_num(found.sigmas))
    off = np.flatnonzero((sigmas > LIMIT) & (np.abs(found.deviation) > LEAST))
    order = off[np.argsort(-sigmas[off])]
    names = list(values.columns.targets)
    deviation = float(np.expm1(found.deviation[order[0]]))
    named = list_names([names[i] for i in order], most=_NAMED)
    return named, f"{100 * abs(deviation):.2g}", "above" if deviation > 0 else "below"


def _times(found: Jump | Level) -> str:
    return f"{np.nanmax(np.abs(found.sigmas)):.0f} times the noise of the table"


def _ends_early(values: Values, levels: Levels) -> Iterator[Finding]:
    """Find runs that are shorter than nearly all others of their size."""
    points = np.unique(levels.point, return_index=True)[1]
    N, D = values.N[points], values.D[points]
    for size in np.unique(N):
        runs = [np.flatnonzero(levels.run == run) for run in np.unique(levels.run[size == N])]
        ends = np.array([D[run].max() for run in runs])
        usual = float(np.median(ends))
        alike = np.abs(ends / usual - 1.0) < 0.01
        many = np.median([len(run) for run in runs]) >= 3
        if len(runs) < _FEWEST_RUNS or alike.mean() < _ALIKE or not many:
            continue
        for run, end in zip(runs, ends, strict=True):
            if end < _SHORTER * usual:
                rows = levels.rows_of(run)
                last = int(rows[np.argmax(values.D[rows])])
                yield Finding(
                    code="ends-early",
                    severity=ADVICE,
                    rows=len(rows),
                    message=f"this run of {short(size)} parameters ends at {short(end)} tokens, "
                    f"and {counted(int(alike.sum()), 'run')} of its size at {short(usual)}",
                    todo="If it crashed, see whether its last checkpoints are sound; nothing "
                    "needs to be done if it was planned so.",
                    **at(values.row_name(last)),
                )
