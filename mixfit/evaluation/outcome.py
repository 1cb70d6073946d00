"""From the predictions of all tasks of a comparison to figures, summaries and standings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.metrics import percent_errors
from mixfit.base.numbers import counted
from mixfit.evaluation.comparison import (
    AVERAGE,
    TEST,
    TRAIN,
    Figure,
    Summary,
)
from mixfit.evaluation.decision import Decisions, decisions_of
from mixfit.evaluation.evaluate import ALL_SIZES, mean_of, score_of
from mixfit.evaluation.heldout import HeldOutErrors, MixtureNumbers
from mixfit.fitting.result import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.evaluation.contenders import FittedContender
    from mixfit.evaluation.decision import Decision
    from mixfit.evaluation.evaluate import Score
    from mixfit.evaluation.heldout import Contender, Result, Task
    from mixfit.runs.splits import Splits
    from mixfit.runs.target_rows import TargetRows


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came out of all fits of a comparison, and what follows for each contender.

    Attributes:
        splits: what was fitted and held out.
        contenders: in the order asked for.
        targets: that all parts have losses for.
        refused: (label, target) that cannot be compared, to the reason.
        fitted: (split, label) to the law, fitted to the split.
        tasks: a target of a split each.
        results: of the tasks, label to result.
    """

    splits: Splits
    contenders: tuple[Contender, ...]
    targets: tuple[str, ...]
    refused: Mapping[tuple[str, str], str]
    fitted: Mapping[tuple[int, str], FittedContender]
    tasks: Sequence[Task]
    results: Sequence[Mapping[str, Result]]

    def of(self, label: str) -> list[tuple[Task, Result]]:
        """Give the tasks that a contender took part in, with its results."""
        pairs = zip(self.tasks, self.results, strict=True)
        return [(task, result[label]) for task, result in pairs if label in result]

    def nonsense(self, label: str) -> int:
        """Count the rows held out whose prediction is not finite or not positive."""
        return sum(
            int(np.count_nonzero(~(np.isfinite(predicted) & (predicted > 0))))
            for _, result in self.of(label)
            for predicted in result.predicted[1:]
        )

    @cached_property
    def mixtures(self) -> MixtureNumbers:
        """One numbering of the mixtures held out."""
        return MixtureNumbers.of(self.splits)

    @cached_property
    def errors(self) -> HeldOutErrors:
        """The errors of the mixtures held out."""
        table = HeldOutErrors()
        for contender in self.contenders:
            label = contender.label
            for task, result in self.of(label):
                parts = zip(task.held_out, result.predicted[1:], strict=True)
                for part, (rows, predicted) in enumerate(parts):
                    column = self.splits.splits[task.split].tests[part].label
                    number = self.mixtures.numbers[task.split, part][rows.mixture]
                    errors = percent_errors(predicted, rows.loss)
                    table.add(label, rows.target, column, number, errors)
        return table

    def figures(self, contender: Contender) -> Iterator[tuple[Figure, bool]]:
        """Give how a contender predicts each part, and the averages over targets.

        Returns:
            Figures, each with whether it is of all rows of a part.
        """
        label = contender.label
        by_split: dict[int, list[tuple[Figure, bool]]] = {}
        for task, result in self.of(label):
            own = list(self._figures_of(label, task, result))
            by_split.setdefault(task.split, []).extend(own)
            yield from own
        for own in by_split.values():
            yield from _averages(own)

    def _figures_of(self, label: str, task: Task, result: Result) -> Iterator[tuple[Figure, bool]]:
        split = self.splits.splits[task.split]

        def figure(kind: str, column: str, model_size: float | None, score: Score) -> Figure:
            return Figure(
                law=label,
                target=task.fitted.target,
                split=kind,
                column=column,
                fold=split.fold,
                model_size=model_size,
                score=score,
            )

        fitted, *held_out = zip(task.parts, result.predicted, strict=True)
        for test, (rows, predicted) in zip(split.tests, held_out, strict=True):
            yield figure(TRAIN, test.label, _only_size(split.train.N), _score(*fitted)), True
            whole = _score(rows, predicted)
            yield figure(TEST, test.label, _only_size(test.runs.N), whole), True
            sizes = np.unique(test.runs.N)
            for size in sizes if len(sizes) > 1 else ():
                own = np.flatnonzero(size == rows.N)
                if len(own):
                    score = _score(rows.select(own), predicted[own])
                    yield figure(TEST, test.label, float(size), score), False

    def summaries(self, figures: Iterable[Figure]) -> dict[tuple[str, str, str], Summary]:
        """Average figures of whole parts over the splits of a column.

        Returns:
            (label, target or `AVERAGE`, column) to summary.
        """
        scores: dict[tuple[str, str, str], dict[str, list[Score]]] = {}
        for f in figures:
            of_place = scores.setdefault((f.law, f.target, f.column), {TRAIN: [], TEST: []})
            of_place[f.split].append(f.score)
        summaries = {}
        for (law, target, column), of_place in scores.items():
            test = mean_of(of_place[TEST])
            targets = self.targets if target == AVERAGE else (target,)
            summaries[law, target, column] = Summary(
                train=mean_of(of_place[TRAIN]).mre,
                test=test.mre,
                error=self.errors.standard_error(law, targets, column),
                bias=test.bias,
                rank=test.rank,
                rows=test.rows,
            )
        return summaries

    def decisions(
        self, contender: Contender, weights: Mapping[str, float]
    ) -> dict[tuple[str, str, str], Decisions]:
        """Give what a contender's picks are worth, by kind and column (see `Comparison`).

        Args:
            contender: whose.
            weights: target to its weight in the objective.
        """
        label = contender.label
        by_part: dict[tuple[int, int], list[tuple[TargetRows, Array]]] = {}
        for task, result in self.of(label):
            for part, pair in enumerate(zip(task.held_out, result.predicted[1:], strict=True)):
                by_part.setdefault((task.split, part), []).append(pair)
        made: dict[tuple[str, str, str], list[Decision]] = {}
        for (split, part), pairs in by_part.items():
            column = self.splits.splits[split].tests[part].label
            rows, predicted = zip(*pairs, strict=True)
            for kind, own in decisions_of(rows, predicted, weights).items():
                made.setdefault((label, kind, column), []).extend(own)
        return {key: Decisions.of(own) for key, own in made.items()}

    def standing(
        self, contender: Contender, summaries: Mapping[tuple[str, str, str], Summary]
    ) -> Candidate:
        """Give where a contender stands in the choice of one, by its summaries."""
        label = contender.label
        own = [
            summaries[label, AVERAGE, column]
            for column in self.splits.decisive
            if (label, AVERAGE, column) in summaries
        ]
        results = [result for _, result in self.of(label)]
        counts = [result.parameters for result in results if result.parameters is not None]
        return Candidate(
            law=label,
            parameters=max(counts) if counts else None,
            mre=float(np.mean([s.test for s in own])) if own else float("nan"),
            seconds=sum(result.seconds for result in results) / len(self.splits.splits),
            excluded=contender.excluded or self._excluded(label, results),
        )

    def logs(self) -> dict[str, dict[str, Array]]:
        """Give label to the decisive parts, to the logs of errors by mixture and target."""
        return {
            contender.label: {
                column: self.errors.logs(contender.label, self.targets, column)
                for column in self.splits.decisive
            }
            for contender in self.contenders
        }

    def _excluded(self, label: str, results: Sequence[Result]) -> str:
        without = [target for target in self.targets if (label, target) in self.refused]
        if without:
            return f"not applicable to {', '.join(without)}"
        failures = [result for result in results if result.failed]
        if failures:
            return f"{len(failures)} of {counted(len(results), 'fit')} failed"
        rows = self.nonsense(label)
        return f"predicts {nonsense_text(rows)}" if rows else ""


def nonsense_text(rows: int) -> str:
    """Say what nonsense a law predicts on rows held out."""
    return f"losses that are not finite or not positive on {counted(rows, 'row')} held out"


def _score(rows: TargetRows, predicted: Array) -> Score:
    # What is far from the rows fitted may be infinite, and so are its errors then.
    with np.errstate(over="ignore", invalid="ignore"):
        return score_of(predicted, rows.loss)


def _only_size(N: Array) -> float | None:
    return float(N[0]) if np.ptp(N) == 0 else ALL_SIZES


def _averages(figures: Sequence[tuple[Figure, bool]]) -> Iterator[tuple[Figure, bool]]:
    """Average the figures of one contender on one split over targets."""
    groups: dict[tuple[str, str, float | None, bool], list[Figure]] = {}
    for figure, whole in figures:
        key = (figure.split, figure.column, figure.model_size, whole)
        groups.setdefault(key, []).append(figure)
    for (split, column, model_size, whole), own in groups.items():
        average = Figure(
            law=own[0].law,
            target=AVERAGE,
            split=split,
            column=column,
            fold=own[0].fold,
            model_size=model_size,
            score=mean_of([figure.score for figure in own]),
        )
        yield average, whole
