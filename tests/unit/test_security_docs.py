"""The page on security: its commands run, and what they write is what the router reads."""

import os
import re
import subprocess
import sys
from pathlib import Path

from argus_rpc.keys import CONTROL, digest, parse_keys

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def test_keys_are_made_as_the_page_says_and_open_what_they_are_for(tmp_path):
    (commands,) = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    shown = re.findall(r"argus-\S+", done.stderr)
    tenants = parse_keys((tmp_path / "keys").read_text())
    assert [tenants[digest(key)] for key in shown] == ["shop", CONTROL]
    assert not any(key in (tmp_path / "keys").read_text() for key in shown)
