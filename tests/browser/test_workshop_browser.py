"""The pages on which rules are tried, in a real browser: for everybody, by keyboard alone, with and without scripts;
and the page that is shown in them can do nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from conftest import missing
from console_office import Office, console
from oracles import parse5_directory
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from adproxy.console.access import Access
from adproxy.demo.run import FIRST_STORY, RULES
from adproxy.demo.site import create_site

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
PHONE, DESKTOP = 390, 1366
TOKEN = "a-token-that-nobody-guesses"
PAGES = {
    "preview": f"preview?url={FIRST_STORY}",
    "wide": f"preview?url={FIRST_STORY}&device=desktop",
    "rules": f"rules?url={FIRST_STORY}",
    "try": "try",
}
HOSTILE = f"""<!doctype html><html lang=en><title>quiet</title><script>top.location = "about:blank"</script>
<meta http-equiv=refresh content="0;url=/elsewhere"><base target=_top>
<body onload="document.title='loud'"><article><h1>A page that would like to act</h1>
{("<p>" + "The ferry left the harbour at seven and the town watched. " * 6 + "</p>") * 6}
<form action="CONSOLE/rules/download" method=post id=f><button>Send</button></form>
<img src="CONSOLE/static/icon.svg" onerror="top.location='about:blank'"><iframe src="CONSOLE/rules"></iframe>
<a href="/elsewhere" id=leave>Leave</a></article>"""


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
    tools = parse5_directory()
    script = tools / "node_modules" / "axe-core" / "axe.min.js" if tools is not None else None
    if script is None or not script.exists():
        missing("axe-core is not installed: make .venv/tests")
    assert script is not None
    return script.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rules")
    (made / "demo.yaml").write_text(RULES.read_text(encoding="utf-8"), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def office(folder: Path) -> Iterator[Office]:
    consoles: list[str] = []

    async def hostile(request: Request) -> Response:
        return HTMLResponse(HOSTILE.replace("CONSOLE/", consoles[0]))

    site = Starlette(routes=[Route("/2026/09/hostile", hostile), Mount("/", create_site())])
    with console(site, folder) as running:
        consoles.append(running.address)
        yield running


@pytest.fixture
def troubles() -> list[str]:
    """What the browser said: errors, refused by policy, not found; but that the shown page's scripts are is meant."""
    return []


def opened(browser: Browser, troubles: list[str], width: int, scheme: str = "light", *, script: bool = True) -> Page:
    dark: Literal["dark", "light"] = "dark" if scheme == "dark" else "light"
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=dark, java_script_enabled=script
    )
    context.set_default_timeout(20_000)
    # pictures and styles of the shown page lead to a site that is not there
    context.route(re.compile("http://site.example/"), lambda route: route.abort())
    page = context.new_page()
    page.on(
        "console",
        lambda message: None if re.search("sandboxed|ERR_FAILED", message.text) else troubles.append(message.text),
    )
    page.on("pageerror", lambda error: troubles.append(str(error)))
    return page


def tab_to(page: Page, wanted: str) -> None:
    """Go on by the keyboard until an element has the focus."""
    for _ in range(100):
        if page.evaluate("document.activeElement.id") == wanted:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached by the keyboard")


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_hinders_people_and_nothing_sticks_out(
    browser: Browser, office: Office, troubles: list[str], axe: str, name: str, width: int, scheme: str
) -> None:
    page = opened(browser, troubles, width, scheme)
    page.goto(office.address + PAGES[name], wait_until="load")
    for closed in page.query_selector_all("main details:not([open]) > summary"):
        closed.click()
    page.evaluate(axe)
    found = page.evaluate(
        "axe.run({iframes: false}).then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 120))]))"
    )
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    small = """[...document.querySelectorAll('main button, main summary, main .button, main select, main a')]
        .filter(e => e.checkVisibility()).map(e => [e.textContent, e.getBoundingClientRect().height])
        .filter(([, height]) => height < 23.5)"""
    assert page.evaluate(small) == []
    assert troubles == []
    page.context.close()


def test_an_edit_is_planned_beside_the_page_by_keyboard_alone(
    browser: Browser, office: Office, troubles: list[str], folder: Path
) -> None:
    page = opened(browser, troubles, DESKTOP)
    page.goto(office.address + "preview", wait_until="load")
    tab_to(page, "url")
    page.keyboard.type(FIRST_STORY)
    page.keyboard.press("Enter")
    expect(page.locator("#result h2")).to_have_text("10 slots placed")
    page.get_by_role("link", name="To the rules").focus()
    page.keyboard.press("Enter")
    tab_to(page, "text")
    before = page.locator("iframe[name=copy]").get_attribute("src")
    rules = page.locator("#text").input_value()
    at = rules.index("max: 6") + len("max: ")
    line = rules[:at].count("\n") + 1
    page.evaluate(f"document.getElementById('text').setSelectionRange({at}, {at + 1})")
    page.keyboard.type("2")
    expect(page.locator("#result h2")).to_have_text("6 slots placed")
    expect(page.locator("iframe[name=copy]")).not_to_have_attribute("src", before or "")
    expect(page.locator("iframe")).to_have_count(1)
    page.keyboard.type("x")
    link = page.locator("#problems a")
    expect(link).to_have_text(f"line {line}, column 10")
    expect(page.locator(".gutter .wrong")).to_have_text(str(line))
    expect(page.locator("#result h2")).to_have_text("6 slots placed")
    link.focus()
    page.keyboard.press("Enter")
    place = page.evaluate("[document.activeElement.id, document.activeElement.selectionStart]")
    assert place == ["text", at]
    assert (folder / "demo.yaml").read_text() == RULES.read_text()
    assert troubles == []
    page.context.close()


