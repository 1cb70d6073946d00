"""The best mixtures for people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.numbers import fixed, short
from mixfit.mixture.blend import percentages
from mixfit.reports.report import Grid, Remark, Report, remarks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.base.errors import Note
    from mixfit.mixture.result import (
        Baseline,
        Certainty,
        Freedom,
        LeastChange,
        Mixture,
        PureTarget,
        Study,
        Worse,
    )
    from mixfit.reports.report import Block

    _Other = Mixture | Baseline | LeastChange

_PINNED = "pinned to 10 points"
_BY_RUNS, _BY_LOSS = "the runs leave that open", "the loss hardly depends on that"
_RISKS = {"mean": "lowest mean", "upper": "lowest upper 90% quantile"}
_ALIKE = 2  # notes that differ only in numbers


def report_result(
    title: str, mixtures: Sequence[Mixture], pure: Sequence[PureTarget], study: Study | None
) -> Report:
    """Report on what was found: one mixture, a grid of them, or one for each target.

    Args:
        title: what the predictions come from.
        mixtures: the best ones, by budget.
        pure: the best ones for each target alone.
        study: what else is known of the only mixture.
    """
    if pure:
        return report_pure(pure, title)
    return report_grid(mixtures, title) if study is None else report_study(study, title)


def report_mixture(mixture: Mixture) -> Report:
    """Report on a best mixture, without all that helps to judge it."""
    counts = _counts(mixture)
    rows = []
    for domain, share in zip(mixture.domains, percentages(mixture.weights), strict=True):
        rows.append((domain, share, *(column[domain] for column in counts.values())))
    weights = Grid(
        headers=("domain", "h* %", *counts),
        rows=tuple(rows),
        footer=(_loss_label(mixture), fixed(mixture.loss, 4), *[""] * len(counts)),
    )
    blocks = (*_after(_about(mixture)), *_after(weights), *_after(*_losses(mixture, {})))
    return Report(blocks, _remarks([mixture]))


def report_study(study: Study, title: str = "") -> Report:
    """Report on a best mixture beside others, with how far its weights may go.

    Args:
        study: the mixture, and what else is known of it.
        title: what the predictions come from, or "".
    """
    mixture = study.mixture
    others: dict[str, _Other] = {b.name: b for b in study.baselines}
    if study.unconstrained is not None:
        others = {"unconstrained": study.unconstrained, **others}
    if study.least_change is not None:
        others = {"least change": study.least_change, **others}
    certainty, counts = study.certainty, _counts(mixture)
    columns = [percentages(m.weights) for m in (mixture, *others.values())]
    rows = []
    for index, domain in enumerate(mixture.domains):
        low, high = 100 * study.ranges[index]
        first, *rest = (column[index] for column in columns)
        own = (column[domain] for column in counts.values())
        sure = [] if certainty is None else [_span(100 * certainty.weights[index])]
        rows.append((domain, first, *own, f"{low:.1f} to {high:.1f}", *sure, *rest))
    losses = (fixed(other.loss, 4) for other in others.values())
    sure = [] if certainty is None else ["over\nresamples"]
    ends = [] if certainty is None else [_ends(certainty)]
    headers = ("domain", "h* %", *counts, "as good\nwithin 0.1%", *sure, *_headers(others))
    weights = Grid(
        headers=headers,
        rows=tuple(rows),
        footer=(
            _loss_label(mixture),
            fixed(mixture.loss, 4),
            *[""] * len(counts),
            "",
            *ends,
            *losses,
        ),
        # A narrow terminal can do without comparisons that it has below, the last first.
        spare=tuple(range(len(headers) - 1, 2 + len(counts) + len(sure), -1)),
    )
    first_line = f"{title}: {_about(mixture)}" if title else _about(mixture)
    blocks = (
        *_after(first_line),
        *_after(weights),
        *_after(*_losses(mixture, others, study.worse)),
        *_after(*_certainty(study)),
        *_after(*_costs(study)),
        *_after(*_change(study)),
    )
    return Report(blocks, _remarks([mixture]))


def _span(ends: Array) -> str:
    return f"{ends[0]:.1f} to {ends[1]:.1f}"


def _certainty(study: Study) -> list[Block]:
    """Say what h* gains over others, and which of its weights the runs pin."""
    certainty = study.certainty
    if certainty is None:
        return []
    rows = tuple(
        (
            name,
            fixed(gain.mean, sign=True),
            f"{gain.low:.2f} to {gain.high:.2f}" if gain.low == gain.low else "",
            fixed(100 * gain.probability, 0),
        )
        for name, gain in certainty.gains.items()
    )
    grid = Grid(("h* against", "lower loss\n%", "90% interval", "better with\nprobability %"), rows)
    return [grid, "", _in_words(study)]


def _ends(certainty: Certainty) -> str:
    """Write the interval of the loss; nothing where it is not known."""
    known = not np.isnan(certainty.low)
    return f"{certainty.low:.3f} to {certainty.high:.3f}" if known else ""


def _in_words(study: Study) -> str:
    """Say which weights are pinned and which are free, and why."""
    assert study.certainty is not None
    groups: dict[str, list[str]] = {}
    for own in study.freedom:
        span = f"{own.domain} ({_span(100 * np.array([own.low, own.high]))}%)"
        groups.setdefault(_free(own), []).append(span)
    clauses = []
    for what, named in sorted(groups.items(), key=lambda group: group[0] != _PINNED):
        listed = " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))
        clauses.append(f"{listed} {'is' if len(named) == 1 else 'are'} {what}")
    about = f"over {study.certainty.count} resamples and within 0.1% of the loss"
    return f"{about}: {'; '.join(clauses)}"


def _free(own: Freedom) -> str:
    why = [_BY_RUNS] * own.by_runs + [_BY_LOSS] * own.by_loss
    return f"free, as {' and '.join(why)}" if why else _PINNED


def report_grid(mixtures: Sequence[Mixture], title: str) -> Report:
    """Report on the best mixtures for several budgets, with what the predictions come from."""
    budgets = [
        tuple("" if x is None else short(x) for x in (m.model_size, m.tokens)) for m in mixtures
    ]
    rows = [
        (*budget, *percentages(m.weights), fixed(m.loss, 4))
        for budget, m in zip(budgets, mixtures, strict=True)
    ]
    headers = ("parameters", "tokens", *mixtures[0].domains, "loss")
    first_line = f"{title}: {len(mixtures)} budgets; {_aims(mixtures[0])}; h* in %"
    grids = (Grid(headers, tuple(rows), left=()), *_intervals(headers, mixtures, budgets))
    return Report(
        (*_after(first_line), *(b for grid in grids for b in _after(grid))), _remarks(mixtures)
    )


def report_pure(pure: Sequence[PureTarget], title: str) -> Report:
    """Report on the best mixtures for each target alone, with what the predictions come from."""
    rows = (
        (
            entry.target,
            *percentages(entry.mixture.weights),
            fixed(entry.mixture.loss, 4),
            "" if entry.distance is None else fixed(entry.distance, 3),
        )
        for entry in pure
    )
    first = pure[0].mixture
    headers = ("target", *first.domains, "loss", "JS distance\nto its corner")
    first_line = f"{title}: {_budget(first)}; h* in % for each target alone"
    mixtures = [entry.mixture for entry in pure]
    grids = (
        Grid(headers, tuple(rows)),
        *_intervals(headers[:-1], mixtures, [(entry.target,) for entry in pure], left=(0,)),
    )
    return Report(
        (*_after(first_line), *(b for grid in grids for b in _after(grid))), _remarks(mixtures)
    )


def _intervals(
    headers: tuple[str, ...],
    mixtures: Sequence[Mixture],
    labels: Sequence[tuple[str, ...]],
    left: tuple[int, ...] = (),
) -> list[Grid]:
    """Lay out the 90% intervals of the weights and losses of mixtures, where they are known."""
    rows = [
        (*label, *(_span(100 * ends) for ends in m.certainty.weights), _ends(m.certainty))
        for label, m in zip(labels, mixtures, strict=True)
        if m.certainty is not None
    ]
    if not rows:
        return []
    words = ("90% intervals\nover resamples", *headers[1:])
    return [Grid(words, tuple(rows), left=left)]


def _after(*blocks: Block) -> tuple[Block, ...]:
    """Give blocks, if there are any, with a space after them."""
    return (*blocks, "") if blocks else ()


def _about(mixture: Mixture) -> str:
    return f"{_budget(mixture)}; {_aims(mixture)}"


def _budget(mixture: Mixture) -> str:
    return mixture.budget or "the (N, D) of the runs"


def _aims(mixture: Mixture) -> str:
    weights = mixture.target_weights
    if len(weights) == 1:
        aims = f"target {next(iter(weights))}"
    elif max(weights.values()) - min(weights.values()) < 1e-12:
        aims = f"{len(weights)} targets alike"
    else:
        aims = "targets " + ", ".join(f"{t} {100 * w:.3g}%" for t, w in weights.items())
    return aims if mixture.risk is None else f"{aims}, {_RISKS[mixture.risk]} over resamples"


def _counts(mixture: Mixture) -> dict[str, dict[str, str]]:
    """Give the tokens of each domain and the passes over them, as far as they are known."""
    blend = mixture.blend
    columns: dict[str, dict[str, str]] = {}
    if blend.tokens is not None:
        columns["tokens"] = {domain: short(tokens) for domain, tokens in blend.tokens_of.items()}
    if blend.passes:
        passes = blend.passes
        columns["passes"] = {
            domain: fixed(passes[domain]) if domain in passes else "" for domain in blend.domains
        }
    return columns


def _change(study: Study) -> list[Block]:
    change = study.least_change
    if change is None:
        return []
    mixture = study.mixture
    worse = 100 * (change.loss / mixture.loss - 1)
    return [
        f"least change: KL {change.divergence:.3g} from the mixture given, loss {worse:.2g}% above "
        "the best"
    ]


def _loss_label(mixture: Mixture) -> str:
    return "loss" if len(mixture.target_weights) == 1 else "average loss"


def _losses(
    mixture: Mixture, others: Mapping[str, _Other], worse: Sequence[Worse] = ()
) -> list[Grid]:
    """Lay out the loss of every target, if several, with those that the objective leaves out."""
    if len(mixture.predicted_loss) == 1 and not mixture.transforms:
        return []
    predicted = [m.predicted_loss for m in (mixture, *others.values())]
    logged = [mixture.as_logged(losses) for losses in predicted]
    rows = []
    for target in mixture.predicted_loss:
        weight = mixture.target_weights.get(target, 0.0)
        is_loss = target not in mixture.transforms
        values = (fixed(x[target], 4) for x in (predicted if is_loss else logged))
        name = target if is_loss else f"{target} (no loss, as logged)"
        name += " (worse)" if any(own.target == target for own in worse) else ""
        rows.append((name, f"{100 * weight:.3g}", *values))
    headers = ("predicted loss", "weight %", "h*", *_headers(others))
    return [Grid(headers, tuple(rows), spare=tuple(range(len(headers) - 1, 2, -1)))]


def _headers(names: Iterable[str]) -> list[str]:
    """Let names be broken between words where a terminal is narrow."""
    return [name.replace(" ", "\n") for name in names]


def _costs(study: Study) -> list[Block]:
    if study.unconstrained is None:
        return []
    if not study.costs:
        return ["no constraint is active"]
    rows = tuple((cost.label, fixed(cost.cost, 5)) for cost in study.costs)
    return [Grid(("active constraint", "costs, in loss"), rows)]


def _remarks(mixtures: Sequence[Mixture]) -> tuple[Remark, ...]:
    return (*_certificate(mixtures), *remarks_of(_worth_printing(mixtures)))


def _certificate(mixtures: Sequence[Mixture]) -> list[Remark]:
    """Say how sure the optimum is; where it is not, a note says so."""
    if not all(mixture.certified for mixture in mixtures):
        return []
    relative = max(mixture.gap / abs(mixture.objective) for mixture in mixtures)
    which = "gap" if len(mixtures) == 1 else f"largest gap of {len(mixtures)}"
    size = f"{which} {max(relative, 1e-16):.0e} of the objective"
    if all(mixture.convex for mixture in mixtures):
        return [Remark("ok", f"optimum certified: {size} (convex problem)")]
    text = (
        f"no direction leads down: {size}; the problem is not proven convex, so this is the best"
        " end of several starts"
    )
    return [Remark("ok", text)]


def _worth_printing(mixtures: Sequence[Mixture]) -> list[Note]:
    """Give the notes of mixtures, of many alike only the last ones."""
    of_code: dict[str, dict[str, Note]] = {}
    for mixture in mixtures:
        sure = () if mixture.certainty is None else mixture.certainty.notes
        for note in (*mixture.notes, *sure):
            of_code.setdefault(note.code, {})[note.text] = note
    worth = []
    for notes in of_code.values():
        kept = list(notes.values())[-_ALIKE:]
        left = len(notes) - len(kept)
        if left:
            more = f"{kept[-1].text} (and {left} other notes like this one)"
            kept[-1] = replace(kept[-1], text=more)
        worth += kept
    return worth
