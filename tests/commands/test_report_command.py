"""``mixfit report``: one page that needs nothing but itself, also in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pandas as pd
import pytest
from typer.testing import CliRunner

from mixfit.cli import app
from mixfit.commands.tables import TableOptions

EVIL = "<script>x</script>"
QUICK = ["--restarts", "1", "--hops", "0", "--jobs", "1"]


def made(*arguments):
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None, done.exception


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pytestconfig):
    """A folder with runs, one of whose targets has a name of markup, a fit and a mixture."""
    folder = tmp_path_factory.mktemp("report")
    table = pd.read_csv(pytestconfig.rootpath / "sample_runs" / "additive.csv")
    table = table.rename(columns={"math_loss": f"loss_{EVIL}"})
    table[table["model_size"] < 1e9].to_csv(folder / "runs.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made("fit", "runs.csv", "--law", "additive", "--where", "model_size<3e8", *QUICK,
             "-o", "fit.yaml")  # fmt: skip
        made("optimize", "fit.yaml", "--model-size", "1B", "--tokens", "10B", "-o", "mixture.yaml")
        made("report", "fit.yaml", "runs.csv", "--mixture", "mixture.yaml", "-o", "report.html")
    return folder


@pytest.fixture
def report(folder, called):
    """Write a page in the folder, giving what is said of it."""

    def command(*arguments, cwd=folder, status=0):
        done = called("report", "fit.yaml", *arguments, cwd=cwd)
        assert done.returncode == status, done.stderr
        return done.stderr

    return command


def test_curves_are_those_that_all_targets_have(folder, tmp_path, called):
    table = pd.read_csv(folder / "runs.csv")
    table.loc[table["model_size"] > table["model_size"].min(), "code_loss"] = None
    table.to_csv(tmp_path / "one.csv", index=False)
    done = called("fit", "one.csv", *QUICK, "-o", "fit.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = called("report", "fit.yaml", "-o", "report.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("<img ") == 3


def test_the_page(folder):
    page = (folder / "report.html").read_text("utf-8")
    assert len(page) < 3e6
    assert page.count("<img ") == 5
    assert EVIL not in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    for heading in ("In short", "How well it predicts", "The mixture to train on", "Notes"):
        assert f">{heading}</h2>" in page
    assert "mixfit report fit.yaml runs.csv --mixture mixture.yaml -o report.html" in page
    assert "http" not in re.sub(r"base64,[^\"]*", "", page)


def test_the_same_page_again(folder, report):
    said = report("runs.csv", "--mixture", "mixture.yaml", "-o", "again.html")
    assert said == "wrote  again.html\n"
    first, second = ((folder / name).read_text("utf-8") for name in ("report.html", "again.html"))
    assert first == second.replace("again.html", "report.html")


def test_without_runs_those_fitted_are_taken(folder, report):
    report("-o", "fitted.html")
    page = (folder / "fitted.html").read_text("utf-8")
    assert "No other rows were predicted: nothing here says how well unseen runs are." in page
    assert ">The mixture to train on</h2>" not in page


def test_without_any_runs(folder, report, tmp_path):
    shutil.copy(folder / "fit.yaml", tmp_path / "fit.yaml")
    assert report(cwd=tmp_path) == (
        "note  the files fitted are not here, or changed, so that no predictions are shown; give"
        " runs\nwrote  report.html\n"
    )
    assert "How well it predicts" not in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--mixture", "fit.yaml"),
            "fit.yaml: its schema is 'mixfit.fit/1', not 'mixfit.mixture/1'. Give a file of that"
            " kind.",
        ),
        (
            ("-o", "fit.yaml"),
            "fit.yaml: this file is read, and would be overwritten. Choose another.",
        ),
    ],
)
def test_refused(report, words, message):
    assert report(*words, status=2) == f"error: {message}\n"


# A page that shows the report in a frame of a given width and measures it.
FRAME = """<!DOCTYPE html><meta name="color-scheme" content="light dark"><body style="margin:0">
<iframe src="report.html" style="border:0;width:{width}px;height:900px"></iframe><pre></pre><script>
function brightness(colour) {{
  const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map(x => x / 255)
    .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}}
function ground(element) {{
  for (; element; element = element.parentElement) {{
    const colour = getComputedStyle(element).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return brightness(colour);
  }}
  return NaN;
}}
document.querySelector("iframe").onload = event => {{
  const page = event.target.contentDocument, root = page.documentElement;
  const out = [], faint = [];
  for (const element of page.body.querySelectorAll("*")) {{
    const box = element.getBoundingClientRect();
    if (!element.parentElement.closest(".wide, pre") && box.width && box.right > {width} + 0.5)
      out.push(element.tagName);
    if ([...element.childNodes].some(x => x.nodeType == 3 && x.data.trim())) {{
      const a = brightness(getComputedStyle(element).color), b = ground(element);
      if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) faint.push(element.textContent);
    }}
  }}
  const images = [...page.images].map(x => x.complete && x.naturalWidth > 0);
  document.querySelector("pre").textContent = JSON.stringify({{
    scrolls: root.scrollWidth, out, faint, images, ground: ground(page.body),
    scripts: page.scripts.length, wide: page.querySelectorAll(".wide").length,
    fetched: event.target.contentWindow.performance.getEntriesByType("resource")
      .map(x => x.name).filter(x => !x.startsWith("data:")),
  }});
}};
</script>"""


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_in_a_browser(folder, tmp_path, width, dark):
    (folder / f"frame{width}.html").write_text(FRAME.format(width=width), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    flags += ["--hide-scrollbars"]
    flags += [f"--user-data-dir={tmp_path}", "--window-size=1400,1000", "--timeout=20000"]
    flags += ["--virtual-time-budget=10000", f"--blink-settings=preferredColorScheme={1 - dark}"]
    address = (folder / f"frame{width}.html").as_uri()
    done = subprocess.run(
        ["chromium", *flags, "--dump-dom", address],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    found = json.loads(re.search(r"<pre>(.+?)</pre>", done.stdout, re.DOTALL).group(1))
    assert found["scrolls"] == width
    assert found["out"] == []
    assert found["faint"] == []
    assert found["images"] == [True] * 5
    assert found["wide"] >= 10
    assert (found["scripts"], found["fetched"]) == (0, [])
    assert (found["ground"] < 0.1) == dark


def test_the_options_of_tables_as_words():
    options = TableOptions(
        weights=["w_*"], set_=["N=1B"], where=["a>1", "b<2"], target_group=["q=x"], allow_units=True
    )
    assert options.words() == [
        *("--weights", "w_*", "--set", "N=1B", "--where", "a>1", "--where", "b<2"),
        *("--target-group", "q=x", "--allow-units"),
    ]
