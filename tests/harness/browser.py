"""Chromium through Playwright's async API. Its tests share one event loop, so that one Chromium serves them all."""

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Without these it tries to reach its maker at every start.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
SCREENSHOTS = Path("test-results")
FAILED = pytest.StashKey[bool]()

OpenPage = Callable[..., Awaitable[Page]]


def chromium_executable() -> str | None:
    """The system's Chromium or Chrome; None where there is none that runs: Playwright then takes its own download."""
    for name in NAMES:
        found = shutil.which(name)
        # Ubuntu has a chromium-browser that only says where to get one.
        if found and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    return None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the whole run."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=chromium_executable(), args=QUIET + as_root)
        yield chromium
        await chromium.close()


@pytest.fixture
def page_errors() -> list[str]:
    """What the pages of this test complained of: exceptions, console errors, CSP violations.

    It must be empty at the end. A test that provokes one looks at it and clears it.
    """
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(
    browser: Browser, page_errors: list[str], request: pytest.FixtureRequest
) -> AsyncIterator[OpenPage]:
    """`await open_page(viewport={"width": 360, "height": 740}, color_scheme="dark")`: a page in a profile of its own.

    It takes what Browser.new_context() takes.
    """
    contexts: list[BrowserContext] = []

    async def make(**options: Any) -> Page:
        context = await browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        context.on("console", lambda message: _note(message, page_errors))
        context.on("weberror", lambda error: page_errors.append(str(error.error)))
        return await context.new_page()

    yield make
    for number, context in enumerate(contexts):
        if request.node.stash.get(FAILED, False):
            await _screenshots(context, f"{request.node.name}-{number}")
        await context.close()
    assert not page_errors, f"the page complained: {page_errors}"


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage) -> Page:
    """One page, 1280 x 800."""
    return await open_page(viewport={"width": 1280, "height": 800})


async def log_in(page: Page, url: str, session: str) -> None:
    """Make the page's profile a logged-in one, with the cookie value from Site.login()."""
    await page.context.add_cookies([{"name": "sessionid", "value": session, "url": url, "httpOnly": True}])


async def axe_violations(page: Page, context: str | None = None) -> list[str]:
    """What axe-core finds wrong with the page, or its part `context`: rule, impact, elements. [] is as it should be."""
    results = await Axe().run(page, context=context)
    return [
        f"{violation['id']} ({violation['impact']}): {[node['target'] for node in violation['nodes']]}"
        for violation in results.response["violations"]
    ]


def _note(message: ConsoleMessage, page_errors: list[str]) -> None:
    if message.type == "error":
        page_errors.append(message.text)


async def _screenshots(context: BrowserContext, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    for number, page in enumerate(context.pages):
        file = SCREENSHOTS / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name)}-{number}.png"
        try:
            await page.screenshot(path=file, full_page=True)
        except Error as error:  # a page that hangs: the failure itself says more
            file.with_suffix(".txt").write_text(str(error))
