"""Page views and what counts in them: hidden tabs, prerendered pages, the back/forward cache, scrolling, transport."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from stage import CHROMIUM, DESKTOP, PATIENCE, PHONE, Stage, article, scroll_to, told, until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("client-page_life")]

SIZES = "sizes: {phone: [300x250]}"
OWN = f"""limits: {{ad_share: 100%, gap: 10 words}}
slots:
  a: {{place: mid-article, after: paragraph 2, {SIZES}, creative: {{html: "<p>Ours, and a good deal</p>"}}}}
"""
FAR = OWN.replace("paragraph 2", "paragraph 30")
NOTES = """<script>if (document.prerendering) fetch('/note/SCENE/prerendering');
addEventListener('pageshow', e => { if (e.persisted) fetch('/note/SCENE/restored'); });
document.addEventListener('prerenderingchange', () => fetch('/note/SCENE/activated'));</script>"""


def views(events: list[list[Any]]) -> int:
    return events.count(["page_view"])


def test_a_page_that_is_prerendered_counts_once_it_is_shown(stage: Stage, tmp_path: Path) -> None:
    """In a browser that nobody drives: one that is driven stops at what it prerenders."""
    scene = stage.scene(OWN, html=article(head=NOTES))
    ahead = {"prerender": [{"urls": [scene.path], "eagerness": "immediate"}]}
    follow = f"""<a id="go" href="{scene.path}">on</a><script>
      const wait = setInterval(async () => {{
        const noted = await (await fetch('/noted/{scene.name}')).json();
        if (!noted.includes('prerendering')) return;
        clearInterval(wait);
        setTimeout(() => document.getElementById('go').click(), 1500);
      }}, 100)</script>"""
    rules = f'<script type="speculationrules">{json.dumps(ahead)}</script>'
    opener = stage.scene(OWN, html=article(head=rules, foot=follow))
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    command += [f"--user-data-dir={tmp_path}", "--disable-background-networking", stage.origin + opener.path]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: "activated" in scene.requests, "it is prerendered, then shown")
            until(lambda: "rendered" in scene.kinds("a"), "it is counted then")
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert scene.requests[:2] == ["prerendering", "activated"], "nothing was reported before it was shown"
    assert views(scene.events()) == 1


def test_a_page_that_comes_back_is_a_new_view_and_its_creatives_are_not_new(stage: Stage) -> None:
    scene = stage.scene(OWN, html=article(head=NOTES))
    with stage.visit(watched=False) as visit:
        page = visit.open(scene)
        scroll_to(page, "[data-adproxy-slot=a]")
        until(lambda: "rendered" in scene.kinds("a"), scene.events, page)
        page.goto(stage.origin + "/elsewhere")
        page.evaluate("setTimeout(() => history.back())")
        until(lambda: "restored" in scene.requests, "the back/forward cache takes the page")
        until(lambda: len(scene.views) == 2 and "viewable" in scene.kinds("a"), scene.events)
        first, second = scene.views
        assert scene.events(second) == [["page_view"]]
        assert [event[0] for event in scene.events(first) if event[1:] == ["a", 1]] == [
            "request", "rendered", "viewable",
        ]  # fmt: skip


def hide(page: Page, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
          for (const [name, value] of [['visibilityState', hidden ? 'hidden' : 'visible'], ['hidden', hidden]])
            Object.defineProperty(document, name, {value, configurable: true});
          document.dispatchEvent(new Event('visibilitychange', {bubbles: true}));
        }""",
        hidden,
    )


def test_a_tab_that_nobody_has_looked_at_counts_nothing(stage: Stage) -> None:
    scene = stage.scene(OWN)
    with stage.visit() as visit:
        visit.context.add_init_script(
            "Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true})"
        )
        page = visit.open(scene)
        page.wait_for_timeout(1500)
        hide(page, True)
        assert scene.beacons == []
        hide(page, False)
        told(lambda: "rendered" in scene.kinds("a"), scene, page)
        assert views(scene.events()) == 1


