"""Several laws on the same splits, side by side, and which of them to use."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixfit.catalogue import AUTO_SHRINK, CATALOGUE, parse_law, with_shrinkage
from mixfit.comparisons import (
    AVERAGE,
    TEST,
    TRAIN,
    Comparison,
    Figure,
    Standing,
    Summary,
    choose,
)
from mixfit.diagnosis import table_notes
from mixfit.errors import NotApplicableError, Note, UsageError, nearest
from mixfit.evaluate import ALL_SIZES, Score, mean_of, score_of
from mixfit.fits import FitOptions
from mixfit.fitting import fit_target, refusals
from mixfit.parallel import map_tasks
from mixfit.regressors import REGRESSORS, Sample, import_lightgbm
from mixfit.shrinkage import can_choose_shrink, choose_shrink
from mixfit.targets import TargetTask, target_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mixfit.coefficients import Array
    from mixfit.laws import Law
    from mixfit.runs import Runs
    from mixfit.splits import Split, Splits

_CONVERGED = "converged"
_FAR_OFF = 20  # times the median error of the mixtures held out
_WORTH_SAYING = 1.0  # percent


def check_names(laws: Sequence[str]) -> None:
    """Refuse a name that is neither a law nor a regression, and one that is given twice.

    Raises:
        UsageError: if there is one, or a regression needs an extra that is not installed.
    """
    for name in laws:
        if name in REGRESSORS:
            continue
        if name.partition(":")[0] not in CATALOGUE:
            known = [*CATALOGUE, *REGRESSORS]
            raise UsageError(
                f"There is no law '{name}'.{nearest(name, known)} Laws: {', '.join(CATALOGUE)};"
                f" regressions: {', '.join(REGRESSORS)}."
            )
        parse_law(name)
    twice = next((name for name in laws if list(laws).count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--law {twice} is given twice.")
    if "trees" in laws:
        import_lightgbm()


def compare_laws(
    splits: Splits,
    laws: Sequence[str],
    *,
    options: FitOptions | None = None,
    jobs: int | str | None = 1,
    done: Callable[[], None] = lambda: None,
) -> Comparison:
    """Fit laws to the rows of each split that are to be fitted, and predict the others.

    Args:
        splits: see `mixfit.splits`.
        laws: names of laws, with their shrinkage if any (see `mixfit.catalogue.parse_law`), or
            names in `mixfit.regressors.REGRESSORS`. A shrinkage of ``auto`` is chosen within the
            rows that are fitted, for each split anew.
        options: how laws are fitted; `FitOptions()` by default. Its seed is that of the
            regressions too.
        jobs: as for `mixfit.parallel.map_tasks`; the result does not depend on it.
        done: called whenever a target of a split is done, `count_tasks` times in all.

    Raises:
        UsageError: if a name is unknown, or the parts of a split share no target.
    """
    check_names(laws)
    options = options or FitOptions()
    targets = _common_targets(splits)
    refused = _refusals(splits, laws, targets)
    chosen = _choose_shrinkages(splits, laws, targets, refused, options, jobs)
    tasks = []
    for number, split in enumerate(splits.splits):
        for target in targets:
            applicable = [law for law in laws if (law, target) not in refused]
            shrunk = {law: chosen.get((number, law), law) for law in applicable}
            tasks.append(_task(split, number, target, shrunk, options))
    results = map_tasks(_run, tasks, jobs=jobs, done=done)
    return _Tally(splits, tuple(laws), targets, refused, chosen, tasks, results).comparison()


def _choose_shrinkages(
    splits: Splits,
    laws: Sequence[str],
    targets: Sequence[str],
    refused: Mapping[tuple[str, str], str],
    options: FitOptions,
    jobs: int | str | None,
) -> dict[tuple[int, str], str]:
    """Give split and law to the law with the shrinkage that the split's fitted rows speak for."""
    cases, keys = [], []
    for name in laws:
        if name in REGRESSORS or parse_law(name)[1] != AUTO_SHRINK:
            continue
        applicable = [target for target in targets if (name, target) not in refused]
        for number, split in enumerate(splits.splits if applicable else ()):
            cases.append((split.train.only(applicable), parse_law(name)[0].name))
            keys.append((number, name))
    paths = choose_shrink(cases, options, jobs=jobs)
    return {
        key: with_shrinkage(law, path.chosen)
        for key, (_, law), path in zip(keys, cases, paths, strict=True)
    }


