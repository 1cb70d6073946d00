"""Tests of what the tables rest on, for `pytest sample_runs/tiny_lm`: with PyTorch, but no text."""

# ruff: noqa: D103
from dataclasses import replace
from pathlib import Path

import experiment
import numpy as np
import pandas as pd
import pytest
import repetition
import torch
import train as training
from model import CONTEXT, Shape, initial, losses, token_losses
from plan import BATCH, SIZES, STAGES, Run, groups, held_out_mixtures, main_mixtures, stage_runs
from text import DOMAINS, OUTSIDE, clean
from tokenizer import VOCABULARY, Tokens

SHAPE = Shape(32, VOCABULARY)


@pytest.fixture
def tokens() -> Tokens:
    """Random text in which a token says its domain: token % 4."""
    rng = np.random.default_rng(0)

    def text(domain: int, length: int) -> np.ndarray:
        return (rng.integers(0, VOCABULARY // 4, length) * 4 + domain).astype(np.uint16)

    return Tokens(
        {name: text(i, 40_000) for i, name in enumerate(DOMAINS)},
        {name: text(i % 4, 40_000) for i, name in enumerate([*DOMAINS, *OUTSIDE])},
    )


def short(runs: list[Run], steps: int) -> list[Run]:
    """The same runs, for `steps` steps."""
    return [replace(run, tokens=steps * BATCH * CONTEXT) for run in runs]


def test_n_counts_all_but_the_embeddings():
    parameters = initial(SHAPE, [0])
    inner = [p for name, p in parameters.items() if name not in {"embedding", "output"}]
    assert sum(p.numel() for p in inner) == SHAPE.parameters


def test_models_of_a_group_do_not_mix():
    windows = torch.randint(VOCABULARY, (3, 2, CONTEXT + 1))
    parameters = initial(SHAPE, [1, 2, 3])
    together = losses(parameters, windows)
    for m in range(3):
        alone = losses({n: p[m : m + 1] for n, p in parameters.items()}, windows[m : m + 1])
        torch.testing.assert_close(together[m : m + 1], alone)


def test_no_token_sees_what_follows():
    parameters = initial(SHAPE, [1])
    windows = torch.randint(VOCABULARY, (1, 1, CONTEXT + 1))
    other = windows.clone()
    other[..., 100] = (other[..., 100] + 1) % VOCABULARY
    moved = token_losses(parameters, other) - token_losses(parameters, windows)
    assert not moved[..., :99].any()  # Entry 99 is the loss of token 100 itself.
    assert moved[..., 100:].all()


def test_steps_have_the_weights_of_the_mixture(tokens: Tokens):
    run = Run("main", SIZES["49k"], "m", (0.05, 0.3, 0.25, 0.4), 1, 1_000_000)
    stream = training.Stream(run, tokens)
    counts = np.array([np.bincount(stream.batch(s)[:, 0] % 4, minlength=4) for s in range(500)])
    assert (np.abs(counts - BATCH * np.array(run.weights)) < 1).all()
    np.testing.assert_allclose(counts.mean(0) / BATCH, run.weights, atol=0.01)


def test_scarce_text_is_passed_over_evenly(tokens: Tokens):
    unique = 10 * CONTEXT
    weights = (0.0, 0.0, 1.0, 0.0)
    run = Run("repetition", SIZES["49k"], "m", weights, 1, 1, unique={"german": unique})
    stream = training.Stream(run, tokens)
    seen = np.concatenate([stream.batch(step) for step in range(10)])
    _, counts = np.unique(seen, axis=0, return_counts=True)
    assert len(counts) == 10
    assert set(counts) == {8}
    assert stream.unique()[2] == unique
    assert stream.unique()[0] > unique


def test_a_stopped_group_goes_on_as_if_it_had_not_stopped(
    tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(training, "VALIDATION_SEQUENCES", 8)
    runs = short(stage_runs("main-49k")[:2], 12)
    rates = [0.004, 0.008]
    whole = training.train(runs, rates, tokens, tmp_path / "never.pt", compiled=False)

    class StopError(Exception):
        pass

    def write_and_stop(state: training.State, path: Path) -> None:
        kept(state, path)
        if state.step == 7:
            raise StopError

    kept = training._write
    monkeypatch.setattr(training, "SAVE_EVERY", 0)
    monkeypatch.setattr(training, "_write", write_and_stop)
    with pytest.raises(StopError):
        training.train(runs, rates, tokens, tmp_path / "state.pt", compiled=False)
    resumed = training.train(runs, rates, tokens, tmp_path / "state.pt", compiled=False)
    seconds = "cpu_seconds_of_group"
    pd.testing.assert_frame_equal(whole.drop(columns=seconds), resumed.drop(columns=seconds))


def test_the_plan_holds_together():
    runs = [run for stage in STAGES for run in stage_runs(stage)]
    assert len({run.run_id for run in runs}) == len({run.entropy for run in runs}) == len(runs)
    assert all(abs(sum(run.weights) - 1) < 1e-9 and min(run.weights) >= 0 for run in runs)
    assert len(main_mixtures()) == 24
    assert not set(main_mixtures().values()) & set(held_out_mixtures().values())
    assert all(len({(r.size, r.tokens) for r in group}) == 1 for group in groups(runs))
    assert [run for group in groups(runs) for run in group] == runs


def test_clean_text():
    page = "<html><head><title>x</title></head><p>Gr&uuml;&szlig;e</p><!-- no --></html>"
    assert clean(page, "html") == "Grüße"
    assert clean('.\\" note\n.SH NAME\nls', "roff") == ".SH NAME\nls"


def test_the_experiment_reads_what_optimize_writes(tmp_path: Path):
    path = tmp_path / "mixture.yaml"
    path.write_text(
        "mixtures:\n- {tokens: 1.0, weights: {c: 0.4, german: 0.1, python: 0.3, english: 0.2}}\n"
    )
    assert experiment.read_mixture(path) == (0.3, 0.4, 0.1, 0.2)
    compared = experiment.others()
    assert list(compared) == ["uniform", "natural", "held0", "held1"]
    assert all(abs(sum(weights) - 1) < 1e-9 for weights in compared.values())


def test_a_name_that_is_trained_on_another_mixture_is_refused():
    run = Run("experiment", SIZES["788k"], "best-average", (0.25,) * 4, 1, 1024)
    other = {f"weight_{name}": [h] for name, h in zip(DOMAINS, (0.2, 0.3, 0.25, 0.25), strict=True)}
    with pytest.raises(SystemExit, match="another mixture"):
        experiment.check_weights(pd.DataFrame({"run_id": [run.run_id]} | other), [run])


def test_excess_of_repeated_text_is_against_the_run_with_all_of_it():
    runs = [run for run in stage_runs("repetition") if "english-25" in run.mixture]
    runs = [run for run in runs if run.size.name == "49k" and not run.mixture.startswith("german")]
    table = pd.DataFrame(
        {
            "mixture": run.mixture,
            "model_size": 49_440,
            "n_tokens": tokens,
            "weight_english": 0.25,
            "unique_english": run.unique.get("english", 10**7),
            # With a sixty-fourth of the text english is a tenth worse, all else the same.
            **{f"loss_{t}": 4.0 for t in (*DOMAINS, *OUTSIDE)},
            "loss_english": 4.4 if run.mixture.endswith("of64") else 4.0,
        }
        for run in runs
        for tokens in (131_072, 1_500_000)
    )
    found = repetition.excess(table)
    assert len(found) == 6
    last = found[found["n_tokens"] == 1_500_000].sort_values("passes")
    np.testing.assert_allclose(last["passes"], [0.715, 2.861, 11.444], atol=1e-3)
    np.testing.assert_allclose(last["own"], [0, 0, 10], atol=1e-9)
    assert (found["others"] == 0).all()
