"""A marked page in a real browser: it does nothing, it is laid out as the page is, and its marks can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import missing
from playwright.sync_api import Browser, Page, Request, sync_playwright

from adproxy.account import account_of, decide
from adproxy.marked_page import marked_page
from adproxy.rules.compile import load_rules

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
PHONE = 390
TEXT = "<p>" + "The ferry left the harbour at seven and the town watched it go until the fog closed. " * 3 + "</p>\n"
PAGE = f"""<!doctype html>
<html lang=en><head><meta charset=utf-8><title>Quiet</title>
<meta http-equiv=Content-Security-Policy content="style-src 'self'; default-src * 'unsafe-inline'">
<meta http-equiv=refresh content="0;url=elsewhere.html">
<script>document.title = "loud"</script></head>
<body onload="document.title = 'loud'"><main><article><h1>The ferry</h1>
{TEXT * 4}<figure><img src="no-such.png" width=300 height=200 onerror="document.title = 'loud'"></figure>
{TEXT * 3}<iframe src="frame.html" width=300 height=150></iframe>{TEXT * 9}
</article></main></body></html>"""
RULES = """\
version: 1
site: here
limits: {gap: 200 words}
slots:
  in-article: {place: mid-article, first_after: 60 words, max: 2, sizes: {phone: [300x250]}}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        missing(f"found no {CHROMIUM}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def asked() -> list[str]:
    """What the page asked for over the network or from the disk, by file name."""
    return []


@pytest.fixture
def marked(browser: Browser, tmp_path: Path, asked: list[str]) -> Iterator[Page]:
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "frame.html").write_text("<script>top.document.title = 'loud'</script>", encoding="utf-8")
    (tmp_path / "elsewhere.html").write_text("<title>loud</title>", encoding="utf-8")
    file = tmp_path / "marked.html"
    work = decide(PAGE.encode(), "http://here.example/story", load_rules(tmp_path / "rules.yaml"))
    file.write_bytes(marked_page(work, account_of("page.html", work), (tmp_path / "page.html").as_uri()))
    context = browser.new_context(viewport={"width": PHONE, "height": 800})
    context.set_default_timeout(15_000)
    page = context.new_page()

    def remember(request: Request) -> None:
        asked.append(request.url.rpartition("/")[2])

    page.on("request", remember)
    page.goto(file.as_uri(), wait_until="load")
    yield page
    context.close()


def test_it_runs_no_script_opens_no_frame_and_stays_where_it_is(marked: Page, asked: list[str]) -> None:
    marked.wait_for_timeout(300)  # a refresh after no seconds is a task of its own
    assert marked.title() == "Quiet"
    assert "no-such.png" in asked, "pictures are asked for where the page names them"
    assert not {"frame.html", "elsewhere.html"} & set(asked)


def test_slots_take_the_room_that_is_reserved_and_nothing_else_takes_any(marked: Page) -> None:
    heights = "[...document.querySelectorAll('[data-adproxy-slot]')].map(s => s.getBoundingClientRect().height)"
    assert marked.evaluate(heights) == [274, 274]
    with_marks = marked.evaluate("document.documentElement.scrollHeight")
    # only what is not a slot is taken away: the page must not move
    marked.evaluate("document.querySelectorAll('[data-adproxy=explain]:not(style)').forEach(e => e.remove())")
    assert marked.evaluate("document.documentElement.scrollHeight") == with_marks
    assert marked.evaluate("document.documentElement.scrollWidth") == PHONE


def test_a_mark_is_reached_and_opened_by_keyboard(marked: Page) -> None:
    marked.keyboard.press("Tab")
    focused = "document.activeElement.getAttribute('aria-label') || ''"
    assert marked.evaluate(focused).startswith(
        "No slot between blocks 1 and 2. in-article: too near to the article's start, needs 60"
    )
    assert not marked.locator("div[data-adproxy=explain] ul").first.is_visible()
    marked.keyboard.press("Enter")
    assert marked.locator("div[data-adproxy=explain] ul").first.is_visible()
