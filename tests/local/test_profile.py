"""`argus profile` as it is typed, on the smallest model: stopped, gone on with, and robbed."""

import json
import signal

import pytest
import yaml

from argus_core.profile.document import parse_profile
from helpers import eventually
from local_support import START, Command, argus, cluster_document

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SMALL = ("--captions", "10", "--seeds", "2", "--starts", "3", "--samples", "2", "--batches", "1,2")


@pytest.fixture
def document(tmp_path):
    """Two variants and a cached level of one of them, on two workers."""
    cluster = yaml.safe_load(cluster_document("profiled"))
    first = cluster["spec"]["ladder"][0]
    cached = {**first, "name": "first-8-k4", "skippedSteps": 4, "quality": 0.95}
    cluster["spec"]["ladder"].append(cached)
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(cluster))
    return path


def arguments(document, out):
    return ("profile", "-f", str(document), *SMALL, "--out", str(out))


def kept(out):
    """Pieces that the journal keeps."""
    journal = out.with_name(out.name + ".journal")
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [json.loads(line)["key"] for line in lines[1:] if line.endswith("}")]


def judged(out):
    found = parse_profile(json.loads(out.read_text()))
    return found.quality, found.starts


async def test_stopped_and_gone_on_with_it_ends_with_the_same(tmp_path, document):
    whole, parts = tmp_path / "whole.json", tmp_path / "parts.json"
    said = await argus(tmp_path, *arguments(document, whole))
    assert f"Wrote {whole}" in said
    assert whole.with_suffix(".md").exists()
    assert whole.with_suffix(".png").exists()
    assert kept(whole) == []
    await stopped_after(tmp_path, document, parts, pieces=7)
    before = kept(parts)
    await stopped_after(tmp_path, document, parts, pieces=len(before) + 12)
    assert kept(parts)[: len(before)] == before
    await argus(tmp_path, *arguments(document, parts))
    assert judged(parts) == judged(whole)


async def stopped_after(folder, document, out, *, pieces):
    command = await Command.start(folder, *arguments(document, out))
    try:
        await eventually(lambda: len(kept(out)) >= pieces, timeout=START)
        command.signal(signal.SIGINT)
        assert await command.ended() == 130, command.output
        assert "the same command goes on from here" in command.output
        assert not out.exists()
    finally:
        await command.abandon()


async def test_a_worker_killed_meanwhile_changes_nothing(tmp_path, document):
    whole, robbed = tmp_path / "whole.json", tmp_path / "robbed.json"
    await argus(tmp_path, *arguments(document, whole))
    command = await Command.start(tmp_path, *arguments(document, robbed))
    try:
        await eventually(lambda: any('"draw"' in key for key in kept(robbed)), timeout=START)
        worker = next(p for p in command.descendants if "argus_worker" in " ".join(p.cmdline()))
        worker.kill()
        assert await command.ended() == 0, command.output
    finally:
        await command.abandon()
    assert judged(robbed) == judged(whole)


async def test_an_unknown_metric_is_told_before_anything_is_measured(tmp_path, document):
    out = tmp_path / "profile.json"
    command = await Command.start(tmp_path, *arguments(document, out), "--metric", "taste")
    assert await command.ended() == 1
    assert "taste" in command.output
    assert kept(out) == []
