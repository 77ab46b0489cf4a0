"""When those who do not answer are asked again: where all are away, to ask costs as well."""

from __future__ import annotations

import asyncio


class Pacing:
    """Shared by all that ask in vain in a process: the more they are, the later each asks again.

    A thousand that are asked twice a second are all that a process does; it would not even renew
    its lease.
    """

    def __init__(self, *, a_second: float = 100.0) -> None:
        """`a_second`: how often all of them may ask, together."""
        self._a_second = a_second
        self.resting = 0
        """Those that wait until they may ask."""

    def pause(self, least: float) -> float:
        """Seconds, `least` or more, that one waits where so many wait already."""
        return max(least, self.resting / self._a_second)

    async def rest(self, least: float) -> None:
        """Return when one may ask again."""
        self.resting += 1
        try:
            await asyncio.sleep(self.pause(least))
        finally:
            self.resting -= 1
