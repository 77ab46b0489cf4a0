"""Fixtures that several service tests share."""

import pytest_asyncio

from latents_support import redis_server


@pytest_asyncio.fixture(params=["directory", "redis"])
async def url(request, tmp_path):
    """Where an empty latent store is."""
    if request.param == "directory":
        yield f"directory:{tmp_path / 'latents'}"
    else:
        async with redis_server(tmp_path) as server:
            yield server.url
