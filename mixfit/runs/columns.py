"""Which column of a table is what: globs and naming conventions to `Columns`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mixfit.base.errors import InputError, UsageError, nearest, parameter
from mixfit.base.numbers import find_number
from mixfit.base.plain import Omitted  # noqa: TC001, the fit file reads it by its type
from mixfit.runs.globs import (
    WEIGHT,
    by_name,
    domain_of,
    matching,
    split_globs,
    target_by,
    target_of,
    unmatched,
    usual_targets,
)
from mixfit.runs.join import JOINED
from mixfit.runs.phases import explain_phases
from mixfit.runs.presets import MODEL_SIZE, TOKENS, apply_preset, find_preset
from mixfit.runs.tables import list_names
from mixfit.runs.transforms import TRANSFORMS, transforms_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.runs.globs import Globs
    from mixfit.runs.presets import Preset

_SCALED = re.compile(r"(.+?)\s*\*\s*([^*]+)")


@dataclass(frozen=True)
class Columns:
    """What was read as what.

    Attributes:
        model_size: the column of N, or one number of parameters that holds for every row.
        tokens: the column of D, or one number of tokens that holds for every row.
        weights: domain to column, in the order of the domains.
        targets: target to its column, or to several that are averaged, in the order of the targets.
        units: ``model_size`` or ``tokens`` to what its column is counted in, if not in ones.
        transforms: target to what made losses of its values, a name in
            `mixfit.runs.transforms.TRANSFORMS`; None where all are losses.
    """

    model_size: str | float
    tokens: str | float
    weights: dict[str, str]
    targets: dict[str, str | tuple[str, ...]]
    units: Omitted[dict[str, float]] = None
    transforms: Omitted[dict[str, str]] = None

    def __post_init__(self) -> None:
        """Refuse what no table can have been read as; it may come from a file."""
        for which, unit in (self.units or {}).items():
            if which not in ("model_size", "tokens") or not 0 < unit < float("inf"):
                raise UsageError(f"units: {which} cannot be counted in {unit:g}.")
        for target, columns in self.targets.items():
            if not columns:
                raise UsageError(f"targets: {target} has no column.")
        for target, transform in (self.transforms or {}).items():
            if target not in self.targets:
                hint = nearest(target, self.targets)
                raise UsageError(f"transforms: there is no target '{target}'.{hint}")
            if transform not in TRANSFORMS:
                hint = nearest(transform, TRANSFORMS)
                raise UsageError(f"transforms: {target} has '{transform}', which is none.{hint}")

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns to read of which every row needs a number: sizes and weights."""
        sizes = [name for name in (self.model_size, self.tokens) if isinstance(name, str)]
        return tuple(dict.fromkeys([*sizes, *self.weights.values()]))

    @property
    def used(self) -> tuple[str, ...]:
        """The columns to read, each once."""
        losses = [column for target in self.targets for column in self.of_target(target)]
        return tuple(dict.fromkeys([*self.needed, *losses]))

    def of_target(self, target: str) -> tuple[str, ...]:
        """Give the columns of a target: one, or those that are averaged."""
        column = self.targets[target]
        return (column,) if isinstance(column, str) else column

    def named(self, target: str) -> str:
        """Say in words where a target's losses come from."""
        columns = self.of_target(target)
        name = f"column {columns[0]}"
        if not isinstance(self.targets[target], str):
            name = f"the average of columns {list_names(columns, most=3)}"
        transform = (self.transforms or {}).get(target)
        return name if transform is None else f"{name} as {transform}"


@dataclass(frozen=True)
class ColumnOptions:
    """What a user says of the columns; see `mixfit.read_runs` for each."""

    weights: Globs | None = None
    targets: Globs | None = None
    model_size: str | float | None = None
    tokens: str | float | None = None
    target_groups: Mapping[str, Globs] | None = None
    transform: Mapping[str, str] | None = None
    preset: str | None = None
    like: Columns | None = None

    @property
    def layout(self) -> Preset | None:
        """The preset.

        Raises:
            UsageError: there is no such layout.
        """
        return find_preset(self.preset)


def choose_columns(
    table: str, names: Sequence[str], options: ColumnOptions, joined: Sequence[str] = ()
) -> Columns:
    """Tell which columns of a table are weights, losses, N and D.

    What no option says is as in `ColumnOptions.like` where the table has such columns, and else as
    columns are mostly called.

    Args:
        table: what messages call the table.
        names: the names of its columns.
        options: what the user says.
        joined: those of the columns that come from a file that was joined.

    Raises:
        InputError: the table lacks a column that is needed, or has two for one purpose.
        UsageError: an option matches no column, or a column that serves another purpose.
    """
    names = [name for name in names if name]
    size, unit_of_size = _size(table, names, options, "model_size")
    tokens, unit_of_tokens = _size(table, names, options, "tokens")
    units = {"model_size": unit_of_size, "tokens": unit_of_tokens}
    targets = _targets(table, names, options, joined)
    columns = Columns(
        size,
        tokens,
        choose_weights(table, names, options, joined),
        targets,
        {name: unit for name, unit in units.items() if unit is not None} or None,
        transforms_of(options.transform, targets) or None,
    )
    like = options.like
    if options.transform is None and like is not None and like.transforms:
        kept = {t: x for t, x in like.transforms.items() if t in targets}
        columns = replace(columns, transforms=kept or None)
    _refuse_two_purposes(table, columns)
    return columns


