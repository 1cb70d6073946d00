"""Mixtures to YAML, and from files of all kinds."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mixfit.base.errors import InputError, UsageError
from mixfit.base.files import file_sha256
from mixfit.base.numbers import parse_number
from mixfit.base.plain import load_yaml, to_document, without_targets
from mixfit.mixture.blend import plain_counts, rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixfit.mixture.result import Mixture, PureTarget, Study

MIXTURE_SCHEMA = "mixfit.mixture/1"
_WEIGHT_COLUMN = "weight_"


def shares(mixture: Mixture) -> dict[str, float]:
    """Give domain to rounded weight; the decimals sum to exactly 1."""
    return dict(zip(mixture.domains, rounded(mixture.weights), strict=True))


def mixtures_to_plain(
    mixtures: Sequence[Mixture],
    fit_path: str,
    *,
    study: Study | None = None,
    pure: Sequence[PureTarget] = (),
) -> dict[str, Any]:
    """Give mixtures as plain data, as they stand in a mixture file.

    Args:
        mixtures: of one fit, for the same targets.
        fit_path: of the fit file.
        study: what else is known of the only mixture.
        pure: in place of `mixtures`, the best ones for each target alone.
    """
    if study is not None:
        mixtures = [study.mixture]  # with notes on it beside others
    entries = [_plain(mixture) for mixture in mixtures]
    weights = dict(mixtures[0].target_weights) if mixtures else {}
    for alone in pure:
        entry = {"target": alone.target, **_plain(alone.mixture)}
        if alone.distance is not None:
            entry["distance_to_corner"] = _digits(alone.distance)
        entries.append(entry)
        weights[alone.target] = 1.0 / len(pure)
    if study is not None:
        entries[0] |= _plain_study(study)
    content = {
        "fit": {"path": fit_path, "sha256": file_sha256(fit_path)},
        "targets": _all_digits(weights),
        "mixtures": entries,
    }
    return to_document(MIXTURE_SCHEMA, content)


def _plain(mixture: Mixture) -> dict[str, Any]:
    return {
        "model_size": mixture.model_size,
        "tokens": mixture.tokens,
        **({} if mixture.risk is None else {"risk": mixture.risk}),
        "weights": shares(mixture),
        **plain_counts(mixture.blend),
        "predicted_loss": _all_digits(mixture.predicted_loss),
        **_as_logged(mixture, mixture.predicted_loss),
        "loss": _digits(mixture.loss),
        "objective": _digits(mixture.objective),
        "gap": float(f"{mixture.gap:.1e}"),
        "convex": mixture.convex,
        "notes": without_targets(mixture.notes),
        **_plain_certainty(mixture),
    }


def _plain_certainty(mixture: Mixture) -> dict[str, Any]:
    """Give how sure a mixture is, where that is known."""
    if (sure := mixture.certainty) is None:
        return {}
    plain = {
        "resamples": sure.count,
        "weights": {
            domain: {"low": round(float(low), 4), "high": round(float(high), 4)}
            for domain, (low, high) in zip(mixture.domains, sure.weights, strict=True)
        },
        "loss": {"low": _known(sure.low, 9), "high": _known(sure.high, 9)},
        "standard_error": float(f"{sure.standard_error:.4g}"),
        "gains": [
            {"name": name, **{key: _known(x, 4) for key, x in vars(gain).items()}}
            for name, gain in sure.gains.items()
        ],
        "notes": [{"code": note.code, "text": note.text} for note in sure.notes],
    }
    return {"certainty": plain}


def _as_logged(mixture: Mixture, losses: Mapping[str, float]) -> dict[str, Any]:
    """Give predictions of targets in whose place something else was fitted, if there are any."""
    logged = mixture.as_logged(losses)
    return {"predicted": _all_digits(logged)} if logged else {}


def _plain_study(study: Study) -> dict[str, Any]:
    domains, free = study.mixture.domains, study.unconstrained
    plain: dict[str, Any] = {
        "as_good": {
            domain: {"min": round(float(low), 4), "max": round(float(high), 4)}
            for domain, (low, high) in zip(domains, study.ranges, strict=True)
        },
        "baselines": [
            {
                "name": baseline.name,
                "weights": dict(zip(domains, rounded(baseline.weights), strict=True)),
                "loss": _digits(baseline.loss),
                "predicted_loss": _all_digits(baseline.predicted_loss),
                **_as_logged(study.mixture, baseline.predicted_loss),
            }
            for baseline in study.baselines
        ],
    }
    if free is not None:
        plain["unconstrained"] = {"weights": shares(free), "loss": _digits(free.loss)}
        plain["costs"] = [{"constraint": c.label, "cost": _digits(c.cost)} for c in study.costs]
    if (change := study.least_change) is not None:
        plain["least_change"] = {
            "start": dict(zip(domains, rounded(change.start), strict=True)),
            "within": change.within,
            "divergence": float(f"{change.divergence:.4g}"),
            "weights": dict(zip(domains, rounded(change.weights), strict=True)),
            **plain_counts(study.blend),
            "loss": _digits(change.loss),
            "predicted_loss": _all_digits(change.predicted_loss),
        }
    return plain


def _all_digits(values: Mapping[str, float]) -> dict[str, float]:
    return {name: _digits(value) for name, value in values.items()}


def _digits(value: float) -> float:
    """Round to nine digits: what is beyond them is not worth comparing."""
    return float(f"{value:.9g}")


def _known(value: float, digits: int) -> float | None:
    return None if np.isnan(value) else float(f"{value:.{digits}g}")


def read_mixture(path: str | Path) -> dict[str, float]:
    """Read domain to weight from YAML, JSON or CSV.

    YAML and JSON hold a map, or a mixture file of mixfit's with one mixture. CSV has a column
    ``domain`` and a column ``weight``, or one row of columns ``weight_*``.

    Raises:
        InputError: the file cannot be used; the message names what is wrong with it.
    """
    content = _read_map(path, "weight")
    if "schema" in content:
        content = _only_mixture(path, content)
    return {domain: _number(path, domain, value) for domain, value in content.items()}


def read_tokens(path: str | Path) -> dict[str, float]:
    """Read domain to number of tokens, which may be written 10B, from YAML, JSON or CSV.

    CSV has a column ``domain`` and a column ``tokens``.

    Raises:
        InputError: the file cannot be used.
    """
    content = _read_map(path, "tokens")
    return {domain: _number(path, domain, value) for domain, value in content.items()}


def read_prefixes(path: str | Path) -> dict[str, str]:
    """Read domain to prefix of files from YAML, JSON or CSV (columns ``domain``, ``prefix``).

    Raises:
        InputError: the file cannot be used.
    """
    return {domain: str(value) for domain, value in _read_map(path, "prefix").items()}


def _only_mixture(path: str | Path, content: dict[str, Any]) -> dict[str, Any]:
    if content["schema"] != MIXTURE_SCHEMA:
        raise InputError(f"{path}: its schema is '{content['schema']}', not '{MIXTURE_SCHEMA}'.")
    mixtures = content.get("mixtures")
    if not isinstance(mixtures, list) or len(mixtures) != 1:
        count = len(mixtures) if isinstance(mixtures, list) else 0
        raise InputError(f"{path}: holds {count} mixtures. Give a file with one.")
    weights = mixtures[0].get("weights") if isinstance(mixtures[0], dict) else None
    if not isinstance(weights, dict):
        raise InputError(f"{path}: its mixture has no 'weights'. Make the file anew.")
    return {str(domain): value for domain, value in weights.items()}


def _read_map(path: str | Path, column: str) -> dict[str, Any]:
    if Path(path).suffix.lower() == ".csv":
        return _read_csv(path, column)
    content = load_yaml(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: is no map; write lines such as 'c4: 0.25'.")
    return {str(domain): value for domain, value in content.items()}


def _read_csv(path: str | Path, column: str) -> dict[str, Any]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}).") from None
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    header = rows[0] if rows else []
    if "domain" in header and column in header and len(rows) > 1:
        by_domain: dict[str, Any] = {}
        for number, row in enumerate(rows[1:], start=1):
            if len(row) != len(header):
                raise InputError(f"{path}: row {number} has {len(row)} cells, not {len(header)}.")
            domain = row[header.index("domain")]
            if domain in by_domain:
                raise InputError(f"{path}: {domain} stands twice. Give a file with one mixture.")
            by_domain[domain] = row[header.index(column)]
        return by_domain
    wide = [name for name in header if name.startswith(_WEIGHT_COLUMN)]
    if column == "weight" and wide and len(rows) == 2 and len(rows[1]) == len(header):
        cells = dict(zip(header, rows[1], strict=True))
        return {name.removeprefix(_WEIGHT_COLUMN): cells[name] for name in wide}
    also = ", or one row of columns weight_*" if column == "weight" else ""
    raise InputError(f"{path}: needs a column domain, a column {column} and rows{also}.")


def _number(path: str | Path, domain: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value):
        return float(value)
    if isinstance(value, str):
        try:
            return parse_number(value)
        except UsageError as error:
            raise InputError(f"{path}: {domain}: {error.text}") from None
    raise InputError(f"{path}: {domain}: {value!r} is not a number.")


def parse_pairs(text: str, option: str) -> dict[str, float]:
    """Read ``name=number[,name=number...]``.

    >>> parse_pairs("c4=0.25,web=0.75", "--baseline")
    {'c4': 0.25, 'web': 0.75}

    Raises:
        UsageError: the text has another form, or a name stands twice.
    """
    pairs: dict[str, float] = {}
    for pair in text.split(","):
        name, equals, number = (piece.strip() for piece in pair.rpartition("="))
        if not equals or not name or "=" in name:
            raise UsageError(f"{option} '{text}': write NAME=NUMBER, such as c4=0.25.")
        if name in pairs:
            raise UsageError(f"{option} '{text}': {name} stands twice.")
        try:
            pairs[name] = parse_number(number)
        except UsageError as error:
            raise UsageError(f"{option} '{text}': {error.text}") from None
    return pairs
