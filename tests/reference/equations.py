"""The equation of every law in the catalogue, written from its source and not from the code.

Each takes natural parameters by name, (1,) or (k,), then N and D (rows,), h (rows, k), and the
column of h that is the target's own domain, and gives the losses (rows,). The letters are those of
fit files. Where a source has more letters than runs can tell apart, the equation names what became
of them.
"""

from __future__ import annotations

import numpy as np


def mixture_term(p, h):
    """1 / sum C_i h_i^gamma_i, of eq. (4)."""
    return 1 / np.sum(p["C"] * h ** p["gamma"], axis=1)


# The paper, Shukor et al. 2025.


def chinchilla(p, N, D, h, own=0):  # eq. (2)
    return p["E"] + p["A"] / N ** p["alpha"] + p["B"] / D ** p["beta"]


def simple(p, N, D, h, own=0):  # eq. (9), with alpha at N
    mixture = np.sum(p["C"] * h, axis=1) ** p["gamma"]
    return p["E"] + mixture + p["A"] / N ** p["alpha"] + p["B"] / D ** p["beta"]


def additive(p, N, D, h, own=0):  # eq. (4)
    return p["E"] + mixture_term(p, h) + p["A"] / N ** p["alpha"] + p["B"] / D ** p["beta"]


def joint(p, N, D, h, own=0):  # eq. (5)
    A = np.sum(p["C_A"] * h, axis=1) ** p["gamma_A"]
    B = np.sum(p["C_B"] * h, axis=1) ** p["gamma_B"]
    return p["E"] + mixture_term(p, h) + A / N ** p["alpha"] + B / D ** p["beta"]


def full(p, N, D, h, own=0):  # eqs. (10) and (11)
    A = np.sum(p["C_A"] * h, axis=1) ** p["gamma_A"]
    B = np.sum(p["C_B"] * h, axis=1) ** p["gamma_B"]
    alpha = np.sum(p["C_alpha"] * h, axis=1) ** p["gamma_alpha"]
    beta = np.sum(p["C_beta"] * h, axis=1) ** p["gamma_beta"]
    return p["E"] + mixture_term(p, h) + A / N**alpha + B / D**beta


# Ours.


def powered(p, N, D, h, own=0):
    mixture = 1 / np.sum(p["C"] * h ** p["gamma"], axis=1) ** p["kappa"]
    return p["E"] + mixture + p["A"] / N ** p["alpha"] + p["B"] / D ** p["beta"]


def coupled(p, N, D, h, own=0):
    fading = mixture_term(p, h) / D ** p["delta"]
    return p["E"] + fading + p["A"] / N ** p["alpha"] + p["B"] * N ** p["eta"] / D ** p["beta"]


def coupled_linear(p, N, D, h, own=0):
    A, B = np.sum(p["A"] * h, axis=1), np.sum(p["B"] * h, axis=1)
    fading = mixture_term(p, h) / D ** p["delta"]
    return p["E"] + fading + A / N ** p["alpha"] + B * N ** p["eta"] / D ** p["beta"]


def coupled_joint(p, N, D, h, own=0):
    A = np.sum(p["C_A"] * h, axis=1) ** p["gamma_A"]
    B = np.sum(p["C_B"] * h, axis=1) ** p["gamma_B"]
    fading = mixture_term(p, h) / D ** p["delta"]
    return p["E"] + fading + A / N ** p["alpha"] + B * N ** p["eta"] / D ** p["beta"]


def second_term(p, h):
    return 1 / np.sum(p["C_2"] * h ** p["gamma_2"], axis=1)


def twofold(p, N, D, h, own=0):
    return additive(p, N, D, h) + second_term(p, h)


def coupled_twofold(p, N, D, h, own=0):
    return coupled(p, N, D, h) + second_term(p, h) / D ** p["delta_2"]


def coupled_joint_twofold(p, N, D, h, own=0):
    return coupled_joint(p, N, D, h) + second_term(p, h) / D ** p["delta_2"]


# Ye et al. 2024, as the paper's appendix B.1 writes them.


def ye_m1(p, N, D, h, own=0):
    return p["E"] + np.sum(p["C"] * np.exp(p["gamma"] * h), axis=1)


