"""What pyproject.toml promises of other packages is what is tested."""

from __future__ import annotations

import re
import tomllib

from conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NOT_TESTED = {"bench", "lint"}  # the tools of developers
BOUND = re.compile(r"([\w-]+)>=([\d.]+)")


def test_the_lowest_versions_are_those_that_are_tested():
    text = (ROOT / "lowest.txt").read_text("utf-8")
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)$", text, re.MULTILINE))
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"]]
    asked += [one for name, each in extras.items() if name not in NOT_TESTED for one in each]
    bounds = {}
    for one in asked:
        name, bound = BOUND.fullmatch(one).groups()
        assert bounds.setdefault(name, bound) == bound, f"{name} has two bounds"
    assert set(bounds) <= set(pinned)
    for name, bound in bounds.items():
        whole = [*bound.split("."), "0", "0"][:3]
        assert pinned[name].split(".") == whole, f"{name}>={bound} is tested as {pinned[name]}"
