# SPDX-License-Identifier: GPL-2.0-only
"""A browser for tests that look at reports, and a place for what they saw."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from harness.deadlines import scaled
from harness.plugin import TestFolder
from harness.report import browser


def keep_screenshot(page: Page, path: Path, attempts: int = 5) -> None:
    """The whole page as an image.

    Chromium copies the surface that it drew last, and on a loaded host there is at times
    none to copy: 13 of 500 attempts with three times as much work as processors, never
    twice in a row.
    """
    for left in reversed(range(attempts)):
        try:
            page.screenshot(path=path, full_page=True)
        except Error as error:
            if left == 0 or "Unable to capture screenshot" not in error.message:
                raise
        else:
            return


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless Chromium for all tests of this process."""
    expect.set_options(timeout=scaled(20) * 1000)
    with browser.launched() as launched:
        yield launched


@pytest.fixture
def opened(chromium: Browser, folder: TestFolder) -> Iterator[Callable[..., Page]]:
    """Opens a file as a user opens an artefact; nothing may be asked of the network.

    `opened(path, width=1200, scheme="light")`; what the page shows at the end is
    kept in the test's results folder.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    pages: list[Page] = []
    asked: list[str] = []
    errors: list[str] = []

    def note(url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            asked.append(url)

    def do(path: Path, width: int = 1200, height: int = 900, scheme: str = "light") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = context.new_page()
        page.set_default_timeout(scaled(20) * 1000)
        page.on("request", lambda request: note(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.resolve().as_uri())
        pages.append(page)
        return page

    yield do
    for number, page in enumerate(pages, 1):
        keep_screenshot(page, folder.path / f"screen-{number}.png")
        page.context.close()
    assert asked == [], "the page asked the network"
    assert errors == [], "errors in the page's script"
