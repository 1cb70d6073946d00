"""Tables checked before anything is fitted: all that is wrong or doubtful at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixfit.base.errors import InputError, UsageError, parameter
from mixfit.base.numbers import counted
from mixfit.base.plain import Omitted, to_document
from mixfit.base.shown import Shown
from mixfit.fitting.diagnosis import outside_notes, table_notes
from mixfit.fitting.result import Range
from mixfit.laws.catalogue import CATALOGUE, DESIGNED
from mixfit.runs.checks import from_percent, mend, value_faults
from mixfit.runs.doubts import doubts
from mixfit.runs.findings import ADVICE, ERROR, SEVERITIES, WARNING, Finding, worst_first
from mixfit.runs.identity import group_mixtures
from mixfit.runs.read import Reading, read_values
from mixfit.runs.runs import Origin, describe
from mixfit.runs.transforms import rising_notes
from mixfit.runs.units import unit_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mixfit.base.errors import Note
    from mixfit.laws.law import Law
    from mixfit.runs.checks import Values
    from mixfit.runs.read import ReadValues
    from mixfit.runs.sources import Sources

CHECK_SCHEMA = "mixfit.check/1"
_USUAL = CATALOGUE["additive"]  # what is fitted where no law is named
_MOST_BAD = 0.5  # of the rows, that doubts are looked for in the others
_FAR = 20.0  # times the largest size or length
# What notes on tables mean for a check: their severity, and what to do.
_OF_NOTES = {
    "normalised": (ADVICE, "Nothing needs to be done where they were rounded."),
    "percent": (ADVICE, "Nothing needs to be done where they are percent."),
    "left-out": (ADVICE, "Name them one by one if they are tables."),
    "unmatched": (ADVICE, "Nothing needs to be done where these runs are not to be fitted."),
    "not-read": (ADVICE, "Nothing needs to be done if that is meant."),
    "assumed": (ADVICE, "Nothing needs to be done where mixtures for one N and D are wanted."),
    "transformed": (ADVICE, "Nothing needs to be done."),
    "rising": (WARNING, f"Fit a loss in its place with {parameter('transform')}."),
    "no-loss": (ADVICE, "Nothing needs to be done where they were not trained yet."),
    "empty-target": (WARNING, f"Take other rows, or name the targets with {parameter('targets')}."),
    "one-model-size": (ADVICE, "Train another size if the mixture is for a larger one."),
    "one-token-count": (ADVICE, "Log more checkpoints if the mixture is for a longer training."),
    "two-model-sizes": (WARNING, "Train a third size, or do not extrapolate in N."),
}


@dataclass(frozen=True, kw_only=True)
class CheckFile:
    """The keys of a check file, in their order; ``docs/files.md`` says what each is."""

    data: Omitted[Origin] = None
    errors: int
    warnings: int
    advice: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, eq=False)
class Check(Shown):
    """What is wrong or doubtful in tables of runs.

    Attributes:
        summary: what was read, in a line, or "" where nothing could be.
        findings: the worst first.
        origin: the files, or None where they could not be read.
        mixtures: how many there are, and domains.
        domains: how many there are.
    """

    summary: str
    findings: tuple[Finding, ...]
    origin: Origin | None = None
    mixtures: int = 0
    domains: int = 0

    def __repr__(self) -> str:
        return f"Check({', '.join(f'{s}: {self.count(s)}' for s in SEVERITIES)})"

    def count(self, severity: str) -> int:
        """Count the findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def fails(self, *, strict: bool = False) -> bool:
        """Tell whether there is an error, or, where that is strict, a warning."""
        return self.count(ERROR) + strict * self.count(WARNING) > 0

    def said_with(self, name_of: Callable[[str], str]) -> Check:
        """Give it with other names for parameters (see `MixfitError.said_with`)."""
        return replace(self, findings=tuple(found.said_with(name_of) for found in self.findings))

    def laws(self) -> dict[str, int]:
        """Give law to how many numbers in h it has for each target, of the laws without rivals."""
        return {law.name: _in_h(law, self.domains) for law in DESIGNED}


def check_runs(
    sources: Sources,
    *,
    budget: tuple[float, float] | None = None,
    allow_units: bool = False,
    **reading: Any,
) -> Check:
    """Find all that is wrong or doubtful in tables of runs, before anything is fitted.

    Args:
        sources: as for `mixfit.read_runs`.
        budget: N in parameters and D in tokens of the training that the mixture is for.
        allow_units: as for `mixfit.read_runs`, as are all others.
        reading: the other parameters of `mixfit.read_runs`.

    Raises:
        UsageError: an option cannot be used, or the conditions leave no row.
    """
    found = find(sources, budget=budget, allow_units=allow_units, **reading)
    return found.said_with(lambda name: name)


