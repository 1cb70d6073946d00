"""`mixfit check` as a user runs it."""

from __future__ import annotations

import json

import pytest
import yaml
from planted_faults import SIZES, clean, scaled


@pytest.fixture
def table(tmp_path):
    def write(plant=lambda table: table):
        plant(clean()).to_csv(tmp_path / "runs.csv", index=False)

    return write


def test_a_table_in_order(mixfit, table):
    table()
    done = mixfit("check", "runs.csv", "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "runs.csv: 336 rows, 14 mixtures of 3 domains, 50M to 400M parameters, 1B to 16B tokens\n"
        "14 mixtures: fewer than the numbers in h of full (22), coupled-joint-twofold (20)\n"
        "\n"
        "nothing wrong or doubtful was found\n"
    )


def test_a_warning_fails_where_that_is_strict(mixfit, table):
    table(scaled("loss_x", 3, 1e8, 1.04, slice(2, 3)))
    done = mixfit("check", "runs.csv")
    assert (done.returncode, done.stderr) == (0, "")
    warning, todo, _, count = done.stdout.splitlines()[3:]
    assert warning.startswith("warning  runs.csv: row 81 (line 82): the loss on x is ")
    assert warning.endswith(" [jump]")
    assert todo == (
        "         See the training's log there: a crash, a run that was resumed, or a wrong cell. "
        "Leave out with --where what is no part of the run."
    )
    assert count == "1 warning"
    strict = mixfit("check", "runs.csv", "--strict", "-o", "check.json")
    assert strict.returncode == 2
    assert strict.stdout == done.stdout
    assert strict.stderr == "wrote  check.json\n"
    assert mixfit("check", "runs.csv", "--strict", "--where", "n_tokens<3e9").returncode == 0


def test_the_file(mixfit, table, tmp_path):
    table(scaled("loss_x", 3, 1e8, -1.0, slice(2, 3)))
    done = mixfit("check", "runs.csv", "-o", "-")
    assert (done.returncode, done.stderr) == (2, "")
    content = yaml.safe_load(done.stdout)
    assert [content[key] for key in ("errors", "warnings", "advice")] == [1, 0, 0]
    (found,) = content["findings"]
    assert (found["code"], found["file"], found["row"]) == ("loss", "runs.csv", 81)
    assert found["todo"] == (
        "Empty the cell if the loss is unknown, or leave the row out with --where 'loss_x>0'."
    )
    assert mixfit("check", "runs.csv", "-o", "check.json").returncode == 2
    assert json.loads((tmp_path / "check.json").read_text()) == content


def test_five_findings_of_a_code_are_printed(mixfit, table):
    def plant(table):
        for mixture in range(7):
            part = slice(mixture % 5, mixture % 5 + 1)
            table = scaled("loss_x", 2 * mixture, SIZES[mixture % 4], 1.1, part)(table)
        return table

    table(plant)
    lines = mixfit("check", "runs.csv").stdout.splitlines()
    assert sum("[jump]" in line for line in lines) == 5
    assert "         and 2 more of the code jump: --out FILE has all" in lines
    assert lines[-1] == "7 warnings"


def test_a_budget(mixfit, table):
    table()
    done = mixfit("check", "runs.csv", "--budget", "7B,16B")
    assert "advice   7B is 18 times the largest size trained, 400M [model-size-outside]" in (
        done.stdout
    )
    for wrong in ("7B", "7B,x", "7B,1B,2"):
        done = mixfit("check", "runs.csv", "--budget", wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"error: --budget {wrong}: write parameters and tokens, as in 7B,150B.\n"
        )


def test_what_cannot_be_read(mixfit, table):
    table()
    done = mixfit("check", "none.csv")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-3:-1][0].startswith("         ")
    assert "[unreadable]" in done.stdout
    done = mixfit("check", "runs.csv", "--targets", "z*")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--targets" in done.stderr
