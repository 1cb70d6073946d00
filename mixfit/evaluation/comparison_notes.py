"""What a careful reader of a comparison should know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note
from mixfit.base.numbers import counted
from mixfit.evaluation.heldout import CONVERGED
from mixfit.evaluation.outcome import nonsense_text
from mixfit.fitting.diagnosis import table_notes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mixfit.evaluation.outcome import Outcome
    from mixfit.laws.law import Law

_FAR_OFF = 20  # times the median error of the mixtures held out
_WORTH_SAYING = 1.0  # percent


def notes_on(outcome: Outcome) -> tuple[Note, ...]:
    """Give what was found when the rows were read, once, and notes on splits, targets and laws."""
    read = dict.fromkeys(note for table in outcome.splits.tables for note in table.notes)
    notes = [*read, *outcome.splits.notes, *_target_notes(outcome)]
    for contender in outcome.contenders:
        label = contender.label
        if contender.declared is not None:
            notes += _scale_notes(contender.declared, outcome)
        chosen = dict.fromkeys(
            str(law.fit.law) for (_, own), law in outcome.fitted.items() if own == label
        )
        if chosen and list(chosen) != [label]:  # of a regression there is none
            notes.append(Note("pool", f"{label} chose {', '.join(chosen)}"))
        rows = outcome.nonsense(label)
        if rows:
            notes.append(Note("nonsense", f"{label} predicts {nonsense_text(rows)}"))
        notes += _outliers(outcome, label)
        notes += _failures(outcome, label)
    return tuple(notes)


def _target_notes(outcome: Outcome) -> Iterator[Note]:
    every = dict.fromkeys(t for split in outcome.splits.splits for t in split.train.targets)
    for target in every:
        if target in outcome.targets:
            continue
        tables = [split.train for split in outcome.splits.splits]
        if any(target in table.targets and table.constant(target) for table in tables):
            text = "left out: its losses in the rows to fit are all one number"
            yield Note("constant-target", text, target)
        else:
            text = "left out: it has no losses in some part of the rows to fit or to test"
            yield Note("missing-target", text, target)
    for contender in outcome.contenders:
        label = contender.label
        refused = [target for target in outcome.targets if (label, target) in outcome.refused]
        for target in refused:
            text = f"{label} is not applicable: {outcome.refused[label, target]}"
            yield Note("not-applicable", text, target)
        if 0 < len(refused) < len(outcome.targets):
            text = f"the averages of {label} are over the targets that it can be applied to"
            yield Note("fewer-targets", text)


def _scale_notes(law: Law, outcome: Outcome) -> Iterator[Note]:
    """Say that a law has no term in N or D where rows differ in it."""
    train = outcome.splits.splits[0].train
    for note in table_notes(train.N, train.D, law):
        if note.code in ("no-N", "no-D"):
            yield Note(note.code, f"{law.name}: {note.text}")


def _outliers(outcome: Outcome, label: str) -> Iterator[Note]:
    """Say which held-out mixture, if any, is so far off that it rules the mean."""
    for column in outcome.splits.labels:
        errors = outcome.errors.by_mixture(label, outcome.targets, column)
        if len(errors) < 3:
            continue
        worst = max(errors, key=lambda number: errors[number])
        usual = float(np.median(list(errors.values())))
        if errors[worst] > max(_FAR_OFF * usual, _WORTH_SAYING):
            h = ", ".join(f"{weight:.3g}" for weight in outcome.mixtures.mixtures[worst])
            text = (
                f"{label}, {column}: the mixture ({h}) has an error of {errors[worst]:.3g}%, where"
                f" the median over mixtures is {usual:.3g}%; without runs near it the law is"
                " not pinned there"
            )
            yield Note("outlier", text)


def _failures(outcome: Outcome, label: str) -> Iterator[Note]:
    results = outcome.of(label)
    for status in dict.fromkeys(r.status for _, r in results if r.status != CONVERGED):
        targets = [task.fitted.target for task, result in results if result.status == status]
        text = (
            f"{label}: {len(targets)} of {counted(len(results), 'fit')}"
            f" ({', '.join(dict.fromkeys(targets))}): {status}"
        )
        yield Note("not-converged", text)
