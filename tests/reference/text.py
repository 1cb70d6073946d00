"""Evaluate the text of an equation as a person would read it.

``X_i`` is the number of domain i, ``sum`` and ``prod`` run over the domains and reach to the end of
the product, and what stands side by side is multiplied.
"""

from __future__ import annotations

import re

import numpy as np

TOKEN = re.compile(r"\s*([A-Za-z_][A-Za-z_0-9]*|[0-9.]+|[()^+/-])")


class Reader:
    """Reads one equation; every value is (rows, k) or (rows, 1)."""

    def __init__(self, text, values):
        self.tokens = TOKEN.findall(text)
        self.values = values

    def take(self, token):
        """Take the next token if it is this one."""
        if self.tokens and self.tokens[0] == token:
            return self.tokens.pop(0)
        return None

    def sum(self):
        total = self.product()
        while self.take("+"):
            total = total + self.product()
        return total

    def product(self):
        value = self.factors()
        while self.take("/"):
            value = value / self.factors()
        return value

    def factors(self):
        value = 1.0
        while self.tokens and self.tokens[0] not in ("+", "/", ")"):
            if self.take("sum"):
                return value * self.factors().sum(axis=1, keepdims=True)
            if self.take("prod"):
                return value * self.factors().prod(axis=1, keepdims=True)
            base = self.atom()
            if self.take("^"):
                sign = -1.0 if self.take("-") else 1.0
                base = base ** (sign * self.atom())
            value = value * base
        return value

    def atom(self):
        token = self.tokens.pop(0)
        if token in ("exp", "("):
            if token == "exp":
                assert self.take("(")
            value = self.sum()
            assert self.take(")")
            return np.exp(value) if token == "exp" else value
        return self.values[token] if token in self.values else float(token)


def evaluate(text, p, N, D, h, own=0):
    """Give the losses (rows,); arguments as those of `reference.equations`."""
    k = h.shape[1]
    values = {f"{name}_i" if len(x) == k else name: np.asarray(x)[None] for name, x in p.items()}
    scales = {"N": N[:, None], "D": D[:, None], "k": float(k)}
    reader = Reader(text, values | scales | {"h_i": h, "h_own": h[:, [own]]})
    losses = reader.sum()
    assert not reader.tokens
    return np.broadcast_to(losses, (len(h), 1))[:, 0]
