"""Mixtures in the forms that other programs read."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from mixfit.base.errors import UsageError, nearest, parameter
from mixfit.mixture.blend import plain_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.mixture.blend import Blend

FORMATS = ("json", "csv", "megatron", "hf", "mosaic")
_OF_ONE = ("megatron", "hf", "mosaic")


def export(blends: Sequence[Blend], form: str, prefixes: Mapping[str, str]) -> str:
    """Write mixtures in the form that another program reads.

    Args:
        blends: one or more; Megatron-LM, Hugging Face and Mosaic take one.
        form: one of `FORMATS`.
        prefixes: domain to the prefix of its files for a Megatron-LM blend, or to its folder for
            Mosaic's streams.

    Raises:
        UsageError: the form takes one mixture, or a prefix is missing.
    """
    if form in _OF_ONE and len(blends) != 1:
        raise UsageError(
            f"{parameter('form')} {form} takes one mixture, and there are {len(blends)}."
        )
    if form == "json":
        return _json(blends)
    if form == "csv":
        return _csv(blends)
    if form == "megatron":
        return _megatron(blends[0], prefixes)
    return _mosaic(blends[0], prefixes) if form == "mosaic" else _hugging_face(blends[0])


def _json(blends: Sequence[Blend]) -> str:
    if len(blends) == 1:
        return json.dumps(blends[0].shares, indent=2) + "\n"
    entries = [
        {"model_size": b.model_size, "tokens": b.tokens, "weights": b.shares, **plain_counts(b)}
        for b in blends
    ]
    return json.dumps(entries, indent=2) + "\n"


def _csv(blends: Sequence[Blend]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["model_size", "tokens", "domain", "weight", "domain_tokens", "passes"])
    for blend in blends:
        scale = ["" if x is None else f"{x:.9g}" for x in (blend.model_size, blend.tokens)]
        tokens, passes = blend.tokens_of, blend.passes
        for domain, share in blend.shares.items():
            row = [*scale, domain, f"{share:.{blend.decimals}f}"]
            row.append(f"{tokens[domain]:.0f}" if domain in tokens else "")
            row.append(f"{passes[domain]:.4g}" if domain in passes else "")
            writer.writerow(row)
    return stream.getvalue()


def _megatron(blend: Blend, prefixes: Mapping[str, str]) -> str:
    words = [
        f"{share:.{blend.decimals}f} {_prefix(domain, prefixes)}"
        for domain, share in blend.shares.items()
        if share > 0
    ]
    return " ".join(words) + "\n"


def _hugging_face(blend: Blend) -> str:
    held = blend.shares
    content = {"domains": list(held), "probabilities": list(held.values()), **plain_counts(blend)}
    return json.dumps(content) + "\n"


def _mosaic(blend: Blend, prefixes: Mapping[str, str]) -> str:
    """Write the streams of a StreamingDataset; without prefixes, the local folders are left out."""
    streams: dict[str, dict[str, Any]] = {}
    for domain, share in blend.shares.items():
        if share > 0:
            place = {"local": _prefix(domain, prefixes)} if prefixes else {}
            streams[domain] = {**place, "proportion": share}
    return json.dumps({"streams": streams, **plain_counts(blend)}, indent=2) + "\n"


def _prefix(domain: str, prefixes: Mapping[str, str]) -> str:
    if domain not in prefixes:
        hint = nearest(domain, prefixes)
        raise UsageError(f"{parameter('prefixes')}: there is no prefix for {domain}.{hint}")
    return prefixes[domain]
