"""An engine's memory is flat over mixed requests and switches; bench/engine_memory.py is longer."""

import pytest

import engine_memory

ROOM = 1.5 * 2**20
"""Bytes a round that allocators and the interpreter may still take while they settle."""


@pytest.mark.slow
async def test_memory_is_flat_over_requests_and_switches(tmp_path):
    figures = await engine_memory.measure(tmp_path, requests=90, switches=18, device="cpu")
    assert sum(figures.outcomes.values()) == 90
    assert set(figures.outcomes) <= {"drawn", "cancelled", "DeadlineMissed"}
    assert figures.outcomes["drawn"] > 45
    assert figures.growth() < ROOM, figures.host_bytes
