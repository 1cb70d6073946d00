"""Weights of several phases of training are refused, and said to be that."""

from __future__ import annotations

import pytest
from tables_of_runs import message, table

from mixfit.runs.phases import explain_phases
from mixfit.runs.read import read_runs


@pytest.mark.parametrize(
    "names",
    [
        ("weight_phase1_web", "weight_phase1_code", "weight_phase2_web", "weight_phase2_code"),
        ("phase1_web", "phase1_code", "phase2_web", "phase2_code"),
        ("weight_web_stage_1", "weight_code_stage_1", "weight_web_stage_2", "weight_code_stage_2"),
        ("stage-a/web", "stage-a/code", "stage-b/web", "stage-b/code"),
    ],
)
def test_columns_for_each_phase(names):
    header = ",".join([*names, "N", "D", "x_loss"])
    said = message(table("0.5,0.5,0.25,0.75,1e8,1e9,3", header=header))
    assert said == (
        f"runs.csv: columns {names[0]} and {names[2]} are weights of one domain in 2 phases of "
        "training, and a law takes one mixture a run. Average the phases of each domain, by the "
        "tokens D of each, h = (D_1 h_1 + D_2 h_2) / (D_1 + D_2), write that into one column a "
        "domain, and let the run's tokens be the sum. Or choose other columns with --weights."
    )


def test_one_phase_alone_can_be_chosen():
    header = "phase1_web,phase1_code,phase2_web,phase2_code,N,D,x_loss"
    table("0.5,0.5,0.25,0.75,1e8,1e9,3", header=header)
    assert read_runs("runs.csv", weights="phase2_*").domains == ("web", "code")


def test_words_that_only_look_like_phases():
    assert explain_phases(["weight_backstage_1", "weight_backstage_2", "weight_stage"]) is None
    assert explain_phases(["weight_phase1", "weight_phase2", "weight_web"]) is None