def count_tasks(splits: Splits) -> int:
    """Count the calls of `done` that `compare_laws` makes."""
    return len(splits.splits) * len(_common_targets(splits))


def _common_targets(splits: Splits) -> tuple[str, ...]:
    """Find the targets that all parts have losses for."""
    parts = [r for s in splits.splits for r in (s.train, *(part.runs for part in s.tests))]
    names = [target for target in parts[0].targets if all(target in p.targets for p in parts)]
    if AVERAGE in names:
        raise UsageError(
            f"A target is called '{AVERAGE}', as the mean over targets is here. Choose others with"
            " --targets, or rename its column."
        )
    found = tuple(t for t in names if all(~np.isnan(p.losses_of(t)).all() for p in parts))
    if not found:
        raise UsageError(
            "No target has losses both in the rows to fit and in all rows to test. Choose other"
            " rows or other --targets."
        )
    return found


def _refusals(
    splits: Splits, laws: Sequence[str], targets: Sequence[str]
) -> dict[tuple[str, str], str]:
    """Find the laws and targets that cannot be compared, each with the reason."""
    found: dict[tuple[str, str], str] = {}
    for name in laws:
        if name in REGRESSORS:
            continue
        law, shrink = parse_law(name)
        for split in splits.splits:
            if shrink == AUTO_SHRINK and not can_choose_shrink(split.train):
                reason = "nothing is left to hold out within the rows fitted, as auto must"
                found |= {(name, target): reason for target in targets}
                break
            for runs in (split.train, *(part.runs for part in split.tests)):
                for target, reason in refusals(law, runs).items():
                    if target in targets:
                        found.setdefault((name, target), reason)
    return found


class _Part(NamedTuple):
    """Rows to predict for one target: (rows,), and h (rows, k)."""

    N: Array
    D: Array
    h: Array
    loss: Array


class _Task(NamedTuple):
    """What to fit and to predict; `laws` has the names asked for, with those fitted for them."""

    fit: TargetTask
    laws: Mapping[str, str]
    split: int
    parts: tuple[_Part, ...]


class _Result(NamedTuple):
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


def _part(runs: Runs, target: str) -> _Part:
    loss = runs.losses_of(target)
    rows = np.flatnonzero(~np.isnan(loss))
    return _Part(runs.N[rows], runs.D[rows], runs.h[rows], loss[rows])


def _task(
    split: Split, number: int, target: str, laws: Mapping[str, str], options: FitOptions
) -> _Task:
    fitted = tuple(dict.fromkeys(laws[name] for name in laws if name not in REGRESSORS))
    fit = target_task(split.train, target, fitted, options)
    parts = (_part(split.train, target), *(_part(held.runs, target) for held in split.tests))
    return _Task(fit, laws, number, parts)


def _run(task: _Task) -> dict[str, _Result]:
    """Fit what a task asks for, and predict its parts; apart from the rows held out."""
    fitted = {}
    for outcome in fit_target(task.fit):
        law = outcome.fit.law
        # A law may overflow far from the rows fitted; that is counted as nonsense, by the caller.
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = tuple(outcome.fit.predict(p.N, p.D, p.h) for p in task.parts)
        fitted[outcome.law] = _Result(
            predicted,
            law.count(task.fit.mixtures.shape[1]),
            outcome.seconds,
            outcome.fit.status,
            failed=not np.isfinite(outcome.fit.huber),
        )
    return {
        name: _regress(name, task) if name in REGRESSORS else fitted[law]
        for name, law in task.laws.items()
    }


