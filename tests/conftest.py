"""What several test modules use."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from mixfit.base.parallel import use_one_thread

use_one_thread()  # as the program does; numpy is imported later

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sysconfig.get_path("scripts")) / "mixfit"
REAL_RUNS = ROOT.parent / "shared" / "data" / "slimpajama_small.csv"


@pytest.fixture
def mixfit(tmp_path):
    """Run the installed program in a folder of its own; gives the finished process."""

    def run(*arguments, columns=None, **options):
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")}
        if columns is not None:
            environment["COLUMNS"] = str(columns)
        return subprocess.run(
            [str(PROGRAM), *map(str, arguments)],
            **{"cwd": tmp_path} | options,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def sample_runs():
    """The folder of small synthetic tables."""
    return ROOT / "sample_runs"


@pytest.fixture
def real_runs():
    """The real runs, where a developer has them; tests that need them skip elsewhere."""
    if not REAL_RUNS.exists():
        pytest.skip("the real runs are not here")
    return REAL_RUNS
