"""The command that makes a fit again."""

from __future__ import annotations

from dataclasses import replace

from results import make_fit

from mixfit.fitting.options import FitOptions
from mixfit.fitting.result import Candidate, Choice, PoolPath, Range, Trial
from mixfit.fitting.trimmed import Cut, Trim
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import USUAL, Pool, PooledLaw
from mixfit.reports.fit_command import fit_command
from mixfit.runs.columns import Columns
from mixfit.runs.runs import SourceFile


def test_a_command_says_what_is_not_usual():
    fit = make_fit()
    columns = Columns("size", 1e10, {"a": "weight_a"}, {"b": "loss_b"})
    files = (SourceFile("my runs.csv", "00", 4),)
    data = replace(fit.data, files=files, columns=columns, where=("step>=10",))
    own = replace(
        fit,
        data=data,
        law=PooledLaw(CATALOGUE["joint"], Pool(0.01, usual=USUAL)),
        options=FitOptions(delta=0.01, seed=7, hops=3),
    )
    assert fit_command(own, "f.yaml") == (
        "mixfit fit 'my runs.csv' --law joint:0.01 --where 'step>=10' --model-size size"
        " --set n_tokens=10000000000 --targets loss_b --delta 0.01 --hops 3 --seed 7 -o f.yaml"
    )
    small = replace(own, data=replace(data, model_size=Range(1e3, 1e5)))
    assert " --targets loss_b --allow-units " in fit_command(small, "f.yaml")
    alone = replace(own, options=FitOptions(discrepancy="none"))
    assert " --discrepancy none " in fit_command(alone, "f.yaml")
    choice = Choice(law="joint", reason="it is best", candidates=(Candidate("joint", 3, 1.0, 0.1),))
    assert "--law auto " in fit_command(replace(own, selection=choice), "f.yaml")
    cut = Cut(3e8, 4e9, 10, 1.0, 0.0, 0.0)
    # By the rows that were kept another law could be chosen.
    trimmed = replace(own, selection=choice, trim=Trim("1.2B", 3e8, 4e9, (cut,)))
    assert "--law joint:0.01 " in fit_command(trimmed, "f.yaml")


def test_strengths_that_were_chosen_are_not_in_the_command():
    fit, trial = make_fit(), Trial(0.01, (0.01,), (1.0,), (1.0,))
    law = PooledLaw(CATALOGUE["additive"], Pool(0.01, 0.1, 0.003, usual=USUAL))
    for path, said in (
        (None, "additive:0.01+0.1+0.003"),
        (PoolPath("5 folds", trial, trial), "additive"),
        (PoolPath("5 folds", trial), "additive:domains"),
    ):
        assert f" --law {said} " in fit_command(replace(fit, law=law, pool_path=path), "f.yaml")
