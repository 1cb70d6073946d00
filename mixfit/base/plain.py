"""Plain data to and from YAML, checked when it is read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixfit.base.errors import InputError, Note

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
    content = load_yaml(path)
    schema_of_file = content.get("schema") if isinstance(content, dict) else None
    if schema_of_file != schema:
        what = f"its schema is '{schema_of_file}'" if schema_of_file else "it has no schema"
        raise InputError(f"{path}: {what}, not '{schema}'. Give a file of that kind.")
    return dict(content)


def load_yaml(path: str | Path) -> Any:
    """Read plain data from a YAML file.

    Raises:
        InputError: if it is not there or is not YAML.
    """
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}).") from None
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "unreadable"
        raise InputError(f"{path}{place}: this is not YAML ({reason}).") from None


def plain_notes(notes: Sequence[Note]) -> list[dict[str, str]]:
    """Give notes as plain data, without their targets."""
    return [{"code": note.code, "text": note.text} for note in notes]


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
