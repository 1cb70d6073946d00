"""Spreading work over a real Dask scheduler and real workers, one of which is lost on the way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from mixfit.base.errors import WorkerError
from mixfit.base.parallel import Executor

distributed = pytest.importorskip("distributed")


def slow_square(number):
    time.sleep(0.2)
    return number**2, os.getpid()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers of one thread on the loopback address."""
    address = f"tcp://127.0.0.1:{free_port()}"
    # Workers load functions by name, those of this test too.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    dask, here = [sys.executable, "-m"], ["--host", "127.0.0.1", "--no-dashboard"]
    started = [
        subprocess.Popen(
            [*dask, "distributed.cli.dask_scheduler", *here, "--port", address.split(":")[2]],
            cwd=tmp_path,
            **quiet,
        )
    ]
    started += [
        subprocess.Popen(
            [*dask, "distributed.cli.dask_worker", address, *here, "--nthreads", "1", "--no-nanny"],
            cwd=tmp_path,
            **quiet,
        )
        for _ in range(2)
    ]
    try:
        with distributed.Client(address, timeout="30s", set_as_default=False) as client:
            client.wait_for_workers(2, timeout=30)
        yield address, started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_lost_worker_changes_nothing(cluster):
    address, workers = cluster
    steps = []

    @contextmanager
    def lose_one(label, total):
        def step():
            steps.append((label, total))
            if len(steps) == 4:
                workers[0].send_signal(signal.SIGKILL)

        yield step

    executor = Executor(cluster=address, progress=lose_one)
    results = executor.map(slow_square, range(20), "squaring")
    assert [square for square, _ in results] == [number**2 for number in range(20)]
    assert steps == [("squaring", 20)] * 20
    assert workers[0].wait(10) == -signal.SIGKILL
    assert workers[1].pid in {pid for _, pid in results}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fit_on_a_cluster_is_the_local_one(cluster, mixfit, tmp_path, sample_runs):
    address, workers = cluster
    arguments = ("fit", sample_runs / "additive.csv", "--restarts", "3", "--hops", "2")
    assert mixfit(*arguments, "-o", "local.yaml", "--jobs", "1").returncode == 0
    workers[1].kill()
    done = mixfit(*arguments, "-o", "cluster.yaml", "--cluster", address)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cluster.yaml").read_bytes() == (tmp_path / "local.yaml").read_bytes()


def test_no_scheduler_is_one_message(mixfit, sample_runs):
    nobody = f"tcp://127.0.0.1:{free_port()}"
    done = mixfit("fit", sample_runs / "additive.csv", "--cluster", nobody, "-o", "fit.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: There is no Dask scheduler at {nobody}")
    assert done.stderr.count("\n") == 1


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(WorkerError, match=r"pip install 'mixfit\[cluster\]'"):
        Executor(cluster="tcp://127.0.0.1:1").map(slow_square, [1, 2])
