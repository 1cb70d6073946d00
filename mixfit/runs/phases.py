"""Weights that a table has for each phase of training, which no law here takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PHASE = re.compile(
    r"(?:^|(?<=[_./\- ]))(?:phase|stage|period)[_.\- ]?([0-9]{1,2}|[a-c])(?=$|[_./\- ])"
)


def explain_phases(names: Sequence[str]) -> str | None:
    """Say what columns such as ``weight_web_phase1`` are, or give None where none are such.

    Args:
        names: of columns that hold weights, or may.
    """
    domains: dict[str, dict[str, str]] = {}
    for name in names:
        match = _PHASE.search(name)
        if match is not None:
            around = name[: match.start()] + name[match.end() :]
            domain = re.sub(r"([_./\- ])[_./\- ]+", r"\1", around).strip("_./- ")
            domains.setdefault(domain, {})[match.group(1)] = name
    twice = [columns for columns in domains.values() if len(columns) > 1]
    if len(twice) < 2:
        return None
    columns = list(twice[0].values())
    return (
        f"columns {' and '.join(columns[:2])} are weights of one domain in {len(columns)} phases "
        "of training, and a law takes one mixture a run. Average the phases of each domain, by the "
        "tokens D of each, h = (D_1 h_1 + D_2 h_2) / (D_1 + D_2), write that into one column a "
        "domain, and let the run's tokens be the sum"
    )
