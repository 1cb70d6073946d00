import csv
import io
import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml
from random_fits import additive, random_fit

from mixfit.fitting.file import load_fit, save_fit
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.fitting.result import Range
from mixfit.fitting.uncertainty import Errors, Noise, Resamples
from mixfit.runs.read import read_runs

BUDGET = ("--model-size", "1B", "--tokens", "10B")


@pytest.fixture
def run(tmp_path, monkeypatch, called):
    """Run the command in a folder with a fit file, giving standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    save_fit(random_fit("joint", 3, 2, 1), "fit.yaml")

    def command(*arguments, file="fit.yaml", status=0):
        done = called("optimize", file, *arguments)
        assert done.returncode == status, done.stderr
        return done.stdout, done.stderr

    return command


def refused(run, *arguments, **options):
    out, said = run(*arguments, **options, status=2)
    assert out == ""
    return said.removeprefix("error: ").removesuffix("\n")


def test_one_budget(run):
    out, err = run(*BUDGET, "-o", "mixture.yaml")
    lines = out.splitlines()
    assert lines[0] == "joint law of fit.yaml: 1B parameters, 10B tokens; 2 targets alike"
    assert "as good within 0.1%" in lines[2]
    assert "uniform" in lines[2]
    shares = [float(line.split()[1]) for line in lines[4:7]]
    assert round(sum(shares), 6) == 100
    assert "average loss" in out
    assert "ok    no direction leads down: gap" in err or "ok    optimum certified: gap" in err
    assert "wrote  mixture.yaml" in err.replace("wrote ", "wrote  ").replace("   ", "  ")
    with open("mixture.yaml", encoding="utf-8") as stream:
        content = yaml.safe_load(stream)
    assert content["schema"] == "mixfit.mixture/1"
    assert content["fit"]["path"] == "fit.yaml"
    assert content["mixtures"][0]["gap"] < 1e-8


def test_the_report_of_a_law_whose_optimum_is_known(run):
    save_fit(
        additive({"web": [1, 2, 0.5]}, {"web": [0.5] * 3}, ["web", "code", "books"]), "known.yaml"
    )
    out, err = run(*BUDGET, "--min", "books=0.2", file="known.yaml")
    assert out == (
        "additive law of known.yaml: 1B parameters, 10B tokens; target web\n"
        "\n"
        "domain    h* %  tokens  as good within 0.1%  unconstrained  uniform\n"
        "───────────────────────────────────────────────────────────────────\n"
        "web       16.0    1.6B         10.0 to 23.0           19.0     33.4\n"
        "code      64.0    6.4B         57.0 to 70.0           76.2     33.3\n"
        "books     20.0      2B         20.0 to 21.5            4.8     33.3\n"
        "\n"
        "loss    2.1492                                      2.1360   2.1944\n"
        "\n"
        "active constraint  costs, in loss\n"
        "─────────────────────────────────\n"
        "--min books=0.2           0.01328\n"
        "\n"
    )
    assert "ok    optimum certified: gap" in err


def test_standard_output_holds_the_file_alone(run):
    out, _ = run(*BUDGET, "-o", "-")
    assert yaml.safe_load(out)["schema"] == "mixfit.mixture/1"
    out, _ = run(*BUDGET, "--format", "hf", "-o", "-")
    assert sum(round(1e6 * p) for p in json.loads(out)["probabilities"]) == 10**6
    with open("prefixes.yaml", "w", encoding="utf-8") as stream:
        stream.write("d0: /a\nd1: /b\nd2: /c\n")
    out, _ = run(*BUDGET, "--format", "megatron", "--prefixes", "prefixes.yaml", "-o", "-")
    assert set(out.split()[1::2]) <= {"/a", "/b", "/c"}
    out, _ = run("--model-size", "1B,2B", "--tokens", "1B", "--format", "csv", "-o", "-")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["model_size"] for row in rows] == ["1e+09"] * 3 + ["2e+09"] * 3


def test_the_same_bytes_again(run):
    asked = (*BUDGET, "--max", "d0=0.3", "--prior", "uniform", "--kl", "0.01", "-o", "-")
    assert run(*asked) == run(*asked)


def test_a_grid(run):
    out, err = run("--model-size", "100M,1B", "--tokens", "1B,10B", "--tokens", "100B")
    assert "6 budgets" in out
    assert len([line for line in out.splitlines() if line.strip().startswith(("100M", "1B"))]) == 6
    assert "gap of 6" in err


def test_each_target(run):
    out, _ = run(*BUDGET, "--each-target", "-o", "each.yaml")
    assert "for each target alone" in out
    with open("each.yaml", encoding="utf-8") as stream:
        entries = yaml.safe_load(stream)["mixtures"]
    assert [entry["target"] for entry in entries] == ["t0", "t1"]
    assert "takes one --model-size" in refused(run, "--each-target", "--flops", "1e20")


def test_flops(run):
    out, _ = run(
        "--flops", "1e20", "--model-size-range", "100M,1B", "--tokens-range", "1B,1T", "-o", "-"
    )
    (entry,) = yaml.safe_load(out)["mixtures"]
    assert 6 * entry["model_size"] * entry["tokens"] == pytest.approx(1e20)
    assert "leave out --model-size" in refused(run, "--flops", "1e20", *BUDGET)


def test_constraints_from_files(run):
    with open("tokens.csv", "w", encoding="utf-8") as stream:
        stream.write("domain,tokens\nd0,500M\nd1,1B\n")
    out, err = run(
        *BUDGET, "--available", "tokens.csv", "--available", "d2=2.4B", "--max-epochs", "3",
        "--group", "pair=d0,d1", "--max", "pair=0.4", "--no-worse-than", "t0=100", "-o", "-",
    )  # fmt: skip
    weights = yaml.safe_load(out)["mixtures"][0]["weights"]
    assert weights["d0"] <= 0.15 + 1e-6
    assert weights["d1"] <= 0.3 + 1e-6
    assert weights["d2"] <= 0.72 + 1e-6
    assert weights["d0"] + weights["d1"] <= 0.4 + 2e-6
    assert err == "" or "note" in err or "ok" in err


def test_no_worse_than_a_mixture(run):
    out, _ = run(*BUDGET, "--target", "t0", "--no-worse-than", "uniform", "-o", "-")
    entry = yaml.safe_load(out)["mixtures"][0]
    uniform = entry["baselines"][0]["predicted_loss"]
    assert all(entry["predicted_loss"][t] <= uniform[t] + 1e-7 for t in uniform)


def test_baselines(run):
    with open("base.yaml", "w", encoding="utf-8") as stream:
        stream.write("d0: 0.5\nd1: 0.5\n")
    out, _ = run(*BUDGET, "--baseline", "mine=base.yaml", "--baseline", "d0=1,d2=1")
    assert re.split("  +", out.splitlines()[2])[-3:] == ["uniform", "mine", "given 2"]
    out, _ = run(*BUDGET, "--baseline", "base.yaml", "--baseline", "uniform")
    # The uniform one stands there in any case, once.
    assert re.split("  +", out.splitlines()[2])[-3:] == ["as good within 0.1%", "base", "uniform"]
    _, err = run(*BUDGET, "--quiet")
    assert err == ""


def test_observed_mixtures_are_read_from_the_runs_while_they_are_the_same(run, tmp_path):
    rng = np.random.default_rng(0)
    h = rng.dirichlet(np.ones(2), 12)
    with open("runs.csv", "w", encoding="utf-8") as stream:
        stream.write("weight_a,weight_b,model_size,n_tokens,loss_x\n")
        for a, b in h:
            for N, D in ((1e8, 1e9), (1e9, 1e10), (3e8, 5e9)):
                loss = 1 + 1 / (a**0.5 + b**0.5) + 30 / N**0.2 + 100 / D**0.25
                stream.write(f"{a},{b},{N},{D},{loss}\n")
    made = fit(read_runs("runs.csv"), options=FitOptions(restarts=1, hops=0), jobs=1)
    save_fit(made, "made.yaml")
    assert "best observed" in run(*BUDGET, file="made.yaml")[0]
    out, _ = run(*BUDGET, "--prior", "observed", "--kl", "10", "-o", "-", file="made.yaml")
    weights = yaml.safe_load(out)["mixtures"][0]["weights"]
    assert weights["a"] == pytest.approx(h[:, 0].mean(), abs=0.01)
    with open("runs.csv", "a", encoding="utf-8") as stream:
        stream.write("0.5,0.5,1e8,1e9,3.0\n")
    assert "best observed" not in run(*BUDGET, file="made.yaml")[0]
    assert "best observed" in run(*BUDGET, "--runs", "runs.csv", file="made.yaml")[0]
    text = refused(run, *BUDGET, "--prior", "observed", "--kl", "1", file="made.yaml")
    assert "--runs" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the joint law depends on N: give --model-size, such as --model-size 7B."),
        ((*BUDGET, "--target", "tt0"), "Did you mean 't0'"),
        ((*BUDGET, "--target", "t0=-1"), "0 or more"),
        ((*BUDGET, "--target", "t0=0"), "All target weights are 0"),
        ((*BUDGET, "--target", "t0=x"), "--target t0=x: 'x' is not a number"),
        ((*BUDGET, "--min", "d00=0.1"), "Did you mean 'd0'"),
        ((*BUDGET, "--min", "d0"), "write NAME=NUMBER"),
        ((*BUDGET, "--min", "d0=0.6", "--min", "d1=0.6"), "--min d0=0.6, --min d1=0.6"),
        ((*BUDGET, "--min", "d0=0.6", "--min", "d0=0.6"), "stands twice"),
        ((*BUDGET, "--group", "g"), "write NAME=DOMAIN"),
        ((*BUDGET, "--available", "none.yaml"), "none.yaml: there is no such file"),
        ((*BUDGET, "--prior", "uniform"), "--prior needs --kl"),
        ((*BUDGET, "--kl", "0.1"), "--kl needs --prior"),
        ((*BUDGET, "--prior", "d0=-1,d1=1", "--kl", "0.1"), "d0=-1 is not a weight"),
        ((*BUDGET, "--prior", "d0=0,d1=0", "--kl", "0.1"), "all weights are 0"),
        (
            (*BUDGET, "--baseline", "x"),
            "--baseline x: there is no such file. A mixture is a file, uniform, observed, or",
        ),
        ((*BUDGET, "--no-worse-than", "uniform", "--no-worse-than", "uniform"), "one mixture"),
        ((*BUDGET, "--format", "jsno", "-o", "x"), "Did you mean 'json'"),
        ((*BUDGET, "--format", "json"), "needs --out"),
        ((*BUDGET, "--format", "megatron", "-o", "x"), "needs --prefixes"),
        (("--flops", "1e40"), "--model-size-range"),
        (("--flops", "1e20", "--tokens-range", "1B"), "smallest and the largest"),
        (("--model-size", "1B", "--tokens", "ten"), "--tokens: 'ten' is not a number"),
        (("--model-size", "0", "--tokens", "1B"), "positive"),
    ],
)
def test_what_cannot_be_used_is_said(run, arguments, words):
    assert words in refused(run, *arguments)


def test_help_does_not_import_what_is_slow(run):
    # The command's module is imported by every command line.
    assert "mixfit.commands.optimize" in sys.modules
    source = sys.modules["mixfit.commands.optimize"].__dict__
    assert not {"np", "numpy", "pd", "scipy"} & set(source)


def written(path):
    """The only mixture of a file."""
    with open(path, encoding="utf-8") as stream:
        (entry,) = yaml.safe_load(stream)["mixtures"]
    return entry


def known(run, *arguments):
    numbers = {"web": [1, 2, 0.5], "code": [0.5, 3, 1]}
    save_fit(additive(numbers, {t: [0.5] * 3 for t in numbers}, ["web", "code", "books"]), "k.yaml")
    return run(*BUDGET, *arguments, file="k.yaml")


def test_tokens_passes_and_the_baselines_that_data_give(run):
    there = (
        "--available",
        "web=100B,code=1B,books=2B",
        "--max-epochs",
        "3",
        "--max-epochs",
        "code=5",
    )
    out, _ = known(run, *there, "-o", "m.yaml")
    assert "tokens  passes  as good" in out
    entry = written("m.yaml")
    assert entry["weights"]["code"] <= 0.5
    for domain, tokens in entry["domain_tokens"].items():
        assert tokens == round(entry["weights"][domain] * 1e10)
    assert entry["passes"]["code"] == pytest.approx(entry["domain_tokens"]["code"] / 1e9, rel=1e-3)
    baselines = {b["name"]: b["weights"] for b in entry["baselines"]}
    assert list(baselines) == ["uniform", "proportional", "unimax"]
    assert baselines["proportional"]["web"] == pytest.approx(100 / 103, abs=1e-6)
    # Five passes over 1B and three over 2B of 10B tokens are more than a third each.
    assert baselines["unimax"]["web"] == pytest.approx(1 / 3, abs=1e-6)


def test_the_mixture_of_least_change(run):
    start = "web=0.7,code=0.1,books=0.2"
    out, err = known(run, "--least-change", start, "--within", "1%", "-o", "m.yaml")
    entry = written("m.yaml")
    change = entry["least_change"]
    assert change["start"] == {"web": 0.7, "code": 0.1, "books": 0.2}
    assert change["loss"] == pytest.approx(1.01 * entry["loss"], rel=1e-6)
    h, p = (np.array(list(change[name].values())) for name in ("weights", "start"))
    assert change["divergence"] == pytest.approx(float(h @ np.log(h / p)), rel=1e-3)
    assert "least change" in out
    assert "loss 1% above the best" in out
    # No mixture on a fine grid is nearer and as good.
    grid = np.random.default_rng(0).dirichlet(np.ones(3), 20_000)
    fit = load_fit("k.yaml")
    mean = np.mean(list(fit.predict(1e9, 1e10, grid).values()), axis=0)
    nearer = (grid * np.log(grid / p)).sum(axis=1) < change["divergence"] - 1e-6
    assert not np.any(nearer & (mean <= change["loss"]))
    assert nearer.any()
    out, err = known(run, "--least-change", start, "--within", "1%", "--format", "json", "-o", "-")
    assert json.loads(out) == change["weights"]
    assert "note  the file has the mixture of least change, and not h*" in err


def test_a_mixture_that_is_good_enough_is_not_changed(run):
    known(run, "-o", "best.yaml")
    known(run, "--least-change", "best.yaml", "-o", "m.yaml")
    entry = written("m.yaml")
    for domain, share in entry["least_change"]["weights"].items():
        assert share == pytest.approx(entry["weights"][domain], abs=1e-4)


def test_least_change_that_cannot_be(run):
    text = refused(run, *BUDGET, "--least-change", "d0=0.5,d1=0.5", "--within", "0")
    assert text.startswith("--within 0: it must be a share of the loss between 0 and 1")
    text = refused(run, "--model-size", "1B,2B", "--tokens", "10B", "--least-change", "uniform")
    assert text == "--least-change takes one budget, and not --each-target."
    text = refused(run, *BUDGET, "--each-target", "--baseline", "d0=0.5,d1=0.5")
    assert text == "--baseline takes one budget, and not --each-target."
    save_fit(
        additive({"web": [9, 0.01, 0.01]}, {"web": [0.5] * 3}, ["web", "code", "books"]), "o.yaml"
    )
    text = refused(run, *BUDGET, "--least-change", "code=0.5,books=0.5", file="o.yaml")
    assert text == (
        "--least-change: no mixture without web, to which this one gives no weight, has a loss "
        "within 0.2% of the best. Give them some weight, or more room by --within."
    )


def test_mosaic_streams(run):
    out, _ = known(run, "--format", "mosaic", "-o", "-")
    content = json.loads(out)
    assert sum(round(1e6 * s["proportion"]) for s in content["streams"].values()) == 10**6
    assert sum(content["domain_tokens"].values()) == pytest.approx(1e10, abs=3)
    with open("p.yaml", "w", encoding="utf-8") as stream:
        stream.write("web: /w\ncode: /c\nbooks: /b\n")
    out, _ = known(run, "--format", "mosaic", "--prefixes", "p.yaml", "-o", "-")
    assert json.loads(out)["streams"]["web"]["local"] == "/w"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--max-epochs", "3", "--max-epochs", "4"),
            "--max-epochs: 3 and 4 are both for all",
        ),
        (("--max-epochs", "d9=4"), "--max-epochs d9=4: there is no domain 'd9'."),
        (("--max-epochs", "d1=4"), "--max-epochs d1=4: passes over how many tokens?"),
        (("--max-epochs", "d1=0", "--available", "d1=1B"), "--max-epochs d1=0: it must be"),
    ],
)
def test_passes_that_cannot_be(run, options, said):
    assert refused(run, *BUDGET, *options).startswith(said)


def test_weights_stay_where_runs_were(run):
    made = additive({"web": [9, 0.01, 0.01]}, {"web": [0.5] * 3}, ["web", "code", "books"])
    had = {"web": Range(0.2, 0.6), "code": Range(0.1, 0.4), "books": Range(0.1, 0.3)}
    save_fit(replace(made, data=replace(made.data, weights=had)), "o.yaml")
    _, err = run(*BUDGET, file="o.yaml")
    assert "--within-observed 1 keeps to what they had" in " ".join(err.split())
    out, err = run(*BUDGET, "--within-observed", "1", "-o", "m.yaml", file="o.yaml")
    assert written("m.yaml")["weights"]["web"] == 0.6
    assert "--within-observed 1 (web from 0.2 to 0.6)" in out
    assert "weights outside" not in err
    text = refused(run, *BUDGET, "--within-observed", "0.5", file="o.yaml")
    assert text.startswith("--within-observed 0.5: it must be 1 or more")


def test_the_lowest_risk(run):
    text = refused(run, *BUDGET, "--risk", "mean")
    assert text == (
        "--risk mean is over resamples, and the fit has none. Make it with 'mixfit fit --resamples "
        "200'."
    )
    rng = np.random.default_rng(0)
    made = additive({"web": [1, 2, 0.5]}, {"web": [0.5] * 3}, ["web", "code", "books"])
    own = made.targets["web"].params
    params = {name: np.repeat(numbers[None], 20, axis=0) for name, numbers in own.items()}
    params["C"] = params["C"] * np.exp(0.3 * rng.standard_normal((20, 3)))
    noise = Errors(None, None, {"web": Noise(0.1, 0.1, 0.1)})
    save_fit(replace(made, resamples=Resamples(0, {"web": params}), errors=noise), "r.yaml")
    out, _ = run(*BUDGET, "--risk", "upper", "-o", "m.yaml", file="r.yaml")
    assert "target web, lowest upper 90% quantile over resamples" in out
    entry = written("m.yaml")
    assert entry["risk"] == "upper"
    assert entry["objective"] > entry["loss"]
    assert "lowest prediction" in [baseline["name"] for baseline in entry["baselines"]]
    out, _ = run("--model-size", "1B,2B", "--tokens", "10B", "--risk", "mean", file="r.yaml")
    assert "lowest mean over resamples; h* in %" in out
