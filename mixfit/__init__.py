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
    from mixfit.base.errors import InputError, MixfitError, Note, UsageError
    from mixfit.evaluation.choose import fit_auto
    from mixfit.evaluation.compare import compare_laws
    from mixfit.evaluation.comparison import Comparison
    from mixfit.evaluation.evaluate import Evaluation, evaluate
    from mixfit.fitting.file import load_fit, save_fit
    from mixfit.fitting.fit import fit
    from mixfit.fitting.result import Fit, FitOptions, TargetFit
    from mixfit.mixture.constraints import Constraints
    from mixfit.mixture.planner import Planner, optimize
    from mixfit.runs.read import read_runs
    from mixfit.runs.runs import Runs
    from mixfit.runs.splits import split_by_rows, split_folds, split_learning_curve, split_sizes

_HOME = {
    "Comparison": "evaluation.comparison",
    "Constraints": "mixture.constraints",
    "Evaluation": "evaluation.evaluate",
    "Fit": "fitting.result",
    "FitOptions": "fitting.result",
    "InputError": "base.errors",
    "MixfitError": "base.errors",
    "Note": "base.errors",
    "Planner": "mixture.planner",
    "Runs": "runs.runs",
    "TargetFit": "fitting.result",
    "UsageError": "base.errors",
    "compare_laws": "evaluation.compare",
    "evaluate": "evaluation.evaluate",
    "fit": "fitting.fit",
    "fit_auto": "evaluation.choose",
    "load_fit": "fitting.file",
    "optimize": "mixture.planner",
    "read_runs": "runs.read",
    "save_fit": "fitting.file",
    "split_by_rows": "runs.splits",
    "split_folds": "runs.splits",
    "split_learning_curve": "runs.splits",
    "split_sizes": "runs.splits",
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
