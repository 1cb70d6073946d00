"""What several test modules use."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

import pytest
import yaml

from mixfit.base.parallel import use_one_thread
from mixfit.cli import main
from mixfit.commands.schema import schema_of

use_one_thread()  # as the program does; numpy is imported later

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sysconfig.get_path("scripts")) / "mixfit"
REAL_RUNS = ROOT.parent / "shared" / "data" / "slimpajama_small.csv"


@pytest.fixture
def mixfit(tmp_path):
    """Run the installed program in a folder of its own; gives the finished process."""

    def run(*arguments, columns=None, env_extra=None, **options):
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")}
        environment |= env_extra or {}
        if columns is not None:
            environment["COLUMNS"] = str(columns)
        done = subprocess.run(
            [str(PROGRAM), *map(str, arguments)],
            **{"cwd": tmp_path} | options,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        _check_written(done, Path(options.get("cwd", tmp_path)))
        return done

    return run


@pytest.fixture
def called(tmp_path, monkeypatch, capsys):
    """Run the program in this process, as `mixfit` does in one of its own; a warning is an error.

    For what says nothing of processes, streams, signals or the start of the program: that takes
    most of the time of a process.
    """
    monkeypatch.setattr("mixfit.cli.signal.signal", lambda *_: None)

    def run(*arguments, cwd=tmp_path, columns=None):
        monkeypatch.chdir(cwd)
        for name in ("COLUMNS", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        if columns is not None:
            monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("sys.argv", ["mixfit", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        done = subprocess.CompletedProcess(arguments, ended.value.code or 0, *capsys.readouterr())
        _check_written(done, Path(cwd))
        return done

    return run


def _check_written(done, folder):
    """Hold the file that a command wrote, if it did, to the schema of its kind."""
    # Other tests fail where this library is not installed; these say more with it.
    words = [str(word) for word in done.args]
    if done.returncode == 0 and "-o" in words and importlib.util.find_spec("jsonschema"):
        out = words[words.index("-o") + 1]
        path = folder / out
        if out == "-" or path.suffix in (".yaml", ".json"):
            check_file(done.stdout if out == "-" else path.read_text(encoding="utf-8"))


def check_file(text):
    """Hold a file that the program wrote to the schema that it prints, if it has a kind."""
    content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    kind = content.get("schema", "") if isinstance(content, dict) else ""
    match = re.fullmatch(r"mixfit\.(fit|mixture|eval|compare|check)/1", kind)
    if match is not None:
        _validator(match.group(1)).validate(content)


@cache
def _validator(kind):
    from jsonschema import Draft202012Validator

    schema = schema_of(kind)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def sample_runs():
    """The folder of small synthetic tables."""
    return ROOT / "sample_runs"


@pytest.fixture
def real_runs():
    """The real runs, where a developer has them; tests that need them skip elsewhere."""
    if not REAL_RUNS.exists():
        pytest.skip("the real runs are not here")
    return REAL_RUNS
