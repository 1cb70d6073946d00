"""The pages say what the program does: their code runs, and nothing is missing or made up."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import types
from collections import Counter

import pytest
import typer
from conftest import PROGRAM, ROOT

from mixfit.cli import app
from mixfit.evaluation.regressors import REGRESSORS
from mixfit.evaluation.together import JOINT_LAWS
from mixfit.fitting.check import _OF_NOTES
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import AUTO, parse_law

PAGES = {page.name: page for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
TEXT = {name: page.read_text(encoding="utf-8") for name, page in PAGES.items()}
SOURCES = sorted((ROOT / "mixfit").rglob("*.py"))
COMMANDS = typer.main.get_command(app).commands

RUNS = re.compile(r"^<!-- runs -->\n```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIRST_CELL = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)
# Rounding decides a gap of 1e-15, and the machine how long a fit takes.
UNEQUAL = re.compile(r"(?<=gap )\S+|(?<=\.\d{3}|\d\.\d\d) +\d+\.\d$", re.MULTILINE)
# What the codes of notes stand for that are put together.
CODES = {
    "f'no-{name}'": {"no-N", "no-D"},
    "f'fixed-{name}'": {"fixed-N", "fixed-D"},
    "f'{code}-outside'": {"model-size-outside", "tokens-outside"},
}


def first_cells(page):
    """What stands in backquotes in the first column of the tables of a page."""
    return [code for cell in FIRST_CELL.findall(TEXT[page]) for code in re.findall("`(.+?)`", cell)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as a reader of the pages has it: the sample runs, and a fit of them in fit.yaml."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "sample_runs").symlink_to(ROOT / "sample_runs")
    shown(folder, "mixfit fit sample_runs/additive.csv -o fit.yaml --restarts 2 --hops 1")
    return folder


def shown(folder, command):
    """What a command prints, in the order in which it does."""
    program, *arguments = shlex.split(command.replace("\\\n", ""))
    assert program == "mixfit"
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")}
    done = subprocess.run(
        [PROGRAM, *arguments],
        cwd=folder,
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("page", [name for name, text in TEXT.items() if "```python" in text])
def test_python_runs(page, folder, monkeypatch):
    lines, inside = [], False
    for line in TEXT[page].splitlines():
        if line.startswith("```"):
            inside = line == "```python"
        # What is no code becomes an empty line, so that a traceback has the lines of the page.
        lines.append(line if inside and not line.startswith("```") else "")
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    monkeypatch.chdir(folder)
    exec(compile("\n".join(lines), str(PAGES[page]), "exec"), vars(module))


@pytest.mark.parametrize("page", [name for name, text in TEXT.items() if "<!-- runs -->" in text])
def test_commands_print_what_is_shown(page, folder):
    assert TEXT[page].count("<!-- runs -->") == len(RUNS.findall(TEXT[page]))
    for block in RUNS.findall(TEXT[page]):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, expected = re.split(r"(?<!\\)\n", part, maxsplit=1)
            printed = UNEQUAL.sub("", shown(folder, command))
            assert printed.strip("\n") == UNEQUAL.sub("", expected).strip("\n")


def commands_of(text):
    """Every command that stands in code on a line of its own, as words, up to a pipe or a #."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    code = "".join([*blocks, *re.findall(r"^ {4}.*\n", text, re.MULTILINE)])
    for line in re.findall(r"^ *(?:\$ )?mixfit ((?:.*\\\n)*.*)$", code, re.MULTILINE):
        words = shlex.split(line.replace("\\\n", " "), comments=True)
        ends = [place for place, word in enumerate(words) if word in ("|", ">", "&&", ";")]
        yield words[: min(ends, default=None)]


@pytest.mark.parametrize("page", TEXT)
def test_every_command_shown_can_be_given(page):
    """Also where its files are not here: its options are known, and read what they are given."""
    for name, *words in commands_of(TEXT[page]):
        if name not in COMMANDS:
            assert name in ("--help", "--version", "--install-completion")
            continue
        asked = COMMANDS[name].make_context(name, list(words)).params.get("law") or ()
        for law in [asked] if isinstance(asked, str) else asked:
            of_their_own = re.fullmatch(r"\w+:[A-Z]+", law)
            assert of_their_own or law in (AUTO, *JOINT_LAWS, *REGRESSORS) or parse_law(law)


