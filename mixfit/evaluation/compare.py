"""Several laws on the same splits, side by side, and which of them to use."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import NotApplicableError, UsageError, nearest
from mixfit.base.parallel import map_tasks
from mixfit.evaluation.comparison import AVERAGE, Comparison
from mixfit.evaluation.regressors import REGRESSORS, Sample, import_lightgbm
from mixfit.evaluation.shrinkage import can_choose_shrink, choose_shrink
from mixfit.evaluation.tally import CONVERGED, Part, Result, Tally, Task
from mixfit.fitting.fit import fit_target, refusals
from mixfit.fitting.result import FitOptions
from mixfit.fitting.search import target_task
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.old_text import AUTO_SHRINK, parse_law, with_shrinkage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mixfit.runs.runs import Runs
    from mixfit.runs.splits import Split, Splits


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
        splits: see `mixfit.runs.splits`.
        laws: names of laws, with their shrinkage if any (see `mixfit.laws.catalogue.parse_law`), or
            names in `mixfit.evaluation.regressors.REGRESSORS`. A shrinkage of ``auto`` is chosen
            within the rows that are fitted, for each split anew.
        options: how laws are fitted; `FitOptions()` by default. Its seed is that of the
            regressions too.
        jobs: as for `mixfit.base.parallel.map_tasks`; the result does not depend on it.
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
    return Tally(splits, tuple(laws), targets, refused, chosen, tasks, results).comparison()


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


def _part(runs: Runs, target: str) -> Part:
    loss = runs.losses_of(target)
    rows = np.flatnonzero(~np.isnan(loss))
    return Part(runs.N[rows], runs.D[rows], runs.h[rows], loss[rows])


def _task(
    split: Split, number: int, target: str, laws: Mapping[str, str], options: FitOptions
) -> Task:
    fitted = tuple(dict.fromkeys(laws[name] for name in laws if name not in REGRESSORS))
    fit = target_task(split.train, target, fitted, options)
    parts = (_part(split.train, target), *(_part(held.runs, target) for held in split.tests))
    return Task(fit, laws, number, parts)


def _run(task: Task) -> dict[str, Result]:
    """Fit what a task asks for, and predict its parts; apart from the rows held out."""
    fitted = {}
    for outcome in fit_target(task.fit):
        law = outcome.fit.form
        # A law may overflow far from the rows fitted; that is counted as nonsense, by the caller.
        with np.errstate(over="ignore", invalid="ignore"):
            predicted = tuple(outcome.fit.predict(p.N, p.D, p.h) for p in task.parts)
        fitted[outcome.law] = Result(
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


def _regress(name: str, task: Task) -> Result:
    import time

    fit, begin = task.fit, time.perf_counter()
    sample = Sample(fit.N, fit.D, fit.mixtures[fit.mixture], fit.mixture, fit.loss)
    seeds = [fit.options.seed, zlib.crc32(fit.target.encode()), zlib.crc32(name.encode())]
    try:
        fitted = REGRESSORS[name](sample, np.random.default_rng([*seeds, task.split]))
    except NotApplicableError as error:
        nothing = tuple(np.full(len(part.loss), np.nan) for part in task.parts)
        return Result(nothing, None, 0.0, str(error), failed=True)
    predicted = tuple(fitted.predict(p.N, p.D, p.h) for p in task.parts)
    return Result(predicted, fitted.parameters, time.perf_counter() - begin, CONVERGED)
