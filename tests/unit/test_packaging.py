"""What an installation brings with it, asked of the resolver rather than of this environment."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def resolved(extra):
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("there is no uv to resolve with")
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    command += ["--constraints", "constraints.txt", "--extra", extra, "pyproject.toml"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return {line.partition("==")[0] for line in done.stdout.splitlines() if "==" in line}


@pytest.mark.parametrize("extra", ["operator", "router", "console"])
def test_the_light_services_bring_no_torch(extra):
    packages = resolved(extra)
    assert "grpcio" in packages
    assert not {name for name in packages if name.startswith(("torch", "nvidia", "diffusers"))}


def test_the_client_brings_neither_torch_nor_a_web_server():
    packages = resolved("client")
    assert {"grpcio", "protobuf"} <= packages
    heavy = ("torch", "nvidia", "aiohttp", "numpy", "pillow")
    assert not {name for name in packages if name.startswith(heavy)}


def test_the_worker_brings_torch():
    assert {"torch", "diffusers"} <= resolved("worker")


def test_constraints_name_versions_and_no_host():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all("==" in line for line in lines if not line.startswith("#"))
    assert not [line for line in lines if "//" in line]
