"""A small table and a fit of its domains, for tests of commands that are quick or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from random_fits import additive

from mixfit import save_fit

if TYPE_CHECKING:
    from pathlib import Path


def write_inputs(folder: Path) -> None:
    """Write a table of 18 rows, and a fit of an additive law of its two domains."""
    lines = ["weight_web,weight_code,model_size,n_tokens,web_loss,code_loss"]
    for web in (0.25, 0.5, 0.75):
        for size in (5e7, 1e8, 2e8):
            for tokens in (1e9, 4e9):
                loss = 2 + web * (1 - web) + 40 / size**0.3 + 300 / tokens**0.3
                row = web, 1 - web, size, tokens, loss, loss + 0.1 * web
                lines.append(",".join(f"{number:.6g}" for number in row))
    (folder / "runs.csv").write_text("\n".join(lines) + "\n")
    C, gamma = {"web": [0.9, 0.4], "code": [0.3, 0.8]}, {"web": [0.5, 0.6], "code": [0.7, 0.5]}
    save_fit(additive(C, gamma, ("web", "code")), folder / "fit.yaml")
