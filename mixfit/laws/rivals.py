"""The laws that others published, for a comparison on equal terms.

Most of them are functions of h alone, for tables with one model size and one training length. The
formulas are those of their authors, in the letters of the paper's appendix B where it has them.
Where parameters of a published formula cannot be told apart, the form with fewer that describes the
same functions is fitted, as the laws' sources say.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixfit.laws.coefficients import Constant
from mixfit.laws.law import Law, Outer, Term, Treatment
from mixfit.laws.parameters import FREE, NONNEGATIVE, ORDER_ONE, Start
from mixfit.laws.rival_coefficients import (
    EffectiveShare,
    ExpLinear,
    ExpProduct,
    ExpSum,
    InversePowerSum,
    OwnPower,
    ShiftedPowerSum,
)

# Of either sign, since its authors do not bound it; starts are positive, as losses are.
_OFFSET = Constant("E", FREE, lower=-1e3, upper=1e3, start=replace(ORDER_ONE, of=np.exp))
_OFFSET_TERM = Term("E", _OFFSET)
_ALPHA = Constant("alpha", lower=-7.0, upper=2.0)
_BETA = Constant("beta", lower=-7.0, upper=2.0)
_KAPPA = Constant("kappa", lower=-3.0, upper=3.0, start=Start(-0.5, 0.5))
_YE = Treatment(
    "Ye et al. minimise the Huber loss of delta 0.02 to 0.05 from thousands of starts, and mixfit's"
    " search finds as low a point from few",
    delta=0.02,
)
_OLMIX = Treatment(
    "Olmix minimises the Huber loss of delta 0.02 from 300 starts with small rates, and ends early",
    delta=0.02,
    solver="early-stopping",
    restarts=300,
    hops=0,
)
# Residuals of less than 1 count by their squares then.
_LEAST_SQUARES = Treatment("its authors minimise squares", delta=1.0)
_EFFECTIVE_SHARE = EffectiveShare("C", outer="beta", pull=0.0, exponent=_BETA, without="gamma")

_PUBLISHED: tuple[Law, ...] = (
    Law(
        "ye-m1",
        "Ye et al. 2024, M1 (the paper's appendix B.1); C_i of either sign",
        (Term("S", ExpSum("E", "C", "gamma")),),
        treatment=_YE,
    ),
    Law(
        "ye-m2",
        "Ye et al. 2024, M2 (the paper's appendix B.1); C of either sign",
        (Term("S", ExpSum("E", "C", "gamma", common=True)),),
        treatment=_YE,
    ),
    Law(
        "ye-m3",
        "Ye et al. 2024, M3 (the paper's appendix B.1); gamma stands for the product of their"
        " gamma_i, which cannot be told apart, divided by k^k",
        (_OFFSET_TERM, Term("S", ExpProduct("C", "gamma"))),
        treatment=_YE,
    ),
    Law(
        "ye-m4",
        "Ye et al. 2024, M4 (the paper's appendix B.1); their factor C is a constant added to every"
        " gamma_i, since weights sum to 1",
        (_OFFSET_TERM, Term("S", ExpLinear("gamma"))),
        treatment=_YE,
    ),
    Law(
        "log-linear",
        "Olmix; E, there written exp(c), is positive, and otherwise it is ye-m4",
        (Term("E", Constant("E")), Term("S", ExpLinear("t", spread=0.3))),
        treatment=_OLMIX,
    ),
    Law(
        "bimix",
        "Ge et al. 2024 (the paper's appendix B.2); their factor C is in E and B; h_own is the"
        " weight of the domain that is the target",
        (
            Term("E", OwnPower("E", "gamma", negative=True)),
            Term("B", OwnPower("B", "gamma", negative=True), d=_BETA),
        ),
        treatment=_LEAST_SQUARES,
    ),
    Law(
        "bimix-sum",
        "Olmix's extension of bimix to all domains",
        (Term("S", InversePowerSum("F", "alpha")),),
        treatment=_LEAST_SQUARES,
    ),
    Law(
        "autoscale",
        "Kang et al. 2024; n, there the known number of samples in a unit of choice, is fitted",
        (Term("E", Constant("E", NONNEGATIVE)), Term("S", ShiftedPowerSum("n", "a", "g"))),
        treatment=_LEAST_SQUARES,
    ),
    Law(
        "d-cpt",
        "Que et al. 2024, for continual pretraining; h_own is the weight of the domain that is the"
        " target",
        (
            Term("E", Constant("E", NONNEGATIVE)),
            Term("S", OwnPower("C", "gamma", negative=True, shift="eps")),
            Term("A", Constant("A"), n=_ALPHA),
            Term("B", OwnPower("B", "eta"), d=_BETA),
        ),
    ),
    Law(
        "he",
        "He et al. 2024 (arXiv 2410.12883), for many languages; h_own is the weight of the domain"
        " that is the target",
        (
            Term("E", OwnPower("E", "gamma", negative=True)),
            Term("A", OwnPower("A", "gamma", negative=True), n=_ALPHA),
            Term("B", OwnPower("B", "gamma", negative=True), d=_BETA),
        ),
    ),
    Law(
        "skaling",
        "Skaling, 2026 (arXiv 2608.07222); nothing in it depends on the mixture",
        (
            Term("E", Constant("E", NONNEGATIVE)),
            Term("A", Constant("A"), n=_ALPHA),
            Term("B", Constant("B"), d=_BETA),
        ),
        outer=Outer(("A", "B"), _KAPPA),
    ),
    Law(
        "effective-data",
        "ATLAS, Longpre et al. 2026 (arXiv 2510.22037), without its saturation in unique tokens;"
        " its tau_i are C_i over the C of the target's own domain, and its B is in the C_i",
        (
            Term("E", Constant("E", NONNEGATIVE)),
            Term("A", Constant("A"), n=_ALPHA),
            Term("B", _EFFECTIVE_SHARE, d=_BETA),
        ),
    ),
)

#: As published: nothing is added to their predictions.
RIVALS: tuple[Law, ...] = tuple(
    replace(law, treatment=replace(law.treatment, discrepancy="none")) for law in _PUBLISHED
)
