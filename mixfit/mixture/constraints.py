"""What a user may ask of a mixture, to bounds and linear constraints.

Every constraint keeps the words in which the user gave it, so that those that clash, or that cost
something, can be named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mixfit.base.errors import UsageError, nearest, parameter
from mixfit.base.numbers import short
from mixfit.simplex.polytope import Polytope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Range

FRESH_PASSES = 4.0  # up to which repeated tokens are worth about as much (Muennighoff et al. 2023)
_ACTIVE = 1e-7

T = TypeVar("T")


@dataclass(frozen=True)
class Constraints:
    """What a mixture must obey.

    Attributes:
        min: domain or group to the smallest weight.
        max: domain or group to the largest weight.
        fix: domain or group to its weight.
        groups: name to the domains whose weights are summed.
        available: domain to the unique tokens that there are of it; a domain that is not named has
            no limit.
        max_epochs: passes over the available tokens, at the most: h_i <= max_epochs U_i / D.
        max_epochs_of: domain to its own number of passes, where it is another one.
        prior: domain to weight; the mixture is pulled towards it.
        kl: the strength of the pull, lambda in objective + lambda KL(h || prior). As the target
            weights are normalised to sum to 1, it means the same whatever they are.
        no_worse_than: target to the largest loss that it may have.
        no_worse_than_mixture: domain to weight: no target's loss may be over that of this mixture.
        within_observed: how far beyond the range that the runs had each weight may be: from the
            smallest divided by this factor, 1 or more, to the largest times it; None for no limit.
    """

    min: Mapping[str, float] = field(default_factory=dict)
    max: Mapping[str, float] = field(default_factory=dict)
    fix: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    available: Mapping[str, float] = field(default_factory=dict)
    max_epochs: float = FRESH_PASSES
    max_epochs_of: Mapping[str, float] = field(default_factory=dict)
    prior: Mapping[str, float] | None = None
    kl: float = 0.0
    no_worse_than: Mapping[str, float] = field(default_factory=dict)
    no_worse_than_mixture: Mapping[str, float] | None = None
    within_observed: float | None = None

    @property
    def any(self) -> bool:
        """Whether there is a constraint or a pull at all."""
        limits = (self.min, self.max, self.fix, self.available, self.no_worse_than)
        given = (self.no_worse_than_mixture, self.within_observed)
        return any(limits) or any(one is not None for one in given) or self.pulls

    @property
    def pulls(self) -> bool:
        """Whether the mixture is pulled towards a prior."""
        return self.prior is not None and self.kl > 0


@dataclass(frozen=True)
class Item:
    """One linear constraint, ``low <= sum of some weights <= high``.

    Attributes:
        name: of the parameter by which it was asked for, such as ``min``.
        asked: what was asked, such as ``web=0.1``.
        domains: indices of the weights summed.
        low: the smallest sum.
        high: the largest.
    """

    name: str
    asked: str
    domains: tuple[int, ...]
    low: float = 0.0
    high: float = 1.0

    @property
    def label(self) -> str:
        """The constraint as it stands on the command line and in files."""
        return f"--{self.name.replace('_', '-')} {self.asked}"

    @property
    def marked(self) -> str:
        """The constraint as errors name it."""
        return f"{parameter(self.name)} {self.asked}"

    def active(self, h: Array) -> bool:
        """Tell whether a mixture (k,) leans on it."""
        total = float(h[list(self.domains)].sum())
        leans_low = self.low > 0 and total < self.low + _ACTIVE
        return leans_low or (self.high < 1 and total > self.high - _ACTIVE)


def linear_items(
    constraints: Constraints,
    domains: Sequence[str],
    tokens: float | None,
    observed: Mapping[str, Range] | None = None,
) -> tuple[Item, ...]:
    """Turn what the user asked for into linear constraints, in a fixed order.

    Args:
        constraints: what was asked for.
        domains: names of the k domains.
        tokens: D, or None where no budget is given.
        observed: domain to the range of its weight in the runs, where there are some.

    Raises:
        UsageError: a name is unknown, a number is no fraction, or the available data cannot be
            turned into limits without D, nor what was observed without runs.
    """
    groups = _groups(constraints, domains)
    items: list[Item] = []
    for option, mapping in (
        ("fix", constraints.fix),
        ("min", constraints.min),
        ("max", constraints.max),
    ):
        for name, share in mapping.items():
            asked = f"{name}={share:g}"
            label = f"{parameter(option)} {asked}"
            if name not in groups:
                raise _unknown(f"{label}: there is no domain or group '{name}'.", name, groups)
            if not 0 <= share <= 1:
                raise UsageError(f"{label}: a weight is a fraction from 0 to 1, such as 0.25.")
            low = share if option in ("fix", "min") else 0.0
            high = share if option in ("fix", "max") else 1.0
            items.append(Item(option, asked, groups[name], low, high))
    items += _caps(constraints, domains, tokens)
    items += _near_observed(constraints.within_observed, domains, observed)
    if constraints.pulls:
        assert constraints.prior is not None
        prior = mixture_of(constraints.prior, domains, parameter("prior"))
        items += [
            Item("prior", f"gives {domain} no weight", (index,), 0.0, 0.0)
            for index, domain in enumerate(domains)
            if prior[index] == 0
        ]
    return tuple(items)


def check_pull(constraints: Constraints) -> None:
    """Refuse a pull that lacks its prior, its strength or its sense.

    Raises:
        UsageError: it does.
    """
    if not (constraints.kl >= 0 and np.isfinite(constraints.kl)):
        raise UsageError(
            f"{parameter('kl')} {constraints.kl:g}: the strength is a number of 0 or more."
        )
    if constraints.kl > 0 and constraints.prior is None:
        raise UsageError(
            f"{parameter('kl')} needs {parameter('prior')}: a file, 'uniform' or 'observed'."
        )


def polytope_of(items: Iterable[Item], k: int) -> Polytope:
    """Gather linear constraints: those on one weight become bounds, the others rows."""
    lower, upper = np.zeros(k), np.ones(k)
    sums: dict[tuple[int, ...], tuple[float, float]] = {}
    for item in items:
        if len(item.domains) == 1:
            index = item.domains[0]
            lower[index] = max(lower[index], item.low)
            upper[index] = min(upper[index], item.high)
        else:
            low, high = sums.get(item.domains, (0.0, 1.0))
            sums[item.domains] = max(low, item.low), min(high, item.high)
    rows = np.zeros((len(sums), k))
    for row, indices in zip(rows, sums, strict=True):
        row[list(indices)] = 1.0
    limits = np.array(list(sums.values())).reshape(-1, 2)
    return Polytope(lower, upper, rows, limits[:, 0].copy(), limits[:, 1].copy())


def feasible_polytope(items: Sequence[Item], k: int) -> Polytope:
    """Gather linear constraints, and refuse those that no mixture obeys.

    Raises:
        UsageError: no mixture obeys them; the message names a smallest set that clashes.
    """
    polytope = polytope_of(items, k)
    if not _possible(polytope):
        clash = smallest_clash(items, lambda some: _possible(polytope_of(some, k)))
        listed = ", ".join(item.marked for item in clash)
        what = "These cannot hold together" if len(clash) > 1 else "This cannot hold"
        raise UsageError(f"{what}, as weights sum to 1: {listed}. Loosen one of them.")
    return polytope


def _possible(polytope: Polytope) -> bool:
    return polytope.interior is not None


def smallest_clash(items: Sequence[T], possible: Callable[[Sequence[T]], bool]) -> tuple[T, ...]:
    """Reduce constraints that cannot hold together to some of which none can be left out.

    Each is left out in turn, and stays out if the others still clash.
    """
    kept = list(items)
    for item in items:
        rest = [other for other in kept if other is not item]
        if not possible(rest):
            kept = rest
    return tuple(kept)


def mixture_of(weights: Mapping[str, float], domains: Sequence[str], what: str) -> Array:
    """Turn domain to weight into a mixture (k,); domains that are not named have weight 0.

    Args:
        weights: of 0 or more; they are divided by their sum.
        domains: names of the k domains.
        what: what to call it in messages.

    Raises:
        UsageError: a name is unknown, a weight is negative, or all are 0.
    """
    mixture = np.zeros(len(domains))
    places = {domain: index for index, domain in enumerate(domains)}
    for name, weight in weights.items():
        if name not in places:
            raise _unknown(f"{what}: there is no domain '{name}'.", name, places)
        if not (weight >= 0 and np.isfinite(weight)):
            raise UsageError(f"{what}: {name}={weight:g} is not a weight; weights are 0 or more.")
        mixture[places[name]] = weight
    if not mixture.sum() > 0:
        raise UsageError(f"{what}: all weights are 0. Give at least one domain some weight.")
    return np.asarray(mixture / mixture.sum())


def _groups(constraints: Constraints, domains: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Give domain or group to the indices of its domains."""
    places = {domain: index for index, domain in enumerate(domains)}
    groups: dict[str, tuple[int, ...]] = {domain: (index,) for domain, index in places.items()}
    for name, members in constraints.groups.items():
        label = f"{parameter('groups')} {name}={','.join(members)}"
        if name in places:
            raise UsageError(f"{label}: {name} is a domain already. Choose another name.")
        if not members:
            raise UsageError(
                f"{label}: a group needs domains, such as {parameter('groups')} code=github,stack."
            )
        for member in members:
            if member not in places:
                raise _unknown(f"{label}: there is no domain '{member}'.", member, places)
        groups[name] = tuple(sorted({places[member] for member in members}))
    used = {*constraints.min, *constraints.max, *constraints.fix}
    for name in constraints.groups:
        if name not in used:
            low, high, fix = parameter("min"), parameter("max"), parameter("fix")
            raise UsageError(
                f"{parameter('groups')} {name}: nothing is asked of it. Add {low}, {high} or {fix} "
                f"{name}=SHARE."
            )
    return groups


