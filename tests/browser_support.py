"""A headless Chromium for tests: Debian's own, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

AXE = Path(__file__).with_name("vendor") / "axe.min.js"
PATIENCE = 60_000
"""Milliseconds for whatever a page shall show."""


@asynccontextmanager
async def browsing() -> AsyncIterator[object]:
    """A browser; the test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium to look at the page with: install Debian's `chromium`")
    playwright = pytest.importorskip("playwright.async_api", reason="there is no playwright")
    sandbox = [] if os.getuid() else ["--no-sandbox"]  # Chromium has none for root.
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=sandbox)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_of(browser, url: str, *, width=1280, height=900, dark=False, mute=()):
    """A page; whatever it complains of on its console fails the test, but for what is `mute`."""
    complaints: list[str] = []
    page = await browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: complaints.append(asked.url) if not _ours(asked, url) else 0)
    await page.add_init_script(path=AXE)
    await page.goto(url)
    try:
        yield page
    finally:
        await page.close()
    assert not [said for said in complaints if not any(word in said for word in mute)]


async def violations(page) -> list[str]:
    """What axe finds wrong, in words; empty where nothing is."""
    found = await page.evaluate("() => axe.run()")
    return [
        f"{wrong['id']}: {node['html']}" for wrong in found["violations"] for node in wrong["nodes"]
    ]


def _ours(request, url: str) -> bool:
    return request.url.startswith((url, "data:"))
