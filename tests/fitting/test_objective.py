"""The objective against plain sums over rows, and its derivatives against differences."""

from __future__ import annotations

import weakref
from dataclasses import replace

import numpy as np
import pytest
from helpers import D_UNIT, N_UNIT, K, draw_theta

from mixfit.fitting import blocks as module
from mixfit.fitting.blocks import make_blocks
from mixfit.fitting.objective import Objective, RowTerm, huber
from mixfit.fitting.prior import pooling
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.coefficients import PowerSum
from mixfit.laws.formula import Formula
from mixfit.laws.pooled import Pool

DELTA = 1e-3
POOLABLE = [law for law in CATALOGUE.values() if law.poolable]

every_law = pytest.mark.parametrize("law", CATALOGUE.values(), ids=CATALOGUE)
designed = pytest.mark.parametrize("name", ["additive", "joint", "full", "coupled-joint"])
seeds = pytest.mark.parametrize("seed", range(2))


class Rows:
    """A ragged table: mixtures with 1 to 12 rows each, in random order, one without any."""

    def __init__(self, formula, theta, seed, spread=3e-3):
        rng = np.random.default_rng(seed)
        self.mixtures = np.vstack(
            [np.eye(K), [[0.4, 0.6, 0.0], [0.0, 0.3, 0.7]], rng.dirichlet(np.ones(K), 5)]
        )
        counts = np.array([1, 2, 12, 5, 1, 7, 3, 0, 9, 4])
        self.mixture = rng.permutation(np.repeat(np.arange(10), counts))
        self.h = self.mixtures[self.mixture]
        rows = len(self.h)
        self.N, self.D = rng.uniform(5e7, 4e8, rows), rng.uniform(1e9, 2e10, rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.loss = formula.predict(theta, self.N, self.D, self.h)
        if not np.all(np.isfinite(self.loss)):  # a law that is not defined without some domain
            self.mixtures = 0.9 * self.mixtures + 0.1 / K
            self.h = self.mixtures[self.mixture]
            self.loss = formula.predict(theta, self.N, self.D, self.h)
        self.loss = self.loss + spread * rng.standard_normal(rows)

    def blocks(self, rows=slice(None)):
        return make_blocks(
            np.log(self.N[rows] / N_UNIT),
            np.log(self.D[rows] / D_UNIT),
            self.loss[rows],
            self.mixture[rows],
            self.mixtures,
        )


def make(law, seed, spread=3e-3):
    """An objective at whose theta residuals lie on both sides of delta."""
    formula = Formula(law, K, N_UNIT, D_UNIT)
    theta = draw_theta(formula, np.random.default_rng(seed))
    rows = Rows(formula, theta, seed, spread)
    return Objective(formula, rows.blocks(), DELTA), theta, rows


def plain_huber(residual, delta=DELTA):
    size = abs(residual)
    return 0.5 * residual**2 if size <= delta else delta * (size - 0.5 * delta)


def plain_value(objective, theta, rows):
    """Eq. (6), row by row, divided by delta as the objective is."""
    residuals = rows.loss - objective.formula.predict(theta, rows.N, rows.D, rows.h)
    return sum(plain_huber(r) for r in residuals) / len(residuals) / DELTA


def plain_jacobian(objective, theta, rows):
    """The derivatives of predictions, (rows, size), from central differences of fourth order.

    Those of second order need steps so small that rounding, which differs between versions of
    NumPy, is as large as the tolerance.
    """
    step = 1e-4

    def apart(e):
        ends = (
            objective.formula.predict(p, rows.N, rows.D, rows.h) for p in (theta + e, theta - e)
        )
        return np.subtract(*ends)

    return np.transpose(
        [(8 * apart(e) - apart(2 * e)) / (12 * step) for e in np.eye(len(theta)) * step]
    )


def test_huber():
    losses = huber(np.array([0.0, 5e-4, -5e-4, 1e-3, 3e-3, -3e-3]), DELTA)
    np.testing.assert_allclose(losses, [0.0, 1.25e-7, 1.25e-7, 5e-7, 2.5e-6, 2.5e-6], rtol=1e-14)
    residuals = np.random.default_rng(0).normal(0, 2e-3, 100)
    np.testing.assert_allclose(huber(residuals, DELTA), [plain_huber(r) for r in residuals])


@every_law
@seeds
def test_value_is_the_plain_sum(law, seed):
    objective, theta, rows = make(law, seed)
    rng = np.random.default_rng(seed)
    for point in (theta, theta + 0.1 * rng.standard_normal(len(theta))):
        expected = plain_value(objective, point, rows)
        np.testing.assert_allclose(objective.at(point).value, expected, rtol=1e-10)


@every_law
@seeds
def test_gradient_agrees_with_differences(law, seed):
    # Huber's loss has a kink in its second derivative: residuals lie away from +-delta.
    objective, theta, _ = make(law, seed, spread=0.0)
    rng = np.random.default_rng(seed)
    point = theta + 0.02 * rng.standard_normal(len(theta))
    step = 1e-6
    expected = np.array(
        [
            (objective.at(point + e).value - objective.at(point - e).value) / (2 * step)
            for e in np.eye(len(point)) * step
        ]
    )
    here = objective.at(point)
    scale = max(here.value, np.abs(here.gradient).max())
    np.testing.assert_allclose(here.gradient, expected, rtol=1e-4, atol=1e-6 * scale)
    np.testing.assert_allclose(here.model.gradient, here.gradient, rtol=1e-9, atol=1e-12 * scale)


@every_law
@seeds
def test_gradient_and_matrix_are_those_of_a_plain_jacobian(law, seed):
    objective, theta, rows = make(law, seed)
    jacobian = plain_jacobian(objective, theta, rows)
    residuals = rows.loss - objective.formula.predict(theta, rows.N, rows.D, rows.h)
    assert 0 < (np.abs(residuals) < DELTA).sum() < len(residuals)
    psi = np.clip(residuals, -DELTA, DELTA)  # the derivative of Huber's loss
    gradient = -jacobian.T @ psi / len(residuals) / DELTA
    matrix = jacobian.T @ (jacobian * (psi / residuals)[:, None]) / len(residuals) / DELTA
    model = objective.at(theta).model
    # A parameter may have derivatives many times another's; each is compared with its own size.
    size = np.sqrt(np.diag(matrix)) + 1e-12
    np.testing.assert_allclose(model.gradient / size, gradient / size, atol=1e-5)
    np.testing.assert_allclose(
        model.matrix / np.outer(size, size), matrix / np.outer(size, size), atol=1e-6
    )
    assert model.matrix.shape == (len(theta), len(theta))


@designed
def test_the_model_is_the_sum_over_mixtures(name):
    objective, theta, _ = make(CATALOGUE[name], 0)
    at = objective.at(theta)
    parts = at.by_mixture()
    np.testing.assert_allclose(parts.gradient.sum(axis=0), at.model.gradient, atol=1e-12)
    np.testing.assert_allclose(parts.matrix.sum(axis=0), at.model.matrix, atol=1e-10)
    # Without the rows of a mixture, its part is what is missing.
    blocks = objective.blocks
    weight = np.where(blocks.mixture[:, None] == 2, 0.0, blocks.weight)
    rest = replace(objective, blocks=replace(blocks, weight=weight)).at(theta).model
    np.testing.assert_allclose(at.model.matrix - parts.matrix[2], rest.matrix, atol=1e-10)


@designed
def test_the_model_is_positive_semidefinite(name):
    objective, theta, _ = make(CATALOGUE[name], 0)
    eigenvalues = np.linalg.eigvalsh(objective.at(theta).model.matrix)
    assert eigenvalues[0] >= -1e-12 * eigenvalues[-1]
    assert eigenvalues[-1] > 0


@designed
def test_terms_by_row(name):
    objective, theta, rows = make(CATALOGUE[name], 1)
    order = np.argsort(rows.mixture, kind="stable")
    N, D, h = rows.N[order], rows.D[order], rows.h[order]
    loss, terms = objective.at(theta).summand_values()
    np.testing.assert_array_equal(loss, rows.loss[order])
    expected = objective.formula.summand_values(theta, N, D, h)
    np.testing.assert_allclose(terms, expected, rtol=1e-12)


@designed
def test_delta(name):
    objective, theta, rows = make(CATALOGUE[name], 0)
    residuals = rows.loss - objective.formula.predict(theta, rows.N, rows.D, rows.h)
    wide = Objective(objective.formula, objective.blocks, 0.5)
    np.testing.assert_allclose(wide.at(theta).value, np.mean(residuals**2) / 2 / 0.5, rtol=1e-10)


@designed
def test_a_table_in_several_slabs(name, monkeypatch):
    objective, theta, _ = make(CATALOGUE[name], 0)
    assert len(objective.blocks.slabs) == 1
    expected = objective.at(theta)
    # Blocks of two rows, two to a slab: the rows of a mixture lie in up to four slabs.
    monkeypatch.setattr(module, "_WIDTHS", (2,))
    monkeypatch.setattr(module, "_SLAB", 4)
    other, _, _ = make(CATALOGUE[name], 0)
    assert len(other.blocks.slabs) > len(other.blocks.h)
    here = other.at(theta)
    np.testing.assert_allclose(here.value, expected.value, rtol=1e-12)
    for a, b in zip(
        (here.gradient, *here.model), (expected.gradient, *expected.model), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12 * np.abs(b).max())


class TestAtAPoint:
    """An evaluation is as lazy as it can be, and no point knows of another."""

    @pytest.fixture
    def counted(self, monkeypatch):
        """Counts evaluations of terms on rows, and of coefficients on mixtures."""
        counts = {"rows": 0, "mixtures": 0}

        def count(owner, method, key):
            real = getattr(owner, method)

            def counting(*arguments):
                counts[key] += 1
                return real(*arguments)

            monkeypatch.setattr(owner, method, counting)

        count(RowTerm, "evaluate", "rows")
        count(PowerSum, "value", "mixtures")
        return counts

    def test_rows_are_evaluated_once_and_only_when_asked_for(self, counted):
        objective, theta, _ = make(CATALOGUE["additive"], 0)
        counted.update(rows=0, mixtures=0)
        here = objective.at(theta)
        assert counted == {"rows": 0, "mixtures": 1}
        assert here.value == here.value
        assert counted == {"rows": 4, "mixtures": 1}
        assert here.model is here.model
        assert here.gradient is here.gradient
        assert counted == {"rows": 4, "mixtures": 1}

    def test_nothing_is_kept_between_points(self, counted):
        objective, theta, _ = make(CATALOGUE["additive"], 0)
        counted.update(rows=0, mixtures=0)
        first, second = objective.at(theta), objective.at(theta)
        assert first.value == second.value
        assert counted == {"rows": 8, "mixtures": 2}
        kept = weakref.ref(second)
        del second
        assert kept() is None

    @designed
    def test_evaluations_do_not_depend_on_earlier_ones(self, name):
        objective, theta, _ = make(CATALOGUE[name], 0)
        fresh, _, _ = make(CATALOGUE[name], 0)
        objective.at(theta).value  # noqa: B018
        first = objective.at(theta + 0.1)
        model = first.model
        objective.at(theta).gradient  # noqa: B018
        other = fresh.at(theta + 0.1)
        np.testing.assert_array_equal(model.matrix, other.model.matrix)
        assert objective.at(theta + 0.1).value == other.value == first.value

    @designed
    def test_the_order_of_questions_does_not_matter(self, name):
        objective, theta, _ = make(CATALOGUE[name], 0)
        value_first, model_first = objective.at(theta), objective.at(theta)
        value = value_first.value
        model = model_first.model
        assert model_first.value == value
        np.testing.assert_array_equal(value_first.gradient, model_first.gradient)
        for a, b in zip(value_first.model, model, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("law", POOLABLE, ids=lambda law: law.name)
def test_a_prior_is_an_addend(law):
    free, _, _ = make(law, 0)
    theta = free.formula.random(np.random.default_rng(2))
    penalty = pooling(free.formula, Pool(0.5))
    without, here = free.at(theta), replace(free, penalty=penalty).at(theta)
    assert here.value - without.value == pytest.approx(penalty.value(theta))
    assert penalty.value(theta) > 1e-3
    gradient, matrix = without.model
    slope = penalty.gradient(theta)
    np.testing.assert_allclose(here.gradient, without.gradient + slope, rtol=1e-12)
    np.testing.assert_allclose(here.model.gradient, gradient + slope, rtol=1e-12)
    np.testing.assert_allclose(here.model.matrix, matrix + penalty.matrix, rtol=1e-12)


class TestBlocks:
    def test_hold_every_row_once(self):
        _, _, rows = make(CATALOGUE["additive"], 0)
        blocks = rows.blocks()
        assert len(blocks.h) == 9  # one of the ten mixtures has no row
        used = blocks.weight > 0
        assert used.sum() == len(rows.loss)
        np.testing.assert_allclose(blocks.weight[used], 1 / len(rows.loss))
        held = sorted(
            (loss, log_N, log_D, *blocks.h[mixture])
            for block in range(len(used))
            for loss, log_N, log_D, mixture in zip(
                blocks.loss[block][used[block]],
                blocks.log_N[block][used[block]],
                blocks.log_D[block][used[block]],
                np.repeat(blocks.mixture[block], used[block].sum()),
                strict=True,
            )
        )
        expected = sorted(
            zip(
                rows.loss.tolist(),
                np.log(rows.N / N_UNIT).tolist(),
                np.log(rows.D / D_UNIT).tolist(),
                *rows.h.T.tolist(),
                strict=True,
            )
        )
        np.testing.assert_array_equal(held, expected)
        assert np.all(np.diff(blocks.mixture) >= 0)

    @pytest.mark.parametrize("rows", [1, 2, 17, 44])
    def test_any_number_of_rows(self, rows):
        objective, theta, table = make(CATALOGUE["joint"], 0)
        part = Objective(objective.formula, table.blocks(slice(rows)), DELTA)
        table.N, table.D, table.loss = table.N[:rows], table.D[:rows], table.loss[:rows]
        table.h = table.h[:rows]
        np.testing.assert_allclose(
            part.at(theta).value, plain_value(objective, theta, table), rtol=1e-10
        )


@every_law
def test_no_warning_and_no_nan_value_passes_for_a_number(law):
    """Far from sensible points the value may overflow; it is then infinite or NaN, silently."""
    objective, _, _ = make(law, 0)
    lower, upper = objective.bounds
    rng = np.random.default_rng(0)
    tried = 0
    for _ in range(60):
        point = rng.uniform(lower, upper)
        here = objective.at(point)
        assert here.value >= 0 or np.isnan(here.value)
        if np.isfinite(here.value) and np.all(np.isfinite(here.gradient)):
            scale = max(here.value, np.abs(here.gradient).max())
            np.testing.assert_allclose(
                here.model.gradient, here.gradient, rtol=1e-9, atol=1e-9 * scale
            )
            tried += 1
        here.model  # noqa: B018
    assert tried > 5
