"""Long prompts are read in windows, and what is left out is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, kw_only=True)
class Windows:
    """A prompt's tokens, special ones not among them, as they are read."""

    parts: tuple[tuple[int, ...], ...]
    """At least one, in order; only a prompt without tokens has an empty one."""
    left_out: int
    """Tokens at the end that are not read."""

    @property
    def weights(self) -> tuple[float, ...]:
        """Share of the tokens read that is in each part; they sum to 1."""
        total = sum(map(len, self.parts))
        return tuple(len(part) / total for part in self.parts) if total else (1.0,)


def split(tokens: Sequence[int], *, width: int, most: int) -> Windows:
    """Windows of up to `width` tokens, as even as can be, and up to `most` of them."""
    read = tokens[: width * most]
    count = max(1, -(-len(read) // width))
    edges = [round(len(read) * at / count) for at in range(count + 1)]
    parts = tuple(tuple(read[a:b]) for a, b in pairwise(edges))
    return Windows(parts=parts, left_out=len(tokens) - len(read))
