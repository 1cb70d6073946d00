"""The tables of keys in docs/files.md say what the types and the written files say."""

from __future__ import annotations

import re
import types
from dataclasses import is_dataclass, replace
from typing import Union, get_args, get_origin

import numpy as np
import pytest
from conftest import ROOT, check_file
from random_fits import additive

from mixfit.base.errors import Note
from mixfit.base.plain import stored_fields, to_yaml
from mixfit.design.files import design_to_plain
from mixfit.design.plan import plan_runs
from mixfit.design.result import Alarm
from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.comparison_file import comparison_to_plain, figure_rows
from mixfit.evaluation.evaluate import evaluate
from mixfit.evaluation.evaluation_file import evaluation_to_plain
from mixfit.fitting.check import check_runs, check_to_plain
from mixfit.fitting.file import FitFile, save_fit
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.mixture.constraints import Constraints
from mixfit.mixture.files import mixtures_to_plain
from mixfit.mixture.planner import Planner
from mixfit.mixture.result import Certainty, Gain
from mixfit.runs.findings import Finding
from mixfit.runs.read import read_runs
from mixfit.runs.runs import JoinedFiles
from mixfit.runs.splits import split_folds

PAGE = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
QUICK = FitOptions(restarts=1, hops=0)


def table(schema):
    """Key to what it holds, as the page says."""
    (section,) = (part for part in PAGE.split("\n## ")[1:] if f"`mixfit.{schema}/1`" in part)
    rows = re.findall(r"^\| `(\S+)` \| (.+?) \| .*\|$", section, re.MULTILINE)
    assert len(dict(rows)) == len(rows)
    return dict(rows)


SIMPLE = {str: "text", int: "count", float: "number", bool: "true or false"}


def said(kind, rules, *, many=False):
    """What the page says of a type."""
    inner = [x for x in get_args(kind) if x is not type(None)]
    if get_origin(kind) is tuple:
        return f"list{'s' * many} of {said(inner[0], rules, many=True)}"
    if get_origin(kind) is dict:
        return f"map{'s' * many} of {said(inner[1], rules, many=True)}"
    if get_origin(kind) in (Union, types.UnionType):
        words = " or ".join(said(x, rules, many=many) for x in reversed(inner))
        if set(inner) == {str, float}:
            words = "text or number"
        null = len(inner) < len(get_args(kind)) and not rules.omit
        return words + (f" or `{rules.word}`" if rules.word else " or null" if null else "")
    word = "map" if is_dataclass(kind) else SIMPLE[kind]
    nulls = " or null" + "s" * many if rules.blank else ""
    return word + "s" * many + nulls


def keys(record, prefix=""):
    """Key to what it holds, by the types of a record."""
    for name, own in stored_fields(record).items():
        yield prefix + name, said(own.kind, own.rules) + (", or no key" if own.rules.omit else "")
        kinds = [own.kind]
        while kinds:
            kind = kinds.pop()
            kinds += [x for x in get_args(kind) if x not in (str, type(None), ...)]
            if is_dataclass(kind):
                origins = {get_origin(x) for x in (own.kind, *get_args(own.kind))}
                mark = "[]" if tuple in origins else ".*" if dict in origins else ""
                yield from keys(kind, f"{prefix}{name}{mark}.")


def test_the_keys_of_the_fit_file_are_those_of_its_types():
    assert list(table("fit").items()) == list(keys(FitFile))


LEAVES = {
    "text": str,
    "number": (float, int),
    "count": int,
    "true or false": bool,
    "null": type(None),
}


def check(rows, path, value, seen):
    """Check that the table has a key and says what it holds; note that it was seen."""
    assert path in rows, f"{path} is not in docs/files.md"
    seen.add(path)
    holds = rows[path].removesuffix(", or no key")
    if holds.startswith("map of maps"):
        for inner in value.values():
            for name, item in inner.items():
                check(rows, f"{path}.*.{name}", item, seen)
    elif holds.startswith("map of "):
        kinds = (float, int) if "numbers" in holds else str
        assert all(isinstance(item, kinds) for item in value.values()), path
    elif holds.startswith("list of maps"):
        for inner in value:
            for name, item in inner.items():
                check(rows, f"{path}[].{name}", item, seen)
    elif holds.startswith("list of "):
        assert all(isinstance(item, LEAVES[holds.removeprefix("list of ")[:-1]]) for item in value)
    elif isinstance(value, dict):
        assert holds.startswith("map"), path
        for name, item in value.items():
            check(rows, f"{path}.{name}", item, seen)
    else:
        kinds = holds.split(" or ") if holds != "true or false" else [holds]
        fits = [f"`{value}`" == kind or isinstance(value, LEAVES.get(kind, ())) for kind in kinds]
        assert any(fits), f"{path}: {value!r} is no {holds}"


