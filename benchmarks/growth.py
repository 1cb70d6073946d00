"""How time and memory grow with rows, domains and targets.

Makes synthetic tables of 200 mixtures (fewer where there are few rows) with
sample_runs/make_sample_runs.py, runs `mixfit fit --jobs 1` on each as a process of its own, and
prints its time, processor time and peak memory.

    python benchmarks/growth.py [--law additive] [--quick]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

MAKER = Path(__file__).parents[1] / "sample_runs" / "make_sample_runs.py"
PROGRAM = Path(sysconfig.get_path("scripts")) / "mixfit"

# rows, domains, targets; each group varies one of them
GROUPS = {
    "rows": [(1_000, 8, 1), (10_000, 8, 1), (100_000, 8, 1), (1_000_000, 8, 1)],
    "domains": [(10_000, 2, 1), (10_000, 8, 1), (10_000, 32, 1), (10_000, 64, 1)],
    "targets": [(5_000, 8, 1), (5_000, 8, 10), (5_000, 8, 50), (5_000, 8, 200)],
}


def measure(command):
    """Run a command; gives wall seconds, processor seconds and megabytes."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{errors.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--law", default="additive")
    parser.add_argument("--quick", action="store_true", help="leave the largest of each out")
    chosen = parser.parse_args()
    print(f"mixfit fit --law {chosen.law} --jobs 1")
    print(f"{'rows':>10s}{'domains':>9s}{'targets':>9s}{'wall s':>9s}{'CPU s':>9s}{'MB':>8s}")
    with tempfile.TemporaryDirectory() as folder:
        for sizes in GROUPS.values():
            for rows, domains, targets in sizes[:-1] if chosen.quick else sizes:
                table = Path(folder) / "runs.parquet"
                maker = [sys.executable, str(MAKER), "--rows", str(rows)]
                maker += ["--mixtures", str(min(200, rows // 5)), "--domains", str(domains)]
                maker += ["--targets", str(targets), "--law", chosen.law, "-o", str(table)]
                subprocess.run(maker, check=True, stdout=subprocess.DEVNULL)
                # One process does all, so that its accounts are complete.
                fit = [str(PROGRAM), "fit", str(table), "--law", chosen.law, "-q", "--jobs", "1"]
                wall, cpu, memory = measure([*fit, "-o", str(Path(folder) / "fit.yaml")])
                numbers = f"{rows:>10,d}{domains:>9d}{targets:>9d}{wall:>9.1f}{cpu:>9.1f}"
                print(f"{numbers}{memory:>8.0f}", flush=True)
            print()


if __name__ == "__main__":
    main()
