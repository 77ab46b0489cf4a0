"""Fixtures that several service tests share."""

import pytest
import pytest_asyncio

from argus_router import predict
from latents_support import redis_server


@pytest_asyncio.fixture(params=["directory", "redis"])
async def url(request, tmp_path):
    """Where an empty latent store is."""
    if request.param == "directory":
        yield f"directory:{tmp_path / 'latents'}"
    else:
        async with redis_server(tmp_path) as server:
            yield server.url


@pytest.fixture
def patient(monkeypatch):
    """A router that waits for its predictor as long as a busy machine may take."""
    monkeypatch.setattr(predict, "_PATIENCE", 30.0)
    monkeypatch.setattr(predict, "_SHARE", 0.5)
