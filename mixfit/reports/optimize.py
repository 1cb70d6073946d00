"""The best mixtures for people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mixfit.base.numbers import fixed, short
from mixfit.mixture.files import percentages
from mixfit.reports.text import print_labelled, print_line, print_notes, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.base.errors import Note
    from mixfit.mixture.result import Mixture, PureTarget, Study

_ALIKE = 2  # notes that differ only in numbers


def print_result(
    title: str,
    mixtures: Sequence[Mixture],
    pure: Sequence[PureTarget],
    study: Study | None,
    *,
    quiet: bool = False,
) -> None:
    """Print what was found: one mixture, a grid of them, or one for each target.

    Args:
        title: what the predictions come from.
        mixtures: the best ones, by budget.
        pure: the best ones for each target alone.
        study: what else is known of the only mixture.
        quiet: whether to leave out the notes.
    """
    if pure:
        _print_pure(title, pure)
        found = [entry.mixture for entry in pure]
    elif study is not None:
        _print_study(title, study)
        found = [study.mixture]
    else:
        _print_grid(title, mixtures)
        found = list(mixtures)
    if not quiet:
        _print_certificate(found)
        print_notes(_worth_printing(found))


def _worth_printing(mixtures: Sequence[Mixture]) -> list[Note]:
    """Give the notes of mixtures, of many alike only the last ones."""
    of_code: dict[str, dict[str, Note]] = {}
    for mixture in mixtures:
        for note in mixture.notes:
            of_code.setdefault(note.code, {})[note.text] = note
    found = []
    for notes in of_code.values():
        kept = list(notes.values())[-_ALIKE:]
        left = len(notes) - len(kept)
        if left:
            more = f"{kept[-1].text} (and {left} other notes like this one)"
            kept[-1] = replace(kept[-1], text=more)
        found += kept
    return found


def _budget(mixture: Mixture) -> str:
    parts = []
    if mixture.model_size is not None:
        parts.append(f"{short(mixture.model_size)} parameters")
    if mixture.tokens is not None:
        parts.append(f"{short(mixture.tokens)} tokens")
    return ", ".join(parts) or "the (N, D) of the runs"


def _aims(mixture: Mixture) -> str:
    weights = mixture.target_weights
    if len(weights) == 1:
        return f"target {next(iter(weights))}"
    if max(weights.values()) - min(weights.values()) < 1e-12:
        return f"{len(weights)} targets alike"
    return "targets " + ", ".join(f"{t} {100 * w:.3g}%" for t, w in weights.items())


def _print_study(title: str, study: Study) -> None:
    mixture = study.mixture
    print_line(f"{title}: {_budget(mixture)}; {_aims(mixture)}")
    print_line()
    others = [] if study.unconstrained is None else [study.unconstrained]
    names = [*(["unconstrained"] if others else []), *(b.name for b in study.baselines)]
    weights = [m.weights for m in others] + [b.weights for b in study.baselines]
    columns = [percentages(mixture.weights), *(percentages(w) for w in weights)]
    rows = []
    for index, domain in enumerate(mixture.domains):
        low, high = 100 * study.ranges[index]
        first, *rest = (column[index] for column in columns)
        rows.append([domain, first, f"{low:.1f} to {high:.1f}", *rest])
    losses = [mixture.loss, *(m.loss for m in others), *(b.loss for b in study.baselines)]
    first, *rest = (fixed(loss, 4) for loss in losses)
    label = "loss" if len(mixture.target_weights) == 1 else "average loss"
    print_table(
        ["domain", "h* %", "as good\nwithin 0.1%", *names], rows, footer=[label, first, "", *rest]
    )
    print_line()
    _print_losses(study, names)
    _print_costs(study)


def _print_losses(study: Study, names: Sequence[str]) -> None:
    """Print the loss of every target, with those that the objective leaves out."""
    mixture = study.mixture
    predicted = [mixture.predicted_loss]
    predicted += [] if study.unconstrained is None else [study.unconstrained.predicted_loss]
    predicted += [baseline.predicted_loss for baseline in study.baselines]
    if len(mixture.predicted_loss) == 1:
        return
    rows = []
    for target in mixture.predicted_loss:
        weight = mixture.target_weights.get(target, 0.0)
        losses = (fixed(losses[target], 4) for losses in predicted)
        rows.append([target, f"{100 * weight:.3g}", *losses])
    print_table(["predicted loss", "weight %", "h*", *names], rows)
    print_line()


def _print_costs(study: Study) -> None:
    if study.unconstrained is None:
        return
    if not study.costs:
        print_line("no constraint is active")
    else:
        rows = [[cost.label, fixed(cost.cost, 5)] for cost in study.costs]
        print_table(["active constraint", "costs, in loss"], rows)
    print_line()


def _print_grid(title: str, mixtures: Sequence[Mixture]) -> None:
    print_line(f"{title}: {len(mixtures)} budgets; {_aims(mixtures[0])}; h* in %")
    print_line()
    rows = [
        [
            "" if m.model_size is None else short(m.model_size),
            "" if m.tokens is None else short(m.tokens),
            *percentages(m.weights),
            fixed(m.loss, 4),
        ]
        for m in mixtures
    ]
    print_table(["parameters", "tokens", *mixtures[0].domains, "loss"], rows, left=())
    print_line()


def _print_pure(title: str, pure: Sequence[PureTarget]) -> None:
    first = pure[0].mixture
    print_line(f"{title}: {_budget(first)}; h* in % for each target alone")
    print_line()
    rows = [
        [
            entry.target,
            *percentages(entry.mixture.weights),
            fixed(entry.mixture.loss, 4),
            "" if entry.distance is None else fixed(entry.distance, 3),
        ]
        for entry in pure
    ]
    print_table(["target", *first.domains, "loss", "JS distance\nto its corner"], rows)
    print_line()


def _print_certificate(mixtures: Sequence[Mixture]) -> None:
    if not all(mixture.certified for mixture in mixtures):
        return  # a note says so
    worst = max(mixtures, key=lambda m: m.gap / abs(m.objective))
    relative = worst.gap / abs(worst.objective)
    which = "gap" if len(mixtures) == 1 else f"largest gap of {len(mixtures)}"
    size = f"{which} {max(relative, 1e-16):.0e} of the objective"
    if all(mixture.convex for mixture in mixtures):
        print_labelled("ok", f"optimum certified: {size} (convex problem)")
    else:
        print_labelled(
            "ok",
            f"no direction leads down: {size}; the problem is not proven convex, so this is the "
            "best end of several starts",
        )
