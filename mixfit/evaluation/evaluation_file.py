"""Evaluations as plain data, as they stand in an eval file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixfit.base.files import file_sha256
from mixfit.base.plain import Key, to_document, to_plain, without_targets

if TYPE_CHECKING:
    from mixfit.evaluation.evaluate import Evaluation, Score
    from mixfit.runs.runs import Runs

EVAL_SCHEMA = "mixfit.eval/1"


def evaluation_to_plain(
    evaluation: Evaluation, fit_path: str, runs: Runs, max_mre: float | None
) -> dict[str, Any]:
    """Give an evaluation as plain data.

    Args:
        evaluation: the evaluation.
        fit_path: of the fit file that predicted.
        runs: that were predicted.
        max_mre: the limit in percent that was asked for, if any.
    """
    content: dict[str, Any] = {
        "fit": {"path": fit_path, "sha256": file_sha256(fit_path)},
        "data": runs.origin,
        "notes": without_targets(evaluation.notes),
        "rows": score_rows(evaluation),
    }
    if max_mre is not None:
        content["max_mre"] = {"limit": max_mre, "over": evaluation.targets_over(max_mre)}
    return to_document(EVAL_SCHEMA, content)


def score_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Give the rows of an eval file: the scores by target and model size."""

    def row(target: str, size: float | None, score: Score) -> dict[str, Any]:
        place = {"target": target, "model_size": "all" if size is None else size}
        return dict(to_plain({**place, **vars(score)}, Key(blank=True)))

    return [
        *(row(target, size, score) for (target, size), score in evaluation.scores.items()),
        *(row("average", size, score) for size, score in evaluation.average.items()),
    ]
