"""The layouts of tables that other tools write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mixfit.base.errors import UsageError, nearest, parameter
from mixfit.runs.join import JOINED

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL_SIZE = ("model_size", "n_params", "params", "N")
TOKENS = ("n_tokens", "tokens", "D")


@dataclass(frozen=True)
class Preset:
    """Which columns of a layout are what.

    Attributes:
        name: for `read_runs`.
        weights: what the names of weight columns match, whole; the last group names the domain.
        targets: likewise, of losses; the last group names the target.
        keys: of rows that belong together in two files, the likeliest first.
        neither: what is found in the names of columns that are neither, whatever else they match.
        apart: whether weights and losses are told apart by the file alone that they stand in.
        model_size: names of the column of N.
        tokens: names of the column of D.
        sizes: N and D of the runs that the layout is known for, where tables of it log none.
    """

    name: str
    weights: re.Pattern[str]
    targets: re.Pattern[str]
    keys: tuple[str, ...] = ()
    neither: re.Pattern[str] | None = None
    apart: bool = False
    model_size: tuple[str, ...] = MODEL_SIZE
    tokens: tuple[str, ...] = TOKENS
    sizes: tuple[float, float] | None = None


# Words for a mixture in the names of options of training runs.
_MIXTURE = r"(?:[\w./]*[./])?(?:weights?|mixtures?|mix|ratios?|proportions?|mixture_weights)"
_COUNTED = ("", "config.", "summary.", "train/", "summary.train/", "throughput/")


def _anywhere(*names: str) -> tuple[str, ...]:
    """Give names as they stand in an export, with what may come before them."""
    return tuple(before + name for name in names for before in _COUNTED)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("paper", re.compile(r"weight_(.+)"), re.compile(r"(.+)_loss")),
        Preset(
            "regmix",
            re.compile(r"train_(?:the_pile_)?(.+)"),
            re.compile(r"metric/(?:the_pile_)?(.+)_val_loss"),
            keys=("index",),
            sizes=(1e6, 1e9),
        ),
        Preset(
            "olmix",
            re.compile(r"(.+)"),
            re.compile(r"(.+)"),
            keys=("run", "run_id"),
            neither=re.compile(r"^(?:join:)?(?:run|run_id|run_name|name|index|Unnamed: \d+)$"),
            apart=True,
            sizes=(30e6, 3e9),
        ),
        Preset(
            "wandb",
            re.compile(rf"config\.{_MIXTURE}[./](.+?)(?:\.value)?|(?:config\.)?weight_(.+)"),
            re.compile(
                r"(?:summary\.)?(?:eval|val|valid|validation)[./](?:loss[./_])?(.+?)(?:[./_](?:ce_)?loss)?"
                r"|summary\.(.+?)[./_]loss"
            ),
            neither=re.compile(
                r"weight_decay|__M(?:IN|AX)$|(?:^|[^a-z])(?:acc|accuracy|ppl|perplexity|f1|em|runtime"
                r"|seconds?|samples|steps?|epochs?)(?:$|[^a-z])"
            ),
            keys=("ID", "id", "run_id", "Name", "name"),
            model_size=_anywhere("model_size", "n_params", "num_params", "params", "N"),
            tokens=_anywhere(
                "n_tokens", "tokens", "num_tokens", "tokens_seen", "total_tokens", "D"
            ),
        ),
    )
}


def find_preset(name: str | None) -> Preset | None:
    """Find the layout of a name, or None for None.

    Raises:
        UsageError: there is no such layout.
    """
    if name is None:
        return None
    if name not in PRESETS:
        raise UsageError(
            f"{parameter('preset')} {name}: there is no such layout.{nearest(name, PRESETS)} "
            f"Layouts: {', '.join(PRESETS)}."
        )
    return PRESETS[name]


def like_preset(names: Sequence[str]) -> str | None:
    """Give the layout that a table with such columns may have, or None.

    Of those that are not what columns are mostly called anyway, and can be told by their names.
    """
    for preset in (PRESETS["regmix"], PRESETS["wandb"]):
        weights = apply_preset(preset, preset.weights, names)
        if len(weights) > 1 and apply_preset(preset, preset.targets, names):
            return preset.name
    return None


def apply_preset(preset: Preset, pattern: re.Pattern[str], names: Sequence[str]) -> dict[str, str]:
    """Give the columns whose names match a pattern of a layout, each with the name in it."""
    chosen = {}
    for column in names:
        named = _named_by(pattern, column)
        if named is not None and not (preset.neither and preset.neither.search(column)):
            chosen[column] = named.removeprefix(JOINED)
    return chosen


def _named_by(pattern: re.Pattern[str], column: str) -> str | None:
    match = pattern.fullmatch(column)
    return None if match is None else next(group for group in match.groups() if group is not None)
