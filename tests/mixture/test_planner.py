from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from random_fits import LAWS, additive, fit_of, random_fit

from mixfit.base.errors import UsageError
from mixfit.fitting.discrepancy import Discrepancy, Kernel, Points
from mixfit.fitting.fit import fit
from mixfit.fitting.options import FitOptions
from mixfit.mixture.constraints import Constraints
from mixfit.mixture.planner import Planner, jensen_shannon, optimize
from mixfit.runs.read import read_runs

DOMAINS = ("arxiv", "book", "c4", "github", "commoncrawl", "stackexchange", "wikipedia")
# The paper's Table 16, in percent.
FOR_AVERAGE = (9.6, 9.5, 25.1, 8.0, 12.1, 17.9, 17.0)
FOR_OPENHERMES = (9.4, 4.8, 27.8, 6.6, 36.9, 13.5, 0.0)  # its 1% of wikipedia was set by hand


@pytest.fixture(scope="module")
def real_fit():
    from conftest import REAL_RUNS

    if not REAL_RUNS.exists():
        pytest.skip("the real runs are not here")
    runs = read_runs(REAL_RUNS, where=["model_size>=3e8", "n_tokens>=3.9e9"])
    return fit(
        runs, "additive:none", options=FitOptions(restarts=3, hops=3, discrepancy="none"), jobs=1
    )


@pytest.fixture
def small():
    return random_fit("joint", 4, 3, 7)


def test_the_papers_mixture_for_the_average(real_fit):
    found = optimize(real_fit, model_size=7e9, tokens=150e9, targets=DOMAINS)
    assert found.domains == DOMAINS
    assert np.abs(100 * found.weights - FOR_AVERAGE).max() < 2.5
    assert found.certified


def test_the_papers_mixture_for_openhermes(real_fit):
    found = optimize(real_fit, model_size=7e9, tokens=150e9, targets=["openhermes"])
    assert np.abs(100 * found.weights - FOR_OPENHERMES).max() < 3.5
    assert found.weights[DOMAINS.index("wikipedia")] == 0


def test_only_a_joint_law_moves_with_the_budget():
    budgets = ([1e8, 1e11], [1e9, 1e13])
    still = Planner(random_fit("additive", 5, 2, 3)).grid(*budgets)
    moving = Planner(random_fit("joint", 5, 2, 3)).grid(*budgets)
    assert max(np.abs(m.weights - still[0].weights).max() for m in still) < 1e-6
    assert max(np.abs(m.weights - moving[0].weights).max() for m in moving) > 1e-2
    assert [(m.model_size, m.tokens) for m in still] == [
        (1e8, 1e9), (1e8, 1e13), (1e11, 1e9), (1e11, 1e13),
    ]  # fmt: skip


def test_the_true_optimum_of_the_law_that_made_the_sample_runs(sample_runs):
    truth = yaml.safe_load((sample_runs / "truth.yaml").read_text())["tables"]["additive.csv"]
    domains, targets = truth["domains"], truth["targets"]
    true = additive(
        {t: [x["params"]["C"][d] for d in domains] for t, x in targets.items()},
        {t: [x["params"]["gamma"][d] for d in domains] for t, x in targets.items()},
        domains,
    )
    runs = read_runs(sample_runs / "additive.csv")
    made = fit(runs, "additive", options=FitOptions(restarts=3, hops=2), jobs=1)
    budget = {"model_size": 1e9, "tokens": 2e10}
    found, best = optimize(made, **budget), optimize(true, **budget)
    assert found.domains == best.domains
    # The fit is of noisy losses: what counts is what its mixture loses under the truth.
    lost = (
        Planner(true).question.at(**budget).baseline("fitted", found.weights).loss / best.loss - 1
    )
    assert lost < 1e-3
    assert np.abs(found.weights - best.weights).max() < 0.05


def test_equal_domains_get_equal_weights():
    found = optimize(additive({"t": [1, 1]}, {"t": [0.5, 0.5]}, "ab"), model_size=1e9, tokens=1e9)
    np.testing.assert_allclose(found.weights, 0.5, atol=1e-8)
    assert found.convex
    assert found.gap < 1e-9
    assert found.shares.keys() == {"a", "b"}


def test_the_optimum_is_the_one_of_the_formula():
    # 1 / sum C_i sqrt(h_i) is lowest where h_i goes as C_i squared.
    C = np.array([1.0, 2.0, 0.5])
    found = optimize(additive({"t": C}, {"t": [0.5] * 3}, "abc"), model_size=1e9, tokens=1e9)
    np.testing.assert_allclose(found.weights, C**2 / (C**2).sum(), atol=1e-7)


