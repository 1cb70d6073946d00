"""Spreading work over processes and machines: the one place that knows how."""

from __future__ import annotations

import os
import re
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mixfit.base.errors import WorkerError, parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent import futures
    from contextlib import AbstractContextManager

    Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]

T = TypeVar("T")
R = TypeVar("R")

_UNGUARDED = 97  # the exit status of a process that was to start others while it imported a script
_TALKATIVE = ("distributed", "tornado", "asyncio")  # loggers
_PATIENCE = 5  # seconds that a scheduler has to answer
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


@contextmanager
def silent(label: str, total: int) -> Iterator[Callable[[], None]]:
    """Tell nobody."""
    yield lambda: None


class Executor:
    """Where work is done, and who is told how far it is.

    In this process, in several processes of one thread on this machine, or by a Dask cluster, on
    whose workers mixfit is installed. Results never depend on it.
    """

    def __init__(
        self, jobs: int | None = 1, *, cluster: str | None = None, progress: Progress = silent
    ) -> None:
        """Choose.

        Args:
            jobs: how many processes at the most: 1 works in this process, None means one for each
                processor. With more than one, a script must guard what it runs by
                ``if __name__ == "__main__"``, as processes import it.
            cluster: in place of processes, the address of a Dask scheduler, such as
                ``tcp://host:8786``; a task whose worker is lost is given to another.
            progress: from what is being done and the number of steps to a context that gives a
                function to be called after each step.

        Raises:
            WorkerError: if the address is none.
        """
        if cluster is not None:
            _check_address(cluster)
        self._jobs, self._cluster, self._progress = jobs, cluster, progress

    @classmethod
    def of(cls, jobs: int | Executor | None) -> Executor:
        """Take a number of processes, or an executor as it is."""
        return jobs if isinstance(jobs, Executor) else cls(jobs)

    def map(self, function: Callable[[T], R], tasks: Sequence[T], label: str = "") -> list[R]:
        """Apply a function to each task.

        An interrupt or an error in a task ends every local process at once, and cancels what a
        cluster has not begun.

        Args:
            function: importable by name, without side effects.
            tasks: what it is applied to; each is sent to a process by pickling.
            label: what is being done, for who is told of progress.

        Returns:
            The results, in the order of the tasks.

        Raises:
            WorkerError: if processes end on their own, as they do where a script is not guarded, or
                a cluster cannot be used.
        """
        with self._progress(label, len(tasks)) as done:
            if self._cluster is not None:
                with _on_cluster(self._cluster) as pool:
                    return _collect(pool, function, tasks, done)
            jobs = min(self._jobs or available_processors(), len(tasks))
            if jobs <= 1:
                results = []
                for task in tasks:
                    results.append(function(task))
                    done()
                return results
            with _in_processes(jobs, function.__module__) as pool:
                return _collect(pool, function, tasks, done)


def _collect(
    pool: futures.Executor, function: Callable[[T], R], tasks: Sequence[T], done: Callable[[], None]
) -> list[R]:
    from concurrent.futures import as_completed

    with _signals_wait():  # a process that is being made must not be left half made
        pending = [pool.submit(function, task) for task in tasks]
    for future in as_completed(pending):
        future.result()
        done()
    return [future.result() for future in pending]


@contextmanager
def _in_processes(jobs: int, module: str) -> Iterator[futures.Executor]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import current_process, get_context

    if getattr(current_process(), "_inheriting", False):
        # This process of a pool is still importing the script, which has come here again.
        os._exit(_UNGUARDED)  # without a traceback; the parent says what is wrong
    previous = {name: os.environ.get(name) for name in _THREADS}
    use_one_thread()
    context = get_context("forkserver" if os.name == "posix" else "spawn")
    if os.name == "posix":
        context.set_forkserver_preload([module])
        _start_servers()
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_prepare_process)
    try:
        yield pool
    except BrokenProcessPool:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=True)  # so that their exit statuses are known
        if any(process.exitcode == _UNGUARDED for process in processes):
            raise WorkerError(
                "Processes import the script that starts them: put what it runs under"
                f" 'if __name__ == \"__main__\":', or use {parameter('jobs')}=1."
            ) from None
        raise WorkerError(
            "A process that was fitting ended on its own, as happens when memory runs out."
            f" Try fewer at a time with {parameter('jobs')} 1."
        ) from None
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


