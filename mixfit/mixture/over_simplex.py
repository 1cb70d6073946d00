"""How losses, and best mixtures, change over all mixtures: what the paper's appendix D shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import UsageError
from mixfit.base.shown import Drawn
from mixfit.mixture.result import jensen_shannon
from mixfit.runs.transforms import titled

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.mixture.planner import Planner
    from mixfit.mixture.result import Mixture

_POINT = 0.01  # a weight's change, as a share
_FLAT = 1e-3  # of the loss, as in `Study.ranges`
_MAPPED = (3, 4)  # domains that can be drawn as a triangle or a tetrahedron


@dataclass(frozen=True, eq=False)
class Influence(Drawn):
    """Which domain helps which target.

    Attributes:
        targets: names of the t targets, with what is fitted in their place if that is another.
        domains: names of the k domains.
        changes: (t, k) change of a target's loss, in percent, for a point more of a domain's
            weight, taken from the others in proportion.
        weights: (k,) of the mixture that is changed.
        about: that mixture in words.
    """

    targets: tuple[str, ...]
    domains: tuple[str, ...]
    changes: Array
    weights: Array
    about: str


def influence(
    planner: Planner, model_size: float | None, tokens: float | None, h: Array, about: str
) -> Influence:
    """Find how each domain's weight changes each target's loss.

    Args:
        planner: of the fit; its constraints play no part.
        model_size: N.
        tokens: D.
        h: the mixture (k,) that is changed. A domain with a weight of 1 has no change, NaN.
        about: that mixture in words.
    """
    question = planner.question
    here = question.at(model_size, tokens)
    base = here.all.values(h)
    changes = np.full((len(base), len(h)), np.nan)
    for place in range(len(h)):
        if h[place] < 1.0:
            point = min(_POINT, 1.0 - h[place])
            moved = h * (1.0 - point / (1.0 - h[place]))
            moved[place] = h[place] + point
            changes[:, place] = 100.0 * (here.all.values(moved) / base - 1.0) * _POINT / point
    transforms = question.fit.data.columns.transforms
    targets = tuple(titled(target, transforms) for target in question.fit.targets)
    return Influence(targets, question.domains, changes, h, about)


@dataclass(frozen=True, eq=False)
class Surface(Drawn):
    """The weighted loss over all mixtures of three domains.

    Attributes:
        h: mixtures (n, 3) on a lattice.
        loss: theirs, (n,).
        best: the best mixture.
        observed: mixtures (m, 3) of the runs.
    """

    h: Array
    loss: Array
    best: Mixture
    observed: Array

    @property
    def as_good(self) -> float:
        """The loss up to which mixtures are as good as the best, within 0.1%."""
        return self.best.loss * (1.0 + _FLAT)


def surface(
    planner: Planner, model_size: float | None, tokens: float | None, *, steps: int = 60
) -> Surface:
    """Evaluate the weighted loss over all mixtures of three domains.

    Args:
        planner: with the targets and constraints.
        model_size: N.
        tokens: D.
        steps: of the lattice along an edge.

    Raises:
        UsageError: there are not three domains, or the constraints cannot hold.
    """
    question = planner.question
    if len(question.domains) != 3:
        raise UsageError(
            "A picture of the loss over all mixtures needs three domains, and the fit has"
            f" {len(question.domains)}."
        )
    here = question.at(model_size, tokens)
    h = lattice(3, steps)
    losses = np.array([here.objective.loss(one) for one in h])
    return Surface(h, losses, here.best(), question.observed)


@dataclass(frozen=True, eq=False)
class TargetMap(Drawn):
    """The best mixture h*(w) for each way w to weigh the domains as targets (Figs. 8 and 9).

    Attributes:
        domains: the k domains, which are targets too.
        w: weights of the targets, (n, k), on a lattice.
        h: the best mixture for each, (n, k).
        distance: Jensen-Shannon distance of w and h, (n,); 0 at a fixed point.
        budget: N and D in words.
    """

    domains: tuple[str, ...]
    w: Array
    h: Array
    distance: Array
    budget: str


def map_targets(
    planner: Planner, model_size: float | None, tokens: float | None, *, steps: int | None = None
) -> TargetMap:
    """Find the best mixture for each way to weigh the domains.

    Args:
        planner: with the constraints; its targets play no part.
        model_size: N.
        tokens: D.
        steps: of the lattice along an edge; 12 for three domains and 8 for four by default.

    Raises:
        UsageError: there are not three or four domains, or one is no target.
    """
    question = planner.question
    domains = question.domains
    if len(domains) not in _MAPPED:
        raise UsageError(
            "A map of the best mixtures needs three or four domains, and the fit has"
            f" {len(domains)}."
        )
    missing = [domain for domain in domains if domain not in question.fit.targets]
    if missing:
        raise UsageError(
            "A map of the best mixtures weighs the domains as targets, and the fit has no target"
            f" {', '.join(missing)}."
        )
    w = lattice(len(domains), steps or {3: 12, 4: 8}[len(domains)])
    found: list[Array] = []
    budget = ""
    for weights in w:
        wanted = {d: float(x) for d, x in zip(domains, weights, strict=True) if x > 0}
        asked = replace(question, target_weights=wanted)
        mixture = asked.at(model_size, tokens).best(found[-1:])
        found.append(mixture.weights)
        budget = mixture.budget
    h = np.array(found)
    distance = np.array([jensen_shannon(*pair) for pair in zip(w, h, strict=True)])
    return TargetMap(domains, w, h, distance, budget)


def lattice(k: int, steps: int) -> Array:
    """Give the mixtures (n, k) whose weights are multiples of 1 / steps.

    >>> lattice(2, 2).tolist()
    [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    """
    bars = np.array(list(combinations(range(steps + k - 1), k - 1)))
    ends = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), steps + k - 1)])
    counts: Array = np.diff(ends, axis=1) - 1
    return counts / steps
