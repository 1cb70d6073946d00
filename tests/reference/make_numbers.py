"""Make `numbers.json`: losses and an optimum that code of mixfit had no part in.

The losses are those of `equations` in decimal arithmetic with 40 digits; the optimum is SciPy's
SLSQP on the plain equation, from many starts. Run it from the repository's root:

    PYTHONPATH=tests python -m reference.make_numbers
"""

from __future__ import annotations

import json
from decimal import Decimal, getcontext
from pathlib import Path

import numpy as np
from reference.equations import PLAIN, additive
from scipy.optimize import minimize

PATH = Path(__file__).with_name("numbers.json")
K = 3
# Numbers of the size that fits have; a list is one number for each domain.
PARAMS = {
    "E": "1.31",
    "C": ["0.82", "1.95", "0.4"],
    "gamma": ["0.55", "1.2", "0.31"],
    "kappa": "0.7",
    "A": "410.7",
    "alpha": "0.34",
    "B": "1210.3",
    "beta": "0.37",
    "C_A": ["3.1", "5.9", "4.4"],
    "gamma_A": "3.3",
    "C_B": ["0.002", "0.0031", "0.0017"],
    "gamma_B": "-1.2",
    "C_alpha": ["0.3", "0.36", "0.33"],
    "gamma_alpha": "1.1",
    "C_beta": ["3.1", "2.9", "3.6"],
    "gamma_beta": "-0.9",
    "delta": "0.021",
    "C_2": ["1.7", "0.35", "2.4"],
    "gamma_2": ["0.48", "0.9", "1.6"],
    "delta_2": "-0.014",
    "eta": "0.08",
    "t": ["-1.3", "0.4", "-0.2"],
    "F": ["0.9", "0.7", "0.5"],
    "n": "21.5",
    "a": ["0.12", "0.33", "0.48"],
    "g": ["0.41", "0.72", "0.53"],
    "eps": "0.052",
}
# Where a law has one number under a name that others have one for each domain of, and the reverse.
OTHERWISE = {
    "simple": {"gamma": "-0.45"},
    "ye-m1": {"C": ["0.8", "-0.2", "0.5"], "gamma": ["-3.1", "1.2", "-2.3"]},
    "ye-m2": {"C": "0.53", "gamma": ["-3.1", "1.2", "-0.4"]},
    "ye-m3": {"C": "2.1", "gamma": "-0.71"},
    "ye-m4": {"gamma": ["-2.2", "1.3", "0.4"]},
    "coupled-linear": {"A": ["380.5", "420.1", "460.9"], "B": ["900.7", "1300.2", "1100.6"]},
    "bimix": {"gamma": "0.15"},
    "bimix-sum": {"alpha": ["0.11", "0.32", "0.21"]},
    "d-cpt": {"C": "0.31", "gamma": "0.42", "eta": "0.23"},
    "he": {"gamma": "0.15"},
    "effective-data": {"C": ["0.0011", "0.0004", "0.0007"]},
}
ROWS = (
    ("2.05e8", "4.1e9", ["0.25", "0.35", "0.4"], 0),
    ("7.1e9", "1.52e11", ["0.1", "0.85", "0.05"], 2),
)
OPTIMUM = {
    "N": 7e9,
    "D": 1.5e11,
    "upper": [1.0, 1.0, 0.2, 1.0],
    "weights": {"web": 0.7, "code": 0.3},
    "targets": {
        "web": {"E": 1.2, "C": [1.4, 0.5, 0.9, 0.2], "gamma": [0.5, 0.8, 0.4, 1.1]},
        "code": {"E": 0.7, "C": [0.2, 2.1, 0.6, 0.3], "gamma": [0.7, 0.35, 0.9, 0.6]},
    },
    "rest": {"A": 410.7, "alpha": 0.34, "B": 1210.3, "beta": 0.37},
}


class Used(dict):
    """Parameters that note which of them an equation asks for."""

    def __init__(self, *args):
        super().__init__(*args)
        self.names = set()

    def __getitem__(self, name):
        self.names.add(name)
        return super().__getitem__(name)


def decimals(numbers):
    return np.array([Decimal(x) for x in np.atleast_1d(np.array(numbers, object))], object)


def prediction(law, row):
    N, D, h, own = row
    texts = PARAMS | OTHERWISE.get(law, {})
    params = Used({name: decimals(numbers) for name, numbers in texts.items()})
    loss = PLAIN[law](params, decimals(N), decimals(D), decimals(h)[None], own)[0]
    asked = {name: np.asarray(texts[name], float).tolist() for name in sorted(params.names)}
    return {
        "law": law,
        "own": own,
        "N": float(N),
        "D": float(D),
        "h": [float(x) for x in h],
        "params": asked,
        "loss": float(loss),
    }


def optimum():
    N, D = np.array([OPTIMUM["N"]]), np.array([OPTIMUM["D"]])
    rest = OPTIMUM["rest"]

    def loss(h):
        h = np.maximum(h, 0.0)
        each = {
            name: additive({key: np.array(x) for key, x in (rest | own).items()}, N, D, h[None])[0]
            for name, own in OPTIMUM["targets"].items()
        }
        return sum(w * each[name] for name, w in OPTIMUM["weights"].items())

    best = None
    for start in np.random.default_rng(0).dirichlet(np.ones(4), 30):
        found = minimize(
            loss,
            start,
            method="SLSQP",
            bounds=[(1e-9, upper) for upper in OPTIMUM["upper"]],
            constraints={"type": "eq", "fun": lambda h: h.sum() - 1},
            options={"ftol": 1e-15, "maxiter": 1000},
        )
        if abs(found.x.sum() - 1) < 1e-9 and (best is None or found.fun < best.fun):
            best = found
    return OPTIMUM | {"h": best.x.round(6).tolist(), "loss": round(float(best.fun), 10)}


def main():
    getcontext().prec = 40
    losses = [prediction(law, row) for law in PLAIN for row in ROWS]
    lines = ",\n".join(json.dumps(loss) for loss in losses)
    PATH.write_text(f'{{"losses": [\n{lines}\n],\n"optimum": {json.dumps(optimum())}}}\n')


if __name__ == "__main__":
    main()
