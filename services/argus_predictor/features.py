"""What a head reads of a prompt besides its embedding: counts, and words that training knew.

Nothing here knows any one language of prompts: the words are learnt from the training prompts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

COUNTS = ("words", "characters", "commas", "numbers", "number words", "joining words", "unknown")
"""The columns before the words'; `unknown` is the share of words that training never saw."""

_TOKENS = re.compile(r"\w+|[^\w\s]")
_NUMBERS = frozenset(
    ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "dozen", "several")
)
_JOINING = frozenset(
    ("and", "or", "with", "of", "in", "on", "by", "from", "under", "over", "above", "below")
)
_MOST_TOKENS = 512
"""Of a prompt that are read; no encoder reads more."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The words that have columns of their own. Pairs of neighbours were tried, and did harm."""

    words: tuple[str, ...]

    @classmethod
    def learnt(cls, prompts: Sequence[str], *, least: int = 4, most: int = 1024) -> Vocabulary:
        """Of those in at least `least` prompts the `most` common, ties by the alphabet."""
        counts = Counter(word for prompt in prompts for word in set(tokens(prompt)))
        common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
        return cls(words=tuple(sorted(word for word, count in common if count >= least)))

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {word: column for column, word in enumerate(self.words, start=len(COUNTS))}

    def __len__(self) -> int:
        """Columns of a prompt's row."""
        return len(COUNTS) + len(self.words)

    def features(self, prompts: Sequence[str]) -> Floats:
        """A row a prompt: `COUNTS`, then how often each word is in it."""
        rows = np.zeros((len(prompts), len(self)), np.float32)
        columns = self._columns
        for row, prompt in zip(rows, prompts, strict=True):
            words = tokens(prompt)
            for word in words:
                if (column := columns.get(word)) is not None:
                    row[column] += 1
            row[: len(COUNTS)] = _counts(prompt, words, columns)
        return rows


def tokens(prompt: str) -> list[str]:
    """Words and punctuation in lower case; 512 at most."""
    return _TOKENS.findall(normalize("NFKC", prompt).lower())[:_MOST_TOKENS]


def _counts(prompt: str, words: Sequence[str], known: dict[str, int]) -> tuple[float, ...]:
    unknown = sum(word not in known for word in words)
    return (
        len(words),
        min(len(prompt), 8192) / 8,
        words.count(","),
        sum(word.isdigit() for word in words),
        sum(word in _NUMBERS for word in words),
        sum(word in _JOINING for word in words),
        unknown / max(1, len(words)),
    )
