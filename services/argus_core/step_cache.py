"""How a level skips work within its steps: `taylorseer:interval=5,order=1,warmup=3`, in short.

Which steps are computed in full depends on their number alone, never on what is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

PATTERN = r"^(magcache|taylorseer)(:[a-z]+=[0-9.]+(,[a-z]+=[0-9.]+)*)?$"

Number = Callable[[str], float]
_METHODS: dict[str, dict[str, tuple[Number, float, float, float]]] = {
    "magcache": {
        # type, default, least, most; defaults are diffusers' own
        "threshold": (float, 0.06, 0.0, 1.0),
        "skips": (int, 3, 1, 16),
        "retention": (float, 0.2, 0.0, 1.0),
    },
    "taylorseer": {
        "interval": (int, 5, 2, 16),
        "order": (int, 1, 1, 4),
        "warmup": (int, 3, 1, 100),
    },
}


@dataclass(frozen=True)
class StepCache:
    """A method and its numbers, all of them."""

    method: str
    values: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        """In canonical form."""
        return f"{self.method}:" + ",".join(f"{name}={value:g}" for name, value in self.values)

    def __getitem__(self, name: str) -> float:
        """A number."""
        return dict(self.values)[name]


def parse(text: str) -> StepCache:
    """What the text says, with defaults for the rest.

    Raises:
        ValueError: it is of no method, or a number is unknown or out of bounds.
    """
    if not re.fullmatch(PATTERN, text):
        raise ValueError(f"must be like taylorseer:interval=5,order=1, is {text!r}")
    method, _, rest = text.partition(":")
    known = _METHODS[method]
    given = dict(item.split("=") for item in rest.split(",") if item)
    if unknown := sorted(given.keys() - known.keys()):
        raise ValueError(f"{method} has no {unknown[0]!r}; it has {', '.join(known)}")
    values = []
    for name, (kind, default, least, most) in known.items():
        try:
            value = kind(given[name]) if name in given else default
        except ValueError as error:
            raise ValueError(f"{name} must be a number, is {given[name]}") from error
        if not least <= value <= most:
            raise ValueError(f"{name} must be {least:g} to {most:g}, is {value:g}")
        values.append((name, value))
    return StepCache(method, tuple(values))
