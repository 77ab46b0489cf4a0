"""Recorded loads on SDXL and its faster kin: a Twitter stream at three loads, and GenTD26.

The ladder and what is assumed of it are in `support/sdxl.py`.

    python bench/traces.py
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from support import asked as options
from support import gentd, twitter
from support.asked import Asked
from support.experiment import Experiment, run
from support.parts import Part


def parts(asked: Asked) -> list[Part]:
    """The stream at each load, and the production service."""
    if asked.quick:
        return [
            Part(name="twitter-low", build=partial(twitter.scenario, rate=0.5), bound=True),
            Part(name="gentd26", build=partial(gentd.scenario, rate=1.0, seconds=60.0), bound=True),
        ]
    streams = [
        Part(name=f"twitter-{load}", build=partial(twitter.scenario, load=load), bound=True)
        for load in twitter.LOADS
    ]
    return [*streams, Part(name="gentd26", build=gentd.scenario, bound=True)]


def main(argv: Sequence[str] | None = None) -> None:
    asked = options.read(argv, name="traces", about=__doc__.splitlines()[0])
    question = "what do policies make of recorded loads, on SDXL and its faster kin?"
    run(Experiment(question=question, parts=parts(asked)), asked)


if __name__ == "__main__":
    main()
