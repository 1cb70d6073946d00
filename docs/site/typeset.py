"""The equations of laws, as `Law.equation` writes them, to MathML.

What stands there is sums of products, with fractions, powers, ``sum`` and ``prod`` over domains,
``exp`` and names such as ``C_A_i``: the part before the first underscore, and what is below it.
"""

from __future__ import annotations

import re
import unicodedata

_TOKEN = re.compile(r"\s*([A-Za-z]\w*|\d+|[-+^/()])")
_OVER_DOMAINS = {"sum": "∑", "prod": "∏"}


def mathml(equation: str) -> str:
    """Typeset an equation, as a block.

    Raises:
        ValueError: it has something that is not understood.
    """
    words = []
    place = 0
    while place < len(equation.rstrip()):
        match = _TOKEN.match(equation, place)
        if match is None:
            raise ValueError(f"cannot typeset {equation[place:]!r} of {equation!r}")
        words.append(match.group(1))
        place = match.end()
    parser = _Parser(words)
    content = parser.sum()
    if parser.next is not None:
        raise ValueError(f"cannot typeset {parser.next!r} of {equation!r}")
    return f'<math display="block">{content}</math>'


class _Parser:
    """Words to MathML, by a method for each rule; `next` is the word that is looked at."""

    def __init__(self, words: list[str]):
        self._words = iter(words)
        self.next = next(self._words, None)

    def _take(self, expected: str | None = None) -> str:
        word = self.next
        if word is None or (expected is not None and word != expected):
            raise ValueError(f"{word!r} stands where {expected or 'something else'} should")
        self.next = next(self._words, None)
        return word

    def sum(self) -> str:
        """``A + B + ...``."""
        parts = [self._fraction()]
        while self.next == "+":
            self._take()
            parts += ["<mo>+</mo>", self._fraction()]
        return "".join(parts)

    def _fraction(self) -> str:
        """``A / B``, of products."""
        top = self._product()
        if self.next != "/":
            return top
        self._take()
        return f"<mfrac><mrow>{top}</mrow><mrow>{self._product()}</mrow></mfrac>"

    def _product(self) -> str:
        """``A B ...``; ``sum`` and ``prod`` go over what comes after."""
        parts = []
        while self.next not in (None, "+", "-", "/", "^", ")"):
            if self.next in _OVER_DOMAINS:
                sign = _OVER_DOMAINS[self._take()]
                parts.append(f"<munder><mo>{sign}</mo><mi>i</mi></munder>")
            else:
                parts.append(self._power())
        if not parts:
            raise ValueError(f"{self.next!r} stands where a factor should")
        return "<mspace width='0.1em'/>".join(parts)

    def _power(self) -> str:
        """``A``, or ``A^B`` with a sign or without."""
        base = self._atom()
        if self.next != "^":
            return base
        self._take()
        sign = ""
        if self.next == "-":
            self._take()
            sign = "<mo>&#x2212;</mo>"
        if self.next == "(":  # around the whole of an exponent, which needs none
            self._take()
            power = self.sum()
            self._take(")")
        else:
            power = self._atom()
        return f"<msup><mrow>{base}</mrow><mrow>{sign}{power}</mrow></msup>"

    def _atom(self) -> str:
        """A name, a number, a function or a sum in parentheses."""
        word = self._take()
        if word == "(":
            inside = self.sum()
            self._take(")")
            return f"<mrow><mo>(</mo>{inside}<mo>)</mo></mrow>"
        if word.isdigit():
            return f"<mn>{word}</mn>"
        if word == "exp":
            return f"<mi>exp</mi><mo>&#x2061;</mo>{self._atom()}"
        name, *below = word.split("_")
        if not below:
            return _letter(name)
        inside = "<mo>,</mo>".join(_letter(part) for part in below)
        return f"<msub>{_letter(name)}<mrow>{inside}</mrow></msub>"


def _letter(name: str) -> str:
    greek = {"lambda": "lamda", "eps": "epsilon"}.get(name, name)
    try:
        return f"<mi>{unicodedata.lookup(f'Greek small letter {greek}')}</mi>"
    except KeyError:
        return f"<mi>{name}</mi>"
