"""The site has every page once, and turns those of the checkout into its own."""

from __future__ import annotations

import importlib
import xml.etree.ElementTree as ET

import pytest
import yaml
from conftest import ROOT

from mixfit import _HOME
from mixfit.laws.catalogue import CATALOGUE

SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))


@pytest.fixture
def hooks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "site")
    return importlib.import_module("hooks")


@pytest.fixture
def typeset(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "site")
    return importlib.import_module("typeset")


def named(nav):
    """The pages that a part of the navigation names."""
    for entry in nav:
        page = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from [page] if isinstance(page, str) else named(page)


def test_the_navigation_names_every_page_once(hooks):
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    pages += [page for page in hooks.BROUGHT.values() if page.endswith(".md")]
    assert sorted(named(SITE["nav"])) == sorted([*pages, *hooks.GENERATED])


def test_what_is_brought_is_there(hooks):
    assert all((ROOT / origin).is_file() for origin in hooks.BROUGHT)


def test_every_public_name_has_its_place(hooks):
    pages = "".join(hooks.room_page(room) for room in hooks.ROOMS).split()
    assert {f"mixfit.{name}" for name in _HOME} - {"mixfit.__version__"} <= set(pages)


@pytest.mark.parametrize(
    ("line", "origin", "name", "becomes"),
    [
        ("[x](docs/files.md#a)", "README.md", "index.md", "[x](files.md#a)"),
        ("[README](../README.md)", "docs/check.md", "check.md", "[README](index.md)"),
        ("in [docs/from-nothing.md](docs/from-nothing.md)", "README.md", "index.md",
         "in [from nothing](from-nothing.md)"),
        ("[runs](..)", "sample_runs/tiny_lm/README.md", "sample_runs/tiny_lm/README.md",
         "[runs](../README.md)"),
        ("[c](../docs/commands.md)", "examples/README.md", "examples/README.md",
         "[c](../commands.md)"),
        ('<img src="docs/a.png" alt="b">', "README.md", "index.md", '<img src="a.png" alt="b">'),
        ("[p](https://arxiv.org/x) [q](#here)", "README.md", "index.md", None),
        ("```\n[x](docs/files.md)\n```", "README.md", "index.md", None),
        (r"| `--a B\|C` | d \| e |", "docs/a.md", "a.md", r"| `--a B|C` | d \| e |"),
    ],
)  # fmt: skip
def test_pages_become_those_of_the_site(hooks, line, origin, name, becomes):
    assert hooks.for_site(line, origin, name) == (line if becomes is None else becomes)


WORDS = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "eps",
    "η": "eta",
    "κ": "kappa",
}
WORDS |= {"∑": "sum ", "∏": "prod ", "+": " + ", "−": "-", ",": "_", "\u2061": ""}
BETWEEN = {"msub": "_", "msup": "^", "mfrac": " / "}


def read(element):
    """An element of MathML, as the equation was written."""
    if element.tag == "mspace":
        return " "
    parts = [read(child) for child in element]
    if element.tag == "munder":
        return parts[0]  # the i of a sum is not written
    if element.tag == "msup" and not parts[1].removeprefix("-").replace("_", "").isalnum():
        parts[1] = f"-({parts[1].removeprefix('-')})"
    return WORDS.get(element.text, element.text or BETWEEN.get(element.tag, "").join(parts))


@pytest.mark.parametrize("law", CATALOGUE.values(), ids=lambda law: law.name)
def test_equations_are_typeset_as_they_are(hooks, typeset, law):
    written = typeset.mathml(law.equation)
    assert read(ET.fromstring(written)).replace("  ", " ") == law.equation
    assert written in hooks.laws_page()


@pytest.mark.parametrize("equation", ["E + ", "(E", "E)", "E $ 2", "^2"])
def test_what_is_no_equation_is_not_typeset(typeset, equation):
    with pytest.raises(ValueError, match=r"cannot typeset|stands where"):
        typeset.mathml(equation)
