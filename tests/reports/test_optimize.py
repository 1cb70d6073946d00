"""Reports on best mixtures: what the exact texts in golden/ do not show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from results import make_mixture, make_study

from mixfit.base.errors import Note
from mixfit.mixture.result import PureTarget
from mixfit.reports.optimize import report_result, report_study
from mixfit.reports.render import print_report, render


def test_names_of_baselines_are_broken_on_a_narrow_terminal_only(terminal):
    study = make_study()
    study = replace(study, baselines=(replace(study.baselines[0], name="best observed"),))
    assert "  best observed\n" in render(report_study(study), "text")
    stream = terminal(60)
    print_report(report_study(study, "law of fit.yaml"))
    text = stream.getvalue()
    assert text.startswith("law of fit.yaml: 7B parameters; 2 targets alike\n")
    assert "best observed" not in text
    assert "observed" in text


def test_a_grid_of_budgets():
    mixtures = [make_mixture(), replace(make_mixture(), model_size=1.3e10, gap=1e-8)]
    report = report_result("law", mixtures, (), None)
    assert render(report, "text").splitlines()[:5] == [
        "law: 2 budgets; 2 targets alike; h* in %",
        "",
        "parameters  tokens   web  co_de    loss",
        "───────────────────────────────────────",
        "        7B          75.0   25.0  2.0000",
    ]
    assert report.remarks[0].text == (
        "optimum certified: largest gap of 2 5e-09 of the objective (convex problem)"
    )


def test_each_target():
    pure = [PureTarget("web", make_mixture(), 0.25), PureTarget("math", make_mixture(), None)]
    assert render(report_result("law", (), pure, None), "text").splitlines()[:6] == [
        "law: 7B parameters; h* in % for each target alone",
        "",
        "target   web  co_de    loss  JS distance to its corner",
        "──────────────────────────────────────────────────────",
        "web     75.0   25.0  2.0000                      0.250",
        "math    75.0   25.0  2.0000",
    ]


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"convex": False}, "no direction leads down: gap 5e-10 of the objective; the problem is"),
        ({"gap": 0.0}, "optimum certified: gap 1e-16 of the objective (convex problem)"),
        ({"gap": 1e-3}, None),
        ({"gap": float("nan")}, None),
    ],
)
def test_the_certificate(changes, remark):
    mixture = replace(make_mixture(), **changes)
    certificate = [r for r in report_result("law", [mixture], (), None).remarks if r.label == "ok"]
    if remark is None:
        assert not certificate
    else:
        assert [r.text.startswith(remark) for r in certificate] == [True]


def test_of_many_notes_that_are_alike_the_last_are_given():
    mixtures = [replace(make_mixture(), notes=(Note("far", f"{size} is far"),)) for size in "ABCD"]
    texts = [r.text for r in report_result("law", mixtures, (), None).remarks[1:]]
    assert texts == ["C is far", "D is far (and 2 other notes like this one)"]
