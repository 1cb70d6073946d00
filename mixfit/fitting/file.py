"""Fits to and from fit files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from mixfit.base.errors import InputError, NotApplicableError, Note, UsageError, nearest, parameter
from mixfit.base.plain import (
    Key,
    NotNegative,
    Omitted,
    Place,
    read_document,
    shown,
    to_document,
    without_targets,
    write_document,
)
from mixfit.fitting.discrepancy import NONE as NO_DISCREPANCY
from mixfit.fitting.discrepancy_file import (
    StoredDiscrepancy,
    StoredPoints,
    discrepancy_of,
    points_of,
    stored_discrepancy,
    stored_points,
)
from mixfit.fitting.misfits import Misfits  # noqa: TC001, the fit file reads it by its type
from mixfit.fitting.options import FitOptions
from mixfit.fitting.resample_file import load_resamples, save_resamples
from mixfit.fitting.result import (
    Choice,
    Fit,
    FitData,
    PoolPath,
    TargetFit,
)
from mixfit.fitting.trimmed import Trim  # noqa: TC001, likewise
from mixfit.fitting.uncertainty import (  # noqa: TC001, the fit file reads them by their types
    Ends,
    Errors,
    Params,
    ResampleFile,
)
from mixfit.laws.catalogue import find_law
from mixfit.laws.law import OURS
from mixfit.laws.pooled import NONE, Pool, PooledLaw, pooled

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mixfit.base.arrays import Array
    from mixfit.laws.law import Law


FIT_SCHEMA = "mixfit.fit/1"


@dataclass(frozen=True)
class StoredOptions(FitOptions):
    """The options of a fit, and how hard it is pooled, left out where it is not."""

    delta: float = OURS.delta
    solver: str = OURS.solver
    restarts: int = OURS.restarts
    discrepancy: Annotated[str, Key(omit=True)] = NO_DISCREPANCY
    pool: Omitted[Pool] = None


@dataclass(frozen=True)
class StoredTarget:
    """A `TargetFit`, with its parameters by domain; the law and the domains stand elsewhere."""

    rows: int
    params: Params
    huber: NotNegative
    mre: NotNegative
    status: str
    effective: Annotated[dict[str, float] | None, Key(omit=True, least=0)] = None
    discrepancy: Omitted[StoredDiscrepancy] = None
    low: Ends = None
    high: Ends = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FitFile:
    """The keys of a fit file, in their order; ``docs/files.md`` says what each is."""

    law: str
    domains: tuple[str, ...]
    options: StoredOptions
    data: FitData
    notes: tuple[Note, ...]
    selection: Omitted[Choice] = None
    trim: Omitted[Trim] = None
    pooling: Omitted[PoolPath] = None
    resamples: Omitted[ResampleFile] = None
    errors: Omitted[Errors] = None
    discrepancy: Omitted[StoredPoints] = None
    record: Omitted[dict[str, str]] = None
    misfits: Omitted[Misfits] = None
    targets: dict[str, StoredTarget]


def fit_to_plain(fit: Fit, resamples: ResampleFile | None = None) -> dict[str, Any]:
    """Give a fit as plain data, as it stands in a fit file.

    Args:
        fit: the fit.
        resamples: the file that its resamples stand in.
    """
    return to_document(
        FIT_SCHEMA,
        FitFile(
            law=fit.law.name,
            domains=fit.domains,
            options=StoredOptions(**vars(fit.options.filled(fit.law.law)), pool=fit.law.pool),
            data=fit.data,
            notes=without_targets(fit.notes),
            selection=fit.selection,
            trim=fit.trim,
            pooling=fit.pool_path,
            resamples=resamples,
            errors=fit.errors,
            discrepancy=stored_points(fit),
            record=fit.record or None,
            misfits=fit.misfits,
            targets={name: _stored_target(fit, target) for name, target in fit.targets.items()},
        ),
    )


def _stored_target(fit: Fit, target: TargetFit) -> StoredTarget:
    low, high = None, None
    if fit.resamples is not None:
        low, high = (_by_domain(target, x) for x in fit.resamples.intervals(target.target))
    own = {name: getattr(target, name) for name in ("rows", "huber", "mre", "status")}
    return StoredTarget(
        **own,
        params=_by_domain(target, target.params),
        effective=target.effective or None,
        discrepancy=stored_discrepancy(target.discrepancy),
        low=low,
        high=high,
        notes=without_targets(target.notes),
    )


def _by_domain(target: TargetFit, params: Mapping[str, Array]) -> Params:
    """Give natural parameters as a file has them: a number, or domain to number."""
    found: Params = {}
    for group in target.form.groups:
        numbers = [float(x) for x in params[group.name]]
        by_domain = group.per_domain
        found[group.name] = (
            dict(zip(target.domains, numbers, strict=True)) if by_domain else numbers[0]
        )
    return found


def save_fit(fit: Fit, path: str | Path) -> None:
    """Write a fit file, as JSON where its name ends in ``.json``; ``-`` is standard output.

    Its resamples, if there are any, stand in a file beside it.

    Raises:
        InputError: if it cannot be written.
        UsageError: if there are resamples, and no place beside the file for them.
    """
    stored = None
    if fit.resamples is not None:
        if str(path) == "-":
            raise UsageError(
                f"{parameter('resamples')} stand in a file beside the fit: give"
                f" {parameter('out')} the name of a file."
            )
        forms = {name: target.form for name, target in fit.targets.items()}
        stored = save_resamples(fit.resamples, forms, fit.domains, path)
    write_document(path, fit_to_plain(fit, stored))


def load_fit(path: str | Path) -> Fit:
    """Read a fit file.

    Raises:
        InputError: if it is not there, is no fit file, lacks something, or holds what cannot be;
            the message names the place.
    """
    file = read_document(FitFile, FIT_SCHEMA, path)
    top = Place(str(path))
    options = {name: value for name, value in vars(file.options).items() if name != "pool"}
    try:
        pool = NONE if file.options.pool is None else str(file.options.pool)
        law = pooled(find_law(file.law), pool)
    except UsageError as error:
        raise top.at("options").quoting(error) from None
    assert isinstance(law, PooledLaw)  # a file has numbers
    for place, what in _faults(file, top):
        raise place.error(what)
    targets = {
        name: _target_of(name, target, law.law, file.domains, top.at("targets", name, "params"))
        for name, target in file.targets.items()
    }
    targets = _with_discrepancies(file, targets, top)
    notes, resamples = file.notes, None
    if file.resamples is not None:
        forms = {name: target.form for name, target in targets.items()}
        found = load_resamples(file.resamples, forms, file.domains, path)
        if isinstance(found, Note):
            notes = (*notes, found)
        else:
            resamples = found
    return Fit(
        law=law,
        domains=file.domains,
        options=FitOptions(**options),
        data=file.data,
        targets=targets,
        notes=notes,
        selection=file.selection,
        pool_path=file.pooling,
        resamples=resamples,
        errors=file.errors,
        record=file.record or {},
        misfits=file.misfits,
        trim=file.trim,
    )


def _with_discrepancies(
    file: FitFile, targets: dict[str, TargetFit], top: Place
) -> dict[str, TargetFit]:
    places = {name: top.at("targets", name, "discrepancy") for name in targets}
    own = {name: stored.discrepancy for name, stored in file.targets.items()}
    if file.discrepancy is None:
        for name, found in own.items():
            if found is not None:
                raise places[name].error("stands beside 'discrepancy', and not alone.")
        return targets
    kernel = file.discrepancy.kernel
    points = points_of(file.discrepancy, len(file.domains), top.at("discrepancy"))
    return {
        name: target
        if (found := own[name]) is None
        else replace(target, discrepancy=discrepancy_of(found, kernel, points, places[name]))
        for name, target in targets.items()
    }


def _faults(file: FitFile, top: Place) -> Iterator[tuple[Place, str]]:
    """Find what the types of a fit file's fields do not exclude."""
    data = top.at("data")
    if not file.domains or len(set(file.domains)) < len(file.domains):
        yield top.at("domains"), "must name each domain once."
    if not file.targets:
        yield top.at("targets"), "is empty. Make the file anew."
    ranges = {"model_size": file.data.model_size, "tokens": file.data.tokens}
    for name, range_of_it in ranges.items():
        if not 0 < range_of_it.min <= range_of_it.max:
            yield data.at(name), "must have a positive min, and a max that is not below it."
    for where, names in (
        (data.at("weights"), file.data.weights),
        (data.at("columns", "weights"), file.data.columns.weights),
    ):
        yield from _misnamed(names, file.domains, where)
    yield from _faults_of_resamples(file, top)
    for domain, own in file.data.weights.items():
        if not 0 <= own.min <= own.max <= 1:
            yield data.at("weights", domain), "must have 0 <= min <= max <= 1."
    if file.pooling is not None:
        for name, trial in (("domains", file.pooling.domains), ("targets", file.pooling.targets)):
            if trial is not None and not len(trial.values) == len(trial.mre) == len(trial.mean):
                yield top.at("pooling", name), "must have one error for each of its values."


