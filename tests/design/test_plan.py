"""First designs: regions, anchors, sizes, and what is said before a run is trained."""

from __future__ import annotations

import numpy as np
import pytest

from mixfit.base.errors import UsageError
from mixfit.design.kinds import KINDS, lattice_points
from mixfit.design.plan import plan_runs, without_each
from mixfit.design.quality import FALSE, SOUND
from mixfit.mixture.constraints import Constraints, linear_items, polytope_of

DOMAINS = ("web", "code", "books")


def refused(*arguments, **options):
    with pytest.raises(UsageError) as caught:
        plan_runs(*arguments, **options)
    return str(caught.value)


def random_constraints(rng):
    """Constraints that may or may not hold together."""
    k = int(rng.integers(2, 9))
    domains = [f"d{i}" for i in range(k)]
    low, high, fix, groups = {}, {}, {}, {}
    for domain in domains:
        kind = rng.integers(6)
        if kind == 0:
            low[domain] = float(rng.choice([0.05, 0.1, 1 / 3, 0.123456789]))
        elif kind == 1:
            high[domain] = float(rng.choice([0.0, 0.1, 0.25, 2 / 3]))
        elif kind == 2 and rng.random() < 0.5:
            fix[domain] = float(rng.choice([0.0, 0.1, 1 / 7]))
    for number in range(int(rng.integers(3))):
        members = rng.choice(domains, int(rng.integers(1, k + 1)), replace=False).tolist()
        groups[f"g{number}"] = members
        (low if rng.random() < 0.5 else high)[f"g{number}"] = float(rng.uniform(0.05, 0.9))
    tokens = None
    available = {}
    if rng.random() < 0.5:
        tokens, available = 1e11, {domains[0]: float(rng.choice([1e9, 1e10, 1e12]))}
    return domains, Constraints(low, high, fix, groups, available), tokens


@pytest.mark.parametrize("start", range(0, 120, 30))
def test_every_design_is_inside_its_region_and_every_empty_region_is_named(start):
    told = 0
    for seed in range(start, start + 30):
        domains, asked, tokens = random_constraints(np.random.default_rng(seed))
        polytope = polytope_of(linear_items(asked, domains, tokens), len(domains))
        crossed = np.any(polytope.low > polytope.high + 1e-9)
        if crossed or polytope.interior is None:
            text = refused(domains, 4, constraints=asked, tokens=tokens)
            assert "cannot hold" in text
            assert any(word in text for word in ("min ", "max ", "fix ", "available "))
            continue
        if np.count_nonzero(polytope.interior.free) < 2:
            text = refused(domains, 4, constraints=asked, tokens=tokens)
            assert text.startswith("Only one mixture obeys")
            continue
        told += 1
        design = plan_runs(domains, 4, constraints=asked, tokens=tokens, seed=seed)
        assert len(design.steps) == 4
        assert np.all(design.steps.sum(axis=1) == design.grid)
        assert len(np.unique(design.steps, axis=0)) == 4
        assert max(polytope.violation(h) for h in design.mixtures) <= 0.5 / design.grid + 1e-9
    assert told > 10


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind):
    asked = Constraints(max={"web": 0.6}, min={"code": 0.05})
    design = plan_runs(DOMAINS, 15, kind=kind, constraints=asked, seed=3)
    again = plan_runs(DOMAINS, 15, kind=kind, constraints=asked, seed=3)
    np.testing.assert_array_equal(design.steps, again.steps)
    assert design.runs == again.runs
    assert len(design.steps) == 15 if kind != "lattice" else 2 <= len(design.steps) <= 15
    assert design.mixtures[:, 0].max() <= 0.6 + 1e-9
    assert design.mixtures[:, 1].min() >= 0.05 - 1e-9
    if kind != "lattice":
        other = plan_runs(DOMAINS, 15, kind=kind, constraints=asked, seed=4)
        assert not np.array_equal(design.steps, other.steps)


def test_an_i_optimal_design_predicts_better_than_random_ones():
    design = plan_runs([f"d{i}" for i in range(7)], 24)
    assert design.quality.figures.mean_error < 0.7 * design.quality.random.mean_error
    assert design.quality.figures.largest_error < design.quality.random.largest_error
    assert design.mixtures.max() < 0.999  # no pure corners


