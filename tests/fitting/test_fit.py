"""Fits: known parameters come back, larger laws fit no worse, and targets do not disturb others."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from helpers import (
    CONTAINED,
    D_UNIT,
    DESIGNED_NAMES,
    DOMAINS,
    MODEL_SIZES,
    N_UNIT,
    QUICK,
    SIZES,
    TOKENS,
    K,
    draw_mixtures,
    draw_theta,
    free,
    make_table,
    told_executor,
)
from reference.equations import PLAIN

from mixfit import read_runs
from mixfit.base.errors import UsageError
from mixfit.fitting.fit import fit, target_fit
from mixfit.fitting.options import FitOptions
from mixfit.fitting.search import TargetSearch
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.runs.runs import Runs
from mixfit.runs.target_rows import TargetRows

NOISE = 0.002
FASTEST = FitOptions(restarts=1, hops=1)  # where the optimum does not matter


def huber_of(residuals, delta=1e-3):
    """Mean of eq. (6)."""
    size = np.abs(residuals)
    return np.where(size < delta, residuals**2 / 2, delta * size - delta**2 / 2).mean()


def make_runs(law, *, seed=0, mixtures=20, targets=("math",), noise=0.0, **scales):
    """Runs of a law with one set of parameters for each target, and those parameters."""
    rng = np.random.default_rng(seed)
    N, D, h = make_table(draw_mixtures(rng, mixtures), **scales)
    formula = Formula(law, K, N_UNIT, D_UNIT)
    truth = {target: draw_theta(formula, rng) for target in targets}
    losses = {t: formula.predict(theta, N, D, h) for t, theta in truth.items()}
    losses = {t: x * np.exp(noise * rng.standard_normal(len(N))) for t, x in losses.items()}
    return Runs.from_arrays(N, D, h, losses, DOMAINS), formula, truth


@cache
def recovered(name):
    """A law fitted to its own losses, without and with noise, and what they were made from."""
    runs, formula, truth = make_runs(CATALOGUE[name])
    exact = runs.losses_of("math")
    noise = np.exp(NOISE * np.random.default_rng(1).standard_normal(len(exact)))
    both = {"exact": exact, "noisy": exact * noise}
    runs = Runs.from_arrays(runs.N, runs.D, runs.h, both, DOMAINS)
    return fit(runs, free(name), options=QUICK, jobs=1), runs, formula, truth["math"]


@pytest.mark.parametrize("name", DESIGNED_NAMES)
class TestRecovery:
    def test_predictions_everywhere(self, name):
        found, _, formula, theta = recovered(name)
        rng = np.random.default_rng(5)
        N, D, h = make_table(rng.dirichlet(np.ones(K), 20), (3e7, 3e8, 7e9), (5e8, 9e10))
        predicted = found.predict(N, D, h)["exact"]
        np.testing.assert_allclose(predicted, formula.predict(theta, N, D, h), rtol=1e-6)

    def test_parameters(self, name):
        # Twenty mixtures at twelve scales pin all parameters of every law.
        found, _, formula, theta = recovered(name)
        internal = formula.internal(found.targets["exact"].params)
        np.testing.assert_allclose(internal, formula.ordered(theta), atol=1e-4)

    def test_a_noisy_table_is_fitted_no_worse_than_by_the_truth(self, name):
        found, runs, formula, theta = recovered(name)
        residuals = runs.losses_of("noisy") - formula.predict(theta, runs.N, runs.D, runs.h)
        assert found.targets["noisy"].huber <= huber_of(residuals)

    def test_huber_and_mre_are_those_of_the_predictions(self, name):
        found, runs, _, _ = recovered(name)
        loss, target = runs.losses_of("noisy"), found.targets["noisy"]
        predicted = PLAIN[name](target.params, runs.N, runs.D, runs.h)
        np.testing.assert_allclose(target.huber, huber_of(loss - predicted), rtol=1e-8)
        np.testing.assert_allclose(
            target.mre, 100 * np.mean(np.abs(predicted - loss) / loss), rtol=1e-8
        )
        assert target.rows == len(loss)
        assert 0.05 < target.mre < 0.2  # noise of 0.2% has a mean size of 0.16%


@cache
def hubers_of_all_laws(seed):
    runs, _, _ = make_runs(CATALOGUE["coupled-joint"], seed=seed, mixtures=12, noise=NOISE)
    search = TargetSearch(TargetRows.of(runs, "math"), FitOptions(restarts=1, hops=1))
    return {name: target_fit(search, free(name)).huber for name in DESIGNED_NAMES}


@pytest.mark.parametrize(("smaller", "larger"), CONTAINED, ids=[" in ".join(c) for c in CONTAINED])
@pytest.mark.parametrize("seed", range(2))
def test_a_larger_law_never_fits_worse(smaller, larger, seed):
    """Even with hardly a search, and on losses that no law but the largest can follow."""
    hubers = hubers_of_all_laws(seed)
    # A target's objective and a fit's Huber loss are summed in different orders.
    if (smaller, larger) != ("simple", "powered"):
        assert hubers[larger] <= hubers[smaller] * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(2))
def test_powered_never_fits_worse_than_simple_with_negative_gamma(seed):
    rng = np.random.default_rng(seed)
    formula = Formula(CATALOGUE["simple"], K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, rng)
    theta[formula.slices["gamma"]] = -1.3
    N, D, h = make_table(draw_mixtures(rng, 12))
    loss = formula.predict(theta, N, D, h) * np.exp(NOISE * rng.standard_normal(len(N)))
    runs = Runs.from_arrays(N, D, h, {"math": loss}, DOMAINS)
    options = FitOptions(restarts=1, hops=0)
    simple, powered = (
        fit(runs, free(law), options=options, jobs=1) for law in ("simple", "powered")
    )
    assert simple.targets["math"].params["gamma"][0] < 0
    assert powered.targets["math"].huber <= simple.targets["math"].huber * (1 + 1e-9)


@pytest.mark.parametrize("name", DESIGNED_NAMES)
@pytest.mark.parametrize("index", range(3), ids=SIZES)
def test_one_model_size_or_one_token_count(name, index):
    one_N, one_D = list(SIZES.values())[index]
    scales = {
        "model_sizes": MODEL_SIZES[:1] if one_N else MODEL_SIZES,
        "tokens": TOKENS[:1] if one_D else TOKENS,
    }
    law = CATALOGUE[name].identified(one_model_size=one_N, one_token_count=one_D)
    # Of one number there would be one loss, with nothing to fit.
    noise = 1e-9 if law.count(K) == 1 else 0.0
    runs, formula, truth = make_runs(law, seed=3, noise=noise, **scales)
    # The optimum of the largest law is not found with as few hops.
    options = replace(QUICK, hops=None) if law.count(K) > 20 else QUICK
    found = fit(runs, free(name), options=options, jobs=1)
    target = found.targets["math"]
    assert target.form == law
    assert list(target.params) == [group.name for group in law.groups]
    # What the table says nothing about does not matter; elsewhere predictions are right.
    N, D, h = make_table(
        np.random.default_rng(5).dirichlet(np.ones(K), 10),
        (7e9,) if one_N else (3e7, 7e9),
        (9e10,) if one_D else (5e8, 9e10),
    )
    np.testing.assert_allclose(
        found.predict(N, D, h)["math"], formula.predict(truth["math"], N, D, h), rtol=1e-6
    )
    codes = {note.code for note in found.notes}
    assert ("one-model-size" in codes) == one_N
    assert ("one-token-count" in codes) == one_D


@pytest.fixture(scope="module")
def three_targets():
    runs, _, _ = make_runs(
        CATALOGUE["additive"], targets=("web", "code", "math"), noise=NOISE, mixtures=10
    )
    losses = {t: runs.losses_of(t).copy() for t in runs.targets}
    losses["code"][[3, 50, 51]] = np.nan
    return Runs.from_arrays(runs.N, runs.D, runs.h, losses, DOMAINS)


@pytest.fixture(scope="module")
def three_fits(three_targets):
    return fit(three_targets, free("joint"), options=FASTEST, jobs=1)


def assert_same(one, other):
    assert (one.rows, one.huber, one.mre) == (other.rows, other.huber, other.mre)
    assert one.notes == other.notes
    assert list(one.params) == list(other.params)
    for name in one.params:
        np.testing.assert_array_equal(one.params[name], other.params[name])


class TestTargets:
    def test_any_number_of_processes(self, three_targets, three_fits):
        executor, told = told_executor(jobs=2)
        other = fit(three_targets, free("joint"), options=FASTEST, jobs=executor)
        assert told == [
            ("fitting joint:none", 3),
            *["a step"] * 3,
            ("what the law leaves", 1),
            "a step",
        ]
        assert list(other.targets) == ["web", "code", "math"]
        for target, found in three_fits.targets.items():
            assert_same(other.targets[target], found)

    @pytest.mark.parametrize("target", ["code", "math"])
    def test_a_target_does_not_depend_on_others(self, three_targets, three_fits, target):
        alone = Runs.from_arrays(
            three_targets.N,
            three_targets.D,
            three_targets.h,
            {target: three_targets.losses_of(target)},
            DOMAINS,
        )
        found = fit(alone, free("joint"), options=FASTEST, jobs=1)
        assert_same(found.targets[target], three_fits.targets[target])

    def test_missing_losses_are_left_out_for_their_target_alone(self, three_targets, three_fits):
        rows = {target: found.rows for target, found in three_fits.targets.items()}
        assert rows == {"web": 120, "code": 117, "math": 120}
        present = three_targets.select(~np.isnan(three_targets.losses_of("code")))
        found = fit(present, free("joint"), options=FASTEST, jobs=1)
        assert_same(found.targets["code"], three_fits.targets["code"])
        assert found.targets["web"].rows == 117

    def test_a_target_with_one_loss_is_left_out(self, three_targets, three_fits):
        losses = {target: three_targets.losses_of(target) for target in three_targets.targets}
        losses["web"] = np.where(np.isnan(losses["web"]), np.nan, 2.5)
        runs = Runs.from_arrays(three_targets.N, three_targets.D, three_targets.h, losses, DOMAINS)
        found = fit(runs, free("joint"), options=FASTEST, jobs=1)
        assert list(found.targets) == ["code", "math"]
        assert [note.target for note in found.notes if note.code == "constant-target"] == ["web"]
        assert_same(found.targets["math"], three_fits.targets["math"])

    def test_what_a_fit_says_of_its_data(self, three_targets, three_fits):
        data = three_fits.data
        assert str(three_fits.law) == "joint:none"
        assert three_fits.domains == DOMAINS
        assert three_fits.options == FASTEST.filled(three_fits.law.law)
        assert data.mixtures == 10
        assert (data.model_size.min, data.model_size.max) == (5e7, 4e8)
        assert (data.tokens.min, data.tokens.max) == (1e9, 1.6e10)
        lows = {domain: weight.min for domain, weight in data.weights.items()}
        assert lows == dict(zip(DOMAINS, three_targets.h.min(axis=0), strict=True))


@pytest.fixture(scope="module")
def runs():
    return make_runs(CATALOGUE["additive"], noise=NOISE, mixtures=10)[0]


class TestOptions:
    def test_delta(self, runs):
        """With a delta above all residuals the fit is the least-squares fit."""
        from scipy.optimize import least_squares

        found = fit(runs, "chinchilla:none", options=FitOptions(delta=10.0), jobs=1).targets["math"]
        loss = runs.losses_of("math")

        def residuals(x):
            E, log_A, alpha, log_B, beta = x
            A, B = np.exp(log_A), np.exp(log_B)
            return E + A * (runs.N / 1e8) ** -alpha + B * (runs.D / 1e9) ** -beta - loss

        best = least_squares(residuals, [1, -1, 0.3, -1, 0.3], xtol=1e-14, ftol=1e-14, gtol=1e-14)
        np.testing.assert_allclose(found.huber, best.cost / len(loss), rtol=1e-6)

    def test_delta_reaches_the_objective(self, runs):
        hubers = {}
        for delta in (1e-3, 1.0):
            target = fit(
                runs, "chinchilla", options=FitOptions(delta=delta, restarts=4, hops=4), jobs=1
            ).targets["math"]
            law = target.law_alone()
            residuals = runs.losses_of("math") - law.predict(runs.N, runs.D, runs.h)
            np.testing.assert_allclose(target.huber, huber_of(residuals, delta), rtol=1e-8)
            hubers[delta] = huber_of(residuals, 1e-3)
        assert hubers[1e-3] < hubers[1.0]

    def test_no_more_than(self):
        assert FitOptions().at_most(restarts=2, hops=5) == FitOptions(restarts=2, hops=5)
        few = FitOptions(restarts=1, hops=0)
        assert few.at_most(restarts=2, hops=5) == few

    def test_the_papers_method(self, runs):
        options = FitOptions(solver="basin-hopping", restarts=1, hops=1)
        paper = fit(runs, "chinchilla", options=options, jobs=1).targets["math"]
        ours = fit(runs, "chinchilla", options=QUICK, jobs=1).targets["math"]
        assert ours.huber <= paper.huber * (1 + 1e-6)
        assert paper.huber <= ours.huber * 1.02

    def test_same_seed_same_fit(self, runs):
        one, other = (
            fit(runs, free("joint"), options=FASTEST, jobs=1).targets["math"] for _ in range(2)
        )
        assert_same(one, other)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"delta": 0.0}, "delta is 0; it must be a positive number (delta)."),
            ({"delta": float("nan")}, "delta is nan; it must be a positive number (delta)."),
            ({"delta": float("inf")}, "delta is inf; it must be a positive number (delta)."),
            (
                {"solver": "basinhopping"},
                "There is no solver 'basinhopping'. Did you mean 'basin-hopping'? "
                "Solvers: trust-region, basin-hopping, early-stopping.",
            ),
            ({"restarts": 0}, "restarts is 0; it must be 1 or more (restarts)."),
            ({"hops": -1}, "hops is -1; it must be 0 or more (hops)."),
        ],
        ids=["zero delta", "NaN delta", "infinite delta", "solver", "restarts", "hops"],
    )
    def test_options_that_cannot_be(self, options, message):
        with pytest.raises(UsageError) as raised:
            FitOptions(**options)
        assert str(raised.value) == message

    def test_an_unknown_law(self, runs):
        with pytest.raises(UsageError) as raised:
            fit(runs, "joined")
        assert str(raised.value) == (
            f"There is no law 'joined'. Did you mean 'joint'? Laws: {', '.join(CATALOGUE)}."
        )


class TestFrames:
    def test_a_fit_in_a_line(self, three_fits):
        assert re.fullmatch(
            r"Fit\(joint:none, 3 targets, 3 domains, mean MRE \d\.\d\d%\)", repr(three_fits)
        )
        one = three_fits.targets["math"]
        assert repr(one) == f"TargetFit(math: MRE {one.mre:.2f}%, converged)"

    def test_a_row_for_each_target(self, three_fits):
        frame = three_fits.to_frame().set_index("target")
        assert list(frame.index) == ["web", "code", "math"]
        assert list(frame.columns[:3]) == ["rows", "E", "C[web]"]
        assert list(frame.columns[-3:]) == ["huber", "mre", "status"]
        math = three_fits.targets["math"]
        assert frame.loc["math", "gamma_A"] == math.params["gamma_A"][0]
        assert frame.loc["math", "C_B[books]"] == math.params["C_B"][2]
        assert frame.loc["math", "rows"] == math.rows


class TestPredict:
    def test_scalars_and_arrays(self, three_fits):
        h = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
        found = three_fits.predict(7e9, 1.5e11, h)
        assert list(found) == ["web", "code", "math"]
        assert [x.shape for x in found.values()] == [(2,)] * 3
        expected = PLAIN["joint"](three_fits.targets["web"].params, 7e9, 1.5e11, h)
        np.testing.assert_allclose(found["web"], expected, rtol=1e-11)
        by_row = three_fits.predict(np.full(2, 7e9), [1.5e11, 1.5e11], h.tolist())
        np.testing.assert_array_equal(by_row["code"], found["code"])

    def test_one_mixture(self, three_fits):
        one = three_fits.predict(1e9, 1e10, [0.2, 0.3, 0.5])["math"]
        same = three_fits.predict([1e9], [1e10], [[0.2, 0.3, 0.5]])["math"]
        assert one.shape == (1,)
        np.testing.assert_array_equal(one, same)

    @pytest.mark.parametrize(
        ("N", "D", "h", "message"),
        [
            (
                1e9,
                1e10,
                [[0.5, 0.5]],
                "h has shape (1, 2); it must be (rows, 3), a column for each of the domains "
                "web, code, books.",
            ),
            (1e9, 1e10, [[0.5, 0.6, -0.1]], "Each row of h must hold weights of 0 or more"),
            (1e9, 1e10, [[0.5, 0.6, 0.1]], "Each row of h must hold weights of 0 or more"),
            (1e9, 1e10, [[0.5, 0.5, np.nan]], "Each row of h must hold weights of 0 or more"),
            (
                [1e9, 2e9, 3e9],
                1e10,
                [[0.5, 0.5, 0.0]] * 2,
                "h has 2 rows, and N has 3; give as many of each, or one.",
            ),
            (
                1e9,
                [[1e10]],
                [[0.5, 0.5, 0.0]],
                "D has shape (1, 1); it must be one number or (rows,).",
            ),
            (0.0, 1e10, [[0.5, 0.5, 0.0]], "N must be positive and finite."),
            (1e9, np.inf, [[0.5, 0.5, 0.0]], "D must be positive and finite."),
            (np.nan, 1e9, [[0.5, 0.5, 0.0]], "N must be positive and finite."),
            ("7B", 1e9, [[0.5, 0.5, 0.0]], "N holds something that is not a number."),
            (1e9, None, [[0.5, 0.5, 0.0]], "D is missing: give N, D and h, or a data frame."),
            (1e9, 1e9, None, "h is missing: give N, D and h, or a data frame."),
            (1e9, 1e9, {"webb": 1.0}, "h: there is no domain 'webb'. Did you mean 'web'?"),
            (1e9, 1e9, {"web": 0.5}, "Each row of h must hold weights of 0 or more"),
            (
                1e9,
                1e9,
                {"web": [0.5, 0.5], "code": [0.5, 0.5, 0.5]},
                "h has other numbers of rows for other domains (web: 2, code: 3, books: 1).",
            ),
        ],
    )
    def test_what_cannot_be_predicted(self, three_fits, N, D, h, message):
        with pytest.raises(UsageError) as raised:
            three_fits.predict(N, D, h)
        assert str(raised.value).startswith(message)

    def test_n_d_and_h_are_taken_together(self, three_fits):
        h, sizes = [0.2, 0.3, 0.5], np.array([1e9, 2e9, 4e9])
        together = three_fits.predict(sizes, 1e10, h)["math"]
        each = [three_fits.predict(N, 1e10, h)["math"][0] for N in sizes]
        np.testing.assert_array_equal(together, each)

    def test_weights_by_domain(self, three_fits):
        expected = three_fits.predict(1e9, 1e10, [[0.5, 0.0, 0.5], [0.2, 0.0, 0.8]])["web"]
        by_domain = {"books": [0.5, 0.8], "web": [0.5, 0.2]}
        for h in (by_domain, pd.DataFrame(by_domain)):
            np.testing.assert_array_equal(three_fits.predict(1e9, 1e10, h)["web"], expected)

    def test_a_data_frame(self, three_fits):
        h = [[0.5, 0.2, 0.3], [0.2, 0.4, 0.4]]
        expected = three_fits.predict([1e9, 2e9], [1e10, 3e10], h)["web"]
        columns = three_fits.data.columns
        plain = {
            "N": [1e9, 2e9],
            "D": [1e10, 3e10],
            **dict(zip("xyz", np.transpose(h), strict=True)),
        }
        own = {"N": columns.model_size, "D": columns.tokens}
        by_domain = dict(zip("xyz", three_fits.domains, strict=True))
        by_column = own | {"x": columns.weights["web"]}
        for names in (by_domain, by_domain | by_column):
            frame = pd.DataFrame(plain).rename(columns=names)
            np.testing.assert_array_equal(three_fits.predict(frame)["web"], expected)
        rounded = pd.DataFrame(plain | {"z": [0.301, 0.4]}).rename(columns=by_domain)
        assert three_fits.predict(rounded)["web"] == pytest.approx(expected, rel=1e-2)
        with pytest.raises(UsageError, match="has no column 'books'"):
            three_fits.predict(frame.drop(columns="books"))

    def test_a_data_frame_whose_columns_are_in_other_units(self, three_fits):
        columns = replace(
            three_fits.data.columns, model_size="size", tokens="len", units={"tokens": 1e9}
        )
        found = replace(three_fits, data=replace(three_fits.data, columns=columns))
        expected = found.predict([1e9, 2e9], [1e10, 3e10], [[0.5, 0.2, 0.3]])["web"]
        h = dict(zip(found.domains, (0.5, 0.2, 0.3), strict=True))
        own = pd.DataFrame({"size": [1e9, 2e9], "len": [10.0, 30.0], **h})
        np.testing.assert_allclose(found.predict(own)["web"], expected)
        plain = pd.DataFrame({"N": [1e9, 2e9], "D": [1e10, 3e10], **h})
        np.testing.assert_allclose(found.predict(plain)["web"], expected)

    def test_a_law_without_mixtures(self):
        runs, _, _ = make_runs(CATALOGUE["chinchilla"], mixtures=3)
        found = fit(runs, "chinchilla:none", options=QUICK, jobs=1)
        predicted = found.predict(runs.N, runs.D, runs.h)["math"]
        np.testing.assert_allclose(predicted, runs.losses_of("math"), rtol=1e-6)


@pytest.mark.parametrize("target", ["c4", "github"])
def test_real_runs_reach_the_lowest_objective_known(real_runs, target):
    runs = read_runs(real_runs, targets=[target], where=["model_size>=3e8", "n_tokens>=3.9e9"])
    best = pd.read_csv(real_runs.parent / "best_known.csv").set_index(["law", "target"])
    best = best.loc[("additive", target)]
    found = fit(runs, free("additive"), jobs=1).targets[target]
    assert found.rows == best["rows"]
    assert found.huber / 1e-3 <= best["objective"] * 1.005
    assert found.mre <= best["mre"] + 0.01
