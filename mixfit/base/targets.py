"""Targets and their weights in an objective, by name or glob."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np

from mixfit.base.errors import UsageError, nearest, parameter


def target_weights(
    known: Sequence[str],
    targets: Mapping[str, float] | Sequence[str] | None,
    *,
    whose: str = "the fit",
    name: str = "targets",
) -> dict[str, float]:
    """Give the targets wanted and their weights, which sum to 1, in the order of those known.

    A target that several globs match has the weight of the last one.

    Args:
        known: names of targets.
        targets: names or globs, perhaps with weights; None for all alike.
        whose: the targets are, for errors.
        name: of the parameter that gives them, for errors.

    Raises:
        UsageError: a name or glob matches no target, or weights are negative or all 0.
    """
    if targets is None:
        targets = ["*"]
    if not isinstance(targets, Mapping):
        targets = dict.fromkeys(targets, 1.0)
    weights: dict[str, float] = {}
    for pattern, weight in targets.items():
        if not (weight >= 0 and np.isfinite(weight)):
            raise UsageError(
                f"{parameter(name)} {pattern}={weight:g}: a weight is a number of 0 or more."
            )
        matched = [target for target in known if target == pattern or fnmatchcase(target, pattern)]
        if not matched:
            verb = "has" if whose == "the fit" else "have"
            raise UsageError(
                f"{parameter(name)} {pattern}: {whose} {verb} no such target."
                f"{nearest(pattern, known)} {'Its' if verb == 'has' else 'Their'} targets are"
                f" {', '.join(known)}."
            )
        weights.update(dict.fromkeys(matched, float(weight)))
    most = max(weights.values(), default=0.0)
    if not most > 0:
        raise UsageError("All target weights are 0. Give at least one target some weight.")
    # In units of the largest: a sum of huge weights is no number.
    total = sum(weight / most for weight in weights.values())
    shares = {target: weights.get(target, 0.0) / most / total for target in known}
    return {target: share for target, share in shares.items() if share > 0}
