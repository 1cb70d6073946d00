"""Who takes part in a comparison, what it is called, and what it cannot be asked for."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.evaluation.contenders import (
    FittedContender,
    LawContender,
    RegressionContender,
    contenders_of,
    refusals_in,
)
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.fitting.search import TargetSearch
from mixfit.laws.catalogue import CATALOGUE, COUPLED_LINEAR
from mixfit.laws.pooled import AutoLaw, PooledLaw, law_of
from mixfit.runs.runs import Runs
from mixfit.runs.splits import split_by_rows
from mixfit.runs.target_rows import TargetRows

QUICK = FitOptions(restarts=1, hops=0)


def runs_of(mixtures=4, sizes=(1e8, 2e8), targets=("web", "math"), seed=0):
    rng = np.random.default_rng(seed)
    h = np.repeat(0.1 + 0.8 * rng.dirichlet(np.ones(2), mixtures), 2 * len(sizes), axis=0)
    h /= h.sum(axis=1, keepdims=True)
    N = np.tile(np.repeat(sizes, 2), mixtures)
    D = np.tile([1e9, 4e9], mixtures * len(sizes))
    loss = 1.5 + 30 / N**0.2 + 200 / D**0.3 + 0.1 * h[:, 0]
    return Runs.from_arrays(N, D, h, dict.fromkeys(targets, loss), ("web", "code"))


class TestNames:
    def test_laws_in_any_form_and_regressions(self):
        contenders = contenders_of(
            ["joint", "joint:0.01", CATALOGUE["simple"], AutoLaw(COUPLED_LINEAR), "ridge"]
        )
        assert [c.label for c in contenders] == [
            *("joint", "joint:0.01", "simple", "coupled-linear", "ridge")
        ]
        *laws, ridge = contenders
        assert [law.declared.name for law in laws] == ["joint", "joint", "simple", "coupled-linear"]
        assert all(isinstance(law, LawContender) and not law.excluded for law in laws)
        assert isinstance(ridge, RegressionContender)
        assert (ridge.declared, ridge.excluded) == (None, "it is no law")

    @pytest.mark.parametrize(
        "twice",
        [
            ["joint", "joint"],
            ["joint", CATALOGUE["joint"]],
            ["joint:none", PooledLaw(CATALOGUE["joint"])],
        ],
        ids=["names", "a name and a law", "a name and a law that is not pooled"],
    )
    def test_one_given_twice(self, twice):
        with pytest.raises(UsageError) as caught:
            contenders_of(twice)
        assert (
            caught.value.said_with(lambda name: f"--{name}")
            == f"--law {law_of(twice[0])} is given twice."
        )

    def test_an_unknown_name(self):
        with pytest.raises(UsageError) as caught:
            contenders_of(["aditive"])
        assert str(caught.value) == (
            "There is no law 'aditive'. Did you mean 'additive'? Laws: "
            + ", ".join(CATALOGUE)
            + "; over all targets at once: kkt; regressions: ridge, scheffe2, trees."
        )


class TestRefusals:
    def splits(self):
        with_code = runs_of(targets=("web", "code", "math"))
        return split_by_rows(
            with_code.select(with_code.N == 1e8), [with_code.select(with_code.N == 2e8)], ["200M"]
        )

    def test_a_law_for_domains_only(self):
        refused = refusals_in(
            self.splits(), contenders_of(["additive", "bimix", "ridge"]), ("web", "code", "math")
        )
        assert refused == {("bimix", "math"): "it needs a target that is a training domain"}

    def test_targets_that_are_not_compared_are_not_refused(self):
        assert refusals_in(self.splits(), contenders_of(["bimix"]), ("web", "code")) == {}

    def test_a_law_that_is_infinite_at_a_mixture_that_is_tested(self):
        train = runs_of(sizes=(1e8,), targets=("web",))
        test = Runs.from_arrays([2e8], [1e9], [[0.0, 1.0]], {"web": [2.0]}, ("web", "code"))
        splits = split_by_rows(train, [test], ["200M"])
        (contender,) = contenders_of(["bimix"])
        assert contender.refused(train) == {}
        assert list(refusals_in(splits, [contender], ("web",))) == [("bimix", "web")]


class TestResults:
    def test_a_fitted_law(self):
        train = runs_of()
        rows = TargetRows.of(train, "math")
        other = TargetRows.of(runs_of(sizes=(4e8,), seed=1), "math")
        fitted = fit(train, "additive:none", options=QUICK)
        contender = FittedContender("additive:none", fitted, {"web": 1.0, "math": 2.0})
        result = contender.result(TargetSearch(rows, QUICK), (rows, other), 0)
        assert (result.parameters, result.seconds, result.failed) == (9, 2.0, False)
        for part, predicted in zip((rows, other), result.predicted, strict=True):
            expected = fitted.predict(part.N, part.D, part.h)["math"]
            np.testing.assert_array_equal(predicted, expected)

    def test_a_law_that_one_size_makes_smaller(self):
        train = runs_of(sizes=(1e8,))
        rows = TargetRows.of(train, "math")
        fitted = fit(train, "additive:none", options=QUICK)
        contender = FittedContender("additive:none", fitted, {"web": 1.0, "math": 2.0})
        assert contender.result(TargetSearch(rows, QUICK), (rows,), 0).parameters == 7

    def test_a_regression_has_a_stream_of_random_numbers_for_each_split(self):
        drawn = []

        class Constant:
            parameters = 1

            def predict(self, N, D, h):
                return np.zeros(len(N))

        def fitter(rows, rng):
            drawn.append(rng.random())
            return Constant()

        rows = TargetRows.of(runs_of(), "math")
        web = TargetRows.of(runs_of(), "web")
        contender = RegressionContender("constant", fitter)
        for of_target, options, split in (
            (rows, QUICK, 0),
            (rows, QUICK, 0),
            (rows, QUICK, 1),
            (web, QUICK, 0),
            (rows, FitOptions(seed=1), 0),
        ):
            result = contender.result(TargetSearch(of_target, options), (of_target,), split)
            assert (result.status, result.failed, result.parameters) == ("converged", False, 1)
        assert drawn[0] == drawn[1]
        assert len(set(drawn)) == 4

    def test_a_regression_that_cannot_be_fitted(self):
        pytest.importorskip("lightgbm")
        rows = TargetRows.of(runs_of(mixtures=1), "math")
        (contender,) = contenders_of(["trees"])
        result = contender.result(TargetSearch(rows, QUICK), (rows, rows), 0)
        assert result.failed
        assert result.status.startswith("it needs two mixtures or more")
        assert all(np.isnan(predicted).all() for predicted in result.predicted)
        assert [len(predicted) for predicted in result.predicted] == [len(rows)] * 2
