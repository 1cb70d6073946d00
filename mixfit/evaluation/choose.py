"""``--law auto``: the law that held-out runs speak for, fitted.

Two questions weigh alike: how well a law predicts new mixtures, and how well it predicts a larger
scale than it was fitted at. The candidates are followed down the strengths of the pull between
domains on the same folds (see `mixfit.fitting.pooling`); each is judged at the strength that serves
it best on new mixtures, by the rule of `mixfit.evaluation.rule`. Those clearly behind after the
first folds drop out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.base.numbers import counted
from mixfit.base.parallel import Executor
from mixfit.evaluation.heldout import CONVERGED, HeldOutErrors, MixtureNumbers
from mixfit.evaluation.rule import RULE, choose, difference
from mixfit.evaluation.trim import check_sizes, fit_trimmed
from mixfit.fitting.fit import fit, refusals
from mixfit.fitting.options import FitOptions
from mixfit.fitting.pooling import FollowTask, follow
from mixfit.fitting.result import Candidate
from mixfit.fitting.search import GRID, TargetSearch
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import assuming
from mixfit.runs.splits import selection_splits
from mixfit.runs.target_rows import TargetRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs
    from mixfit.runs.splits import Splits

CANDIDATES = tuple(law for law in CATALOGUE.values() if law.candidate)
# A held-out error needs no better a start than these find where all domains are nearly alike. The
# fit itself has its own.
_RESTARTS, _HOPS = 2, 0
# Every other strength of the grid is enough to tell laws apart.
STRENGTHS = (1.0, 0.1, 0.01, 0.001, 0.0)
# Folds after which laws that are clearly behind drop out, and what is clearly: by so many standard
# errors and at least so much, as a log.
_FIRST_FOLDS = 2
_CLEARLY, _AT_LEAST = 2.0, 0.1
_NONSENSE = "predicts losses that are not finite or not positive"


def fit_auto(
    runs: Runs,
    *,
    trim: bool = False,
    options: FitOptions | None = None,
    jobs: int | Executor | None = 1,
) -> Fit:
    """Choose a law by held-out errors, and fit it to all rows, pooled as hard as these speak for.

    A law whose fit to all rows does not converge for every target is passed over.

    Args:
        runs: the rows.
        trim: whether the law chosen is fitted to the rows alone that held-out errors speak for, as
            by `mixfit.fit_trimmed`. The choice of the law is by all rows.
        options: of the fit; the fits compared make fewer restarts and hops.
        jobs: as for `mixfit.fitting.fit.fit`; the result does not depend on it.

    Raises:
        UsageError: if the rows have too few mixtures, sizes and lengths to hold any out, no law
            can be trusted, or the losses of each target are all one number.
    """
    options, executor = options or FitOptions(), Executor.of(jobs)
    runs = runs.varying()
    if trim:
        check_sizes(runs)
    splits = selection_splits(runs, seed=options.seed)
    quick = options.at_most(restarts=_RESTARTS, hops=_HOPS)
    race = Race(runs, splits, quick)
    race.run(executor)
    candidates, logs = race.standings()
    while True:
        choice, compared = choose(candidates, logs)
        if choice is None and race.behind:
            # Those left cannot be trusted, so that the others are asked after all.
            candidates = [
                replace(c, excluded="") if c.law in race.behind else c for c in candidates
            ]
            race.behind.clear()
            continue
        if choice is None:
            why = "; ".join(f"{c.law}: {c.excluded}" for c in candidates)
            raise UsageError(
                f"{parameter('law')} auto can trust no law ({why}). Name one with"
                f" {parameter('law')}."
            )
        (law,) = (law for law in CANDIDATES if law.name == choice.law)
        fitted = (fit_trimmed if trim else fit)(runs, law, options=options, jobs=executor)
        failed = [name for name, target in fitted.targets.items() if target.status != CONVERGED]
        if not failed:
            break
        rows = "the rows kept" if trim else "all rows"
        reason = f"its fit to {rows} did not converge for {', '.join(failed)}"
        candidates = [replace(c, excluded=reason) if c.law == law.name else c for c in candidates]
    selection = replace(
        choice,
        rule=RULE,
        tests=splits.title,
        restarts=quick.restarts,
        hops=quick.hops or 0,
        candidates=compared,
    )
    note = Note("selection", f"auto chose {choice.law}: {choice.reason} ({splits.title})")
    before = len(runs.notes)
    notes = (*fitted.notes[:before], note, *splits.notes, *fitted.notes[before:])
    return replace(fitted, selection=selection, notes=notes)


class _StartTask(NamedTuple):
    """Laws of which the optimum is wanted where they are pooled hardest."""

    rows: TargetRows
    laws: tuple[Law, ...]
    options: FitOptions


def _start(task: _StartTask) -> list[dict[str, Array]]:
    """Give the natural parameters of each law where it is pooled hardest."""
    search = TargetSearch(task.rows, task.options)
    starts = []
    for law in task.laws:
        solved = search.solve(assuming(law).within(GRID[0]))
        starts.append(solved.formula.natural(solved.theta))
    return starts


class Race:
    """The candidates, followed on the rows of splits, and their errors on what is held out."""

    def __init__(self, runs: Runs, splits: Splits, options: FitOptions) -> None:
        """Find the laws that can be fitted.

        Args:
            runs: all rows.
            splits: what is fitted and what is held out.
            options: of the fits.
        """
        self._runs, self._splits, self._options = runs, splits, options
        self._numbers = MixtureNumbers.of(splits)
        self._errors = HeldOutErrors()
        self._excluded: dict[str, str] = {}
        self.behind: set[str] = set()  # laws that dropped out
        sizes, lengths = len(np.unique(runs.N)), len(np.unique(runs.D))
        forms: dict[tuple[object, ...], str] = {}
        for law in CANDIDATES:
            if 1 < sizes < law.least_model_sizes:
                self._excluded[law.name] = f"{counted(sizes, 'model size')} are too few for it"
                continue
            refused = {t for table in splits.tables for t in refusals(law, table)}
            if refused:
                listed = ", ".join(target for target in runs.targets if target in refused)
                self._excluded[law.name] = f"not applicable to {listed}"
                continue
            form = law.identified(one_model_size=sizes == 1, one_token_count=lengths == 1)
            first = forms.setdefault((form.terms, form.outer), law.name)
            if first != law.name:
                self._excluded[law.name] = f"the same as {first} on these rows"
        self._entered = {law.name for law in self._laws}

    @property
    def _laws(self) -> tuple[Law, ...]:
        """Those still in the race."""
        return tuple(law for law in CANDIDATES if law.name not in self._excluded)

    def run(self, executor: Executor) -> None:
        """Follow the laws on every split; those clearly behind after the first folds drop out."""
        laws = self._laws
        tasks = [
            _StartTask(TargetRows.of(self._runs, target), laws, self._options)
            for target in self._runs.targets
        ]
        results = executor.map(_start, tasks, f"starting {counted(len(laws), 'law')}")
        starts = {
            (law.name, task.rows.target): start
            for task, of_task in zip(tasks, results, strict=True)
            for law, start in zip(laws, of_task, strict=True)
        }
        numbers = range(len(self._splits.splits))
        first = [n for n in numbers if self._splits.splits[n].fold <= _FIRST_FOLDS]
        self._follow(first, starts, executor)
        self._drop_out(len(first))
        self._follow([n for n in numbers if n not in first], starts, executor)

    def _follow(
        self,
        numbers: Sequence[int],
        starts: Mapping[tuple[str, str], dict[str, Array]],
        executor: Executor,
    ) -> None:
        """Follow the laws on some splits."""
        tasks, parts = [], []
        for number in numbers:
            split = self._splits.splits[number]
            (held,) = split.tests
            for target in self._runs.targets:
                fitted, test = (TargetRows.of(table, target) for table in (split.train, held.runs))
                if len(fitted) and len(test):
                    own = tuple(starts[law.name, target] for law in self._laws)
                    tasks.append(
                        FollowTask(fitted, test, self._laws, own, STRENGTHS, self._options)
                    )
                    parts.append((number, held.label))
        label = f"comparing {counted(len(self._laws), 'law')}"
        results = executor.map(follow, tasks, label) if tasks else []
        for task, (number, label), of_task in zip(tasks, parts, results, strict=True):
            mixtures = np.unique(task.held_out.mixture)
            named = self._numbers.numbers[number, 0][mixtures]
            for law, followed in zip(task.laws, of_task, strict=True):
                for strength, errors in zip(STRENGTHS, followed.errors, strict=True):
                    key = (law.name, strength)
                    self._errors.add(key, task.held_out.target, label, named, errors)

    def _drop_out(self, splits: int) -> None:
        logs = {law.name: self._logs(law) for law in self._laws}
        if not logs:
            return
        first = next(iter(logs.values()))
        best = min(logs.values(), key=lambda own: difference(own, first).mean)
        for law in self._laws:
            gap = difference(logs[law.name], best)
            if not np.all(np.isfinite(list(self._parts(law).values()))):
                self._excluded[law.name] = _NONSENSE
            elif gap.mean > max(_CLEARLY * gap.error, _AT_LEAST):
                done = f"{splits} of {len(self._splits.splits)} splits"
                self._excluded[law.name] = f"clearly behind after {done}"
                self.behind.add(law.name)

    def _strength(self, law: Law) -> float:
        """Give the strength that serves a law best on new mixtures, or else on what there is."""
        label = self._splits.labels[0]
        means = [
            np.nanmean(self._errors.logs((law.name, strength), self._runs.targets, label))
            for strength in STRENGTHS
        ]
        return STRENGTHS[int(np.argmin(means))]

    def _logs(self, law: Law) -> dict[str, Array]:
        key = (law.name, self._strength(law))
        targets = self._runs.targets
        return {label: self._errors.logs(key, targets, label) for label in self._splits.decisive}

    def _parts(self, law: Law) -> dict[str, float]:
        """Give what was held out to the mean error on it, in percent."""
        key = (law.name, self._strength(law))
        targets = self._runs.targets
        by_mixture = {x: self._errors.by_mixture(key, targets, x) for x in self._splits.labels}
        return {x: float(np.mean(list(own.values()))) for x, own in by_mixture.items() if own}

    def standings(self) -> tuple[list[Candidate], dict[str, dict[str, Array]]]:
        """Give the candidates, and law to what was held out, to the logs of its errors."""
        candidates, logs = [], {}
        for law in CANDIDATES:
            excluded = self._excluded.get(law.name, "")
            parts: dict[str, float] = {}
            if law.name in self._entered:
                logs[law.name], parts = self._logs(law), self._parts(law)
                if not np.all(np.isfinite(list(parts.values()))):
                    excluded = excluded or _NONSENSE
            decisive = [parts[label] for label in self._splits.decisive if label in parts]
            candidates.append(
                Candidate(
                    law=law.name,
                    parameters=law.count(len(self._runs.domains)),
                    mre=float(np.mean(decisive)) if decisive else float("nan"),
                    excluded=excluded,
                    parts=parts,
                )
            )
        return candidates, logs
