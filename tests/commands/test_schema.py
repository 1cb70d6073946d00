"""The JSON Schemas that the program prints; files are held to them wherever a test makes one."""

from __future__ import annotations

import json

import pytest
from conftest import check_file
from jsonschema import ValidationError

KINDS = ("fit", "mixture", "eval", "compare", "check")


@pytest.fixture
def mixfit(called):
    """Nothing here is about processes."""
    return called


def test_every_kind_has_a_schema(mixfit):
    for kind in KINDS:
        printed = json.loads(mixfit("schema", kind).stdout)
        assert printed["title"] == f"mixfit.{kind}/1"
        assert printed["properties"]["schema"] == {"const": f"mixfit.{kind}/1"}
        assert printed["required"][:2] == ["schema", "mixfit"]
    done = mixfit("schema", "fti")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: There is no kind of file 'fti'. Did you mean 'fit'? "
        "Kinds: fit, mixture, eval, compare, check.\n"
    )


@pytest.mark.parametrize(
    "changed",
    [
        "fit: {path: f, sha256: x}\ndata: {files: [], where: []}\nnotes: []\n",
        "fit: {path: f}\ndata: {files: [], where: []}\nnotes: []\nrows: []\n",
        "fit: {path: f, sha256: x}\ndata: {files: [], where: []}\nnotes: []\nrows: []\nmore: 1\n",
        "fit: {path: f, sha256: x}\ndata: {files: [], where: 1}\nnotes: []\nrows: []\n",
    ],
)
def test_a_schema_refuses_what_is_no_such_file(changed):
    with pytest.raises(ValidationError):
        check_file(f"schema: mixfit.eval/1\nmixfit: 0.1.0\n{changed}")
    whole = "fit: {path: f, sha256: x}\ndata: {files: [], where: []}\nnotes: []\nrows: []\n"
    check_file(f"schema: mixfit.eval/1\nmixfit: 0.1.0\n{whole}")
