"""``--law auto``: what is held out, which law is chosen, and that the choice is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml

from mixfit.base.errors import UsageError
from mixfit.base.plain import to_plain
from mixfit.evaluation import choose as module
from mixfit.evaluation.choose import CANDIDATES, fit_auto
from mixfit.evaluation.rule import RULE
from mixfit.evaluation.trim import fit_trimmed
from mixfit.fitting.file import load_fit, save_fit
from mixfit.fitting.options import FitOptions
from mixfit.laws.catalogue import CATALOGUE
from mixfit.laws.formula import Formula
from mixfit.runs.runs import Runs
from mixfit.runs.splits import selection_splits

QUICK = FitOptions(restarts=2, hops=0)
DOMAINS = ("web", "code", "wiki")
TRUTH = {
    "chinchilla": {"E": [1.0], "A": [50.0], "alpha": [0.25], "B": [100.0], "beta": [0.2]},
    "additive": {
        **{"E": [1.0], "C": [0.5, 1.0, 2.0], "gamma": [0.3, 0.6, 0.9]},
        **{"A": [50.0], "alpha": [0.25], "B": [100.0], "beta": [0.2]},
    },
}
TRUTH["twofold"] = {
    **TRUTH["additive"],
    **{"C_2": [4.0, 0.3, 0.4], "gamma_2": [1.4, 0.2, 0.5]},
}


def table(law="additive", mixtures=12, sizes=(5e7, 1e8, 2e8, 4e8), lengths=(1e9, 3e9), noise=1e-3):
    rng = np.random.default_rng(0)
    h = 0.05 + 0.85 * rng.dirichlet(np.ones(3), mixtures)
    N, D, row = (x.reshape(-1) for x in np.meshgrid(sizes, lengths, np.arange(mixtures)))
    h = h[row.astype(int)]
    formula = Formula(CATALOGUE[law], 3)
    theta = formula.internal({name: np.array(x) for name, x in TRUTH[law].items()})
    loss = formula.predict(theta, N, D, h) * np.exp(noise * rng.normal(size=len(N)))
    return Runs.from_arrays(N, D, h, {"web": loss}, DOMAINS)


def only(monkeypatch, *laws):
    monkeypatch.setattr(module, "CANDIDATES", tuple(CATALOGUE[law] for law in laws))


def test_the_candidates():
    assert [law.name for law in CANDIDATES] == [
        *("chinchilla", "simple", "additive", "joint", "powered", "coupled", "coupled-joint"),
        *("twofold", "coupled-twofold", "coupled-joint-twofold"),
    ]


def test_mixtures_the_largest_size_and_the_longest_trainings_are_held_out():
    plan = selection_splits(table(lengths=(1e9, 2e9, 4e9, 8e9)))
    assert plan.decisive == ("new mixtures", "400M", "D>4B")
    assert [split.fold for split in plan.splits] == [*range(1, 6), 1, 1]


def test_of_three_sizes_the_largest_is_held_out():
    three = (1e8, 2e8, 4e8)
    plan = selection_splits(table(sizes=three, lengths=(1e9, 2e9, 4e9, 8e9)))
    assert plan.decisive == ("new mixtures", "400M", "D>4B")
    assert "rest on a usual alpha" in plan.notes[0].text
    two = (1e8, 2e8)
    plan = selection_splits(table(sizes=two, lengths=(1e9, 2e9, 4e9, 8e9)))
    assert plan.decisive == ("new mixtures", "D>4B")


def test_what_cannot_be_held_out_is_left_out():
    assert selection_splits(table(sizes=(1e8,))).decisive == ("new mixtures",)
    assert len(selection_splits(table(mixtures=3, sizes=(1e8,))).splits) == 3
    assert selection_splits(table(mixtures=1)).decisive == ("400M",)
    with pytest.raises(UsageError) as caught:
        selection_splits(table(mixtures=1, sizes=(1e8,)))
    assert str(caught.value) == (
        "There is nothing to hold out, as auto must: the rows have one mixture, fewer than three"
        " model sizes and too few training lengths. Name a law."
    )


def test_a_law_that_some_part_cannot_be_fitted_by_is_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "CANDIDATES", (CATALOGUE["chinchilla"], CATALOGUE["bimix"]))
    runs = table()
    runs = Runs.from_arrays(runs.N, runs.D, runs.h, {"math": runs.losses_of("web")}, DOMAINS)
    chosen = fit_auto(runs, options=QUICK, jobs=1)
    assert str(chosen.law) == "chinchilla"
    (_, excluded) = chosen.selection.candidates
    assert (excluded.excluded, excluded.parts) == ("not applicable to math", {})
    assert np.isnan(excluded.mre)
    save_fit(chosen, tmp_path / "fit.yaml")
    again = load_fit(tmp_path / "fit.yaml").selection
    assert to_plain(again) == to_plain(chosen.selection)


def test_a_law_that_needs_three_sizes_is_left_out_of_two_and_not_of_one(monkeypatch):
    only(monkeypatch, "additive", "coupled-twofold")
    (_, excluded) = fit_auto(table(sizes=(1e8, 2e8)), options=QUICK).selection.candidates
    assert (excluded.excluded, excluded.parts) == ("2 model sizes are too few for it", {})
    (_, one) = fit_auto(table(sizes=(1e8,)), options=QUICK).selection.candidates
    assert not one.excluded


def test_laws_of_the_same_form_enter_once(monkeypatch):
    only(monkeypatch, "additive", "coupled", "twofold", "coupled-twofold")
    one = fit_auto(table(sizes=(1e8,), lengths=(2e9,)), options=QUICK).selection
    assert [candidate.excluded for candidate in one.candidates if candidate.law[0] == "c"] == [
        "the same as additive on these rows",
        "the same as twofold on these rows",
    ]
    several = fit_auto(table(sizes=(1e8,)), options=QUICK).selection
    assert not any("the same" in candidate.excluded for candidate in several.candidates)


def test_two_kinds_of_what_a_target_holds_are_told_from_one(monkeypatch):
    only(monkeypatch, "additive", "powered", "twofold")
    runs = table("twofold", mixtures=40, sizes=(1e8,), lengths=(2e9,))
    assert fit_auto(runs, options=QUICK).selection.law == "twofold"


def test_a_law_that_is_clearly_behind_drops_out_early(monkeypatch):
    only(monkeypatch, "chinchilla", "additive")
    chosen = fit_auto(table(), options=QUICK, jobs=1)
    behind, first = chosen.selection.candidates
    assert behind.excluded == "clearly behind after 3 of 6 splits"
    assert behind.difference > 100
    assert (first.law, first.difference, first.standard_error) == ("additive", 0.0, 0.0)


def test_any_number_of_processes(monkeypatch):
    only(monkeypatch, "simple", "additive")
    one, other = (fit_auto(table(), options=QUICK, jobs=jobs).selection for jobs in (1, 2))
    assert one == other


@pytest.mark.parametrize("truth", ["chinchilla", "additive"])
def test_the_law_that_made_the_losses_is_chosen(monkeypatch, truth):
    only(monkeypatch, "chinchilla", "additive")
    chosen = fit_auto(table(truth), options=QUICK, jobs=1)
    assert chosen.law.name == chosen.selection.law == truth
    assert chosen.options == QUICK.filled(chosen.law.law)
    assert chosen.notes[0].code == "selection"
    assert chosen.notes[0].text.startswith(f"auto chose {truth}: ")


def test_the_choice_and_the_figures_are_kept_in_the_file(monkeypatch, tmp_path):
    only(monkeypatch, "chinchilla", "additive")
    chosen = fit_auto(table(), options=QUICK, jobs=1)
    path = tmp_path / "fit.yaml"
    save_fit(chosen, path)
    content = yaml.safe_load(path.read_text())
    assert content["law"] == "additive"
    assert content["selection"]["rule"] == RULE
    assert [c["law"] for c in content["selection"]["candidates"]] == ["chinchilla", "additive"]
    for candidate in content["selection"]["candidates"]:
        parts = candidate["parts"]
        assert list(parts) == ["new mixtures", "400M"]
        assert candidate["mre"] == pytest.approx(sum(parts.values()) / 2)
    again = load_fit(path)
    assert again.selection == chosen.selection
    save_fit(again, tmp_path / "again.yaml")
    assert (tmp_path / "again.yaml").read_text() == path.read_text()


def test_a_law_that_predicts_nonsense_is_never_chosen(monkeypatch):
    only(monkeypatch, "chinchilla", "additive")
    real = module.follow

    def spoiled(task):
        results = zip(task.laws, real(task), strict=True)
        return [
            followed._replace(errors=np.full_like(followed.errors, np.inf))
            if law.name == "additive"
            else followed
            for law, followed in results
        ]

    monkeypatch.setattr(module, "follow", spoiled)
    chosen = fit_auto(table(), options=QUICK, jobs=1)
    assert str(chosen.law) == "chinchilla"
    excluded = {c.law: c.excluded for c in chosen.selection.candidates}
    assert excluded["additive"] == "predicts losses that are not finite or not positive"


def test_a_law_that_does_not_converge_on_all_rows_is_passed_over(monkeypatch):
    only(monkeypatch, "simple", "additive")
    real = module.fit

    def fit(runs, law, **options):
        fitted = real(runs, law, **options)
        if fitted.law.name == "simple":
            return fitted
        targets = {t: replace(f, status="not converged") for t, f in fitted.targets.items()}
        return replace(fitted, targets=targets)

    monkeypatch.setattr(module, "fit", fit)
    chosen = fit_auto(table(), options=QUICK, jobs=1)
    assert chosen.law.name == "simple"
    excluded = {c.law: c.excluded for c in chosen.selection.candidates}
    assert excluded["additive"] == "its fit to all rows did not converge for web"


def test_the_law_chosen_is_fitted_to_the_rows_that_speak_for_it(monkeypatch, tmp_path):
    only(monkeypatch, "chinchilla", "additive")
    runs = table(lengths=(1e9, 2e9, 4e9, 8e9))
    early = runs.losses * np.where(runs.D < 2e9, 1.1, 1.0)[:, None]
    runs = replace(runs, losses=early)
    chosen = fit_auto(runs, trim=True, options=QUICK, jobs=1)
    assert chosen.selection == fit_auto(runs, options=QUICK, jobs=1).selection
    kept = fit_trimmed(runs, chosen.law.name, options=QUICK)
    assert chosen.trim == kept.trim
    assert chosen.trim.tokens == 2e9
    asked = (1e9, 1e10, [0.2, 0.3, 0.5])
    np.testing.assert_array_equal(chosen.predict(*asked)["web"], kept.predict(*asked)["web"])
    assert [note.code for note in chosen.notes if note.code in ("selection", "trim")] == [
        "selection",
        "trim",
    ]
    save_fit(chosen, tmp_path / "fit.yaml")
    again = load_fit(tmp_path / "fit.yaml")
    assert (again.selection, again.trim) == (chosen.selection, chosen.trim)


def test_no_law_left_is_an_error(monkeypatch):
    monkeypatch.setattr(module, "CANDIDATES", (CATALOGUE["bimix"],))
    runs = table()
    runs = Runs.from_arrays(runs.N, runs.D, runs.h, {"math": runs.losses_of("web")}, DOMAINS)
    with pytest.raises(UsageError) as caught:
        fit_auto(runs, options=QUICK, jobs=1)
    assert caught.value.said_with("--{}".format) == (
        "--law auto can trust no law (bimix: not applicable to math). Name one with --law."
    )


def test_the_command_chooses_and_records(monkeypatch, sample_runs, tmp_path, called):
    only(monkeypatch, "chinchilla", "additive")
    path = tmp_path / "fit.yaml"
    done = called(
        *("fit", sample_runs / "additive.csv", "--law", "auto", "--targets", "web"),
        *("--where", "model_size<=2e8,n_tokens>2e9", "--restarts", "1", "--hops", "0"),
        *("--jobs", "1", "-o", path),
    )
    assert done.returncode == 0, done.stderr
    chosen = load_fit(path)
    assert chosen.law.name == chosen.selection.law == "additive"
    assert done.stdout.startswith("additive law on ")
    assert "candidate   parameters" in done.stdout
    assert "note  auto chose additive: lowest held-out error, " in done.stderr
    assert done.stderr.endswith(f"wrote  {path}\n")
