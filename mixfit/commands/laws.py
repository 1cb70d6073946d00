"""``mixfit laws``."""

from __future__ import annotations


def laws() -> None:
    """List the laws: name, parameters for k domains, equation and source."""
    from mixfit.laws.catalogue import CATALOGUE
    from mixfit.reports.laws import print_laws

    print_laws(list(CATALOGUE.values()))
