"""Designs to files: all that is known of one as YAML, and a file for each run."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixfit.base.errors import InputError
from mixfit.base.files import write_text
from mixfit.base.plain import to_document, without_targets
from mixfit.design.region import decimals_of
from mixfit.mixture.blend import Blend
from mixfit.mixture.exports import export

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mixfit.design.result import Design, PlannedRun

DESIGN_SCHEMA = "mixfit.design/1"
_ENDINGS = {"megatron": "txt", "csv": "csv"}


def design_to_plain(design: Design) -> dict[str, Any]:
    """Give all that is known of a design as plain data, as it stands in its file."""
    content: dict[str, Any] = {
        "kind": design.kind,
        "seed": design.seed,
        "grid": design.grid,
        "domains": list(design.domains),
        "targets": list(design.targets),
        "constraints": list(design.asked),
        "tokens": design.tokens,
        "existing": len(design.existing),
        "mixtures": [
            {"origin": origin, "weights": dict(zip(design.domains, weights, strict=True))}
            for origin, weights in zip(design.origins, _weights(design), strict=True)
        ],
        "runs": [
            {
                "run": run.name,
                "mixture": run.mixture,
                "replicate": run.replicate,
                "model_size": run.model_size,
                "tokens": run.tokens,
            }
            for run in design.runs
        ],
        "cost": [
            {"model_size": size, "runs": runs, "flops": _digits(flops)}
            for size, (runs, flops) in design.cost.items()
        ],
    }
    if design.available is not None:
        content["available"] = {
            domain: {
                "unique": own.unique,
                "keep": {f"{D:.9g}": round(kept) for D, kept in own.keep.items()},
            }
            for domain, own in design.available.items()
        }
    if design.quality is not None:
        quality = design.quality
        content["quality"] = {
            "this": _rounded(asdict(quality.figures)),
            "random": _rounded(asdict(quality.random)),
            "laws": [asdict(law) for law in quality.laws],
            "errors": quality.errors and dict(zip(("low", "high"), quality.errors, strict=True)),
            "coverage": {
                domain: {
                    name: _digits(value) if isinstance(value, float) else value
                    for name, value in asdict(own).items()
                }
                for domain, own in quality.coverage.items()
            },
        }
    if design.alarm is not None:
        content["alarm"] = {
            "level": design.alarm.level,
            "loss": _digits(design.alarm.loss),
            "standard_error": _digits(design.alarm.standard_error),
            "weights": {d: round(share, 6) for d, share in design.alarm.weights.items()},
        }
    content["notes"] = without_targets(design.notes)
    return to_document(DESIGN_SCHEMA, content)


def _weights(design: Design) -> list[list[float]]:
    return [[float(share) for share in h] for h in design.mixtures]


def _digits(value: float) -> float:
    return float(f"{value:.6g}")


def _rounded(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: _digits(x) if isfinite(x) else None for name, x in figures.items()}


def write_each_run(
    design: Design, folder: str | Path, form: str, prefixes: Mapping[str, str]
) -> list[str]:
    """Write the mixture of every run to a file of its own, named after the run.

    Args:
        design: the runs.
        folder: to write to; it is made if its parent is there.
        form: one of `mixfit.mixture.exports.FORMATS`.
        prefixes: as for `mixfit.mixture.exports.export`.

    Returns:
        The files.

    Raises:
        InputError: a file or the folder cannot be written.
        UsageError: a prefix is missing.
    """
    texts = {run.name: export([_blend(design, run)], form, prefixes) for run in design.runs}
    try:
        Path(folder).mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror or error}). Choose another folder."
        ) from None
    ending = _ENDINGS.get(form, "json")
    files = []
    for name, text in texts.items():
        files.append(str(Path(folder) / f"{name}.{ending}"))
        write_text(files[-1], text)
    return files


def _blend(design: Design, run: PlannedRun) -> Blend:
    """Give what a run is trained on, with passes over what is kept for it."""
    kept = {
        domain: own.keep[run.tokens]
        for domain, own in (design.available or {}).items()
        if run.tokens is not None
    }
    return Blend(
        design.domains,
        design.mixtures[run.mixture],
        run.model_size,
        run.tokens,
        kept,
        decimals_of(design.grid),
    )