def _start_servers() -> None:
    """Start what makes processes so that all of these leave a terminal's signals to this one."""
    from multiprocessing import forkserver, resource_tracker

    left_alone = {signal.SIGINT, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, left_alone)
    try:
        resource_tracker.ensure_running()  # which unblocks one of them
        signal.pthread_sigmask(signal.SIG_BLOCK, left_alone)
        forkserver.ensure_running()  # it and its children inherit what is blocked
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Let a signal that ends the program come when this is over."""
    came: list[int] = []
    previous: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other handles signals
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and callable(signal.getsignal(number)):
                previous[number] = signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def _on_cluster(address: str) -> Iterator[futures.Executor]:
    from concurrent.futures import CancelledError

    try:
        from distributed import Client, KilledWorker
        from distributed.comm.core import CommClosedError
    except ImportError:
        raise WorkerError(
            f"{parameter('cluster')} needs Dask, which is not installed:"
            " pip install 'mixfit[cluster]'."
        ) from None
    with _dask_is_quiet():
        _require_scheduler(address)
        with Client(address, timeout="5s", set_as_default=False) as client:
            if not client.scheduler_info()["workers"]:
                raise WorkerError(
                    f"The Dask scheduler at {address} has no workers. Start some:"
                    f" dask worker {address}"
                )
            pool = client.get_executor(retries=2, pure=False)
            try:
                yield pool
            except KilledWorker as error:
                raise WorkerError(
                    f"Workers of the cluster ended again and again: {error}"
                ) from None
            except ModuleNotFoundError as error:
                raise WorkerError(
                    f"A worker of the cluster lacks {error.name}: install it there."
                ) from None
            except (CancelledError, CommClosedError):
                raise WorkerError(
                    f"The Dask scheduler at {address} went away before the work was done."
                ) from None
            finally:
                pool.shutdown(wait=False)


def _check_address(address: str) -> None:
    """Refuse what Dask would stumble over, before it is asked."""
    match = re.fullmatch(
        r"(?:(tcp|tls)://)?(?:[^\s:/\[\]]+|\[[0-9a-fA-F:.%]+\]):([0-9]{1,5})", address
    )
    if match is None or not 0 < int(match[2]) < 1 << 16:
        raise WorkerError(
            f"{parameter('cluster')} {address!r} is no address of a Dask scheduler. Give the one"
            " that 'dask scheduler' prints, such as tcp://host:8786."
        )


def _require_scheduler(address: str) -> None:
    """Refuse an address where no scheduler answers; a `Client` may wait there for ever."""
    import asyncio

    from distributed.core import rpc
    from distributed.security import Security

    tls = Security().get_connection_args("client").get("ssl_context")
    if address.startswith("tls:") and tls is None:
        raise WorkerError(
            f"{parameter('cluster')} {address}: Dask's configuration names no certificates for tls."
            " Set them there (distributed.comm.tls), or use tcp."
        )

    async def ask() -> None:
        async with rpc(address, timeout=_PATIENCE) as scheduler:
            await scheduler.identity()

    try:
        asyncio.run(asyncio.wait_for(ask(), _PATIENCE + 1))
    except Exception as error:  # whatever Dask makes of what is no scheduler
        why = str(error) or "no answer"
        raise WorkerError(
            f"There is no Dask scheduler at {address} ({why}). Give the address that"
            " 'dask scheduler' prints, such as tcp://host:8786."
        ) from None


@contextmanager
def _dask_is_quiet() -> Iterator[None]:
    """Keep Dask from telling the user of what becomes one message."""
    import logging

    names = [name for name in logging.root.manager.loggerDict if name.startswith(_TALKATIVE)]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _prepare_process() -> None:
    """Leave interrupts to the parent, and end with it, even if it is killed."""
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None, "this runs in a process of the pool"

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
