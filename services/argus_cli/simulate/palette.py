"""Colours of policies and variants: always the same, and told apart by the colour-blind."""

from __future__ import annotations

from collections.abc import Sequence

from argus_core.simulator.series import IDLE

INK, FAINT, GRID, PAPER = "#212529", "#6c757d", "#dee2e6", "#ffffff"
GOOD, BAD = "#0072b2", "#d55e00"
"""In time, and not."""
HELD_BY_NOBODY = "#ced4da"

POLICIES = {
    "argus": "#0072b2",
    "paper": "#d55e00",
    "pac": "#e69f00",
    "proteus": "#009e73",
    "sommelier": "#ddcc77",
    "diffserve": "#b07aa1",
    "nirvana": "#56b4e9",
    "clipper-ha": "#000000",
    "clipper-ht": "#bbbbbb",
}
"""Okabe and Ito's colours; their yellow, which cannot be seen on white, and their purple gave way
to three that stay apart from all others without red or green too."""
_OTHERS = ("#882255", "#44aa99", "#332288", "#aa4499", "#999933", "#661100")
"""Paul Tol's, for policies that are not registered, such as Argus with something left out."""
_DASHES = ("solid", "dash", "dot", "dashdot")
_LADDER = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Viridis: evenly lighter, so that a ladder is seen to go from dear to cheap."""


def policy_colour(name: str, among: Sequence[str]) -> str:
    """A registered policy's own; another's by its place among the others."""
    if name in POLICIES:
        return POLICIES[name]
    others = [other for other in among if other not in POLICIES]
    return _OTHERS[others.index(name) % len(_OTHERS)]


def policy_dash(name: str, among: Sequence[str]) -> str:
    """How its line is drawn, besides the colour: by its place."""
    return _DASHES[list(among).index(name) % len(_DASHES)]


def variant_colours(variants: Sequence[str]) -> dict[str, str]:
    """From dark to light, in the ladder's order; grey for those that hold nothing."""
    held = [name for name in variants if name != IDLE]
    places = [i / max(1, len(held) - 1) for i in range(len(held))]
    colours = {name: _between(place) for name, place in zip(held, places, strict=True)}
    return colours | ({IDLE: HELD_BY_NOBODY} if IDLE in variants else {})


def _between(place: float) -> str:
    """The colour at a place of the ladder, 0 to 1."""
    at = place * (len(_LADDER) - 1)
    low = min(int(at), len(_LADDER) - 2)
    pairs = zip(_channels(_LADDER[low]), _channels(_LADDER[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (at - low) * (b - a)):02x}" for a, b in pairs)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