def test_the_strength_of_the_pull_does_not_hang_on_the_scale_of_the_weights(small):
    asked = Constraints(prior=dict.fromkeys(small.domains, 1.0), kl=0.05)
    one = optimize(small, model_size=1e9, tokens=1e10, targets={"t0": 1}, constraints=asked)
    ten = optimize(small, model_size=1e9, tokens=1e10, targets={"t0": 10}, constraints=asked)
    np.testing.assert_array_equal(one.weights, ten.weights)


def test_a_stronger_pull_comes_nearer_to_the_prior(small):
    prior = {"d0": 0.1, "d1": 0.2, "d2": 0.3, "d3": 0.4}
    goal = np.array(list(prior.values()))
    away = []
    for kl in (0.0, 0.01, 0.1, 1.0, 100.0):
        asked = Constraints(prior=prior, kl=kl)
        found = optimize(small, model_size=1e9, tokens=1e10, constraints=asked)
        assert found.certified
        away.append(jensen_shannon(found.weights, goal))
    assert away == sorted(away, reverse=True)
    assert away[-1] < 0.01


def test_a_prior_of_0_takes_the_domain_out_and_says_what_it_cost(small):
    free = optimize(small, model_size=1e9, tokens=1e10)
    wanted = small.domains[int(np.argmax(free.weights))]
    prior = {d: float(d != wanted) for d in small.domains}
    asked = Constraints(prior=prior, kl=0.01)
    found = optimize(small, model_size=1e9, tokens=1e10, constraints=asked)
    assert found.shares[wanted] == 0
    (note,) = [note for note in found.notes if note.code == "prior-zero" and wanted in note.text]
    assert f"{100 * free.weights.max():.1f}%" in note.text
    with pytest.raises(UsageError, match="prior gives"):
        optimize(small, model_size=1e9, tokens=1e10, constraints=replace(asked, min={wanted: 0.1}))


def test_constraints_hold_and_their_costs_are_what_they_cost(small):
    asked = Constraints(
        min={"d0": 0.3},
        max={"pair": 0.2},
        groups={"pair": ["d1", "d2"]},
        available={"d3": 1e9},
        no_worse_than={"t1": 1e9},
    )
    planner = Planner(small, None, asked)
    found = planner.best(1e9, 1e10)
    assert found.weights[0] >= 0.3 - 1e-9
    assert found.weights[1] + found.weights[2] <= 0.2 + 1e-9
    assert found.weights[3] <= 0.4 + 1e-9
    study = planner.study(found)
    costs, free = study.costs, study.unconstrained
    assert costs
    for cost in costs:
        assert cost.cost >= 0
    assert found.objective >= free.objective - 1e-12
    assert max(cost.cost for cost in costs) <= found.objective - free.objective + 1e-9


def test_no_target_gets_worse_than_with_the_given_mixture(small):
    reference = dict.fromkeys(small.domains, 1.0)
    asked = Constraints(no_worse_than_mixture=reference)
    planner = Planner(small, ["t0"], asked)
    found = planner.best(1e9, 1e10)
    limit = planner.question.at(1e9, 1e10).predicted(np.full(4, 0.25))
    assert all(found.predicted_loss[t] <= limit[t] * (1 + 1e-8) for t in limit)
    assert found.loss <= limit["t0"] + 1e-9


@pytest.mark.parametrize(
    ("how", "limit", "said"),
    [("1-x", -0.5, "t0=1.5: 1-x, which is fitted, is a"), (None, -0.5, "t0=-0.5: a loss is a")],
)
def test_a_limit_that_is_no_loss_is_named_as_it_was_given(small, how, limit, said):
    columns = replace(small.data.columns, transforms={"t0": how} if how else None)
    logged = replace(small, data=replace(small.data, columns=columns))
    with pytest.raises(UsageError, match=f"no_worse_than {said} positive number"):
        Planner(logged, constraints=Constraints(no_worse_than={"t0": limit}))


def test_losses_that_cannot_be_had_are_named(small):
    free = optimize(small, model_size=1e9, tokens=1e10, targets=["t1"])
    asked = Constraints(no_worse_than={"t1": free.loss * 0.99, "t0": 1e9})
    with pytest.raises(UsageError, match=r"no_worse_than t1=.*Loosen") as caught:
        optimize(small, model_size=1e9, tokens=1e10, constraints=asked)
    assert "t0" not in str(caught.value)


