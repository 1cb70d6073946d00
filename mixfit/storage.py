"""Results to and from files: written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixfit._version import __version__
from mixfit.errors import InputError, NotApplicableError, Note, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mixfit.evaluate import Evaluation, Score
    from mixfit.fits import Fit, FitData, TargetFit
    from mixfit.laws import Law
    from mixfit.runs import Runs, SourceFile
    from mixfit.selection import Selection
    from mixfit.shrinkage import ShrinkPath

FIT_SCHEMA = "mixfit.fit/1"
EVAL_SCHEMA = "mixfit.eval/1"


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Give a temporary file beside a path, and move it there once it is complete.

    Raises:
        InputError: if the file cannot be written.
    """
    goal = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{goal.name}.", dir=goal.parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(goal, error) from None
    part = Path(name)
    try:
        yield part
        # Temporary files are made private; give this one what a plain open() would have given it.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        part.replace(goal)
    except OSError as error:
        raise _cannot_write(goal, error) from None
    finally:
        with suppress(OSError):
            part.unlink()


def _cannot_write(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: cannot be written ({error.strerror or error}). Choose another file."
    )


def check_out(path: str | None, inputs: Sequence[str] = ()) -> None:
    """Refuse, before any work is done, a file that could not be written or that is an input.

    Args:
        path: the file; None and ``-`` are always right.
        inputs: files that are read.

    Raises:
        UsageError: if the folder is not there or not writable, or the file is one of the inputs.
    """
    if path in (None, "-"):
        return
    goal = Path(path)
    if goal.is_dir():
        raise UsageError(f"{path}: this is a directory. Give the name of a file in it.")
    if not goal.parent.is_dir():
        raise UsageError(f"{path}: there is no directory {goal.parent}. Make it first.")
    if not os.access(goal.parent, os.W_OK):
        raise UsageError(f"{path}: the directory {goal.parent} cannot be written to.")
    if goal.exists() and any(Path(p).exists() and goal.samefile(p) for p in inputs):
        raise UsageError(f"{path}: this file is read, and would be overwritten. Choose another.")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all; ``-`` is standard output.

    Raises:
        InputError: if it cannot be written.
    """
    if str(path) == "-":
        sys.stdout.write(text)
        return
    with writing(path) as part:
        part.write_text(text, encoding="utf-8")


def to_yaml(content: Mapping[str, Any]) -> str:
    """Write plain data as YAML, in the order given, the innermost lists and maps on one line."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(
        yaml.dump(
            content,
            Dumper=dumper,
            sort_keys=False,
            default_flow_style=None,
            allow_unicode=True,
            width=100,
        )
    )


def read_yaml(path: str | Path, schema: str) -> dict[str, Any]:
    """Read a YAML file that mixfit wrote.

    Raises:
        InputError: if it is not there, is not YAML, or has another schema.
    """
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}).") from None
    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "unreadable"
        raise InputError(f"{path}{place}: this is not YAML ({reason}).") from None
    found = content.get("schema") if isinstance(content, dict) else None
    if found != schema:
        what = f"its schema is '{found}'" if found else "it has no schema"
        raise InputError(f"{path}: {what}, not '{schema}'. Give a file of that kind.")
    return dict(content)


