"""The sheet of runs to be trained: a table that ``mixfit fit`` reads once losses are filled in."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from mixfit.base.errors import InputError, MixfitError, UsageError, parameter
from mixfit.design.region import decimals_of
from mixfit.runs.columns import ColumnOptions, choose_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixfit.design.result import Design, PlannedRun


def check_names(domains: Sequence[str], targets: Sequence[str]) -> None:
    """Refuse names whose sheet could not be read back.

    Raises:
        UsageError: a domain or a target has such a name, or stands twice.
    """
    header = _header(domains, targets, with_tokens=True, with_passes=True)
    wanted = {domain: f"weight_{domain}" for domain in domains}
    losses = {target: f"loss_{target}" for target in targets}
    try:
        found = choose_columns("the sheet", header, ColumnOptions())
    except MixfitError:
        found = None
    if len(set(header)) < len(header) or found is None or found.weights != wanted:
        found = None
    if found is None or found.targets != losses:
        raise UsageError(
            f"{parameter('domains')}, {parameter('targets')}: a sheet with these names could not "
            "be read back, as columns are found by weight_* and by loss_* or *_loss. Rename those "
            "that have 'loss' in them, or that stand twice."
        )


def _header(
    domains: Sequence[str], targets: Sequence[str], *, with_tokens: bool, with_passes: bool
) -> list[str]:
    header = ["run", "replicate", "model_size", "n_tokens"]
    header += [f"weight_{domain}" for domain in domains]
    header += [f"tokens_{domain}" for domain in domains] if with_tokens else []
    header += [f"passes_{domain}" for domain in domains] if with_passes else []
    header += [f"unique_{domain}" for domain in domains] if with_passes else []
    return header + [f"loss_{target}" for target in targets]


def sheet_rows(design: Design) -> list[list[str]]:
    """Give the header and the rows of the sheet as text.

    Columns: ``run``, ``replicate``, ``model_size``, ``n_tokens`` and ``weight_*``; where the number
    of tokens is known ``tokens_*``, those of each domain; where it is known what there is,
    ``passes_*`` over it in the training that the mixture is for, and ``unique_*``, the tokens to
    keep of it for the run to make as many; and ``loss_*``, empty.
    """
    known = all(run.tokens is not None for run in design.runs)
    passes = design.available is not None
    rows = [_header(design.domains, design.targets, with_tokens=known, with_passes=passes)]
    return rows + [_row(design, run) for run in design.runs]


def _row(design: Design, run: PlannedRun) -> list[str]:
    decimals = decimals_of(design.grid)
    steps = design.steps[run.mixture]
    shares = steps / design.grid
    row = [run.name, str(run.replicate), _count(run.model_size), _count(run.tokens)]
    row += [_exact(int(step), design.grid, decimals) for step in steps]
    if all(other.tokens is not None for other in design.runs):
        row += [f"{share * (run.tokens or 0.0):.0f}" for share in shares]
    if design.available is not None:
        assert design.tokens is not None
        there = [design.available.get(domain) for domain in design.domains]
        row += [
            "" if own is None or own.unique == 0 else f"{share * design.tokens / own.unique:.4g}"
            for share, own in zip(shares, there, strict=True)
        ]
        row += [
            "" if own is None or run.tokens is None else f"{own.keep[run.tokens]:.0f}"
            for own in there
        ]
    return row + [""] * len(design.targets)


def _exact(steps: int, grid: int, decimals: int) -> str:
    """Write steps/grid with all its decimals, by whole numbers."""
    digits = f"{steps * (10**decimals // grid):0{decimals + 1}d}"
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def _count(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.0f}" if float(number).is_integer() else repr(float(number))


def render_sheet(design: Design) -> str:
    """Write the sheet as CSV."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(sheet_rows(design))
    return stream.getvalue()


def check_blank_losses(path: str) -> None:
    """Refuse to write a sheet over a file that may have losses in it.

    Raises:
        InputError: the file is there and is no empty sheet.
    """
    from pathlib import Path

    if path == "-" or not Path(path).exists():
        return
    try:
        rows = list(csv.DictReader(io.StringIO(Path(path).read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error):
        rows = [{"loss_": "unreadable"}]
    filled = any(
        value not in (None, "")
        for row in rows
        for name, value in row.items()
        if name is None or name.startswith("loss_") or name.endswith("_loss")
    )
    if filled:
        raise InputError(
            f"{path}: this file has losses in it, and would be overwritten. Choose another."
        )
