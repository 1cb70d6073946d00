"""Fit data-mixture scaling laws to small training runs, and find the best mixture.

>>> import mixfit
>>> runs = mixfit.read_runs("sample_runs/additive.csv")
>>> fit = mixfit.fit(runs, "additive")
>>> losses = fit.predict(N=7e9, D=150e9, h=[[0.5, 0.3, 0.2]])
"""
from mixfit._version import __version__
