"""Every command as a user runs it: through the installed program."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pandas as pd
import pytest
import typer
import yaml
from conftest import PROGRAM

from mixfit import __version__
from mixfit.base.errors import UsageError, parameter
from mixfit.cli import app, main
from mixfit.commands.options import OTHER_NAMES
from mixfit.laws.catalogue import CATALOGUE

QUICK = ("--restarts", "2", "--hops", "1", "--jobs", "1")


@pytest.fixture
def runs(tmp_path, sample_runs):
    """A copy of the sample runs that a test may spoil."""
    return shutil.copy(sample_runs / "additive.csv", tmp_path / "runs.csv")


@pytest.fixture
def fit_file(called, tmp_path, runs):
    alone = ("--discrepancy", "none")
    done = called("fit", "runs.csv", "--law", "chinchilla", *QUICK, *alone, "-o", "fit.yaml")
    assert done.returncode == 0, done.stderr
    return tmp_path / "fit.yaml"


def spoil(path, column, value, row=0):
    """Put a value into one cell of a CSV file."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[row, column] = value
    table.to_csv(path, index=False)


def refused(done, message):
    """The command ended with status 2 and one line, the message."""
    assert done.stderr == f"error: {message}\n"
    assert done.returncode == 2
    assert done.stdout == ""


def test_version(mixfit):
    assert mixfit("--version").stdout == f"mixfit {__version__}\n"


def test_every_command_and_option_has_help():
    for command in app.registered_commands:
        assert command.callback.__doc__
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        for option in command.params:
            assert getattr(option, "help", None), f"{name} {option.name}"


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_the_list_of_commands_is_not_cut(called, columns):
    text = " ".join(called("--help", columns=columns).stdout.split())
    for command in app.registered_commands:
        assert f" {command.name} {command.callback.__doc__.partition(chr(10))[0]}" in text


def test_the_shell_can_complete_commands(mixfit):
    for shell in ("bash", "zsh", "fish"):
        done = mixfit(env_extra={"_MIXFIT_COMPLETE": f"source_{shell}"})
        assert (done.returncode, "mixfit" in done.stdout) == (0, True)