def test_a_command_that_cannot_be_given_is_found():
    (words,) = commands_of("mixfit x\n```\n$ mixfit fit runs.csv \\\n --lwa joint  # or so\n```\n")
    assert words == ["fit", "runs.csv", "--lwa", "joint"]
    with pytest.raises(Exception, match="No such option: --lwa"):
        COMMANDS["fit"].make_context("fit", words[1:])


def option_table(command):
    """The options of a command, as they should stand in docs/commands.md."""
    rows = []
    for param in command.params:
        names = ", ".join(param.opts) if param.param_type_name == "option" else ""
        text = param.help
        if param.show_default and param.default is not None and not getattr(param, "is_flag", 0):
            text += f" [default: {param.default}]"
        cells = f"{names} {param.metavar or ''}".strip().replace("|", "\\|")
        rows.append(f"| `{cells}` | {text.replace('|', chr(92) + '|')} |\n")
    return "".join(rows)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_and_options(name):
    sections = re.split(r"^## ", TEXT["commands.md"], flags=re.MULTILINE)[1:]
    of = {section.partition("\n")[0]: section for section in sections}
    assert set(of) == {f"mixfit {known}" for known in COMMANDS}
    stands = "".join(re.findall(r"^\| `.*\n", of[f"mixfit {name}"], re.MULTILINE))
    expected = option_table(COMMANDS[name])
    assert stands == expected, f"docs/commands.md, mixfit {name}, should have\n{expected}"


def test_laws():
    tables = re.findall(r"^\| ([\w-]+) \|.*\| ([\d k+]+) \|$", TEXT["fitting.md"], re.MULTILINE)
    for name, parameters in tables:
        fixed = CATALOGUE[name].count(0)
        each = CATALOGUE[name].count(1) - fixed
        assert parameters == f"{fixed}" + (f" + {each}k".replace(" 1k", " k") if each else "")
    others = set(CATALOGUE) - {name for name, _ in tables}
    assert others <= set(re.findall("`([^`]+)`", TEXT["compare.md"]))


def calls(name):
    """The calls of a function in the package, each with its place."""
    for source in SOURCES:
        for call in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == name:
                yield f"{source}:{call.lineno}", call


def finding_codes():
    """The codes of findings that are written where they are made."""
    for _, call in calls("Finding"):
        (code,) = (keyword.value for keyword in call.keywords if keyword.arg == "code")
        if isinstance(code, ast.Constant):
            yield code.value


def test_note_codes():
    given = set()
    for place, call in calls("Note"):
        code = call.args[0] if call.args else call.keywords[0].value
        if isinstance(code, ast.Constant):
            given.add(code.value)
        elif isinstance(code, ast.JoinedStr):
            given |= CODES[ast.unparse(code)]
        else:  # a note that is copied, or read from a file
            assert "code" in ast.unparse(code), place
    documented = set(first_cells("notes.md"))
    # Some notes are findings of `mixfit check`.
    extra = documented - given - set(finding_codes())
    assert extra == set(), "docs/notes.md has codes that the package never gives"
    assert given - documented == set(), "docs/notes.md lacks codes that the package gives"


def test_finding_codes():
    given = {*finding_codes(), *_OF_NOTES, "size", "loss", "weight"}
    given |= CODES["f'{code}-outside'"]
    assert set(first_cells("check.md")) == given


def test_the_map_has_every_module():
    modules = {
        source.relative_to(ROOT / "mixfit").as_posix(): ast.parse(source.read_text("utf-8"))
        for source in SOURCES
        if source.name != "__init__.py" or source.parent.name == "mixfit"
    }
    listed = Counter(name for name in first_cells("architecture.md") if name.endswith(".py"))
    lacking = [
        f"add     | `{name}` | {ast.get_docstring(tree).splitlines()[0].rstrip('.')} |"
        for name, tree in modules.items()
        if name not in listed
    ]
    gone = set(re.findall(r"`([\w/]+\.py)`", TEXT["architecture.md"])) - set(modules)
    twice = [f"once only `{name}`" for name, times in listed.items() if times > 1]
    faults = [*lacking, *(f"remove  `{name}`" for name in sorted(gone)), *twice]
    assert not faults, "docs/architecture.md:\n" + "\n".join(faults)


@pytest.mark.parametrize("page", [*TEXT, "CHANGELOG.md", "sample_runs/README.md"])
def test_links(page):
    path = PAGES.get(page, ROOT / page)
    for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), f"{page}: {link}"


def test_every_page_can_be_reached():
    pages = {f"docs/{name}" for name in PAGES if name != "README.md"}
    assert pages == set(re.findall(r"\]\((docs/[\w-]+\.md)", TEXT["README.md"]))
