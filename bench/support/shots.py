"""Pictures of a console's page in a headless Chromium: Debian's own, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

MISSING = "there is no chromium (Debian: apt-get install chromium)"
_PATIENCE = 120_000
"""Milliseconds for whatever the page shall show, on a machine that does much else."""
_WIDE, _PHONE = (1180, 900), (390, 844)
"""Pixels of a window, and of a telephone's."""


def is_installed() -> bool:
    """Whether there is a browser."""
    return shutil.which("chromium") is not None


async def shoot(url: str, folder: Path) -> None:
    """Draw, ask, and open a plan on the page of a cluster that has moved workers; four pictures.

    Raises:
        playwright's TimeoutError: the page does not show what it should.
    """
    async with _browser() as browser:
        async with _page(browser, url, _WIDE) as page:
            await _draw(page, "two large red circles left of a blue square")
            if await (
                weighed := page.get_by_text("levels weighed")
            ).count():  # Of one there is none.
                await weighed.click()
            await page.get_by_role("button", name="All levels side by side").click()
            await page.locator(".side img.done").last.wait_for()
            await page.get_by_role("button", name="Simulate").click()
            await page.locator(".answer").wait_for()
            await _kept(page, folder / "page.png", full_page=True)
            await page.locator(".plan", has_text="→").first.click()
            await page.get_by_role("dialog").wait_for()
            await _kept(page, folder / "plan.png")
        async with _page(browser, url, _WIDE, dark=True) as page:
            await _kept(page.locator(".gpus"), folder / "gpus-dark.png")
        async with _page(browser, url, _PHONE, dark=True) as page:
            await _draw(page, "a small green triangle")
            await _kept(page, folder / "phone-dark.png")


async def _draw(page: Any, prompt: str) -> None:
    await page.get_by_label("Prompt").fill(prompt)
    await page.get_by_label("Prompt").press("Control+Enter")
    await page.locator(".easel.done img.done").wait_for()


async def _kept(what: Any, path: Path, **how: Any) -> None:
    """Keep a picture in few colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = Image.open(BytesIO(await what.screenshot(**how))).convert("RGB")
    found.quantize(255, dither=Image.Dither.NONE).save(path, optimize=True)


@asynccontextmanager
async def _browser() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright  # noqa: PLC0415 - for those who have it

    sandbox = [] if os.getuid() else ["--no-sandbox"]  # Chromium has none for root.
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=sandbox
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def _page(
    browser: Any, url: str, size: tuple[int, int], *, dark: bool = False
) -> AsyncIterator[Any]:
    """The page, once it is live."""
    width, height = size
    page = await browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    page.set_default_timeout(_PATIENCE)
    await page.goto(url)
    try:
        await page.locator("[data-test=link].live").wait_for()
        await page.locator(".gpus").wait_for()
        yield page
    finally:
        await page.close()
