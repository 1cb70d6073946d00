"""Several laws on the same splits: figures, averages, the choice, and what is not applicable."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.evaluation.compare import check_names, compare_laws, count_tasks
from mixfit.evaluation.comparison import AVERAGE, TEST, TRAIN, choose
from mixfit.evaluation.evaluate import evaluate
from mixfit.fitting.fit import fit
from mixfit.fitting.result import Candidate, FitOptions
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.runs.runs import Runs
from mixfit.runs.splits import split_by_rows, split_folds, split_learning_curve, split_sizes

QUICK = FitOptions(restarts=2, hops=0)
DOMAINS = ("web", "code", "wiki")


def table(mixtures=12, sizes=(1e8, 2e8, 4e8), lengths=(1e9, 3e9), targets=("web", "math")):
    """Losses of the additive law, without noise."""
    rng = np.random.default_rng(0)
    h = 0.05 + 0.85 * rng.dirichlet(np.ones(3), mixtures)
    N, D, row = (x.reshape(-1) for x in np.meshgrid(sizes, lengths, np.arange(mixtures)))
    h = h[row.astype(int)]
    formula = Formula(CATALOGUE["additive"], 3)
    losses = {}
    for i, target in enumerate(targets):
        natural = {
            **{"E": [1.0], "C": [0.5, 1.0 + i, 2.0], "gamma": [0.3, 0.6, 0.9]},
            **{"A": [50.0], "alpha": [0.25], "B": [100.0], "beta": [0.2]},
        }
        theta = formula.internal({name: np.array(numbers) for name, numbers in natural.items()})
        losses[target] = formula.predict(theta, N, D, h)
    return Runs.from_arrays(N, D, h, losses, DOMAINS)


@pytest.fixture(scope="module")
def compared():
    return compare_laws(
        split_folds(table(), 3), ["chinchilla", "additive", "bimix"], options=QUICK, jobs=1
    )


def test_every_split_target_and_law_has_its_figures(compared):
    assert (compared.targets, compared.columns) == (("web", "math"), ("new mixtures",))
    for law, targets in (("additive", ["web", "math"]), ("bimix", ["web"])):
        for split in (TRAIN, TEST):
            own = [f for f in compared.figures if (f.law, f.split) == (law, split)]
            whole = {(f.target, f.fold) for f in own if f.model_size is None}
            assert whole == {(t, fold) for t in [*targets, AVERAGE] for fold in (1, 2, 3)}
    sizes = {f.model_size for f in compared.figures if f.split == TEST}
    assert sizes == {None, 1e8, 2e8, 4e8}


def test_averages_are_means_of_the_figures(compared):
    for law in ("chinchilla", "additive"):
        tests = [
            f.score.mre
            for f in compared.figures
            if (f.law, f.split, f.model_size) == (law, TEST, None) and f.target != AVERAGE
        ]
        summary = compared.summaries[law, AVERAGE, "new mixtures"]
        assert summary.test == pytest.approx(np.mean(tests))
        by_target = [compared.summaries[law, t, "new mixtures"].test for t in compared.targets]
        assert summary.test == pytest.approx(np.mean(by_target))
        assert summary.rows == len(table()) * 2


def test_the_law_that_made_the_losses_wins(compared):
    assert compared.choice.law == "additive"
    assert compared.summaries["additive", AVERAGE, "new mixtures"].test < 1e-3
    chinchilla, additive, bimix = compared.standings
    assert (chinchilla.parameters, additive.parameters, bimix.parameters) == (5, 11, 4)
    assert additive.seconds > 0


def test_a_law_that_is_not_applicable_has_no_figures_and_a_reason(compared):
    assert ("bimix", "math", "new mixtures") not in compared.summaries
    assert compared.standings[2].excluded == "not applicable to math"
    assert [str(note) for note in compared.notes] == [
        "math: bimix is not applicable: it needs a target that is a training domain",
        "the averages of bimix are over the targets that it can be applied to",
        "bimix: the law has no term in N: it takes rows of 100M to 400M parameters as if they were"
        " alike",
    ]


def test_figures_are_those_of_fit_and_evaluate():
    runs = table()
    plan = split_sizes(runs)
    found = compare_laws(plan, ["additive"], options=QUICK, jobs=1)
    fitted = fit(runs.select(runs.N < 4e8), "additive", options=QUICK, jobs=1)
    scores = evaluate(fitted, runs.select(runs.N == 4e8)).scores
    (figure,) = [f for f in found.figures if (f.split, f.target) == (TEST, "math")]
    assert figure.score == scores["math", None]
    assert figure.model_size == 4e8
    (figure,) = [f for f in found.figures if (f.split, f.target) == (TRAIN, "math")]
    assert figure.score.mre == pytest.approx(fitted.targets["math"].mre)


def test_a_law_s_figures_do_not_depend_on_the_others_nor_on_processes():
    plan = split_learning_curve(table(sizes=(1e8,), lengths=(1e9,)), [6], repeats=2)
    together = compare_laws(plan, ["joint", "additive", "ridge"], options=QUICK, jobs=2)
    alone = compare_laws(plan, ["additive"], options=QUICK, jobs=1)
    assert [f for f in together.figures if f.law == "additive"] == list(alone.figures)


def test_done_is_called_for_every_task():
    plan = split_folds(table(sizes=(1e8,)), 2)
    calls = []
    compare_laws(plan, ["chinchilla"], options=QUICK, jobs=1, done=lambda: calls.append(1))
    assert len(calls) == count_tasks(plan) == 4


def test_several_tests_are_columns_of_one_fit():
    runs = table()
    parts = [runs.select(runs.N == 2e8), runs.select(runs.N == 4e8)]
    plan = split_by_rows(runs.select(runs.N == 1e8), parts, ["200M", "400M"])
    found = compare_laws(plan, ["chinchilla"], options=QUICK, jobs=1)
    assert found.columns == ("200M", "400M")
    one, other = (found.summaries["chinchilla", "web", c] for c in found.columns)
    assert one.train == other.train
    assert found.standings[0].mre == pytest.approx(
        np.mean([found.summaries["chinchilla", AVERAGE, c].test for c in found.columns])
    )


def test_standard_errors_are_over_mixtures():
    runs = table(mixtures=6, sizes=(1e8,))
    plan = split_folds(runs, 3)
    found = compare_laws(plan, ["chinchilla"], options=QUICK, jobs=1)
    summary = found.summaries["chinchilla", "web", "new mixtures"]
    errors = []
    for split in plan.splits:
        fitted = fit(split.train, "chinchilla", options=QUICK, jobs=1).targets["web"]
        test = split.tests[0].runs
        relative = 100 * np.abs(fitted.predict(test.N, test.D, test.h) / test.losses[:, 0] - 1)
        errors += [relative[test.mixture == m].mean() for m in range(len(test.mixtures))]
    assert len(errors) == 6
    assert summary.error == pytest.approx(np.std(errors, ddof=1) / np.sqrt(6))


def test_a_law_that_predicts_nonsense_is_never_chosen(monkeypatch):
    from mixfit.evaluation import compare

    real = compare._run

    def spoiled(task):
        found = real(task)
        first, *rest = found["additive"].predicted
        rest[0] = rest[0].copy()
        rest[0][0] = -1.0
        found["additive"] = found["additive"]._replace(predicted=(first, *rest))
        return found

    monkeypatch.setattr(compare, "_run", spoiled)
    found = compare_laws(
        split_folds(table(sizes=(1e8,)), 2), ["chinchilla", "additive"], options=QUICK, jobs=1
    )
    assert found.choice.law == "chinchilla"
    text = "losses that are not finite or not positive on 4 rows held out"
    assert found.standings[1].excluded == f"predicts {text}"
    assert f"additive predicts {text}" in [note.text for note in found.notes]


def test_a_law_whose_fit_failed_is_never_chosen(monkeypatch):
    from mixfit.evaluation import compare

    real = compare._run

    def spoiled(task):
        found = real(task)
        found["additive"] = found["additive"]._replace(failed=True, status="not converged")
        return found

    monkeypatch.setattr(compare, "_run", spoiled)
    found = compare_laws(
        split_folds(table(sizes=(1e8,)), 2), ["chinchilla", "additive"], options=QUICK, jobs=1
    )
    assert found.choice.law == "chinchilla"
    assert found.choice.reason.endswith("; not additive: 4 of 4 fits failed")
    assert "additive: 4 of 4 fits (web, math): not converged" in [note.text for note in found.notes]


def test_regressions_are_compared_and_never_chosen():
    found = compare_laws(
        split_folds(table(sizes=(1e8,)), 2), ["chinchilla", "ridge"], options=QUICK, jobs=1
    )
    assert found.choice.law == "chinchilla"
    assert found.choice.reason.endswith("; not ridge: it is no law")
    assert found.standings[1].parameters == 5


def standing(law, parameters, test, error=0.05, excluded=""):
    return Candidate(law, parameters, test, error, excluded)


def test_the_smaller_law_is_chosen_within_one_standard_error():
    small, large = standing("small", 5, 0.44), standing("large", 9, 0.40)
    choice = choose([large, small])
    assert choice.law == "small"
    assert choice.reason == (
        "mean held-out MRE 0.44% with 5 parameters, within one standard error (0.05) of the lowest,"
        " 0.4% of large with 9"
    )
    choice = choose([large, standing("small", 5, 0.46)])
    assert (choice.law, choice.reason) == ("large", "lowest mean held-out MRE, 0.4%")
    assert choose([standing("small", 5, 0.44, float("nan")), large]).law == "small"
    assert choose([small, standing("large", 9, 0.40, float("nan"))]).law == "large"


def test_none_is_chosen_where_none_can_be():
    assert choose([standing("one", 5, 0.4, excluded="it is no law")]) is None


def test_names_are_checked():
    with pytest.raises(UsageError) as caught:
        check_names(["aditive"])
    assert str(caught.value) == (
        "There is no law 'aditive'. Did you mean 'additive'? Laws: "
        + ", ".join(CATALOGUE)
        + "; regressions: ridge, trees."
    )
    with pytest.raises(UsageError) as caught:
        check_names(["joint", "joint"])
    assert str(caught.value) == "--law joint is given twice."


def test_parts_without_a_common_target_are_refused():
    runs = table()
    losses = runs.losses.copy()
    losses[runs.N < 4e8, 0] = np.nan
    losses[runs.N == 4e8, 1] = np.nan
    named = dict(zip(runs.targets, losses.T, strict=True))
    runs = Runs.from_arrays(runs.N, runs.D, runs.h, named, DOMAINS)
    with pytest.raises(UsageError) as caught:
        compare_laws(split_sizes(runs), ["additive"], options=QUICK, jobs=1)
    assert str(caught.value) == (
        "No target has losses both in the rows to fit and in all rows to test. Choose other rows or"
        " other --targets."
    )
