"""Results to tables and lines for people; nothing here computes.

A module for each kind of result gives a `Report`, and `render` turns reports into text.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mixfit.base.shown import show_by

if TYPE_CHECKING:
    from mixfit.reports.report import Report

# Type to the module and the function that report on it; imported when something is shown.
_REPORTS = {
    "Check": ("check", "report_check"),
    "Comparison": ("compare", "report_comparison"),
    "Design": ("design", "report_design"),
    "Evaluation": ("evaluate", "report_evaluation"),
    "Fit": ("fit", "report_fit"),
    "Mixture": ("optimize", "report_mixture"),
    "Predictions": ("predict", "report_predictions"),
    "Runs": ("runs", "report_runs"),
    "Study": ("optimize", "report_study"),
}


def report_of(result: object, name: str) -> Report:
    """Report on a result whose type has this name."""
    module, function = _REPORTS[name]
    report: Any = getattr(import_module(f"mixfit.reports.{module}"), function)
    made: Report = report(result)
    return made


def _show(name: str, result: object, form: str) -> str:
    from mixfit.reports.render import render

    return render(report_of(result, name), form).strip("\n")


for _name in _REPORTS:
    show_by(_name, partial(_show, _name))
