"""Prints what an extra of pyproject.toml needs, a line each: `requirements.py router`.

The packages of an image stand in a layer below the code, which changes more often; so pip must
know them without the code.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

_OWN = re.compile(r"^argus-serving\[(.+)\]$")


def requirements(project: dict[str, object], extra: str) -> set[str]:
    """Those of Argus itself and of the extra, with the extras that it names."""
    table = project["project"]
    assert isinstance(table, dict)
    found = set(table["dependencies"])
    for requirement in table["optional-dependencies"][extra]:
        if own := _OWN.match(requirement):
            for name in own[1].split(","):
                found |= requirements(project, name)
        else:
            found.add(requirement)
    return found


if __name__ == "__main__":
    print(
        *sorted(requirements(tomllib.loads(Path(sys.argv[2]).read_text()), sys.argv[1])), sep="\n"
    )
