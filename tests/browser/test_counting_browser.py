"""What a real browser reports, counted by the real thing: the middleware, its tokens, its event store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import missing
from playwright.sync_api import Browser, Page, sync_playwright
from small_site import PAGE, load
from starlette.types import Receive, Scope, Send
from wire import serving

from adproxy.event_store import CounterKey
from adproxy.middleware import AdMiddleware
from adproxy.settings import Settings
from adproxy.sqlite_events import SqliteEvents

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36"
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="250"><rect width="300" height="250"/></svg>'
PATIENCE = 20.0
RULES = """version: 1
site: small-site
slots:
  top:
    place: above-headline
    creative: {image: {src: /house.svg, link: /subscribe, alt: Subscribe, size: 300x250}}
"""


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    kind, body = (b"image/svg+xml", PICTURE) if scope["path"] == "/house.svg" else (b"text/html", PAGE)
    if scope["path"] == "/subscribe":
        body = b"<!doctype html><title>Subscribe</title><h1>Subscribe</h1>"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        missing(f"found no {CHROMIUM}")
    with sync_playwright() as playwright:
        # Without the flag a browser says that it is driven, which is what the last test is about.
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-blink-features=AutomationControlled"]
        )
        yield chromium
        chromium.close()


@contextmanager
def reading(browser: Browser, folder: Path, **options: Any) -> Iterator[tuple[Page, str]]:
    """A reader with the page open, and where the site is."""
    app = AdMiddleware(site, load(RULES), settings=Settings(state_dir=folder))
    with serving(app, lifespan="off") as server:
        context = browser.new_context(viewport={"width": 390, "height": 844}, **options)
        try:
            page = context.new_page()
            origin = f"http://127.0.0.1:{server.port}"
            page.goto(f"{origin}/story", wait_until="load")
            yield page, origin
        finally:
            context.close()
            app.close()


def counted(folder: Path, name: str, traffic: str = "valid") -> float:
    store = SqliteEvents(folder)
    store.state()
    return store.counters().get(CounterKey(name, "small-site", "" if name == "page_view" else "top", traffic, ""), 0)


def until(true: Callable[[], bool], page: Page) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)


def test_a_reader_who_looks_at_a_house_ad_is_counted_from_view_to_click(browser: Browser, tmp_path: Path) -> None:
    with reading(browser, tmp_path, user_agent=CHROME) as (page, origin):
        until(lambda: counted(tmp_path, "viewable") == 1, page)
        page.click("[data-adproxy-slot] a")
        page.wait_for_url(f"{origin}/subscribe")
        until(lambda: counted(tmp_path, "click") == 1, page)
        page.wait_for_timeout(500)  # in which a second report of the click would come
    for name in ("page_view", "rendered", "viewable", "click"):
        assert (name, counted(tmp_path, name), counted(tmp_path, name, "invalid")) == (name, 1, 0)


def test_a_reader_without_scripts_is_counted_by_the_picture(browser: Browser, tmp_path: Path) -> None:
    with reading(browser, tmp_path, user_agent=CHROME, java_script_enabled=False) as (page, _):
        until(lambda: counted(tmp_path, "rendered") == 1, page)
    assert counted(tmp_path, "page_view") == counted(tmp_path, "viewable") == 0


def test_a_browser_that_a_program_drives_is_no_reader(browser: Browser, tmp_path: Path) -> None:
    driven = "Object.defineProperty(Navigator.prototype, 'webdriver', {get: () => true})"
    with reading(browser, tmp_path, user_agent=CHROME) as (page, origin):
        until(lambda: counted(tmp_path, "page_view") == 1, page)
        page.add_init_script(driven)
        page.goto(f"{origin}/other", wait_until="load")
        until(lambda: counted(tmp_path, "page_view", "invalid") == 1, page)
    with reading(browser, tmp_path) as (page, _):  # a headless one that hides nothing
        until(lambda: counted(tmp_path, "page_view", "invalid") == 2, page)
    assert counted(tmp_path, "page_view") == 1
