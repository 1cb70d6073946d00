"""The objective against plain sums over rows, and its derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import D_UNIT, N_UNIT, K, draw_theta

from mixfit.fitting import blocks as module
from mixfit.fitting.blocks import make_blocks
from mixfit.fitting.objective import Objective, huber
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula

DELTA = 1e-3

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
    """The derivatives of predictions, (rows, size), from central differences."""
    step = 1e-6

    def at(point):
        return objective.formula.predict(point, rows.N, rows.D, rows.h)

    return np.transpose(
        [(at(theta + e) - at(theta - e)) / (2 * step) for e in np.eye(len(theta)) * step]
    )


def test_huber():
    found = huber(np.array([0.0, 5e-4, -5e-4, 1e-3, 3e-3, -3e-3]), DELTA)
    np.testing.assert_allclose(found, [0.0, 1.25e-7, 1.25e-7, 5e-7, 2.5e-6, 2.5e-6], rtol=1e-14)
    residuals = np.random.default_rng(0).normal(0, 2e-3, 100)
    np.testing.assert_allclose(huber(residuals, DELTA), [plain_huber(r) for r in residuals])


@every_law
@seeds
def test_value_is_the_plain_sum(law, seed):
    objective, theta, rows = make(law, seed)
    rng = np.random.default_rng(seed)
    for point in (theta, theta + 0.1 * rng.standard_normal(len(theta))):
        expected = plain_value(objective, point, rows)
        np.testing.assert_allclose(objective.value(point), expected, rtol=1e-10)
        np.testing.assert_allclose(objective.gradient(point)[0], expected, rtol=1e-10)
        np.testing.assert_allclose(objective.quadratic(point).value, expected, rtol=1e-10)


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
            (objective.value(point + e) - objective.value(point - e)) / (2 * step)
            for e in np.eye(len(point)) * step
        ]
    )
    value, gradient = objective.gradient(point)
    scale = max(value, np.abs(gradient).max())
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6 * scale)
    np.testing.assert_allclose(
        objective.quadratic(point).gradient, gradient, rtol=1e-9, atol=1e-12 * scale
    )


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
    found = objective.quadratic(theta)
    # A parameter may have derivatives many times another's; each is compared with its own size.
    size = np.sqrt(np.diag(matrix)) + 1e-12
    np.testing.assert_allclose(found.gradient / size, gradient / size, atol=1e-5)
    np.testing.assert_allclose(
        found.matrix / np.outer(size, size), matrix / np.outer(size, size), atol=1e-6
    )
    np.testing.assert_array_equal(found.matrix.shape, (len(theta), len(theta)))


@designed
def test_the_model_is_positive_semidefinite(name):
    objective, theta, _ = make(CATALOGUE[name], 0)
    eigenvalues = np.linalg.eigvalsh(objective.quadratic(theta).matrix)
    assert eigenvalues[0] >= -1e-12 * eigenvalues[-1]
    assert eigenvalues[-1] > 0


@designed
def test_residuals_and_terms_by_row(name):
    objective, theta, rows = make(CATALOGUE[name], 1)
    order = np.argsort(rows.mixture, kind="stable")
    N, D, h = rows.N[order], rows.D[order], rows.h[order]
    predicted = objective.formula.predict(theta, N, D, h)
    np.testing.assert_allclose(
        objective.residuals(theta), rows.loss[order] - predicted, rtol=1e-9, atol=1e-13
    )
    loss, terms = objective.term_values(theta)
    np.testing.assert_array_equal(loss, rows.loss[order])
    expected = objective.formula.term_values(theta, N, D, h)
    np.testing.assert_allclose(terms, expected, rtol=1e-12)


@designed
def test_delta(name):
    objective, theta, rows = make(CATALOGUE[name], 0)
    residuals = rows.loss - objective.formula.predict(theta, rows.N, rows.D, rows.h)
    wide = Objective(objective.formula, objective.blocks, 0.5)
    np.testing.assert_allclose(wide.value(theta), np.mean(residuals**2) / 2 / 0.5, rtol=1e-10)


@designed
def test_a_table_in_several_slabs(name, monkeypatch):
    objective, theta, _ = make(CATALOGUE[name], 0)
    assert len(objective.blocks.slabs) == 1
    expected = objective.quadratic(theta)
    # Blocks of two rows, two to a slab: the rows of a mixture lie in up to four slabs.
    monkeypatch.setattr(module, "_WIDTHS", (2,))
    monkeypatch.setattr(module, "_SLAB", 4)
    other, _, _ = make(CATALOGUE[name], 0)
    assert len(other.blocks.slabs) > len(other.blocks.h)
    found = other.quadratic(theta)
    np.testing.assert_allclose(other.value(theta), expected.value, rtol=1e-12)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-12)
    for a, b in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12 * np.abs(b).max())
    np.testing.assert_allclose(
        other.gradient(theta)[1],
        expected.gradient,
        rtol=1e-10,
        atol=1e-12 * np.abs(expected.gradient).max(),
    )


@designed
def test_evaluations_do_not_depend_on_earlier_ones(name):
    objective, theta, _ = make(CATALOGUE[name], 0)
    other = theta + 0.1
    fresh, _, _ = make(CATALOGUE[name], 0)
    objective.value(theta)
    first = objective.quadratic(other)
    objective.gradient(theta)
    np.testing.assert_array_equal(first.matrix, fresh.quadratic(other).matrix)
    assert objective.value(other) == fresh.value(other) == first.value


class TestBlocks:
    def test_hold_every_row_once(self):
        _, _, rows = make(CATALOGUE["additive"], 0)
        blocks = rows.blocks()
        assert len(blocks.h) == 9  # one of the ten mixtures has no row
        used = blocks.weight > 0
        assert used.sum() == len(rows.loss)
        np.testing.assert_allclose(blocks.weight[used], 1 / len(rows.loss))
        found = sorted(
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
        np.testing.assert_array_equal(found, expected)
        assert np.all(np.diff(blocks.mixture) >= 0)

    @pytest.mark.parametrize("rows", [1, 2, 17, 44])
    def test_any_number_of_rows(self, rows):
        objective, theta, table = make(CATALOGUE["joint"], 0)
        part = Objective(objective.formula, table.blocks(slice(rows)), DELTA)
        table.N, table.D, table.loss = table.N[:rows], table.D[:rows], table.loss[:rows]
        table.h = table.h[:rows]
        np.testing.assert_allclose(
            part.value(theta), plain_value(objective, theta, table), rtol=1e-10
        )

    @pytest.mark.parametrize("name", ["additive", "joint"])
    def test_reweighting_mixtures_is_copying_their_rows(self, name):
        objective, theta, rows = make(CATALOGUE[name], 0)
        times = np.array([2, 0, 1, 3, 1, 0, 2, 1, 1, 4])
        copied = np.repeat(np.arange(len(rows.loss)), times[rows.mixture])
        present = np.unique(rows.mixture)
        found = Objective(
            objective.formula, objective.blocks.reweighted(times[present].astype(float)), DELTA
        )
        expected = Objective(objective.formula, rows.blocks(copied), DELTA)
        np.testing.assert_allclose(found.value(theta), expected.value(theta), rtol=1e-11)
        for a, b in zip(found.quadratic(theta), expected.quadratic(theta), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11 * np.abs(b).max())
        np.testing.assert_allclose(found.blocks.weight.sum(), 1.0, rtol=1e-14)


@every_law
def test_no_warning_and_no_nan_value_passes_for_a_number(law):
    """Far from sensible points the value may overflow; it is then infinite or NaN, silently."""
    objective, _, _ = make(law, 0)
    lower, upper = objective.bounds
    rng = np.random.default_rng(0)
    for _ in range(60):
        point = rng.uniform(lower, upper)
        value = objective.value(point)
        model = objective.quadratic(point)
        assert value >= 0 or np.isnan(value)
        np.testing.assert_allclose(model.value, value, rtol=1e-9)
        np.testing.assert_allclose(objective.gradient(point)[0], value, rtol=1e-9)
