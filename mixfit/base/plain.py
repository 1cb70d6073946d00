"""Records to plain data and YAML and back, checked when they are read.

A file is declared once, as a frozen dataclass: the types of its fields, with `Key` where these do
not say all, give the writing, the checks of what is read, and the tables in ``docs/files.md``.
"""

from __future__ import annotations

import json
import math
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import yaml

from mixfit._version import __version__
from mixfit.base.errors import InputError, Note, UsageError, nearest
from mixfit.base.files import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

_LARGEST_FILE = 64 * 2**20  # bytes; a fit of 100 targets and 100 domains takes one
_DEEPEST = 20  # lists and maps in each other; files of ours have 5
_TOO_DEEP = "too many lists and maps in each other"
_LARGEST_COUNT = 10**18
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Key:
    """What the type of a record's field does not say of its key; it stands in `Annotated`.

    Attributes:
        word: what stands for None; left out, ``null``.
        omit: whether the key is left out where the field has its default.
        blank: whether ``null`` stands for numbers that are not finite, and is read as NaN.
        infinite: whether numbers may be infinite.
        least: the smallest number that can be read.
    """

    word: str | None = None
    omit: bool = False
    blank: bool = False
    infinite: bool = False
    least: float = -math.inf


_PLAIN = Key()
Omitted = Annotated[T | None, Key(omit=True)]
Blank = Annotated[float, Key(blank=True)]
NotNegative = Annotated[float, Key(least=0)]


class Stored(NamedTuple):
    """A field of a record that has a key in its file."""

    kind: Any
    rules: Key
    default: Any


@cache
def stored_fields(record: Any) -> dict[str, Stored]:
    """Give the fields of a record that have a key in its file, by name.

    A field can have the metadata ``{"stored": False}``, or what `Key` takes.
    """
    kinds = get_type_hints(record, include_extras=True)
    found = {}
    for own in fields(record):
        kind, rules = kinds[own.name], _PLAIN
        if own.metadata.get("stored", True):
            if get_origin(kind) is Annotated:
                kind, rules = get_args(kind)
            rules = Key(**own.metadata) if own.metadata else rules
            found[own.name] = Stored(kind, rules, own.default)
    return found


def to_plain(value: Any, rules: Key = _PLAIN) -> Any:
    """Give records, and what they hold, as plain data.

    Args:
        value: a record, a number, a text, or a map or tuple of such; or None.
        rules: of its field.
    """
    if value is None:
        return rules.word
    if is_dataclass(value):
        record: Any = type(value)
        return {
            name: to_plain(getattr(value, name), own.rules)
            for name, own in stored_fields(record).items()
            if not (own.rules.omit and getattr(value, name) == own.default)
        }
    if isinstance(value, dict):
        return {name: to_plain(item, rules) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(item, rules) for item in value]
    if isinstance(value, str):
        # A name of a file that is not UTF-8 cannot stand in YAML as it is.
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return None if rules.blank and not math.isfinite(value) else value


def to_document(schema: str, content: Any) -> dict[str, Any]:
    """Give a whole file as plain data.

    Args:
        schema: that its first line names.
        content: a record, or a map of what `to_plain` takes.
    """
    return {"schema": schema, "mixfit": __version__, **to_plain(content)}


def to_yaml(content: Mapping[str, Any]) -> str:
    """Write plain data as YAML, in the order given, the innermost lists and maps on one line."""
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


