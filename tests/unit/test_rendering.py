"""The script that renders the charts says what it lacks."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_without_helm_it_says_where_to_get_one(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "manifests.py", "--check"],
        env={"PATH": str(tmp_path), "ARGUS_CLUSTER_CACHE": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "there is no helm" in line
    assert "make cluster-tools" in line
