"""The console's page in a real browser, over a real cluster of processes."""

import os
import signal

import pytest
import pytest_asyncio

from argus_cli.local.supervisor import ChildState
from argus_client.workers import assign_and_wait
from browser_support import browsing, page_of, violations
from helpers import eventually
from local_support import START, cluster_document, running_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="module")]
PROMPT = "two large red circles left of a blue square"
COUNT_PREVIEWS = """() => {
    window.seen = 0;
    new MutationObserver(() => {
        window.seen += document.querySelectorAll(".easel img.preview").length;
    }).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with browsing() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(browser, tmp_path_factory):
    document = cluster_document("studio", workers=2, steps=200)  # Long enough to be watched.
    async with running_cluster(tmp_path_factory.mktemp("c"), document, console=True) as found:
        yield found


@pytest.fixture
def look(browser, cluster):
    """Opens the page, and waits until it is live."""

    def opened(**how):
        return page_of(browser, cluster.console, **how)

    return opened


async def live(page):
    await page.locator("[data-test=link].live").wait_for()


async def draw(page):
    await page.get_by_label("Prompt").fill(PROMPT)
    await page.get_by_label("Prompt").press("Control+Enter")
    await page.locator(".easel.done img.done").wait_for()


async def test_a_prompt_is_drawn_with_previews_and_says_its_level_and_why(look):
    async with look() as page:
        await live(page)
        await page.evaluate(COUNT_PREVIEWS)
        await draw(page)
        assert await page.evaluate("() => window.seen") > 0, "previews were shown"
        size = "() => document.querySelector('.easel img').naturalWidth"
        assert await page.evaluate(size) == 48
        assert await page.locator("[data-test=level]").inner_text() == "first-200"
        await page.get_by_text("2 levels weighed").click()
        await page.get_by_role("row", name="second-200").wait_for()
        assert "Drawn at first-200" in await page.locator("p[role=status]").inner_text()


async def test_levels_are_drawn_side_by_side_from_the_same_seed(look):
    async with look() as page:
        await live(page)
        await page.get_by_label("Prompt").fill(PROMPT)
        await page.get_by_role("button", name="All levels side by side").click()
        await page.locator(".side img.done").nth(1).wait_for()
        titles = await page.locator(".side figcaption strong").all_inner_texts()
        assert titles == ["first-200", "second-200"], "from dearest to cheapest"


async def test_a_plan_change_is_shown_and_tells_its_reason_by_keyboard_alone(look, cluster):
    async with look() as page:
        await live(page)
        await assign_and_wait(cluster.addresses["cpu-0"], ["second"])
        await page.locator(".legend").get_by_text("second 2").wait_for()
        entry = page.locator(".plan", has_text="as assigned by hand").first
        await entry.focus()
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        assert "as assigned by hand" in await dialog.locator("[data-test=reason]").inner_text()
        assert not await violations(page)
        await page.keyboard.press("Escape")
        await dialog.wait_for(state="detached")
        assert await entry.evaluate("(it) => it === document.activeElement"), "focus comes back"


async def test_the_page_says_that_the_router_is_away_and_recovers_by_itself(look, cluster):
    async with look() as page:
        await live(page)
        view = cluster.supervisor.views["router"]
        os.kill(view.pid, signal.SIGKILL)
        await page.locator("[data-test=link].reconnecting").wait_for()
        await page.get_by_text("No router answers").wait_for()
        await eventually(lambda: view.state == ChildState.UP and view.restarts == 1, timeout=START)
        await live(page)
        await page.locator(".worker", has_text="idle").nth(1).wait_for()
        await draw(page)


@pytest.mark.parametrize(
    "how", [{}, {"dark": True, "width": 360, "height": 780}], ids=["light", "dark on a phone"]
)
async def test_the_page_is_readable_for_all_and_never_wider_than_its_window(look, how):
    async with look(**how) as page:
        await live(page)
        await draw(page)
        assert not await violations(page)
        width = await page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= how.get("width", 1280)
        ground = await page.evaluate(
            "() => getComputedStyle(document.documentElement).backgroundColor"
        )
        assert (ground == "rgb(12, 18, 22)") == how.get("dark", False)
