"""What users say of what no table tells: read, kept in the fit file, and shown with its blanks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from results import make_fit

from mixfit.base.errors import UsageError
from mixfit.fitting.file import load_fit, save_fit
from mixfit.fitting.record import BLANKS, parse_record


def test_the_blanks_that_are_filled_stand_in_their_order():
    assert parse_record(["loss=held out, nats = yes", " tokenizer =GPT-NeoX "]) == {
        "tokenizer": "GPT-NeoX",
        "loss": "held out, nats = yes",
    }
    assert parse_record([]) == {}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            ["tokeniser=x"],
            "there is no blank 'tokeniser'. Did you mean 'tokenizer'? Write KEY=TEXT",
        ),
        (["x"], "there is no blank 'x'. Write KEY=TEXT, KEY one of embeddings, tokenizer,"),
        (["loss="], "write what loss is, as loss=TEXT."),
        (["loss=a", "loss=b"], "note 'loss=b': loss stands twice."),
    ],
)
def test_what_is_no_note(texts, said):
    with pytest.raises(UsageError) as caught:
        parse_record(texts)
    assert said in str(caught.value)


def test_a_file_keeps_them(tmp_path):
    path = tmp_path / "fit.yaml"
    record = {"embeddings": "no", "loss": "<held> out"}
    save_fit(replace(make_fit(), record=record), path)
    assert yaml.safe_load(path.read_text())["record"] == record
    assert load_fit(path).record == record
    save_fit(make_fit(), path)
    assert "record" not in yaml.safe_load(path.read_text())
    assert load_fit(path).record == {}


def test_the_command_and_the_page(mixfit, tmp_path, sample_runs):
    fit = (
        "fit",
        sample_runs / "additive.csv",
        "--law",
        "chinchilla",
        "--restarts",
        "1",
        "--hops",
        "0",
    )
    done = mixfit(*fit, "--note", "embeddings=no", "--note", "loss=held <out>", "-o", "fit.yaml")
    assert done.returncode == 0, done.stderr
    assert load_fit(tmp_path / "fit.yaml").record == {"embeddings": "no", "loss": "held <out>"}
    assert mixfit("report", "fit.yaml", "-o", "fit.html").returncode == 0
    page = (tmp_path / "fit.html").read_text("utf-8")
    assert "held &lt;out&gt;" in page
    assert "--note embeddings=no" in page
    for key, question in BLANKS.items():
        blank = f"not recorded ({question.replace(chr(39), '&#x27;')}?)"
        assert (blank in page) == (key not in ("embeddings", "loss"))
    done = mixfit(*fit, "--note", "embedding=no")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --note 'embedding=no': there is no blank 'embedding'.")
