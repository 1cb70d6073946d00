"""Fits to and from fit files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixfit._version import __version__
from mixfit.base.errors import InputError, NotApplicableError, UsageError
from mixfit.base.files import write_text
from mixfit.base.plain import Reader, plain_notes, read_yaml, to_yaml
from mixfit.fitting.result import (
    SELECTION_RULE,
    Candidate,
    Fit,
    FitData,
    FitOptions,
    Range,
    Selection,
    ShrinkPath,
    TargetFit,
)
from mixfit.laws.catalogue import find_law
from mixfit.runs.columns import Columns
from mixfit.runs.runs import SourceFile, plain_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mixfit.laws.law import Law

FIT_SCHEMA = "mixfit.fit/1"
AUTO_HOPS = "auto"  # as many as the law has parameters


def plain_options(options: FitOptions) -> dict[str, Any]:
    """Give the options of a fit as plain data."""
    return {
        "delta": options.delta,
        "seed": options.seed,
        "solver": options.solver,
        "restarts": options.restarts,
        "hops": AUTO_HOPS if options.hops is None else options.hops,
    }


def fit_to_plain(fit: Fit) -> dict[str, Any]:
    """Give a fit as plain data, as it stands in a fit file."""
    options = fit.options
    return {
        "schema": FIT_SCHEMA,
        "mixfit": __version__,
        "law": fit.law,
        "domains": list(fit.domains),
        "options": {
            **plain_options(options),
            **({} if fit.shrink is None else {"shrink": fit.shrink}),
        },
        "data": _plain_data(fit.data),
        "notes": plain_notes(fit.notes),
        **({"selection": _plain_selection(fit.selection)} if fit.selection else {}),
        **({"shrinkage": _plain_path(fit.shrink_path)} if fit.shrink_path else {}),
        "targets": {name: _plain_target(t, fit.domains) for name, t in fit.targets.items()},
    }


def _plain_selection(selection: Selection) -> dict[str, Any]:

    return {
        "rule": SELECTION_RULE,
        "law": selection.law,
        "reason": selection.reason,
        "tests": selection.tests,
        "restarts": selection.restarts,
        "hops": selection.hops,
        "candidates": [
            {
                "law": c.law,
                "parameters": c.parameters,
                "mre": c.mre,
                "standard_error": c.error,
                "excluded": c.excluded,
                "parts": dict(c.parts),
            }
            for c in selection.candidates
        ],
    }


def _plain_path(path: ShrinkPath) -> dict[str, Any]:
    return {
        "chosen": path.chosen,
        "tests": path.tests,
        "values": list(path.values),
        "errors": {column: list(errors) for column, errors in path.errors.items()},
        "mean": list(path.mean),
    }


def _load_path(reader: Reader) -> ShrinkPath:

    errors = reader.map("errors")
    return ShrinkPath(
        values=reader.numbers("values"),
        errors={column: errors.numbers(column) for column in errors.content},
        mean=reader.numbers("mean"),
        chosen=reader.numbers("chosen")[0],
        tests=reader.text("tests"),
    )


def _plain_data(data: FitData) -> dict[str, Any]:
    columns = data.columns
    return {
        "files": plain_files(data.files),
        "where": list(data.where),
        "columns": {
            "model_size": columns.model_size,
            "tokens": columns.tokens,
            "weights": dict(columns.weights),
            "targets": dict(columns.targets),
        },
        "mixtures": data.mixtures,
        "model_size": vars(data.model_size),
        "tokens": vars(data.tokens),
        "weights": {domain: vars(r) for domain, r in data.weights.items()},
    }


def _plain_target(target: TargetFit, domains: Sequence[str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for group in target.law.groups:
        numbers = [float(x) for x in target.params[group.name]]
        params[group.name] = (
            dict(zip(domains, numbers, strict=True)) if group.per_domain else numbers[0]
        )
    return {
        "rows": target.rows,
        "params": params,
        "huber": target.huber,
        "mre": target.mre,
        "status": target.status,
        "notes": plain_notes(target.notes),
    }


def save_fit(fit: Fit, path: str | Path) -> None:
    """Write a fit file; ``-`` is standard output.

    Raises:
        InputError: if it cannot be written.
    """
    write_text(path, to_yaml(fit_to_plain(fit)))


def load_fit(path: str | Path) -> Fit:
    """Read a fit file.

    Raises:
        InputError: if it is not there, is no fit file, or lacks something; the message names it.
    """
    top = Reader(str(path), read_yaml(path, FIT_SCHEMA))
    data, options, columns = top.map("data"), top.map("options"), top.map("data").map("columns")
    domains = tuple(str(d) for d in top.items("domains"))
    try:
        law = find_law(top.text("law"))
        chosen = FitOptions(
            delta=options.number("delta"),
            solver=options.text("solver"),
            restarts=int(options.number("restarts")),
            hops=None if options.raw("hops") == AUTO_HOPS else int(options.number("hops")),
            seed=int(options.number("seed")),
        )
    except UsageError as error:
        raise InputError(f"{path}: {error}") from None

    def range_of(reader: Reader) -> Range:
        return Range(reader.number("min"), reader.number("max"))

    def source(reader: Reader) -> SourceFile:
        return SourceFile(reader.text("path"), reader.text("sha256"), int(reader.number("rows")))

    found = FitData(
        files=tuple(source(f) for f in data.maps("files")),
        where=tuple(str(w) for w in data.items("where")),
        columns=Columns(
            model_size=columns.raw("model_size"),
            tokens=columns.raw("tokens"),
            weights={d: str(c) for d, c in columns.map("weights").content.items()},
            targets={t: str(c) for t, c in columns.map("targets").content.items()},
        ),
        mixtures=int(data.number("mixtures")),
        model_size=range_of(data.map("model_size")),
        tokens=range_of(data.map("tokens")),
        weights={d: range_of(data.map("weights").map(d)) for d in domains},
    )
    targets = top.map("targets")
    return Fit(
        law=law.name,
        domains=domains,
        options=chosen,
        data=found,
        targets={t: _load_target(t, targets.map(t), law, domains) for t in targets.content},
        notes=top.notes(),
        selection=_load_selection(top.map("selection")) if "selection" in top.content else None,
        shrink=options.numbers("shrink")[0] if "shrink" in options.content else None,
        shrink_path=_load_path(top.map("shrinkage")) if "shrinkage" in top.content else None,
    )


def _load_selection(reader: Reader) -> Selection:

    def candidate(own: Reader) -> Candidate:
        parts = own.map("parts")
        return Candidate(
            law=own.text("law"),
            parameters=int(own.number("parameters")),
            mre=own.number_or_none("mre"),
            error=own.number_or_none("standard_error"),
            parts={column: parts.number_or_none(column) for column in parts.content},
            excluded=own.text("excluded"),
        )

    return Selection(
        law=reader.text("law"),
        reason=reader.text("reason"),
        tests=reader.text("tests"),
        restarts=int(reader.number("restarts")),
        hops=int(reader.number("hops")),
        candidates=tuple(candidate(own) for own in reader.maps("candidates")),
    )


def _load_target(name: str, reader: Reader, law: Law, domains: Sequence[str]) -> TargetFit:

    params = reader.map("params")
    try:
        form = _form_with(law, params).bound(domains, name)
    except NotApplicableError as error:
        raise InputError(f"{reader.path}: {law.name} cannot have target {name}: {error}.") from None
    found = {}
    for group in form.groups:
        if group.per_domain:
            numbers = params.map(group.name)
            found[group.name] = np.array([numbers.number(domain) for domain in domains])
        else:
            found[group.name] = np.array([params.number(group.name)])
    return TargetFit(
        target=name,
        law=form,
        params=found,
        rows=int(reader.number("rows")),
        huber=reader.number("huber"),
        mre=reader.number("mre"),
        status=reader.text("status"),
        notes=reader.notes(name),
    )


def _form_with(law: Law, params: Reader) -> Law:
    """Find the form of a law (see `Law.identified`) that has just these parameters."""
    forms = [
        law.identified(one_model_size=one_n, one_token_count=one_d)
        for one_n in (False, True)
        for one_d in (False, True)
    ]
    for form in forms:
        if {group.name for group in form.groups} == set(params.content):
            return form
    for group in law.groups:
        params.raw(group.name)
    known = {group.name for group in law.groups}
    extra = sorted(str(name) for name in params.content if name not in known)
    raise InputError(
        f"{params.path}: {params.where()} has parameters that {law.name} has not: {extra}."
    )