def _caps(constraints: Constraints, domains: Sequence[str], tokens: float | None) -> Iterable[Item]:
    check_epochs(constraints, domains)
    if not constraints.available:
        return
    if tokens is None:
        raise UsageError(
            f"{parameter('available')} needs the length of the training: give "
            f"{parameter('tokens')}."
        )
    for name, unique in checked_available(constraints, domains).items():
        epochs = constraints.max_epochs_of.get(name, constraints.max_epochs)
        share = epochs * unique / tokens
        if share < 1:
            asked = f"{name}={short(unique)} (at most {share:.3g} of {short(tokens)} in "
            asked += f"{epochs:g} epochs)"
            yield Item("available", asked, (domains.index(name),), 0.0, share)


def _near_observed(
    factor: float | None, domains: Sequence[str], observed: Mapping[str, Range] | None
) -> Iterable[Item]:
    if factor is None:
        return
    label = f"{parameter('within_observed')} {factor:g}"
    if not (factor >= 1 and np.isfinite(factor)):
        raise UsageError(
            f"{label}: it must be 1 or more: 1 for the range that the runs had, 2 for half the"
            " smallest weight to twice the largest."
        )
    if observed is None:
        raise UsageError(f"{label}: there are no runs whose weights it could stand for.")
    for index, domain in enumerate(domains):
        low, high = observed[domain].min / factor, min(observed[domain].max * factor, 1.0)
        asked = f"{factor:g} ({domain} from {low:.3g} to {high:.3g})"
        yield Item("within_observed", asked, (index,), low, high)


