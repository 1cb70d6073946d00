"""From the predictions of all tasks of a comparison to what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.base.errors import Note
from mixfit.base.numbers import counted
from mixfit.evaluation.comparison import (
    AVERAGE,
    TEST,
    TRAIN,
    Comparison,
    Figure,
    Summary,
    choose,
)
from mixfit.evaluation.evaluate import ALL_SIZES, Score, mean_of, score_of
from mixfit.evaluation.regressors import REGRESSORS
from mixfit.fitting.diagnosis import table_notes
from mixfit.fitting.result import Candidate
from mixfit.laws.old_text import parse_law

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mixfit.base.arrays import Array
    from mixfit.fitting.search import TargetTask
    from mixfit.laws.law import Law
    from mixfit.runs.runs import Runs
    from mixfit.runs.splits import Splits

CONVERGED = "converged"
_FAR_OFF = 20  # times the median error of the mixtures held out
_WORTH_SAYING = 1.0  # percent


class Part(NamedTuple):
    """Rows to predict for one target: (rows,), and h (rows, k)."""

    N: Array
    D: Array
    h: Array
    loss: Array


class Task(NamedTuple):
    """What to fit and to predict; `laws` has the names asked for, with those fitted for them."""

    fit: TargetTask
    laws: Mapping[str, str]
    split: int
    parts: tuple[Part, ...]


class Result(NamedTuple):
    """A law fitted to one target of one split.

    Attributes:
        predicted: losses of the rows fitted, and of those of each part held out.
        parameters: how many, or None.
        seconds: that it took.
        status: ``converged`` or what happened instead.
        failed: whether there is no fit at all.
    """

    predicted: tuple[Array, ...]
    parameters: int | None
    seconds: float
    status: str
    failed: bool = False


@dataclass(eq=False)
class Tally:
    """From the predictions of all tasks to a comparison.

    Attributes:
        splits: what was fitted and held out.
        laws: in the order asked for.
        targets: that all parts have losses for.
        refused: (law, target) that cannot be compared, to the reason.
        chosen: (split, law) to the law with the shrinkage chosen for it.
        tasks: a target of a split each.
        results: of the tasks, law to result.
        by_mixture: (law, target, column) to the mixtures held out, each with the mean errors of its
            rows; filled on the way.
    """

    splits: Splits
    laws: tuple[str, ...]
    targets: tuple[str, ...]
    refused: Mapping[tuple[str, str], str]
    chosen: Mapping[tuple[int, str], str]
    tasks: Sequence[Task]
    results: Sequence[Mapping[str, Result]]
    by_mixture: dict[tuple[str, str, str], dict[tuple[float, ...], list[float]]] = field(
        default_factory=dict
    )

    def comparison(self) -> Comparison:
        """Give the figures, their summaries, the choice of a law and the notes."""
        figures = self._figures()
        summaries = self._summaries(figures)
        standings = tuple(self._standing(law, summaries) for law in self.laws)
        return Comparison(
            title=self.splits.title,
            laws=self.laws,
            targets=self.targets,
            columns=self.splits.columns,
            figures=tuple(figures),
            summaries=summaries,
            standings=standings,
            choice=choose(standings),
            notes=(*self._table_notes(), *self.splits.notes, *self._notes(standings)),
        )

    def _done(self, law: str) -> list[tuple[Task, Result]]:
        pairs = zip(self.tasks, self.results, strict=True)
        return [(task, result[law]) for task, result in pairs if law in result]

    def _figures(self) -> list[Figure]:
        found = []
        for law in self.laws:
            by_split: dict[int, list[Figure]] = {}
            for task, result in self._done(law):
                own = self._figures_of(law, task, result)
                by_split.setdefault(task.split, []).extend(own)
                found += own
            for own in by_split.values():
                found += _averages(own)
        return found

    def _figures_of(self, law: str, task: Task, result: Result) -> list[Figure]:
        split, target = self.splits.splits[task.split], task.fit.target
        fitted, *held_out = zip(task.parts, result.predicted, strict=True)
        found = []
        for held, (part, predicted) in zip(split.tests, held_out, strict=True):
            place = (held.column, split.fold)
            train_size = _only(np.unique(split.train.N))
            found.append(Figure(law, target, TRAIN, *place, train_size, _score(*fitted)))
            sizes = np.unique(held.runs.N)
            found.append(Figure(law, target, TEST, *place, _only(sizes), _score(part, predicted)))
            for size in sizes if len(sizes) > 1 else ():
                rows = np.flatnonzero(size == part.N)
                if len(rows):
                    score = _score(Part(*(x[rows] for x in part)), predicted[rows])
                    found.append(Figure(law, target, TEST, *place, float(size), score))
            self._add_by_mixture(law, target, held.column, part, predicted)
        return found

    def _add_by_mixture(
        self, law: str, target: str, column: str, part: Part, predicted: Array
    ) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            relative = 100 * np.abs(predicted - part.loss) / part.loss
        mixtures, row = _rows_by_mixture(part.h)
        means = np.bincount(row, relative) / np.bincount(row)
        of_mixture = self.by_mixture.setdefault((law, target, column), {})
        for key, mean in zip(mixtures, means, strict=True):
            of_mixture.setdefault(key, []).append(float(mean))

    def _summaries(self, figures: Sequence[Figure]) -> dict[tuple[str, str, str], Summary]:
        # The first figure of a part is that of all its rows.
        whole: dict[tuple[str, str, str, int, str], Score] = {}
        for f in figures:
            whole.setdefault((f.law, f.target, f.column, f.fold, f.split), f.score)
        parts: dict[tuple[str, str, str], tuple[list[Score], list[Score]]] = {}
        for (*key, _, split), score in whole.items():
            law, target, column = key
            parts.setdefault((law, target, column), ([], []))[split == TEST].append(score)
        found = {}
        for (law, target, column), (fitted, tested) in parts.items():
            mean = mean_of(tested)
            error = self._standard_error(law, target, column)
            found[law, target, column] = Summary(
                mean_of(fitted).mre, mean.mre, error, mean.bias, mean.rank, mean.rows
            )
        return found

    def _standard_error(self, law: str, target: str, column: str) -> float:
        """Give that of the mean over the mixtures held out, which are independent of each other."""
        targets = self.targets if target == AVERAGE else (target,)
        means: dict[tuple[float, ...], list[float]] = {}
        for name in targets:
            for mixture, errors in self.by_mixture.get((law, name, column), {}).items():
                means.setdefault(mixture, []).append(float(np.mean(errors)))
        each = [float(np.mean(errors)) for errors in means.values()]
        if len(each) < 2 or not np.all(np.isfinite(each)):
            return float("nan")
        return float(np.std(each, ddof=1) / np.sqrt(len(each)))

    def _standing(self, law: str, summaries: Mapping[tuple[str, str, str], Summary]) -> Candidate:
        parts = [
            summaries[law, AVERAGE, column]
            for column in self.splits.decisive
            if (law, AVERAGE, column) in summaries
        ]
        results = [result for _, result in self._done(law)]
        counts = [result.parameters for result in results if result.parameters is not None]
        return Candidate(
            law=law,
            parameters=max(counts) if counts else None,
            mre=float(np.mean([p.test for p in parts])) if parts else float("nan"),
            standard_error=_error_of_mean([p.error for p in parts]),
            seconds=sum(result.seconds for result in results) / len(self.splits.splits),
            excluded=self._excluded(law, results),
        )

    def _excluded(self, law: str, results: Sequence[Result]) -> str:
        if law in REGRESSORS:
            return "it is no law"
        without = [target for target in self.targets if (law, target) in self.refused]
        if without:
            return f"not applicable to {', '.join(without)}"
        failures = [result for result in results if result.failed]
        if failures:
            return f"{len(failures)} of {counted(len(results), 'fit')} failed"
        nonsense = self._nonsense(law)
        return f"predicts {_nonsense_text(nonsense)}" if nonsense else ""

    def _outliers(self, law: str) -> list[Note]:
        """Say which held-out mixture, if any, is so far off that it rules the mean."""
        found = []
        for column in self.splits.columns:
            means: dict[tuple[float, ...], list[float]] = {}
            for target in self.targets:
                for key, errors in self.by_mixture.get((law, target, column), {}).items():
                    means.setdefault(key, []).append(float(np.mean(errors)))
            each = {key: float(np.mean(errors)) for key, errors in means.items()}
            if len(each) < 3:
                continue
            worst, usual = (
                max(each, key=lambda key: each[key]),
                float(np.median(list(each.values()))),
            )
            if each[worst] > max(_FAR_OFF * usual, _WORTH_SAYING):
                h = ", ".join(f"{weight:.3g}" for weight in worst)
                text = (
                    f"{law}, {column}: the mixture ({h}) has an error of {each[worst]:.3g}%, where"
                    f" the median over mixtures is {usual:.3g}%; without runs near it the law is"
                    " not pinned there"
                )
                found.append(Note("outlier", text))
        return found

    def _nonsense(self, law: str) -> int:
        """Count the rows held out whose prediction is not finite or not positive."""
        return sum(
            int(np.count_nonzero(~(np.isfinite(predicted) & (predicted > 0))))
            for _, result in self._done(law)
            for predicted in result.predicted[1:]
        )

    def _table_notes(self) -> tuple[Note, ...]:
        """Give what was found when the rows were read, once."""
        runs = [r for s in self.splits.splits for r in (s.train, *(part.runs for part in s.tests))]
        return tuple(dict.fromkeys(note for table in runs for note in table.notes))

    def _notes(self, standings: Sequence[Candidate]) -> list[Note]:
        notes = []
        every = dict.fromkeys(t for split in self.splits.splits for t in split.train.targets)
        missing = [target for target in every if target not in self.targets]
        if missing:
            text = "left out: it has no losses in some part of the rows to fit or to test"
            notes += [Note("missing-target", text, target) for target in missing]
        for law in self.laws:
            reasons = {t: self.refused[law, t] for t in self.targets if (law, t) in self.refused}
            for target, reason in reasons.items():
                notes.append(Note("not-applicable", f"{law} is not applicable: {reason}", target))
            if 0 < len(reasons) < len(self.targets):
                text = f"the averages of {law} are over the targets that it can be applied to"
                notes.append(Note("fewer-targets", text))
        train = self.splits.splits[0].train
        for standing in standings:
            law = standing.law
            if law not in REGRESSORS:
                notes += _scale_notes(parse_law(law)[0], train)
            shrunk = dict.fromkeys(s for (_, name), s in self.chosen.items() if name == law)
            if shrunk:
                notes.append(Note("shrink", f"{law} chose {', '.join(shrunk)}"))
            if self._nonsense(law):
                text = f"{law} predicts {_nonsense_text(self._nonsense(law))}"
                notes.append(Note("nonsense", text))
            notes += self._outliers(law)
            done = self._done(law)
            for status in dict.fromkeys(r.status for _, r in done if r.status != CONVERGED):
                of_it = [task.fit.target for task, result in done if result.status == status]
                text = (
                    f"{law}: {len(of_it)} of {counted(len(done), 'fit')}"
                    f" ({', '.join(dict.fromkeys(of_it))}): {status}"
                )
                notes.append(Note("not-converged", text))
        return notes


def _score(part: Part, predicted: Array) -> Score:
    # What is far from the rows fitted may be infinite, and so are its errors then.
    with np.errstate(over="ignore", invalid="ignore"):
        return score_of(predicted, part.loss)


def _only(sizes: Array) -> float | None:
    return float(sizes[0]) if len(sizes) == 1 else ALL_SIZES


def _averages(figures: Sequence[Figure]) -> list[Figure]:
    """Average the figures of one law on one split over targets."""
    groups: dict[tuple[str, str, float | None], list[Figure]] = {}
    for figure in figures:
        groups.setdefault((figure.split, figure.column, figure.model_size), []).append(figure)
    return [
        Figure(own[0].law, AVERAGE, *key[:2], own[0].fold, key[2], mean_of([f.score for f in own]))
        for key, own in groups.items()
    ]


def _rows_by_mixture(h: Array) -> tuple[list[tuple[float, ...]], NDArray[np.intp]]:
    """Give the distinct mixtures, to six decimals, and the one (rows,) of each row."""
    distinct, row = np.unique(h.round(6), axis=0, return_inverse=True)
    return [tuple(mixture) for mixture in distinct.tolist()], row.reshape(-1)


def _error_of_mean(errors: Sequence[float]) -> float:
    return float(np.sqrt(np.sum(np.square(errors))) / len(errors)) if errors else float("nan")


def _scale_notes(law: Law, train: Runs) -> list[Note]:
    """Say that a law has no term in N or D where rows differ in it."""
    return [
        Note(note.code, f"{law.name}: {note.text}")
        for note in table_notes(train.N, train.D, law)
        if note.code in ("no-N", "no-D")
    ]


def _nonsense_text(rows: int) -> str:
    return f"losses that are not finite or not positive on {counted(rows, 'row')} held out"
