"""Records to JSON Schema: what their files may hold, for other programs to check."""

from __future__ import annotations

import math
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin

from mixfit.base.plain import Key, stored_fields

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": 0},
}


def json_schema(record: Any, schema: str) -> dict[str, Any]:
    """Give the JSON Schema of a file that mixfit writes.

    Args:
        record: the class of the whole file.
        schema: that the file's first line names.
    """
    content = _of(record, Key())
    properties = {"schema": {"const": schema}, "mixfit": {"type": "string"}}
    return {
        "$schema": _DRAFT,
        "title": schema,
        **content,
        "properties": properties | content["properties"],
        "required": ["schema", "mixfit", *content["required"]],
    }


def _of(kind: Any, rules: Key) -> dict[str, Any]:
    """Give the schema of what a field of some type holds."""
    inner = [x for x in get_args(kind) if x is not ...]
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _of(inner[0], rules)}
    if get_origin(kind) is dict:
        return {"type": "object", "additionalProperties": _of(inner[1], rules)}
    if inner:  # of a union; None stands for its word, or is left out, or is null
        kinds = [_of(x, rules) for x in inner if x is not type(None)]
        if len(kinds) < len(inner) and not rules.omit:
            kinds.append({"type": "null"} if rules.word is None else {"const": rules.word})
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if is_dataclass(kind):
        record: Any = kind
        fields = stored_fields(record)
        return {
            "type": "object",
            "properties": {name: _of(own.kind, own.rules) for name, own in fields.items()},
            "required": [name for name, own in fields.items() if not own.rules.omit],
            "additionalProperties": False,
        }
    if kind is float:
        number: dict[str, Any] = {"type": ["number", "null"] if rules.blank else "number"}
        return number if math.isinf(rules.least) else {**number, "minimum": rules.least}
    return dict(_SIMPLE[kind])