def test_marks_tell_what_they_mean_on_hover_focus_and_tap_and_are_led_to(
    browser: Browser, office: Office, troubles: list[str]
) -> None:
    page = opened(browser, troubles, DESKTOP)
    page.goto(office.address + PAGES["preview"], wait_until="load")
    frame = page.frame_locator("iframe[name=copy]")
    mark = frame.locator("div[data-adproxy=explain] summary").first
    mark.scroll_into_view_if_needed()
    shown = "e => getComputedStyle(e, '::after').content"
    assert mark.evaluate(shown) == "none"
    mark.hover()
    assert "too near to the article's start" in mark.evaluate(shown)
    page.mouse.move(5, 5)
    mark.press("Enter")  # as a tap does
    expect(frame.locator("div[data-adproxy=explain] ul").first).to_be_visible()
    mark.press("Enter")
    page.locator(".outline a", has_text="in-article 3").click()
    expect(frame.locator(":target")).to_have_attribute("data-adproxy-slot", "in-article")
    expect(frame.locator(":target")).to_be_in_viewport()
    assert page.url == office.address + PAGES["preview"]
    page.context.close()


def test_the_page_is_as_wide_as_its_device(browser: Browser, office: Office, troubles: list[str]) -> None:
    page = opened(browser, troubles, DESKTOP)
    page.goto(office.address + PAGES["preview"], wait_until="load")
    body = page.frame_locator("iframe[name=copy]").locator("html")
    assert body.evaluate("e => innerWidth") == PHONE
    page.locator("label[for=desktop]").click()
    expect(page.locator("[data-frame]")).to_have_class(re.compile("scaled"))
    assert body.evaluate("e => innerWidth") == DESKTOP
    box, stage = page.locator("iframe").bounding_box(), page.locator("[data-frame]").bounding_box()
    assert box is not None
    assert stage is not None
    assert box["width"] <= stage["width"]
    page.context.close()


def test_a_page_that_would_like_to_act_can_not(browser: Browser, office: Office, troubles: list[str]) -> None:
    page = opened(browser, troubles, DESKTOP)
    reached: list[str] = []
    page.on("request", lambda request: reached.append(request.url))
    page.goto(office.address + "preview?url=/2026/09/hostile", wait_until="load")
    frame = page.frame_locator("iframe[name=copy]")
    frame.locator("#f button").click()
    frame.locator("#leave").click()
    frame.locator("#leave").press("Enter")
    page.wait_for_timeout(300)
    assert page.url.endswith("preview?url=/2026/09/hostile")
    assert frame.locator("title").evaluate("e => e.text") == "quiet"
    assert [url for url in reached if url.endswith(("rules/download", "/rules", "elsewhere"))] == []
    assert len(page.context.pages) == 1
    assert frame.locator("html").evaluate("e => origin") == "null"
    page.context.close()


def test_a_change_is_tried_and_told_page_by_page(browser: Browser, office: Office, troubles: list[str]) -> None:
    page = opened(browser, troubles, PHONE)
    page.goto(office.address + "try", wait_until="load")
    text = page.locator("#text")
    text.fill(text.input_value().replace("max: 6 ", "max: 1 "))
    page.locator("#addresses").fill(f"{FIRST_STORY}\n/about")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("h1")).to_have_text("1 of 2 pages change")
    expect(page.locator(".compared .card").first).to_contain_text(f"{FIRST_STORY}")
    expect(page.locator("#text")).to_have_value(re.compile("max: 1 "))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the draft").click()
    assert download.value.suggested_filename == "demo.yaml"
    assert "max: 1 " in Path(download.value.path()).read_text()
    page.context.close()


def test_without_scripts_all_of_it_works(browser: Browser, office: Office, troubles: list[str]) -> None:
    page = opened(browser, troubles, PHONE, script=False)
    page.goto(office.address + PAGES["preview"], wait_until="load")
    text = page.locator("#text")
    text.fill(text.input_value().replace("max: 6 ", "max: 1 "))
    page.get_by_role("button", name="Plan again").click()
    assert page.locator("#result h2").inner_text() == "5 slots placed"
    page.get_by_role("button", name="Try on recent pages").click()
    page.wait_for_url(re.compile("trial="))
    expect(page.locator("h1")).to_have_text(re.compile("of 20 pages change"))
    assert troubles == []
    page.context.close()


def test_a_login_leads_to_the_page_that_was_wanted(
    browser: Browser, folder: Path, axe: str, troubles: list[str]
) -> None:
    with console(create_site(), folder, access=Access(TOKEN)) as guarded:
        page = opened(browser, troubles, PHONE, "dark")
        page.goto(guarded.address + PAGES["rules"], wait_until="load")
        page.evaluate(axe)
        assert page.evaluate("axe.run().then(r => r.violations.map(v => v.id))") == []
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("That is not the token")
        expect(page.get_by_label("Token")).to_be_focused()  # the answer may be seen before its field has the focus
        page.keyboard.type(TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("h3").first).to_contain_text(f"Ads on {FIRST_STORY}")
        assert page.evaluate("document.cookie") == ""
        page.context.close()


def test_the_way_to_the_live_page_is_a_link_that_only_the_console_makes(
    browser: Browser, office: Office, troubles: list[str]
) -> None:
    page = opened(browser, troubles, DESKTOP)
    page.goto(office.address + PAGES["preview"], wait_until="load")
    link = page.get_by_role("link", name="Show the rules in force on the live page")
    leads = page.request.get(office.address + (link.get_attribute("href") or ""), max_redirects=0)
    assert leads.status == 303
    assert re.match(rf"http://site\.example{FIRST_STORY}\?_adproxy=explain\.\d+\.", leads.headers["location"])
    page.context.close()
