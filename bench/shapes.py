"""The small models that come with Argus: measured quality and times, under the paper's bursts.

python bench/shapes.py
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from support import asked as options
from support import shapes
from support.asked import Asked
from support.experiment import Experiment, run
from support.parts import Part


def parts(asked: Asked) -> list[Part]:
    """Four workers under the whole wave."""
    seconds = 3.0 if asked.quick else None
    return [Part(name="bursts", build=partial(shapes.scenario, seconds=seconds), bound=True)]


def main(argv: Sequence[str] | None = None) -> None:
    asked = options.read(argv, name="shapes", about=__doc__.splitlines()[0])
    question = "what do policies make of bursts, on a ladder that was measured throughout?"
    run(Experiment(question=question, parts=parts(asked)), asked)


if __name__ == "__main__":
    main()