def find(
    sources: Sources,
    *,
    budget: tuple[float, float] | None = None,
    allow_units: bool = False,
    **reading: Any,
) -> Check:
    """Do as `check_runs` does, with the names of parameters marked in texts (see `parameter`)."""
    if budget is not None and not all(0 < number < np.inf for number in budget):
        raise UsageError(f"{parameter('budget')}: N and D must be above 0, as in 7B,150B.")
    try:
        read = read_values(sources, Reading(**reading))
    except InputError as error:
        message, _, todo = error.text.partition(". ")
        found = Finding(code="unreadable", severity=ERROR, message=message, todo=todo)
        return Check("", (found,))
    values, percent = from_percent(read.values.select(~read.unread))
    faults, bad = value_faults(values)
    if not allow_units:
        faults += unit_faults(read.values)[0]
        odd = unit_faults(values)[1]
        bad |= odd & ~odd.all()  # a column in another unit is no worse to look at
    findings = [*read.faults, *faults, *_of_notes([*read.notes, *percent])]
    mixtures = 0
    if not bad.all():
        mended, notes = mend(values.select(~bad))
        mixtures = len(group_mixtures(mended.h)[1])
        if bad.mean() < _MOST_BAD:  # else what is left says little of the table
            findings += [*_of_notes(notes), *doubts(mended), *_scale_findings(mended, budget)]
            findings += _too_few(mixtures, len(mended.columns.weights))
    if bad.any() or read.unread.any():  # rows that are left out shorten no run
        findings = [found for found in findings if found.code != "ends-early"]
    return Check(
        summary=_summary(read, mixtures),
        findings=tuple(worst_first(findings)),
        origin=Origin(files=read.files, where=read.where, joined=read.joined),
        mixtures=mixtures,
        domains=len(read.values.columns.weights),
    )


def check_to_plain(check: Check) -> dict[str, Any]:
    """Give what was found as plain data."""
    errors, warnings, advice = (check.count(severity) for severity in SEVERITIES)
    file = CheckFile(
        data=check.origin, errors=errors, warnings=warnings, advice=advice, findings=check.findings
    )
    return to_document(CHECK_SCHEMA, file)


def _summary(read: ReadValues, mixtures: int) -> str:
    values = read.values
    spans = []
    for numbers in (values.N, values.D):
        known = numbers[np.isfinite(numbers) & (numbers > 0)]
        spans.append((float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan))
    of_all = "" if len(values.N) == read.rows_read else f" of {read.rows_read:,}"
    files = read.files + (read.joined.files if read.joined else ())
    domains = len(values.columns.weights)
    return describe(files, f"{len(values.N):,}{of_all} rows, ", mixtures, domains, *spans)


def _of_notes(notes: Iterable[Note]) -> Iterator[Finding]:
    for note in notes:
        severity, todo = _OF_NOTES[note.code]
        yield Finding(
            code=note.code, severity=severity, target=note.target, message=note.text, todo=todo
        )


def _scale_findings(values: Values, budget: tuple[float, float] | None) -> Iterator[Finding]:
    """Find what the sizes and lengths of a table cannot tell."""
    mixture, _ = group_mixtures(values.h)
    targets = tuple(values.columns.targets)
    yield from _of_notes(rising_notes(mixture, values.N, values.D, values.losses, targets))
    yield from _of_notes(table_notes(values.N, values.D, _USUAL))
    if budget is None:
        return
    for number, known, words in (
        (budget[0], values.N, ("size", "model-size", "", "larger models")),
        (budget[1], values.D, ("length", "tokens", " tokens", "longer runs")),
    ):
        what, code, unit, more = words
        for note in outside_notes(number, Range.of(known), what, code, unit, "trained"):
            far = number > _FAR * known.max()
            yield Finding(
                code=note.code,
                severity=WARNING if far else ADVICE,
                message=note.text,
                todo=f"Train {more}, or see how errors grow with 'mixfit compare' and larger runs "
                "held out.",
            )


def _too_few(mixtures: int, domains: int) -> Iterator[Finding]:
    needs = {law.name: _in_h(law, domains) for law in DESIGNED}
    if not 1 < mixtures < needs[_USUAL.name]:
        return
    lacking = {name: count for name, count in needs.items() if count > mixtures}
    named = ", ".join(f"{name} ({count})" for name, count in lacking.items())
    yield Finding(
        code="few-mixtures",
        severity=WARNING,
        message=f"{counted(mixtures, 'mixture')} of {domains} domains are fewer than the numbers "
        f"in h of {named}: such fits follow noise unless they are pooled",
        todo="Train more mixtures, or take a smaller law; 'mixfit design' says which and how many.",
    )


def _in_h(law: Law, domains: int) -> int:
    return sum(group.size(domains) for group in law.mixture_groups)