def ye_m2(p, N, D, h, own=0):
    return p["E"] + p["C"] * np.sum(np.exp(p["gamma"] * h), axis=1)


def ye_m3(p, N, D, h, own=0):
    """E + C exp(prod gamma_i h_i); gamma is the product of the gamma_i over k^k."""
    k = h.shape[1]
    return p["E"] + p["C"] * np.exp(p["gamma"] * k**k * np.prod(h, axis=1))


def ye_m4(p, N, D, h, own=0):
    """E + C exp(sum gamma_i h_i); log C is in every gamma_i."""
    return p["E"] + np.exp(np.sum(p["gamma"] * h, axis=1))


def log_linear(p, N, D, h, own=0):
    """Olmix: exp(c) + exp(t . h); E is exp(c)."""
    return p["E"] + np.exp(np.sum(p["t"] * h, axis=1))


def bimix(p, N, D, h, own=0):
    """Ge et al. 2024, appendix B.2: (B / D^beta + E) C / h_i^gamma; C is in B and E."""
    return (p["B"] / D ** p["beta"] + p["E"]) / h[:, own] ** p["gamma"]


def bimix_sum(p, N, D, h, own=0):
    """Olmix's extension of bimix."""
    return np.sum(p["F"] / h ** p["alpha"], axis=1)


def autoscale(p, N, D, h, own=0):
    """Kang et al. 2024: what is added for domain i is (n a_i + n h_i)^-g_i."""
    return p["E"] + np.sum(1 / (p["n"] * (p["a"] + h)) ** p["g"], axis=1)


def d_cpt(p, N, D, h, own=0):
    """Que et al. 2024: E + A / N^alpha + B r^eta / D^beta + C / (r + eps)^gamma."""
    r = h[:, own]
    in_N, in_D = p["A"] / N ** p["alpha"], p["B"] * r ** p["eta"] / D ** p["beta"]
    return p["E"] + in_N + in_D + p["C"] / (r + p["eps"]) ** p["gamma"]


def he(p, N, D, h, own=0):
    """He et al. 2024: (E + A / N^alpha + B / D^beta) p^-gamma, p the language's own share."""
    level = p["E"] + p["A"] / N ** p["alpha"] + p["B"] / D ** p["beta"]
    return level * h[:, own] ** -p["gamma"]


def skaling(p, N, D, h, own=0):
    """Skaling 2026: (A / N^alpha + B / D^beta)^kappa + E."""
    return (p["A"] / N ** p["alpha"] + p["B"] / D ** p["beta"]) ** p["kappa"] + p["E"]


def skaling_inside(p, N, D, h, own=0):
    in_all = mixture_term(p, h) + p["A"] / N ** p["alpha"] + p["B"] / D ** p["beta"]
    return p["E"] + in_all ** p["kappa"]


def skaling_beside(p, N, D, h, own=0):
    return mixture_term(p, h) + skaling(p, N, D, h)


def effective_data(p, N, D, h, own=0):
    """ATLAS 2026 without saturation: E + A / N^alpha + B / D_eff^beta, D_eff = sum tau_i D_i.

    tau of the target's own domain is 1: the C_i are tau_i B^(-1/beta).
    """
    B = p["C"][own] ** -p["beta"]
    tau = p["C"] / p["C"][own]
    effective = np.sum(tau * h, axis=1) * D
    return p["E"] + p["A"] / N ** p["alpha"] + B / effective ** p["beta"]


PLAIN = {
    "chinchilla": chinchilla,
    "simple": simple,
    "additive": additive,
    "joint": joint,
    "full": full,
    "powered": powered,
    "coupled": coupled,
    "coupled-linear": coupled_linear,
    "coupled-joint": coupled_joint,
    "twofold": twofold,
    "coupled-twofold": coupled_twofold,
    "coupled-joint-twofold": coupled_joint_twofold,
    "ye-m1": ye_m1,
    "ye-m2": ye_m2,
    "ye-m3": ye_m3,
    "ye-m4": ye_m4,
    "log-linear": log_linear,
    "bimix": bimix,
    "bimix-sum": bimix_sum,
    "autoscale": autoscale,
    "d-cpt": d_cpt,
    "he": he,
    "skaling": skaling,
    "skaling-inside": skaling_inside,
    "skaling-beside": skaling_beside,
    "effective-data": effective_data,
}
