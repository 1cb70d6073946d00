"""Errors of rows held out, by mixture: what counts as one mixture, and the standard error."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.base.metrics import percent_errors
from mixfit.evaluation.contenders import FittedContender, contenders_of
from mixfit.evaluation.heldout import HeldOutErrors, MixtureNumbers, Task, run
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.runs.runs import Runs
from mixfit.runs.splits import HeldOut, Split, Splits, split_folds
from mixfit.runs.target_rows import TargetRows

QUICK = FitOptions(restarts=2, hops=0)
DOMAINS = ("web", "code")


def runs_of(first_weights, lengths=(1e9, 3e9)):
    """Runs of one size with these weights of the first domain."""
    web, D = (x.ravel() for x in np.meshgrid(first_weights, lengths, indexing="ij"))
    h = np.column_stack([web, 1 - web])
    loss = 2.0 + 0.5 * web + 300 / D**0.3
    return Runs.from_arrays(np.full(len(D), 1e8), D, h, {"math": loss}, DOMAINS)


def splits_of(*tests, label="new mixtures"):
    """Splits that test one table each."""
    train = runs_of([0.9, 0.5, 0.7])
    splits = [Split(i, train, (HeldOut(label, test, 0),)) for i, test in enumerate(tests, start=1)]
    return Splits(tuple(splits), "a test", (label,))


class TestMixtureNumbers:
    def test_mixtures_that_hardly_differ_are_one(self):
        # 1e-8 apart, on two sides of a rounded sixth digit.
        one, other = runs_of([0.1234565, 0.4]), runs_of([0.3, 0.12345649])
        every = MixtureNumbers.of(splits_of(one, other))
        np.testing.assert_array_equal(every.numbers[0, 0], [0, 1])
        np.testing.assert_array_equal(every.numbers[1, 0], [2, 0])
        np.testing.assert_allclose(every.mixtures[:, 0], [0.1234565, 0.4, 0.3])

    def test_mixtures_that_differ_are_two(self):
        every = MixtureNumbers.of(splits_of(runs_of([0.12345]), runs_of([0.12346])))
        np.testing.assert_array_equal(every.numbers[1, 0], [1])

    def test_every_part_of_every_split_is_numbered(self):
        train, tests = runs_of([0.5]), [runs_of([0.1, 0.2]), runs_of([0.2, 0.3, 0.1])]
        both = Split(1, train, tuple(HeldOut(str(i), t, 0) for i, t in enumerate(tests)))
        alone = Split(2, train, (HeldOut("2", tests[1], 0),))
        every = MixtureNumbers.of(Splits((both, alone), "a test", ("0",)))
        assert {key: list(own) for key, own in every.numbers.items()} == {
            (0, 0): [0, 1],
            (0, 1): [1, 2, 0],
            (1, 0): [1, 2, 0],
        }


class TestHeldOutErrors:
    def test_rows_are_averaged_within_mixtures_then_over_splits_then_over_targets(self):
        errors = HeldOutErrors()
        errors.add("law", "math", "new", np.array([0, 0, 0, 1]), np.array([1.0, 2.0, 3.0, 8.0]))
        errors.add("law", "math", "new", np.array([0]), np.array([4.0]))
        errors.add("law", "web", "new", np.array([0, 2]), np.array([7.0, 9.0]))
        assert errors.by_mixture("law", ["math"], "new") == {0: 3.0, 1: 8.0}
        assert errors.by_mixture("law", ["web"], "new") == {0: 7.0, 2: 9.0}
        assert errors.by_mixture("law", ["math", "web"], "new") == {0: 5.0, 1: 8.0, 2: 9.0}

    def test_others_are_not_mixed_in(self):
        errors = HeldOutErrors()
        for key in (("law", "math", "new"), ("law", "math", "400M"), ("other", "math", "new")):
            errors.add(*key, np.array([0]), np.array([float(len(errors._errors))]))
        assert errors.by_mixture("law", ["math"], "new") == {0: 0.0}
        assert errors.by_mixture("law", ["math"], "400M") == {0: 1.0}
        assert errors.by_mixture("other", ["math"], "new") == {0: 2.0}
        assert errors.by_mixture("nobody", ["math"], "new") == {}

    def test_the_standard_error_is_that_of_a_mean_over_mixtures(self):
        errors = HeldOutErrors()
        mixture = np.repeat([0, 1, 2], [1, 2, 30])  # however many rows each has
        errors.add("law", "math", "new", mixture, np.repeat([1.0, 2.0, 6.0], [1, 2, 30]))
        expected = np.std([1.0, 2.0, 6.0], ddof=1) / np.sqrt(3)
        assert errors.standard_error("law", ["math"], "new") == pytest.approx(expected)

    @pytest.mark.parametrize("errors", [[3.0], [3.0, np.inf]], ids=["one mixture", "infinite"])
    def test_none_where_it_says_nothing(self, errors):
        table = HeldOutErrors()
        table.add("law", "math", "new", np.arange(len(errors)), np.array(errors))
        assert np.isnan(table.standard_error("law", ["math"], "new"))

    def test_a_mixture_met_twice_counts_once(self):
        """Two splits test one mixture, in tables that write it differently by 1e-8."""
        one, other = runs_of([0.1234565, 0.4]), runs_of([0.12345649, 0.8])
        numbers = MixtureNumbers.of(splits_of(one, other)).numbers
        errors = HeldOutErrors()
        for split, (runs, own) in enumerate([(one, [1.0, 2.0]), (other, [3.0, 6.0])]):
            mixture = numbers[split, 0][runs.mixture]
            errors.add("law", "math", "new", mixture, np.array(own)[runs.mixture])
        # (1 + 3) / 2, 2 and 6: three mixtures, not four.
        expected = np.std([2.0, 2.0, 6.0], ddof=1) / np.sqrt(3)
        assert errors.standard_error("law", ["math"], "new") == pytest.approx(expected)


def test_errors_in_percent():
    predicted, observed = np.array([1.0, 3.0, np.inf, 1e308]), np.array([2.0, 2.0, 2.0, 1e-8])
    np.testing.assert_array_equal(percent_errors(predicted, observed), [50, 50, np.inf, np.inf])


def test_a_task_gives_what_each_contender_predicts_of_each_part():
    splits = split_folds(runs_of(np.linspace(0.1, 0.9, 6), (1e9, 2e9, 4e9)), 3)
    split = splits.splits[1]
    held_out = TargetRows.of(split.tests[0].runs, "math")
    alone = fit(split.train, "chinchilla", options=QUICK)
    (ridge,) = contenders_of(["ridge"])
    law = FittedContender("chinchilla", alone, {"math": 1.0})
    contenders = {"chinchilla": law, "ridge": ridge}
    fitted = TargetRows.of(split.train, "math")
    results = run(Task(1, fitted, (held_out,), contenders, QUICK))
    assert list(results) == ["chinchilla", "ridge"]
    for rows, predicted in zip((fitted, held_out), results["chinchilla"].predicted, strict=True):
        np.testing.assert_array_equal(predicted, alone.predict(rows.N, rows.D, rows.h)["math"])
    for rows, predicted in zip((fitted, held_out), results["ridge"].predicted, strict=True):
        assert predicted.shape == rows.loss.shape
