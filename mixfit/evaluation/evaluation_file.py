"""Evaluations as plain data, as they stand in an eval file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixfit._version import __version__
from mixfit.base.files import file_sha256
from mixfit.base.plain import plain_notes
from mixfit.runs.runs import plain_files

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

    def plain(target: str, size: float | None, score: Score) -> dict[str, Any]:
        numbers = {
            "rows": score.rows,
            "mre": score.mre,
            "bias": score.bias,
            "rank": None if np.isnan(score.rank) else score.rank,
        }
        return {"target": target, "model_size": "all" if size is None else size, **numbers}

    content: dict[str, Any] = {
        "schema": EVAL_SCHEMA,
        "mixfit": __version__,
        "fit": {"path": fit_path, "sha256": file_sha256(fit_path)},
        "data": {"files": plain_files(runs.files), "where": list(runs.where)},
        "notes": plain_notes(evaluation.notes),
        "rows": [plain(target, size, score) for (target, size), score in evaluation.scores.items()]
        + [plain("average", size, score) for size, score in evaluation.average.items()],
    }
    if max_mre is not None:
        content["max_mre"] = {"limit": max_mre, "over": list(evaluation.targets_over(max_mre))}
    return content
