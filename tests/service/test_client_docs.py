"""Every example of the pages about clients and interfaces runs as it stands, on a real router."""

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from router_support import PNG, ScriptedWorker, staged

ROOT = Path(__file__).parents[2]
PAGES = ("client.md", "api.md")
GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"
BIN = ROOT / ".cache" / "bin"
BUILD = 500.0
"""Seconds that grpcurl may take to be built, once."""
EXAMPLES = [
    example
    for page in PAGES
    for example in re.findall(
        r"^```(\w+)\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.DOTALL | re.MULTILINE
    )
]
PATHS = os.pathsep.join(str(ROOT / room) for room in ("models", "services", "operator"))

pytestmark = pytest.mark.timeout(600)


async def run(*command, timeout=100.0, **options):
    """A program's output; it must end well."""
    child = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        **options,
    )
    try:
        out, err = await asyncio.wait_for(child.communicate(), timeout)
    finally:
        if child.returncode is None:
            child.kill()
    assert child.returncode == 0, out.decode() + err.decode()
    return out.decode()


async def tools():
    """A PATH with grpcurl on it, built by go where there is none."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    if shutil.which("grpcurl", path=path) is None:
        go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
        if go is None:
            pytest.skip("there is neither grpcurl nor a go to build it with")
        env = {**os.environ, "GOBIN": str(BIN), "GOFLAGS": "-mod=mod"}
        await run(go, "install", GRPCURL, env=env, timeout=BUILD)
    return path


@pytest.mark.parametrize(("language", "code"), EXAMPLES, ids=lambda value: value[:30])
async def test_an_example_runs_as_it_stands(tmp_path, language, code):
    worker = ScriptedWorker("w0", "large", "tiny", slots=4)
    worker.automatic = True
    path = await tools() if "grpcurl" in code else os.environ["PATH"]
    async with staged(worker) as stage:
        env = {
            **os.environ,
            "ARGUS_GRPC": stage.grpc,
            "ARGUS_URL": stage.http,
            "PATH": path,
            "PYTHONPATH": PATHS,
        }
        command = {"bash": ("bash", "-euc"), "python": (sys.executable, "-c")}[language]
        said = await run(*command, code, cwd=tmp_path, env=env)
    assert worker.calls, "nothing was asked of the worker"
    for name in re.findall(r"(?:save\(f?\"|open\(\")(\S+?\.png)", code):
        pattern = re.sub(r"\{.*?\}", "*", name)
        written = list(tmp_path.glob(pattern))
        assert written, f"{name} was not written"
        assert all(file.read_bytes().startswith(PNG) for file in written)
    if "grpcurl" in code:
        assert '"result"' in said
        assert '"options"' in said
    elif language == "bash":
        assert json.loads(said)["data"][0]["b64_json"]


def test_every_way_has_its_example():
    for word in ("Client(", "AsyncClient(", "OpenAI(", "curl --silent", "grpcurl "):
        assert any(word in code for _, code in EXAMPLES), word