def file_sha256(path: str | Path) -> str:
    """Give the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def plain_notes(notes: Sequence[Note]) -> list[dict[str, str]]:
    """Give notes as plain data, without their targets."""
    return [{"code": note.code, "text": note.text} for note in notes]


def plain_files(files: Sequence[SourceFile]) -> list[dict[str, Any]]:
    """Give source files as plain data."""
    # A name that is not UTF-8 cannot stand in YAML as it is.
    paths = [os.fsencode(f.path).decode("utf-8", "replace") for f in files]
    return [
        {"path": path, "sha256": f.sha256, "rows": f.rows}
        for path, f in zip(paths, files, strict=True)
    ]


def fit_to_plain(fit: Fit) -> dict[str, Any]:
    """Give a fit as plain data, as it stands in a fit file."""
    options = fit.options
    return {
        "schema": FIT_SCHEMA,
        "mixfit": __version__,
        "law": fit.law,
        "domains": list(fit.domains),
        "options": {
            "delta": options.delta,
            "seed": options.seed,
            "solver": options.solver,
            "restarts": options.restarts,
            "hops": options.hops,
            **({} if fit.shrink is None else {"shrink": fit.shrink}),
        },
        "data": _plain_data(fit.data),
        "notes": plain_notes(fit.notes),
        **({"selection": _plain_selection(fit.selection)} if fit.selection else {}),
        **({"shrinkage": _plain_path(fit.shrink_path)} if fit.shrink_path else {}),
        "targets": {name: _plain_target(t, fit.domains) for name, t in fit.targets.items()},
    }


def _plain_selection(selection: Selection) -> dict[str, Any]:
    from mixfit.selection import RULE

    return {
        "rule": RULE,
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


def _load_path(reader: _Reader) -> ShrinkPath:
    from mixfit.shrinkage import ShrinkPath

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


def evaluation_to_plain(
    evaluation: Evaluation, fit_path: str, runs: Runs, max_mre: float | None
) -> dict[str, Any]:
    """Give an evaluation as plain data.

    Args:
        evaluation: the evaluation.
        fit_path: of the fit file that predicted.
        runs: that were predicted.
        max_mre: the limit in percent that was asked for, if any.
    """

    def plain(target: str, size: float | None, score: Score) -> dict[str, Any]:
        numbers = {
            "rows": score.rows,
            "mre": score.mre,
            "bias": score.bias,
            "rank": None if np.isnan(score.rank) else score.rank,
        }
        return {"target": target, "model_size": "all" if size is None else size, **numbers}

    content: dict[str, Any] = {
        "schema": EVAL_SCHEMA,
        "mixfit": __version__,
        "fit": {"path": fit_path, "sha256": file_sha256(fit_path)},
        "data": {"files": plain_files(runs.files), "where": list(runs.where)},
        "notes": plain_notes(evaluation.notes),
        "rows": [plain(target, size, score) for (target, size), score in evaluation.scores.items()]
        + [plain("average", size, score) for size, score in evaluation.average.items()],
    }
    if max_mre is not None:
        content["max_mre"] = {"limit": max_mre, "over": list(evaluation.targets_over(max_mre))}
    return content


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
    from mixfit.catalogue import find_law
    from mixfit.fits import Fit, FitData, FitOptions, Range
    from mixfit.runs import Columns, SourceFile

    top = _Reader(str(path), read_yaml(path, FIT_SCHEMA))
    data, options, columns = top.map("data"), top.map("options"), top.map("data").map("columns")
    domains = tuple(str(d) for d in top.items("domains"))
    try:
        law = find_law(top.text("law"))
        chosen = FitOptions(
            delta=options.number("delta"),
            solver=options.text("solver"),
            restarts=int(options.number("restarts")),
            hops=int(options.number("hops")),
            seed=int(options.number("seed")),
        )
    except UsageError as error:
        raise InputError(f"{path}: {error}") from None

    def range_of(reader: _Reader) -> Range:
        return Range(reader.number("min"), reader.number("max"))

    def source(reader: _Reader) -> SourceFile:
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


def _load_selection(reader: _Reader) -> Selection:
    from mixfit.selection import Candidate, Selection

    def candidate(own: _Reader) -> Candidate:
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


def _load_target(name: str, reader: _Reader, law: Law, domains: Sequence[str]) -> TargetFit:
    from mixfit.fits import TargetFit

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


def _form_with(law: Law, params: _Reader) -> Law:
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


class _Reader:
    """A mapping in a file, whose errors name the file and the place."""

    def __init__(self, path: str, content: Mapping[str, Any], keys: tuple[str, ...] = ()) -> None:
        self.path = path
        self.content = content
        self._keys = keys

    def where(self, *keys: str) -> str:
        return "'" + ".".join((*self._keys, *keys)) + "'"

    def raw(self, key: str) -> Any:
        if key not in self.content:
            raise InputError(f"{self.path}: {self.where(key)} is missing. Make the file anew.")
        return self.content[key]

    def _expect(self, key: str, kind: type, name: str) -> Any:
        value = self.raw(key)
        if not isinstance(value, kind):
            raise InputError(f"{self.path}: {self.where(key)} is not {name}. Make the file anew.")
        return value

    def map(self, key: str) -> _Reader:
        return _Reader(self.path, self._expect(key, dict, "a map"), (*self._keys, str(key)))

    def items(self, key: str) -> list[Any]:
        return list(self._expect(key, list, "a list"))

    def maps(self, key: str) -> list[_Reader]:
        items = self.items(key)
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                place = self.where(key, str(index))
                raise InputError(f"{self.path}: {place} is not a map. Make the file anew.")
        return [_Reader(self.path, x, (*self._keys, key, str(i))) for i, x in enumerate(items)]

    def text(self, key: str) -> str:
        return str(self._expect(key, str, "a text"))

    def number(self, key: str) -> float:
        value = self.raw(key)
        # YAML 1.1 reads 3e8, without a point, as text.
        with suppress(TypeError, ValueError):
            number = float(value)
            if np.isfinite(number) and not isinstance(value, bool):
                return number
        raise InputError(f"{self.path}: {self.where(key)} is not a finite number: {value!r}.")

    def number_or_none(self, key: str) -> float | None:
        return None if self.raw(key) is None else self.number(key)

    def numbers(self, key: str) -> tuple[float, ...]:
        """Read a list of numbers, or one, of which some may be infinite."""
        value = self.raw(key)
        try:
            return tuple(float(x) for x in (value if isinstance(value, list) else [value]))
        except (TypeError, ValueError):
            raise InputError(
                f"{self.path}: {self.where(key)} holds something that is not a number: {value!r}."
            ) from None

    def notes(self, target: str = "") -> tuple[Note, ...]:
        return tuple(Note(n.text("code"), n.text("text"), target) for n in self.maps("notes"))
