"""Draw the pictures of the gallery: run the commands that stand in ``docs/gallery.md``.

    python docs/draw_gallery.py [NAME...]

With names, such as ``observed``, only these are drawn; what they are drawn from is made always.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^<!-- draws -->\n```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r"docs/pictures/([\w-]+)\.png")


def commands() -> list[list[str]]:
    """Give the commands of the page, in order, as words."""
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    lines = "".join(_BLOCK.findall(page)).replace("\\\n", "").splitlines()
    return [shlex.split(line) for line in lines if line]


def main() -> None:
    """Run them in the folder of the project."""
    wanted = set(sys.argv[1:])
    here = Path(sys.executable).parent
    (ROOT / "build").mkdir(exist_ok=True)
    for words in commands():
        drawn = set(_PICTURE.findall(" ".join(words)))
        if wanted and drawn and not drawn & wanted:
            continue
        print(" ".join(words), flush=True)
        program = {"mixfit": [str(here / "mixfit")], "python": [sys.executable]}[words[0]]
        subprocess.run([*program, *words[1:]], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
