"""DiffServe: a light model draws first, a heavy one again where a discriminator is not content.

Numbers of workers and threshold are decided together from the demand: as few light workers as
carry it, and the greatest threshold at which the others can draw again all that falls below. An
image that cannot be drawn again in time stands as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, inf

from argus_core.errors import InvalidRequest
from argus_core.policies.allocation import Counts
from argus_core.policies.pace import costs
from argus_core.policies.policy import DONE, Floor, Prompt
from argus_core.policies.routed import Routed

_SLACK = 1.05
"""Times the heavy level's expected seconds, that drawing again may well take."""
_LEAST = 1e-6
"""Images a second: one light worker there must be."""


class DiffServe(Routed):
    """See the module. Its light level has a discriminator; its heavy level is the best."""

    name = "diffserve"
    headroom = 1.05

    def prepare(self) -> None:
        """Find both levels.

        Raises:
            InvalidRequest: no level but the best has a discriminator.
        """
        setting, qualities = self.setting, self.setting.qualities
        best = [max(by_level) for by_level in zip(*self.paces.values(), strict=True)]
        self.heavy = max(self.queue_of, key=lambda i: (best[i] > 0, qualities[i], best[i]))
        """Draws again."""
        judged = [i for i, said in setting.confidences.items() if said and i != self.heavy]
        if not judged:
            raise InvalidRequest.one(
                "--policy",
                "diffserve needs a level below the best whose images a discriminator judges, and"
                " this ladder has none",
            )
        self.light = max(judged, key=lambda i: (best[i] > 0, qualities[i], best[i]))
        """Draws first."""
        self.threshold = 0.0
        """An image with less confidence than this is drawn again."""
        self._confidences = sorted(setting.confidences[self.light])
        by_type = {gpu: costs(setting, gpu) for gpu in self.paces}
        first = min(cost[self.light] for cost in by_type.values())
        self._again = {
            g: first + cost[self.heavy] <= setting.deadline for g, cost in by_type.items()
        }

    def plan(self, demand: float, available: Mapping[str, int]) -> Counts:
        """As few light workers as carry the demand, where they are the best at it; heavy others."""
        left = max(demand, _LEAST)
        counts = {}
        for gpu in sorted(available, key=self._gift, reverse=True):
            count, pace = available[gpu], self.paces[gpu]
            light = 0
            if pace[self.light] > 0:
                needed = max(0, ceil(left / pace[self.light] - 1e-9))
                light = min(count, needed) if self._again[gpu] else count
                left -= light * pace[self.light]
            if light:
                counts[self.light, gpu] = light
            if count > light and pace[self.heavy] > 0:
                counts[self.heavy, gpu] = count - light
        return counts

    def _gift(self, gpu: str) -> float:
        """How much better a GPU type is at the light level than at the heavy one."""
        light, heavy = self.paces[gpu][self.light], self.paces[gpu][self.heavy]
        return light / heavy if heavy > 0 else inf

    def loads(self, capacity: Sequence[float], servers: Sequence[int]) -> Sequence[float]:
        """All to the light level while anybody serves it; sets the threshold for the rest."""
        del servers
        light, heavy = capacity[self.light], capacity[self.heavy]
        first = self.light if light > 0 else self.heavy
        arriving = max(min(self.demand, light), _LEAST)
        self.threshold = threshold(self._confidences, heavy / arriving)
        return [float(level == first) * capacity[first] for level in self.queue_of]

    def after(
        self, prompt: Prompt, level: int, confidence: float, remaining: float, floor: Floor
    ) -> int:
        """Draw again below the threshold, where that is in time."""
        del prompt
        if level != self.light or confidence >= self.threshold:
            return DONE
        heavy = self.heavy
        needed = floor.wait(self.queue_of[heavy]) + floor.seconds[heavy] * _SLACK
        return heavy if needed <= remaining else DONE


def threshold(confidences: Sequence[float], share: float) -> float:
    """The greatest threshold with at most that share of the confidences below it.

    Args:
        confidences: what the discriminator said, rising.
        share: 0 or more; infinite threshold from 1 on.
    """
    count = int(share * len(confidences) + 1e-9)
    return confidences[count] if count < len(confidences) else inf
