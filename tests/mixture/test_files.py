import json

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from random_fits import random_fit

from mixfit.base.errors import InputError, UsageError
from mixfit.base.plain import to_yaml
from mixfit.fitting.file import save_fit
from mixfit.mixture.blend import percentages, rounded
from mixfit.mixture.exports import export
from mixfit.mixture.files import (
    mixtures_to_plain,
    parse_pairs,
    read_mixture,
    read_prefixes,
    read_tokens,
)
from mixfit.mixture.planner import Planner, optimize


@pytest.fixture
def fit(tmp_path):
    found = random_fit("additive", 3, 2, 0)
    save_fit(found, tmp_path / "fit.yaml")
    return found


@pytest.fixture
def mixture(fit):
    return optimize(fit, model_size=1e9, tokens=1e10)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    weights=st.lists(st.floats(0, 1), min_size=1, max_size=64).filter(lambda w: sum(w) > 1e-6),
    decimals=st.integers(1, 6),
)
def test_rounded_decimals_sum_to_exactly_1(weights, decimals):
    found = rounded(np.array(weights), decimals)
    printed = [round(float(f"{x:.{decimals}f}") * 10**decimals) for x in found]
    assert sum(printed) == 10**decimals
    exact = np.array(weights) / np.sum(weights)
    assert np.abs(np.array(found) - exact).max() < 10.0**-decimals
    assert all(x == 0 for x, weight in zip(found, weights, strict=True) if weight == 0)
    assert all(x >= 0 for x in found)


def test_percentages():
    assert percentages(np.array([1, 1, 1, 0])) == ["33.4", "33.3", "33.3", "0.0"]


def test_yaml_round_trip(fit, mixture, tmp_path):
    text = to_yaml(mixtures_to_plain([mixture], str(tmp_path / "fit.yaml")))
    (tmp_path / "m.yaml").write_text(text)
    content = yaml.safe_load(text)
    assert content["schema"] == "mixfit.mixture/1"
    assert content["targets"] == {"t0": 0.5, "t1": 0.5}
    (entry,) = content["mixtures"]
    assert sum(round(x * 1e6) for x in entry["weights"].values()) == 10**6
    assert (entry["model_size"], entry["tokens"]) == (1e9, 1e10)
    assert set(entry["predicted_loss"]) == {"t0", "t1"}
    assert read_mixture(tmp_path / "m.yaml") == entry["weights"]


def test_a_study_is_written_too(fit, tmp_path):
    planner = Planner(fit)
    study = planner.study(planner.best(1e9, 1e10))
    content = mixtures_to_plain([study.mixture], str(tmp_path / "fit.yaml"), study=study)
    entry = content["mixtures"][0]
    assert [b["name"] for b in entry["baselines"]] == ["uniform"]
    for domain, share in entry["weights"].items():
        assert entry["as_good"][domain]["min"] <= share + 1e-4
        assert entry["as_good"][domain]["max"] >= share - 1e-4


def test_formats(mixture, tmp_path):
    weights = json.loads(export([mixture.blend], "json", {}))
    assert sum(round(x * 1e6) for x in weights.values()) == 10**6
    hf = json.loads(export([mixture.blend], "hf", {}))
    assert dict(zip(hf["domains"], hf["probabilities"], strict=True)) == weights
    (tmp_path / "m.csv").write_text(export([mixture.blend], "csv", {}))
    assert read_mixture(tmp_path / "m.csv") == weights
    (tmp_path / "m.json").write_text(export([mixture.blend], "json", {}))
    assert read_mixture(tmp_path / "m.json") == weights
    prefixes = {domain: f"/data/{domain}_text" for domain in mixture.domains}
    parts = export([mixture.blend], "megatron", prefixes).split()
    blend = dict(zip(parts[1::2], map(float, parts[::2]), strict=True))
    assert blend == {prefixes[d]: w for d, w in weights.items() if w > 0}


def test_formats_of_several_mixtures(mixture):
    assert export([mixture.blend, mixture.blend], "csv", {}).count("\n") == 7
    assert len(json.loads(export([mixture.blend, mixture.blend], "json", {}))) == 2
    for form in ("hf", "megatron", "mosaic"):
        with pytest.raises(UsageError, match="takes one mixture"):
            export([mixture.blend, mixture.blend], form, {})


def test_a_blend_needs_every_prefix(mixture):
    with pytest.raises(UsageError, match="no prefix for"):
        export([mixture.blend], "megatron", {})


def test_reading_small_files(tmp_path):
    (tmp_path / "u.yaml").write_text("web: 10B\ncode: 1.5e9\n")
    assert read_tokens(tmp_path / "u.yaml") == {"web": 10e9, "code": 1.5e9}
    (tmp_path / "u.csv").write_text("tokens,domain\n10B,web\n2e9,code\n")
    assert read_tokens(tmp_path / "u.csv") == {"web": 10e9, "code": 2e9}
    (tmp_path / "w.csv").write_text("name,weight_web,weight_code\nbase,0.3,0.7\n")
    assert read_mixture(tmp_path / "w.csv") == {"web": 0.3, "code": 0.7}
    (tmp_path / "p.yaml").write_text("web: /data/web\n")
    assert read_prefixes(tmp_path / "p.yaml") == {"web": "/data/web"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", None, "no such file"),
        ("a.yaml", "- web\n", "is no map"),
        ("a.yaml", "web: [\n", "is not YAML"),
        ("a.yaml", "web: much\n", "not a number"),
        ("a.yaml", "web: true\n", "not a number"),
        ("a.yaml", "schema: mixfit.fit/1\n", "mixfit.mixture/1"),
        ("a.yaml", "schema: mixfit.mixture/1\nmixtures: []\n", "0 mixtures"),
        ("a.csv", "a,b\n1,2\n", "column domain"),
        ("a.csv", "domain,weight\nweb,1\nweb,2\n", "stands twice"),
        ("a.csv", "domain,weight\nweb\n", "row 1 has 1 cells"),
        ("a.csv", "", "column domain"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_mixture(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_pairs():
    assert parse_pairs("a=1, b=2B", "--x") == {"a": 1.0, "b": 2e9}
    for text in ("a", "a=", "=1", "a=1,a=2", "a=b", "a=b=1"):
        with pytest.raises(UsageError, match="--x"):
            parse_pairs(text, "--x")
