"""What users write on the command line about mixtures, to values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mixfit.base.errors import UsageError, nearest
from mixfit.base.numbers import short
from mixfit.commands.words import Texts, names, number
from mixfit.design.plan import without_each
from mixfit.mixture.constraints import Constraints, mixture_of
from mixfit.mixture.exports import FORMATS
from mixfit.mixture.files import parse_pairs, read_mixture, read_tokens
from mixfit.mixture.known import PROPORTIONAL, UNIFORM, UNIMAX, proportional, unimax
from mixfit.runs.transforms import to_loss
from mixfit.runs.units import BEYOND, FEWEST_TOKENS, meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mixfit.base.arrays import Array
    from mixfit.fitting.result import Fit

T = TypeVar("T")

OBSERVED = "observed"  # the mean of the distinct mixtures of the runs
_WORDS = UNIFORM, OBSERVED  # mixtures that need no file


def check_budget(
    sizes: Sequence[float], lengths: Sequence[float], flops: Texts | None, *, each_target: bool
) -> None:
    """Refuse a budget that says too much.

    Raises:
        UsageError: there are FLOPs beside the N and D that they choose, or several budgets for
            ``--each-target``.
    """
    if each_target and (flops or len(sizes) > 1 or len(lengths) > 1):
        raise UsageError("--each-target takes one --model-size and one --tokens, and no --flops.")
    if flops and (sizes or lengths):
        raise UsageError(
            "--flops chooses N and D: leave out --model-size and --tokens, or bound the search "
            "with --model-size-range and --tokens-range."
        )


def check_units(
    fit: Fit, sizes: Sequence[float], lengths: Sequence[float], available: Mapping[str, float]
) -> None:
    """Refuse numbers that are in another unit, as far as one can tell.

    Raises:
        UsageError: a budget is 10,000 times beyond what was fitted, or tokens are fewer than any
            corpus has.
    """
    insist = "or take it as it stands with --allow-units."

    def said(text: str, value: float, low: float, high: float) -> str:
        unit = meant(value, low, high)
        return f"{text}. {f'If {value:g}{unit} is meant, write that,' if unit else 'Mend it,'}"

    for option, values, fitted in (
        ("--model-size", sizes, fit.data.model_size),
        ("--tokens", lengths, fit.data.tokens),
    ):
        for value in values:
            if not fitted.min / BEYOND <= value <= fitted.max * BEYOND and value > 0:
                text = (
                    f"{option} {short(value)} is more than {BEYOND:,.0f} times beyond what was "
                    f"fitted, {short(fitted.min)} to {short(fitted.max)}"
                )
                raise UsageError(f"{said(text, value, fitted.min, fitted.max)} {insist}")
    for domain, tokens in available.items():
        if 0 < tokens < FEWEST_TOKENS:
            text = f"--available {domain}={tokens:g} is a number of tokens"
            raise UsageError(f"{said(text, tokens, fit.data.tokens.min, 1e14)} {insist}")


def check_form(form: str, forms: Texts) -> None:
    """Refuse a format that there is not.

    Raises:
        UsageError: it is none.
    """
    if form not in forms:
        raise UsageError(
            f"There is no format '{form}'.{nearest(form, forms)} Formats: {', '.join(forms)}."
        )


def check_output(form: str, out: str | None, prefixes: str | None, *, each_target: bool) -> None:
    """Refuse options about the output that do not go together, before any work is done.

    Raises:
        UsageError: they do not.
    """
    check_form(form, ["yaml", *FORMATS])
    if form != "yaml" and out is None:
        raise UsageError(f"--format {form} needs --out FILE; - is standard output.")
    if form != "yaml" and each_target:
        raise UsageError("--each-target is written as YAML only: leave out --format.")
    if form == "megatron" and prefixes is None:
        raise UsageError("--format megatron needs --prefixes FILE, with lines 'domain: prefix'.")


def files_named(texts: Texts) -> list[str]:
    """Give what may be files in texts such as ``FILE`` or ``NAME=FILE``."""
    return [name for text in texts for name in (text, text.partition("=")[2]) if name]


def constraints(
    fit: Fit,
    observed: Array,
    *,
    minimum: Texts,
    maximum: Texts,
    fix: Texts,
    group: Texts,
    available: Texts,
    max_epochs: Texts,
    prior: str | None,
    kl: float,
    no_worse_than: Texts,
    within_observed: float | None,
) -> Constraints:
    """Read what the mixture must obey from the texts of the options.

    They name domains and targets of the fit; ``observed`` are the mixtures (m, k) of the runs, none
    where they are not known.

    Raises:
        MixfitError: a text or a file cannot be used.
    """
    losses, mixture = _no_worse(no_worse_than, fit, observed)
    pulled_to = None
    if prior is not None:
        pulled_to = _mixture(prior, "--prior", fit, observed)
        if kl == 0:
            raise UsageError("--prior needs --kl LAMBDA, the strength of its pull, such as 0.01.")
    return replace(
        region(
            minimum=minimum,
            maximum=maximum,
            fix=fix,
            group=group,
            available=available,
            max_epochs=max_epochs,
        ),
        prior=pulled_to,
        kl=kl,
        no_worse_than=losses,
        no_worse_than_mixture=mixture,
        within_observed=within_observed,
    )


def region(
    *, minimum: Texts, maximum: Texts, fix: Texts, group: Texts, available: Texts, max_epochs: Texts
) -> Constraints:
    """Read the linear constraints from the texts of the options.

    Raises:
        MixfitError: a text or a file cannot be used.
    """
    for_all, of_domains = _epochs(max_epochs)
    return Constraints(
        min=_pairs(minimum, "--min"),
        max=_pairs(maximum, "--max"),
        fix=_pairs(fix, "--fix"),
        groups=_groups(group),
        available=_available(available),
        max_epochs=for_all,
        max_epochs_of=of_domains,
    )


def in_use(text: str, fit: Fit, observed: Array) -> Array:
    """Read the mixture in use that --least-change is to change least, (k,)."""
    return mixture_of(
        _mixture(text, "--least-change", fit, observed), fit.domains, "--least-change"
    )


def domains_of(texts: Texts | None, runs: Texts | None) -> tuple[str, ...]:
    """Read the names of the domains, or take those of the runs that there are.

    Raises:
        MixfitError: there are neither, or they cannot be used.
    """
    from mixfit.runs.read import read_domains

    if texts:
        return names(texts, "--domains")
    if not runs:
        raise UsageError("Name the domains, as in --domains web,code,books.")
    return read_domains(runs[0])


def mixtures_run(runs: Texts | None, domains: Texts) -> Array | None:
    """Read the mixtures (m, k) of runs that there are, whose losses may be empty."""
    from mixfit.runs.read import read_mixtures

    return read_mixtures(list(runs), domains) if runs else None


def included(
    texts: Texts, domains: Texts, asked: Constraints, tokens: float | None
) -> dict[str, Array]:
    """Read mixtures to be trained in any case, name to (k,).

    Raises:
        MixfitError: a text or a file cannot be used.
    """
    found: dict[str, Array] = {}
    for text in texts:
        for piece in [text] if is_pairs(text) else text.split(","):
            for name, mixture in _included(piece.strip(), domains, asked, tokens).items():
                if name in found:
                    raise UsageError(f"--include {piece}: {name} stands twice.")
                found[name] = mixture
    return found


def _included(
    text: str, domains: Texts, asked: Constraints, tokens: float | None
) -> dict[str, Array]:
    option = f"--include {text}"
    uniform = np.full(len(domains), 1.0 / len(domains))
    by_tokens = proportional(asked, domains)
    if text == UNIFORM:
        return {text: uniform}
    if text == "leave-one-out":
        return without_each(uniform if by_tokens is None else by_tokens, domains)
    if text in (PROPORTIONAL, UNIMAX):
        mixture = by_tokens if text == PROPORTIONAL else unimax(asked, domains, tokens)
        if mixture is None:
            raise UsageError(
                f"{option} needs --available for every domain"
                + ("." if text == PROPORTIONAL else ", and --tokens for which they last.")
            )
        return {text: mixture}
    if is_pairs(text):
        return {text: mixture_of(parse_pairs(text, "--include"), domains, option)}
    name, equals, file = text.partition("=")
    weights = read_mixture(file if equals else text)
    return {name if equals else Path(text).stem: mixture_of(weights, domains, option)}


def mixtures_named(
    texts: Texts, option: str, fit: Fit, observed: Array, *, numbered: bool = False
) -> dict[str, Array]:
    """Read mixtures and what to call them, name to (k,).

    Each is a file, ``uniform``, ``observed`` or ``D=SHARE,...``; ``NAME=`` before it calls it so.

    Args:
        texts: of the option.
        option: as users write it.
        fit: whose domains the mixtures are of.
        observed: mixtures (m, k) of the runs, none where they are not known.
        numbered: call shares without a name ``given 1`` and so on, and not by their text.

    Raises:
        MixfitError: a text or a file cannot be used, or a name stands twice.
    """
    mixtures: dict[str, Array] = {}
    for text in texts:
        name, equals, what = text.partition("=")
        if is_pairs(text):
            name, what = f"given {len(mixtures) + 1}" if numbered else text, text
        elif Path(text).is_file() or not (equals and name):
            name, what = text if text in _WORDS else Path(text).stem, text
        if name in mixtures:
            raise UsageError(f"{option} {text}: there is a mixture '{name}' already.")
        weights = _mixture(what, option, fit, observed)
        mixtures[name] = mixture_of(weights, fit.domains, f"{option} {text}")
    return mixtures


def _pairs(texts: Texts, option: str) -> dict[str, float]:
    return _merged([parse_pairs(text, option) for text in texts], option)


def _epochs(texts: Texts) -> tuple[float, dict[str, float]]:
    """Read passes for all domains, and those for some."""
    plain = [text for text in texts if "=" not in text]
    if len(plain) > 1:
        raise UsageError(f"--max-epochs: {' and '.join(plain)} are both for all domains.")
    of_domains = _pairs([text for text in texts if "=" in text], "--max-epochs")
    default = Constraints().max_epochs
    return number(plain[0], "--max-epochs") if plain else default, of_domains


def _available(texts: Texts) -> dict[str, float]:
    maps = [
        parse_pairs(text, "--available") if is_pairs(text) else read_tokens(text) for text in texts
    ]
    return _merged(maps, "--available")


def _groups(texts: Texts) -> dict[str, tuple[str, ...]]:
    maps = []
    for text in texts:
        name, equals, members = (piece.strip() for piece in text.partition("="))
        if not equals or not name:
            raise UsageError(
                f"--group '{text}': write NAME=DOMAIN,DOMAIN, as in code=github,stack."
            )
        maps.append({name: tuple(m.strip() for m in members.split(",") if m.strip())})
    return _merged(maps, "--group")


def _merged(maps: Iterable[Mapping[str, T]], option: str) -> dict[str, T]:
    merged: dict[str, T] = {}
    for more in maps:
        for name in more:
            if name in merged:
                raise UsageError(f"{option}: {name} stands twice.")
        merged |= more
    return merged


def _no_worse(
    texts: Texts, fit: Fit, observed: Array
) -> tuple[dict[str, float], dict[str, float] | None]:
    losses: dict[str, float] = {}
    mixture: dict[str, float] | None = None
    for text in texts:
        # One pair is a target's loss; a mixture of one domain can be written in a file.
        if is_pairs(text) and "," not in text:
            losses |= _as_losses(parse_pairs(text, "--no-worse-than"), fit)
        elif mixture is None:
            mixture = _mixture(text, "--no-worse-than", fit, observed)
        else:
            raise UsageError("--no-worse-than: give one mixture; further ones as TARGET=LOSS.")
    return losses, mixture


def _as_losses(values: Mapping[str, float], fit: Fit) -> dict[str, float]:
    """Make losses of what users write of targets in whose place something else was fitted."""
    transforms = fit.data.columns.transforms or {}
    return {
        target: float(to_loss(transforms[target], np.asarray(value)))
        if target in transforms
        else value
        for target, value in values.items()
    }


def _mixture(text: str, option: str, fit: Fit, observed: Array) -> dict[str, float]:
    if text == UNIFORM:
        return dict.fromkeys(fit.domains, 1.0)
    if text == OBSERVED:
        if not len(observed):
            raise UsageError(
                f"{option} {OBSERVED}: the runs that were fitted are not where they were, or have "
                "changed. Give them with --runs, where the command has it, or write shares."
            )
        mean = observed.mean(axis=0)
        return dict(zip(fit.domains, mean.tolist(), strict=True))
    if is_pairs(text):
        return parse_pairs(text, option)
    if not text or not Path(text).exists():
        raise UsageError(
            f"{option} {text}: there is no such file.{nearest(text, _WORDS)} A mixture is a file, "
            f"{UNIFORM}, {OBSERVED}, or shares such as "
            f"{','.join(f'{domain}=1' for domain in fit.domains[:2])}."
        )
    return read_mixture(text)


def is_pairs(text: str) -> bool:
    """Tell whether a text is ``name=number[,name=number...]``."""
    try:
        parse_pairs(text, "")
    except UsageError:
        return False
    return True
