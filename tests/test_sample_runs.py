"""The sample tables are what their script makes, and what `truth.yaml` says of them."""

from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from helpers import DESIGNED_NAMES, QUICK
from reference.equations import PLAIN

from mixfit.fitting.fit import fit
from mixfit.fitting.objective import huber
from mixfit.laws.catalogue import CATALOGUE
from mixfit.runs.read import read_runs

TABLES = ("additive.csv", "joint.parquet", "coupled.csv")


@pytest.fixture
def script(sample_runs):
    spec = importlib.util.spec_from_file_location("make", sample_runs / "make_sample_runs.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(importlib.import_module("sys").modules, "make", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def truth(sample_runs):
    return yaml.safe_load((sample_runs / "truth.yaml").read_text())["tables"]


def true_losses(table, target, runs):
    """The losses without noise, from the parameters in `truth.yaml` by the law's equation."""
    params = {
        name: np.array(list(value.values()) if isinstance(value, dict) else [value])
        for name, value in table["targets"][target]["params"].items()
    }
    return PLAIN[table["law"]](params, runs.N, runs.D, runs.h)


def test_the_files_are_what_the_script_makes(script, sample_runs, tmp_path):
    script.make_samples(tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted([*TABLES, "truth.yaml"])
    for name in made:
        if name.endswith(".parquet"):
            assert pq.read_table(tmp_path / name).equals(pq.read_table(sample_runs / name))
        else:
            assert (tmp_path / name).read_bytes() == (sample_runs / name).read_bytes()
    twice = tmp_path / "twice"
    twice.mkdir()
    script.make_samples(twice)
    for name in made:
        assert (tmp_path / name).read_bytes() == (twice / name).read_bytes()


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_are_as_described(name, sample_runs, truth):
    runs, table = read_runs(sample_runs / name), truth[name]
    assert runs.notes == ()
    assert list(runs.domains) == table["domains"]
    assert list(runs.targets) == list(table["targets"])
    assert (len(runs), len(runs.mixtures)) == (table["rows"], table["mixtures"])
    assert np.isnan(runs.losses).sum() == table["missing_losses"]
    assert np.any(runs.h == 0)
    np.testing.assert_array_equal(runs.mixtures[0], 1 / len(runs.domains))
    assert np.nanmin(runs.losses) > 1
    assert np.nanmax(runs.losses) < 5
    groups = {group.name: group for group in CATALOGUE[table["law"]].groups}
    for target in table["targets"].values():
        assert list(target["params"]) == list(groups)
        for group, value in target["params"].items():
            if groups[group].per_domain:
                assert list(value) == table["domains"]
            else:
                assert isinstance(value, float)


@pytest.mark.parametrize("name", TABLES)
def test_the_noise_is_as_stated(name, sample_runs, truth):
    runs, table = read_runs(sample_runs / name), truth[name]
    for target in runs.targets:
        noise = np.log(runs.losses_of(target) / true_losses(table, target, runs))
        noise = noise[~np.isnan(noise)]
        assert abs(noise.mean()) < 4 * table["noise"] / np.sqrt(len(noise))
        assert noise.std() == pytest.approx(table["noise"], rel=0.15)


@pytest.mark.parametrize("name", TABLES)
def test_the_truth_is_recovered(name, sample_runs, truth):
    runs, table = read_runs(sample_runs / name), truth[name]
    found = fit(runs, table["law"], options=QUICK, jobs=1)
    predictions = found.predict(runs.N, runs.D, runs.h)
    parameters = CATALOGUE[table["law"]].count(len(runs.domains))
    for target, predicted in predictions.items():
        expected = true_losses(table, target, runs)
        # What least absolute residuals of normal noise leave, and 3.5 standard errors of it.
        left = table["noise"] * np.sqrt(np.pi / 2 * parameters / len(runs))
        error = np.sqrt(np.mean((predicted / expected - 1) ** 2))
        assert error < left * (1 + 3.5 / np.sqrt(2 * parameters))
        rows = ~np.isnan(runs.losses_of(target))
        residuals = (runs.losses_of(target) - expected)[rows]
        assert found.targets[target].huber <= huber(residuals, 1e-3).mean()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_big_table(script, tmp_path, monkeypatch, suffix):
    path = tmp_path / f"big{suffix}"
    options = ["--rows", "1003", "--mixtures", "20", "--domains", "12", "--targets", "3"]
    options += ["--law", "coupled", "--seed", "4", "-o", str(path)]
    monkeypatch.setattr(script, "CHUNK", 100)
    script.main(options)
    runs = read_runs(path)
    assert runs.losses.shape == (1003, 3)
    assert runs.mixtures.shape == (20, 12)
    assert runs.notes == ()
    assert len(np.unique(runs.N)) == 5
    assert np.all((runs.losses > 1) & (runs.losses < 5))
    first = path.read_bytes()
    script.main(options)
    assert path.read_bytes() == first


def test_big_tables_of_every_kind_are_alike(script, tmp_path):
    arguments = ["--rows", "500", "--mixtures", "10", "--domains", "4", "--seed", "1"]
    for suffix in (".csv", ".parquet"):
        script.main([*arguments, "-o", str(tmp_path / f"big{suffix}")])
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "big.csv"), pd.read_parquet(tmp_path / "big.parquet")
    )


@pytest.mark.parametrize("law", DESIGNED_NAMES)
@pytest.mark.parametrize("domains", [2, 64])
def test_losses_are_realistic(script, law, domains):
    table = script.big_table(
        script.argparse.Namespace(
            law=law, rows=1000, mixtures=40, domains=domains, targets=3, seed=0, noise=0.002
        )
    )
    [chunk] = script.make_chunks(table)
    losses = chunk.select([f"{target}_loss" for target in table.targets]).to_pandas()
    assert losses.min().min() > 1
    assert losses.max().max() < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "10"], "--rows and --out go together"),
        (["-o", "x.csv"], "--rows and --out go together"),
        (["--rows", "10", "-o", "x.txt"], "--out needs a name that ends in .csv or .parquet"),
        (["--rows", "0", "-o", "x.csv"], "must be 1 or more"),
        (["--domains", "1", "--rows", "9", "-o", "x.csv"], "must be 2 or more"),
    ],
)
def test_wrong_options(script, capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as raised:
        script.main(arguments)
    assert raised.value.code == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_losses_on_the_domains_themselves(script, tmp_path):
    path = tmp_path / "own.csv"
    script.main(["--rows", "60", "--mixtures", "12", "--domains", "3", "--own", "-o", str(path)])
    runs = read_runs(path)
    assert runs.targets == runs.domains == ("d01", "d02", "d03")