def test_what_a_law_needs(small):
    with pytest.raises(UsageError, match="depends on N: give model_size"):
        optimize(small, tokens=1e9)
    with pytest.raises(UsageError, match="depends on D: give tokens"):
        optimize(small, model_size=1e9)
    with pytest.raises(UsageError, match="positive"):
        optimize(small, model_size=-1, tokens=1e9)
    with pytest.raises(UsageError, match="Did you mean 't1'"):
        optimize(
            small, model_size=1e9, tokens=1e9, constraints=Constraints(no_worse_than={"t1x": 2})
        )
    with pytest.raises(UsageError, match="kl needs prior"):
        optimize(small, model_size=1e9, tokens=1e9, constraints=Constraints(kl=1))


@pytest.mark.parametrize(("fading", "letter"), [("by_model_size", "N"), ("common_tokens", "D")])
def test_what_is_added_to_a_law_needs_what_it_fades_with(fading, letter):
    params = {"t0": {"E": 1.0, "t": [0.1, 0.2]}}
    fit = fit_of("log-linear", ["a", "b"], params)
    optimize(fit)
    points = Points(np.eye(2), np.arange(2), np.full(2, 1e8), np.full(2, 1e9))
    (added,) = Discrepancy.of(Kernel(**{fading: 2.0}), points, np.array([[0.1, -0.1]]))
    own = {"t0": replace(fit.targets["t0"], discrepancy=added)}
    with pytest.raises(UsageError, match=f"added to the log-linear law depends on {letter}: give"):
        optimize(replace(fit, targets=own))
    optimize(replace(fit, targets=own), model_size=1e8, tokens=1e9)


def test_losses_that_are_no_numbers_are_refused():
    broken = additive({"t": [1.0, 2.0], "u": [1.0, 1.0]}, {t: [0.5, 0.5] for t in "tu"}, "ab")
    broken.targets["u"].params["A"][:] = np.nan
    with pytest.raises(UsageError, match="not finite numbers for u, so that no mixture is best"):
        optimize(broken, model_size=1e9, tokens=1e9)


def test_a_gap_that_is_no_number_is_not_certified(small):
    best = optimize(small, model_size=1e9, tokens=1e10)
    assert best.certified
    assert not replace(best, gap=np.nan).certified
    assert not replace(best, objective=np.nan).certified


def test_a_mixture_shows_itself_in_a_line():
    best = optimize(
        additive({"t": [1, 2, 3]}, {"t": [0.5] * 3}, ["web", "code", "books"]),
        model_size=7e9,
        tokens=150e9,
    )
    assert repr(best) == (
        f"Mixture(books 64.3%, code 28.6%, web 7.1% at 7B parameters, 150B tokens: "
        f"loss {best.loss:.4f})"
    )
    frame = best.to_frame()
    assert list(frame.columns) == ["domain", "weight"]
    assert dict(zip(frame["domain"], frame["weight"], strict=True)) == best.shares


def test_notes_on_extrapolation(small):
    codes = {n.code: n.text for n in optimize(small, model_size=7e9, tokens=1e8).notes}
    assert codes["model-size-outside"] == "7B is 7 times the largest size fitted, 1B"
    assert codes["tokens-outside"] == "100M tokens is 10 times below the shortest length fitted, 1B"
    assert not optimize(small, model_size=5e8, tokens=1e10).notes


def test_flops_choose_the_best_size(small):
    planner = Planner(small)
    found = planner.for_flops(1e20, (1e8, 1e10), (1e9, 1e13))
    assert 6 * found.model_size * found.tokens == pytest.approx(1e20)
    for N in np.geomspace(1e8, 1e10, 9):
        assert planner.best(N, 1e20 / (6 * N)).objective >= found.objective - 1e-9


def test_flops_at_the_end_of_a_range_and_outside(small):
    planner = Planner(small)
    free = planner.for_flops(1e20, (1e8, 1e10), (1e9, 1e13))
    found = planner.for_flops(1e20, (1e8, free.model_size / 3), (1e9, 1e13))
    assert "range-end" in {note.code for note in found.notes}
    with pytest.raises(UsageError, match="these ranges hold"):
        planner.for_flops(1e30)
    with pytest.raises(UsageError, match="positive"):
        planner.for_flops(-1)
    with pytest.raises(UsageError, match="smallest and the largest"):
        planner.for_flops(1e20, (1e10, 1e8))