def read_as(options: ColumnOptions, column: str) -> bool:
    """Tell whether a column of some name would be read as a weight or a loss."""
    preset = options.layout
    if preset is not None and not preset.apart:
        patterns = (preset.weights, preset.targets)
        if any(apply_preset(preset, pattern, [column]) for pattern in patterns):
            return True
    globs = [*split_globs(options.weights or [WEIGHT + "*"], parameter("weights"))]
    globs += split_globs(options.targets or ["loss_*", "*_loss"], parameter("targets"))
    return any(fnmatchcase(column, glob) for glob in globs)


def choose_weights(
    table: str, names: Sequence[str], options: ColumnOptions, joined: Sequence[str] = ()
) -> dict[str, str]:
    """Give domain to weight column; see `choose_columns`."""
    option, preset, like = options.weights, options.layout, options.like
    name = parameter("weights")
    domains: dict[str, str] = {}
    if option is None and preset is not None:
        domains = apply_preset(preset, preset.weights, _side(table, names, options, joined))
    elif option is None and like is not None and set(like.weights.values()) <= set(names):
        return like.weights
    else:
        for glob in split_globs(option, name, [WEIGHT + "*"]):
            matched = matching(glob, names)
            if not matched and option is not None:
                raise unmatched(table, names, name, glob)
            for column in matched:
                domains.setdefault(column, domain_of(column, glob))
    phases = explain_phases(list(domains) or names)
    if phases is not None:
        raise InputError(f"{table}: {phases}. Or choose other columns with {name}.")
    if len(domains) > 1:
        return by_name(table, domains, "domain", name)
    if domains:
        raise InputError(
            f"{table}: only one weight column, {next(iter(domains))}; a mixture has two or more "
            f"domains. Name the others with {name}. The columns are {list_names(names)}."
        )
    usual = "weight_*" if preset is None else f"as the layout {preset.name} has them"
    raise InputError(
        f"{table}: no weight column ({usual}). Name the columns of the mixture's weights with "
        f"{name}, as in {name} 'train_*'. The columns are {list_names(names)}."
    )


def _targets(
    table: str, names: Sequence[str], options: ColumnOptions, joined: Sequence[str]
) -> dict[str, str | tuple[str, ...]]:
    option, preset, like = options.targets, options.layout, options.like
    name = parameter("targets")
    usual = usual_targets(names)
    if preset is not None:
        usual = apply_preset(preset, preset.targets, _other_side(table, names, options, joined))
    groups = _groups(table, names, options, usual)
    members = {column for columns in groups.values() for column in columns}
    chosen: dict[str, str] = {}
    if option is None and like is not None and preset is None and not groups:
        kept = {t: c for t, c in like.targets.items() if set(like.of_target(t)) <= set(names)}
        if kept:
            return kept
    if option is None:  # what is averaged is not fitted alone too, unless that is asked for
        chosen = {column: target for column, target in usual.items() if column not in members}
    for glob in split_globs(option, name):
        matched = _matching_losses(glob, names, usual, preset)
        if not matched:
            raise unmatched(table, [*names, *usual.values()], name, glob)
        for column, target in matched.items():
            chosen.setdefault(column, target)
    if not chosen and not groups:
        what = "loss_* or *_loss" if preset is None else f"as the layout {preset.name} has them"
        raise InputError(
            f"{table}: no loss column ({what}). Name the columns of the losses with "
            f"{name}, as in {name} 'val_*'. The columns are {list_names(names)}."
        )
    targets: dict[str, str | tuple[str, ...]] = {**by_name(table, chosen, "target", name)}
    for group, columns in groups.items():
        if group in targets:
            raise UsageError(
                f"{parameter('target_groups')} {group}: {table} has a target of this name, column "
                f"{targets[group]}. Give the group another name."
            )
        targets[group] = columns
    return targets


