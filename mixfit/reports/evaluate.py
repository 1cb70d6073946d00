"""An evaluation for people, laid out as the paper's Tables 2 and 8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixfit.base.numbers import distinct, fixed, short
from mixfit.evaluation.decision import OBJECTIVE
from mixfit.evaluation.evaluate import ALL_SIZES
from mixfit.reports.report import Grid, Remark, Report, remarks_of
from mixfit.runs.transforms import titled

if TYPE_CHECKING:
    from mixfit.evaluation.evaluate import Evaluation, Score


def report_evaluation(evaluation: Evaluation, title: str = "") -> Report:
    """Report on an evaluation under a title, which may be empty."""
    first_line = (title, "") if title else ()
    blocks = (*first_line, _scores(evaluation), "", *_coverage(evaluation), *_pick(evaluation))
    return Report(blocks, remarks_of(evaluation.notes))


def _coverage(evaluation: Evaluation) -> tuple[str, ...]:
    """Say which share of the losses their intervals hold, by model size."""
    known = {size: score.inside for size, score in evaluation.average.items()}
    if known[ALL_SIZES] is None:
        return ()
    text = f"inside the 90% intervals: {known[ALL_SIZES]:.0f}% of the losses"
    by_size = [
        f"{share:.0f}% at {short(size)}"
        for size, share in known.items()
        if size is not ALL_SIZES and share is not None
    ]
    return (f"{text} ({', '.join(by_size)})" if len(by_size) > 1 else text, "")


def _pick(evaluation: Evaluation) -> tuple[str, ...]:
    """Say what is lost by taking the mixture that the fit puts first."""
    own = evaluation.decisions.get(OBJECTIVE)
    if own is None:
        return ()
    lost = "none within the noise of runs" if own.within_noise else f"{fixed(own.regret)}%"
    text = (
        f"its pick of {own.mixtures} mixtures: regret {lost}, optimism"
        f" {fixed(own.optimism, sign=True)}%"
    )
    return (text, "")


def _scores(evaluation: Evaluation) -> Grid:
    sizes = evaluation.model_sizes
    one = len(sizes) == 1
    headers = ["target", "rows", *(f"{label}\nMRE %" for label in distinct(sizes))]
    headers += [] if one else ["all\nMRE %"]
    headers += ["bias\n%", "rank"]
    with_intervals = evaluation.average[ALL_SIZES].inside is not None
    headers += ["inside\n90% %"] if with_intervals else []

    def cells(name: str, rows: str, scores: dict[float | None, Score]) -> tuple[str, ...]:
        overall = scores[ALL_SIZES]
        by_size = [fixed(scores[size].mre) if size in scores else "" for size in sizes]
        by_size += [] if one else [fixed(overall.mre)]
        own = name, rows, *by_size, fixed(overall.bias, sign=True), fixed(overall.rank)
        if not with_intervals:
            return own
        return *own, "" if overall.inside is None else fixed(overall.inside, 0)

    rows = []
    for target in evaluation.targets:
        scores = {size: s for (name, size), s in evaluation.scores.items() if name == target}
        name = titled(target, evaluation.transforms)
        rows.append(cells(name, f"{scores[ALL_SIZES].rows:,}", scores))
    average = cells("average", "", evaluation.average)
    return Grid(tuple(headers), tuple(rows), average if len(rows) > 1 else (), spare=(1,))


def gate(evaluation: Evaluation, limit: float) -> Remark:
    """Say whether every target's error is within a limit in percent."""
    over = [
        f"{target} {fixed(evaluation.scores[target, ALL_SIZES].mre, 3)}%"
        for target in evaluation.targets_over(limit)
    ]
    if over:
        return Remark("FAIL", f"over {limit:g}%: {', '.join(over)}")
    return Remark("ok", f"every target's MRE is within {limit:g}%")
