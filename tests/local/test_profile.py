"""`argus profile` as it is typed, on the smallest model: stopped, gone on with, and robbed."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from argus_core.profile.document import parse_profile
from helpers import eventually
from local_support import START, Command, cluster_document

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "profiling.md").read_text()
BLOCKS = re.findall(r"^```(console|python)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
LONG = 400.0
"""Seconds for a whole profile: torch is imported twice, and more may go on on this machine."""
SMALL = ("--captions", "6", "--seeds", "2", "--starts", "2", "--samples", "1", "--batches", "1,2")


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    """Two variants and a cached level of one of them, on two workers."""
    cluster = yaml.safe_load(cluster_document("profiled"))
    first = cluster["spec"]["ladder"][0]
    cached = {**first, "name": "first-8-k4", "skippedSteps": 4, "quality": 0.95}
    cluster["spec"]["ladder"].append(cached)
    path = tmp_path_factory.mktemp("cluster") / "cluster.yaml"
    path.write_text(yaml.safe_dump(cluster))
    return path


@pytest.fixture(scope="module")
def whole(document):
    """The profile of a run that nothing happened to."""
    out = document.with_name("whole.json")
    said = asyncio.run(finished(document.parent, *arguments(document, out)))
    assert f"Wrote {out}" in said
    assert out.with_suffix(".md").exists()
    assert out.with_suffix(".png").exists()
    assert kept(out) == []
    return out


def arguments(document, out):
    return ("profile", "-f", str(document), *SMALL, "--out", str(out))


async def finished(folder, *arguments):
    """Run an `argus` command to its end; returns what it printed."""
    command = await Command.start(folder, *arguments)
    try:
        assert await command.ended(LONG) == 0, command.output
    finally:
        await command.abandon()
    return command.output


def kept(out):
    """Pieces that the journal keeps."""
    journal = out.with_name(out.name + ".journal")
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [json.loads(line)["key"] for line in lines[1:] if line.endswith("}")]


def judged(out):
    found = parse_profile(json.loads(out.read_text()))
    return found.quality, found.starts


async def test_stopped_and_gone_on_with_it_ends_with_the_same(tmp_path, document, whole):
    out = tmp_path / "parts.json"
    command = await Command.start(tmp_path, *arguments(document, out))
    try:
        await eventually(lambda: any('"draw"' in key for key in kept(out)), timeout=START)
        command.signal(signal.SIGINT)
        assert await command.ended() == 130, command.output
    finally:
        await command.abandon()
    assert "the same command goes on from here" in command.output
    assert not out.exists()
    before = kept(out)
    assert before
    await finished(tmp_path, *arguments(document, out))
    assert judged(out) == judged(whole)


async def test_a_worker_killed_meanwhile_changes_nothing(tmp_path, document, whole):
    out = tmp_path / "robbed.json"
    command = await Command.start(tmp_path, *arguments(document, out))
    try:
        await eventually(lambda: any('"draw"' in key for key in kept(out)), timeout=START)
        worker = next(p for p in command.descendants if "argus_worker" in " ".join(p.cmdline()))
        worker.kill()
        assert await command.ended(LONG) == 0, command.output
    finally:
        await command.abandon()
    assert judged(out) == judged(whole)


async def test_an_unknown_metric_is_told_before_anything_is_measured(tmp_path, document):
    out = tmp_path / "profile.json"
    command = await Command.start(tmp_path, *arguments(document, out), "--metric", "taste")
    assert await command.ended() == 1
    assert "taste" in command.output
    assert kept(out) == []


def test_the_examples_of_the_page_run_one_after_the_other(tmp_path):
    for entry in ROOT.iterdir():
        if entry.name not in {"out", ".git"}:
            (tmp_path / entry.name).symlink_to(entry)
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    assert len(BLOCKS) == 3
    for language, block in BLOCKS:
        commands = "\n".join(re.findall(r"^\$ (.+)$", block, re.MULTILINE))
        run = ["bash", "-euc", commands] if language == "console" else [sys.executable, "-c", block]
        done = subprocess.run(
            run, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "small.json", "small.md", "small.png",
    }  # fmt: skip
