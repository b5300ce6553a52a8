"""The pages in a real browser, on a real Redis, while shards land: what people see and click."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import expect

from memtail_core import catalogue
from memtail_core.catalogue import failures, reports
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from services import leases, orders
from services.broker import queue_length
from services.dashboard.app import create_app
from services.dashboard.dashboard import Dashboard
from services.dashboard.monitor import Monitor
from services.queue import queue_of
from tests.browser import Visit, Visited, browser, visit
from tests.conftest import Trained
from tests.servers import redis_server
from tests.servers.process import free_port
from tests.services.dashboard.served_pages import TOKEN, WORKER, Served, serving

__all__ = ["browser", "visit"]

PHONE = {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def served(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "runs"
    with redis_server() as server:
        found = Served(trained, folder, server)
        found.begin()
        with serving(found):
            yield found


@pytest.fixture
def go(served: Served, visit: Visit) -> Iterator[Callable[..., Visited]]:
    """Visit a path; what is asked of another origin, or complained of, fails the test."""
    every: list[Visited] = []

    def going(path: str, **options: Any) -> Visited:
        every.append(visit(served.address + path, **options))
        return every[-1]

    yield going
    for each in every:
        assert each.complaints == []
        origins = {urlsplit(address)[:2] for address in each.requests}
        assert origins == {urlsplit(served.address)[:2]}


def text(seen: Visited, part: str) -> Any:
    """A part of a page that is exchanged, to expect something of."""
    return expect(seen.page.locator(f'[data-live="{part}"]'))


def give_token(seen: Visited, token: str) -> None:
    seen.page.fill("#ask-token input", token)
    seen.page.click("#ask-token button:has-text('Continue')")


def test_the_page_follows_the_shards_without_being_loaded_again(
    served: Served, go: Callable[..., Visited]
) -> None:
    seen = go(f"/studies/{served.study.id}")
    page = seen.page
    page.evaluate("window.isTheSame = true")
    text(seen, "standing").to_contain_text("Waiting for a free worker.")
    served.take(0)
    text(seen, "at-work").to_contain_text(f"{WORKER}")
    text(seen, "standing").to_contain_text("0 of 40 models are trained")
    for number in range(3):
        served.land(number)
        served.take(number + 1)
        done = 5 * (number + 1)
        text(seen, "standing").to_contain_text(f"{done} of 40 models are trained")
        assert page.locator("progress").get_attribute("value") == str(done)
    text(seen, "standing").to_contain_text("held out85.3%")
    since = page.locator('[data-live="at-work"] time')
    before = since.inner_text()
    expect(since).not_to_have_text(before)

    served.fail(7, "ValueError: <b>no such layer</b>", kind="machine")
    page.click("summary:has-text('ValueError: <b>no such layer</b>')")
    served.take(4)
    served.land(3)
    text(seen, "standing").to_contain_text("20 of 40 models are trained")
    assert page.is_visible("text=mine.py"), "what was opened stays open"
    assert page.evaluate("window.isTheSame")
    assert page.inner_text("#connection") == "live"


def test_a_study_is_cancelled_continued_and_retried_by_whoever_has_the_token(
    served: Served, go: Callable[..., Visited]
) -> None:
    seen = go(f"/studies/{served.study.id}")
    page, said = seen.page, expect(seen.page.locator("#message"))
    page.click("button:has-text('Cancel')")
    page.click("#ask-sure button:has-text('No')")
    assert page.inner_text("#message") == ""

    page.click("button:has-text('Cancel')")
    page.click("#ask-sure button:has-text('Yes')")
    give_token(seen, "some other token")
    said.to_have_text("wrong token: it is MEMTAIL_DASHBOARD_TOKEN of this dashboard")
    refused = [each for each in seen.complaints if "401" in each]
    assert refused == seen.complaints, "the browser itself tells of the answer"
    seen.complaints.clear()
    order = orders.read(served.store, served.study)
    assert order is not None
    assert not order.cancelled

    page.click("button:has-text('Cancel')")
    page.click("#ask-sure button:has-text('Yes')")
    give_token(seen, TOKEN)
    said.to_contain_text("cancelled")
    text(seen, "standing").to_contain_text("Cancelled with")
    order = orders.read(served.store, served.study)
    assert order is not None
    assert order.cancelled
    assert leases.current(served.client, served.study.id) == []
    assert page.evaluate("localStorage.length") == 0

    page.click("[data-action=submit]")  # the token is remembered
    said.to_contain_text("submitted;")
    text(seen, "standing").to_contain_text(re.compile("waiting for a free worker", re.IGNORECASE))

    served.fail(6, "ValueError: mine")
    text(seen, "standing").to_contain_text(
        "Stopped: an error in the code, recipe or data of the study."
    )
    before = queue_length(served.client, queue_of("cpu"))
    page.click("button:has-text('Retry')")
    said.to_contain_text("enqueued again")
    text(seen, "standing").not_to_contain_text("Stopped")
    assert queue_length(served.client, queue_of("cpu")) > before
    assert not failures.read(served.store, served.study)

    page.fill("input[name=trials]", "60")
    page.click("button:has-text('Grow')")
    said.to_contain_text("submitted;")
    text(seen, "standing").to_contain_text("of 60")


def test_a_study_is_submitted_from_the_form(served: Served, go: Callable[..., Visited]) -> None:
    seen = go("/submit")
    page, said = seen.page, expect(seen.page.locator("#message"))
    page.fill("textarea", "[dataset]\nsource = 3")
    page.click("button:has-text('Check only')")
    give_token(seen, TOKEN)
    said.to_contain_text("[dataset] source")
    seen.complaints.clear()  # of a 422
    page.select_option("select[name=study]", served.study.id)
    page.click("button:has-text('Load')")
    page.wait_for_url("**/submit?study=*")
    stored = f"stored:{served.study.dataset.sha256}"
    written = page.input_value("textarea")
    assert stored in written
    page.fill("textarea", written.replace('"name": "digits"', '"name": "another"'))
    page.fill("input[name=trials]", "5")
    page.click("button:has-text('Check only')")
    said.to_have_text(f"valid: another, 5 models of mlp on {stored}")
    page.click("button:has-text('Submit')")  # the token is remembered
    page.wait_for_url("**/studies/another-*")
    text(seen, "standing").to_contain_text("Waiting for a")
    page.click("nav >> text=Studies")
    assert page.inner_text("main").count("sklearn:digits") == 1, "its data are those stored"
    assert page.is_visible("text=another")


def test_a_report_can_do_nothing_to_the_dashboard(
    served: Served, go: Callable[..., Visited]
) -> None:
    script = (
        "<title>report</title><p id='p'>not run</p><script>"
        "document.getElementById('p').textContent = 'run as ' + origin;"
        "fetch('/api/v1/studies').then(() => document.title = 'reached', "
        "() => document.title = 'refused')</script>"
    )
    reports.write(served.store, served.study, {"index.html": script.encode()}, 5)
    seen = go(f"/studies/{served.study.id}")
    with seen.page.context.expect_page() as opened:
        seen.page.click("text=Open the report")
    report = opened.value
    expect(report).not_to_have_title("report")
    assert report.title() == "refused"
    assert report.inner_text("#p") == "run as null"
    assert report.evaluate("window.opener") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(
    served: Served, go: Callable[..., Visited], scheme: str
) -> None:
    served.fail(5, "RuntimeError: " + "a-very-long-word" * 20, kind="machine")
    now = time.time()
    for number in range(30):  # enough for a chart
        served.land(0, when=now - 90 + 3 * number)
    seen = go("/", color_scheme=scheme, viewport=PHONE)
    study = f"/studies/{served.study.id}"
    for path in ("/", study, "/workers", "/submit", "/about"):
        seen.page.goto(served.address + path)
        for each in seen.page.locator("summary").all():
            each.click()
        assert seen.violations() == [], path
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    seen.page.goto(served.address + study)
    seen.page.click("button:has-text('Cancel')")
    assert seen.violations() == [], "with a dialog"
    seen.page.keyboard.press("Escape")
    seen.page.wait_for_selector("#ask-sure", state="hidden")
    assert seen.page.locator(".plot svg").count() == 1


def test_without_scripts_everything_reads_and_the_page_comes_again(
    served: Served, go: Callable[..., Visited]
) -> None:
    seen = go(f"/studies/{served.study.id}", java_script_enabled=False)
    assert re.search(r"stored\s+\d+\s+of \d+ models", seen.page.inner_text("main"))
    assert not seen.page.is_visible(".actions")
    assert seen.page.is_visible("text=memtail watch")


@contextmanager
def in_a_thread(store: FilesStore, port: int) -> Iterator[None]:
    """Serve a folder alone at that port, until the block ends."""
    settings = Settings(_env_file=None)
    dashboard = Dashboard(store, None, settings, Monitor(store, None, 0.2))
    config = uvicorn.Config(create_app(dashboard), port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    try:
        yield
    finally:
        dashboard.monitor.end()
        server.should_exit = True
        thread.join(20)


def test_a_lost_connection_is_told_and_found_again(
    trained: Trained, tmp_path: Path, visit: Visit
) -> None:
    store, port = FilesStore(tmp_path / "runs"), free_port()
    catalogue.register(store, trained.study, trained.dataset, 40)
    with in_a_thread(store, port):
        seen = visit(f"http://127.0.0.1:{port}/")
        state = expect(seen.page.locator("#connection"))
        state.to_have_text("live")
    state.to_contain_text("connection lost at")
    with in_a_thread(store, port):
        state.to_have_text("live")
        text(seen, "list").to_contain_text("0 of 40 models")
