"""Checkpoints of training runs, as validated arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, Note, UsageError, nearest, parameter
from mixfit.base.numbers import counted, short
from mixfit.base.plain import Omitted  # noqa: TC001, files are read and written by their types
from mixfit.base.shown import Shown
from mixfit.runs.checks import Values, check_values
from mixfit.runs.columns import Columns
from mixfit.runs.doubtful_losses import twice_finding
from mixfit.runs.findings import Place
from mixfit.runs.identity import group_mixtures, logged_twice
from mixfit.runs.tables import list_names
from mixfit.runs.transforms import rising_notes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import ArrayLike

    from mixfit.base.arrays import Array, Indices, Mask


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


@dataclass(frozen=True)
class JoinedFiles:
    """Files whose columns were joined to those of others.

    Attributes:
        key: the column that both have, by which rows belong together.
        files: in order.
    """

    key: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where rows come from, as files say it that hold a result on them.

    Attributes:
        files: in order.
        where: the conditions that the rows meet.
        joined: files that were joined to `files`, if any.
    """

    files: tuple[SourceFile, ...]
    where: tuple[str, ...]
    joined: Omitted[JoinedFiles] = None


@dataclass(frozen=True, eq=False)
class Runs(Shown):
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
        notes: what a careful reader should know, and what was mended.
        joined: the files that were joined to `files`, if any.
    """

    N: Array
    D: Array
    h: Array
    losses: Array
    domains: tuple[str, ...]
    targets: tuple[str, ...]
    files: tuple[SourceFile, ...]
    columns: Columns
    where: tuple[str, ...]
    rows_read: int
    notes: tuple[Note, ...]
    joined: JoinedFiles | None = None

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.N)

    def __repr__(self) -> str:
        return f"Runs({self.summary}; targets {list_names(self.targets, most=8)})"

    @property
    def summary(self) -> str:
        """What was read, such as ``runs.csv: 40 of 50 rows, 7 mixtures of 3 domains, ...``."""
        of_all = "" if len(self) == self.rows_read else f" of {self.rows_read:,}"
        rows = f"{len(self):,}{of_all} rows, "
        N, D = ((float(counts.min()), float(counts.max())) for counts in (self.N, self.D))
        files = self.files + (self.joined.files if self.joined else ())
        return describe(files, rows, len(self.mixtures), len(self.domains), N, D)

    @property
    def paths(self) -> tuple[str, ...]:
        """Of all files that were read."""
        joined = () if self.joined is None else self.joined.files
        return tuple(file.path for file in (*self.files, *joined))

    @property
    def origin(self) -> Origin:
        """Where the rows come from."""
        return Origin(files=self.files, where=self.where, joined=self.joined)

    @cached_property
    def mixture(self) -> Indices:
        """The mixture (rows,) of each row: an index into `mixtures`."""
        return self._grouped[0]

    @cached_property
    def mixtures(self) -> Array:
        """The distinct mixtures (m, k), in the order of their first rows.

        Weights that are equal to 1e-6 are one mixture, and its first row stands for it.
        """
        return self.h[self._grouped[1]]

    @cached_property
    def _grouped(self) -> tuple[Indices, Indices]:
        return group_mixtures(self.h)

    def select(self, rows: Mask | Indices) -> Runs:
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

    def constant(self, target: str) -> bool:
        """Whether the losses of a target are one number in all rows that have it, two or more."""
        losses = self.losses_of(target)
        known = losses[~np.isnan(losses)]
        return len(known) > 1 and bool(np.ptp(known) == 0)

    def varying(self) -> Runs:
        """Leave out targets whose losses are all one number, each with a note.

        Any law fits them, with exponents that mean nothing, and where targets are pooled these
        would pull those of others.

        Raises:
            UsageError: no target is left.
        """
        said = {}
        for target in filter(self.constant, self.targets):
            losses = self.losses_of(target)
            known = losses[~np.isnan(losses)]
            name = self.columns.named(target)
            said[target] = f"every loss in {name} is {known[0]:g} ({counted(len(known), 'row')})"
        left = [target for target in self.targets if target not in said]
        if not left:
            raise UsageError(
                f"There is nothing to fit: {'; '.join(said.values())}. Choose other targets with"
                f" {parameter('targets')}, or more rows."
            )
        notes = [
            Note("constant-target", f"left out: {text}, so that there is nothing to fit", target)
            for target, text in said.items()
        ]
        return replace(self.only(left), notes=(*self.notes, *notes)) if said else self

    def losses_of(self, target: str) -> Array:
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

    def to_frame(self) -> pd.DataFrame:
        """Give a data frame with the columns that `mixfit.read_runs` finds without being told.

        >>> runs = Runs.from_arrays([1e8], [2e9], [[0.25, 0.75]], {"c4": [3.1]}, ["web", "code"])
        >>> list(runs.to_frame())
        ['model_size', 'n_tokens', 'weight_web', 'weight_code', 'loss_c4']
        """
        import pandas as pd

        names = ["model_size", "n_tokens"]
        names += [f"weight_{domain}" for domain in self.domains]
        names += [f"loss_{target}" for target in self.targets]
        return pd.DataFrame(np.column_stack([self.N, self.D, self.h, self.losses]), columns=names)

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
            N=sizes,
            D=tokens,
            h=weights,
            losses=np.column_stack(each),
            columns=columns,
            name="losses",
            row_name=lambda row: Place("", row + 1, f"row {row + 1}"),
        )
        return cls.from_values(values, rows_read=rows)

    @classmethod
    def from_values(
        cls,
        values: Values,
        *,
        rows_read: int,
        files: tuple[SourceFile, ...] = (),
        where: tuple[str, ...] = (),
        notes: Sequence[Note] = (),
        joined: JoinedFiles | None = None,
    ) -> Runs:
        """Make runs of what stands in a table.

        Args:
            values: those of the rows that meet the conditions, not checked yet.
            rows_read: see `Runs`, as for the others.
            files: in order.
            where: the conditions.
            notes: on how the table was read.
            joined: the files that were joined.

        Raises:
            InputError: a value cannot be used.
        """
        checked, mended = check_values(values)
        notes = [*notes, *mended]
        mixture, _ = group_mixtures(checked.h)
        _, again = logged_twice(mixture, checked.N, checked.D, checked.losses)
        twice = twice_finding(checked, again)
        if twice is not None:
            notes.append(twice.note())
        targets = tuple(checked.columns.targets)
        notes += rising_notes(mixture, checked.N, checked.D, checked.losses, targets)
        return cls(
            N=checked.N,
            D=checked.D,
            h=checked.h,
            losses=checked.losses,
            domains=tuple(checked.columns.weights),
            targets=targets,
            files=files,
            columns=checked.columns,
            where=where,
            rows_read=rows_read,
            notes=tuple(notes),
            joined=joined,
        )


def describe(
    files: Sequence[SourceFile],
    rows: str,
    mixtures: int,
    domains: int,
    N: tuple[float, float],
    D: tuple[float, float],
) -> str:
    """Say in a line what was read: rows in words or "", N and D from smallest to largest."""
    names = ", ".join(file.path for file in files) or "runs"
    if len(files) > 3:
        names = f"{files[0].path} and {len(files) - 1} more files"
    return (
        f"{names}: {rows}{mixtures} mixtures of {domains} domains, "
        f"{_span(*N)} parameters, {_span(*D)} tokens"
    )


def _span(lowest: float, highest: float) -> str:
    low, high = short(lowest), short(highest)
    return low if low == high else f"{low} to {high}"
