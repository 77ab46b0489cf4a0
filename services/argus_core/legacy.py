"""What an image leaves behind: the worth of its kept latents to those who ask for the same again.

A prompt that comes again may begin from the latents of its first picture, and lose nothing by it.
What a next time is then worth, less what it would be worth without them, is what a drawing that
keeps them is worth besides its own picture, as often as the prompt is expected to come again. Where
seconds cost nothing this is nothing: all are drawn in full anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from argus_core.choice import Candidate
from argus_core.latents import in_full, path


def with_legacy(
    candidates: Sequence[Candidate], *, uses: float, kept: Mapping[str, Sequence[int]]
) -> list[Candidate]:
    """The candidates, each with what its latents would be worth.

    Args:
        candidates: of one prompt.
        uses: times that the prompt is expected to come again.
        kept: by level: steps after which a latent would be kept.
    """
    if uses <= 0 or not kept:
        return [*candidates]
    ladder = [c.level for c in candidates]
    by_name = {c.level.name: c for c in candidates}
    open_now = [c for c in candidates if c.has_start or not c.level.skipped_steps]
    now = max((c.worth for c in open_now), default=0.0)

    def gain(drawn: Candidate) -> float:
        """Of the best next time that could begin from what this keeps."""
        steps = kept.get(drawn.level.name, ())
        nexts = [
            by_name[full.name].quality - c.price * c.seconds
            for c in candidates
            if c.level.skipped_steps in steps and path(c.level) == path(drawn.level)
            and (full := in_full(c.level, ladder)) is not None
        ]  # fmt: skip
        return max(0.0, max(nexts, default=now) - now)

    return [c._replace(legacy=uses * gain(c)) if kept.get(c.level.name) else c for c in candidates]
