"""Resamples to and from the Parquet file that stands beside a fit file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import InputError, Note
from mixfit.base.files import file_sha256, writing
from mixfit.fitting.uncertainty import ResampleFile, Resamples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mixfit.base.arrays import Array
    from mixfit.laws.law import Law


def resample_path(path: str | Path) -> Path:
    """Give where the resamples of a fit file stand.

    >>> resample_path("fits/fit.yaml").name
    'fit.resamples.parquet'
    """
    return Path(path).with_suffix(".resamples.parquet")


def save_resamples(
    resamples: Resamples, forms: Mapping[str, Law], domains: tuple[str, ...], path: str | Path
) -> ResampleFile:
    """Write resamples beside a fit file: a row for each target and resample.

    Args:
        resamples: of the fit.
        forms: target to the form of the law.
        domains: of the fit.
        path: of the fit file.

    Raises:
        InputError: it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for target, params in resamples.params.items():
        columns: dict[str, object] = {
            "target": pa.array([target] * len(resamples)),
            "resample": np.arange(len(resamples)),
        }
        for name, label, index in _columns(forms[target], domains):
            columns[label] = params[name][:, index]
        tables.append(pa.table(columns))
    place = resample_path(path)
    with writing(place) as part:
        pq.write_table(pa.concat_tables(tables, promote_options="default"), part)
    return ResampleFile(place.name, file_sha256(place), len(resamples), resamples.seed)


def load_resamples(
    stored: ResampleFile, forms: Mapping[str, Law], domains: tuple[str, ...], path: str | Path
) -> Resamples | Note:
    """Read the resamples that a fit file names; where they are not there, a note says so.

    Args:
        stored: what the fit file says of them.
        forms: target to the form of the law.
        domains: of the fit.
        path: of the fit file.

    Raises:
        InputError: it is not the file that was written.
    """
    import pyarrow.parquet as pq

    place = Path(path).parent / stored.file
    if not place.is_file():
        text = (
            f"{stored.file} is not beside the fit file, so that there are no intervals; put it"
            " there, or fit again"
        )
        return Note("resamples-missing", text)
    if file_sha256(place) != stored.sha256:
        raise InputError(
            f"{place}: these are not the resamples of {path}: the SHA-256 differs. Fit again with"
            " --resamples."
        )
    frame = pq.read_table(place).to_pandas()
    params: dict[str, dict[str, Array]] = {}
    for target, form in forms.items():
        own = frame[frame["target"] == target]
        if len(own) != stored.count:
            raise InputError(f"{place}: has {len(own)} resamples of {target}, not {stored.count}.")
        each: dict[str, list[Array]] = {}
        for name, label, _ in _columns(form, domains):
            if label not in own:
                raise InputError(f"{place}: has no column '{label}'. Fit again with --resamples.")
            each.setdefault(name, []).append(own[label].to_numpy(np.float64))
        params[target] = {name: np.column_stack(numbers) for name, numbers in each.items()}
    return Resamples(stored.seed, params)


def _columns(form: Law, domains: tuple[str, ...]) -> list[tuple[str, str, int]]:
    """Give each number of a law: its parameter, its column, and its place in the parameter."""
    found = []
    for group in form.groups:
        if group.per_domain:
            found += [(group.name, f"{group.name}[{d}]", i) for i, d in enumerate(domains)]
        else:
            found.append((group.name, group.name, 0))
    return found
