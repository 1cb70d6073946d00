"""The catalogue: the paper's laws, ours, and the other published ones, each one declaration."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import replace

from mixfit.base.errors import UsageError, nearest
from mixfit.laws.coefficients import Constant, PowerSum
from mixfit.laws.law import Law, Outer, Term
from mixfit.laws.parameters import FREE, NONNEGATIVE, Start
from mixfit.laws.rivals import RIVALS

_E = Constant("E", NONNEGATIVE)
# Published fits of E + A N^-alpha + B D^-beta have exponents of 0.28 to 0.37: Hoffmann et al. 2022
# 0.34 and 0.28, Muennighoff et al. 2023 0.35 for both, Besiroglu et al. 2024 0.35 and 0.37.
_USUAL = 0.3
_ALPHA = Constant("alpha", lower=-7.0, upper=2.0, across=1.0, usual=_USUAL)
_BETA = Constant("beta", lower=-7.0, upper=2.0, across=1.0, usual=_USUAL)
_MIXTURE = PowerSum("C", inner="gamma", outer=-1.0)
_A_OF_H = PowerSum("C_A", outer="gamma_A", pull=1.0, across=1.0)
_B_OF_H = PowerSum("C_B", outer="gamma_B", pull=1.0, across=1.0)
_CONSTANT_TERM = Term("E", _E)
_N_TERM = Term("A", Constant("A"), n=_ALPHA)
_D_TERM = Term("B", Constant("B"), d=_BETA)
_N_TERM_OF_H = Term("A", _A_OF_H, n=_ALPHA)
_D_TERM_OF_H = Term("B", _B_OF_H, d=_BETA)
_DELTA = Constant("delta", FREE, lower=-3.0, upper=3.0, across=1.0)
_ETA = Constant("eta", FREE, sign=-1.0, lower=-3.0, upper=3.0, across=1.0)
_KAPPA = Constant("kappa", lower=-3.0, upper=3.0, start=Start(-0.5, 0.5))
_FADING_MIXTURE_TERM = Term("S", _MIXTURE, d=_DELTA)
# Pulled harder than the first: with few mixtures it is the same for all domains.
_SECOND_MIXTURE = PowerSum("C_2", inner="gamma_2", outer=-1.0, pull=0.1)
_DELTA_2 = Constant("delta_2", FREE, lower=-3.0, upper=3.0, across=1.0)
_FADING_SECOND_TERM = Term("S_2", _SECOND_MIXTURE, d=_DELTA_2)
_D_TERM_OF_N = Term("B", Constant("B"), n=_ETA, d=_BETA)
_D_TERM_OF_N_AND_H = Term("B", _B_OF_H, n=_ETA, d=_BETA)

CHINCHILLA = Law(
    "chinchilla",
    "Hoffmann et al. 2022; the paper's eq. (2)",
    (_CONSTANT_TERM, _N_TERM, _D_TERM),
    candidate=True,
)

SIMPLE = Law(
    "simple",
    "the paper's eq. (9), with the letters of N and D as everywhere else",
    (_CONSTANT_TERM, Term("S", PowerSum("C", outer="gamma")), _N_TERM, _D_TERM),
    contains=(CHINCHILLA,),
    candidate=True,
)

ADDITIVE = Law(
    "additive",
    "the paper's eq. (4)",
    (_CONSTANT_TERM, Term("S", _MIXTURE), _N_TERM, _D_TERM),
    contains=(CHINCHILLA,),
    candidate=True,
)

JOINT = Law(
    "joint",
    "the paper's eq. (5)",
    (_CONSTANT_TERM, Term("S", _MIXTURE), _N_TERM_OF_H, _D_TERM_OF_H),
    contains=(ADDITIVE,),
    candidate=True,
)

FULL = Law(
    "full",
    "the paper's eqs. (10) and (11)",
    (
        _CONSTANT_TERM,
        Term("S", _MIXTURE),
        Term("A", _A_OF_H, n=PowerSum("C_alpha", outer="gamma_alpha", pull=1.0, across=1.0)),
        Term("B", _B_OF_H, d=PowerSum("C_beta", outer="gamma_beta", pull=1.0, across=1.0)),
    ),
    contains=(JOINT,),
)

POWERED = Law(
    "powered",
    "mixfit",
    (
        _CONSTANT_TERM,
        Term("S", PowerSum("C", inner="gamma", outer="kappa", negative=True)),
        _N_TERM,
        _D_TERM,
    ),
    contains=(
        ADDITIVE,
        SIMPLE,
    ),
    candidate=True,
)

COUPLED = Law(
    "coupled",
    "mixfit",
    (
        _CONSTANT_TERM,
        _FADING_MIXTURE_TERM,
        _N_TERM,
        _D_TERM_OF_N,
    ),
    contains=(ADDITIVE,),
    candidate=True,
)

COUPLED_LINEAR = Law(
    "coupled-linear",
    "mixfit",
    (
        _CONSTANT_TERM,
        _FADING_MIXTURE_TERM,
        Term("A", PowerSum("A", pull=1.0, across=1.0), n=_ALPHA),
        Term("B", PowerSum("B", pull=1.0, across=1.0), n=_ETA, d=_BETA),
    ),
    contains=(COUPLED,),
)

COUPLED_JOINT = Law(
    "coupled-joint",
    "mixfit",
    (
        _CONSTANT_TERM,
        _FADING_MIXTURE_TERM,
        _N_TERM_OF_H,
        _D_TERM_OF_N_AND_H,
    ),
    contains=(
        COUPLED,
        JOINT,
    ),
    candidate=True,
)

# A target's loss is a mean over all that it holds, and what lowers one part of it need not lower
# another: each kind has a mixture term of its own.
TWOFOLD = Law(
    "twofold",
    "mixfit",
    (_CONSTANT_TERM, Term("S", _MIXTURE), Term("S_2", _SECOND_MIXTURE), _N_TERM, _D_TERM),
    contains=(ADDITIVE,),
    candidate=True,
)

COUPLED_TWOFOLD = Law(
    "coupled-twofold",
    "mixfit",
    (
        _CONSTANT_TERM,
        _FADING_MIXTURE_TERM,
        _FADING_SECOND_TERM,
        _N_TERM,
        _D_TERM_OF_N,
    ),
    contains=(
        COUPLED,
        TWOFOLD,
    ),
    candidate=True,
    least_model_sizes=3,
)

COUPLED_JOINT_TWOFOLD = Law(
    "coupled-joint-twofold",
    "mixfit",
    (
        _CONSTANT_TERM,
        _FADING_MIXTURE_TERM,
        _FADING_SECOND_TERM,
        _N_TERM_OF_H,
        _D_TERM_OF_N_AND_H,
    ),
    contains=(
        COUPLED_JOINT,
        COUPLED_TWOFOLD,
    ),
    candidate=True,
    least_model_sizes=3,
)

SKALING_INSIDE = Law(
    "skaling-inside",
    "mixfit, after Skaling, 2026 (arXiv 2608.07222), with the mixture under its power",
    (_CONSTANT_TERM, Term("S", _MIXTURE), _N_TERM, _D_TERM),
    contains=(ADDITIVE,),
    outer=Outer(("S", "A", "B"), _KAPPA),
)

SKALING_BESIDE = Law(
    "skaling-beside",
    "mixfit, after Skaling, 2026 (arXiv 2608.07222), with the mixture beside its power",
    (_CONSTANT_TERM, Term("S", _MIXTURE), _N_TERM, _D_TERM),
    contains=(ADDITIVE,),
    outer=Outer(("A", "B"), _KAPPA),
)

DESIGNED: tuple[Law, ...] = (
    CHINCHILLA,
    SIMPLE,
    ADDITIVE,
    JOINT,
    FULL,
    POWERED,
    COUPLED,
    COUPLED_LINEAR,
    COUPLED_JOINT,
    TWOFOLD,
    COUPLED_TWOFOLD,
    COUPLED_JOINT_TWOFOLD,
    SKALING_INSIDE,
    SKALING_BESIDE,
)

CATALOGUE: dict[str, Law] = {law.name: law for law in (*DESIGNED, *RIVALS)}


def find_law(name: str) -> Law:
    """Look a law up: one of the catalogue, or a user's own as ``package.module:NAME``.

    A module is looked for where Python looks, and then in the current directory. Importing it runs
    its code. The law's name becomes the text, so that files that name it can be read again.

    Raises:
        UsageError: if there is none, or it cannot be imported; the message suggests the nearest
            name.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    module, colon, own = name.partition(":")
    if colon and own.isidentifier() and all(part.isidentifier() for part in module.split(".")):
        return replace(_imported(module, own), name=name)
    known = ", ".join(CATALOGUE)
    raise UsageError(f"There is no law '{name}'.{nearest(name, CATALOGUE)} Laws: {known}.")


def _imported(module: str, name: str) -> Law:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)  # and stays, since processes that fit import it too
    try:
        content = vars(importlib.import_module(module))
    except Exception as error:  # whatever the user's own code raises
        raise UsageError(
            f"The law {module}:{name} cannot be imported: {type(error).__name__}: {error}."
        ) from error
    law = content.get(name)
    if isinstance(law, Law):
        return law
    laws = [other for other, value in content.items() if isinstance(value, Law)]
    if name in content:
        what = f"{name} in the module {module} is a {type(law).__name__}, not a Law."
    else:
        what = f"The module {module} has no {name}."
    among = f" Laws in it: {', '.join(laws)}." if laws else " There is no Law in it."
    raise UsageError(what + nearest(name, laws) + among)