def test_a_second_must_be_one_second_and_in_a_visible_tab(stage: Stage) -> None:
    scene = stage.scene(OWN)
    with stage.visit(DESKTOP) as visit:
        page = visit.open(scene)
        scroll_to(page, "[data-adproxy-slot=a]")
        told(lambda: "rendered" in scene.kinds("a"), scene, page)
        for _ in range(3):
            page.wait_for_timeout(250)
            hide(page, True)
            page.wait_for_timeout(700)
            hide(page, False)
        told(lambda: True, scene, page)
        assert "viewable" not in scene.kinds("a")
        told(lambda: "viewable" in scene.kinds("a"), scene, page)


def test_scrolling_past_is_no_viewable_impression_and_staying_is(stage: Stage) -> None:
    scene = stage.scene(FAR, html=article(60))
    with stage.visit(PHONE) as visit:
        page = visit.open(scene)
        page.wait_for_timeout(300)
        told(lambda: views(scene.events()), scene, page)
        assert scene.kinds("a") == [], "nothing is asked for far away from the view"
        top = page.evaluate("document.querySelector('[data-adproxy-slot=a]').offsetTop")
        for position in range(0, top + 1500, 700):  # fast: less than half a second in view
            page.evaluate(f"scrollTo({{top: {position}, behavior: 'instant'}})")
            page.wait_for_timeout(30)
        told(lambda: "rendered" in scene.kinds("a"), scene, page)
        page.wait_for_timeout(1300)
        told(lambda: True, scene, page)
        assert "viewable" not in scene.kinds("a")
        for position in range(top - 1200, top - 200, 100):  # slowly
            page.evaluate(f"scrollTo({{top: {position}, behavior: 'instant'}})")
            page.wait_for_timeout(30)
        told(lambda: "viewable" in scene.kinds("a"), scene, page)
        assert page.evaluate("seen.moved") == 0


def frame(size: str) -> str:
    return f"""limits: {{ad_share: 100%, gap: 10 words}}
slots:
  a: {{place: mid-article, after: paragraph 30, creative: {{iframe: {{src: /frame/ad, size: {size}}}}}}}
"""


@pytest.mark.parametrize(
    ("size", "share", "viewable"),
    [("300x250", 0.45, False), ("300x250", 0.55, True), ("970x250", 0.35, True), ("960x250", 0.35, False)],
)
def test_half_of_its_pixels_or_less_of_a_large_one(stage: Stage, size: str, share: float, viewable: bool) -> None:
    scene = stage.scene(frame(size), html=article(60))
    with stage.visit(DESKTOP) as visit:
        page = visit.open(scene)
        scroll_to(page, "p:nth-of-type(26)")
        told(lambda: "rendered" in scene.kinds("a"), scene, page)
        page.evaluate(
            """share => { const box = document.querySelector('iframe').getBoundingClientRect();
               scrollTo({top: scrollY + box.top + box.height * share - innerHeight, behavior: 'instant'}); }""",
            share,
        )
        page.wait_for_timeout(1400)
        told(lambda: True, scene, page)
        page.wait_for_timeout(100)
        assert ("viewable" in scene.kinds("a")) is viewable


def test_a_slot_without_a_box_is_asked_for_and_counted_never(stage: Stage) -> None:
    scene = stage.scene(OWN, html=article(head="<style>article > div { display: none !important }</style>"))
    with stage.visit(DESKTOP) as visit:
        page = visit.open(scene)
        page.wait_for_timeout(500)
        told(lambda: views(scene.events()), scene, page)
        assert scene.kinds("a") == []


