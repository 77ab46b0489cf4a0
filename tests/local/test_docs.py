"""Every example in the docs is run as it stands, against a cluster that `argus up` keeps."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("docs/draw.md", "docs/load.md", "docs/one-machine.md", "docs/why.md")
BIN = Path(sys.executable).parent
START = 240.0
EXAMPLE = 180.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def examples():
    for page in PAGES:
        text = (ROOT / page).read_text()
        for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            if language == "console":
                commands = re.findall(r"^\$ (.+)$", block, re.MULTILINE)
                yield from ((page, "bash", line) for line in commands if line != "argus up")
            elif language != "text":
                yield page, language, block


EXAMPLES = list(examples())


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment of a shell beside a running `argus up`."""
    runtime = tmp_path_factory.mktemp("runtime")
    path = f"{BIN}:{os.environ['PATH']}"
    env = {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "PATH": path}
    log = (runtime / "up.log").open("wb")
    up = subprocess.Popen([BIN / "argus", "up"], env=env, stdout=log, stderr=log)
    try:
        yield env | addresses(up, runtime)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(EXAMPLE)
        assert up.returncode == 0, (runtime / "up.log").read_text()


def addresses(up, runtime):
    ends = time.monotonic() + START
    while time.monotonic() < ends and up.poll() is None:
        for path in (runtime / "argus").glob("*.json"):
            running = json.loads(path.read_text())
            env = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
            status = subprocess.run(
                [BIN / "argus", "status", "--json"], env=env, capture_output=True, check=False
            )
            if status.returncode == 0 and status.stdout.count(b"WORKER_PHASE_READY") == 2:
                return {"ARGUS_URL": running["http"], "ARGUS_GRPC": running["grpc"]}
        time.sleep(0.5)  # between looks; the condition above ends the wait
    raise AssertionError(f"argus up was not ready:\n{(runtime / 'up.log').read_text()}")


@pytest.mark.parametrize(("page", "language", "code"), EXAMPLES, ids=lambda value: value[:40])
def test_an_example_of_the_docs_runs(environment, tmp_path, page, language, code):
    command = {"bash": ["bash", "-euc", code], "python": [sys.executable, "-c", code]}[language]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, timeout=EXAMPLE, check=False
    )
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    for name in re.findall(r"(?:-o |save\(\"|open\(\")(\S+?\.png)", code):
        stem = name.removesuffix(".png")
        assert list(tmp_path.glob(f"{stem}*.png")), f"{name} was not written"
    if "curl" in code:
        assert json.loads(done.stdout)["data"][0]["b64_json"]


def test_every_kind_of_example_was_found():
    assert {language for _, language, _ in EXAMPLES} == {"bash", "python"}
    assert len(EXAMPLES) >= 8
