"""The demo as a real browser shows it: with its slots, filled by the site's own script."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import missing
from playwright.sync_api import Browser, Page, sync_playwright

from adproxy.demo.content import load_articles

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
ARTICLES = load_articles()
FEATURE = "/2026/09/the-long-crossing"
STRICT = "/2026/08/what-the-radio-says"
NO_TRANSFORM = "/2026/09/notice-to-mariners"
LISTS = ("/", "/latest", "/about", "/newsletter", "/archive")
PHONE, NARROW, DESKTOP = 390, 360, 1366

# what the browser itself measures as moved, from the first paint on
WATCH_SHIFTS = """
window.moved = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => { window.moved += entry.value; }))
  .observe({type: "layout-shift", buffered: true});
"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    command = [sys.executable, "-c", "from adproxy.demo.run import main; main(port=0, office_port=0)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"the site +(http://\S+)/$", line):
                    yield found[1]
                    break
            else:
                pytest.fail("the demo ended before it named its address")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        missing(f"found no {CHROMIUM}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield chromium
        chromium.close()


class Visit:
    """A page opened at some width, and everything that went wrong on it."""

    def __init__(self, browser: Browser, site: str, width: int, path: str, *, without_ads: bool = False) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        self.context.set_default_timeout(15_000)
        self.troubles: list[str] = []
        self.page = self.context.new_page()
        self.page.add_init_script(WATCH_SHIFTS)
        self.page.on("console", lambda message: self.troubles.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("requestfailed", lambda request: self.troubles.append(f"failed: {request.url}"))
        host = urlsplit(site).netloc
        self.page.on(
            "request", lambda r: None if urlsplit(r.url).netloc == host else self.troubles.append(f"outside: {r.url}")
        )
        if without_ads:
            self.page.route("**/house-ads.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        self.page.goto(site + path, wait_until="load")

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert not self.troubles


def shown_slots(page: Page) -> list[str]:
    """Names of the slots that have a box on this screen, in document order."""
    names: list[str] = page.eval_on_selector_all(
        "[data-adproxy-slot]",
        "slots => slots.filter(s => s.getClientRects().length).map(s => s.dataset.adproxySlot)",
    )
    return names


def wait_until(page: Page, true: str) -> None:
    """Until a JavaScript expression holds. Asked from outside: a strict policy keeps the page from evaluating text."""
    deadline = time.monotonic() + 15
    while not page.evaluate(true):
        assert time.monotonic() < deadline, true
        page.wait_for_timeout(50)


def wait_for_ads(page: Page) -> None:
    """Until every slot with a box has its creative."""
    wait_until(
        page,
        "[...document.querySelectorAll('div.js-ad')].filter(d => d.getClientRects().length)"
        ".every(d => d.querySelector('.house-ad'))",
    )


@pytest.mark.parametrize("path", [*LISTS, *(a.path for a in ARTICLES)])
def test_no_page_is_wider_than_a_narrow_phone(browser: Browser, site: str, path: str) -> None:
    with Visit(browser, site, NARROW, path) as page:
        wait_for_ads(page)
        assert page.evaluate("document.documentElement.scrollWidth") == NARROW


def test_an_article_on_a_desktop_has_all_its_slots_and_on_a_phone_no_rail(browser: Browser, site: str) -> None:
    with Visit(browser, site, DESKTOP, FEATURE) as page:
        assert set(shown_slots(page)) == {"billboard", "in-article", "end", "letters", "rail"}
    with Visit(browser, site, PHONE, FEATURE) as page:
        assert set(shown_slots(page)) == {"billboard", "in-article", "end", "letters"}


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_filling_the_slots_moves_nothing(browser: Browser, site: str, width: int) -> None:
    with Visit(browser, site, width, FEATURE, without_ads=True) as page:
        assert page.locator(".house-ad").count() == 0
        before = page.evaluate("document.documentElement.scrollHeight")
    with Visit(browser, site, width, FEATURE) as page:
        wait_for_ads(page)
        assert page.locator(".house-ad").count() == len(shown_slots(page))
        assert page.evaluate("document.documentElement.scrollHeight") == before
        assert page.evaluate("window.moved") == 0


def test_a_creative_has_one_of_the_sizes_that_its_slot_allows(browser: Browser, site: str) -> None:
    with Visit(browser, site, DESKTOP, FEATURE) as page:
        wait_for_ads(page)
        sizes = page.eval_on_selector_all(
            "[data-adproxy-slot] .house-ad",
            "ads => ads.map(a =>"
            " [a.closest('[data-adproxy-slot]').dataset.adproxySlot, a.offsetWidth, a.offsetHeight])",
        )
        allowed = {
            "billboard": [(970, 250), (728, 90)],
            "in-article": [(300, 250)],
            "end": [(728, 90), (468, 60)],
            "rail": [(300, 600), (300, 250)],
            "letters": [(728, 90), (468, 60)],
        }
        for slot, width, height in sizes:
            assert (width, height) in allowed[slot]


def test_the_page_under_a_strict_policy_shows_its_ads_without_a_violation(browser: Browser, site: str) -> None:
    with Visit(browser, site, DESKTOP, STRICT) as page:
        wait_for_ads(page)
        assert "in-article" in shown_slots(page)


def test_the_page_that_must_not_be_transformed_has_no_slot(browser: Browser, site: str) -> None:
    with Visit(browser, site, DESKTOP, NO_TRANSFORM) as page:
        assert shown_slots(page) == []


def test_the_front_page_has_no_slot(browser: Browser, site: str) -> None:
    with Visit(browser, site, DESKTOP, "/") as page:
        assert shown_slots(page) == []


def test_a_turned_phone_gets_creatives_that_fit(browser: Browser, site: str) -> None:
    with Visit(browser, site, DESKTOP, FEATURE) as page:
        wait_for_ads(page)
        page.set_viewport_size({"width": PHONE, "height": 900})
        wait_until(
            page,
            "[...document.querySelectorAll('.house-ad')].length > 0"
            " && [...document.querySelectorAll('.house-ad')].every(a => a.offsetWidth <= innerWidth)",
        )
        wait_for_ads(page)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE


def test_a_resize_that_changes_no_size_leaves_the_creatives_alone(browser: Browser, site: str) -> None:
    with Visit(browser, site, DESKTOP, FEATURE) as page:
        wait_for_ads(page)
        page.evaluate("document.querySelectorAll('.house-ad').forEach(a => { a.old = true; })")
        page.set_viewport_size({"width": DESKTOP + 20, "height": 700})
        page.wait_for_timeout(1_000)
        assert page.evaluate("[...document.querySelectorAll('.house-ad')].every(a => a.old)")


def test_the_keyboard_reaches_the_story_past_the_navigation(browser: Browser, site: str) -> None:
    with Visit(browser, site, DESKTOP, FEATURE) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip-link"
        page.keyboard.press("Enter")
        page.wait_for_function("location.hash === '#main'", timeout=10_000)  # the browser goes there in its own time