def _groups(
    table: str, names: Sequence[str], options: ColumnOptions, usual: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Give the targets that are averages of columns, each with these columns."""
    name, preset = parameter("target_groups"), options.layout
    groups = {}
    for group, globs in (options.target_groups or {}).items():
        columns: dict[str, str] = {}
        for glob in split_globs(globs, f"{name} {group}"):
            matched = _matching_losses(glob, names, usual, preset)
            if not matched:
                raise unmatched(table, [*names, *usual.values()], f"{name} {group}=", glob)
            columns |= matched
        groups[group] = tuple(columns)
    return groups


def _side(
    table: str, names: Sequence[str], options: ColumnOptions, joined: Sequence[str]
) -> list[str]:
    """Give the columns that may be weights in a layout that tells them by their file alone."""
    preset = options.layout
    if preset is None or not preset.apart:
        return list(names)
    if not joined:
        raise UsageError(
            f"{parameter('preset')} {preset.name}: {table} is one of two files, the weights and "
            f"the metrics. Give the weights first, and the metrics with {parameter('join')}."
        )
    sizes = {*preset.model_size, *preset.tokens, options.model_size, options.tokens}
    return [n for n in names if n not in joined and n not in sizes and n not in preset.keys]


def _other_side(
    table: str, names: Sequence[str], options: ColumnOptions, joined: Sequence[str]
) -> list[str]:
    """Likewise for those that may be losses."""
    preset = options.layout
    if preset is None or not preset.apart:
        return list(names)
    _side(table, names, options, joined)
    sizes = {*preset.model_size, *preset.tokens, options.model_size, options.tokens}
    return [n for n in names if n in joined and n.removeprefix(JOINED) not in sizes]


def _matching_losses(
    glob: str, names: Sequence[str], usual: Mapping[str, str], preset: Preset | None
) -> dict[str, str]:
    """Give the targets that a glob means, each column with its target.

    Args:
        glob: over columns or targets.
        names: of the columns.
        usual: those that are called as losses are, each with its target.
        preset: the layout that `usual` names targets by, if it does.
    """
    if glob in names:
        return {glob: usual.get(glob, target_of(glob))}
    by_target = [column for column, target in usual.items() if fnmatchcase(target, glob)]
    # 'w*' means the loss of wikipedia, and not the weights, where there is such a loss.
    matched = [column for column in usual if column in by_target or fnmatchcase(column, glob)]
    return {
        column: usual[column]
        if column in by_target or (preset is not None and column in usual)
        else target_by(column, glob)
        for column in matched or matching(glob, names)
    }


def _size(
    table: str, names: Sequence[str], options: ColumnOptions, which: str
) -> tuple[str | float, float | None]:
    """Give the column of N or D, or one number, and the unit of the column if it is not one."""
    option: str | float | None = getattr(options, which)
    preset, like, name = options.layout, options.like, parameter(which)
    what = "model size" if which == "model_size" else "tokens"
    usual: tuple[str, ...] = MODEL_SIZE if which == "model_size" else TOKENS
    if preset is not None:
        usual = preset.model_size if which == "model_size" else preset.tokens
    if option is not None:
        return _size_given(table, names, option, what, name)
    liked = None if like is None else getattr(like, which)
    if isinstance(liked, str) and liked in names:
        return liked, ((like and like.units) or {}).get(which)
    present = [column for column in usual if column in names]
    if len(present) == 1:
        return present[0], None
    if present:
        raise InputError(
            f"{table}: columns {' and '.join(present)} may both be the {what}. "
            f"Choose one, as in {name} {present[0]}."
        )
    if isinstance(liked, float):
        return liked, None
    if preset is not None and preset.sizes is not None:
        return preset.sizes[which == "tokens"], None
    raise InputError(
        f"{table}: no column for the {what} ({list_names(usual, most=4)}). Name it with {name}, or "
        f"give one number that holds for every row, as in {name} 1e9. "
        f"The columns are {list_names(names)}."
    )


def _size_given(
    table: str, names: Sequence[str], option: str | float, what: str, name: str
) -> tuple[str | float, float | None]:
    if isinstance(option, str):
        if option in names:
            return option, None
        scaled = _SCALED.fullmatch(option)
        unit = None if scaled is None else find_number(scaled.group(2))
        if scaled is not None and unit is not None and scaled.group(1) in names and unit > 0:
            return scaled.group(1), unit
        value = find_number(option)
        if value is None:
            raise UsageError(
                f"{name} {option}: {table} has no such column, and it is not a number "
                f"like 1e9 or 7B.{nearest(option, names)} The columns are {list_names(names)}."
            )
    else:
        value = float(option)
    if not 0 < value < float("inf"):
        raise UsageError(f"{name} {option}: the {what} must be a number above 0, such as 1e9.")
    return value, None


def _refuse_two_purposes(table: str, columns: Columns) -> None:
    purposes = [(columns.model_size, "the model size", parameter("model_size"))]
    purposes += [(columns.tokens, "the tokens", parameter("tokens"))]
    purposes += [(column, "a weight", parameter("weights")) for column in columns.weights.values()]
    losses = {column for target in columns.targets for column in columns.of_target(target)}
    # In the order of the targets, each once: one may be averaged and fitted alone too.
    purposes += [(c, "a target", parameter("targets")) for c in columns.used if c in losses]
    seen: dict[str, tuple[str, str]] = {}
    for column, what, name in purposes:
        if not isinstance(column, str):
            continue
        if column in seen:
            other, other_name = seen[column]
            raise UsageError(
                f"{table}: column {column} is read as {other} and as {what}. Choose the columns "
                f"with {other_name} and {name} so that each has one purpose."
            )
        seen[column] = what, name
