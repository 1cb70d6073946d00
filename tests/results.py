"""Made-up results with names that markup would trip over, for the tests of reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixfit.base.errors import Note
from mixfit.design.result import (
    Alarm,
    Coverage,
    Design,
    DomainTokens,
    Figures,
    LawSize,
    PlannedRun,
    Quality,
)
from mixfit.evaluation.comparison import AVERAGE, Comparison, Summary
from mixfit.evaluation.evaluate import evaluate
from mixfit.evaluation.predict import Predictions
from mixfit.fitting.check import Check
from mixfit.fitting.options import FitOptions
from mixfit.fitting.result import Candidate, Choice, Fit, FitData, TargetFit
from mixfit.fitting.uncertainty import Intervals
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.pooled import PooledLaw
from mixfit.mixture.result import Baseline, Cost, Mixture, Study
from mixfit.runs.findings import Finding
from mixfit.runs.runs import Runs


def make_runs():
    h = [[0.5, 0.5], [0.2, 0.8], [0.5, 0.5]]
    losses = {"web": [3.0, 2.9, 2.8], "m|<a>_t_h": [2.0, np.nan, 1.8]}
    return Runs.from_arrays([1e8, 1e8, 1.235e9], [2e9, 2e9, 46.08e9], h, losses, ["web", "code"])


def make_fit():
    params = {
        "E": np.array([1.25]),
        "C": np.array([2.0, 0.5]),
        "gamma": np.array([0.5, 0.75]),
        "A": np.array([100.0]),
        "alpha": np.array([0.3]),
        "B": np.array([1000.0]),
        "beta": np.array([0.4]),
    }
    text = "not pinned by the runs, or running away: C[code]"
    runs = make_runs()
    targets = {
        name: TargetFit(
            target=name,
            domains=runs.domains,
            form=CATALOGUE["additive"],
            params=params,
            rows=12345,
            huber=1.234e-6,
            mre=mre,
            status="converged",
            notes=(Note("not-pinned", text, name),),
        )
        for name, mre in zip(runs.targets, (0.5, 0.25), strict=True)
    }
    return Fit(
        PooledLaw(CATALOGUE["additive"]), runs.domains, FitOptions(), FitData.of(runs), targets
    )


def make_evaluation():
    return evaluate(make_fit(), make_runs())


def make_comparison(columns=("1.24B",), laws=("additive", "coupled-joint", "bimix")):
    """Made-up figures of two targets; bimix applies to one of them."""
    summaries = {}
    for i, law in enumerate(laws):
        for target in ("stackexchange", "openhermes", AVERAGE):
            if (law, target) == ("bimix", "openhermes"):
                continue
            for j, column in enumerate(columns):
                test = (150.0 if law == "bimix" else 0.7 - 0.3 * i) + 0.01 * j
                rank = float("nan") if law == "bimix" else 0.99
                summaries[law, target, column] = Summary(0.5, test, 0.04, -0.1, rank, 180)
    counts = {"additive": 19, "coupled-joint": 35, "bimix": 4}
    return Comparison(
        title="fitted on 1,394 rows, tested on 180",
        laws=laws,
        targets=("stackexchange", "openhermes"),
        columns=columns,
        figures=(),
        summaries=summaries,
        decisions={},
        standings=tuple(Candidate(law, counts[law], 0.4, seconds=12.34) for law in laws),
        choice=Choice(law="coupled-joint", reason="lowest mean held-out MRE, 0.4%"),
        notes=(Note("not-applicable", "bimix is not applicable: why", "openhermes"),),
    )


def make_mixture():
    return Mixture(
        domains=("web", "co_de"),
        weights=np.array([0.75, 0.25]),
        model_size=7e9,
        tokens=None,
        target_weights={"web": 0.5, "math": 0.5},
        predicted_loss={"web": 2.5, "math": 1.5, "law": 3.0},
        loss=2.0,
        objective=2.0,
        gap=1e-9,
        convex=True,
        notes=(Note("far", "7B is 5.7 times the largest size fitted, 1.24B"),),
    )


def make_study():
    mixture = make_mixture()
    uniform = Baseline("uniform", np.array([0.5, 0.5]), dict(mixture.predicted_loss), 2.25)
    ranges = np.array([[0.7, 0.8], [0.2, 0.3]])
    return Study(mixture, ranges, (uniform,), mixture, (Cost("co_de at most 0.25", 0.01234),))


def make_design():
    coverage = Coverage(zero=1, low=0, high=1, least=0.0, mean=0.45, most=1.0)
    figures = Figures(mean_error=0.61, largest_error=1.1, difference=1.4, least_distance=0.25)
    quality = Quality(
        figures=figures,
        random=Figures(0.9, 2.5, float("nan"), 0.03),
        coverage={"web": coverage, "co_de": coverage},
        laws=(
            LawSize("simple", 4, "sound predictions"),
            LawSize("additive", 5, "a false optimum"),
        ),
        errors=(0.65, 2.4),
    )
    return Design(
        domains=("web", "co_de"),
        targets=("web", "m|<a>_t_h"),
        kind="spread",
        seed=3,
        grid=100,
        steps=np.array([[50, 50], [0, 100], [40, 60]]),
        origins=("uniform", "spread", "spread"),
        existing=np.array([[1.0, 0.0]]),
        runs=(
            PlannedRun("run-01", 1, 1e8, 2e9),
            PlannedRun("run-02", 0, 2e8, 2e9),
            PlannedRun("run-03", 0, 1e8, 2e9),
            PlannedRun("run-04", 0, 1e8, 2e9, 2),
            PlannedRun("run-05", 2, 1e8, 2e9),
        ),
        quality=quality,
        asked=("--max co_de=1",),
        tokens=1e10,
        available={"web": DomainTokens(5e9, {2e9: 1e9})},
        alarm=Alarm(2.0, 0.5, "uncertain", {"web": 0.7, "co_de": 0.3}),
        notes=(Note("few-mixtures", "3 mixtures are few"),),
    )


def make_predictions():
    """Predictions of two trainings, with intervals."""
    ends = np.array([2.0, 2.1])
    sure = Intervals(ends, 0.99 * ends, 1.01 * ends, 0.1 * ends, 0.2 * ends, 0.3 * ends, 0.1 * ends)
    h = np.array([[0.5, 0.5], [0.2, 0.8]])
    N, D = np.array([7e9, 7e9]), np.array([1.5e11, 1.5e11])
    notes = (Note("model-size-outside", "7B is 7 times the largest size fitted, 1B"),)
    return Predictions(
        ("web", "code"), ("now", "new"), N, D, h, {"math": ends}, {"math": sure}, notes
    )


def make_check():
    worst = Finding(
        code="loss",
        severity="error",
        file="m|<a>.csv",
        row=2,
        place="row 2 (line 3)",
        column="column loss_x",
        rows=2,
        message="the value is 0, and a loss must be a number above 0",
        todo="Empty the cell.",
    )
    many = [replace(worst, code="jump", severity="warning", row=row) for row in range(7)]
    told = Finding(
        code="rising",
        severity="warning",
        target="m|<a>",
        message="its values rise",
        todo="Fit 1-x.",
    )
    return Check("m|<a>.csv: 3 rows", (worst, *many, told), mixtures=4, domains=2)


MAKE = {
    "check": make_check,
    "design": make_design,
    "runs": make_runs,
    "fit": make_fit,
    "evaluation": make_evaluation,
    "comparison": make_comparison,
    "mixture": make_mixture,
    "study": make_study,
    "predictions": make_predictions,
}