def checked_available(constraints: Constraints, domains: Sequence[str]) -> Mapping[str, float]:
    """Give domain to the unique tokens that there are.

    Raises:
        UsageError: a name is unknown, or a number is none of tokens.
    """
    for name, unique in constraints.available.items():
        label = f"{parameter('available')} {name}={short(unique)}"
        if name not in domains:
            raise _unknown(f"{label}: there is no domain '{name}'.", name, domains)
        if not (unique >= 0 and np.isfinite(unique)):
            raise UsageError(f"{label}: a number of tokens is 0 or more.")
    return constraints.available


def check_epochs(constraints: Constraints, domains: Sequence[str]) -> None:
    """Refuse numbers of passes that are none, or of domains whose tokens are not known.

    Raises:
        UsageError: they are.
    """
    given = parameter("max_epochs")
    if constraints.available and not _positive(constraints.max_epochs):
        raise UsageError(f"{given} {constraints.max_epochs:g}: it must be a positive number.")
    for name, epochs in constraints.max_epochs_of.items():
        if name not in domains:
            raise _unknown(
                f"{given} {name}={epochs:g}: there is no domain '{name}'.", name, domains
            )
        if not _positive(epochs):
            raise UsageError(f"{given} {name}={epochs:g}: it must be a positive number.")
        if name not in constraints.available:
            raise UsageError(
                f"{given} {name}={epochs:g}: passes over how many tokens? Give them with "
                f"{parameter('available')} {name}=TOKENS."
            )


def _positive(number: float) -> bool:
    return bool(number > 0 and np.isfinite(number))


def _unknown(message: str, name: str, known: Iterable[str]) -> UsageError:
    names = list(known)
    hint = nearest(name, names)
    return UsageError(f"{message}{hint} There are {', '.join(names)}.")
