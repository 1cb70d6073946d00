"""A configuration file: where it is found, what it may say, and that the command line wins."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

QUICK = ("--law", "chinchilla", "--jobs", "1", "-q")


@pytest.fixture
def mixfit(called):
    """Nothing here is about processes."""
    return called


@pytest.fixture
def project(tmp_path, sample_runs):
    pd.read_csv(sample_runs / "additive.csv").to_csv(tmp_path / "runs.csv", index=False)
    return tmp_path


def set_in(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def shown(done):
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()[2:]]


def test_the_options_of_a_file_are_in_force(mixfit, project):
    set_in(
        project / "mixfit.toml",
        'where = ["model_size>=1e8", "n_tokens>=4B"]\nrestarts = 1\n'
        '[fit]\ntargets = "web,code"\nhops = 0\n',
    )
    assert mixfit("fit", "runs.csv", *QUICK, "-o", "fit.yaml").returncode == 0
    fit = yaml.safe_load((project / "fit.yaml").read_text())
    assert fit["data"]["where"] == ["model_size>=1e8", "n_tokens>=4B"]
    assert (fit["options"]["restarts"], fit["options"]["hops"]) == (1, 0)
    assert list(fit["targets"]) == ["web", "code"]
    # The command line wins, and takes the place of a whole list.
    again = mixfit("fit", "runs.csv", *QUICK, "--where", "model_size<2e8", "--hops", "2", "-o", "-")
    fit = yaml.safe_load(again.stdout)
    assert (fit["data"]["where"], fit["options"]["hops"]) == (["model_size<2e8"], 2)


def test_what_is_in_force_is_shown_with_its_place(mixfit, project):
    assert mixfit("config").stdout == (
        "nothing is set: from here upward there is no mixfit.toml, and no pyproject.toml that sets "
        "an option in [tool.mixfit]\n"
    )
    set_in(project / "pyproject.toml", '[tool.mixfit]\nmodel_size = "params"\nfolds = 3\n')
    place = [str(project / "pyproject.toml"), "[tool.mixfit]"]
    # What is called so in mixfit optimize is another thing.
    assert shown(mixfit("config")) == [
        ["check", "--model-size", "params", *place],
        ["fit", "--model-size", "params", *place],
        ["eval", "--model-size", "params", *place],
        ["compare", "--model-size", "params", *place],
        ["compare", "--folds", "3", *place],
        ["report", "--model-size", "params", *place],
    ]
    set_in(project / "mixfit.toml", "seed = 1\n[fit]\nseed = 2\nquiet = true\n")
    top, own = [str(project / "mixfit.toml")], [str(project / "mixfit.toml"), "[fit]"]
    assert shown(mixfit("config")) == [
        ["design", "--seed", "1", *top],
        ["fit", "--seed", "2", *own],
        ["fit", "--quiet", "true", *own],
        ["compare", "--seed", "1", *top],
    ]


def test_the_nearest_file_upward_counts(mixfit, project):
    set_in(project / "mixfit.toml", "seed = 1\n")
    set_in(project / "deep" / "pyproject.toml", "[tool.other]\nseed = 3\n")
    (project / "deep" / "er").mkdir()
    done = mixfit("config", cwd=project / "deep" / "er")
    assert [row[2] for row in shown(done)] == ["1", "1", "1"]
    set_in(project / "deep" / "mixfit.toml", "seed = 2\n")
    done = mixfit("config", cwd=project / "deep" / "er")
    assert [row[2] for row in shown(done)] == ["2", "2", "2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lwa = 1", ": 'lwa' is no option of any command. Did you mean 'law'?"),
        ("[fti]\nlaw = 'joint'", ": 'fti' is no command. Did you mean 'fit'?"),
        ("[fit]\nfolds = 3", " [fit]: 'folds' is no option of mixfit fit.\n"),
        ("restarts = true", ": 'restarts' must be a text or a number, not True."),
        ("quiet = 'yes'", ": 'quiet' must be true or false, not 'yes'."),
        ("seed = [1, 2]", ": 'seed' takes one value in mixfit design, not a list."),
        ("where = [[1]]", ": 'where' must be a text or a number, not [1]."),
        ("runs = 'runs.csv'\nlaw = 1979-05-27", ": 'law' must be a text or a number, not "),
        ("[fit]\nruns = 'runs.csv'", " [fit]: 'runs' is no option of mixfit fit."),
        ("seed = ", ": cannot be read as TOML: "),
        ("[fit]\njobs = 0", " [fit]: 'jobs': "),
    ],
)
def test_files_that_cannot_be_used(mixfit, project, text, said):
    set_in(project / "mixfit.toml", text)
    for command in (["config"], ["fit", "runs.csv"]):
        done = mixfit(*command)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: {project / 'mixfit.toml'}{said}")


def test_a_project_file_of_other_tools_is_none_of_ours(mixfit, project):
    for text in ("[tool.black]\n", "[tool]\nmixfit = 1\n", "no toml", "tool = 1\n"):
        set_in(project / "pyproject.toml", text)
        assert mixfit("config").stdout.startswith("nothing is set")
