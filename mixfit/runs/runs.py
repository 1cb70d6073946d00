"""Tables of training runs to validated arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, Note, UsageError, nearest
from mixfit.runs.checks import Values, check_values
from mixfit.runs.columns import Columns, choose_columns
from mixfit.runs.conditions import parse_conditions
from mixfit.runs.reading import read_rows
from mixfit.runs.tables import list_names, open_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from mixfit.runs.columns import Globs
    from mixfit.runs.tables import Sources, Table

_SAME_MIXTURE = 1e-6


@dataclass(frozen=True)
class SourceFile:
    """A file that runs were read from.

    Attributes:
        path: as the user gave it; for a directory, the directory and the file in it.
        sha256: of the file's bytes, in hexadecimal.
        rows: the number of rows in the file.
    """

    path: str
    sha256: str
    rows: int


@dataclass(frozen=True, eq=False)
class Runs:
    """Checkpoints of training runs: one row each.

    Attributes:
        N: model sizes (rows,), in parameters.
        D: training lengths (rows,), in tokens.
        h: weights of the domains (rows, k); each row sums to 1.
        losses: (rows, t), NaN where missing; every row has at least one.
        domains: the names of the k domains.
        targets: the names of the t targets.
        files: the files read, in order; none for arrays and data frames.
        columns: which column was read as what.
        where: the conditions that the rows meet, without spaces around their parts.
        rows_read: the number of rows before the conditions.
        notes: what was found and mended.
    """

    N: NDArray[np.float64]
    D: NDArray[np.float64]
    h: NDArray[np.float64]
    losses: NDArray[np.float64]
    domains: tuple[str, ...]
    targets: tuple[str, ...]
    files: tuple[SourceFile, ...]
    columns: Columns
    where: tuple[str, ...]
    rows_read: int
    notes: tuple[Note, ...]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.N)

    @cached_property
    def mixture(self) -> NDArray[np.intp]:
        """The mixture (rows,) of each row: an index into `mixtures`."""
        return self._grouped[0]

    @cached_property
    def mixtures(self) -> NDArray[np.float64]:
        """The distinct mixtures (m, k), in the order of their first rows.

        Weights that are equal to 1e-6 are one mixture, and its first row stands for it.
        """
        return self.h[self._grouped[1]]

    @cached_property
    def _grouped(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return group_mixtures(self.h)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Runs:
        """Take some rows; notes stay, and so do targets that lose all their losses.

        Args:
            rows: a mask (rows,), or the indices of rows.
        """
        return replace(
            self, N=self.N[rows], D=self.D[rows], h=self.h[rows], losses=self.losses[rows]
        )

    def only(self, targets: Sequence[str]) -> Runs:
        """Take the losses of some targets; rows stay, even without a loss.

        Raises:
            UsageError: there is no such target.
        """
        losses = [self.losses_of(target) for target in targets]
        return replace(self, targets=tuple(targets), losses=np.column_stack(losses))

    def losses_of(self, target: str) -> NDArray[np.float64]:
        """Give one target's losses (rows,), NaN where missing.

        Raises:
            UsageError: there is no such target.
        """
        if target not in self.targets:
            raise UsageError(
                f"there is no target '{target}'.{nearest(target, self.targets)} "
                f"The targets are {list_names(self.targets)}."
            )
        return self.losses[:, self.targets.index(target)]

    @classmethod
    def from_arrays(
        cls,
        N: ArrayLike,
        D: ArrayLike,
        h: ArrayLike,
        losses: Mapping[str, ArrayLike],
        domains: Sequence[str],
    ) -> Runs:
        """Make runs of arrays, with the checks that files get.

        >>> runs = Runs.from_arrays([1e8], [2e9], [[0.25, 0.75]], {"c4": [3.1]}, ["web", "code"])
        >>> runs.h
        array([[0.25, 0.75]])

        Args:
            N: model sizes (rows,) in parameters, or one number.
            D: training lengths (rows,) in tokens, or one number.
            h: weights (rows, k).
            losses: target to losses (rows,), NaN where missing.
            domains: the k names of the columns of `h`.

        Raises:
            InputError: shapes do not fit, or a value cannot be used.
        """
        weights = np.array(h, dtype=np.float64)
        if weights.ndim != 2 or not len(weights) or weights.shape[1] != len(domains) or not losses:
            raise InputError(
                f"h has shape {weights.shape} for {len(domains)} domains and {len(losses)} "
                "targets. It needs one row a checkpoint and one column a domain."
            )
        rows = len(weights)
        columns = Columns("N", "D", {d: d for d in domains}, {t: t for t in losses})
        try:
            sizes, tokens, *each = (
                np.array(np.broadcast_to(np.asarray(x, dtype=np.float64), rows))
                for x in (N, D, *losses.values())
            )
        except ValueError as error:
            raise InputError(f"N, D or losses do not fit the {rows} rows of h: {error}.") from None
        values = Values(
            sizes, tokens, weights, np.column_stack(each), columns, "losses", _array_row
        )
        return _make(values, (), (), rows)


def read_runs(
    sources: Sources,
    *,
    weights: Globs | None = None,
    targets: Globs | None = None,
    model_size: str | float | None = None,
    tokens: str | float | None = None,
    where: str | Iterable[str] = (),
    domains: Sequence[str] | None = None,
) -> Runs:
    """Read and check training runs.

    Args:
        sources: a CSV or Parquet file, a directory of Parquet files, several of these, or a
            pandas data frame. Rows of several files follow each other.
        weights: globs over the names of the weight columns; left out, ``weight_*``.
        targets: globs over the names of the loss columns or of the targets; left out, ``loss_*``
            and ``*_loss``.
        model_size: the column of N, or a number of parameters that holds for every row, such as
            ``7B``; left out, the one of `mixfit.runs.columns.MODEL_SIZE` that there is.
        tokens: the column of D, or a number of tokens; left out, the one of
            `mixfit.runs.columns.TOKENS` that there is.
        where: conditions ``COLUMN OP VALUE[,COLUMN OP VALUE...]`` that rows must meet, all of
            them. Other rows are not looked at, whatever they hold.
        domains: the domains of an existing fit, which must be those of the table; they set the
            order of the weights.

    Raises:
        InputError: a file or a value in it cannot be used.
        UsageError: an option cannot be used, or the conditions leave no row.
    """
    conditions = parse_conditions(where)
    tables = open_tables(sources)
    chosen = [
        choose_columns(
            table.name,
            table.columns,
            weights=weights,
            targets=targets,
            model_size=model_size,
            tokens=tokens,
        )
        for table in tables
    ]
    for table, columns in zip(tables[1:], chosen[1:], strict=True):
        _refuse_other_columns(table, columns, tables[0], chosen[0])
    columns = chosen[0] if domains is None else _in_order(tables[0], chosen[0], domains)
    values, rows = read_rows(tables, columns, conditions)
    files = tuple(
        SourceFile(table.name, table.sha256, count)
        for table, count in zip(tables, rows, strict=True)
        if table.sha256
    )
    return _make(values, files, tuple(c.text for c in conditions), sum(rows))


def group_mixtures(h: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the rows that are one mixture: equal to 1e-6 in every weight.

    Args:
        h: weights (rows, k).

    Returns:
        The mixture (rows,) of each row, numbered in the order of first rows, and the first row
        (m,) of each mixture.
    """
    # A direction along which distinct mixtures hardly ever coincide; summed weight by weight, so
    # that equal rows come out equal to the last bit.
    direction = np.sqrt(np.arange(2.0, 2.0 + h.shape[1]))
    along = sum(weight * length for weight, length in zip(h.T, direction, strict=True))
    _, first, inverse = np.unique(along, return_index=True, return_inverse=True)
    if np.abs(h - h[first][inverse]).max(initial=0.0) > _SAME_MIXTURE:
        _, first, inverse = np.unique(h, axis=0, return_index=True, return_inverse=True)
    label = _join_near(h[first], direction)[inverse.reshape(-1)]
    _, first, number = np.unique(label, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[number], first[order]


def _join_near(points: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.intp]:
    """Label points (m, k) so that points within 1e-6 of each other share a label."""
    # Rounding would part 0.1234565 from 0.12345649. Points that are near each other are near in
    # the order along a direction too.
    along = points @ direction
    order = np.argsort(along, kind="stable")
    points, along = points[order], along[order]
    joined = np.arange(len(points))
    for step in range(1, len(points)):
        close = np.flatnonzero(along[step:] - along[:-step] <= _SAME_MIXTURE * direction.sum())
        if not len(close):
            break
        gap = np.abs(points[close + step] - points[close]).max(axis=1)
        near = close[gap <= _SAME_MIXTURE]
        joined[near + step] = np.minimum(joined[near + step], joined[near])
    while not np.array_equal(joined, joined[joined]):
        joined = joined[joined]
    label = np.empty_like(joined)
    label[order] = joined
    return label


def _make(
    values: Values, files: tuple[SourceFile, ...], where: tuple[str, ...], rows_read: int
) -> Runs:
    checked, notes = check_values(values)
    columns = checked.columns
    runs = Runs(
        N=checked.N,
        D=checked.D,
        h=checked.h,
        losses=checked.losses,
        domains=tuple(columns.weights),
        targets=tuple(columns.targets),
        files=files,
        columns=columns,
        where=where,
        rows_read=rows_read,
        notes=tuple(notes),
    )
    twice = _logged_twice(runs)
    if not twice:
        return runs
    text = (
        f"{twice:,} checkpoints are logged twice (same mixture, N and losses at nearly the same "
        "D); both rows are kept"
        if twice > 1
        else "1 checkpoint is logged twice (same mixture, N and losses at nearly the same D); "
        "both rows are kept"
    )
    return replace(runs, notes=(*runs.notes, Note("logged-twice", text)))


def _logged_twice(runs: Runs) -> int:
    order = np.lexsort((runs.D, runs.N, runs.mixture))
    mixture, N, D, losses = (x[order] for x in (runs.mixture, runs.N, runs.D, runs.losses))
    same = (mixture[1:] == mixture[:-1]) & (N[1:] == N[:-1]) & (D[1:] <= D[:-1] * 1.005)
    later, earlier = losses[1:][same], losses[:-1][same]
    common = ~np.isnan(later) & ~np.isnan(earlier)
    # A comparison with a missing loss is False.
    equal = np.abs(later - earlier) <= 1e-9 * earlier
    return int(np.count_nonzero((equal | ~common).all(axis=1) & common.any(axis=1)))


def _refuse_other_columns(table: Table, columns: Columns, first: Table, wanted: Columns) -> None:
    if columns.used == wanted.used:
        return
    for column in wanted.used:
        if column not in columns.used:
            raise InputError(
                f"{table.name}: no column {column}, which {first.name} has. Files that are read "
                "together need the same columns; choose them with --weights, --targets, "
                "--model-size and --tokens."
            )
    for column in columns.used:
        if column not in wanted.used:
            raise InputError(
                f"{first.name}: no column {column}, which {table.name} has. Files that are read "
                "together need the same columns; choose them with --weights, --targets, "
                "--model-size and --tokens."
            )


def _in_order(table: Table, columns: Columns, domains: Sequence[str]) -> Columns:
    missing = [domain for domain in domains if domain not in columns.weights]
    extra = [domain for domain in columns.weights if domain not in domains]
    if missing or extra:
        parts = [f"has no weight for {list_names(missing)}"] if missing else []
        parts += [f"has weights for {list_names(extra)} too"] if extra else []
        raise InputError(
            f"{table.name}: the domains differ from those of the fit, {list_names(domains)}: the "
            f"table {' and '.join(parts)}. Choose the weight columns with --weights."
        )
    return replace(columns, weights={domain: columns.weights[domain] for domain in domains})


def _array_row(row: int) -> str:
    return f"row {row + 1}"
