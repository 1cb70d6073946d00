"""``mixfit laws``."""

from __future__ import annotations


def laws() -> None:
    """List the laws: name, parameters for k domains, equation and source."""
    from mixfit.laws.catalogue import CATALOGUE
    from mixfit.reports.laws import report_laws
    from mixfit.reports.render import print_report

    print_report(report_laws(list(CATALOGUE.values())))
