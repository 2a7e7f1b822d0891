"""Slots and what fills them bring no violation of accessibility rules (axe) that the page alone has not."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import missing
from playwright.sync_api import Page
from stage import DESKTOP, PHONE, Stage, article, told

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("client-axe")]

AXE = Path(__file__).parents[2] / ".tools" / "node_modules" / "axe-core" / "axe.min.js"
RULES = """limits: {ad_share: 100%, gap: 10 words}
ads: {filled_by: adproxy, network: 1234}
slots:
  top: {place: above-headline, sizes: {phone: [300x250]}, ad_unit: news}
  html: {place: mid-article, after: paragraph 1, sizes: {phone: [300x250]}, creative: {html: "<p>Ours</p>"}}
  picture: {place: mid-article, after: paragraph 2,
    creative: {image: {src: /picture.svg, link: /elsewhere, alt: The ferry, size: 300x250}}}
  frame: {place: mid-article, after: paragraph 3, max: 1, creative: {iframe: {src: /frame/ad, size: 300x250}}}
  adsense: {place: mid-article, after: paragraph 4, sizes: {phone: [300x250]},
    creative: {adsense: {client: ca-pub-1234567890, unit: 1234}}}
  none: {place: end-of-article, sizes: {phone: [300x250]}, ad_unit: empty, if_unfilled: house.html}
"""


def violations(page: Page) -> set[str]:
    page.add_script_tag(path=AXE)
    found: list[str] = page.evaluate("async () => (await axe.run({iframes: false})).violations.map(v => v.id)")
    return set(found)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_d18_no_violation_that_the_page_without_slots_has_not(stage: Stage, size: tuple[int, int]) -> None:
    if not AXE.exists():
        missing("axe-core is not installed: make test installs it")
    scene = stage.scene(RULES, files={"house.html": '<p>Read <a href="/elsewhere">without ads</a></p>'})
    bare = stage.scene("slots: {}\n", html=article())
    with stage.visit((size[0], 4000)) as visit:
        page = visit.open(scene)
        for kind in ("top", "html", "picture", "frame", "adsense"):
            told(lambda: "rendered" in scene.kinds(kind), scene, page)  # noqa: B023
        page.locator("[data-adproxy-slot=none] a").wait_for()
        ours = violations(page)
        assert ours <= violations(visit.open(bare))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
