"""Seconds of one core for one optimum and for each of a grid of budgets, by law and size.

python benchmarks/mixtures.py [--domains 64] [--targets 64]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from mixfit.base.parallel import use_one_thread

use_one_thread()
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from random_fits import LAWS, random_fit  # noqa: E402

from mixfit.mixture.planner import Planner  # noqa: E402


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--domains", type=int, default=64)
    options.add_argument("--targets", type=int, default=64)
    asked = options.parse_args()
    print(f"{'law':14s} {'one':>6s} {'of a grid':>10s}  certified")
    for law in LAWS:
        planner = Planner(random_fit(law, asked.domains, asked.targets, 3))
        begin = time.process_time()
        best = planner.best(7e9, 1e11)
        one = time.process_time() - begin
        begin = time.process_time()
        grid = planner.grid([1e8, 1e9, 1e10], [1e10, 1e11])
        each = (time.process_time() - begin) / len(grid)
        certified = all(mixture.certified for mixture in (best, *grid))
        print(f"{law:14s} {one:6.2f} {each:10.2f}  {certified}")


if __name__ == "__main__":
    main()