@pytest.fixture
def fit_file(tmp_path):
    return tmp_path / "fit.yaml"


def mixture_files(path):
    numbers = {"web": [1.0, 2.0, 3.0], "math": [2.0, 2.0, 1.0]}
    found = additive(numbers, {t: [0.5, 0.5, 0.5] for t in numbers}, ["web", "code", "books"])
    columns = replace(found.data.columns, transforms={"math": "1-x"})
    found = replace(found, data=replace(found.data, columns=columns))
    save_fit(found, path)
    asked = Constraints(max={"web": 0.1, "code": 0.2}, available={"web": 1e9})
    planner = Planner(found, constraints=asked)
    best = replace(planner.best(1e9, 1e10), notes=(Note("x", "y"),), risk="mean")
    study = planner.study(best, least_change=np.full(3, 1 / 3), within=0.5)
    ends = np.zeros((3, 2))
    gains = {"uniform": Gain(1.0, 0.5, 1.5, 0.9)}
    sure = Certainty(20, ends, 1.0, 2.0, 0.5, gains, (Note("x", "y"),))
    known = replace(study, mixture=replace(study.mixture, certainty=sure))
    yield mixtures_to_plain([best], str(path), study=known)
    yield mixtures_to_plain([], str(path), pure=planner.each_target(1e9, 1e10))


def eval_files(path):
    runs = read_runs(ROOT / "sample_runs" / "additive.csv")
    found = fit(runs, "chinchilla", options=QUICK, jobs=1)
    save_fit(found, path)
    runs = replace(runs, joined=JoinedFiles("run", runs.files))
    done = replace(evaluate(found, runs), notes=(Note("x", "y"),))
    held = {place: replace(score, inside=90.0) for place, score in done.scores.items()}
    known = {kind: replace(own, noise=0.1) for kind, own in done.decisions.items()}
    done = replace(done, scores=held, decisions=known)
    yield evaluation_to_plain(done, str(path), runs, 0.01)
    one = runs.select(np.arange(2))
    yield evaluation_to_plain(evaluate(found, one), str(path), one, None)


def compare_files(path):
    runs = read_runs(ROOT / "sample_runs" / "additive.csv")
    runs = replace(runs, joined=JoinedFiles("run", runs.files))
    splits = split_folds(runs, 2)
    done = compare_laws(splits, ["chinchilla", "ridge"], options=QUICK, jobs=1)
    known = {key: replace(own, noise=0.1) for key, own in done.decisions.items()}
    done = replace(done, notes=(Note("x", "y", "web"),), decisions=known)
    assert list(done.to_frame().columns) == list(figure_rows(done)[0])
    assert len(done.to_frame()) == len(done.figures)
    yield comparison_to_plain(done, FitOptions(), runs, [runs])


def design_files(path):
    asked = Constraints(available={"web": 1e9})
    sizes = {"model_sizes": [1e8], "run_tokens": [1e9], "tokens": 1e10}
    done = plan_runs(["web", "code"], 3, constraints=asked, existing=np.eye(2)[:1], **sizes)
    alarm = Alarm(2.0, 0.5, "uncertain", {"web": 0.7, "code": 0.3})
    yield design_to_plain(replace(done, alarm=alarm, notes=(Note("x", "y"),)))
    yield design_to_plain(plan_runs(["web", "code"], 9))
    yield design_to_plain(plan_runs(["web", "code"], 1))


def check_files(path):
    good, bad = path.parent / "good.csv", path.parent / "bad.csv"
    header = "run,weight_a,weight_b,model_size,n_tokens"
    good.write_text(f"{header}\n1,0.5,0.5,1e8,1e9\n2,0.5,0.6,1e8,2e9\n")
    bad.write_text("run,loss_x\n1,0.0\n2,3.0\n")
    done = check_runs(str(good), join=str(bad), on="run")
    told = Finding(code="rising", severity="warning", target="x", message="m", todo="t")
    yield check_to_plain(replace(done, findings=(*done.findings, told)))
    yield check_to_plain(check_runs(str(bad)))


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ("check", check_files),
        ("design", design_files),
        ("mixture", mixture_files),
        ("eval", eval_files),
        ("compare", compare_files),
    ],
)
def test_the_keys_that_are_written_are_those_of_the_page(fit_file, schema, written):
    rows, seen = table(schema), set()
    for content in written(fit_file):
        check_file(to_yaml(content))
        assert list(content)[:2] == ["schema", "mixfit"]
        assert content["schema"] == f"mixfit.{schema}/1"
        for name in list(content)[2:]:
            check(rows, name, content[name], seen)
    assert seen == set(rows)
