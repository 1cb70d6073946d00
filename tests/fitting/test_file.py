"""Fit files: the same fit comes back, and what cannot be one is refused in a line."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from random_fits import random_fit

from mixfit import load_fit, save_fit
from mixfit.base.errors import InputError, Note
from mixfit.base.plain import to_yaml
from mixfit.fitting.file import fit_to_plain
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.fitting.result import Candidate, Choice, PoolPath, Trial
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import Pool, PooledLaw
from mixfit.runs.read import read_runs
from mixfit.runs.runs import SourceFile


@pytest.fixture(scope="module")
def runs(request):
    return read_runs(request.config.rootpath / "sample_runs" / "additive.csv")


@pytest.mark.parametrize("law", ["chinchilla", "simple", "joint", "full", "powered", "coupled"])
@pytest.mark.parametrize("form", ["whole", "one size", "one size and length"])
def test_a_fit_comes_back_as_it_was(tmp_path, runs, law, form):
    rows = runs.mixture < 7
    if form != "whole":
        rows &= runs.N == 5e7
    if form == "one size and length":
        rows &= runs.D[0] == runs.D
    few = runs.select(rows).only(("web", "math"))
    fitted = fit(few, law, options=FitOptions(restarts=1, hops=0), jobs=1)
    save_fit(fitted, tmp_path / "fit.yaml")
    loaded = load_fit(tmp_path / "fit.yaml")
    assert fit_to_plain(loaded) == fit_to_plain(fitted)
    before = fitted.predict(runs.N, runs.D, runs.h)
    after = loaded.predict(runs.N, runs.D, runs.h)
    for target in few.targets:
        np.testing.assert_array_equal(before[target], after[target])
        assert loaded.targets[target].form == fitted.targets[target].form


def test_every_form_of_a_law_has_its_own_parameters():
    """A fit file does not name the form; its parameters must tell."""
    for law in CATALOGUE.values():
        forms = {
            law.identified(one_model_size=n, one_token_count=d).terms
            for n in (False, True)
            for d in (False, True)
        }
        names = {frozenset(g.name for t in f for p in t.functions for g in p.params) for f in forms}
        assert len(names) == len(forms), law.name


def test_as_many_hops_as_parameters_are_not_a_number(tmp_path, runs):
    fitted = fit(runs.only(("web",)), "chinchilla", jobs=1)
    text = to_yaml(fit_to_plain(fitted))
    assert "hops: auto" in text
    (tmp_path / "fit.yaml").write_text(text)
    assert load_fit(tmp_path / "fit.yaml").options == FitOptions().filled(fitted.law.law)


def test_numbers_without_a_point_are_numbers(tmp_path, runs):
    fitted = fit(runs, "chinchilla", options=FitOptions(restarts=1, hops=0), jobs=1)
    text = to_yaml(fit_to_plain(fitted)).replace("min: 50000000.0", "min: 5e7")
    (tmp_path / "fit.yaml").write_text(text)
    assert load_fit(tmp_path / "fit.yaml").data.model_size.min == 5e7


@pytest.fixture(scope="module")
def whole():
    """A fit with all that a fit file can hold, as plain data."""
    found = random_fit("coupled-linear", 3, 2, 0)
    trial = Trial(0.0, (1.0, 0.0), (0.5, np.inf), (0.5, 0.6))
    path = PoolPath("folds", trial, replace(trial, chosen=1.0))
    candidates = (
        Candidate("additive", 11, 0.5, parts={"new mixtures": 0.5}),
        Candidate("trees", None, np.nan, "it is no law", parts={}),
    )
    choice = Choice(
        rule="lowest",
        law="additive",
        reason="why",
        tests="folds",
        restarts=2,
        hops=0,
        candidates=candidates,
    )
    found = replace(
        found,
        law=PooledLaw(found.law.law, Pool(0.01, 0.1)),
        data=replace(found.data, files=(SourceFile("runs.csv", "0" * 64, 9),), where=("N>1",)),
        notes=(Note("x", "y"),),
        selection=choice,
        pool_path=path,
    )
    return fit_to_plain(found)


def test_a_whole_file_comes_back(tmp_path, whole):
    (tmp_path / "fit.yaml").write_text(to_yaml(whole))
    loaded = load_fit(tmp_path / "fit.yaml")
    save_fit(loaded, tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_text() == (tmp_path / "fit.yaml").read_text()
    assert loaded.law == PooledLaw(CATALOGUE["coupled-linear"], Pool(0.01, 0.1))
    assert type(loaded.options) is FitOptions


REMOVE = object()


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("law", "coupled-liner", "There is no law 'coupled-liner'. Did you mean 'coupled-linear'?"),
        ("law", "no_such_module:LAW", ""),
        ("law", "many\nlines" * 1000, "There is no law 'many\\nlines"),
        ("law", "chinchilla", "The law chinchilla has no parameter for each domain"),
        ("domains", ["d0", "d0", "d1"], "'domains' must name each domain once."),
        ("domains", [], "'domains' must name each domain once."),
        ("domains", ["d0", "d1"], "'data.weights.d2' is no key of this file. Did you mean"),
        ("domains", [1, 2, 3], "'domains.0' is not a text. Make the file anew."),
        ("options.delta", 0.0, "delta is 0; it must be a positive number (options.delta)."),
        ("options.detla", 1.0, "'options.detla' is no key of this file. Did you mean 'delta'?"),
        ("options.seed", -1, "'options.seed' is not a count: -1."),
        ("options.restarts", 0, "restarts is 0; it must be 1 or more (options.restarts)."),
        ("options.hops", "few", "'options.hops' is not a finite number: 'few'."),
        ("options.solver", "basinhopping", "There is no solver 'basinhopping'. Did you mean"),
        ("options.pool.domains", -1.0, "'options.pool.domains' is -1; it must be 0 or more."),
        ("options.pool.targets", "x", "'options.pool.targets' is not a finite number: 'x'."),
        ("data.model_size.min", 0.0, "'data.model_size' must have a positive min,"),
        ("data.model_size.min", 2e9, "'data.model_size' must have a positive min,"),
        ("data.tokens.max", 1.0, "'data.tokens' must have a positive min,"),
        ("data.tokens.max", float("inf"), "'data.tokens.max' is not a finite number: inf."),
        ("data.weights.d0.max", 1.5, "'data.weights.d0' must have 0 <= min <= max <= 1."),
        ("data.weights.d0", REMOVE, "'data.weights.d0' is missing. Make the file anew."),
        ("data.columns.weights.d9", "x", "'data.columns.weights.d9' is no key of this file."),
        ("data.mixtures", -1, "'data.mixtures' is not a count: -1."),
        ("pooling.domains.mean", [0.5], "'pooling.domains' must have one error for each of its"),
        ("pooling.targets.mre", [1.0], "'pooling.targets' must have one error for each of its"),
        ("targets", {}, "'targets' is empty. Make the file anew."),
        ("targets.t0.rows", -5, "'targets.t0.rows' is not a count: -5."),
        ("targets.t0.huber", -1e-6, "'targets.t0.huber' is -1e-06; it must be 0 or more."),
        ("targets.t0.mre", -1.0, "'targets.t0.mre' is -1; it must be 0 or more."),
        ("targets.t0.params.E", -1.0, "'targets.t0.params.E' is -1; it must be "),
        ("targets.t0.params.E", {"d0": 1.0}, "'targets.t0.params.E' must be one number, not {"),
        ("targets.t0.params.A.d1", -2.0, "'targets.t0.params.A.d1' is -2; it must be "),
        ("targets.t0.params.gamma.d1", -2.0, "'targets.t0.params.gamma.d1' is -2; it must be "),
        ("targets.t0.params.A.d1", REMOVE, "'targets.t0.params.A.d1' is missing."),
        ("targets.t0.params.A.d9", 1.0, "'targets.t0.params.A.d9' is no key of this file."),
        ("targets.t0.params.A", 1.0, "'targets.t0.params.A' must be a number for each domain,"),
        ("targets.t0.params.alfa", 1.0, "'targets.t0.params.alfa' is no key of this file. Did you"),
        ("targets.t0.params.alpha", REMOVE, "'targets.t0.params.alpha' is missing."),
        ("targets.t0.params.alpha", 10**400, "'targets.t0.params.alpha' is not a finite number"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(tmp_path, whole, place, value, message):
    content = copy.deepcopy(whole)
    *path, last = place.split(".")
    inner = content
    for key in path:
        inner = inner[key]
    if value is REMOVE:
        del inner[last]
    else:
        inner[last] = value
    (tmp_path / "fit.yaml").write_text(to_yaml(content))
    with pytest.raises(InputError) as raised:
        load_fit(tmp_path / "fit.yaml")
    said = str(raised.value)
    assert said.startswith(f"{tmp_path / 'fit.yaml'}: {message}")
    assert len(said.splitlines()) == 1


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just({"min": 2.0, "max": 1.0}),
)


def read_or_refused(path):
    """The fit in a file, or None after checking that one line refuses it."""
    said = ""
    try:
        return load_fit(path)
    except InputError as error:
        said = str(error)
    assert said.startswith(str(path))
    assert len(said.splitlines()) == 1
    assert len(said) < len(str(path)) + 1000
    return None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_changed_file_is_read_or_refused(tmp_path_factory, whole, data):
    """Whatever stands at one place of a file: a fit that can be used, or one line."""
    content = copy.deepcopy(whole)
    inner = content
    while True:
        keys = list(inner) if isinstance(inner, dict) else range(len(inner))
        key = data.draw(st.sampled_from(keys))
        if not inner[key] or not isinstance(inner[key], dict | list) or data.draw(st.booleans()):
            break
        inner = inner[key]
    if data.draw(st.booleans()):
        inner[key] = data.draw(ODD)
    else:
        del inner[key]
    path = tmp_path_factory.getbasetemp() / "changed.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    loaded = read_or_refused(path)
    if loaded is not None:
        with np.errstate(over="ignore"):
            losses = loaded.predict(1e9, 1e10, np.full(len(loaded.domains), 1 / 3))
        assert not any(np.isnan(loss).any() for loss in losses.values())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(cut=st.integers(0, 10_000), text=st.text(alphabet="[]{}&*!:-\n\t'\"#%@0x_.", max_size=4))
def test_a_torn_file_is_read_or_refused(tmp_path_factory, whole, cut, text):
    content = to_yaml(whole)
    cut %= len(content)
    path = tmp_path_factory.getbasetemp() / "torn.yaml"
    path.write_text(content[:cut] + text + content[cut + len(text) :], encoding="utf-8")
    read_or_refused(path)
