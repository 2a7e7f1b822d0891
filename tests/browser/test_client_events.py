"""What the browser's script reports of each kind of creative, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page
from stage import DESKTOP, PHONE, Stage, article, scroll_to, told, until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("client-events")]

LIMITS = "limits: {ad_share: 100%, gap: 10 words}\n"
SIZES = "sizes: {phone: [300x250]}"
ADSENSE = "client: ca-pub-1234567890123456"


def one(creative: str, *, more: str = "", top: str = "") -> str:
    """Rules with one slot `a` after the second paragraph."""
    return f"{LIMITS}{top}slots:\n  a: {{place: mid-article, after: paragraph 2, {SIZES}, {creative}{more}}}\n"


GPT = "ads: {filled_by: adproxy, network: 1234}\n"
KINDS: dict[str, str] = {
    "html": one("creative: {html: '<p><a href=\"/elsewhere\">Read without ads, and see nothing of this</a></p>'}"),
    "image": one("creative: {image: {src: /picture.svg, link: /elsewhere, alt: Ferry, size: 300x250}}"),
    "iframe": one("creative: {iframe: {src: '/frame/ad?slot={slot}', size: 300x250}}"),
    "gpt": one("ad_unit: news", top=GPT),
    "adsense": one(f"creative: {{adsense: {{{ADSENSE}, unit: 1234}}}}"),
}
FUNNEL = ["request", "rendered", "viewable"]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_each_creative_is_requested_rendered_seen_and_clicked(stage: Stage, size: tuple[int, int]) -> None:
    scenes = {kind: stage.scene(rules) for kind, rules in KINDS.items()}
    with stage.visit(size) as visit:
        pages = {kind: visit.open(scene) for kind, scene in scenes.items()}
        for page in pages.values():
            scroll_to(page, "[data-adproxy-slot=a]")
        for kind, scene in scenes.items():
            until(lambda: scene.kinds("a") == FUNNEL, f"{kind}: {scene.events()}", pages[kind])  # noqa: B023
            assert pages[kind].evaluate("seen") == {"moved": 0, "violations": []}, kind
        assert visit.troubles == []
        for page in pages.values():
            click(page)
        for kind, scene in scenes.items():
            if kind != "image":
                until(lambda: scene.kinds("a") == [*FUNNEL, "click"], f"{kind}: {scene.events()}", pages[kind])  # noqa: B023
            assert [event for event in scene.events() if event[0] == "page_view"] == [["page_view"]]
            (nonce,) = scene.views
            assert re.fullmatch(r"[A-Za-z0-9_-]{22}", nonce)
        pages["image"].wait_for_url("**/elsewhere")
        (asked,) = [request for request in scenes["image"].requests if request.startswith("click")]
        assert asked.endswith(f"&n={scenes['image'].views[0]}"), "the redirect counts it, as this view's"


def click(page: Page) -> None:
    page.bring_to_front()
    box = page.locator("[data-adproxy-slot=a] :is(a, iframe)").first.bounding_box()
    assert box is not None
    page.mouse.move(10, 10)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


UNFILLED: dict[str, str] = {
    "image": one("creative: {image: {src: /none.svg, link: /elsewhere, alt: Ferry, size: 300x250}}"),
    "iframe": one("creative: {iframe: {src: /frame/empty, size: 300x250}}"),
    "gpt": one("ad_unit: empty", top=GPT),
    "adsense": one(f"creative: {{adsense: {{{ADSENSE}, unit: 4040}}}}"),
}


@pytest.mark.parametrize("kind", UNFILLED)
def test_what_got_no_ad_is_unfilled_and_goes_when_it_is_below_the_view(stage: Stage, kind: str) -> None:
    scene = stage.scene(UNFILLED[kind], html=article(40))
    with stage.visit(PHONE) as visit:
        page = visit.open(scene)
        told(lambda: "unfilled" in scene.kinds("a"), scene, page)
        assert scene.kinds("a") == ["request", "unfilled"]
        slot = page.locator("[data-adproxy-slot=a]")
        if page.evaluate("document.querySelector('[data-adproxy-slot=a]').getBoundingClientRect().top < innerHeight"):
            assert slot.bounding_box()["height"] >= 274, "what is in view stays as high as it is"
        page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
        page.wait_for_timeout(200)
        assert page.evaluate("seen.moved") == 0


FAR = f"{LIMITS}{GPT}slots:\n  a: {{place: mid-article, after: paragraph 10, {SIZES}, ad_unit: empty}}\n"


def test_a_slot_that_stays_empty_collapses_only_where_nobody_sees_it(stage: Stage) -> None:
    scene = stage.scene(FAR, html=article(40))
    with stage.visit(PHONE) as visit:
        page = visit.open(scene)
        scroll_to(page, "p:nth-of-type(8)")
        told(lambda: "unfilled" in scene.kinds("a"), scene, page)
        height = "document.querySelector('[data-adproxy-slot=a]').offsetHeight"
        scroll_to(page, "[data-adproxy-slot=a]")
        seen = page.evaluate(height)
        page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
        until(lambda: page.evaluate(height) == 0, "it goes once it is below", page)
        assert seen in (0, 274)
        assert page.evaluate("seen.moved") == 0


def test_what_is_in_view_or_above_it_stays_as_high_as_it_is(stage: Stage) -> None:
    scene = stage.scene(UNFILLED["gpt"], html=article(40))
    with stage.visit(DESKTOP) as visit:
        page = visit.open(scene)
        told(lambda: "unfilled" in scene.kinds("a"), scene, page)
        height = "document.querySelector('[data-adproxy-slot=a]').offsetHeight"
        assert page.evaluate(height) == 274
        page.evaluate("scrollTo({top: 2500, behavior: 'instant'})")
        page.wait_for_timeout(200)
        assert page.evaluate(height) == 274


FALLBACK = one("ad_unit: empty", more=", if_unfilled: house.html", top=GPT)
HOUSE = {"house.html": '<p>Read <a href="/elsewhere">without ads</a></p>' + "<p>and much more to read</p>" * 20}


def test_what_stands_in_is_shown_and_is_no_impression(stage: Stage) -> None:
    scene = stage.scene(FALLBACK, files=HOUSE)
    with stage.visit(PHONE) as visit:
        page = visit.open(scene)
        scroll_to(page, "[data-adproxy-slot=a]")
        page.locator("[data-adproxy-slot=a] a").wait_for()
        told(lambda: "unfilled" in scene.kinds("a"), scene, page)
        page.wait_for_timeout(1500)
        told(lambda: True, scene, page)
        assert scene.kinds("a") == ["request", "unfilled"]
        assert page.evaluate("seen.moved") == 0
        assert page.evaluate("document.querySelector('[data-adproxy-slot=a]').offsetHeight") == 274, (
            "cut off, if need be"
        )
        assert visit.troubles == []


def test_gpt_is_asked_once_for_all_slots_with_sizes_and_key_values(stage: Stage) -> None:
    scene = stage.scene(
        f"{LIMITS}ads: {{filled_by: adproxy, network: 1234, key_values: {{pos: '{{slot}}-{{n}}'}}}}\nslots:\n"
        "  a: {place: mid-article, max: 3, sizes: {phone: [300x250], desktop: [728x90]}, ad_unit: 'news/{slot}'}\n"
        "  wide: {place: end-of-article, sizes: {phone: [], desktop: [728x90]}, ad_unit: wide}\n"
    )
    with stage.visit(PHONE) as visit:
        page = visit.open(scene)
        until(lambda: page.evaluate("window.gptLog?.requests.length"), "an ad request", page)
        (request,) = page.evaluate("gptLog.requests")
        assert [asked["unit"] for asked in request] == ["/1234/news/a"] * 3
        assert [asked["targeting"]["pos"] for asked in request] == ["a-1", "a-2", "a-3"]
        assert request[0]["sizes"] == [[[0, 0], [[300, 250]]], [[1024, 0], [[728, 90]]]]
        assert page.evaluate("gptLog.settings")[0]["singleRequest"] is True
        assert len(visit.outside) == 1, "one library"
        page.set_viewport_size({"width": 1200, "height": 900})
        scroll_to(page, "[data-adproxy-slot=wide]")
        until(lambda: len(page.evaluate("gptLog.requests")) == 2, "a slot that now has a box", page)


HOLDS_BACK = """<script>window.googletag = {cmd: []};
googletag.cmd.push(() => { googletag.pubads().disableInitialLoad(); googletag.enableServices(); });</script>
<script async src="https://securepubads.g.doubleclick.net/tag/js/gpt.js"></script>"""


def test_a_page_with_its_own_gpt_keeps_its_settings(stage: Stage) -> None:
    scene = stage.scene(KINDS["gpt"], html=article(head=HOLDS_BACK))
    with stage.visit() as visit:
        page = visit.open(scene)
        until(lambda: page.evaluate("window.gptLog?.displayed.length"), "it is displayed", page)
        page.wait_for_timeout(300)
        assert page.evaluate("[gptLog.requests, gptLog.settings]") == [[], []]
        assert len(visit.outside) == 1, "the page's own library serves"
        page.evaluate("googletag.pubads().refresh()")
        scroll_to(page, "[data-adproxy-slot=a]")
        until(lambda: scene.kinds("a") == FUNNEL, scene.events, page)


# --- slots that the page fills itself

BY_PAGE = one("div: {id: ad-1, class: js-ad}")
PAGE_GPT = """<script>window.googletag = {cmd: []}; googletag.cmd.push(() => {
  const slot = googletag.defineSlot(UNIT, [[300, 250]], 'ad-1').addService(googletag.pubads());
  slot.defineSizeMapping([[[0, 0], [[300, 250]]]]);
  googletag.enableServices(); });