def test_errors_name_options_as_the_command_does(monkeypatch, capsys, tmp_path):
    """A parameter of a Python function is the option of the command that was run."""
    (tmp_path / "fit.yaml").touch()

    def refuse(path):
        names = (parameter(name) for name in ("targets", "groups", "model_size"))
        raise UsageError(f"{path}: {', '.join(names)}.")

    def error_of(*arguments):
        monkeypatch.setattr("sys.argv", ["mixfit", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 2
        return capsys.readouterr().err

    monkeypatch.setattr("mixfit.fitting.file.load_fit", refuse)
    monkeypatch.setattr("mixfit.cli.signal.signal", lambda *_: None)
    monkeypatch.setattr("mixfit.cli.use_one_thread", lambda: None)
    file = str(tmp_path / "fit.yaml")
    expected = f"error: {file}: --target, --group, --model-size.\n"
    assert error_of("optimize", file) == expected
    expected = f"error: {file}: --targets, --groups, --model-size.\n"
    assert error_of("eval", file, "runs.csv") == expected


def test_every_option_with_another_name_is_an_option():
    group = typer.main.get_command(app)
    for command, names in OTHER_NAMES.items():
        known = {flag for option in group.commands[command].params for flag in option.opts}
        assert set(names.values()) <= known


def test_fit_prints_a_plain_table_of_any_width_through_a_pipe(mixfit, runs):
    done = mixfit("fit", "runs.csv", "--law", "joint", *QUICK, columns=20)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "joint law on runs.csv: 392 rows, 14 mixtures of 3 domains, 50M to 400M parameters, "
        "1B to 16B tokens"
    )
    assert lines[2].split() == [
        *("target", "rows", "E", "gamma_A", "alpha", "gamma_B", "beta"),
        *("entropy", "≤", "Huber", "MRE", "%", "status"),
    ]
    assert [line.split()[0] for line in lines[4:8]] == ["web", "code", "books", "math"]
    assert [line.split()[1] for line in lines[4:8]] == ["392", "390", "389", "392"]
    assert lines[9].split()[0] == "average"


def test_dash_writes_yaml_alone_to_standard_output(mixfit, runs):
    done = mixfit("fit", "runs.csv", "--law", "chinchilla", *QUICK, "-o", "-")
    assert yaml.safe_load(done.stdout)["schema"] == "mixfit.fit/1"
    assert done.stdout.startswith("schema: mixfit.fit/1\n")


def test_the_fit_file_has_the_keys_of_the_contract(mixfit, fit_file):
    content = yaml.safe_load(fit_file.read_text())
    assert list(content) == [
        *("schema", "mixfit", "law", "domains", "options", "data", "notes"),
        *("misfits", "targets"),
    ]
    assert content["domains"] == ["web", "code", "books"]
    assert content["options"] == {
        "delta": 0.001,
        "seed": 0,
        "solver": "trust-region",
        "restarts": 2,
        "hops": 1,
        "pool": {"domains": 0.0, "targets": 0.0, "exponents": 0.0, "usual": 1e-5},
    }
    data = content["data"]
    assert data["files"][0]["path"] == "runs.csv"
    assert data["files"][0]["rows"] == 392
    assert data["mixtures"] == 14
    assert data["model_size"] == {"min": 5e7, "max": 4e8}
    assert data["tokens"] == {"min": 1e9, "max": 1.6e10}
    assert data["columns"]["weights"] == {d: f"weight_{d}" for d in ("web", "code", "books")}
    target = content["targets"]["code"]
    assert list(target) == ["rows", "params", "huber", "mre", "status", "effective", "notes"]
    assert list(target["params"]) == ["E", "A", "alpha", "B", "beta"]


def test_the_same_bytes_whatever_the_number_of_processes(mixfit, tmp_path, runs):
    for jobs in ("1", "2"):
        out = f"{jobs}.yaml"
        mixfit("fit", "runs.csv", "--law", "coupled", *QUICK, "-o", out, "--jobs", jobs)
    first, second = (tmp_path / f"{jobs}.yaml" for jobs in "12")
    assert first.read_bytes() == second.read_bytes()


def test_eval_prints_errors_by_size_and_writes_yaml(mixfit, fit_file):
    done = mixfit("eval", "fit.yaml", "runs.csv", "--where", "model_size>=2e8", "-o", "eval.yaml")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("chinchilla law of fit.yaml on runs.csv: 196 of 392 rows")
    assert re.split(r"\s{2,}", lines[2].strip()) == [
        *("target", "rows", "200M MRE %", "400M MRE %", "all MRE %", "bias %", "rank")
    ]
    content = yaml.safe_load((fit_file.parent / "eval.yaml").read_text())
    assert content["schema"] == "mixfit.eval/1"
    rows = {(row["target"], row["model_size"]): row for row in content["rows"]}
    assert lines[4].split()[-3] == f"{rows['web', 'all']['mre']:.2f}"
    mean = np.mean([rows[target, 2e8]["mre"] for target in ("web", "code", "books", "math")])
    assert rows["average", 2e8]["mre"] == pytest.approx(mean)


def test_predictions_are_those_of_the_table(called, fit_file, runs):
    paths = [fit_file.parent / name for name in ("p.csv", "p.parquet")]
    for path in paths:
        done = called("eval", "fit.yaml", "runs.csv", "--predictions", path.name, "-o", "e.yaml")
        assert done.returncode == 0
    csv, parquet = pd.read_csv(paths[0]), pd.read_parquet(paths[1])
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    observed = pd.read_csv(runs)
    np.testing.assert_allclose(csv["code_loss"], observed["code_loss"])
    error = (100 * (csv["code_predicted"] - csv["code_loss"]).abs() / csv["code_loss"]).mean()
    rows = yaml.safe_load((fit_file.parent / "e.yaml").read_text())["rows"]
    written = next(r for r in rows if r["target"] == "code" and r["model_size"] == "all")
    assert error == pytest.approx(written["mre"])


def test_the_gate_exits_with_1_and_names_the_targets(called, fit_file):
    passed = called("eval", "fit.yaml", "runs.csv", "--max-mre", "50")
    assert passed.returncode == 0
    assert "ok    every target's MRE is within 50%" in passed.stderr
    failed = called("eval", "fit.yaml", "runs.csv", "--max-mre", "4")
    assert failed.returncode == 1
    content = called("eval", "fit.yaml", "runs.csv", "--max-mre", "4", "-o", "-").stdout
    over = yaml.safe_load(content)["max_mre"]["over"]
    assert 0 < len(over) < 4
    line = next(line for line in failed.stderr.splitlines() if line.startswith("FAIL"))
    assert re.findall(r"(\w+) [0-9.]+%", line.partition(":")[2]) == over


def test_quiet_prints_no_notes(mixfit, fit_file):
    done = mixfit("eval", "fit.yaml", "runs.csv", "--quiet")
    assert done.stderr == ""


def test_a_number_may_stand_for_a_missing_column(called, tmp_path, runs):
    table = pd.read_csv(runs)
    one = table[table.model_size == 5e7].drop(columns="model_size")
    one.to_csv(tmp_path / "one.csv", index=False)
    done = called(
        "fit", "one.csv", "--model-size", "50M", "--law", "additive:none", *QUICK, "-o", "-"
    )
    content = yaml.safe_load(done.stdout)
    assert content["data"]["model_size"] == {"min": 5e7, "max": 5e7}
    assert "alpha" not in content["targets"]["web"]["params"]
    assert [note["code"] for note in content["notes"]] == ["one-model-size"]


def test_laws_lists_every_law(mixfit):
    lines = mixfit("laws").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines[::2]] == list(CATALOGUE)
    assert lines[:2] == [
        "chinchilla: 5 parameters; Hoffmann et al. 2022; the paper's eq. (2)",
        "    E + A N^-alpha + B D^-beta",
    ]


