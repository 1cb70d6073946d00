"""A design for people: what is known before a run is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixfit.base.numbers import counted, fixed, number, short
from mixfit.reports.report import Grid, Report, remarks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.design.result import Design, Quality
    from mixfit.reports.report import Block


def report_design(design: Design) -> Report:
    """Report on a design."""
    blocks: list[Block] = [_title(design), ""]
    if design.alarm is not None:
        blocks += [_alarm(design), ""]
    if design.quality is not None:
        blocks += [_coverage(design.quality), "", _laws(design), *_errors(design.quality), ""]
        blocks += [_figures(design.quality), ""]
    if design.cost:
        blocks += [*_cost(design), ""]
    return Report(tuple(blocks), remarks_of(design.notes))


def _title(design: Design) -> str:
    mixtures, k = len(design.steps), len(design.domains)
    title = f"{counted(mixtures, 'mixture')} of {k} domains, {design.kind}, seed {design.seed}"
    named = [origin for origin in design.origins if origin != design.kind]
    if named:
        title += f"; {len(named)} by name ({_listed(named)})"
    if len(design.existing):
        title += f"; {len(design.existing)} there already"
    return f"{title}; {counted(len(design.runs), 'run')}"


def _listed(names: Sequence[str], most: int = 4) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - most} more" if len(distinct) > most else ""
    return ", ".join(distinct[:most]) + more


def _coverage(quality: Quality) -> Grid:
    rows = tuple(
        (
            domain,
            *(str(count) for count in (own.zero, own.low, own.high)),
            *(fixed(100 * share, 1) for share in (own.least, own.mean, own.most)),
        )
        for domain, own in quality.coverage.items()
    )
    headers = ("mixtures with", "none", "little", "much", "lowest %", "mean %", "highest %")
    return Grid(headers, rows, spare=(5,))


def _laws(design: Design) -> Grid:
    quality = design.quality
    assert quality is not None
    mixtures = len(design.steps) + len(design.existing)
    rows = tuple(
        (law.law, str(law.numbers), fixed(mixtures / law.numbers, 1), law.expect)
        for law in quality.laws
    )
    headers = ("law", "numbers\na target", "mixtures\nfor each", "unpooled, expect")
    return Grid(headers, rows, left=(0, 3))


def _errors(quality: Quality) -> list[Block]:
    if quality.errors is None:
        return []
    low, high = quality.errors
    return [
        "",
        f"pooled fits to as many mixtures for each number had errors of {low:g} to {high:g}% on new"
        " mixtures (docs/design.md)",
    ]


def _figures(quality: Quality) -> Grid:
    mine, random = quality.figures, quality.random
    rows: list[tuple[str, ...]] = [
        (text, fixed(getattr(mine, name)), fixed(getattr(random, name)))
        for text, name in (
            ("error of a prediction, mean", "mean_error"),
            ("error of a prediction, largest", "largest_error"),
            ("smallest difference seen (2 SE)", "difference"),
        )
    ]
    distances = (number(figures.least_distance) for figures in (mine, random))
    rows.append(("least distance of two mixtures", *distances))
    headers = ("in units of the noise of a run", "this design", "random")
    return Grid(headers, tuple(rows))


def _cost(design: Design) -> list[Block]:
    cost = design.cost
    total = sum(flops for _, flops in cost.values())
    rows = tuple((short(size), str(runs), number(flops)) for size, (runs, flops) in cost.items())
    if len(rows) == 1:
        return [f"cost: {number(total)} FLOPs (6 N D, {counted(len(design.runs), 'run')})"]
    footer = ("all", str(len(design.runs)), number(total))
    return [Grid(("parameters", "runs", "FLOPs (6 N D)"), rows, footer)]


def _alarm(design: Design) -> str:
    alarm = design.alarm
    assert alarm is not None
    return (
        f"{alarm.level}: the loss at h*, {fixed(alarm.loss, 4)}, is known to "
        f"{number(alarm.standard_error, 2)}% (1 SE, by the fit's own curvature)"
    )