def test_the_share_of_advertising_is_measured_where_the_slots_are(stage: Stage) -> None:
    scene = stage.scene(OWN)
    with stage.visit(PHONE) as visit:
        page = visit.open(scene)
        told(lambda: [e for e in scene.events() if e[0] == "density"], scene, page)
        (event,) = [e for e in scene.events() if e[0] == "density"]
        heights = "['[data-adproxy-slot]', 'article'].map(e => document.querySelector(e).offsetHeight)"
        slot, holder = page.evaluate(heights)
        share = slot / holder
        assert event == ["density", pytest.approx(share, abs=0.001), "phone"]


# --- transport


@pytest.mark.parametrize("status", [429, 503])
def test_what_was_refused_is_sent_once_more_under_the_same_nonce(stage: Stage, status: int) -> None:
    scene = stage.scene(OWN)
    scene.refuse = [status]
    with stage.visit(DESKTOP) as visit:
        page = visit.open(scene)
        scroll_to(page, "[data-adproxy-slot=a]")
        until(lambda: "viewable" in scene.kinds("a"), scene.events, page)
        assert [event[0] for event in scene.events() if event[0] != "density"] == [
            "page_view", "request", "rendered", "viewable",
        ]  # fmt: skip
        assert len(scene.views) == 1


def test_what_is_refused_twice_is_given_up(stage: Stage) -> None:
    scene = stage.scene(OWN)
    scene.refuse = [503, 503]
    with stage.visit(DESKTOP) as visit:
        page = visit.open(scene)
        until(lambda: scene.requests.count("beacon") == 2, "one more try", page)
        page.wait_for_timeout(2500)
        assert not scene.refuse
        assert views(scene.events()) == 0


def test_what_is_not_sent_yet_goes_out_when_the_page_is_left(stage: Stage) -> None:
    scene = stage.scene(OWN)
    with stage.visit(DESKTOP) as visit:
        page = visit.open(scene)
        page.wait_for_timeout(100)
        page.goto(stage.origin + "/elsewhere")
        until(lambda: views(scene.events()) == 1, scene.events, page)


def test_many_events_go_in_beacons_of_bounded_size(stage: Stage) -> None:
    scene = stage.scene(
        f"limits: {{ad_share: 100%, gap: 0 words, in_article: 40}}\nslots:\n"
        f"  a-slot-with-quite-a-long-name: {{place: mid-article, max: 40, {SIZES}, creative: {{html: <p>Ours</p>}}}}\n",
        html=article(60),
    )
    with stage.visit((1366, 20000)) as visit:
        page = visit.open(scene)
        told(lambda: sum(event[0] == "viewable" for event in scene.events()) == 40, scene, page)
        assert max(len(beacon["e"]) for beacon in scene.beacons) <= 40


def test_readers_without_scripts_see_house_ads_and_are_counted_by_a_picture(stage: Stage) -> None:
    scene = stage.scene(OWN)
    with stage.visit(PHONE, java_script_enabled=False) as visit:
        page = visit.open(scene)
        until(lambda: scene.requests, "the picture is asked for", page)
        assert scene.requests == [f"seen?t={scene.name}&s=a&i=1"]
        assert page.locator("[data-adproxy-slot=a] p").is_visible()
        # no JavaScript, so its height is read off the layout
        box = page.locator("[data-adproxy-slot=a]").bounding_box()
        assert box is not None
        assert box["height"] == 274, "the picture takes no room"


def test_the_script_waits_for_the_page_and_blocks_nothing(stage: Stage) -> None:
    scene = stage.scene(OWN)
    with stage.visit(DESKTOP) as visit:
        visit.context.add_init_script(
            "window.tasks = []; new PerformanceObserver(l => l.getEntries().forEach(e => tasks.push(e.duration)))"
            ".observe({type: 'longtask', buffered: true})"
        )
        page = visit.open(scene)
        told(lambda: "rendered" in scene.kinds("a"), scene, page)
        assert page.evaluate("document.querySelector('[data-adproxy=client]').defer")
        assert re.search(rb"<script[^>]*data-adproxy=\"client\"[^>]* defer", scene.body)
