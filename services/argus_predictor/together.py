"""Answers in one go what waits together: reading many prompts at once costs less than one by one.

Model: who comes enters, from the event loop; whose turn it is on the thread answers for those that
wait behind, too, and they find their answer when their turn comes. So there is no waiting for a
batch to fill: it is what is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

MOST = 16
"""Answered in one go; more gain nothing (bench/predictor.py)."""


@dataclass(eq=False)
class _Entry(Generic[Q, A]):
    question: Q
    answer: A | None = None
    is_wanted: bool = True


class Together(Generic[Q, A]):
    """See the module."""

    def __init__(self, answer: Callable[[Sequence[Q]], Sequence[A]], *, most: int = MOST) -> None:
        """`answer` has an answer for each question, in their order."""
        self._answer, self._most = answer, most
        self._waiting: deque[_Entry[Q, A]] = deque()

    @contextmanager
    def entered(self, question: Q) -> Iterator[Callable[[], A]]:
        """While this lasts, others may answer it; yields what has it answered, for the thread."""
        entry = _Entry[Q, A](question)
        self._waiting.append(entry)
        try:
            yield lambda: self._answered(entry)
        finally:
            entry.is_wanted = False

    def _answered(self, entry: _Entry[Q, A]) -> A:
        if entry.answer is None:
            some = [entry, *self._others(entry)]
            answers = self._answer([one.question for one in some])
            for one, answer in zip(some, answers, strict=True):
                one.answer = answer
        assert entry.answer is not None, "just answered"
        return entry.answer

    def _others(self, entry: _Entry[Q, A]) -> list[_Entry[Q, A]]:
        """That wait, and are not answered yet."""
        found: list[_Entry[Q, A]] = []
        while self._waiting and len(found) < self._most - 1:
            other = self._waiting.popleft()
            if other is not entry and other.is_wanted:
                found.append(other)
        return found
