"""A corpus of what broke, or might: every case ends with the status and the message that it has.

``bad_input.yaml`` holds the cases: a command, files beside ``runs.csv`` and ``fit.yaml``, texts of
these that are exchanged, the exit status and standard error. LAWS are those of the catalogue.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml
from small_inputs import write_inputs

from mixfit.laws.catalogue import CATALOGUE

CASES = yaml.safe_load(Path(__file__).with_name("bad_input.yaml").read_text(encoding="utf-8"))
QUICK = " --law chinchilla --restarts 1 --hops 0 --jobs 1"


@pytest.fixture
def call(tmp_path, called):
    """Run the program in a folder with inputs: status, output and error."""
    write_inputs(tmp_path)

    def run(*arguments):
        done = called(*arguments, columns=100)
        return done.returncode, done.stdout, done.stderr

    return run


def arguments_of(case):
    return shlex.split(case["run"].replace("QUICK", QUICK))


def prepare(case, folder):
    for name, content in case.get("files", {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        (folder / name).write_bytes(data)
    for name, pairs in case.get("change", {}).items():
        text = (folder / name).read_text()
        for old, new in pairs.items():
            assert old in text, f"{name} has no {old!r}"
            text = text.replace(old, str(new))
        (folder / name).write_text(text)


@pytest.mark.parametrize("name", CASES)
def test_bad_input(call, tmp_path, name):
    case = CASES[name]
    prepare(case, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    status, _, said = call(*arguments_of(case))
    expected = case["says"].replace("LAWS", ", ".join(CATALOGUE))
    assert (status, said) == (case["status"], expected)
    if status == 2:  # nothing was written, changed or left
        assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_what_typer_refuses(call):
    """The words are its own, and change with its versions."""
    status, out, said = call("eval", "fit.yaml", "runs.csv", "--max-mre", "-1")
    assert (status, out) == (2, "")
    assert said.startswith("Usage: mixfit eval [OPTIONS] ")
    assert "Invalid value for '--max-mre': " in said


def test_the_corpus_is_large():
    assert len(CASES) >= 80