addEventListener('DOMContentLoaded', () => googletag.cmd.push(() => googletag.display('ad-1')));</script>
<script async src="https://securepubads.g.doubleclick.net/tag/js/gpt.js"></script>"""
PAGE_SCRIPT = """<script>setTimeout(() => {
  const ad = document.createElement('a'); ad.href = '/elsewhere'; ad.textContent = 'Soup';
  ad.style.cssText = 'display:block;width:300px;height:250px;background:#fc9';
  const pixel = document.createElement('i'); pixel.style.cssText = 'display:block;width:1px;height:1px';
  const div = document.querySelector('.js-ad'); div.append(pixel);
  addEventListener('fill', () => div.replaceChildren(ad));
}, 200)</script>"""
PREBID = """<script>window.pbjs = {que: {push: f => f()}, onEvent: (name, then) => { pbjs[name] = then; }};
setTimeout(() => { pbjs.auctionInit({adUnitCodes: ['ad-1', 'other']}); }, 600);
setTimeout(() => { const f = document.createElement('iframe'); f.src = '/frame/ad'; f.width = 300; f.height = 250;
  document.getElementById('ad-1').append(f); }, 800);</script>"""


@pytest.mark.parametrize(
    ("foot", "head", "expected"),
    [
        ("", PAGE_GPT.replace("UNIT", "'/1/news'"), FUNNEL),
        ("", PAGE_GPT.replace("UNIT", "'/1/empty'"), ["request", "unfilled"]),
        (PAGE_SCRIPT, "", ["rendered", "viewable", "click"]),
        (PREBID, "", FUNNEL),
    ],
    ids=["gpt", "gpt-empty", "own-script", "prebid"],
)
def test_what_the_page_fills_is_heard_and_left_alone(stage: Stage, foot: str, head: str, expected: list[str]) -> None:
    scene = stage.scene(BY_PAGE, html=article(head=head, foot=foot))
    with stage.visit() as visit:
        page = visit.open(scene)
        scroll_to(page, "[data-adproxy-slot=a]")
        if "click" in expected:
            until(lambda: page.locator(".js-ad > i").count(), "a pixel comes first", page)
            told(scene.events, scene, page)
            page.wait_for_timeout(600)
            told(lambda: True, scene, page)
            assert scene.kinds("a") == [], "one pixel is no creative"
            page.evaluate("dispatchEvent(new Event('fill'))")
            told(lambda: scene.kinds("a") == expected[:-1], scene, page)
            page.locator("[data-adproxy-slot=a] a").click()
        told(lambda: scene.kinds("a") == expected, scene, page)
        assert visit.troubles == []
        assert page.evaluate("window.gptLog?.settings ?? []") == []
