"""Pages of HTML: escaped, with headings and tables that a screen reader can use."""

from __future__ import annotations

from html.parser import HTMLParser

from mixfit.reports.page import Code, Picture, Points, Section, Table, render_page
from mixfit.reports.report import Grid, Remark

EVIL = "<script>alert('x')</script> & \"q\""
GRID = Grid(
    ("name", "a\nb"), ((EVIL, "1"), ("y", "2")), ("mean", "1.5"), marked=frozenset({(1, 1)})
)
PARTS = (
    EVIL,
    Table(EVIL, GRID),
    Picture(b"<svg/>", EVIL, EVIL),
    Code(EVIL),
    Points([EVIL]),
    Remark("ok", EVIL),
)
VOID = {"meta", "img"}


class Reader(HTMLParser):
    """Tags with their attributes, words, and the tags that are open at the end."""

    def __init__(self):
        super().__init__()
        self.tags, self.words, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_every_text_is_escaped():
    reader = read(render_page(EVIL, EVIL, [Section(EVIL, PARTS)]))
    assert reader.open == []
    assert "script" not in [tag for tag, _ in reader.tags]
    # Title twice, lead, contents, heading, and seven in the parts.
    assert sum(EVIL in words for words in reader.words) == 5 + 7
    image = next(attrs for tag, attrs in reader.tags if tag == "img")
    assert image["alt"] == EVIL


def test_tables_have_captions_and_headers():
    page = render_page("t", "l", [Section("h", (Table("what it holds", GRID),))])
    assert "<caption>what it holds</caption>" in page
    assert '<th scope="col">a b</th>' in page
    assert '<tr><th scope="row" class="left">y</th><td><strong>2</strong></td></tr>' in page
    assert '<tfoot>\n<tr><th scope="row" class="left">mean</th><td>1.5</td></tr>' in page


def test_contents_lead_to_sections():
    page = render_page("t", "l", [Section("one", ()), Section("two", ())])
    reader = read(page)
    targets = {attrs["id"] for tag, attrs in reader.tags if tag == "h2"}
    assert {attrs["href"] for tag, attrs in reader.tags if tag == "a"} == {f"#{t}" for t in targets}


def test_it_fetches_nothing():
    reader = read(render_page("t", "l", [Section("h", PARTS)]))
    addresses = [attrs[k] for _, attrs in reader.tags for k in ("src", "href") if k in attrs]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "@import" not in reader.words
    assert not any("url(" in words for words in reader.words)


def test_a_name_that_is_not_utf8():
    assert "a\N{REPLACEMENT CHARACTER}b" in render_page("a\udcffb", "", [])
