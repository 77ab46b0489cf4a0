"""A process that puts entries into a store: `latents_writer.py URL COUNT`; prints their keys."""

import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "bench"))

from latents_support import entry_of, open_at, some_latents


async def main(url: str, count: int) -> None:
    """Put them as fast as they go, some at a time."""
    store = open_at(url)
    latents = some_latents(2, size=4096)

    async def put() -> str:
        entry = entry_of(latents)
        await store.put(entry, latents)
        return entry.key

    for _ in range(count // 4):
        for key in await asyncio.gather(*(put() for _ in range(4))):
            print(key)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