COLUMNS = (
    "weight_web, weight_code, weight_books, model_size, n_tokens, web_loss, code_loss,"
    " books_loss, math_loss"
)

BAD_CELLS = {
    "text in a number column": (
        *("model_size", "big"),
        "runs.csv: row 1 (line 2), column model_size: 'big' is not a number."
        " Mend the cell, or leave the row out with --where.",
    ),
    "no N": ("model_size", "nan", "runs.csv: row 1 (line 2), column model_size: "),
    "infinite N": ("model_size", "inf", "runs.csv: row 1 (line 2), column model_size: "),
    "N of zero": ("model_size", "0", "runs.csv: row 1 (line 2), column model_size: "),
    "negative D": ("n_tokens", "-1e9", "runs.csv: row 1 (line 2), column n_tokens: "),
    "infinite weight": ("weight_web", "inf", "runs.csv: row 1 (line 2), column weight_web: "),
    "no weight": ("weight_web", "", "runs.csv: row 1 (line 2), column weight_web: "),
    "negative weight": ("weight_web", "-0.2", "runs.csv: row 1 (line 2), column weight_web: "),
    "loss of zero": ("code_loss", "0", "runs.csv: row 1 (line 2), column code_loss: "),
    "infinite loss": ("code_loss", "inf", "runs.csv: row 1 (line 2), column code_loss: "),
    "weights that do not sum to 1": ("weight_web", "0.9", "runs.csv: row 1 (line 2): "),
}


@pytest.mark.parametrize("case", BAD_CELLS)
def test_a_bad_cell_is_named(called, tmp_path, runs, case):
    column, value, message = BAD_CELLS[case]
    spoil(runs, column, value)
    done = called("fit", "runs.csv", "-o", "fit.yaml")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "fit.yaml").exists()


