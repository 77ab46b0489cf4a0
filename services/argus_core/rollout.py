"""Which workers switch next, when a plan asks for many: a few at a time, and never all.

Pure: it is asked again whenever a worker's state has changed, until nobody has to switch.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from argus_core.spread import Loadout
from argus_core.states import WorkerPhase

_SHARE = 4
"""At most one worker in so many switches at a time; but one may."""
_ON_THE_WAY = (WorkerPhase.STARTING, WorkerPhase.DRAINING, WorkerPhase.LOADING)


@dataclass(frozen=True, kw_only=True)
class Post:
    """A worker as it is, and what it shall hold."""

    phase: WorkerPhase | None
    """None for one that is lost, and will be started again."""
    assigned: Loadout
    """What it holds, or was told to."""
    wanted: Loadout
    busy: int = 0
    """Images that it draws."""


def next_switches(posts: Mapping[str, Post]) -> list[str]:
    """Who shall be told to switch now, by name.

    The last worker that is ready goes only where no other is about to be. Those that failed go
    first, as nothing is lost by it, then the least busy, then in the order given.
    """
    phases = [post.phase for post in posts.values()]
    switching = sum(phase in _ON_THE_WAY for phase in phases)
    coming = switching + phases.count(None)
    ready = phases.count(WorkerPhase.READY)
    left = max(1, len(posts) // _SHARE) - switching
    told: list[str] = []
    for name in sorted(posts, key=lambda n: (_is_ready(posts[n]), posts[n].busy)):
        post = posts[name]
        may = post.phase in (WorkerPhase.READY, WorkerPhase.FAILED)
        if len(told) >= left or not may or post.assigned == post.wanted:
            continue
        if _is_ready(post):
            if ready == 1 and coming + len(told):
                continue
            ready -= 1
        told.append(name)
    return told


def waiting(posts: Mapping[str, Post], told: Container[str]) -> dict[str, Loadout]:
    """Who serves and is yet to be told to switch, with what it will hold.

    `told` are those who are told now.
    """
    return {
        name: post.wanted
        for name, post in posts.items()
        if _is_ready(post) and post.assigned != post.wanted and name not in told
    }


def _is_ready(post: Post) -> bool:
    return post.phase is WorkerPhase.READY
