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
from mixfit.errors import InputError, Note, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mixfit.evaluate import Evaluation, Score
    from mixfit.fits import FitOptions
    from mixfit.runs import Runs, SourceFile

EVAL_SCHEMA = "mixfit.eval/1"
AUTO_HOPS = "auto"  # as many as the law has parameters


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


def plain_options(options: FitOptions) -> dict[str, Any]:
    """Give the options of a fit as plain data."""
    return {
        "delta": options.delta,
        "seed": options.seed,
        "solver": options.solver,
        "restarts": options.restarts,
        "hops": AUTO_HOPS if options.hops is None else options.hops,
    }


def plain_files(files: Sequence[SourceFile]) -> list[dict[str, Any]]:
    """Give source files as plain data."""
    # A name that is not UTF-8 cannot stand in YAML as it is.
    paths = [os.fsencode(f.path).decode("utf-8", "replace") for f in files]
    return [
        {"path": path, "sha256": f.sha256, "rows": f.rows}
        for path, f in zip(paths, files, strict=True)
    ]


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


class Reader:
    """A map in a file; what is wrong or missing in it is an `InputError` that names the place."""

    def __init__(self, path: str, content: Mapping[str, Any], keys: tuple[str, ...] = ()) -> None:
        self.path = path
        self.content = content
        self._keys = keys

    def where(self, *keys: str) -> str:
        """Name a place in the file, such as ``'data.tokens'``."""
        return "'" + ".".join((*self._keys, *keys)) + "'"

    def raw(self, key: str) -> Any:
        """Give what stands at a key."""
        if key not in self.content:
            raise InputError(f"{self.path}: {self.where(key)} is missing. Make the file anew.")
        return self.content[key]

    def _expect(self, key: str, kind: type, name: str) -> Any:
        value = self.raw(key)
        if not isinstance(value, kind):
            raise InputError(f"{self.path}: {self.where(key)} is not {name}. Make the file anew.")
        return value

    def map(self, key: str) -> Reader:
        """Read a map."""
        return Reader(self.path, self._expect(key, dict, "a map"), (*self._keys, str(key)))

    def items(self, key: str) -> list[Any]:
        """Read a list."""
        return list(self._expect(key, list, "a list"))

    def maps(self, key: str) -> list[Reader]:
        """Read a list of maps."""
        items = self.items(key)
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                place = self.where(key, str(index))
                raise InputError(f"{self.path}: {place} is not a map. Make the file anew.")
        return [Reader(self.path, x, (*self._keys, key, str(i))) for i, x in enumerate(items)]

    def text(self, key: str) -> str:
        """Read a text."""
        return str(self._expect(key, str, "a text"))

    def number(self, key: str) -> float:
        """Read a finite number."""
        value = self.raw(key)
        # YAML 1.1 reads 3e8, without a point, as text.
        with suppress(TypeError, ValueError):
            number = float(value)
            if np.isfinite(number) and not isinstance(value, bool):
                return number
        raise InputError(f"{self.path}: {self.where(key)} is not a finite number: {value!r}.")

    def number_or_none(self, key: str) -> float | None:
        """Read a finite number, or null."""
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
        """Read notes, which are about a target."""
        return tuple(Note(n.text("code"), n.text("text"), target) for n in self.maps("notes"))
