"""How commands end."""

from __future__ import annotations

import pytest

from mixfit.commands.output import finish
from mixfit.reports.report import Remark, Report

REPORT = Report(("50% a line",), (Remark("note", "a note"),))


@pytest.fixture
def end(tmp_path, monkeypatch, capsys):
    """Finish with a result that is the text "result"; gives standard output and error."""
    monkeypatch.chdir(tmp_path)

    def write(path):
        if path == "-":
            print("result")
        else:
            (tmp_path / path).write_text("result")

    def finished(out, **options):
        finish(out, write, lambda: REPORT, **{"quiet": False, **options})
        return tuple(capsys.readouterr())

    return finished


def test_report_notes_and_what_was_written(end, tmp_path):
    assert end(None) == ("50% a line\n", "note  a note\n")
    assert end("a.yaml", also_written=[None, "b.csv"]) == (
        "50% a line\n",
        "note  a note\nwrote  a.yaml\nwrote  b.csv\n",
    )
    assert (tmp_path / "a.yaml").read_text() == "result"


def test_dash_gives_the_result_alone_and_remarks_that_are_always_made(end):
    assert end("-") == ("result\n", "")
    assert end("-", always=[Remark("note", "always")]) == ("result\n", "note  always\n")


def test_quiet(end, tmp_path):
    assert end("a.yaml", quiet=True, always=[Remark("note", "always")]) == ("50% a line\n", "")
    assert (tmp_path / "a.yaml").exists()


def test_other_forms(end):
    assert end(None, form="latex") == ("50\\% a line\n", "note  a note\n")


def test_the_file_is_written_before_anything_is_printed(tmp_path):
    path = tmp_path / "a.yaml"

    def report():
        assert path.read_text() == "result"
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        finish(str(path), lambda _: path.write_text("result"), report, quiet=False)
    assert path.read_text() == "result"
