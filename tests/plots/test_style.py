"""What all pictures have in common: files that are the same each time, names as names, looks."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixfit
from mixfit import plots
from mixfit.base.errors import InputError, UsageError
from mixfit.base.shown import Drawn
from mixfit.plots import style

ALL = [
    ("evaluation", "observed"),
    ("study", "weights"),
    ("comparison", "errors"),
]


@pytest.mark.parametrize("suffix", plots.ENDINGS)
@pytest.mark.parametrize(("result", "kind"), ALL)
def test_the_same_result_gives_the_same_bytes(request, tmp_path, result, kind, suffix):
    drawn = request.getfixturevalue(result)
    files = [tmp_path / f"{number}{suffix}" for number in range(2)]
    for file in files:
        style.save(drawn.plot(kind), file)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert first.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])


def test_fonts_are_embedded_in_pdf(study):
    made = style.to_bytes(study.plot(), ".pdf")
    assert b"/FontFile2" in made
    assert b"/Type3" not in made


def test_a_file_that_cannot_be_written(study, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        style.save(study.plot(), tmp_path / "no" / "a.png")


def test_a_notebook_shows_it(study):
    assert study.plot()._repr_png_().startswith(b"\x89PNG")


def test_a_domain_has_one_colour_in_any_order():
    names = ["web", "code", "books"]
    assert style.looks(names) == style.looks(sorted(names))


def test_looks_of_many_names_differ():
    looks = style.looks([f"d{i}" for i in range(20)])
    assert len(set(looks.values())) == 20


def test_colours_can_be_told_apart_without_red_and_green():
    """By how far they are apart for deuteranopes (Viénot et al. 1999), in CIE Lab."""
    from matplotlib.colors import to_rgb

    linear = np.array([to_rgb(look.colour) for look in style.looks("abcdefg").values()]) ** 2.2
    to_lms = np.array([[17.88, 43.52, 4.12], [3.46, 27.16, 3.87], [0.03, 0.18, 1.47]])
    seen = to_lms @ linear.T
    seen[1] = 0.494 * seen[0] + 1.248 * seen[2]
    rgb = np.clip(np.linalg.solve(to_lms, seen), 0, 1)
    xyz = np.array([[0.41, 0.36, 0.18], [0.21, 0.72, 0.07], [0.02, 0.12, 0.95]]) @ rgb
    x, y, z = np.cbrt(np.maximum(xyz / np.array([[0.95], [1.0], [1.09]]), 1e-4))
    lab = np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)]).T
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)[~np.eye(len(lab), dtype=bool)]
    assert apart.min() > 10


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
    st.floats(0.01, 0.08),
)
def test_labels_do_not_cover_each_other(values, gap):
    heights = style.spread(values, gap, 0.0, 1.0)
    assert np.diff(sorted(heights)).min(initial=1.0) >= gap - 1e-9
    assert min(heights) >= -1e-9
    assert max(heights) <= 1 + 1e-9
    # Their order is that of the values.
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(heights)[order]) > 0)


def test_help_and_commands_without_pictures_do_not_import_matplotlib():
    code = "import sys, mixfit.cli; import mixfit; mixfit.fit; print('matplotlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


def test_without_matplotlib_the_extra_is_named(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = "Pictures need matplotlib, which is not installed: pip install 'mixfit[plot]'."
    with pytest.raises(UsageError) as caught:
        study.plot()
    assert str(caught.value) == message
    with pytest.raises(UsageError) as caught:
        plots.check_picture("a.png", None, ("Study",))
    assert str(caught.value) == message


def test_an_unknown_kind(study):
    with pytest.raises(UsageError) as caught:
        study.plot("loses")
    assert str(caught.value) == (
        "There is no kind of picture 'loses' of this result. Did you mean 'losses'? Kinds:"
        " weights, losses."
    )
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = plots.nothing


def test_every_result_that_can_be_drawn_has_kinds():
    for module in pkgutil.walk_packages(mixfit.__path__, "mixfit."):
        importlib.import_module(module.name)
    kinds = set(plots.KINDS) - {plots.BUDGETS, plots.EACH_TARGET}
    assert {kind.__name__ for kind in Drawn.__subclasses__()} == kinds


def test_every_function_can_be_had_by_its_name():
    for name in plots.__all__:
        assert callable(getattr(plots, name))
