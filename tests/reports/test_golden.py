"""What each kind of result looks like, held against files; and that results show themselves.

After a change that is meant, ``PYTHONPATH=tests python tests/reports/test_golden.py`` writes the
files anew.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from results import MAKE, make_fit

from mixfit import reports
from mixfit.base.shown import Shown
from mixfit.reports import report_of
from mixfit.reports.render import render

GOLDEN = Path(__file__).parent / "golden"
# Every kind of result as text, and one in all forms.
CASES = [(name, "text", "txt") for name in MAKE]
CASES += [("fit", "markdown", "md"), ("fit", "html", "html"), ("fit", "latex", "tex")]


def made(name, form):
    result = MAKE[name]()
    return render(report_of(result, type(result).__name__), form)


@pytest.mark.parametrize(("name", "form", "suffix"), CASES)
def test_a_report_is_as_it_was(name, form, suffix):
    assert made(name, form) == (GOLDEN / f"{name}.{suffix}").read_text("utf-8")


@pytest.mark.parametrize("name", MAKE)
def test_results_show_themselves(monkeypatch, name):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    result = MAKE[name]()
    assert str(result) == (GOLDEN / f"{name}.txt").read_text("utf-8").strip("\n")
    assert result._repr_html_() == made(name, "html").strip("\n")


def test_every_result_that_shows_itself_has_a_report():
    assert {type(make()).__name__ for make in MAKE.values()} == set(reports._REPORTS)
    assert {kind.__name__ for kind in Shown.__subclasses__()} == set(reports._REPORTS)


class Text(HTMLParser):
    """The words of a page, and the tags that are open at its end."""

    def __init__(self):
        super().__init__()
        self.words, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_names_in_html_are_text():
    parser = Text()
    parser.feed(make_fit()._repr_html_())
    assert parser.open == []
    assert parser.words.count("m|<a>_t_h") == 1


if __name__ == "__main__":
    for name, form, suffix in CASES:
        (GOLDEN / f"{name}.{suffix}").write_text(made(name, form), "utf-8")