def test_bad_tables_are_refused(called, tmp_path, runs):
    table = pd.read_csv(runs)
    refused(called("fit", "ruins.csv"), "ruins.csv: no such file. Did you mean 'runs.csv'?")
    (tmp_path / "noise.csv").write_bytes(np.random.default_rng(0).bytes(4000))
    refused(
        called("fit", "noise.csv"),
        "noise.csv: neither CSV nor Parquet. Give the runs as one of these.",
    )
    table.iloc[:0].to_csv(tmp_path / "empty.csv", index=False)
    refused(called("fit", "empty.csv"), "empty.csv: the table has a header but no rows.")
    for column, kind in (("weight_", "weight"), ("loss", "loss"), ("model_size", "model size")):
        kept = [c for c in table if column not in c]
        table[kept].to_csv(tmp_path / "less.csv", index=False)
        done = called("fit", "less.csv")
        assert done.returncode == 2
        assert done.stderr.startswith("error: less.csv: ")
        assert kind in done.stderr
        assert ", ".join(kept) in done.stderr
    table.assign(N=1e8).to_csv(tmp_path / "two.csv", index=False)
    done = called("fit", "two.csv")
    assert done.returncode == 2
    assert "--model-size" in done.stderr
    scaled = table.copy()
    scaled[[c for c in table if c.startswith("weight_")]] *= 100
    scaled.to_csv(tmp_path / "percent.csv", index=False)
    done = called("fit", "percent.csv", "--law", "chinchilla")
    assert done.returncode == 0
    assert "note  the weights of every row sum to 100: they are read as percent\n" in done.stderr


def test_bad_options_are_refused(called, runs):
    refused(
        called("fit", "runs.csv", "--law", "aditive"),
        "There is no law 'aditive'. Did you mean 'additive'? Laws: " + ", ".join(CATALOGUE) + ".",
    )
    refused(
        called("fit", "runs.csv", "--where", "model_sise>1e8"),
        "--where 'model_sise>1e8': runs.csv has no column 'model_sise'. Did you mean"
        f" 'model_size'? The columns are {COLUMNS}.",
    )
    refused(
        called("fit", "runs.csv", "--where", "model_size>1e15"),
        "--where 'model_size>1e15' leaves no row: none has such a model_size."
        " Change the condition or leave it out.",
    )
    refused(
        called("fit", "runs.csv", "--delta", "0"),
        "delta is 0; it must be a positive number (--delta).",
    )
    refused(
        called("fit", "runs.csv", "-o", "runs.csv"),
        "runs.csv: this file is read, and would be overwritten. Choose another.",
    )
    refused(
        called("fit", "runs.csv", "-o", "nowhere/fit.yaml"),
        "nowhere/fit.yaml: there is no directory nowhere. Make it first.",
    )


def test_bad_fit_files_are_refused(called, tmp_path, fit_file):
    content = yaml.safe_load(fit_file.read_text())

    def eval_with(change, message):
        changed = yaml.safe_load(fit_file.read_text())
        change(changed)
        (tmp_path / "changed.yaml").write_text(yaml.safe_dump(changed))
        refused(called("eval", "changed.yaml", "runs.csv", "-o", "eval.yaml"), message)
        assert not (tmp_path / "eval.yaml").exists()

    refused(called("eval", "no.yaml", "runs.csv"), "no.yaml: there is no such file.")
    eval_with(
        lambda c: c.update(schema="mixfit.fit/9"),
        "changed.yaml: its schema is 'mixfit.fit/9', not 'mixfit.fit/1'. Give a file of that kind.",
    )
    eval_with(
        lambda c: c["targets"]["web"]["params"].pop("alpha"),
        "changed.yaml: 'targets.web.params.alpha' is missing. Make the file anew.",
    )
    eval_with(
        lambda c: c["data"].pop("tokens"),
        "changed.yaml: 'data.tokens' is missing. Make the file anew.",
    )
    eval_with(
        lambda c: c["targets"]["web"]["params"].update(E="much"),
        "changed.yaml: 'targets.web.params.E' is not a finite number: 'much'.",
    )
    eval_with(
        lambda c: c.update(law="chinchila"),
        "changed.yaml: There is no law 'chinchila'. Did you mean 'chinchilla'? Laws: "
        + ", ".join(CATALOGUE)
        + ".",
    )
    assert content["law"] == "chinchilla"
    (tmp_path / "broken.yaml").write_text("schema: [a\nb: c")
    done = called("eval", "broken.yaml", "runs.csv")
    assert done.returncode == 2
    assert done.stderr.startswith("error: broken.yaml, line 2: this is not YAML (")


