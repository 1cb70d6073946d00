"""The first runs: mixtures chosen in a region, and at which sizes they are trained.

>>> design = plan_runs(["web", "code", "books"], 12, seed=1)
>>> design
Design(12 mixtures of 3 domains, 12 runs, i-optimal)
>>> int(design.steps.sum(axis=1).min()), design.quality.laws[1].law, design.quality.laws[1].numbers
(1000000, 'additive', 7)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import Note, UsageError, parameter
from mixfit.design.kinds import I_OPTIMAL, LATTICE, SPREAD, check_kind, choose
from mixfit.design.quality import FALSE, quality_of
from mixfit.design.region import Region
from mixfit.design.result import Design, DomainTokens, PlannedRun
from mixfit.design.scale import Scales, assign, crossed_for, mixtures_for
from mixfit.design.sheet import check_names
from mixfit.mixture.constraints import Constraints, checked_available
from mixfit.mixture.known import proportional

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.design.result import LawSize

_CENTRE = "centre"


def plan_runs(
    domains: Sequence[str],
    mixtures: int | None = None,
    *,
    targets: Sequence[str] | None = None,
    constraints: Constraints | None = None,
    tokens: float | None = None,
    model_sizes: Sequence[float] = (),
    run_tokens: Sequence[float] = (),
    flops_budget: float | None = None,
    kind: str = I_OPTIMAL,
    include: Mapping[str, Array] | None = None,
    replicates: int = 1,
    existing: Array | None = None,
    candidates: Array | None = None,
    grid: int = 10**6,
    seed: int = 0,
) -> Design:
    """Say which mixtures to train first, and at which sizes.

    Args:
        domains: names of the k domains.
        mixtures: how many new ones, with those of `include`; left out, 3k + 3, or as many as
            `flops_budget` buys.
        targets: names of the losses that will be logged; left out, those of the domains.
        constraints: what every mixture must obey; only linear ones count.
        tokens: D of the training that the mixture is for, which limits on data need.
        model_sizes: N of the runs.
        run_tokens: D of the runs: one number, or one for each model size.
        flops_budget: of all runs together, 6 N D each.
        kind: one of `mixfit.design.kinds.KINDS`.
        include: name to mixture (k,) to be trained in any case.
        replicates: runs of a central mixture, which tell the noise.
        existing: mixtures (e, k) that were run before, and are counted.
        candidates: mixtures (n, k) to choose from; left out, all that obey the constraints.
        grid: weights are multiples of 1/grid.
        seed: of all random numbers.

    Raises:
        UsageError: a name or a number cannot be used, no mixture obeys the constraints, or one of
            `include` does not.
    """
    check_kind(kind)
    asked = constraints or Constraints()
    targets = tuple(targets or domains)
    if replicates < 1:
        raise UsageError(f"{parameter('replicates')} is {replicates}; it must be 1 or more.")
    if seed < 0:
        raise UsageError(f"{parameter('seed')} is {seed}; it must be 0 or more.")
    region = Region.of(domains, asked, tokens, grid)
    check_names(region.domains, targets)
    known = np.zeros((0, region.k)) if existing is None else existing
    scales = Scales.of(model_sizes, run_tokens)
    anchors = _anchors(region, include or {}, with_centre=replicates > 1)
    if mixtures is None:
        mixtures = 3 * region.k + 3
        if flops_budget is not None:
            mixtures = mixtures_for(scales, flops_budget, replicates, region.k)
    _check_count(region, mixtures, len(anchors))
    crossed = crossed_for(scales, mixtures, flops_budget, replicates)
    rng = np.random.default_rng(seed)
    fixed = np.array([*anchors.values()], dtype=np.int64).reshape(-1, region.k)
    chosen = choose(
        kind,
        region,
        mixtures - len(fixed),
        np.concatenate([known, fixed / grid]),
        rng,
        around=proportional(asked, region.domains),
        candidates=_allowed(region, kind, candidates, mixtures - len(fixed)),
    )
    steps = np.concatenate([fixed, chosen])
    new = steps / grid
    central = int(np.argmin(((new - region.centre) ** 2).sum(axis=1)))
    pairs = assign(scales, new, min(crossed, len(new)), central)
    quality = quality_of(region, new, known, scales.sizes, rng)
    return Design(
        domains=region.domains,
        targets=targets,
        kind=kind,
        seed=seed,
        grid=grid,
        steps=steps,
        origins=(*anchors, *[kind] * len(chosen)),
        existing=known,
        runs=runs_of(scales, pairs, central, replicates, rng),
        quality=quality,
        asked=tuple(item.label for item in region.items),
        tokens=tokens,
        available=available_tokens(asked, region.domains, tokens, scales),
        notes=(
            *_count_notes(mixtures, len(steps), kind),
            *law_notes(len(new) + len(known), region.k, quality.laws[1:2]),
            *scale_notes(scales),
        ),
    )


def _anchors(
    region: Region, include: Mapping[str, Array], *, with_centre: bool
) -> dict[str, Array]:
    """Give name to steps (k,) of the mixtures that are trained in any case."""
    anchors: dict[str, Array] = {}
    if with_centre:
        include = {**include, _CENTRE: region.centre}
    for name, mixture in include.items():
        broken = region.broken(mixture)
        if broken is not None:
            raise UsageError(
                f"{parameter('include')} {name}: this mixture does not obey {broken}. Leave it "
                "out, or loosen that."
            )
        (steps,) = region.on_grid(mixture[None])
        same = next((n for n, s in anchors.items() if np.array_equal(s, steps)), None)
        if same is None:
            anchors[name] = steps
        elif name != _CENTRE:
            raise UsageError(f"{parameter('include')} {name}: this is the same mixture as {same}.")
    return anchors


def _allowed(region: Region, kind: str, candidates: Array | None, count: int) -> Array | None:
    """Give the candidates that obey what is asked for."""
    if candidates is None:
        return None
    if kind not in (I_OPTIMAL, SPREAD):
        raise UsageError(
            f"{parameter('candidates')} go with {parameter('kind')} {I_OPTIMAL} and {SPREAD} alone."
        )
    allowed = candidates[[region.broken(h) is None for h in candidates]]
    if len(allowed) < count:
        raise UsageError(
            f"{parameter('candidates')}: {len(allowed)} of {len(candidates)} mixtures obey the "
            f"constraints, and {count} are to be chosen. Give more, or ask for fewer."
        )
    return allowed


def _check_count(region: Region, mixtures: int, anchors: int) -> None:
    if mixtures < 1:
        raise UsageError(f"{parameter('mixtures')} is {mixtures}; it must be 1 or more.")
    if anchors > mixtures:
        raise UsageError(
            f"{parameter('mixtures')} is {mixtures}, and {parameter('include')} and "
            f"{parameter('replicates')} ask for {anchors}. Ask for more."
        )
    if not region.free:
        only = ", ".join(
            f"{domain} {share:.4g}"
            for domain, share in zip(region.domains, region.centre, strict=True)
        )
        raise UsageError(
            f"Only one mixture obeys what is asked for: {only}. There is nothing to choose; loosen "
            "a constraint."
        )


def without_each(mixture: Array, domains: Sequence[str]) -> dict[str, Array]:
    """Give, for each domain, a mixture (k,) with that domain left out, by name."""
    left = {}
    for index, domain in enumerate(domains):
        rest = mixture.copy()
        rest[index] = 0.0
        if rest.sum() > 0:
            left[f"without {domain}"] = rest / rest.sum()
    return left


def available_tokens(
    constraints: Constraints, domains: Sequence[str], tokens: float | None, scales: Scales
) -> dict[str, DomainTokens] | None:
    """Say how much of each domain to keep for the runs to repeat it as the large training does."""
    available = checked_available(constraints, domains)
    if not available or tokens is None:
        return None
    lengths = sorted({D for _, D in scales.sizes if D is not None})
    return {
        domain: DomainTokens(unique, {D: unique * min(D / tokens, 1.0) for D in lengths})
        for domain, unique in available.items()
    }


def runs_of(
    scales: Scales,
    pairs: Sequence[tuple[int, int]],
    central: int,
    replicates: int,
    rng: np.random.Generator,
) -> tuple[PlannedRun, ...]:
    """Put runs in random order, with further ones of the central mixture at the cheapest size."""
    wanted = [(mixture, size, 1) for mixture, size in pairs]
    wanted += [(central, 0, number) for number in range(2, replicates + 1)]
    order = rng.permutation(len(wanted))
    digits = max(2, len(str(len(wanted))))
    runs = []
    for number, place in enumerate(order, start=1):
        mixture, size, replicate = wanted[int(place)]
        N, D = scales.sizes[size]
        runs.append(PlannedRun(f"run-{number:0{digits}d}", mixture, N, D, replicate))
    return tuple(runs)


def _count_notes(wanted: int, found: int, kind: str) -> list[Note]:
    if kind == LATTICE and found < wanted:
        text = f"the finest lattice of at most {wanted} mixtures has {found}"
        return [Note("lattice", text)]
    return []


def law_notes(mixtures: int, k: int, laws: Sequence[LawSize]) -> list[Note]:
    """Warn of a law that has more numbers than there are mixtures."""
    return [
        Note(
            "few-mixtures",
            f"{mixtures} mixtures are fewer than the {own.numbers} numbers of {own.law}: a fit "
            f"without pooling will find a false optimum; train {3 * k + 3}, or {2 * k + 2} at the "
            "least",
        )
        for own in laws
        if own.expect == FALSE
    ]


def scale_notes(scales: Scales) -> list[Note]:
    """Say what the sizes leave open."""
    notes = []
    lacking = [
        name
        for place, name in enumerate(("model_size", "n_tokens"))
        if any(pair[place] is None for pair in scales.sizes)
    ]
    if lacking:
        text = f"the sheet leaves {' and '.join(lacking)} empty; fill in what you train"
        notes.append(Note("no-sizes", text))
    if len(scales.sizes) == 2:
        text = "two model sizes cannot pin E, A and alpha together: train a third, or do not "
        notes.append(Note("two-model-sizes", text + "extrapolate in N"))
    return notes
