"""One byte-level BPE tokenizer for all domains, and the text as arrays of tokens."""

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray
from text import DOMAINS, OUTSIDE, documents, fetch, is_validation
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

VOCABULARY = 1024
#: Training characters of each domain that the tokenizer sees, as many of each.
TOKENIZER_SAMPLE = 2_000_000
#: Ends every document.
END = "<|end|>"


@dataclass(frozen=True)
class Tokens:
    """The text as tokens (uint16): to train on by domain, and to validate on by target."""

    train: dict[str, NDArray[np.uint16]]
    validation: dict[str, NDArray[np.uint16]]


def prepare(work: Path) -> dict[str, object]:
    """Fetches the text, trains the tokenizer and writes the token arrays to `work`/tokens.

    Returns:
        What was read: packages and their versions, bytes, documents and tokens of each domain, and
        checksums of the token arrays. Kept as `work`/tokens/text.json; where that exists, it is
        returned and nothing is done.
    """
    folder = work / "tokens"
    record = folder / "text.json"
    if record.exists():
        return json.loads(record.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    everything = DOMAINS | OUTSIDE
    packages = {name: [fetch(s.package, work) for s in all_] for name, all_ in everything.items()}

    tokenizer = tokenizers.Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample(work), trainer)
    tokenizer.save(str(folder / "tokenizer.json"))

    end = tokenizer.token_to_id(END)
    described: dict[str, object] = {}
    for name, sources in everything.items():
        parts: dict[str, list[NDArray[np.uint16]]] = {"train": [], "validation": []}
        sizes = {"train": 0, "validation": 0}
        for path, text in documents(sources, work):
            split = "validation" if name in OUTSIDE or is_validation(path) else "train"
            parts[split].append(np.array([*tokenizer.encode(text).ids, end], dtype=np.uint16))
            sizes[split] += len(text.encode())
        described[name] = {"packages": packages[name]}
        for split, arrays in parts.items():
            if arrays:
                tokens = np.concatenate(arrays)
                np.save(folder / f"{name}.{split}.npy", tokens)
                described[name][split] = {  # type: ignore[index]
                    "documents": len(arrays),
                    "bytes": sizes[split],
                    "tokens": len(tokens),
                    "sha256": hashlib.sha256(tokens.tobytes()).hexdigest(),
                }
    result = {
        "vocabulary": VOCABULARY,
        "versions": {"python": platform.python_version(), "tokenizers": tokenizers.__version__},
        "text": described,
    }
    record.write_text(json.dumps(result, indent=1) + "\n")
    return result


def load(work: Path) -> Tokens:
    """The token arrays that `prepare` wrote."""
    folder = work / "tokens"
    return Tokens(
        {name: np.load(folder / f"{name}.train.npy") for name in DOMAINS},
        {name: np.load(folder / f"{name}.validation.npy") for name in [*DOMAINS, *OUTSIDE]},
    )


def _sample(work: Path) -> Iterator[str]:
    """Training documents of every domain, TOKENIZER_SAMPLE characters of each."""
    for sources in DOMAINS.values():
        left = TOKENIZER_SAMPLE
        for path, text in documents(sources, work):
            if left > 0 and not is_validation(path):
                yield text[:left]
                left -= len(text)
