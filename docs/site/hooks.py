"""What MkDocs needs beside the pages in ``docs/``: pages of other folders, and generated ones.

Pages link to each other by relative paths of the checkout, so that they can be read there too; the
links become those of the site.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from typeset import mathml

import mixfit
from mixfit import plots
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.parameters import FREE, NONNEGATIVE, POSITIVE
from mixfit.reports.laws import count_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

#: Of the checkout, to what it is in the site; pages, and files that pages link to.
BROUGHT = {
    "README.md": "index.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CITATION.cff": "CITATION.cff",
    "lowest.txt": "lowest.txt",
    "examples/README.md": "examples/README.md",
    "examples/Makefile": "examples/Makefile",
    "examples/ci.yml": "examples/ci.yml",
    "examples/mixfit.toml": "examples/mixfit.toml",
    "sample_runs/README.md": "sample_runs/README.md",
    "sample_runs/tiny_lm/README.md": "sample_runs/tiny_lm/README.md",
}

#: Rooms of the package that have public names, with the title of their page.
ROOMS = {
    "runs": "Tables of runs",
    "fitting": "Fits and checks",
    "evaluation": "Evaluation, prediction and comparison",
    "mixture": "The best mixture",
    "design": "Which mixtures to train",
    "base": "Errors and notes",
}
_KINDS = {POSITIVE: "positive", NONNEGATIVE: "0 or more", FREE: "of either sign"}
# A link of Markdown, or of HTML in it, that has no scheme.
_LINK = re.compile(r"""(\]\(|(?:src|href)=")(?![a-z]+:|#)([^)#\s"]+)""")
# A page that is called by the name of its file, such as [files.md](files.md).
_NAMED = re.compile(r"\[(?:[./\w]+/)?([\w-]+)\.md\](?=\()")
_CODE = re.compile(r"`[^`]+`")
_FENCE = re.compile(r"^ *```")


def laws_page() -> str:
    """Write the catalogue with its equations typeset."""
    parts = [
        "# The laws\n\nThe catalogue, as `mixfit laws` lists it. h_i is the weight of domain i, k"
        " the number of domains, N the model size in parameters and D the training length in"
        " tokens; sums and products go over all domains. [How laws are fitted](fitting.md) says"
        " what they have in common, [the laws of others](rivals.md) how all of them do on real"
        " runs, and [adding a law](adding-a-law.md) how your own is one.\n"
    ]
    for law in CATALOGUE.values():
        params = [
            f"`{param.name}{'_i' * param.per_domain}` {_KINDS[param.kind]}" for param in law.groups
        ]
        lines = [
            f"## {law.name}",
            f'<div class="equation">{mathml(law.equation)}</div>',
            f"`{law.equation}`",
            f"- Source: {law.source}.",
            f"- Parameters: {count_text(law)}; {', '.join(params)}.",
        ]
        if law.contains:
            smaller = ", ".join(f"[{one.name}](#{one.name})" for one in law.contains)
            lines.append(f"- Contains {smaller}.")
        if law.candidate:
            lines.append("- `--law auto` may choose it.")
        if law.treatment.source:
            lines.append(f"- Treatment: {law.treatment.source}.")
        heading, block, text, *items = lines
        parts.append("\n\n".join([heading, block, text, "\n".join(items)]) + "\n")
    return "\n".join(parts)


def room_page(room: str) -> str:
    """Write the page of the public names of a room, from their docstrings."""
    names = [name for name, home in mixfit._HOME.items() if home.startswith(f"{room}.")]
    return f"# {ROOMS[room]}\n\n" + "".join(f"::: mixfit.{name}\n\n" for name in sorted(names))


def own_laws_page() -> str:
    """Write the page of what laws are made of."""
    modules = ("law", "coefficients", "parameters")
    return "# What laws are made of\n\n" + "".join(f"::: mixfit.laws.{m}\n\n" for m in modules)


def plots_page() -> str:
    """Write the page of the functions that draw."""
    kinds = {kind.function: kind.module for own in plots.KINDS.values() for kind in own.values()}
    return "# Pictures\n\n[The gallery](../gallery.md) shows them.\n\n" + "".join(
        f"::: mixfit.plots.{module}.{function}\n\n" for function, module in kinds.items()
    )


#: Pages that are written from the package.
GENERATED: dict[str, Callable[[], str]] = {
    "laws.md": laws_page,
    "api/laws.md": own_laws_page,
    "api/plots.md": plots_page,
    **{f"api/{room}.md": lambda room=room: room_page(room) for room in ROOMS},
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files that do not lie in ``docs/``."""
    from mkdocs.structure.files import File

    for origin, name in BROUGHT.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / origin)))
    for name, write in GENERATED.items():
        files.append(File.generated(config, name, content=write()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn a page of the checkout into one of the site."""
    name = page.file.src_uri
    if name == "index.md":
        page.meta["hide"] = ["navigation"]
    if name in GENERATED:
        return markdown
    origins = {place: origin for origin, place in BROUGHT.items()}
    return for_site(markdown, origins.get(name, f"docs/{name}"), name)


def for_site(markdown: str, origin: str, name: str) -> str:
    """Turn links, and what MkDocs reads otherwise than others, outside of blocks of code.

    Args:
        markdown: the page.
        origin: where it lies in the checkout.
        name: where it lies in the site.
    """

    def turned(match: re.Match[str]) -> str:
        linked = os.path.normpath(os.path.join(os.path.dirname(origin), match.group(2)))
        if (ROOT / linked).is_dir():
            linked = f"{linked}/README.md"
        place = BROUGHT.get(linked, linked.removeprefix("docs/"))
        return match.group(1) + os.path.relpath(place, os.path.dirname(name) or ".")

    def line_for_site(line: str) -> str:
        line = _NAMED.sub(lambda match: f"[{match.group(1).replace('-', ' ')}]", line)
        if line.startswith("|"):  # where others need a backslash in code, and MkDocs shows it
            line = _CODE.sub(lambda match: match.group().replace("\\|", "|"), line)
        return _LINK.sub(turned, line)

    lines, inside = [], False
    for line in markdown.split("\n"):
        inside ^= _FENCE.match(line) is not None
        lines.append(line if inside else line_for_site(line))
    return "\n".join(lines)
