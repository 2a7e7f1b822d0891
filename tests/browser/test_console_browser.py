"""The overview in a real browser: legible at every width and in the dark, usable by keyboard, brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import missing
from counted import Counted
from oracles import parse5_directory
from playwright.sync_api import Browser, Page, expect, sync_playwright
from wire import serving

from adproxy.board import Board
from adproxy.office import office_app

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
PHONE, DESKTOP = 390, 1366
LONG = "a-slot-with-a-name-that-is-far-too-long-for-a-phone"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        missing(f"found no {CHROMIUM}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """The script that looks for what hinders people."""
    tools = parse5_directory()
    script = tools / "node_modules" / "axe-core" / "axe.min.js" if tools is not None else None
    if script is None or not script.exists():
        missing("axe-core is not installed: make .venv/tests")
    assert script is not None
    return script.read_text(encoding="utf-8")


class Office:
    """A second listener that runs. `counted`: what it counts; `address`: of its overview."""

    def __init__(self, counted: Counted, address: str) -> None:
        self.counted = counted
        self.address = address


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    counted = Counted()
    for traffic in ("valid", "valid", "invalid"):
        counted.view(traffic)
    counted.trouble()
    counted.request("another-site", LONG)
    board = Board(2)
    board.started(0, 4711)
    board.alive(0)
    with serving(office_app(counted.metrics, board=board), lifespan="on", ws="none") as server:
        yield Office(counted, f"http://127.0.0.1:{server.port}/")


@pytest.fixture
def troubles() -> list[str]:
    """What the browser said of the page: errors, refused by policy, not found."""
    return []


@pytest.fixture(params=[(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark")], ids=str)
def overview(browser: Browser, office: Office, troubles: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    width, scheme = request.param
    yield from opened(browser, office, troubles, width, scheme)


def opened(
    browser: Browser, office: Office, troubles: list[str], width: int, scheme: str, *, script: bool = True
) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
    )
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url}"))
    page.clock.install()  # runs as ever, until a test sets it forward
    page.goto(office.address, wait_until="load")
    yield page
    context.close()


def test_nothing_hinders_people_and_nothing_sticks_out(overview: Page, axe: str, troubles: list[str]) -> None:
    for closed in overview.query_selector_all("details:not([open]) > summary"):
        closed.click()  # what is folded away is looked at too
    overview.evaluate(axe)
    found = overview.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 120))]))"
    )
    assert found == []
    width = overview.viewport_size
    assert width is not None
    assert overview.evaluate("document.documentElement.scrollWidth") == width["width"]
    assert troubles == []


def test_all_that_can_be_pressed_is_large_enough_and_reached_by_the_keyboard(overview: Page) -> None:
    small = """[...document.querySelectorAll('button, summary, nav a')]
        .map(e => [e.textContent, e.getBoundingClientRect().height]).filter(([, height]) => height < 24)"""
    assert overview.evaluate(small) == []
    seen = []
    for _ in range(60):
        overview.keyboard.press("Tab")
        now = overview.evaluate("document.activeElement.textContent.trim().slice(0, 20)")
        outline = overview.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", now
        seen.append(now)
        if now == "Health":
            break
    assert seen[:6] == ["To the content", "Overview", "Preview", "Rules", "Try a change", "Pause"]
    assert {"Pages with ads", "The same by slot", "Metrics", "Health"} <= set(seen)


def test_newer_figures_come_by_themselves_and_can_be_stopped(
    browser: Browser, office: Office, troubles: list[str]
) -> None:
    for page in opened(browser, office, troubles, DESKTOP, "light"):
        row = page.locator("table.stages tr", has_text="Placed").locator(".count")
        before = int(row.inner_text())
        office.counted.view()
        page.clock.run_for(11_000)
        expect(row).to_have_text(str(before + 2))
        # what somebody is in stays as it is
        page.get_by_text("The same by slot").click()
        page.get_by_role("button", name="Pause").click()
        office.counted.view()
        page.clock.run_for(60_000)
        assert row.inner_text() == str(before + 2)
        assert page.locator("#live span").inner_text() == "Paused"
        page.get_by_role("button", name="Go on").click()
        expect(row).to_have_text(str(before + 4))
        assert page.locator("details[open]").count() == 1
    assert troubles == []


def test_without_scripts_it_says_all_the_same(browser: Browser, office: Office, troubles: list[str]) -> None:
    for page in opened(browser, office, troubles, PHONE, "light", script=False):
        assert page.locator("#live").inner_text() == "Reload for newer figures."
        assert page.locator("h1").inner_text() == "1 of 2 workers is missing"
        assert page.locator("table.stages tr").count() == 7
