"""What the page on a fit says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from results import make_fit, make_runs, make_study

from mixfit.base.errors import Note
from mixfit.evaluation.evaluate import evaluate
from mixfit.fitting.uncertainty import Resamples
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import USUAL, Pool, PooledLaw
from mixfit.mixture.planner import Planner
from mixfit.mixture.result import Certainty, Gain
from mixfit.reports.document import Made, sections_of, title_of
from mixfit.reports.fit_command import fit_command
from mixfit.reports.page import Code, Points, Section, Table
from mixfit.reports.report import Remark

MADE = Made("mixfit report fit.yaml", [("mixture", "m.yaml", "cd")], [("Python", "3")])


def sections(fit, evaluation=None, study=None):
    found = sections_of(fit, "fit.yaml", "ab", evaluation, study, {}, MADE)
    return {section.heading: section.parts for section in found}


def sentences(found):
    (points,) = found["In short"]
    return points.sentences


def test_a_fit_alone():
    found = sections(make_fit())
    assert list(found) == [
        "In short",
        "What was fitted",
        "Notes",
        "What the words mean",
        "Parameters of each domain",
        "What a reader may ask",
        "How to make this again",
    ]
    (asked,) = found["What a reader may ask"]
    answers = dict(asked.grid.rows)
    assert answers["objective"] == "mean Huber loss of the residuals, delta 0.001"
    assert answers["tokenizer"].startswith("not recorded (")
    assert sentences(found) == [
        "The additive law was fitted to 2 targets of runs with 2 mixtures of 2 domains; on the rows"
        " fitted its mean relative error is 0.38%."
    ]
    law = "The law is L = E + 1 / sum C_i h_i^gamma_i + A N^-alpha + B D^-beta. Source:"
    assert any(isinstance(part, str) and part.startswith(law) for part in found["What was fitted"])
    tables = [part.caption for part in found["Parameters of each domain"]]
    assert tables == ["Parameter C of each domain", "Parameter gamma of each domain"]


@pytest.mark.parametrize(
    ("fitted", "expected"),
    [
        (None, ["On all rows (3 rows) the", "It is not known which of them were fitted."]),
        ([0, 1, 2], ["On the rows fitted (3 rows) the", "No other rows were predicted"]),
        ([0, 1], ["On rows that were not fitted (1 row) the"]),
    ],
)
def test_it_says_whether_the_rows_predicted_were_fitted(fitted, expected):
    fit, runs = make_fit(), make_runs()
    known = None if fitted is None else runs.select(np.array(fitted))
    evaluation = evaluate(fit, runs, fitted_runs=known)
    found = sections(fit, evaluation)
    said = sentences(found)[1:]
    assert len(said) == len(expected)
    assert all(one.startswith(start) for one, start in zip(said, expected, strict=True))
    if fitted == [0, 1]:
        unseen = 100 * abs(evaluation.predicted["web"][2] / 2.8 - 1)
        (table,) = (
            part
            for part in found["How well it predicts"]
            if isinstance(part, Table) and "fitted" in part.caption
        )
        assert table.grid.rows[0] == ("web", "2", table.grid.rows[0][2], "1", f"{unseen:.2f}")


def test_the_best_mixture_and_others():
    found = sections(make_fit(), study=make_study())
    assert sentences(found)[1:] == [
        "The best mixture for 7B parameters is web 75.0%, co_de 25.0%.",
        "Its predicted loss, 2.0000, is 11.11% below that of the uniform mixture, 2.2500.",
    ]
    study = replace(make_study(), baselines=(replace(make_study().baselines[0], loss=1.6),))
    assert "is 25.00% above that of the uniform" in sentences(sections(make_fit(), study=study))[2]
    labels = [part.caption for part in found["The mixture to train on"] if isinstance(part, Table)]
    assert labels == ["The best mixture beside others", "Predicted losses", "Active constraints"]


def test_how_sure_the_best_mixture_is():
    note = Note("not-told-apart", "hardly better")
    gains = {"uniform": Gain(1.0, -0.5, 2.5, 0.62)}
    sure = Certainty(20, np.array([[0.7, 0.8], [0.2, 0.3]]), 1.9, 2.1, 0.5, gains, (note,))
    study = make_study()
    study = replace(study, mixture=replace(study.mixture, certainty=sure))
    found = sections(make_fit(), study=study)
    assert sentences(found)[2].endswith("mixture, 2.2500; it is better with a probability of 62%.")
    labels = [part.caption for part in found["The mixture to train on"] if isinstance(part, Table)]
    assert labels[2] == "What the best mixture gains, over resamples of the fit"
    assert Remark("note", "hardly better") in found["Notes"]


def test_words_are_those_that_the_page_has():
    def words(fit):
        (points,) = sections(fit)["What the words mean"]
        return [sentence.partition(":")[0] for sentence in points.sentences]

    fit = make_fit()
    assert not {"Pooled", "± and 90%"} & set(words(fit))
    pooled = replace(fit, law=PooledLaw(CATALOGUE["additive"], Pool(0.01, usual=USUAL)))
    twice = {
        target: {name: np.stack([x, x]) for name, x in found.params.items()}
        for target, found in fit.targets.items()
    }
    fitted = replace(pooled, resamples=Resamples(0, twice))
    assert words(fitted)[-2:] == ["Pooled", "± and 90%"]
    assert " --resamples 2 " in fit_command(fitted, "f.yaml")


def test_notes_are_all_there_under_what_they_are_about():
    fit = make_fit()
    evaluation, study = evaluate(fit, make_runs()), make_study()
    parts = sections(fit, evaluation, study)["Notes"]
    assert parts[0] == "About the fit and the runs fitted:"
    texts = [part.text for part in parts if not isinstance(part, str)]
    assert len(texts) == 1 + len(evaluation.notes) + len(study.mixture.notes)
    quiet = replace(fit, targets={n: replace(t, notes=()) for n, t in fit.targets.items()})
    assert sections(quiet)["Notes"] == ("Nothing was found to warn of.",)


def test_how_to_make_it_again():
    parts = sections(make_fit())["How to make this again"]
    codes = [part.text for part in parts if isinstance(part, Code)]
    assert codes == [
        "mixfit fit RUNS --law additive:none --weights web --weights code --targets web"
        " --targets 'm|<a>_t_h' -o fit.yaml",
        "mixfit report fit.yaml",
    ]
    files, versions = (part.grid.rows for part in parts if isinstance(part, Table))
    assert files == (("fit", "fit.yaml", "ab"), ("mixture", "m.yaml", "cd"))
    assert versions[1:] == (("Python", "3"),)


def test_title():
    assert title_of(make_fit(), "fit.yaml") == (
        "The additive law of fit.yaml",
        "Fitted with mixfit to runs: 2 mixtures of 2 domains, 100M to 1.24B parameters, 2B to 46.1B"
        " tokens.",
    )


def test_of_real_results_every_part_can_be_shown():
    fit = make_fit()
    planner = Planner(fit)
    study = planner.study(planner.best(1e9, 1e10))
    found = sections_of(fit, "f", "0", evaluate(fit, make_runs()), study, {}, MADE)
    assert all(isinstance(section, Section) for section in found)
    assert isinstance(found[0].parts[0], Points)
