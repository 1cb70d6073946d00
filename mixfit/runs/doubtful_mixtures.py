"""What is doubtful in the mixtures and sizes of a table: what its runs cannot tell apart."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.numbers import distinct
from mixfit.runs.checks import others
from mixfit.runs.findings import WARNING, Finding, at
from mixfit.runs.tables import list_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mixfit.base.arrays import Array, Indices, Mask
    from mixfit.runs.checks import Values

_ROUNDING = 0.01  # in weights that are cut after two decimals, and normalised
_SAME = 2e-6  # what weights that are one may differ by
_SMALL_RANGE, _SMALL_SHARE = 0.01, 0.1  # of a weight, and of the median range of the others
_PROPORTION = 0.02  # standard deviation of log(h_i / h_j)
_FLAT = 0.003  # standard deviation of a combination of weights, with coefficients of length 1
_SAME_SIZE = 1.02  # ratio of two model sizes that are one


def mixture_doubts(values: Values, mixture: Indices, first: Indices) -> Iterator[Finding]:
    """Find what is doubtful in mixtures and sizes.

    Args:
        values: checked.
        mixture: the number of the mixture (rows,) of each row.
        first: the first row (m,) of each mixture.
    """
    h, domains = values.h[first], list(values.columns.weights)
    if len(h) == 1:
        yield Finding(
            code="one-mixture",
            severity=WARNING,
            message="all rows have one mixture, so that they tell nothing of others",
            todo="Train other mixtures: 'mixfit design' chooses them.",
        )
    else:
        yield from _rounded_mixtures(values, mixture, h)
        varied = _varied(h)
        yield from (_hardly_varied(h[:, i], domains[i]) for i in np.flatnonzero(~varied))
        yield from _collinear(h[:, varied], [domains[i] for i in np.flatnonzero(varied)])
    yield from _rounded_sizes(values)


def _rounded_mixtures(values: Values, mixture: Indices, h: Array) -> Iterator[Finding]:
    """Find mixtures that are roundings of others, and were trained where these were not."""
    from scipy.spatial import KDTree

    near = sorted(KDTree(h).query_pairs(_ROUNDING, p=np.inf))
    trained = (
        [
            set(zip(values.N[rows], values.D[rows], strict=True))
            for rows in np.split(
                np.argsort(mixture, kind="stable"), np.cumsum(np.bincount(mixture))[:-1]
            )
        ]
        if near
        else []
    )
    pairs = [
        (one, other)
        for one, other in near
        if _is_rounding(h[one], h[other]) and not trained[one] & trained[other]
    ]
    if not pairs:
        return
    later = sorted({other for _, other in pairs})
    rows = np.flatnonzero(np.isin(mixture, later))
    one = next(one for one, other in pairs if other == later[0])
    first = values.row_name(int(rows[0]))
    where = values.row_name(int(np.flatnonzero(mixture == one)[0])).beside(first)
    gap = max(float(np.abs(h[one] - h[other]).max()) for one, other in pairs)
    said = "1 mixture differs from another by rounding alone and counts"
    if len(later) > 1:
        said = f"{len(later)} mixtures differ from others by rounding alone and count"
    yield Finding(
        code="rounded-mixtures",
        severity=WARNING,
        rows=len(rows),
        message=f"{said} as different, by {gap:.1g} at most; this row's from that of {where}"
        f"{others(values, rows)}",
        todo="Write the weights of a mixture alike in all of its rows.",
        **at(first),
    )


def _is_rounding(one: Array, other: Array) -> bool:
    """Tell whether a mixture (k,) is another one with fewer decimals, normalised."""
    for fine, coarse in ((one, other), (other, one)):
        for scale in 10.0 ** np.arange(2, 6):
            for cut in (np.round, np.floor):
                rounded = cut(fine * scale)
                if rounded.sum() > 0 and np.allclose(
                    rounded / rounded.sum(), coarse, rtol=0, atol=_SAME
                ):
                    return True
    return False


def _varied(h: Array) -> Mask:
    """Tell which domains (k,) have weights that differ enough between mixtures."""
    ranges = np.ptp(h, axis=0)
    usual = max(float(np.median(ranges)), float(ranges.max()) / 2)
    varied: Mask = (ranges >= _SMALL_RANGE) | (ranges >= _SMALL_SHARE * usual)
    return varied


def _hardly_varied(weights: Array, domain: str) -> Finding:
    low, high = (100 * float(end) for end in (weights.min(), weights.max()))
    said = f"{low:.3g}% in every mixture"
    if high - low > 1e-4:
        said = f"{low:.3g}% to {high:.3g}% in all mixtures"
    return Finding(
        code="hardly-varied",
        severity=WARNING,
        message=f"the weight of {domain} is {said}, so that its effect cannot be told",
        todo="Train mixtures with more and with less of it, or fix it with --fix "
        f"{domain}=SHARE in 'mixfit optimize'.",
    )


def _collinear(h: Array, domains: Sequence[str]) -> Iterator[Finding]:
    """Find domains whose weights go together, of those that are varied."""
    together = []
    for i, j in combinations(range(len(domains)), 2):
        one, other = h[:, i] > 0, h[:, j] > 0
        if (one == other).all() and np.count_nonzero(one) >= 3:
            ratio = np.log(h[one, i] / h[one, j])
            if ratio.std() < _PROPORTION and np.ptp(h[one, i]) > 0:
                together.append((i, j))
                yield Finding(
                    code="collinear",
                    severity=WARNING,
                    message=f"{domains[i]} and {domains[j]} have weights in the proportion "
                    f"{np.exp(ratio.mean()):.3g} to 1 in every mixture: their effects cannot be "
                    "told apart",
                    todo="Train mixtures that part them, or make one domain of them.",
                )
    if len(h) <= len(domains) or len(domains) < 3 or together:
        return
    # Weights sum to what the others leave, so that one direction never varies: the others' basis.
    basis = np.linalg.svd(np.ones((1, len(domains))))[2][1:].T
    _, sizes, turned = np.linalg.svd((h - h.mean(axis=0)) @ basis, full_matrices=False)
    flat = (basis @ turned.T).T[sizes / np.sqrt(len(h)) < _FLAT]
    for direction in flat:
        named = [name for name, own in zip(domains, direction, strict=True) if abs(own) > 0.3]
        yield Finding(
            code="collinear",
            severity=WARNING,
            message=f"a sum of the weights of {list_names(named)}, each with a coefficient, is the "
            "same in every mixture: their effects cannot be told apart",
            todo="Train mixtures in which they vary apart, or make fewer domains of them.",
        )


def _rounded_sizes(values: Values) -> Iterator[Finding]:
    sizes = np.unique(values.N)
    ratios = sizes[1:] / sizes[:-1]
    near = ratios < _SAME_SIZE
    if not near.any() or near.all() or ratios[~near].min() < _SAME_SIZE**4:
        return
    later = sizes[1:][near]
    rows = np.flatnonzero(np.isin(values.N, later))
    pair = distinct(sizes[np.argmax(near) : np.argmax(near) + 2])
    yield Finding(
        code="rounded-sizes",
        severity=WARNING,
        rows=len(rows),
        message=f"of {len(sizes)} model sizes some are within 2% of another, such as {pair[1]} and "
        f"{pair[0]}, and are taken for different ones{others(values, rows)}",
        todo="Write the N of a size alike in all of its rows.",
        **at(values.row_name(int(rows[0]))),
    )