def test_runs_of_other_domains_are_refused(called, tmp_path, fit_file, runs):
    table = pd.read_csv(runs).rename(columns={"weight_web": "weight_news"})
    table.to_csv(tmp_path / "other.csv", index=False)
    refused(
        called("eval", "fit.yaml", "other.csv"),
        "other.csv: the domains differ from those of the fit, web, code, books: the table has no"
        " weight for web and has weights for news too. Choose the weight columns with --weights.",
    )


def test_the_worked_example_on_the_real_runs(called, real_runs):
    """The design's extrapolation to 1.2B, for two targets: reproduced within 0.1 points."""
    small = "model_size>=3e8,model_size<1e9,n_tokens>=3.9e9"
    large = "model_size>=1.2e9,n_tokens>=1.3e10"
    chosen = ("--targets", "c4_loss,wikipedia_loss")
    done = called("fit", real_runs, "--law", "coupled", "--where", small, *chosen, "-o", "fit.yaml")
    assert done.returncode == 0, done.stderr
    done = called("eval", "fit.yaml", real_runs, "--where", large, *chosen, "-o", "-")
    rows = {row["target"]: row["mre"] for row in yaml.safe_load(done.stdout)["rows"]}
    assert rows["c4"] < 0.22 + 0.1
    assert rows["wikipedia"] < 0.39 + 0.1


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize(
    ("number", "status", "message"),
    [
        (signal.SIGINT, 130, "stopped\n"),
        (signal.SIGTERM, 143, "stopped\n"),
        (signal.SIGKILL, -9, None),
    ],
)
def test_a_signal_ends_every_process_and_leaves_no_file(tmp_path, runs, number, status, message):
    long = ("--law", "full:none", "--restarts", "5000", "--hops", "5000", "--jobs", "2")
    # Where the tests run in the background of a shell it is ignored, which programs inherit.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [str(PROGRAM), "fit", "runs.csv", *long, "-o", "fit.yaml"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    time.sleep(3)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # a terminal sends it to all
    else:
        process.send_signal(number)
    error = process.communicate(timeout=20)[1]
    assert process.returncode == status
    if message is not None:
        assert error == message
    deadline = time.time() + 10
    while time.time() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("a process is left")
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


def test_the_rows_to_fit_can_be_left_to_held_out_errors(mixfit, runs, tmp_path):
    asked = ("fit", "runs.csv", "--law", "chinchilla", "--trim", "auto")
    done = mixfit(*asked, *QUICK, "-o", "t.yaml")
    assert "MRE %  difference %" in done.stdout
    trim = yaml.safe_load((tmp_path / "t.yaml").read_text(encoding="utf-8"))["trim"]
    tried = [(one["model_size"], one["tokens"]) for one in trim["cuts"]]
    assert (trim["model_size"], trim["tokens"]) in tried
    few = ("--where", "model_size<=2e8")  # told before any law is tried
    done = mixfit("fit", "runs.csv", "--law", "auto", "--trim", "auto", *few)
    refused(
        done,
        "--trim auto predicts the largest size from 3 others or more, and the rows have 3 sizes. "
        "Choose rows with --where.",
    )
    done = mixfit("fit", "runs.csv", "--trim", "some")
    refused(done, "--trim some: it can be auto; choose rows of your own with --where.")
