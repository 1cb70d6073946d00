"""What `import mixfit` gives: the names, and that they stay what they are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import mixfit

PACKAGE = Path(mixfit.__file__).parent


def run(code):
    """Run code in a new process, where nothing has been imported."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_type_checkers_see_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    (typed,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.asname: f"{node.module}.{alias.name}" for node in typed.body for alias in node.names
    }
    assert seen == {name: f"mixfit.{home}.{name}" for name, home in mixfit._HOME.items()}


def test_dir_lists_the_public_names():
    assert dir(mixfit) == sorted(mixfit.__all__)
    assert {"__version__", "fit", "read_runs"} <= set(dir(mixfit))


def test_no_public_name_is_that_of_a_module():
    # The import of such a module would put it in the place of the function.
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert "fitting" in modules
    assert not modules & set(mixfit.__all__)


def test_public_names_stay_what_they_are_whatever_is_imported():
    code = """
import importlib, pkgutil, mixfit
assert callable(mixfit.compare_laws) and callable(mixfit.evaluate)
for module in pkgutil.walk_packages(mixfit.__path__, "mixfit."):
    importlib.import_module(module.name)
for name, home in mixfit._HOME.items():
    value = getattr(importlib.import_module(f"mixfit.{home}"), name)
    assert getattr(mixfit, name) is value, name
"""
    run(code)


def test_importing_mixfit_imports_nothing_slow():
    slow = "{'numpy', 'pandas', 'pyarrow', 'rich', 'scipy', 'typer', 'yaml'}"
    assert run(f"import sys, mixfit; print({slow} & set(sys.modules))") == "set()\n"


def test_the_command_line_imports_nothing_slow():
    slow = "{'numpy', 'pandas', 'pyarrow', 'scipy', 'yaml'}"
    assert run(f"import sys, mixfit.cli; print({slow} & set(sys.modules))") == "set()\n"
