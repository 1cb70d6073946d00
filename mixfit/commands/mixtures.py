"""What users write on the command line about mixtures, to values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mixfit.base.errors import MixfitError, UsageError, nearest
from mixfit.base.numbers import parse_number
from mixfit.mixture.constraints import Constraints, mixture_of
from mixfit.mixture.files import FORMATS, parse_pairs, read_mixture, read_tokens

if TYPE_CHECKING:
    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit
    from mixfit.runs.runs import Runs

Texts = Sequence[str]


@dataclass(frozen=True)
class Asked:
    """The texts of the options about constraints, as `Constraints` names them."""

    minimum: Texts = ()
    maximum: Texts = ()
    fix: Texts = ()
    group: Texts = ()
    available: Texts = ()
    max_epochs: float = 4.0
    prior: str | None = None
    kl: float = 0.0
    no_worse_than: Texts = ()


def number(text: str, option: str) -> float:
    """Read one number.

    Raises:
        UsageError: it is none; the message names the option.
    """
    try:
        return parse_number(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None


def numbers(texts: Texts | None, option: str) -> tuple[float, ...]:
    """Read numbers, several with commas between them or in several texts."""
    return tuple(number(part, option) for text in texts or () for part in text.split(","))


def span(text: str | None, option: str) -> tuple[float, float] | None:
    """Read a smallest and a largest number."""
    if text is None:
        return None
    found = numbers([text], option)
    if len(found) != 2:
        raise UsageError(f"{option} '{text}': give the smallest and the largest, as in 1B,100B.")
    return found[0], found[1]


def targets(texts: Texts | None) -> dict[str, float] | None:
    """Read ``NAME[=WEIGHT][,NAME[=WEIGHT]...]``, names being globs."""
    if not texts:
        return None
    found: dict[str, float] = {}
    for text in (part.strip() for given in texts for part in given.split(",")):
        name, equals, weight = text.rpartition("=")
        if equals:
            found[name] = number(weight, f"--target {text}")
        else:
            found[text] = 1.0
    return found


def one_budget(
    sizes: Sequence[float], lengths: Sequence[float], flops: str | None
) -> tuple[float | None, float | None]:
    """Take the only N and the only D.

    Raises:
        UsageError: there are several, or FLOPs.
    """
    if flops is not None or len(sizes) > 1 or len(lengths) > 1:
        raise UsageError("--each-target takes one --model-size and one --tokens, and no --flops.")
    return (sizes[0] if sizes else None), (lengths[0] if lengths else None)


def refuse_sizes_with_flops(sizes: Sequence[float], lengths: Sequence[float]) -> None:
    """Refuse N or D beside FLOPs, which choose them.

    Raises:
        UsageError: there are some.
    """
    if sizes or lengths:
        raise UsageError(
            "--flops chooses N and D: leave out --model-size and --tokens, or bound the search "
            "with --model-size-range and --tokens-range."
        )


def check_output(form: str, out: str | None, prefixes: str | None, *, each_target: bool) -> None:
    """Refuse options about the output that do not go together, before any work is done.

    Raises:
        UsageError: they do not.
    """
    if form not in FORMATS:
        raise UsageError(
            f"There is no format '{form}'.{nearest(form, FORMATS)} Formats: {', '.join(FORMATS)}."
        )
    if form != "yaml" and out is None:
        raise UsageError(f"--format {form} needs --out FILE; - is standard output.")
    if form != "yaml" and each_target:
        raise UsageError("--each-target is written as YAML only: leave out --format.")
    if form == "megatron" and prefixes is None:
        raise UsageError("--format megatron needs --prefixes FILE, with lines 'domain: prefix'.")


def files_named(texts: Texts) -> list[str]:
    """Give what may be files in texts such as ``FILE`` or ``NAME=FILE``."""
    return [name for text in texts for name in (text, text.partition("=")[2]) if name]


def constraints(asked: Asked, fit: Fit, observed: Array) -> Constraints:
    """Read what the mixture must obey.

    Args:
        asked: the texts.
        fit: whose domains and targets they name.
        observed: (m, k) mixtures of the runs, none where they are not known.

    Raises:
        MixfitError: a text or a file cannot be used.
    """
    losses, mixture = _no_worse(asked.no_worse_than, fit, observed)
    prior = None
    if asked.prior is not None:
        prior = _mixture(asked.prior, "--prior", fit, observed)
        if asked.kl == 0:
            raise UsageError("--prior needs --kl LAMBDA, the strength of its pull, such as 0.01.")
    return Constraints(
        min=_pairs(asked.minimum, "--min"),
        max=_pairs(asked.maximum, "--max"),
        fix=_pairs(asked.fix, "--fix"),
        groups=_groups(asked.group),
        available=_available(asked.available),
        max_epochs=asked.max_epochs,
        prior=prior,
        kl=asked.kl,
        no_worse_than=losses,
        no_worse_than_mixture=mixture,
    )


def baselines(texts: Texts, fit: Fit) -> dict[str, Array]:
    """Read mixtures to compare with, ``NAME=FILE`` or ``D=SHARE,...``, name to (k,)."""
    found: dict[str, Array] = {}
    for text in texts:
        option = f"--baseline {text}"
        name, equals, file = text.partition("=")
        if _is_pairs(text):
            name, weights = f"given {len(found) + 1}", parse_pairs(text, "--baseline")
        elif equals and _is_pairs(file):
            weights = parse_pairs(file, "--baseline")
        elif equals and name:
            weights = read_mixture(file)
        else:
            raise UsageError(f"{option}: write NAME=FILE, or shares as in c4=0.5,web=0.5.")
        if name in found:
            raise UsageError(f"{option}: there is a baseline '{name}' already.")
        found[name] = mixture_of(weights, fit.domains, option)
    return found


def observed_mixtures(fit: Fit, sources: Texts | None) -> Array:
    """Read the distinct mixtures (m, k) of runs.

    Args:
        fit: whose domains the runs must have.
        sources: files of runs; left out, those that were fitted, if they are still there and have
            not changed. None are found if not.

    Raises:
        MixfitError: sources were given and cannot be read.
    """
    if sources:
        from mixfit.runs.read import read_runs

        weights = list(fit.data.columns.weights.values())
        return _distinct(read_runs(list(sources), weights=weights, domains=fit.domains))
    try:
        runs = _fitted_runs(fit)
    except MixfitError:  # such as a column that was renamed: they are a help, not a need
        runs = None
    return np.zeros((0, len(fit.domains))) if runs is None else _distinct(runs)


def _distinct(runs: Runs) -> Array:
    return np.asarray(runs.mixtures, dtype=np.float64)


def _fitted_runs(fit: Fit) -> Runs | None:
    from mixfit.base.files import file_sha256
    from mixfit.runs.read import read_runs

    files = fit.data.files
    if not files:
        return None
    for file in files:
        if not Path(file.path).is_file() or file_sha256(file.path) != file.sha256:
            return None
    columns = fit.data.columns
    return read_runs(
        [file.path for file in files],
        weights=list(columns.weights.values()),
        targets=list(columns.targets.values()),
        model_size=columns.model_size,
        tokens=columns.tokens,
        where=fit.data.where,
        domains=fit.domains,
    )


def _pairs(texts: Texts, option: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts:
        for name, value in parse_pairs(text, option).items():
            if name in found:
                raise UsageError(f"{option}: {name} stands twice.")
            found[name] = value
    return found


def _groups(texts: Texts) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, members = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise UsageError(
                f"--group '{text}': write NAME=DOMAIN,DOMAIN, as in code=github,stack."
            )
        if name in found:
            raise UsageError(f"--group: {name} stands twice.")
        found[name] = tuple(part.strip() for part in members.split(",") if part.strip())
    return found


def _available(texts: Texts) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts:
        more = parse_pairs(text, "--available") if _is_pairs(text) else read_tokens(text)
        for name, value in more.items():
            if name in found:
                raise UsageError(f"--available: {name} stands twice.")
            found[name] = value
    return found


def _no_worse(
    texts: Texts, fit: Fit, observed: Array
) -> tuple[dict[str, float], dict[str, float] | None]:
    losses: dict[str, float] = {}
    mixture: dict[str, float] | None = None
    for text in texts:
        # One pair is a target's loss; a mixture of one domain can be written in a file.
        if _is_pairs(text) and "," not in text:
            losses |= parse_pairs(text, "--no-worse-than")
        elif mixture is None:
            mixture = _mixture(text, "--no-worse-than", fit, observed)
        else:
            raise UsageError("--no-worse-than: give one mixture; further ones as TARGET=LOSS.")
    return losses, mixture


def _mixture(text: str, option: str, fit: Fit, observed: Array) -> dict[str, float]:
    if text == "uniform":
        return dict.fromkeys(fit.domains, 1.0)
    if text == "observed":
        if not len(observed):
            raise UsageError(
                f"{option} observed: the runs that were fitted are not where they were, or have "
                "changed. Give them with --runs."
            )
        mean = observed.mean(axis=0)
        return dict(zip(fit.domains, mean.tolist(), strict=True))
    return parse_pairs(text, option) if _is_pairs(text) else read_mixture(text)


def _is_pairs(text: str) -> bool:
    """Tell whether a text is ``name=number[,name=number...]``."""
    try:
        parse_pairs(text, "")
    except UsageError:
        return False
    return True
