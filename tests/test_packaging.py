"""What pyproject.toml promises of other packages is what is tested."""

from __future__ import annotations

import re
import tomllib

import yaml
from conftest import ROOT

from mixfit._version import __version__

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NOT_TESTED = {"bench", "docs", "lint", "release"}  # the tools of developers
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


def test_the_version_stands_in_the_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## {re.escape(__version__)} ", changes, re.MULTILINE)


def test_continuous_integration_has_the_versions_of_python_that_are_promised():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
    matrix = jobs["newest"]["strategy"]["matrix"]["python-version"]
    (lowest,) = {
        step["with"]["python-version"]
        for step in jobs["everything"]["steps"]
        if "python-version" in step.get("with", {})
    }
    assert PROJECT["requires-python"] == f">={lowest}"
    promised = re.findall(r":: Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert set(promised) <= {lowest, *matrix}
