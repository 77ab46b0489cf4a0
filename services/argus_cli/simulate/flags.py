"""The options that `argus simulate` and `argus compare` share, as typer reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Trace = Annotated[
    str,
    typer.Option(
        help="CSV of arrivals or of rates; or a look-alike: bursty, azure, twitter, gentd, day, "
        "constant.",
        metavar="FILE|NAME",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        help="Mean requests a second of the whole trace; else as recorded, or for a look-alike "
        "what the workers carry at the best level."
    ),
]
Duration = Annotated[
    str | None,
    typer.Option(
        help="Cut a trace off after this time, or press a look-alike into it; else all of a "
        "trace, and 10m of a look-alike."
    ),
]
Speed = Annotated[
    float | None,
    typer.Option(help="Tell a trace so many times as fast; a look-alike is then cut, not pressed."),
]
Slo = Annotated[str | None, typer.Option(help="Deadline, such as 8s; else the document's.")]
Workers = Annotated[int | None, typer.Option(help="Workers of the pool; else the document's.")]
Pool = Annotated[str | None, typer.Option(help="Pool that --workers is about; else the first.")]
File = Annotated[
    Path | None,
    typer.Option("-f", "--file", help="ArgusCluster document; the small studio without one."),
]
Qualities = Annotated[
    Path | None,
    typer.Option(
        help="CSV of true qualities, a column a level and a row a prompt; else prompts are made "
        "up around the ladder's."
    ),
]
Profile = Annotated[
    Path | None,
    typer.Option(
        help="What `argus profile` measured: seconds, qualities of prompts, and time to load a "
        "variant, in place of the document's."
    ),
]
Spread = Annotated[
    float,
    typer.Option(help="How much made-up prompts differ: 0 not at all, 0.95 as much as can be."),
]
Correlation = Annotated[
    float, typer.Option(help="Of predicted with true quality, over prompts: 0 to 1.")
]
Variation = Annotated[float, typer.Option(help="Coefficient of variation of a level's seconds.")]
Switch = Annotated[
    list[str] | None,
    typer.Option(
        help="Time to load a variant; of every variant without a name. May be given again. "
        "Nothing if not told.",
        metavar="[VARIANT=]TIME",
    ),
]
Interval = Annotated[str, typer.Option(help="Between two turns of the control loop.")]
Retries = Annotated[int, typer.Option(help="How often a refused client comes again.")]
Seed = Annotated[int, typer.Option(help="For everything left to chance; the first of several.")]
Out = Annotated[Path | None, typer.Option(help="Folder for figures as JSON, a picture and a page.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
