"""What a reader asks of a fit that no table of runs tells: named blanks, which users fill.

The questions follow the checklist of Li et al. 2025 (arXiv 2502.18969), as far as the fit itself
does not answer them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixfit.base.errors import UsageError, nearest, parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

BLANKS = {
    "embeddings": "does N count the embeddings and the output layer",
    "tokenizer": "with which tokenizer are the tokens D counted",
    "schedule": "the learning rate's schedule, and whether it ended at each D that is logged",
    "hyperparameters": "which were tuned, and how they change with N and D",
    "data": "what the domains are, and what was seen more than once",
    "loss": "on which split it was measured, in which unit, smoothed or not",
    "left-out": "which runs are not in the table, and why",
}


def parse_record(texts: Iterable[str]) -> dict[str, str]:
    """Read ``KEY=TEXT``, blank to answer, in the order of the blanks.

    >>> parse_record(["tokenizer=GPT-NeoX", "embeddings = no"])
    {'embeddings': 'no', 'tokenizer': 'GPT-NeoX'}

    Raises:
        UsageError: there is no such blank, it has no text, or stands twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, _, answer = (part.strip() for part in text.partition("="))
        if key not in BLANKS:
            raise UsageError(
                f"{parameter('note')} '{text}': there is no blank '{key}'."
                f"{nearest(key, BLANKS)} Write KEY=TEXT, KEY one of {', '.join(BLANKS)}."
            )
        if not answer:
            raise UsageError(f"{parameter('note')} '{text}': write what {key} is, as {key}=TEXT.")
        if key in found:
            raise UsageError(f"{parameter('note')} '{text}': {key} stands twice.")
        found[key] = answer
    return {key: found[key] for key in BLANKS if key in found}
