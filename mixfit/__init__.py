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

from mixfit._version import __version__

if TYPE_CHECKING:
    from mixfit.compare import compare_laws
    from mixfit.comparisons import Comparison
    from mixfit.constraints import Constraints
    from mixfit.errors import InputError, MixfitError, Note, UsageError
    from mixfit.evaluate import Evaluation, evaluate
    from mixfit.fit_file import load_fit, save_fit
    from mixfit.fits import Fit, FitOptions, TargetFit
    from mixfit.fitting import fit
    from mixfit.mixture import Planner, optimize
    from mixfit.runs import Runs, read_runs
    from mixfit.selection import fit_auto
    from mixfit.splits import split_by_rows, split_folds, split_learning_curve, split_sizes

_HOME = {
    "Comparison": "comparisons",
    "Constraints": "constraints",
    "Evaluation": "evaluate",
    "Fit": "fits",
    "FitOptions": "fits",
    "InputError": "errors",
    "MixfitError": "errors",
    "Note": "errors",
    "Planner": "mixture",
    "Runs": "runs",
    "TargetFit": "fits",
    "UsageError": "errors",
    "compare_laws": "compare",
    "evaluate": "evaluate",
    "fit": "fitting",
    "fit_auto": "selection",
    "load_fit": "fit_file",
    "optimize": "mixture",
    "read_runs": "runs",
    "save_fit": "fit_file",
    "split_by_rows": "splits",
    "split_folds": "splits",
    "split_learning_curve": "splits",
    "split_sizes": "splits",
}

__all__ = [
    "Comparison",
    "Constraints",
    "Evaluation",
    "Fit",
    "FitOptions",
    "InputError",
    "MixfitError",
    "Note",
    "Planner",
    "Runs",
    "TargetFit",
    "UsageError",
    "__version__",
    "compare_laws",
    "evaluate",
    "fit",
    "fit_auto",
    "load_fit",
    "optimize",
    "read_runs",
    "save_fit",
    "split_by_rows",
    "split_folds",
    "split_learning_curve",
    "split_sizes",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'mixfit' has no attribute '{name}'")
    value = getattr(import_module(f"mixfit.{_HOME[name]}"), name)
    globals()[name] = value
    return value
