"""The rooms of the package: which may import which, and what the lowest one holds."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "mixfit"

# Room to the rooms that it may import, beside itself. What is only imported for types counts too.
MAY_IMPORT = {
    "base": "",
    "laws": "base",
    "runs": "base",
    "simplex": "base",
    "fitting": "base laws runs",
    "evaluation": "base laws runs fitting",
    "mixture": "base laws runs fitting simplex",
    "design": "base laws runs fitting simplex mixture",
    "reports": "base laws runs fitting evaluation mixture design",
    "plots": "base laws runs fitting evaluation mixture",
    "commands": "base laws runs fitting evaluation mixture design reports plots",
    "cli": "base commands",
}
# What every room uses; a module more needs a reason, so that this does not become a store-room.
BASE = "arrays errors files metrics numbers packed parallel plain schema shown streams targets"


def modules():
    """Give the path of each module, and its name without the package's."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield path, ".".join(part for part in parts if part != "__init__")


def imported_by(path):
    """Give the modules of the package that a module imports, by name without the package's."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: line {node.lineno} imports by a relative name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("mixfit.") for name in names if name.startswith("mixfit."))


def test_rooms_import_downward_only():
    rooms = {name.partition(".")[0] for _, name in modules()} - {"", "_version"}
    assert rooms == set(MAY_IMPORT)
    upward = []
    for path, importer in modules():
        room = importer.partition(".")[0]
        allowed = {room, "_version", *MAY_IMPORT.get(room, "").split()}
        if room:  # the package itself hands out names of all rooms
            upward += [
                f"mixfit.{importer} imports mixfit.{imported}"
                for imported in imported_by(path)
                if imported.partition(".")[0] not in allowed
            ]
    assert not upward, "\n" + "\n".join(upward)


def test_base_holds_what_it_is_said_to_hold():
    found = {name.partition(".")[2] for _, name in modules() if name.startswith("base.")}
    assert found == set(BASE.split())
