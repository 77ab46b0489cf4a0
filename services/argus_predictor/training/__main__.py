"""`python -m argus_predictor.training`: train a head in a process of its own.

Ends with 0 where a head was written, 3 where the one in place is as good, 1 for errors. Prints one
line of JSON: `version`, `written`, `reason`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from argus_core.errors import ArgusError
from argus_predictor.encoder import DEFAULT
from argus_predictor.status import NOT_BETTER, WRITTEN
from argus_predictor.training.command import run


def main() -> int:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(prog="argus_predictor.training", description=__doc__)
    parser.add_argument("profile", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the head's directory")
    parser.add_argument("--labels", type=Path, help="JSON lines")
    parser.add_argument("--against", type=Path, help="a head's directory; else what is in --out")
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    try:
        outcome = run(
            asked.profile, asked.out, labels=asked.labels, against=asked.against,
            encoder=asked.encoder, seed=asked.seed,
        )  # fmt: skip
    except ArgusError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    reason = outcome.comparison.reason
    print(json.dumps({"version": outcome.version, "written": outcome.written, "reason": reason}))
    return WRITTEN if outcome.written else NOT_BETTER


if __name__ == "__main__":
    sys.exit(main())
