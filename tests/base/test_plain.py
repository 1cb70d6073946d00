"""Records to plain data and back, and what is refused in a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import pytest

from mixfit.base.errors import InputError, UsageError, parameter
from mixfit.base.plain import (
    Blank,
    Key,
    Omitted,
    load_yaml,
    read_document,
    to_document,
    to_yaml,
)


@dataclass(frozen=True)
class Leaf:
    size: float
    name: str = ""


@dataclass(frozen=True)
class Tree:
    count: int
    sound: bool
    column: str | float
    leaves: tuple[Leaf, ...]
    by_name: dict[str, dict[str, float] | float]
    hops: Annotated[int | None, Key(word="auto")] = None
    strength: Annotated[float, Key(infinite=True, least=0)] = 0.0
    rank: Blank = 0.0
    note: Omitted[str] = None

    def __post_init__(self) -> None:
        if self.count == 13:
            raise UsageError(f"{parameter('count')} is 13.")


TREE = Tree(2, True, 3e8, (Leaf(1.5, "a"),), {"x": 1.0, "y": {"a": 2.0}}, None, math.inf, math.nan)
PLAIN = {
    "schema": "tree/1",
    "count": 2,
    "sound": True,
    "column": 3e8,
    "leaves": [{"size": 1.5, "name": "a"}],
    "by_name": {"x": 1.0, "y": {"a": 2.0}},
    "hops": "auto",
    "strength": math.inf,
    "rank": None,
}


def read(tmp_path, content):
    path = tmp_path / "tree.yaml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else to_yaml(content))
    return read_document(Tree, "tree/1", path)


def test_a_record_comes_back(tmp_path):
    content = to_document("tree/1", TREE)
    del content["mixfit"]
    assert content == PLAIN
    again = read(tmp_path, content)
    assert math.isnan(again.rank)
    assert repr(again) == repr(TREE)
    assert to_document("tree/1", again) == to_document("tree/1", TREE)


def test_a_name_that_is_not_utf_8_can_be_written():
    assert to_document("leaf/1", Leaf(1.0, "a\udcff"))["name"] == "a\ufffd"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": -1}, "'count' is not a count: -1."),
        ({"count": 2.5}, "'count' is not a count: 2.5."),
        ({"count": True}, "'count' is not a finite number: True."),
        ({"count": 13}, "count is 13."),
        ({"count": 10**400}, "'count' is not a finite number: 1000"),
        ({"sound": "yes"}, "'sound' is neither true nor false: 'yes'."),
        ({"column": []}, "'column' is not a finite number: []."),
        ({"leaves": {}}, "'leaves' is not a list. Make the file anew."),
        ({"leaves": [1]}, "'leaves.0' is not a map. Make the file anew."),
        ({"leaves": [{"name": "a"}]}, "'leaves.0.size' is missing. Make the file anew."),
        ({"leaves": [{"size": "a" * 99, "name": "a"}]}, "'leaves.0.size' is not a finite number:"),
        ({"leaves": [{"size": 1.0, "name": 5}]}, "'leaves.0.name' is not a text."),
        ({"leaves": [{"size": math.inf, "name": ""}]}, "'leaves.0.size' is not a finite number"),
        ({"by_name": []}, "'by_name' is not a map. Make the file anew."),
        ({"by_name": {"x": "much"}}, "'by_name.x' is not a finite number: 'much'."),
        ({"by_name": {"x": {"a\nb": None}}}, "'by_name.x.a\\nb' is not a finite number: None."),
        ({"hops": "many"}, "'hops' is not a finite number: 'many'."),
        ({"hops": None}, "'hops' is not a finite number: None."),
        ({"strength": -0.5}, "'strength' is -0.5; it must be 0 or more."),
        ({"strength": math.nan}, "'strength' is not a finite number: nan."),
        ({"rnak": 1.0}, "'rnak' is no key of this file. Did you mean 'rank'?"),
        ({"schema": "tree/2"}, "its schema is 'tree/2', not 'tree/1'. Give a file of that kind."),
        ({"schema": None}, "it has no schema, not 'tree/1'."),
    ],
)
def test_what_a_record_cannot_hold(tmp_path, change, message):
    with pytest.raises(InputError) as raised:
        read(tmp_path, PLAIN | change)
    said = str(raised.value)
    assert said.startswith(f"{tmp_path / 'tree.yaml'}: {message}")
    assert len(said.splitlines()) == 1
    assert len(said) < len(str(tmp_path)) + 200


@pytest.mark.parametrize("name", ["count", "leaves", "hops", "rank"])
def test_what_is_missing(tmp_path, name):
    with pytest.raises(InputError, match=f"'{name}' is missing. Make the file anew."):
        read(tmp_path, {key: value for key, value in PLAIN.items() if key != name})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no schema"),
        ("[1]", "it has no schema"),
        ("a: [\nb", ", line 3: this is not YAML ("),
        ("[" * 100_000, ", line 1: this is not YAML ("),
        ("{a: " * 100_000, ", line 1: this is not YAML ("),
        ("[" * 30 + "]" * 30, "(it has too many lists and maps in each other)"),
        ("- " * 100_000, "it has too many lists and maps in each other"),
        ("a: &x 1\nb: *x", "(it has an anchor)"),
        ("a: *x", "(it has an anchor)"),
        ("a: !!int x", "(it has a tag)"),
        ("a: !!timestamp x", "(it has a tag)"),
        ("a: !!python/object:os.system x", "(it has a tag)"),
        ("a: 1\nb: 2\na: 3", ", line 3: this is not YAML (it has the key 'a' twice)"),
        ("? [a]\n: 1", "(it has a key that is no text; write it in quotes)"),
        ("2024: 1", "(it has a key that is no text; write it in quotes)"),
        ("a: 1\n---\nb: 2", "(it has a second document)"),
        ("a: " + "9" * 5000, "which cannot be read)"),
        ("a: 0b_", "(it has '0b_', which cannot be read)"),
        ('a: "\\ud800"', "this is not YAML ("),
        ("a: \x00", "this is not YAML ("),
        (b"\xff", "cannot be read as text ("),
        (to_yaml(PLAIN).replace("count: 2", "count: 2001-13-45"), "finite number: '2001-13-45'."),
        (to_yaml(PLAIN).replace("count: 2", "<<: {count: 2}"), "'<<' is no key of this file."),
    ],
)
def test_what_is_no_file_of_ours(tmp_path, text, message):
    with pytest.raises(InputError) as raised:
        read(tmp_path, text)
    said = str(raised.value)
    assert message in said
    assert len(said.splitlines()) == 1
    assert len(said) < len(str(tmp_path)) + 200


def test_what_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.yaml"
    with path.open("wb") as stream:
        stream.truncate(2**27)
    with pytest.raises(InputError, match="is larger than 64 MiB"):
        load_yaml(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read as text"):
        load_yaml(tmp_path)
    with pytest.raises(InputError, match="there is no such file"):
        load_yaml(tmp_path / "none.yaml")
