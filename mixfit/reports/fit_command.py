"""The command that makes a fit again, as far as the fit tells."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mixfit.fitting.options import FitOptions
from mixfit.laws.pooled import AUTO, DOMAINS
from mixfit.runs.presets import MODEL_SIZE, TOKENS
from mixfit.runs.units import suspect

if TYPE_CHECKING:
    from mixfit.fitting.result import Fit
    from mixfit.runs.columns import Columns


def fit_command(fit: Fit, path: str) -> str:
    """Give the command that makes a fit, as far as the fit tells.

    Args:
        fit: the fit.
        path: of its file.
    """
    data, options = fit.data, fit.options
    words = ["mixfit", "fit", *dict.fromkeys(file.path for file in data.files)]
    if not data.files:
        words.append("RUNS")
    words += ["--law", _law(fit)]
    for condition in data.where:
        words += ["--where", condition]
    words += _columns(data.columns)
    N, D = data.model_size, data.tokens
    words += ["--allow-units"] * suspect((N.min, N.max), (D.min, D.max))
    if data.joined is not None:
        words += [w for file in data.joined.files for w in ("--join", file.path)]
        words += ["--on", data.joined.key]
    if fit.resamples is not None:
        words += ["--resamples", str(len(fit.resamples))]
    words += [word for key, text in fit.record.items() for word in ("--note", f"{key}={text}")]
    usual = FitOptions()
    for name in ("delta", "solver", "restarts", "hops", "discrepancy", "treatment", "seed"):
        value = getattr(options, name)
        if value != getattr(usual, name):
            words += [f"--{name}", f"{value:.17g}" if isinstance(value, float) else str(value)]
    return " ".join(shlex.quote(word) for word in (*words, "-o", path))


def _law(fit: Fit) -> str:
    """Name the law as it was asked for: where strengths were chosen, without them.

    One that was chosen before rows were left out would be chosen by other rows now.
    """
    if fit.selection is not None and fit.trim is None:
        return AUTO
    if fit.pool_path is None:
        return str(fit.law)
    alone = fit.pool_path.targets is None and len(fit.targets) > 1
    return f"{fit.law.law.name}:{DOMAINS}" if alone else fit.law.law.name


def _columns(columns: Columns) -> list[str]:
    """Give the options that name the losses, and other columns that are not found without them."""
    words = []
    for name, option, column, found in (
        ("model_size", "--model-size", columns.model_size, MODEL_SIZE),
        ("tokens", "--tokens", columns.tokens, TOKENS),
    ):
        unit = (columns.units or {}).get(name)
        if not isinstance(column, str):
            words += ["--set", f"{found[0]}={column:.17g}"]
        elif unit is not None:
            words += [option, f"{column}*{unit:.17g}"]
        elif column not in found:
            words += [option, column]
    weights = columns.weights.values()
    if not all(column.startswith("weight_") for column in weights):
        words += [word for column in weights for word in ("--weights", column)]
    # The table may have other losses, which the fit does not tell of.
    single = [column for column in columns.targets.values() if isinstance(column, str)]
    words += [word for column in single for word in ("--targets", column)]
    for target, averaged in columns.targets.items():
        if not isinstance(averaged, str):
            words += ["--target-group", f"{target}={','.join(averaged)}"]
    for target, how in (columns.transforms or {}).items():
        words += ["--transform", f"{target}={how}"]
    return words
