"""Work spread over processes."""

from __future__ import annotations

import os
import time

import pytest

from mixfit.base.errors import InputError
from mixfit.base.parallel import available_processors, map_tasks, use_one_thread

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def square_later(task):
    """The first tasks take longest, so that results come in another order."""
    time.sleep(0.05 * max(0, 3 - task))
    return task * task


def process_and_threads(_):
    return os.getpid(), tuple(os.environ.get(name) for name in THREADS)


def refuse(task):
    if task == 2:
        raise InputError("row 2 cannot be used")
    return task


def fail_in_the_first(task):
    if task == 0:
        raise ValueError("a bug")
    time.sleep(60)


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_results_come_in_the_order_of_tasks(jobs):
    calls = []
    found = map_tasks(square_later, [1, 2, 3, 4, 5], jobs=jobs, done=lambda: calls.append(None))
    assert found == [1, 4, 9, 16, 25]
    assert len(calls) == 5


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_tasks(jobs):
    assert map_tasks(square_later, [], jobs=jobs) == []


def test_one_job_stays_in_this_process():
    assert {found[0] for found in map_tasks(process_and_threads, [0, 1], jobs=1)} == {os.getpid()}


def test_other_processes_use_one_thread_and_leave_the_environment_alone(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    found = map_tasks(process_and_threads, [0, 1, 2], jobs=2)
    assert os.getpid() not in {process for process, _ in found}
    assert {threads for _, threads in found} == {("1", "1", "1")}
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_in_a_task_arrives_as_it_is(jobs):
    with pytest.raises(InputError, match=r"^row 2 cannot be used$"):
        map_tasks(refuse, [0, 1, 2, 3], jobs=jobs)


def test_an_error_ends_the_other_tasks_at_once():
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"^a bug$"):
        map_tasks(fail_in_the_first, [0, 1, 2, 3], jobs=2)
    assert time.monotonic() - started < 30


def test_use_one_thread(monkeypatch):
    for name in THREADS:
        monkeypatch.setenv(name, "5")
    use_one_thread()
    assert [os.environ[name] for name in THREADS] == ["1", "1", "1"]


def test_available_processors():
    assert 1 <= available_processors() <= (os.cpu_count() or 1)
