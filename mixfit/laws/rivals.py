"""The laws that others published, for a comparison on equal terms.

Most of them are functions of h alone, for tables with one model size and one training length. The
formulas are those of their authors, in the letters of the paper's appendix B where it has them.
Where parameters of a published formula cannot be told apart, the form with fewer that describes the
same functions is fitted, as the laws' sources say.
"""

from __future__ import annotations

from mixfit.laws.coefficients import NONNEGATIVE, Constant
from mixfit.laws.law import Law, Term
from mixfit.laws.rival_coefficients import (
    ExpLinear,
    ExpProduct,
    ExpSum,
    InversePowerSum,
    Offset,
    OwnPower,
    ShiftedPowerSum,
)

_OFFSET_TERM = Term("E", Offset("E"))
_ALPHA = Constant("alpha", lower=-7.0, upper=2.0)
_BETA = Constant("beta", lower=-7.0, upper=2.0)

RIVALS: tuple[Law, ...] = (
    Law(
        "ye-m1",
        "E + sum C_i exp(gamma_i h_i)",
        "Ye et al. 2024, M1 (the paper's appendix B.1); C_i of either sign",
        (Term("S", ExpSum("E", "C", "gamma")),),
    ),
    Law(
        "ye-m2",
        "E + C sum exp(gamma_i h_i)",
        "Ye et al. 2024, M2 (the paper's appendix B.1); C of either sign",
        (Term("S", ExpSum("E", "C", "gamma", common=True)),),
    ),
    Law(
        "ye-m3",
        "E + C exp(gamma prod k h_i)",
        "Ye et al. 2024, M3 (the paper's appendix B.1); gamma stands for the product of their"
        " gamma_i, which cannot be told apart, divided by k^k",
        (_OFFSET_TERM, Term("S", ExpProduct("C", "gamma"))),
    ),
    Law(
        "ye-m4",
        "E + exp(sum gamma_i h_i)",
        "Ye et al. 2024, M4 (the paper's appendix B.1); their factor C is a constant added to every"
        " gamma_i, since weights sum to 1",
        (_OFFSET_TERM, Term("S", ExpLinear("gamma"))),
    ),
    Law(
        "log-linear",
        "E + exp(sum t_i h_i)",
        "Olmix; E, there written exp(c), is positive, and otherwise it is ye-m4",
        (Term("E", Constant("E")), Term("S", ExpLinear("t"))),
    ),
    Law(
        "bimix",
        "(E + B D^-beta) / h_own^gamma",
        "Ge et al. 2024 (the paper's appendix B.2); their factor C is in E and B; h_own is the"
        " weight of the domain that is the target",
        (
            Term("E", OwnPower("E", "gamma", negative=True)),
            Term("B", OwnPower("B", "gamma", negative=True), d=_BETA),
        ),
    ),
    Law(
        "bimix-sum",
        "sum F_i h_i^-alpha_i",
        "Olmix's extension of bimix to all domains",
        (Term("S", InversePowerSum("F", "alpha")),),
    ),
    Law(
        "autoscale",
        "E + sum (n (a_i + h_i))^-g_i",
        "Kang et al. 2024; n, there the known number of samples in a unit of choice, is fitted",
        (Term("E", Constant("E", NONNEGATIVE)), Term("S", ShiftedPowerSum("n", "a", "g"))),
    ),
    Law(
        "d-cpt",
        "E + A N^-alpha + B h_own^eta D^-beta + C / (h_own + eps)^gamma",
        "Que et al. 2024, for continual pretraining; h_own is the weight of the domain that is the"
        " target",
        (
            Term("E", Constant("E", NONNEGATIVE)),
            Term("S", OwnPower("C", "gamma", negative=True, shift="eps")),
            Term("A", Constant("A"), n=_ALPHA),
            Term("B", OwnPower("B", "eta"), d=_BETA),
        ),
    ),
)
