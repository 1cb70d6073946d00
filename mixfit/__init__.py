"""Fit data-mixture scaling laws to small training runs, and find the mixture to train on.

>>> import mixfit
>>> runs = mixfit.read_runs("sample_runs/additive.csv", where="model_size>=1e8")
>>> fit = mixfit.fit(runs, "chinchilla")
>>> losses = fit.predict(N=7e9, D=150e9, h=[[0.5, 0.3, 0.2]])
>>> losses["code"].shape
(1,)

The names below are imported when they are first used, so that importing the package is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mixfit import plots as _plots  # noqa: F401 (so that results draw themselves)
from mixfit import reports as _reports  # noqa: F401 (so that results show themselves)

if TYPE_CHECKING:  # the names in `_NAMES` once more, for type checkers
    from mixfit._version import __version__ as __version__
    from mixfit.base.errors import InputError as InputError
    from mixfit.base.errors import MixfitError as MixfitError
    from mixfit.base.errors import Note as Note
    from mixfit.base.errors import UsageError as UsageError
    from mixfit.design.next_runs import plan_next as plan_next
    from mixfit.design.plan import plan_runs as plan_runs
    from mixfit.design.result import Design as Design
    from mixfit.evaluation.choose import fit_auto as fit_auto
    from mixfit.evaluation.compare import compare_laws as compare_laws
    from mixfit.evaluation.comparison import Comparison as Comparison
    from mixfit.evaluation.evaluate import Evaluation as Evaluation
    from mixfit.evaluation.evaluate import evaluate as evaluate
    from mixfit.evaluation.predict import Predictions as Predictions
    from mixfit.evaluation.predict import predict_losses as predict_losses
    from mixfit.evaluation.trim import fit_trimmed as fit_trimmed
    from mixfit.fitting.check import Check as Check
    from mixfit.fitting.check import check_runs as check_runs
    from mixfit.fitting.file import load_fit as load_fit
    from mixfit.fitting.file import save_fit as save_fit
    from mixfit.fitting.fit import fit as fit
    from mixfit.fitting.options import FitOptions as FitOptions
    from mixfit.fitting.resamples import resample as resample
    from mixfit.fitting.result import Fit as Fit
    from mixfit.fitting.result import TargetFit as TargetFit
    from mixfit.mixture.constraints import Constraints as Constraints
    from mixfit.mixture.planner import Planner as Planner
    from mixfit.mixture.planner import optimize as optimize
    from mixfit.runs.findings import Finding as Finding
    from mixfit.runs.read import read_runs as read_runs
    from mixfit.runs.runs import Runs as Runs
    from mixfit.runs.splits import split_by_rows as split_by_rows
    from mixfit.runs.splits import split_folds as split_folds
    from mixfit.runs.splits import split_learning_curve as split_learning_curve
    from mixfit.runs.splits import split_sizes as split_sizes

_NAMES = {
    "_version": ("__version__",),
    "base.errors": ("InputError", "MixfitError", "Note", "UsageError"),
    "design.next_runs": ("plan_next",),
    "design.plan": ("plan_runs",),
    "design.result": ("Design",),
    "evaluation.choose": ("fit_auto",),
    "evaluation.compare": ("compare_laws",),
    "evaluation.comparison": ("Comparison",),
    "evaluation.evaluate": ("Evaluation", "evaluate"),
    "evaluation.predict": ("Predictions", "predict_losses"),
    "fitting.check": ("Check", "check_runs"),
    "evaluation.trim": ("fit_trimmed",),
    "fitting.file": ("load_fit", "save_fit"),
    "fitting.fit": ("fit",),
    "fitting.resamples": ("resample",),
    "fitting.options": ("FitOptions",),
    "fitting.result": ("Fit", "TargetFit"),
    "mixture.constraints": ("Constraints",),
    "mixture.planner": ("Planner", "optimize"),
    "runs.findings": ("Finding",),
    "runs.read": ("read_runs",),
    "runs.runs": ("Runs",),
    "runs.splits": ("split_by_rows", "split_folds", "split_learning_curve", "split_sizes"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'mixfit' has no attribute '{name}'")
    value = getattr(import_module(f"mixfit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOME)
