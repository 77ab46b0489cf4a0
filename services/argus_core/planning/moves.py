"""Which workers switch, and how it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from argus_core.planning.plan import Move
from argus_core.planning.program import Ints, Program
from argus_core.spread import Loadout


def moves(program: Program, workers: Ints) -> tuple[Move, ...]:
    """The switches that lead from what is held to `workers`, by pool.

    Within a pool those that give up are paired with those that take, both in the rows' order;
    workers that hold nothing come first.
    """
    found: list[Move] = []
    for g, pool in enumerate(program.problem.pools):
        mine = [c for c in range(len(program.rows)) if program.pool_of[c] == g]
        empty = pool.available - sum(int(program.held[c]) for c in mine)
        giving: list[tuple[Loadout, int]] = [((), empty)]
        giving += [(program.rows[c].loadout, int(program.held[c] - workers[c])) for c in mine]
        taking = [(program.rows[c].loadout, int(workers[c] - program.held[c])) for c in mine]
        taking.append(((), pool.available - sum(int(workers[c]) for c in mine)))
        found += _paired(pool.name, giving, taking)
    return tuple(found)


def told(switched: Sequence[Move]) -> str:
    """The moves in words, the largest three; empty where there are none."""
    if not switched:
        return ""
    ranked = sorted(switched, key=lambda move: -move.workers)
    parts = [_one(move) for move in ranked[:3]]
    if rest := sum(move.workers for move in ranked[3:]):
        parts.append(f"{rest} more")
    return "moves " + ", ".join(parts)


def label(loadout: Loadout) -> str:
    """A loadout in words."""
    return "+".join(loadout) or "nothing"


def _one(move: Move) -> str:
    noun = "worker" if move.workers == 1 else "workers"
    return f"{move.workers} {noun} of {move.pool} from {label(move.before)} to {label(move.after)}"


def _paired(
    pool: str, giving: list[tuple[Loadout, int]], taking: list[tuple[Loadout, int]]
) -> list[Move]:
    before = [loadout for loadout, count in giving for _ in range(count)]
    after = [loadout for loadout, count in taking for _ in range(count)]
    counts = Counter(pair for pair in zip(before, after, strict=True) if pair[0] != pair[1])
    return [
        Move(pool=pool, workers=count, before=old, after=new)
        for (old, new), count in counts.items()
    ]
