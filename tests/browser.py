"""A real Chromium for the tests: pages that are watched, and what a screen reader would miss.

from tests.browser import browser, visit  # noqa: F401  (in a conftest.py)

def test_...(visit: Visit) -> None:
    seen = visit("file:///...", color_scheme="dark")
    seen.page.click("text=Pairs")
    expect(seen.page.locator("#pairs")).to_be_visible()
    assert seen.complaints == []

Wait with Playwright's ``expect``: ``wait_for_function`` evaluates in the page, whose content
security policy forbids it from the second look on.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_PATIENCE = 60_000  # milliseconds; these machines are slow


@dataclass(eq=False)
class Visited:
    """A page, and all that it complained of and asked for.

    Attributes:
        page: Playwright's.
        complaints: its errors and warnings in the console, and exceptions nobody caught.
        requests: the addresses it asked for, data: and blob: (which stay in the page) left out.
    """

    page: "Page"
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        page = self.page
        page.on(
            "console",
            lambda said: (
                self.complaints.append(f"{said.type}: {said.text}")
                if said.type in ("error", "warning")
                else None
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith(("data:", "blob:"))
                else self.requests.append(asked.url)
            ),
        )

    def violations(self, within: str | None = None) -> list[str]:
        """What axe-core finds that is serious or critical, a line each; ``within``: a selector."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page, within).response["violations"]
        return [
            f"{each['id']} ({each['impact']}): {', '.join(str(n['target']) for n in each['nodes'])}"
            for each in found
            if each["impact"] in ("serious", "critical")
        ]


Visit = Callable[..., Visited]


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One browser for a module; longer would leave Playwright's event loop to other tests."""
    path = chromium()
    if path is None:
        pytest.skip("needs Chromium: none on this machine, and installing it takes root and apt")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=path,
            args=["--disable-dev-shm-usage"],
            chromium_sandbox=os.geteuid() != 0,  # root has to do without
        )
        yield found
        found.close()


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Visit]:
    """Open an address in a browser profile of its own; options are those of ``new_context``."""
    with ExitStack() as opened:

        def _visit(address: str, **options: Any) -> Visited:
            context = opened.enter_context(browser.new_context(**options))
            context.set_default_timeout(_PATIENCE)
            seen = Visited(context.new_page())
            seen.page.goto(address)
            return seen

        yield _visit
