"""Targets that are no losses: what is fitted in their place, and who is told."""

from __future__ import annotations

import numpy as np
import pytest
from tables_of_runs import message, table

from mixfit.base.errors import UsageError
from mixfit.runs.read import read_runs
from mixfit.runs.transforms import TRANSFORMS, as_logged, to_loss

HEAD = "weight_a,weight_b,N,D,loss_x,acc_qa,acc_nli"


def runs_of(**options):
    rows = [
        f"{w},{1 - w},{n:g},{d:g},{4 - w - n / 1e9 - d / 1e11},{0.2 + n / 4e9 + d / 1e11},0.5"
        for w in (0.25, 0.5, 0.75)
        for n in (1e8, 5e8)
        for d in (1e9, 1e10)
    ]
    return read_runs(table(*rows, header=HEAD), **options)


def test_every_transform_is_undone():
    values = np.array([0.1, 0.5, 0.999])
    for name, (make, undo) in TRANSFORMS.items():
        np.testing.assert_allclose(undo(make(values)), values, err_msg=name)
        assert (np.diff(make(values)) < 0).all()
    assert as_logged({"a": 0.25, "b": 3.0}, {"a": "1-x"}) == {"a": 0.75, "b": 3.0}
    assert to_loss("-log x", np.array([0.0, -1.0])).tolist() == [np.inf, np.inf]
    assert np.isnan(to_loss("-log x", np.array([np.nan]))).all()


def test_an_accuracy_is_named_and_what_is_fitted_in_its_place():
    plain = runs_of(targets="acc_qa,loss_x")
    assert [(note.code, note.target) for note in plain.notes] == [("rising", "acc_qa")]
    assert plain.notes[0].text == (
        "its values rise with D in 6 of 6 runs that differ in D alone, as those of an accuracy do. "
        "The laws are of losses, which fall: fit 1-x or -log x in its place, see --transform"
    )
    turned = runs_of(targets="acc_*,loss_x", transform={"acc_*": "1-x", "nli": "-log x"})
    assert turned.columns.transforms == {"qa": "1-x", "nli": "-log x"}
    np.testing.assert_allclose(turned.losses_of("qa"), 1 - plain.losses_of("acc_qa"))
    np.testing.assert_allclose(turned.losses_of("nli"), -np.log(0.5))
    np.testing.assert_array_equal(turned.losses_of("x"), plain.losses_of("x"))
    assert [(note.code, note.target) for note in turned.notes] == [
        ("transformed", "qa"),
        ("transformed", "nli"),
    ]
    again = read_runs("runs.csv", like=turned.columns)
    np.testing.assert_array_equal(again.losses, turned.losses)
    assert again.columns == turned.columns


def test_an_accuracy_is_named_where_every_run_has_a_mixture_of_its_own():
    rng = np.random.default_rng(0)
    rows = [
        f"{w},{1 - w},{n:g},{d:g},{3 - n / 1e9 - w},{0.3 + 0.1 * np.log10(n * d / 1e17)},"
        f"{rng.uniform()}"
        for w, n, d in zip(
            rng.uniform(0, 1, 12),
            rng.choice([1e8, 5e8], 12),
            rng.choice([1e9, 1e10], 12),
            strict=True,
        )
    ]
    (note,) = read_runs(table(*rows, header=HEAD), targets="loss_x,acc_*").notes
    assert (note.code, note.target) == ("rising", "qa")
    assert note.text.startswith("its values rise with N D, over all runs, as those of an accuracy")


def test_noise_is_no_accuracy():
    rng = np.random.default_rng(0)
    rows = [
        f"{w},{1 - w},1e8,{d:g},{3 - i * 0.1 + rng.normal(0, 0.01)},0.5,0.5"
        for w in np.linspace(0, 1, 8)
        for i, d in enumerate((1e9, 2e9, 4e9))
    ]
    assert read_runs(table(*rows, header=HEAD)).notes == ()


def test_groups_are_averaged_before_they_are_transformed():
    runs = runs_of(target_groups={"all": "acc_*"}, transform={"all": "1-x"})
    assert runs.targets == ("x", "all")
    assert runs.columns.targets["all"] == ("acc_qa", "acc_nli")
    plain = runs_of(targets="acc_*")
    expected = 1 - (plain.losses_of("qa") + plain.losses_of("nli")) / 2
    np.testing.assert_allclose(runs.losses_of("all"), expected)
    # A column that is averaged is fitted alone too where it is asked for.
    both = runs_of(target_groups={"all": "acc_*"}, targets="acc_qa")
    assert both.targets == ("acc_qa", "all")
    rows = ["0.5,0.5,1e8,1e9,3,0.5,", "0.5,0.5,1e8,2e9,3,0.5,0.7"]
    lacking = read_runs(table(*rows, header=HEAD), target_groups={"all": "acc_*"})
    np.testing.assert_allclose(lacking.losses_of("all"), [np.nan, 0.6])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"transform": {"q*": "1-x"}},
            "--transform 'q*=1-x' matches no target. The targets are x.",
        ),
        (
            {"transform": {"x": "1-y"}},
            "--transform 'x=1-y': there is no such transform. Did you mean '1-x'? Transforms: "
            "1-x, 100-x, -log x.",
        ),
        (
            {"target_groups": {"x": "acc_*"}},
            "--target-groups x: runs.csv has a target of this name, column loss_x. Give the group "
            "another name.",
        ),
        (
            {"target_groups": {"all": "ac_*"}},
            "--target-groups all= 'ac_*' matches no column of runs.csv. Did you mean 'acc_qa'? The "
            "columns are weight_a, weight_b, N, D, loss_x, acc_qa, acc_nli, x.",
        ),
    ],
)
def test_options_that_cannot_be_used(options, said):
    runs_of()
    assert message("runs.csv", error=UsageError, **options) == said


def test_values_that_no_loss_comes_of():
    runs_of()
    table("0.5,0.5,1e8,1e9,3,1.0,0", header=HEAD)
    assert message("runs.csv", targets="acc_*", transform={"qa": "1-x", "nli": "-log x"}).split(
        "\n"
    ) == [
        "runs.csv: row 1 (line 2), column acc_qa as 1-x: the value is 0, and a loss must be a "
        "number above 0. Choose what makes a loss above 0 of every value with --transform, or "
        "leave the row out with --where.",
        "also: runs.csv: row 1 (line 2), column acc_nli as -log x: the value is inf, and a loss "
        "must be a number above 0. Choose what makes a loss above 0 of every value with "
        "--transform, or leave the row out with --where.",
    ]
