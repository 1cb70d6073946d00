"""Spreading work over processes: the one place that knows how."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def use_one_thread() -> None:
    """Ask the linear algebra libraries for one thread in a process, before they are loaded.

    The matrices here are small, and processes share the work: more threads would only be in each
    other's way, and could change the last digits of results.
    """
    for name in _THREADS:
        os.environ[name] = "1"


def available_processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_tasks(
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    jobs: int,
    done: Callable[[], None] = lambda: None,
) -> list[R]:
    """Apply a function to each task, in processes of one thread where `jobs` is more than 1.

    An interrupt or an error in a task ends every process at once.

    Args:
        function: importable by name, without side effects.
        tasks: what it is applied to; each is sent to a process by pickling.
        jobs: how many processes, at the most; 1 works in this one.
        done: called after each task.

    Returns:
        The results, in the order of the tasks.
    """
    jobs = min(jobs, len(tasks))
    if jobs <= 1:
        results = []
        for task in tasks:
            results.append(function(task))
            done()
        return results
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from multiprocessing import get_context

    previous = {name: os.environ.get(name) for name in _THREADS}
    use_one_thread()
    context = get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        context.set_forkserver_preload([function.__module__])
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_interrupts_to_parent)
    try:
        futures = [pool.submit(function, task) for task in tasks]
        pending = set(futures)
        while pending:
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                done()
        return [future.result() for future in futures]
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
