"""Build wheel and sdist into dist/, check what they hold, and try the wheel elsewhere.

The wheel is installed into an empty environment, where the commands of docs/example.md are run.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
# What an sdist needs, so that its tests run and its pages can be read.
IN_SDIST = [
    "README.md",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
    "lowest.txt",
    "mkdocs.yml",
    "docs/site/hooks.py",
    "mixfit/cli.py",
    "mixfit/py.typed",
    "tests/conftest.py",
    "tests/files_of_0.1.0/first.yaml",
    "docs/example.md",
    "docs/check.md",
    "sample_runs/coupled.csv",
    "sample_runs/additive.csv",
    "examples/Makefile",
    "benchmarks/solvers.py",
]


def main() -> None:
    """Do all of it, or end with what is wrong."""
    text = (ROOT / "mixfit" / "_version.py").read_text("utf-8")
    (version,) = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    check_texts(version)
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, ROOT)
    wheel, sdist = DIST / f"mixfit-{version}-py3-none-any.whl", DIST / f"mixfit-{version}.tar.gz"
    found = {path.name for path in DIST.iterdir()}
    demand(found == {wheel.name, sdist.name}, f"dist/ holds {sorted(found)}")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    check_wheel(wheel, version)
    check_sdist(sdist, version)
    with tempfile.TemporaryDirectory() as folder:
        try_wheel(wheel, version, Path(folder))
    print(f"ok: {wheel.name} and {sdist.name} are in dist/")


def demand(holds: bool, message: str) -> None:
    """End with a message where something does not hold."""
    if not holds:
        sys.exit(f"release: {message}")


def run(*command: object, **options: object) -> str:
    """Run a command, show what it prints where it fails, and give its standard output."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    words = shlex.join(str(word) for word in command)
    demand(done.returncode == 0, f"status {done.returncode} of {words}\n{done.stdout}")
    return done.stdout


def check_texts(version: str) -> None:
    """Check that the version has a date in the changelog, and stands in the citation."""
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    dated = re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", changes, re.MULTILINE)
    demand(dated is not None, f"CHANGELOG.md has no part '## {version} (YEAR-MONTH-DAY)'")
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    demand(
        f"\nversion: {version}\n" in citation, f"CITATION.cff has another version than {version}"
    )


def check_wheel(path: Path, version: str) -> None:
    """Check that a wheel holds the package, all of it, and nothing else."""
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        about = f"mixfit-{version}.dist-info"
        metadata = wheel.read(f"{about}/METADATA").decode()
        entries = wheel.read(f"{about}/entry_points.txt").decode()
    package = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "mixfit").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    held = {name for name in names if not name.startswith(f"{about}/")}
    demand(held == package, f"the wheel and mixfit/ differ in {sorted(held ^ package)}")
    demand(f"{about}/licenses/LICENSE" in names, "the wheel has no license")
    demand(f"\nVersion: {version}\n" in metadata, "the wheel has another version")
    demand("mixfit = mixfit.cli:main" in entries, "the wheel does not install the program")


def check_sdist(path: Path, version: str) -> None:
    """Check that an sdist holds what is needed, and nothing that was made from it."""
    with tarfile.open(path) as sdist:
        names = {name.removeprefix(f"mixfit-{version}/") for name in sdist.getnames()}
    lacking = [name for name in IN_SDIST if name not in names]
    demand(not lacking, f"the sdist lacks {lacking}")
    stray = [n for n in names if re.search(r"(^|/)(\.venv|__pycache__|build|dist)(/|$)|\.pyc$", n)]
    demand(not stray, f"the sdist has {stray[:5]}")


def try_wheel(wheel: Path, version: str, folder: Path) -> None:
    """Install a wheel into an empty environment, and run the worked example with it."""
    run(sys.executable, "-m", "venv", folder / "venv")
    python, program = folder / "venv" / "bin" / "python", folder / "venv" / "bin" / "mixfit"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    work = folder / "work"
    shutil.copytree(ROOT / "sample_runs", work / "sample_runs")
    demand(run(program, "--version", cwd=work) == f"mixfit {version}\n", "another --version")
    where = run(python, "-W", "error", "-c", "import mixfit; print(mixfit.__file__)", cwd=work)
    demand(where.startswith(str(folder / "venv")), f"mixfit is imported from {where}")
    run(program, "check", "sample_runs/coupled.csv", "--strict", cwd=work)
    page = (ROOT / "docs" / "example.md").read_text("utf-8")
    commands = re.findall(r"^\$ mixfit ((?:.*\\\n)*.*)$", page, re.MULTILINE)
    demand(len(commands) >= 4, "docs/example.md has hardly any command")
    for command in commands:
        words = shlex.split(command.replace("\\\n", " "))
        run(program, *words, cwd=work)
        print(f"ran mixfit {' '.join(words)}")


main()