def _faults_of_resamples(file: FitFile, top: Place) -> Iterator[tuple[Place, str]]:
    if (file.resamples is None) != (file.errors is None):
        yield top.at("errors"), "stands beside 'resamples', and not alone. Make the file anew."
    if file.errors is not None:
        yield from _misnamed(file.errors.noise, file.targets, top.at("errors", "noise"))
    if file.resamples is not None and Path(file.resamples.file).name != file.resamples.file:
        yield top.at("resamples", "file"), "must be a name without directories."


def _misnamed(
    names: Collection[str], known: Collection[str], place: Place
) -> Iterator[tuple[Place, str]]:
    """Find a name that is not known, or one that is lacking."""
    for name in names:
        if name not in known:
            yield place.at(name), f"is no key of this file.{nearest(name, known)}"
    for name in known:
        if name not in names:
            yield place.at(name), "is missing. Make the file anew."


def _target_of(
    name: str, stored: StoredTarget, law: Law, domains: tuple[str, ...], place: Place
) -> TargetFit:
    try:
        form = _form_with(law, stored.params, place).bound(domains, name)
    except NotApplicableError as error:
        text = f"{law.name} cannot have target {name}: {error.text}."
        raise InputError(f"{place.path}: {text}") from None
    params = {}
    for group in form.groups:
        own = stored.params[group.name]
        if isinstance(own, dict) != group.per_domain:
            what = "a number for each domain" if group.per_domain else "one number"
            raise place.at(group.name).error(f"must be {what}, not {shown(own)}.")
        if isinstance(own, dict):
            for where, what in _misnamed(own, domains, place.at(group.name)):
                raise where.error(what)
            params[group.name] = np.array([own[domain] for domain in domains])
        else:
            params[group.name] = np.array([own])
    for name_of_it, index, what in form.impossible(params):
        keys = (name_of_it,) if index is None else (name_of_it, domains[index])
        number = params[name_of_it][index or 0]
        raise place.at(*keys).error(f"is {number:g}; it must be {what}.")
    return TargetFit(
        target=name,
        domains=domains,
        form=form,
        params=params,
        rows=stored.rows,
        huber=stored.huber,
        mre=stored.mre,
        status=stored.status,
        effective=stored.effective or {},
        notes=tuple(replace(note, target=name) for note in stored.notes),
    )


def _form_with(law: Law, params: Mapping[str, object], place: Place) -> Law:
    """Find the form of a law (see `Law.identified`) that has just these parameters."""
    forms = [
        law.identified(one_model_size=one_n, one_token_count=one_d)
        for one_n in (False, True)
        for one_d in (False, True)
    ]
    fitting = [form for form in forms if {group.name for group in form.groups} == set(params)]
    if not fitting:
        for where, what in _misnamed(params, [group.name for group in law.groups], place):
            raise where.error(what)
    return fitting[0]
