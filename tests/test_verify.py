"""`make verify`: its page, its status, and that its tables are of the laws they are said to be."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pytest
from conftest import ROOT
from reference.equations import PLAIN

from mixfit.laws.catalogue import CATALOGUE

PAGE = "# A page\n\n<!-- figures -->\nold\n<!-- end of figures -->\nrest\n"


@pytest.fixture
def verify(monkeypatch):
    for folder in ("benchmarks", "sample_runs"):
        monkeypatch.syspath_prepend(ROOT / folder)
    return importlib.import_module("verify")


@pytest.mark.parametrize(("value", "status", "mark"), [(0.5, 0, "yes"), (2.0, 1, "**no**")])
def test_the_page_and_the_status(verify, tmp_path, monkeypatch, capsys, value, status, mark):
    monkeypatch.setattr(verify, "PARTS", {"scipy": lambda _: [verify.most("a", value, 1)]})
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    assert verify.main(["-o", str(page)]) == status
    text = page.read_text("utf-8")
    assert text.startswith("# A page\n\n<!-- figures -->\n\nmixfit ")
    assert text.endswith(
        f"| a | {value:.2g} | at most 1 | {mark} |\n\n<!-- end of figures -->\nrest\n"
    )
    assert ("FAIL" in capsys.readouterr().out) == bool(status)
    assert verify.main(["-o", str(page)]) == status
    assert page.read_text("utf-8") == text


def test_a_page_without_markers_is_refused(verify):
    with pytest.raises(ValueError, match="the page has no <!-- figures -->"):
        verify.put("# A page\n", "figures")


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_law_makes_its_table(verify, name):
    made = verify.Made(name, 0, 0.0)
    runs = made.runs
    losses = PLAIN[name](made.params, runs.N, runs.D, runs.h, 0)
    np.testing.assert_allclose(runs.losses_of("web"), losses, rtol=1e-9)
    assert np.ptp(losses) > 1e-3


def test_a_law_comes_back(verify):
    predictions, parameters, objective = verify.recovered(("chinchilla", 0))
    assert max(predictions, parameters) < 1e-9
    assert 0.9 < objective <= 1


def test_the_page_in_the_docs_is_what_it_writes(verify):
    text = (ROOT / "docs" / "verify.md").read_text("utf-8")
    content = text.split(verify.MARKERS[0])[1].split(verify.MARKERS[1])[0]
    titles = re.findall(r"^## (.+)$", content, re.MULTILINE)
    assert titles == [verify.TITLES[name] for name in verify.PARTS]
    assert "**no**" not in content
