"""The runs that a fit was made on, found again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import MixfitError, UsageError

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.commands.words import Texts
    from mixfit.fitting.result import Fit
    from mixfit.runs.runs import Runs


def observed_mixtures(fit: Fit, sources: Texts | None) -> Array:
    """Read the distinct mixtures (m, k) of runs.

    Args:
        fit: whose domains the runs must have.
        sources: files of runs; left out, those that were fitted, if they are still there and have
            not changed. None are found if not.

    Raises:
        MixfitError: sources were given and cannot be read.
    """
    if sources:
        from mixfit.runs.read import read_mixtures

        return read_mixtures(list(sources), fit.domains, like=fit.data.columns)
    runs = fitted_runs(fit)
    return np.zeros((0, len(fit.domains))) if runs is None else runs.mixtures


def runs_of_fit(fit: Fit, sources: Texts | None) -> Runs:
    """Read the runs that were fitted, from where they were or from other files.

    Raises:
        MixfitError: they are not there, or have changed, or cannot be read.
    """
    found = _read_fitted(fit, sources)
    if found is None:
        raise UsageError(
            "the runs that were fitted are not where they were, or have changed. Give them with "
            "--runs."
        )
    return found


def fitted_runs(fit: Fit) -> Runs | None:
    """Read the runs that a fit was made on, or give None: they are a help, not a need.

    They are read if their files are still there and have not changed.
    """
    try:
        return _read_fitted(fit)
    except MixfitError:  # such as a column that was renamed
        return None


def _read_fitted(fit: Fit, sources: Texts | None = None) -> Runs | None:
    from mixfit.base.files import file_sha256
    from mixfit.runs.read import read_runs

    joined = fit.data.joined
    files = fit.data.files + (joined.files if joined else ())
    if not sources:
        if not fit.data.files:
            return None
        for file in files:
            if not Path(file.path).is_file() or file_sha256(file.path) != file.sha256:
                return None
    return read_runs(
        list(sources) if sources else [file.path for file in fit.data.files],
        where=fit.data.where,
        domains=fit.domains,
        join=None if joined is None else [file.path for file in joined.files],
        on=None if joined is None else joined.key,
        like=fit.data.columns,
        allow_unmatched=True,  # as much as was allowed when it was fitted
        allow_units=True,
    )
