"""The gallery shows every kind of picture, each drawn by a command that stands there."""

from __future__ import annotations

import importlib.util
import re

import pytest
import typer
from conftest import ROOT

from mixfit.cli import app
from mixfit.plots import KINDS

PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands


@pytest.fixture(scope="module")
def commands():
    path = ROOT / "docs" / "draw_gallery.py"
    spec = importlib.util.spec_from_file_location("draw_gallery", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.commands()


def test_every_picture_is_drawn_by_a_command_of_the_page(commands):
    drawn = [words[words.index("--plot") + 1] for words in commands if "--plot" in words]
    shown = [f"docs/{path}" for path in re.findall(r"\]\((pictures/[^)]+)\)", PAGE)]
    assert sorted(drawn) == sorted(shown)
    stands = {f"docs/pictures/{path.name}" for path in (ROOT / "docs" / "pictures").iterdir()}
    assert stands == set(drawn)


def test_every_picture_is_described():
    assert all(len(text) > 20 for text in re.findall(r"!\[(.*?)\]", PAGE))


def test_the_commands_are_right(commands):
    known = {kind for kinds in KINDS.values() for kind in kinds}
    seen = set()
    for program, *words in commands:
        if program == "mixfit":
            asked = COMMANDS[words[0]].make_context(words[0], words[1:]).params
            if asked.get("plot"):
                kind = asked.get("plot_kind", asked.get("kind"))
                seen.add(kind or {"eval": "observed", "compare": "errors"}.get(words[0], "weights"))
    assert seen == known


def test_the_pictures_of_the_front_page_are_of_the_gallery():
    shown = re.findall(r'<img src="([^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(shown) == 5
    assert all((ROOT / path).exists() for path in shown)
    assert {path.removeprefix("docs/") for path in shown} <= set(re.findall(r"\]\(([^)]+)", PAGE))
