"""Training of one group of models, with the loss on every target at evenly spaced log D."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from model import CONTEXT, Parameters, Shape, initial, losses
from numpy.typing import NDArray
from plan import BATCH, Run
from text import DOMAINS
from tokenizer import Tokens
from torch import Tensor

CHECKPOINTS = 10
WARM_UP = 100
BETAS = (0.9, 0.95)
#: Fully decoupled: it is not multiplied by the learning rate.
WEIGHT_DECAY = 1e-4
LARGEST_NORM = 1.0
#: Parameters are averaged with weights that grow as step^AVERAGE: over about the last 5% of a run.
AVERAGE = 20
#: Validation sequences of each target, evenly spaced over its text.
VALIDATION_SEQUENCES = 128
#: Seconds between the states that a stopped group goes on from.
SAVE_EVERY = 240


class Stream:
    """The training sequences of one run.

    The text of a domain is cut into windows. A run passes over them in a random order, and over
    again in another one when they are used up. Where unique tokens are limited, it knows only the
    first windows of one fixed order, the same for every run.
    """

    def __init__(self, run: Run, tokens: Tokens) -> None:
        self._run = run
        self._texts = [tokens.train[name] for name in DOMAINS]
        self._known = []
        for index, (name, text) in enumerate(zip(DOMAINS, self._texts, strict=True)):
            windows = np.random.default_rng(index).permutation((len(text) - 1) // CONTEXT)
            limit = run.unique.get(name)
            self._known.append(windows if limit is None else windows[: limit // CONTEXT])
        self.used = [0] * len(DOMAINS)
        self._orders: dict[int, tuple[int, NDArray[np.intp]]] = {}

    def unique(self) -> list[int]:
        """Unique training tokens of every domain."""
        return [len(known) * CONTEXT for known in self._known]

    def batch(self, step: int) -> NDArray[np.uint16]:
        """The sequences of one step, shape (BATCH, CONTEXT + 1).

        Their domains are drawn by systematic sampling: expected counts are exactly BATCH times the
        weights, and a step has them rounded up or down.
        """
        rng = np.random.default_rng((self._run.entropy, step))
        edges = np.cumsum(self._run.weights)
        points = (np.arange(BATCH) + rng.random()) / BATCH * edges[-1]
        return np.stack([self._next(int(i)) for i in np.searchsorted(edges, points, "right")])

    def _next(self, domain: int) -> NDArray[np.uint16]:
        known = self._known[domain]
        epoch, place = divmod(self.used[domain], len(known))
        if self._orders.get(domain, (None,))[0] != epoch:
            rng = np.random.default_rng((self._run.entropy, domain, epoch))
            self._orders[domain] = epoch, rng.permutation(known)
        start = int(self._orders[domain][1][place]) * CONTEXT
        self.used[domain] += 1
        return self._texts[domain][start : start + CONTEXT + 1]


@dataclass
class State:
    """Where a group stands: all that is needed to go on with it."""

    step: int
    parameters: Parameters
    mean: Parameters
    first: Parameters
    second: Parameters
    used: list[list[int]]
    rows: list[dict[str, object]]
    seconds: float  # Of processor time, which others on the machine do not stretch.


def train(
    runs: list[Run], rates: list[float], tokens: Tokens, saved: Path, *, compiled: bool = True
) -> pd.DataFrame:
    """Trains the models of a group, all of one size and length.

    Args:
        runs: The runs, M of them.
        rates: Their learning rates.
        tokens: The text.
        saved: File for the state of the group. If it is there, training goes on from it.
        compiled: Whether the model is compiled, which is faster and needs a C++ compiler.

    Returns:
        A row for each run and checkpoint.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = runs[0].tokens // (BATCH * CONTEXT)
    stops = {round(s) for s in np.geomspace(steps / CHECKPOINTS, steps, CHECKPOINTS)}
    streams = [Stream(run, tokens) for run in runs]
    validation = {name: _evenly(text).to(device) for name, text in tokens.validation.items()}
    state = _read(saved, device) if saved.exists() else _begin(runs, device)
    for stream, used in zip(streams, state.used, strict=True):
        stream.used = used
    for parameter in state.parameters.values():
        parameter.requires_grad_()
    forward = _compiled(runs[0].size.shape, len(runs)) if compiled else losses
    rate = torch.tensor(rates, device=device)[:, None, None]

    last, kept = time.process_time(), time.monotonic()
    while state.step < steps:
        state.step += 1
        batch = np.stack([stream.batch(state.step) for stream in streams]).astype(np.int64)
        forward(state.parameters, torch.from_numpy(batch).to(device)).sum().backward()
        _adam(state, rate * min(1.0, state.step / WARM_UP))
        if state.step in stops:
            measured = {
                f"{kind}_{name}": _measure(forward, parameters, windows)
                for kind, parameters in (("loss", state.mean), ("last", state.parameters))
                for name, windows in validation.items()
            }
            for m, (run, stream) in enumerate(zip(runs, streams, strict=True)):
                row = _row(run, stream, state.step, rates[m])
                state.rows.append(row | {column: v[m] for column, v in measured.items()})
        now = time.process_time()
        state.seconds, last = state.seconds + now - last, now
        if time.monotonic() - kept > SAVE_EVERY:
            _write(state, saved)
            kept = time.monotonic()
    table = pd.DataFrame(state.rows)
    table["cpu_seconds_of_group"] = round(state.seconds, 1)
    return table


