"""A lock that is handed over in turn."""

from __future__ import annotations

import threading


class Turns:
    """Mutual exclusion in which one who lets go and asks again does not overtake one who waits.

    A plain lock lets a thread that works in a loop starve another for many rounds. Here whoever
    waits stands in the door, and the one who comes back waits outside.
    """

    def __init__(self) -> None:
        self._door, self._room = threading.Lock(), threading.Lock()

    def __enter__(self) -> None:
        with self._door:
            self._room.acquire()

    def __exit__(self, *_: object) -> None:
        self._room.release()
