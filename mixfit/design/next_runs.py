"""The next runs: half at optima that the runs might as well have led to, half to learn from.

Optima of parameters drawn from the fit's own curvature confirm the optimum, and find it out where
it is false; mixtures that are I-optimal given all runs keep the law from being trusted where
nothing was trained. After a good first design no rule could be told from random ones; half and half
avoids what each does alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.design.criterion import LinearModel
from mixfit.design.kinds import FROM_EDGES, I_OPTIMAL, choose
from mixfit.design.plan import available_tokens, runs_of
from mixfit.design.quality import quality_of
from mixfit.design.region import CANDIDATES, Region, closest_allowed, near_to
from mixfit.design.result import Alarm, Design
from mixfit.design.scale import Scales, assign, crossed_by_default
from mixfit.design.sheet import check_names
from mixfit.fitting.curvature import MeanCurvature
from mixfit.mixture.planner import Planner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.curvature import Curvature
    from mixfit.fitting.result import Fit
    from mixfit.mixture.constraints import Constraints
    from mixfit.mixture.result import Mixture
    from mixfit.runs.runs import Runs

CALM, UNCERTAIN, ALARM = "calm", "uncertain", "alarm"
_CALM, _ALARM = 0.2, 0.8  # percent of the loss, see docs/design.md
_TRIES = 4  # draws for each optimum wanted, as some coincide
OPTIMUM, DRAWN = "optimum", "optimum of a draw"


def plan_next(
    fit: Fit,
    runs: Runs,
    mixtures: int,
    *,
    targets: Mapping[str, float] | Sequence[str] | None = None,
    constraints: Constraints | None = None,
    model_size: float | None = None,
    tokens: float | None = None,
    model_sizes: Sequence[float] = (),
    run_tokens: Sequence[float] = (),
    existing: Array | None = None,
    grid: int = 10**6,
    seed: int = 0,
) -> Design:
    """Say which mixtures to train next, and how well the fit knows its own optimum.

    Args:
        fit: of the runs that there are.
        runs: those that it was made on.
        mixtures: how many more.
        targets: names or globs, or these to their weights; by default all alike.
        constraints: what every mixture must obey; only linear ones count.
        model_size: N of the training that the mixture is for; left out, the largest of the runs.
        tokens: its D, likewise.
        model_sizes: N of the new runs; left out, the one that most of the runs have.
        run_tokens: D of the new runs; left out, the largest of those runs.
        existing: mixtures (e, k) that were run or are planned; left out, those of `runs`.
        grid: weights are multiples of 1/grid.
        seed: of all random numbers.

    Raises:
        UsageError: a name or a number cannot be used, or no mixture obeys the constraints.
    """
    if mixtures < 1:
        raise UsageError(f"{parameter('next')} is {mixtures}; it must be 1 or more.")
    N = float(runs.N.max()) if model_size is None else model_size
    D = float(runs.D.max()) if tokens is None else tokens
    planner = Planner(fit, targets, constraints, runs.mixtures)
    best = planner.best(N, D)
    region = Region.of(fit.domains, constraints, D, grid)
    check_names(region.domains, tuple(fit.targets))
    if not region.free:
        raise UsageError("Only one mixture obeys what is asked for. Loosen a constraint.")
    known = runs.mixtures if existing is None else existing
    mean = MeanCurvature.of(fit, runs, best.target_weights)
    error = 100 * float(mean.standard_error(N, D, best.weights[None])[0]) / best.loss
    scales = Scales.of(*_sizes(runs, model_sizes, run_tokens))
    rng = np.random.default_rng(seed)
    drawn = region.draw(CANDIDATES, rng)
    apart = closest_allowed(drawn)
    optima = _optima(planner, best, mean, -(-mixtures // 2), region, apart, rng)
    run_N, run_D = (1.0 if size is None else size for size in scales.sizes[0])
    models = [
        _model(own, weight / fit_loss, (run_N, run_D), (N, D))
        for own, weight, fit_loss in zip(
            mean.targets.values(),
            mean.weights,
            (best.predicted_loss[target] for target in mean.targets),
            strict=True,
        )
    ]
    candidates = drawn + FROM_EDGES * (region.centre - drawn)
    near, fresh = near_to(candidates, apart), np.ones(len(drawn), bool)
    for h in known:
        fresh &= ~near(h)
    learned = choose(
        I_OPTIMAL,
        region,
        mixtures - len(optima),
        optima / grid,
        rng,
        models=models,
        candidates=candidates[fresh] if fresh.sum() >= mixtures else candidates,
    )
    steps = np.concatenate([optima, learned])
    new = steps / grid
    pairs = assign(scales, new, crossed_by_default(len(new)), 0)
    asked = planner.question.constraints
    return Design(
        domains=region.domains,
        targets=tuple(fit.targets),
        kind=I_OPTIMAL,
        seed=seed,
        grid=grid,
        steps=steps,
        origins=(OPTIMUM, *[DRAWN] * (len(optima) - 1), *[I_OPTIMAL] * len(learned)),
        existing=known,
        runs=runs_of(scales, pairs, 0, 1, rng),
        quality=quality_of(
            region, new, known, [*zip(runs.N, runs.D, strict=True), *scales.sizes], rng
        ),
        asked=tuple(item.label for item in region.items),
        tokens=tokens,
        available=available_tokens(asked, region.domains, tokens, scales),
        alarm=Alarm(
            loss=best.loss,
            standard_error=error,
            level=CALM if error < _CALM else UNCERTAIN if error < _ALARM else ALARM,
            weights=best.shares,
        ),
        notes=(*best.notes, _worth(error)),
    )


def _worth(error: float) -> Note:
    if error < _CALM:
        text = "more runs would hardly change the optimum: train one on it to confirm it"
    elif error < _ALARM:
        text = "the optimum is not settled: train these before the large run"
    else:
        text = "the optimum may be a false one: train these before anything large"
    return Note("worth", f"{text} (standard error {error:.2g}%)")


def _sizes(
    runs: Runs, model_sizes: Sequence[float], run_tokens: Sequence[float]
) -> tuple[Sequence[float], Sequence[float]]:
    """Give N and D of the new runs, by default as most of the runs have them."""
    if not model_sizes:
        sizes, counts = np.unique(runs.N, return_counts=True)
        model_sizes = [float(sizes[np.argmax(counts)])]
    if not run_tokens:
        alike = np.isin(runs.N, model_sizes)
        run_tokens = [float(runs.D[alike].max() if alike.any() else runs.D.max())]
    return model_sizes, run_tokens


def _optima(
    planner: Planner,
    best: Mixture,
    mean: MeanCurvature,
    count: int,
    region: Region,
    apart: float,
    rng: np.random.Generator,
) -> Array:
    """Give the optimum, and those of parameters drawn from the curvature, in steps (n, k).

    Those that are nearer to another than a distance are left out, so that there may be fewer.
    """
    question = planner.question
    found = [region.on_grid(best.weights[None])[0]]
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        targets = {
            name: replace(fitted, params=mean.targets[name].draw(rng))
            if name in mean.targets
            else fitted
            for name, fitted in question.fit.targets.items()
        }
        drawn = Planner(
            replace(question.fit, targets=targets), question.target_weights, question.constraints
        )
        try:
            optimum = drawn.question.at(best.model_size, best.tokens).best([best.weights])
        except UsageError:  # such parameters as give no finite losses
            continue
        (steps,) = region.on_grid(optimum.weights[None])
        if not near_to(np.array(found) / region.grid, apart)(steps / region.grid).any():
            found.append(steps)
    return np.array(found)


def _model(
    own: Curvature, weight: float, run: tuple[float, float], large: tuple[float, float]
) -> LinearModel:
    """Give the law of a target, linear about its fit, with what its rows say of it already."""

    def features(scale: tuple[float, float], h: Array) -> Array:
        N, D = scale
        return own.derivatives(np.full(len(h), N), np.full(len(h), D), h)

    return LinearModel(
        features=lambda h: features(run, h),
        precision=own.precision,
        noise=max(own.noise, 1e-9),
        weight=weight**2,
        wanted=lambda h: features(large, h),
    )