Forward = Callable[[Parameters, Tensor], Tensor]


@lru_cache(maxsize=1)
def _compiled(shape: Shape, models: int) -> Forward:
    """`losses` compiled for groups of this shape; what was compiled for another one is dropped.

    Else the compiler counts shapes, and gives up at the ninth.
    """
    torch.compiler.reset()
    return torch.compile(losses, dynamic=False)


def _begin(runs: list[Run], device: torch.device) -> State:
    drawn = initial(runs[0].size.shape, [run.entropy for run in runs])
    parameters = {name: p.to(device) for name, p in drawn.items()}
    first, second = ({n: torch.zeros_like(p) for n, p in parameters.items()} for _ in range(2))
    mean = {name: p.clone() for name, p in parameters.items()}
    return State(0, parameters, mean, first, second, [[0] * len(DOMAINS) for _ in runs], [], 0.0)


@torch.no_grad()
def _adam(state: State, rate: Tensor) -> None:
    """One step of AdamW with a learning rate of each model, gradients clipped by their norm.

    And one step of the polynomial-decay averaging of parameters (Shamir and Zhang 2013).
    """
    gradients = {name: p.grad for name, p in state.parameters.items()}
    squares = [g.square().sum((1, 2), keepdim=True) for g in gradients.values()]
    clip = (LARGEST_NORM / (sum(squares).sqrt() + 1e-6)).clamp(max=1.0)
    debias = [1 - beta**state.step for beta in BETAS]
    for name, parameter in state.parameters.items():
        gradient = gradients[name].mul_(clip)
        first = state.first[name].lerp_(gradient, 1 - BETAS[0])
        second = state.second[name].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        move = first / ((second / debias[1]).sqrt_() + 1e-8) * (rate / debias[0])
        parameter.mul_(1 - WEIGHT_DECAY).sub_(move)
        parameter.grad = None
        state.mean[name].lerp_(parameter, (AVERAGE + 1) / (AVERAGE + state.step))


@torch.no_grad()
def _measure(forward: Forward, parameters: Parameters, windows: Tensor) -> list[float]:
    """The validation loss of each model on windows (n, CONTEXT + 1), in nats per token."""
    parameters = {name: parameter.detach() for name, parameter in parameters.items()}
    models = len(parameters["norm"])
    # Repeated, not expanded: the layout of a training batch, so that no other is compiled for.
    parts = [forward(parameters, part.repeat(models, 1, 1)) for part in windows.split(BATCH)]
    return [round(loss, 6) for loss in torch.stack(parts).double().mean(0).tolist()]


def _evenly(text: NDArray[np.uint16]) -> Tensor:
    """VALIDATION_SEQUENCES windows, evenly spaced over the text, shape (n, CONTEXT + 1)."""
    starts = np.linspace(0, len(text) - CONTEXT - 1, VALIDATION_SEQUENCES).astype(int)
    return torch.from_numpy(np.stack([text[s : s + CONTEXT + 1] for s in starts]).astype(np.int64))


def _row(run: Run, stream: Stream, step: int, rate: float) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "stage": run.stage,
        "mixture": run.mixture,
        "seed": run.seed,
        "model_size": run.size.shape.parameters,
        "n_tokens": step * BATCH * CONTEXT,
        **{f"weight_{d}": h for d, h in zip(DOMAINS, run.weights, strict=True)},
        **{f"unique_{d}": u for d, u in zip(DOMAINS, stream.unique(), strict=True)},
        "learning_rate": rate,
    }


def _write(state: State, path: Path) -> None:
    """Keeps the state whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(vars(state), partial)
    partial.replace(path)


def _read(path: Path, device: torch.device) -> State:
    return State(**torch.load(path, map_location=device, weights_only=True))
