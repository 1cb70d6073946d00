"""Decoder-only transformers of one shape, many of them computed together.

Every tensor has a leading axis for the M models of a group, and matrix products are batched over
it. LLaMA-like: pre-norm with RMSNorm, rotary positions, no biases, input and output embeddings
apart; the feed-forward part is two matrices with a squared ReLU between them.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

DEPTH = 4
CONTEXT = 128
HEAD = 16
ROTARY_BASE = 1000.0


@dataclass(frozen=True)
class Shape:
    """The shape of a model; only the width differs between sizes, as in the paper."""

    width: int
    vocabulary: int

    @property
    def parameters(self) -> int:
        """N: parameters without the two embeddings."""
        return 12 * DEPTH * self.width**2 + (2 * DEPTH + 1) * self.width


Parameters = dict[str, Tensor]


def initial(shape: Shape, seeds: list[int]) -> Parameters:
    """Parameters of len(seeds) models, each drawn with its own seed.

    Matrices are normal with variance 1 / fan-in, those which end a block divided by sqrt(2 DEPTH).
    """
    width, vocabulary = shape.width, shape.vocabulary
    ends = width**-0.5 / (2 * DEPTH) ** 0.5
    shapes: dict[str, tuple[tuple[int, int], float]] = {
        "embedding": ((vocabulary, width), 0.1),
        "output": ((width, vocabulary), 0.02),
    }
    for i in range(DEPTH):
        shapes[f"{i}.qkv"] = (width, 3 * width), width**-0.5
        shapes[f"{i}.attended"] = (width, width), ends
        shapes[f"{i}.up"] = (width, 4 * width), width**-0.5
        shapes[f"{i}.down"] = (4 * width, width), ends / 2
    parameters = {}
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    for name, (size, scale) in shapes.items():
        drawn = [torch.randn(size, generator=generator) for generator in generators]
        parameters[name] = torch.stack(drawn) * scale
    for name in [f"{i}.{norm}" for i in range(DEPTH) for norm in ("norm1", "norm2")] + ["norm"]:
        parameters[name] = torch.ones(len(seeds), 1, width)
    return parameters


def losses(parameters: Parameters, windows: Tensor) -> Tensor:
    """The mean of `token_losses` for each model, shape (M,)."""
    return token_losses(parameters, windows).mean((1, 2))


def token_losses(parameters: Parameters, windows: Tensor) -> Tensor:
    """The cross-entropy of every token but the first in nats, shape (M, B, CONTEXT).

    Args:
        parameters: Of M models, as from `initial`.
        windows: Tokens, shape (M, B, CONTEXT + 1): each predicts the next.
    """
    models, batch, _ = windows.shape
    _, vocabulary, width = parameters["embedding"].shape
    flat = (models, batch * CONTEXT)
    offsets = torch.arange(models, device=windows.device)[:, None, None] * vocabulary
    table = parameters["embedding"].reshape(-1, width)
    x = F.embedding((windows[..., :-1] + offsets).reshape(flat), table)
    cosine, sine = _rotation(windows.device)
    for i in range(DEPTH):
        qkv = torch.bmm(_normed(x, parameters[f"{i}.norm1"]), parameters[f"{i}.qkv"])
        q, k, v = qkv.view(models * batch, CONTEXT, 3, -1, HEAD).permute(2, 0, 3, 1, 4)
        q, k = _rotated(q, cosine, sine), _rotated(k, cosine, sine)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        attended = attended.transpose(1, 2).reshape(*flat, width)
        x = x + torch.bmm(attended, parameters[f"{i}.attended"])
        up = torch.bmm(_normed(x, parameters[f"{i}.norm2"]), parameters[f"{i}.up"])
        x = x + torch.bmm(F.relu(up).square(), parameters[f"{i}.down"])
    logits = torch.bmm(_normed(x, parameters["norm"]), parameters["output"])
    entropy = F.cross_entropy(
        logits.view(-1, vocabulary), windows[..., 1:].reshape(-1), reduction="none"
    )
    return entropy.view(models, batch, CONTEXT)


def _normed(x: Tensor, gain: Tensor) -> Tensor:
    """RMSNorm over the last axis; `gain` has the shape (M, 1, width)."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * gain


def _rotation(device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary positions, each of shape (CONTEXT, HEAD / 2)."""
    frequencies = ROTARY_BASE ** (-torch.arange(HEAD // 2, device=device) / (HEAD // 2))
    angles = torch.arange(CONTEXT, device=device)[:, None] * frequencies
    return angles.cos(), angles.sin()


def _rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, b * cosine + a * sine], -1)