def _regress(name: str, task: _Task) -> _Result:
    import time

    fit, begin = task.fit, time.perf_counter()
    sample = Sample(fit.N, fit.D, fit.mixtures[fit.mixture], fit.mixture, fit.loss)
    seeds = [fit.options.seed, zlib.crc32(fit.target.encode()), zlib.crc32(name.encode())]
    try:
        fitted = REGRESSORS[name](sample, np.random.default_rng([*seeds, task.split]))
    except NotApplicableError as error:
        nothing = tuple(np.full(len(part.loss), np.nan) for part in task.parts)
        return _Result(nothing, None, 0.0, str(error), failed=True)
    predicted = tuple(fitted.predict(p.N, p.D, p.h) for p in task.parts)
    return _Result(predicted, fitted.parameters, time.perf_counter() - begin, _CONVERGED)


@dataclass(eq=False)
class _Tally:
    """From the predictions of all tasks to a comparison."""

    splits: Splits
    laws: tuple[str, ...]
    targets: tuple[str, ...]
    refused: Mapping[tuple[str, str], str]
    chosen: Mapping[tuple[int, str], str]
    tasks: Sequence[_Task]
    results: Sequence[Mapping[str, _Result]]
    # (law, target, column) to the mixtures held out, each with the mean errors of its rows.
    by_mixture: dict[tuple[str, str, str], dict[tuple[float, ...], list[float]]] = field(
        default_factory=dict
    )

    def comparison(self) -> Comparison:
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

    def _done(self, law: str) -> list[tuple[_Task, _Result]]:
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

    def _figures_of(self, law: str, task: _Task, result: _Result) -> list[Figure]:
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
                    score = _score(_Part(*(x[rows] for x in part)), predicted[rows])
                    found.append(Figure(law, target, TEST, *place, float(size), score))
            self._add_by_mixture(law, target, held.column, part, predicted)
        return found

    def _add_by_mixture(
        self, law: str, target: str, column: str, part: _Part, predicted: Array
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

    def _standing(self, law: str, summaries: Mapping[tuple[str, str, str], Summary]) -> Standing:
        parts = [
            summaries[law, AVERAGE, column]
            for column in self.splits.decisive
            if (law, AVERAGE, column) in summaries
        ]
        results = [result for _, result in self._done(law)]
        counts = [result.parameters for result in results if result.parameters is not None]
        return Standing(
            law=law,
            parameters=max(counts) if counts else None,
            test=float(np.mean([p.test for p in parts])) if parts else float("nan"),
            error=_error_of_mean([p.error for p in parts]),
            seconds=sum(result.seconds for result in results) / len(self.splits.splits),
            excluded=self._excluded(law, results),
        )

    def _excluded(self, law: str, results: Sequence[_Result]) -> str:
        if law in REGRESSORS:
            return "it is no law"
        without = [target for target in self.targets if (law, target) in self.refused]
        if without:
            return f"not applicable to {', '.join(without)}"
        failures = [result for result in results if result.failed]
        if failures:
            return f"{len(failures)} of {_count(len(results), 'fit')} failed"
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

    def _notes(self, standings: Sequence[Standing]) -> list[Note]:
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
            for status in dict.fromkeys(r.status for _, r in done if r.status != _CONVERGED):
                of_it = [task.fit.target for task, result in done if result.status == status]
                text = (
                    f"{law}: {len(of_it)} of {_count(len(done), 'fit')}"
                    f" ({', '.join(dict.fromkeys(of_it))}): {status}"
                )
                notes.append(Note("not-converged", text))
        return notes


def _score(part: _Part, predicted: Array) -> Score:
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
    return f"losses that are not finite or not positive on {_count(rows, 'row')} held out"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