@settings(max_examples=6, deadline=None, derandomize=True)
@given(law=st.sampled_from(LAWS), k=st.integers(2, 8), seed=st.integers(0, 1000))
def test_ranges_reach_mixtures_that_are_as_good_and_no_further(law, k, seed):
    planner = Planner(random_fit(law, k, 2, seed))
    found = planner.best(1e9, 1e10)
    ranges = planner.study(found).ranges
    assert np.all(ranges[:, 0] <= found.weights + 1e-4)
    assert np.all(ranges[:, 1] >= found.weights - 1e-4)
    objective = planner.question.at(1e9, 1e10).objective
    rng = np.random.default_rng(seed)
    # On the way to random mixtures, as far as they are as good: none leaves the ranges.
    for h in rng.dirichlet(np.full(k, 0.5), 200) if found.convex else ():
        for share in np.geomspace(1e-3, 1, 30):
            between = (1 - share) * found.weights + share * h
            if objective.value(between) > found.objective * 1.001:
                break
            assert np.all(between >= ranges[:, 0] - 2e-4)
            assert np.all(between <= ranges[:, 1] + 2e-4)


def test_each_target_alone():
    C = {"web": [2.0, 0.2, 0.1], "code": [0.1, 2.0, 0.2], "chat": [1.0, 1.0, 1.0]}
    fit = additive(C, dict.fromkeys(C, [0.6] * 3), ["web", "code", "books"])
    pure = Planner(fit).each_target(1e9, 1e10)
    assert [p.target for p in pure] == ["web", "code", "chat"]
    assert pure[0].distance < 0.3
    assert pure[2].distance is None
    np.testing.assert_allclose(pure[2].mixture.weights, 1 / 3, atol=1e-7)


def test_jensen_shannon():
    half = np.array([0.5, 0.5])
    corner = np.array([1.0, 0.0])
    assert jensen_shannon(half, half) == 0
    assert jensen_shannon(corner, half) == jensen_shannon(half, corner)
    mean = np.array([0.75, 0.25])
    by_hand = (np.log(1 / 0.75) + 0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25)) / 2
    assert jensen_shannon(corner, half) == pytest.approx(np.sqrt(by_hand))
    assert jensen_shannon(mean, corner) < jensen_shannon(half, corner)


def test_baselines_and_the_best_observed_mixture(small):
    observed = np.random.default_rng(0).dirichlet(np.ones(4), 20)
    planner = Planner(small, observed=observed)
    study = planner.study(planner.best(1e9, 1e10), {"base": observed[3]})
    names = [b.name for b in study.baselines]
    assert names == ["uniform", "best observed", "base"]
    objective = planner.question.at(1e9, 1e10).objective
    assert study.baselines[1].loss == pytest.approx(min(objective.loss(h) for h in observed))
    assert all(b.loss >= study.mixture.loss - 1e-12 for b in study.baselines)
    assert study.unconstrained is None


@pytest.mark.parametrize("name", ["best observed", "unconstrained", "least change"])
def test_a_baseline_must_have_a_name_of_its_own(small, name):
    planner = Planner(small, observed=np.eye(4))
    best = planner.best(1e9, 1e10)
    with pytest.raises(UsageError, match=f"baselines {name}: a mixture that is compared in any"):
        planner.study(best, {name: np.full(4, 0.25)})


def test_a_law_without_the_mixture_is_content_with_any():
    fit = random_fit("chinchilla", 3, 1, 0)
    found = optimize(fit, model_size=1e9, tokens=1e10)
    assert found.weights.sum() == pytest.approx(1)
    assert "any-mixture" in {note.code for note in found.notes}
    points = Points(np.eye(3), np.arange(3), np.full(3, 1e9), np.full(3, 1e10))
    (added,) = Discrepancy.of(Kernel(everywhere=2.0), points, np.array([[0.1, -0.1, 0.0]]))
    own = {name: replace(target, discrepancy=added) for name, target in fit.targets.items()}
    found = optimize(replace(fit, targets=own), model_size=1e9, tokens=1e10)
    assert np.argmax(found.weights) == 1
    assert "any-mixture" not in {note.code for note in found.notes}


def test_the_same_again(small):
    one, two = (optimize(small, model_size=1e9, tokens=1e10) for _ in range(2))
    np.testing.assert_array_equal(one.weights, two.weights)
    assert one.objective == two.objective
