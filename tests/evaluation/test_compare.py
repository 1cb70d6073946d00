"""Several laws on the same splits: figures, averages, the choice, and what is not applicable."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import told_executor

from mixfit.base.errors import UsageError
from mixfit.evaluation import compare
from mixfit.evaluation.compare import compare_laws
from mixfit.evaluation.comparison import AVERAGE, TEST, TRAIN
from mixfit.evaluation.evaluate import evaluate
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.runs.runs import Runs
from mixfit.runs.splits import (
    HeldOut,
    Split,
    Splits,
    split_by_rows,
    split_folds,
    split_learning_curve,
    split_sizes,
)

QUICK = FitOptions(restarts=2, hops=0)
DOMAINS = ("web", "code", "wiki")


def table(mixtures=12, sizes=(1e8, 2e8, 4e8), lengths=(1e9, 3e9), targets=("web", "math"), seed=0):
    """Losses of the additive law, without noise."""
    rng = np.random.default_rng(seed)
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
        split_folds(table(), 3), ["chinchilla", "additive:none", "bimix"], options=QUICK, jobs=1
    )


def test_every_split_target_and_law_has_its_figures(compared):
    assert (compared.targets, compared.columns) == (("web", "math"), ("new mixtures",))
    for law, targets in (("additive:none", ["web", "math"]), ("bimix", ["web"])):
        for split in (TRAIN, TEST):
            own = [f for f in compared.figures if (f.law, f.split) == (law, split)]
            whole = {(f.target, f.fold) for f in own if f.model_size is None}
            assert whole == {(t, fold) for t in [*targets, AVERAGE] for fold in (1, 2, 3)}
    sizes = {f.model_size for f in compared.figures if f.split == TEST}
    assert sizes == {None, 1e8, 2e8, 4e8}


def test_averages_are_means_of_the_figures(compared):
    for law in ("chinchilla", "additive:none"):
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
    assert compared.choice.law == "additive:none"
    assert compared.summaries["additive:none", AVERAGE, "new mixtures"].test < 1e-3
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
        "bimix is fitted with delta 1, trust-region, at most 2 starts, 0 hops: its authors minimise"
        " squares",
    ]


def test_what_has_no_strength_to_choose_says_nothing_of_one():
    runs = table(targets=("math",))
    compared = compare_laws(
        split_folds(runs, 3), ["additive:none", "bimix", "ridge"], options=QUICK
    )
    assert "pool" not in [note.code for note in compared.notes]


def test_figures_are_those_of_fit_and_evaluate():
    runs = table()
    plan = split_sizes(runs)
    compared = compare_laws(plan, ["additive"], options=QUICK, jobs=1)
    fitted = fit(runs.select(runs.N < 4e8), "additive", options=QUICK, jobs=1)
    scores = evaluate(fitted, runs.select(runs.N == 4e8)).scores
    (figure,) = [f for f in compared.figures if (f.split, f.target) == (TEST, "math")]
    assert figure.score == scores["math", None]
    assert figure.model_size == 4e8
    (figure,) = [f for f in compared.figures if (f.split, f.target) == (TRAIN, "math")]
    assert figure.score.mre == pytest.approx(fitted.targets["math"].mre)


def test_a_law_s_figures_do_not_depend_on_the_others_nor_on_processes():
    plan = split_learning_curve(table(sizes=(1e8,), lengths=(1e9,)), [6], repeats=2)
    together = compare_laws(plan, ["joint", "additive", "ridge"], options=QUICK, jobs=2)
    alone = compare_laws(plan, ["additive"], options=QUICK, jobs=1)
    assert [f for f in together.figures if f.law == "additive"] == list(alone.figures)


def test_progress_is_a_step_for_each_target_of_each_split():
    plan = split_folds(table(sizes=(1e8,)), 2)
    executor, told = told_executor()
    compare_laws(plan, ["chinchilla", "ridge"], options=QUICK, jobs=executor)
    assert told == [
        ("fitting chinchilla", 4),
        *["a step"] * 4,
        ("what the law leaves", 2),
        *["a step"] * 2,
        ("predicting by 2 laws", 4),
        *["a step"] * 4,
    ]


def test_several_tests_are_columns_of_one_fit():
    runs = table()
    parts = [runs.select(runs.N == 2e8), runs.select(runs.N == 4e8)]
    plan = split_by_rows(runs.select(runs.N == 1e8), parts, ["200M", "400M"])
    compared = compare_laws(plan, ["chinchilla"], options=QUICK, jobs=1)
    assert compared.columns == ("200M", "400M")
    one, other = (compared.summaries["chinchilla", "web", c] for c in compared.columns)
    assert one.train == other.train
    assert compared.standings[0].mre == pytest.approx(
        np.mean([compared.summaries["chinchilla", AVERAGE, c].test for c in compared.columns])
    )


def test_standard_errors_are_over_mixtures():
    runs = table(mixtures=6, sizes=(1e8,))
    plan = split_folds(runs, 3)
    compared = compare_laws(plan, ["chinchilla"], options=QUICK, jobs=1)
    summary = compared.summaries["chinchilla", "web", "new mixtures"]
    errors = []
    for split in plan.splits:
        fitted = fit(split.train, "chinchilla", options=QUICK, jobs=1).targets["web"]
        test = split.tests[0].runs
        relative = 100 * np.abs(fitted.predict(test.N, test.D, test.h) / test.losses[:, 0] - 1)
        errors += [relative[test.mixture == m].mean() for m in range(len(test.mixtures))]
    assert len(errors) == 6
    assert summary.error == pytest.approx(np.std(errors, ddof=1) / np.sqrt(6))


def test_a_mixture_that_two_splits_test_counts_once():
    """Even where their tables write it differently by 1e-8."""
    test = table(mixtures=4, sizes=(1e8,), lengths=(1e9,), targets=("web",), seed=1)
    losses = {"web": test.losses_of("web")}
    other = Runs.from_arrays(test.N, test.D, test.h + np.array([1e-8, -1e-8, 0]), losses, DOMAINS)
    train = table(sizes=(1e8,), lengths=(1e9,), targets=("web",))
    splits = [Split(i, train, (HeldOut("new", t, 0),)) for i, t in enumerate((test, other), 1)]
    compared = compare_laws(
        Splits(tuple(splits), "a test", ("new",)), ["chinchilla"], options=QUICK
    )
    fitted = fit(train, "chinchilla", options=QUICK).targets["web"]
    predicted = fitted.predict(test.N, test.D, test.h)
    errors = 100 * np.abs(predicted / test.losses_of("web") - 1)
    summary = compared.summaries["chinchilla", "web", "new"]
    assert summary.rows == 8
    assert summary.error == pytest.approx(np.std(errors, ddof=1) / np.sqrt(4), rel=1e-6)


def spoil(monkeypatch, change):
    """Change what comes out of the fits of the additive law."""
    real = compare.run

    def spoiled(task):
        results = real(task)
        return {**results, "additive": change(results["additive"])}

    monkeypatch.setattr(compare, "run", spoiled)


def test_a_law_that_predicts_nonsense_is_never_chosen(monkeypatch):
    def change(result):
        train, first, *rest = result.predicted
        first = first.copy()
        first[0] = -1.0
        return result._replace(predicted=(train, first, *rest))

    spoil(monkeypatch, change)
    compared = compare_laws(
        split_folds(table(sizes=(1e8,)), 2), ["chinchilla", "additive"], options=QUICK, jobs=1
    )
    assert compared.choice.law == "chinchilla"
    text = "losses that are not finite or not positive on 4 rows held out"
    assert compared.standings[1].excluded == f"predicts {text}"
    assert f"additive predicts {text}" in [note.text for note in compared.notes]


def test_a_law_whose_fit_failed_is_never_chosen(monkeypatch):
    spoil(monkeypatch, lambda result: result._replace(failed=True, status="not converged"))
    compared = compare_laws(
        split_folds(table(sizes=(1e8,)), 2), ["chinchilla", "additive"], options=QUICK, jobs=1
    )
    assert compared.choice.law == "chinchilla"
    assert compared.choice.reason.endswith("; not additive: 4 of 4 fits failed")
    texts = [note.text for note in compared.notes]
    assert "additive: 4 of 4 fits (web, math): not converged" in texts


def test_a_mixture_far_off_is_named(monkeypatch):
    def change(result):
        train, first, *rest = result.predicted
        first = first.copy()
        first[0] *= 2.0
        return result._replace(predicted=(train, first, *rest))

    spoil(monkeypatch, change)
    runs = table(sizes=(1e8,), lengths=(1e9,), targets=("web",))
    plan = split_learning_curve(runs, [6], repeats=1)
    compared = compare_laws(plan, ["additive", "chinchilla"], options=QUICK, jobs=1)
    (note,) = (note for note in compared.notes if note.code == "outlier")
    weights = ", ".join(f"{weight:.3g}" for weight in plan.splits[0].tests[0].runs.h[0])
    assert note.text.startswith(f"additive, {compared.columns[0]}: the mixture ({weights}) has an")


def test_regressions_are_compared_and_never_chosen():
    compared = compare_laws(
        split_folds(table(sizes=(1e8,)), 2), ["chinchilla", "ridge"], options=QUICK, jobs=1
    )
    assert compared.choice.law == "chinchilla"
    assert compared.choice.reason.endswith("; not ridge: it is no law")
    assert not [note for note in compared.notes if note.text.startswith("ridge")]
    assert compared.standings[1].parameters == 5


def test_parts_without_a_common_target_are_refused():
    runs = table()
    losses = runs.losses.copy()
    losses[runs.N < 4e8, 0] = np.nan
    losses[runs.N == 4e8, 1] = np.nan
    named = dict(zip(runs.targets, losses.T, strict=True))
    runs = Runs.from_arrays(runs.N, runs.D, runs.h, named, DOMAINS)
    with pytest.raises(UsageError) as caught:
        compare_laws(split_sizes(runs), ["additive"], options=QUICK, jobs=1)
    assert caught.value.said_with("--{}".format) == (
        "No target has losses both in the rows to fit and in all rows to test, or those to fit are"
        " all one number. Choose other rows or other --targets."
    )


def test_a_target_whose_losses_to_fit_are_one_number_is_left_out():
    runs = table()
    first, second = runs.targets[:2]
    losses = {first: np.where(runs.N < 4e8, 2.5, runs.losses_of(first))}
    losses[second] = runs.losses_of(second)
    runs = Runs.from_arrays(runs.N, runs.D, runs.h, losses, DOMAINS)
    splits = split_by_rows(runs.select(runs.N < 4e8), [runs.select(runs.N == 4e8)])
    compared = compare_laws(splits, ["chinchilla"], options=QUICK)
    assert compared.targets == (second,)
    assert [(n.target, n.text) for n in compared.notes if n.code == "constant-target"] == [
        (first, "left out: its losses in the rows to fit are all one number")
    ]
