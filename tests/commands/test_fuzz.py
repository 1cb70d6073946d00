"""Whatever stands on the command line or in the files that it reads: one message, or a result."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_inputs import write_inputs

ODD = st.sampled_from(
    [
        *(
            "",
            "-",
            "=",
            ",",
            "web",
            "code=",
            "=1",
            "web=nan",
            "web=1e999",
            "1e309",
            "-1",
            "0",
            "7B",
        ),
        *("web=0.5", "web=0.5,code=0.5", "uniform", "observed", "fit.yaml", "runs.csv", "odd.yaml"),
        *("\x1b[0m", "\udcff", "a\nb", "*", "[", "x" * 300, "g=web,code", "1e-400", "inf", "1,2,3"),
    ]
)
OPTIONS = {
    "eval": ["--where", "--targets", "--weights", "--model-size", "--tokens", "--max-mre"],
    "optimize": [
        *("--target", "--model-size", "--tokens", "--flops", "--model-size-range", "--min"),
        *("--max", "--fix", "--group", "--available", "--max-epochs", "--prior", "--kl"),
        *("--no-worse-than", "--baseline", "--runs", "--format", "--prefixes"),
    ],
}
FILES = {
    "eval": ["eval", "fit.yaml", "runs.csv"],
    "optimize": ["optimize", "fit.yaml", "--model-size=1B", "--tokens=10B"],
}
YAML = st.text(alphabet="[]{}&*!:-\n\t'\"#%@0x_.,ewbcod \x07\udcff", max_size=60)
QUICK = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def ends(tmp_path, called):
    """Run the program in a folder with inputs, and check that it ends as it should."""
    write_inputs(tmp_path)

    def check(*arguments):
        done = called(*arguments)
        assert done.returncode in (0, 1, 2)
        if done.returncode == 2 and not done.stderr.startswith("Usage: "):
            first, *more = done.stderr.splitlines()
            assert first.startswith("error: ")
            assert all(line.startswith(("also: ", "and ")) for line in more)
        assert sorted(path.name for path in tmp_path.iterdir()) == before

    (tmp_path / "odd.yaml").write_text("web: 1\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    return check


@pytest.mark.parametrize("command", OPTIONS)
@QUICK
@given(data=st.data())
def test_options(ends, command, data):
    names = data.draw(st.lists(st.sampled_from(OPTIONS[command]), min_size=1, max_size=3))
    ends(*FILES[command], *(f"{name}={data.draw(ODD)}" for name in names))


@QUICK
@given(text=YAML, option=st.sampled_from(["--prior", "--baseline", "--available", "--prefixes"]))
def test_files_of_mixtures(ends, tmp_path, text, option):
    (tmp_path / "odd.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    value = "b=odd.yaml" if option == "--baseline" else "odd.yaml"
    ends(*FILES["optimize"], f"{option}={value}")


@QUICK
@given(data=st.data())
def test_tables(ends, tmp_path, data):
    text = (tmp_path / "runs.csv").read_text()
    cut = data.draw(st.integers(0, len(text) - 1))
    odd = data.draw(st.text(alphabet="\"',;\n\t0.e-xN\x00\xe9\udcff", min_size=1, max_size=6))
    table = text[:cut] + odd + text[cut + len(odd) :]
    (tmp_path / "odd.yaml").write_bytes(table.encode("utf-8", "surrogateescape"))
    ends("eval", "fit.yaml", "odd.yaml")
