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
    from mixfit.errors import InputError, MixfitError, Note, UsageError
    from mixfit.evaluate import Evaluation, evaluate
    from mixfit.fits import Fit, FitOptions, TargetFit
    from mixfit.fitting import fit
    from mixfit.runs import Runs, read_runs
    from mixfit.storage import load_fit, save_fit

_HOME = {
    "Evaluation": "evaluate",
    "Fit": "fits",
    "FitOptions": "fits",
    "InputError": "errors",
    "MixfitError": "errors",
    "Note": "errors",
    "Runs": "runs",
    "TargetFit": "fits",
    "UsageError": "errors",
    "evaluate": "evaluate",
    "fit": "fitting",
    "load_fit": "storage",
    "read_runs": "runs",
    "save_fit": "storage",
}

__all__ = [
    "Evaluation",
    "Fit",
    "FitOptions",
    "InputError",
    "MixfitError",
    "Note",
    "Runs",
    "TargetFit",
    "UsageError",
    "__version__",
    "evaluate",
    "fit",
    "load_fit",
    "read_runs",
    "save_fit",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'mixfit' has no attribute '{name}'")
    value = getattr(import_module(f"mixfit.{_HOME[name]}"), name)
    globals()[name] = value
    return value
