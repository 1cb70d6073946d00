"""Standard output and error that are closed, full, or not read; a kill during a write."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from conftest import PROGRAM, ROOT

from mixfit.base.streams import visible

QUICK = "--law chinchilla --restarts 1 --hops 0 --jobs 1"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with a table and its fit."""
    folder = tmp_path_factory.mktemp("inputs")
    shutil.copy(ROOT / "sample_runs" / "additive.csv", folder / "runs.csv")
    words = [str(PROGRAM), "fit", "runs.csv", *QUICK.split(), "-o", "fit.yaml", "-q"]
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture
def shell(tmp_path, inputs):
    """Run a line of bash beside a table and its fit; gives status, output and error."""
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)

    def run(line, **environment):
        done = subprocess.run(
            ["bash", "-c", line.replace("mixfit", str(PROGRAM), 1).replace("QUICK", QUICK)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def failed(why):
    return f"error: standard output: cannot be written ({why}).\n"


def test_a_reader_that_goes_away_changes_no_status(shell, tmp_path):
    status = "; echo ${PIPESTATUS[0]}"
    assert shell("mixfit laws | true" + status) == (0, "0\n", "")
    assert shell("mixfit --help | true" + status) == (0, "0\n", "")
    assert shell("mixfit fit runs.csv QUICK -q -o a.yaml | true" + status) == (0, "0\n", "")
    assert yaml.safe_load((tmp_path / "a.yaml").read_text())["schema"] == "mixfit.fit/1"
    gate = shell("mixfit eval fit.yaml runs.csv -q --max-mre 0.1 | true" + status)
    assert gate[1] == "1\n"
    assert gate[2].startswith("FAIL  over 0.1%: ")
    lost = shell("mixfit eval fit.yaml runs.csv -o - | true" + status)
    assert lost == (0, "2\n", failed("its reader went away"))


def test_a_full_or_closed_output_is_one_message(shell):
    full = failed("No space left on device")
    assert shell("mixfit laws > /dev/full") == (2, "", full)
    assert shell("mixfit eval fit.yaml runs.csv -o - > /dev/full") == (2, "", full)
    assert shell("mixfit eval fit.yaml runs.csv >&-") == (2, "", failed("it is closed"))


def test_a_closed_or_full_error_output_loses_notes_alone(shell):
    status, text, _ = shell("mixfit eval fit.yaml runs.csv -o - --max-mre 0.1 2>&-")
    assert status == 1
    assert yaml.safe_load(text)["schema"] == "mixfit.eval/1"
    assert shell("mixfit eval fit.yaml runs.csv -o e.yaml > /dev/null 2> /dev/full")[0] == 0
    assert shell("mixfit eval fit.yaml no.csv 2>&-") == (2, "", "")


def test_a_result_is_utf8_whatever_the_encoding(shell, tmp_path):
    runs = tmp_path / "runs.csv"
    runs.write_text(runs.read_text().replace("weight_web", "weight_wéb"), encoding="utf-8")
    line = "mixfit fit runs.csv QUICK -q -o - > out.yaml"
    assert shell(line, PYTHONIOENCODING="ascii") == (0, "", "")
    domains = yaml.safe_load((tmp_path / "out.yaml").read_text(encoding="utf-8"))["domains"]
    assert domains == ["wéb", "code", "books"]


def test_pipes_and_devices_stay_what_they_are(shell, tmp_path):
    line = "mkfifo p; (cat p > got.yaml &); mixfit eval fit.yaml runs.csv -q -o p > /dev/null"
    assert shell(line) == (0, "", "")
    time.sleep(0.2)
    assert (tmp_path / "p").is_fifo()
    assert (tmp_path / "got.yaml").read_text().startswith("schema: mixfit.eval/1\n")
    assert shell("mixfit eval fit.yaml runs.csv -q -o /dev/null > /dev/null") == (0, "", "")
    assert not os.path.isfile("/dev/null")
    status, text, _ = shell("mixfit eval fit.yaml runs.csv -q -o /dev/stdout")
    assert (status, text[:22]) == (0, "schema: mixfit.eval/1\n")


def test_a_fit_through_a_pipe_is_refused(shell):
    status, _, said = shell("mixfit eval <(cat fit.yaml) runs.csv")
    assert status == 2
    assert "is no regular file" in said


def test_a_table_through_a_pipe_is_read_once(shell, tmp_path):
    import pandas as pd

    pd.read_csv(tmp_path / "runs.csv").to_parquet(tmp_path / "runs.parquet")
    status, text, said = shell("mixfit fit <(cat runs.parquet) QUICK -q")
    assert (status, said) == (0, "")
    assert "392 rows" in text


def test_json_by_the_name_of_the_file(shell, tmp_path):
    import json

    assert shell("mixfit fit runs.csv QUICK -q -o fit.json > /dev/null") == (0, "", "")
    content = json.loads((tmp_path / "fit.json").read_text())
    assert content == yaml.safe_load((tmp_path / "fit.yaml").read_text())
    assert shell("mixfit eval fit.json runs.csv -q > /dev/null") == (0, "", "")


def test_a_kill_during_the_write_leaves_the_old_file_whole(tmp_path):
    goal = tmp_path / "fit.yaml"
    goal.write_text("old")
    script = (
        "import sys; from mixfit.base.files import writing\n"
        "with writing('fit.yaml') as part, part.open('w') as sink:\n"
        "    sink.write('new' * 100_000); sink.flush(); print('half', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"half\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert goal.read_text() == "old"
    assert max(path.stat().st_size for path in tmp_path.iterdir() if path != goal) == 300_000


def test_what_a_terminal_obeys_is_written_as_what_it_is():
    assert visible("a\x1b[31m\n\u202eb\x9bc\udcff") == "a\\x1b[31m\\n\\u202eb\\x9bc\\udcff"
    assert visible("wéb\tπ") == "wéb\tπ"