def test_spread_has_the_largest_least_distance():
    spread = plan_runs(DOMAINS, 12, kind="spread").quality.figures.least_distance
    for kind in ("i-optimal", "dirichlet"):
        assert spread > plan_runs(DOMAINS, 12, kind=kind).quality.figures.least_distance


def test_a_lattice_is_that_of_the_textbook_or_refused_with_its_count():
    design = plan_runs(DOMAINS, 24, kind="lattice", constraints=Constraints(min={"web": 0.1}))
    assert len(design.steps) == lattice_points(3, 5) == 21
    np.testing.assert_allclose(np.unique(design.mixtures[:, 0]), 0.1 + 0.9 * np.arange(6) / 5)
    assert [note.text for note in design.notes if note.code == "lattice"] == [
        "the finest lattice of at most 24 mixtures has 21"
    ]
    text = refused([f"d{i}" for i in range(17)], 54, kind="lattice")
    assert "17 domains in steps of 1/2 are 153 mixtures, and mixtures is 54" in text


def test_existing_runs_count_and_are_not_repeated():
    first = plan_runs(DOMAINS, 12, seed=1)
    more = plan_runs(DOMAINS, 6, existing=first.mixtures, seed=1)
    apart = np.abs(more.mixtures[:, None] - first.mixtures[None]).max(axis=2)
    assert apart.min() > 0.01
    assert more.quality.figures.mean_error < first.quality.figures.mean_error
    assert len(more.existing) == 12


def test_mixtures_named_are_in_it_and_must_be_allowed():
    uniform = np.full(3, 1 / 3)
    include = {"uniform": uniform, **without_each(uniform, DOMAINS)}
    design = plan_runs(DOMAINS, 8, include=include, grid=1000)
    assert design.origins[:4] == ("uniform", "without web", "without code", "without books")
    assert design.steps[1].tolist() == [0, 500, 500]
    text = refused(DOMAINS, 8, include=include, constraints=Constraints(min={"code": 0.1}))
    assert text == (
        "include without code: this mixture does not obey min code=0.1. Leave it out, or loosen "
        "that."
    )
    assert "ask for 4. Ask for more" in refused(DOMAINS, 3, include=include)
    text = refused(DOMAINS, 8, include={"a": uniform, "b": uniform})
    assert text == "include b: this is the same mixture as a."


def test_replicates_are_runs_of_one_central_mixture():
    design = plan_runs(DOMAINS, 9, replicates=3)
    assert len(design.runs) == 11
    again = [run for run in design.runs if run.replicate > 1]
    assert {run.replicate for run in again} == {2, 3}
    assert {design.origins[run.mixture] for run in again} == {"centre"}
    np.testing.assert_allclose(design.mixtures[again[0].mixture], 1 / 3, atol=1e-6)


def test_runs_stand_in_random_order_and_are_named_in_it():
    design = plan_runs(DOMAINS, 12)
    assert [run.name for run in design.runs] == [f"run-{i:02d}" for i in range(1, 13)]
    assert [run.mixture for run in design.runs] != list(range(12))


def test_some_mixtures_are_trained_at_all_sizes_and_the_others_at_the_cheaper_ones():
    design = plan_runs(DOMAINS, 18, model_sizes=[2e8, 5e7, 1e8], run_tokens=[4e9])
    sizes = {}
    for run in design.runs:
        sizes.setdefault(run.mixture, set()).add(run.model_size)
    crossed = [own for own in sizes.values() if len(own) == 3]
    assert len(crossed) == 3
    assert len(sizes) == 18
    assert sum(own == {2e8} for own in sizes.values()) == 0
    assert sum(own == {5e7} for own in sizes.values()) == 2 * sum(
        own == {1e8} for own in sizes.values()
    )
    assert sum(flops for _, flops in design.cost.values()) == pytest.approx(
        sum(6 * run.model_size * run.tokens for run in design.runs)
    )


