"""Tables to runs: their columns chosen, their rows filtered, their cells made numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, MixfitError, Note, UsageError, parameter
from mixfit.base.numbers import short
from mixfit.runs.checks import Values, check_weights
from mixfit.runs.columns import ColumnOptions, Columns, choose_columns, choose_weights, read_as
from mixfit.runs.conditions import parse_conditions
from mixfit.runs.findings import Finding, Place, refuse
from mixfit.runs.identity import group_mixtures
from mixfit.runs.join import JoinedTable, join_tables, propose_join
from mixfit.runs.presets import MODEL_SIZE, TOKENS, like_preset
from mixfit.runs.rows import Kept, read_rows
from mixfit.runs.runs import JoinedFiles, Runs, SourceFile
from mixfit.runs.sources import open_tables
from mixfit.runs.tables import list_names
from mixfit.runs.transforms import to_loss
from mixfit.runs.units import unit_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.runs.conditions import Condition
    from mixfit.runs.globs import Globs
    from mixfit.runs.sources import Sources
    from mixfit.runs.tables import Table


_OF_FIT = "those of the fit, "


def read_runs(
    sources: Sources,
    *,
    weights: Globs | None = None,
    targets: Globs | None = None,
    model_size: str | float | None = None,
    tokens: str | float | None = None,
    where: str | Iterable[str] = (),
    domains: Sequence[str] | None = None,
    join: Sources | None = None,
    on: str | None = None,
    preset: str | None = None,
    target_groups: Mapping[str, Globs] | None = None,
    transform: Mapping[str, str] | None = None,
    like: Columns | None = None,
    allow_unmatched: bool = False,
    allow_units: bool = False,
) -> Runs:
    """Read and check training runs.

    Only the columns needed are read, and of Parquet files only the rows kept stay in memory.

    Args:
        sources: a file (CSV with commas, semicolons or tabs, JSON Lines, or Parquet, told by its
            content), a directory of such files, a glob, several of these, or a pandas data frame.
            Rows of several files follow each other.
        weights: globs over the names of the weight columns; left out, ``weight_*``.
        targets: globs over the names of the loss columns or of the targets; left out, ``loss_*``
            and ``*_loss``.
        model_size: the column of N, or a number of parameters that holds for every row, such as
            ``7B``; left out, the one of `mixfit.runs.columns.MODEL_SIZE` that there is. A column
            in another unit is ``params*1M``.
        tokens: the column of D, or a number of tokens; left out, the one of
            `mixfit.runs.columns.TOKENS` that there is. Likewise ``tokens*1B``.
        where: conditions ``COLUMN OP VALUE[,COLUMN OP VALUE...]`` that rows must meet, all of
            them. Other rows are not looked at, whatever they hold.
        domains: the domains of an existing fit, which must be those of the table; they set the
            order of the weights.
        join: files whose columns are joined to those of `sources`, row by row, by a key. Their
            columns of a name that `sources` have too are called ``join:NAME``.
        on: the column that is the key; left out, the only one that both have.
        preset: the layout of another tool, a name in `mixfit.runs.presets.PRESETS`, for what the
            other arguments do not say.
        target_groups: name of a target to globs over the columns that are averaged to it.
        transform: globs over targets to what makes losses of them, a name in
            `mixfit.runs.transforms.TRANSFORMS` such as ``1-x``, for an accuracy.
        like: columns to take for what no argument says, where the table has them.
        allow_unmatched: join although more than a fifth of the rows find no partner.
        allow_units: take N and D that can hardly be parameters and tokens.

    Raises:
        InputError: a file or a value in it cannot be used.
        UsageError: an option cannot be used, or the conditions leave no row.
    """
    reading = Reading(
        weights=weights,
        targets=targets,
        model_size=model_size,
        tokens=tokens,
        where=where,
        domains=domains,
        join=join,
        on=on,
        preset=preset,
        target_groups=target_groups,
        transform=transform,
        like=like,
        allow_unmatched=allow_unmatched,
    )
    read = read_values(sources, reading)
    refuse(read.faults)
    if not allow_units:
        refuse(unit_faults(read.values)[0])
    return Runs.from_values(
        read.values,
        rows_read=read.rows_read,
        files=read.files,
        where=read.where,
        notes=read.notes,
        joined=read.joined,
    )


@dataclass(frozen=True)
class Reading(ColumnOptions):
    """What a user says of how tables are read; see `read_runs` for each."""

    where: str | Iterable[str] = ()
    domains: Sequence[str] | None = None
    join: Sources | None = None
    on: str | None = None
    allow_unmatched: bool = False


@dataclass(frozen=True)
class ReadValues:
    """What stands in tables, in the rows that meet the conditions, not checked yet.

    Attributes:
        values: the numbers.
        faults: cells that are text, which are NaN in `values`.
        unread: (rows,) whether a size or a weight of the row is such a cell.
        rows_read: see `Runs`, as for the others.
        files: in order.
        where: the conditions.
        notes: on how the tables were read.
        joined: the files that were joined.
    """

    values: Values
    faults: tuple[Finding, ...]
    unread: Mask
    rows_read: int
    files: tuple[SourceFile, ...]
    where: tuple[str, ...]
    notes: tuple[Note, ...]
    joined: JoinedFiles | None


def read_values(sources: Sources, reading: Reading) -> ReadValues:
    """Read tables without checking their values.

    Args:
        sources: as for `read_runs`.
        reading: how.

    Raises:
        InputError: a file cannot be used, or its columns cannot be told.
        UsageError: an option cannot be used, or the conditions leave no row.
    """
    conditions = parse_conditions(reading.where)
    opened = _open(sources, reading)
    tables, domains = opened.tables, reading.domains
    chosen = _columns_of_all(tables, reading)
    columns = chosen if domains is None else _in_order(tables[0], chosen, domains)
    kept = [read_rows(table, columns, conditions) for table in tables]
    values = _values(tables, kept, columns, conditions)
    return ReadValues(
        values=values,
        faults=tuple(fault for k in kept for fault in k.faults),
        unread=np.concatenate([k.unread for k in kept]),
        rows_read=sum(k.rows_read for k in kept),
        files=_source_files(tables, opened.counts or [k.rows_read for k in kept]),
        where=tuple(condition.text for condition in conditions),
        notes=(*opened.notes, *_notes(values, tables[0], reading)),
        joined=opened.joined,
    )


@dataclass(frozen=True)
class _Opened:
    """Tables to read, after a join if one is asked for."""

    tables: Sequence[Table]
    notes: Sequence[Note]
    counts: Sequence[int] = ()  # rows of each file before the join
    joined: JoinedFiles | None = None


def _open(sources: Sources, reading: Reading) -> _Opened:
    layout, on = reading.layout, reading.on
    tables, notes = open_tables(sources)
    if reading.join is None:
        if on is not None:
            raise UsageError(
                f"{parameter('on')} {on} says by what to join: give the other file with "
                f"{parameter('join')}."
            )
        return _Opened(tables, notes)
    others, of_others = open_tables(reading.join)
    keys = layout.keys if layout is not None else ()
    joined = join_tables(tables, others, on, usual=keys, allow_unmatched=reading.allow_unmatched)
    return _Opened(
        joined.tables,
        [*notes, *of_others, *joined.notes],
        joined.counts,
        JoinedFiles(joined.key, _source_files(others, joined.other_counts)),
    )


def _source_files(tables: Sequence[Table], counts: Sequence[int]) -> tuple[SourceFile, ...]:
    return tuple(
        SourceFile(table.name, table.sha256, count)
        for table, count in zip(tables, counts, strict=True)
        if table.sha256
    )


def _columns_of_all(tables: Sequence[Table], options: ColumnOptions) -> Columns:
    """Tell which columns are what, the same in all tables."""
    try:
        chosen = [
            choose_columns(
                table.name,
                table.columns,
                options,
                joined=list(table.names) if isinstance(table, JoinedTable) else (),
            )
            for table in tables
        ]
        for table, columns in zip(tables[1:], chosen[1:], strict=True):
            _refuse_other_columns(table, columns, tables[0], chosen[0])
    except MixfitError as error:
        proposal = propose_join(tables, lambda column: read_as(options, column))
        if proposal is not None:
            raise InputError(proposal) from None
        layout = like_preset(tables[0].columns) if options.preset is None else None
        if layout is None or not isinstance(error, InputError):
            raise
        hint = f"If the layout is that of {layout}, give {parameter('preset')} {layout}."
        raise InputError(f"{error.text} {hint}") from None
    return chosen[0]


def read_mixtures(
    sources: Sources,
    domains: Sequence[str],
    *,
    weights: Globs | None = None,
    like: Columns | None = None,
) -> Array:
    """Read the distinct mixtures (m, k) of tables, whatever else is logged in them.

    Args:
        sources: as for `read_runs`.
        domains: which must be those of the tables; they set the order of the weights.
        weights: as for `read_runs`, as is `like`.
        like: whose weight columns are taken where nothing is said, if the table has them.

    Raises:
        InputError: a file or a weight in it cannot be used.
        UsageError: a glob matches no column.
    """
    tables, _ = open_tables(sources)
    options = ColumnOptions(weights, like=like)
    kept = []
    for table in tables:
        found = choose_weights(table.name, [name for name in table.columns if name], options)
        whose = "" if like is None else _OF_FIT
        columns = _in_order(table, Columns(1.0, 1.0, found, {}), domains, whose)
        kept.append(read_rows(table, columns, ()))
    refuse([fault for k in kept for fault in k.faults])
    h = check_weights(_values(tables, kept, columns, ()))
    return h[group_mixtures(h)[1]]


def _notes(values: Values, table: Table, options: ColumnOptions) -> list[Note]:
    """Say what a careful reader should know of how the columns were read."""
    columns, notes, assumed = values.columns, [], []
    for which, usual, symbol in (("model_size", MODEL_SIZE, "N"), ("tokens", TOKENS, "D")):
        number = getattr(columns, which)
        if isinstance(number, str):
            continue
        if getattr(options, which) is not None:
            logged = [column for column in usual if column in table.columns]
            if logged:
                text = f"{symbol} is {short(number)} in every row, as asked for; column "
                notes.append(Note("not-read", f"{text}{logged[0]} is not read"))
        elif options.like is None or getattr(options.like, which) != number:
            assumed.append(f"{symbol} is taken to be {short(number)}")
    if assumed and options.preset is not None:  # nothing else gives a number unasked
        text = (
            f"{' and '.join(assumed)}, as in the runs that the layout {options.preset} is "
            "known for, since the table does not log it. Mixtures found for one N and one D do "
            "not depend on this; give your own with --set"
        )
        notes.append(Note("assumed", text))
    for target, transform in (columns.transforms or {}).items():
        text = f"{transform} is fitted in its place: errors are of that, predictions turned back"
        notes.append(Note("transformed", text, target))
    return notes


def read_domains(source: Sources, weights: Globs | None = None) -> tuple[str, ...]:
    """Read the names of the domains of a table.

    Raises:
        InputError: the table cannot be used.
        UsageError: a glob matches no column.
    """
    table = open_tables(source)[0][0]
    names = [name for name in table.columns if name]
    return tuple(choose_weights(table.name, names, ColumnOptions(weights)))


def _refuse_other_columns(table: Table, columns: Columns, first: Table, wanted: Columns) -> None:
    for lacking, ours, other, theirs in (
        (table, columns, first, wanted),
        (first, wanted, table, columns),
    ):
        for column in theirs.used:
            if column not in ours.used:
                raise InputError(
                    f"{lacking.name}: no column {column}, which {other.name} has. Files that are "
                    "read together need the same columns; choose them with "
                    f"{parameter('weights')}, {parameter('targets')}, {parameter('model_size')} "
                    f"and {parameter('tokens')}."
                )


def _in_order(
    table: Table, columns: Columns, domains: Sequence[str], whose: str = _OF_FIT
) -> Columns:
    missing = [domain for domain in domains if domain not in columns.weights]
    extra = [domain for domain in columns.weights if domain not in domains]
    if missing or extra:
        differences = [f"has no weight for {list_names(missing)}"] if missing else []
        differences += [f"has weights for {list_names(extra)} too"] if extra else []
        raise InputError(
            f"{table.name}: the domains differ from {whose}{list_names(domains)}: the "
            f"table {' and '.join(differences)}. Choose the weight columns with "
            f"{parameter('weights')}."
        )
    return replace(columns, weights={domain: columns.weights[domain] for domain in domains})


def _values(
    tables: Sequence[Table],
    kept: Sequence[Kept],
    columns: Columns,
    conditions: Sequence[Condition],
) -> Values:
    """Put what is kept of several tables together."""
    rows = np.concatenate([k.rows for k in kept])
    if not len(rows):
        raise UsageError(_nothing_left(conditions, np.sum([k.met for k in kept], axis=0)))
    numbers = np.concatenate([k.numbers for k in kept])
    ends = np.cumsum([len(k.rows) for k in kept])
    place = {column: index for index, column in enumerate(columns.used)}

    def row_name(row: int) -> Place:
        table = int(np.searchsorted(ends, row, side="right"))
        before = ends[table - 1] if table else 0
        return tables[table].place(int(kept[table].rows[row - before]))

    def size(which: str) -> Array:
        column = getattr(columns, which)
        if isinstance(column, str):
            return numbers[:, place[column]] * (columns.units or {}).get(which, 1.0)
        return np.full(len(numbers), column)

    def losses(target: str) -> Array:
        # The mean of columns of which one is missing would be a mean of others than elsewhere.
        mean = numbers[:, [place[column] for column in columns.of_target(target)]].mean(axis=1)
        transform = (columns.transforms or {}).get(target)
        return mean if transform is None else to_loss(transform, mean)

    return Values(
        N=size("model_size"),
        D=size("tokens"),
        h=numbers[:, [place[column] for column in columns.weights.values()]],
        losses=np.array([losses(target) for target in columns.targets]).T,
        columns=columns,
        name=list_names([table.name for table in tables], most=2),
        row_name=row_name,
    )


def _nothing_left(conditions: Sequence[Condition], met: Indices) -> str:
    for condition, rows in zip(conditions, met, strict=True):
        if not rows:
            return (
                f"{parameter('where')} '{condition.text}' leaves no row: none has such a "
                f"{condition.column}. Change the condition or leave it out."
            )
    texts = " and ".join(f"'{condition.text}'" for condition in conditions)
    return (
        f"{parameter('where')} {texts} leave no row together, though each leaves some. "
        "Leave one out."
    )
