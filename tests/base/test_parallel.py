"""Work spread over processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from mixfit.base.errors import InputError, WorkerError
from mixfit.base.parallel import Executor, available_processors, use_one_thread

ROOT = Path(__file__).parents[2]
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


def end(task):
    os._exit(3)


def run_script(folder, *lines):
    """Run a script of a user."""
    (folder / "script.py").write_text("\n".join(lines))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "script.py"]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_results_come_in_the_order_of_tasks_and_each_step_is_told(jobs):
    told = []

    @contextmanager
    def progress(label, total):
        told.append((label, total))
        yield lambda: told.append("a step")

    results = Executor(jobs, progress=progress).map(square_later, [1, 2, 3, 4, 5], "squaring")
    assert results == [1, 4, 9, 16, 25]
    assert told == [("squaring", 5), *["a step"] * 5]


def test_an_executor_stays_as_it_is_and_a_number_becomes_one():
    executor = Executor(2)
    assert Executor.of(executor) is executor
    assert Executor.of(1).map(abs, [-1, 2]) == [1, 2]


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_tasks(jobs):
    assert Executor(jobs).map(square_later, []) == []


def test_one_job_stays_in_this_process():
    assert {process for process, _ in Executor(1).map(process_and_threads, [0, 1])} == {os.getpid()}


def test_other_processes_use_one_thread_and_leave_the_environment_alone(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    results = Executor(2).map(process_and_threads, [0, 1, 2])
    assert os.getpid() not in {process for process, _ in results}
    assert {threads for _, threads in results} == {("1", "1", "1")}
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_in_a_task_arrives_as_it_is(jobs):
    with pytest.raises(InputError, match=r"^row 2 cannot be used$"):
        Executor(jobs).map(refuse, [0, 1, 2, 3])


def test_an_error_ends_the_other_tasks_at_once():
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"^a bug$"):
        Executor(2).map(fail_in_the_first, [0, 1, 2, 3])
    assert time.monotonic() - started < 30


def test_a_process_that_ends_on_its_own():
    with pytest.raises(WorkerError) as caught:
        Executor(2).map(end, [0, 1, 2])
    assert str(caught.value) == (
        "A process that was fitting ended on its own, as happens when memory runs out."
        " Try fewer at a time with jobs 1."
    )


def test_a_script_without_the_guard_is_told_of_it_and_of_nothing_else(tmp_path):
    done = run_script(
        tmp_path,
        "from mixfit.base.parallel import Executor",
        "print(Executor(2).map(abs, [-1, 2, -3]))",
    )
    assert (done.returncode, done.stdout) == (1, "")
    *_, last = done.stderr.splitlines()
    assert last == (
        "mixfit.base.errors.WorkerError: Processes import the script that starts them: put what it"
        " runs under 'if __name__ == \"__main__\":', or use jobs=1."
    )
    assert done.stderr.count("Error") == 2  # "raise WorkerError(", and the message
    assert done.stderr.count("Traceback") == 1


def test_a_script_with_the_guard_runs(tmp_path):
    done = run_script(
        tmp_path,
        "from mixfit.base.parallel import Executor",
        'if __name__ == "__main__":',
        "    print(Executor(2).map(abs, [-1, 2, -3]))",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[1, 2, 3]\n", "")


def test_use_one_thread(monkeypatch):
    for name in THREADS:
        monkeypatch.setenv(name, "5")
    use_one_thread()
    assert [os.environ[name] for name in THREADS] == ["1", "1", "1"]


def test_available_processors():
    assert 1 <= available_processors() <= (os.cpu_count() or 1)