def write_document(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write plain data to a file, as JSON where its name ends in ``.json``, as YAML elsewhere.

    JSON has no infinite numbers: they are texts there, which are read as the same.

    Args:
        path: of the file; ``-`` is standard output.
        content: such as `to_document` gives.

    Raises:
        InputError: if it cannot be written.
    """
    if Path(path).suffix.lower() == ".json":
        text = json.dumps(_with_texts(content), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(path, text + "\n")
    else:
        write_text(path, to_yaml(content))


def _with_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_texts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_texts(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


@dataclass(frozen=True)
class Place:
    """A place in a file, such as ``data.tokens``; what is wrong there is an error that names it."""

    path: str
    name: str = ""

    def at(self, *keys: object) -> Place:
        """Give a place further in."""
        names = [_one_line(str(key), 60) for key in keys]
        return replace(self, name=".".join([self.name, *names] if self.name else names))

    def error(self, what: str) -> InputError:
        """Say what is wrong here."""
        return InputError(f"{self.path}: '{self.name}' {what}")

    def quoting(self, error: UsageError) -> InputError:
        """Say what an error says of parameters that stand here."""
        said = error.said_with(lambda name: self.at(name).name)
        return InputError(f"{self.path}: {_one_line(said, 1000)}")


def _one_line(text: str, longest: int) -> str:
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= longest else text[: longest - 3] + "..."


def shown(value: object) -> str:
    r"""Write a value for a message: on one line, and cut if it is long.

    >>> shown("a\nb"), len(shown("a" * 1000))
    ("'a\\nb'", 60)
    """
    return _one_line(repr(value), 60)


def read_document(record: type[T], schema: str, path: str | Path) -> T:
    """Read a file that mixfit wrote.

    Args:
        record: the class of the whole file.
        schema: that its first line names.
        path: of the file.

    Raises:
        InputError: if it is not there, is not YAML, has another schema, or holds what its record
            cannot; the message names the place.
    """
    if _is_pipe(path):
        raise InputError(
            f"{path}: is no regular file. What is made of it names its SHA-256, for which it is"
            " read again: write it to a file first."
        )
    content = load_yaml(path)
    own = content.get("schema") if isinstance(content, dict) else None
    if own != schema:
        what = "it has no schema" if own is None else f"its schema is {shown(own)}"
        raise InputError(f"{path}: {what}, not '{schema}'. Give a file of that kind.")
    rest = {name: value for name, value in content.items() if name not in ("schema", "mixfit")}
    read: T = _record_of(record, rest, Place(str(path)))
    return read


def _is_pipe(path: str | Path) -> bool:
    with suppress(OSError, ValueError):
        mode = os.stat(path).st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    return False


def load_yaml(path: str | Path) -> Any:
    """Read lists, maps with keys of text, texts, numbers, booleans and null from a YAML file.

    Anchors, tags and keys that stand twice are refused, since no file of ours has a use for them,
    and so is what is too large or too deep to be one. Dates are texts.

    Raises:
        InputError: if it is not there or not such YAML.
    """
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: cannot be read as text ({why}).") from None
    if len(data) > _LARGEST_FILE:
        raise InputError(f"{path}: is larger than {_LARGEST_FILE >> 20} MiB. Give another file.")
    try:
        return _read_stream(getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "unreadable"
        if "maximum nesting depth" in reason:  # from libyaml, of newer versions, which looks ahead
            reason = f"it has {_TOO_DEEP}"
        raise InputError(f"{path}{place}: this is not YAML ({reason}).") from None


def _read_stream(loader: Any) -> Any:
    loader.get_event()  # the start of the stream
    if loader.check_event(yaml.StreamEndEvent):
        return None
    loader.get_event()  # the start of the document
    value = _read_node(loader, 0)
    loader.get_event()  # its end
    if not loader.check_event(yaml.StreamEndEvent):
        raise _refused(loader.get_event(), "a second document")
    return value


def _read_node(loader: Any, depth: int) -> Any:
    event = loader.get_event()
    if event.anchor is not None:
        raise _refused(event, "an anchor")
    if event.tag is not None:
        raise _refused(event, "a tag")
    if depth > _DEEPEST:
        raise _refused(event, _TOO_DEEP)
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not loader.check_event(yaml.SequenceEndEvent):
            items.append(_read_node(loader, depth + 1))
        loader.get_event()
        return items
    if isinstance(event, yaml.MappingStartEvent):
        content = {}
        while not loader.check_event(yaml.MappingEndEvent):
            first = loader.peek_event()
            name = _read_node(loader, depth + 1)
            if not isinstance(name, str):
                raise _refused(first, "a key that is no text; write it in quotes")
            if name in content:
                raise _refused(first, f"the key {shown(name)} twice")
            content[name] = _read_node(loader, depth + 1)
        loader.get_event()
        return content
    kind = loader.resolve(yaml.ScalarNode, event.value, event.implicit).removeprefix(_TAG)
    if kind not in ("null", "bool", "int", "float"):
        return event.value
    try:
        return getattr(loader, f"construct_yaml_{kind}")(yaml.ScalarNode(kind, event.value))
    except ValueError:  # such as more digits than Python reads
        raise _refused(event, f"{shown(event.value)}, which cannot be read") from None


def _refused(event: Any, what: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=f"it has {what}", problem_mark=event.start_mark)


def _record_of(record: Any, content: Any, place: Place) -> Any:
    """Read a record; its keys are checked, and so is what it itself refuses."""
    if not isinstance(content, dict):
        raise place.error("is not a map. Make the file anew.")
    stored = stored_fields(record)
    for name in content:
        if name not in stored:
            raise place.at(name).error(f"is no key of this file.{nearest(name, stored)}")
    values = {}
    for name, own in stored.items():
        if name in content:
            values[name] = _value_of(own.kind, content[name], place.at(name), own.rules)
        elif not own.rules.omit:
            raise place.at(name).error("is missing. Make the file anew.")
    try:
        return record(**values)
    except UsageError as error:
        raise place.quoting(error) from None


def _value_of(kind: Any, value: Any, place: Place, rules: Key) -> Any:  # noqa: PLR0911
    """Read what a field of some type holds."""
    choices = [choice for choice in get_args(kind) if choice is not type(None)]
    origin = get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise place.error("is not a list. Make the file anew.")
        return tuple(_value_of(choices[0], x, place.at(i), rules) for i, x in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise place.error("is not a map. Make the file anew.")
        return {name: _value_of(choices[1], x, place.at(name), rules) for name, x in value.items()}
    if choices:  # of a union; the last one says what is wrong
        if len(choices) < len(get_args(kind)) and value == rules.word:
            return None
        fitting = [choice for choice in choices if isinstance(value, get_origin(choice) or choice)]
        return _value_of((fitting or choices[-1:])[0], value, place, rules)
    if is_dataclass(kind):
        return _record_of(kind, value, place)
    if kind is str:
        return _text(value, place)
    if kind is bool:
        if not isinstance(value, bool):
            raise place.error(f"is neither true nor false: {shown(value)}.")
        return value
    return _number(kind, value, place, rules)


def _text(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise place.error("is not a text. Make the file anew.")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise place.error(f"holds half a character: {shown(value)}.")
    return value


def _number(kind: type, value: Any, place: Place, rules: Key) -> float:
    if value is None and rules.blank:
        return math.nan
    number = math.nan
    if not isinstance(value, bool):
        # YAML 1.1 reads 3e8, without a point, as text.
        with suppress(TypeError, ValueError, OverflowError):
            number = float(value)
    if math.isnan(number) or (math.isinf(number) and not rules.infinite):
        raise place.error(f"is not a finite number: {shown(value)}.")
    if kind is int:
        if not number.is_integer() or not 0 <= number < _LARGEST_COUNT:
            raise place.error(f"is not a count: {shown(value)}.")
        return int(value) if isinstance(value, int) else int(number)
    if number < rules.least:
        raise place.error(f"is {number:g}; it must be {rules.least:g} or more.")
    return number


def without_targets(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Give notes as they stand where their target is known, or is none."""
    return tuple(replace(note, target="") for note in notes)