def test_a_budget_of_flops_is_kept_and_used():
    budget = 5e19
    design = plan_runs(
        DOMAINS, flops_budget=budget, model_sizes=[5e7, 1e8], run_tokens=[4e9], replicates=2
    )
    spent = sum(flops for _, flops in design.cost.values())
    assert 0.9 * budget < spent <= budget
    fewer = plan_runs(DOMAINS, 24, flops_budget=3.5e19, model_sizes=[5e7, 1e8], run_tokens=[4e9])
    assert len(fewer.steps) == 24
    assert sum(flops for _, flops in fewer.cost.values()) <= 3.5e19
    text = refused(DOMAINS, 24, flops_budget=1e19, model_sizes=[5e7, 1e8], run_tokens=[4e9])
    assert text.startswith("flops_budget 1e+19: 24 mixtures cost 3.36e+19 at the least.")
    assert "needs model_sizes and run_tokens" in refused(DOMAINS, flops_budget=1e19)


def test_laws_are_set_beside_the_number_of_mixtures():
    seven = [f"d{i}" for i in range(7)]
    few = plan_runs(seven, 10)
    additive = next(law for law in few.quality.laws if law.law == "additive")
    assert (additive.numbers, additive.expect) == (15, FALSE)
    assert [note.text for note in few.notes if note.code == "few-mixtures"] == [
        "10 mixtures are fewer than the 15 numbers of additive: a fit without pooling will find a "
        "false optimum; train 24, or 16 at the least"
    ]
    assert few.quality.errors == (0.9, 0.95)
    assert plan_runs(seven, 9).quality.errors is None
    enough = plan_runs(seven)
    assert len(enough.steps) == 24
    assert enough.quality.errors == (0.4, 2.0)
    additive = next(law for law in enough.quality.laws if law.law == "additive")
    assert additive.expect == SOUND
    assert "few-mixtures" not in [note.code for note in enough.notes]
    sizes = plan_runs(seven, model_sizes=[1e8, 2e8], run_tokens=[2e9, 4e9])
    assert [law.law for law in sizes.quality.laws] == [
        "simple",
        "additive",
        "coupled",
        "joint",
        "coupled-joint",
    ]


def test_coverage():
    design = plan_runs(DOMAINS, 6, include=without_each(np.full(3, 1 / 3), DOMAINS))
    for index, domain in enumerate(DOMAINS):
        own, weights = design.quality.coverage[domain], design.mixtures[:, index]
        assert own.zero == np.count_nonzero(weights == 0) >= 1
        assert own.most == weights.max()
        assert own.zero + own.low + own.high <= 6


def test_how_much_to_keep_of_each_domain():
    asked = Constraints(available={"code": 10e9})
    design = plan_runs(
        DOMAINS, 6, constraints=asked, tokens=150e9, model_sizes=[1e8], run_tokens=[3e9]
    )
    assert design.available["code"].keep == {3e9: pytest.approx(0.2e9)}
    assert design.mixtures[:, 1].max() <= 4 * 10 / 150 + 1e-9


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"grid": 7}, "grid 7: weights in steps of 1/7 have no exact decimals"),
        ({"replicates": 0}, "replicates is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"kind": "i-optima"}, "There is no kind 'i-optima'. Did you mean 'i-optimal'?"),
        ({"mixtures": 0}, "mixtures is 0"),
        ({"model_sizes": [1e8, 1e8]}, "model_sizes: a size stands twice"),
        ({"run_tokens": [1e9, 2e9]}, "run_tokens has 2 numbers for 0 model sizes"),
        ({"model_sizes": [-1.0]}, "model_sizes -1: it must be a positive number"),
        ({"mixtures": 30, "grid": 5}, "of 30 mixtures only"),
        ({"targets": ["web", "web"]}, "a sheet with these names could not be read back"),
        ({"candidates": np.eye(3)}, "3 of 3 mixtures obey the constraints, and 12"),
        ({"candidates": np.eye(3), "kind": "lattice"}, "go with kind i-optimal and spread alone"),
    ],
)
def test_what_cannot_be_used(options, said):
    assert said in refused(DOMAINS, **options)


def test_domains_that_cannot_be_used():
    assert "two or more domains" in refused(["web"])
    assert "web stands twice" in refused(["web", "web"])
    assert "could not be read back" in refused(["web", "val_loss"])


def test_mixtures_to_choose_from():
    candidates = np.random.default_rng(0).dirichlet(np.ones(3), 40).round(3)
    candidates[:, 2] = 1 - candidates[:, :2].sum(axis=1)
    design = plan_runs(DOMAINS, 10, candidates=candidates)
    for h in design.mixtures:
        assert np.abs(candidates - h).max(axis=1).min() < 2e-6
