"""Consent, Global Privacy Control, readers who see no ads, and pauses: decided in the browser, on one page for all."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from stage import DESKTOP, PHONE, STAND_INS, Stage, Visit, scroll_to, told, until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("client-visitors")]

SIZES = "sizes: {phone: [300x250]}"
UNIT = "client: ca-pub-1234567890, unit: 1234"
HOUSE = {"house.html": '<p>Read <a href="/elsewhere">without ads</a></p>'}


def rules(visitors: str, more: str = "") -> str:
    """All four kinds of creatives that something is asked for, and one of the site's own."""
    return f"""limits: {{ad_share: 100%, gap: 10 words}}
ads: {{filled_by: adproxy, network: 1234}}
visitors: {{{visitors}}}
slots:
  gpt: {{place: mid-article, after: paragraph 1, {SIZES}, ad_unit: news{more}}}
  frame: {{place: mid-article, after: paragraph 2, creative: {{iframe: {{src: /frame/ad, size: 300x250}}}}{more}}}
  adsense: {{place: mid-article, after: paragraph 3, {SIZES}, creative: {{adsense: {{{UNIT}}}}}{more}}}
  own: {{place: mid-article, after: paragraph 4, {SIZES}, creative: {{html: "<p>Ours</p>"}}}}
"""


ASKED = ("gpt", "frame", "adsense")
TALL = (1366, 2400)
"""A view that holds all of the slots."""
YES: dict[str, Any] = {
    "eventStatus": "useractioncomplete",
    "gdprApplies": True,
    "tcfPolicyVersion": 5,
    "purpose": {
        "consents": {"1": True, "2": True, "7": True},
        "legitimateInterests": {"9": True, "10": True},
    },
    "vendor": {"consents": {"755": True, "9": True}, "disclosedVendors": {"755": True, "9": True}},
}


def with_platform(visit: Visit, *calls: str) -> None:
    visit.context.add_init_script((STAND_INS / "consent.js").read_text() + ";".join(calls))


def test_without_an_answer_nothing_is_asked_for_and_with_a_late_yes_everything(stage: Stage) -> None:
    scene = stage.scene(rules("consent: required"))
    with stage.visit(TALL) as visit:
        with_platform(visit, "makeTcf()")
        page = visit.open(scene)
        told(lambda: scene.kinds("own"), scene, page)
        page.wait_for_timeout(300)
        assert visit.outside == []
        assert page.locator("iframe").count() == 0
        page.evaluate("data => sayTcf(data)", YES)
        for slot in ASKED:
            told(lambda: "rendered" in scene.kinds(slot), scene, page)  # noqa: B023
        assert page.evaluate("seen.moved") == 0
        assert not [event for event in scene.events() if event[0] == "withheld"]


def test_who_leaves_without_having_decided_was_shown_no_ad_for_want_of_consent(stage: Stage) -> None:
    scene = stage.scene(rules("consent: required"))
    with stage.visit(TALL) as visit:
        with_platform(visit, "makeTcf()")
        page = visit.open(scene)
        until(lambda: scene.kinds("own"), "it is shown", page)
        page.goto(stage.origin + "/elsewhere")
        told(lambda: len(withheld(scene.events())) == 3, scene, page)
        assert withheld(scene.events()) == dict.fromkeys(ASKED, "no_consent")


def withheld(events: list[list[Any]]) -> dict[str, str]:
    return {event[1]: event[3] for event in events if event[0] == "withheld"}


def without(path: str) -> dict[str, Any]:
    """A yes but for one thing."""
    said: dict[str, Any] = copy.deepcopy(YES)
    *parents, last = path.split(".")
    inner = said
    for parent in parents:
        inner = inner[parent]
    del inner[last]
    return said


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (YES, ()),
        ({**YES, "eventStatus": "tcloaded"}, ()),
        ({"gdprApplies": False, "eventStatus": "tcloaded"}, ()),
        (without("purpose.consents.1"), ASKED),
        ({**without("purpose.consents.1"), "purposeOneTreatment": True}, ()),
        (without("purpose.consents.7"), ASKED),
        (without("purpose.legitimateInterests.10"), ASKED),
        (without("vendor.consents.755"), ("gpt", "adsense")),
        (without("vendor.disclosedVendors.755"), ("gpt", "adsense")),
        (without("vendor.disclosedVendors.9"), ASKED),
        (without("vendor.disclosedVendors"), ASKED),
        ({**without("vendor.disclosedVendors"), "tcfPolicyVersion": 4}, ()),
    ],
    ids=[
        *("yes", "loaded", "not-applicable", "purpose-1", "purpose-1-treated", "purpose-7", "purpose-10"),
        *("google", "google-not-disclosed", "vendor-not-disclosed", "nobody-disclosed", "before-2.3"),
    ],
)
def test_what_the_tcf_has_to_say_for_a_yes(stage: Stage, said: dict[str, Any], refused: tuple[str, ...]) -> None:
    scene = stage.scene(rules("consent: required, vendors: [9]"))
    with stage.visit(TALL) as visit:
        with_platform(visit, "makeTcf()")
        page = visit.open(scene)
        page.evaluate("data => sayTcf(data)", said)
        told(lambda: all(scene.kinds(slot) for slot in ASKED) and "rendered" in scene.kinds("own"), scene, page)
        assert withheld(scene.events()) == dict.fromkeys(refused, "no_consent")
        assert bool(visit.outside) == ("gpt" not in refused)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"applicableSections": [-1]}, ""),
        ({"applicableSections": [7], "parsedSections": {"usnat": [{"SaleOptOut": 2, "SharingOptOut": 2}]}}, ""),
        ({"applicableSections": [7], "parsedSections": {"usnat": [{"SaleOptOut": 1}, {"Gpc": False}]}}, "no_consent"),
        ({"applicableSections": [8], "parsedSections": {"usca": {"SharingOptOut": 1}}}, "no_consent"),
        ({"applicableSections": [7], "parsedSections": {"usnat": [{"SaleOptOut": 2}, {"Gpc": True}]}}, "gpc"),
        ({"applicableSections": [2], "parsedSections": {"tcfeuv2": [{"CmpId": 1}]}}, "no_consent"),
    ],
    ids=["no-section", "opted-in", "sale", "sharing", "gpc", "european-without-tcf"],
)
def test_what_gpp_has_to_say_for_a_yes(stage: Stage, said: dict[str, Any], reason: str) -> None:
    scene = stage.scene(rules("consent: required"))
    with stage.visit(TALL) as visit:
        with_platform(visit, "setTimeout(makeGpp, 300)")
        page = visit.open(scene)
        until(lambda: page.evaluate("typeof __gpp") == "function", "a platform that comes late", page)
        page.evaluate("data => sayGpp(data)", said)
        told(lambda: all(scene.kinds(slot) for slot in ASKED), scene, page)
        assert set(withheld(scene.events()).values()) == ({reason} if reason else set())


CONTROL = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {value: true})"


@pytest.mark.parametrize("refused", ["house", "limited", "none"])
def test_global_privacy_control_is_a_refusal_and_the_rules_say_what_comes_then(stage: Stage, refused: str) -> None:
    scene = stage.scene(rules(f"if_refused: {refused}", ", if_unfilled: house.html"), files=HOUSE)
    with stage.visit(TALL) as visit:
        visit.context.add_init_script(CONTROL)
        page = visit.open(scene)
        told(lambda: all(scene.kinds(slot) for slot in ASKED), scene, page)
        left_out = ASKED[1:] if refused == "limited" else ASKED
        assert withheld(scene.events()) == dict.fromkeys(left_out, "gpc")
        links = page.locator("[data-adproxy-slot] a").count()
        if refused == "limited":
            told(lambda: "rendered" in scene.kinds("gpt"), scene, page)
            assert [url.partition("?")[0] for url in visit.outside] == [
                "https://pagead2.googlesyndication.com/tag/js/gpt.js"
            ]
            assert page.evaluate("gptLog.settings")[0]["privacy"]["limitedAds"] is True
        else:
            assert visit.outside == []
        assert links == len(left_out) * (refused != "none")
        assert page.evaluate("seen.moved") == 0


@pytest.mark.parametrize("csp", ["", "script-src 'self' https:; style-src 'self'"], ids=["inline", "linked"])
def test_readers_who_see_no_ads_get_no_box_and_no_request(stage: Stage, csp: str) -> None:
    scene = stage.scene(rules("ad_free: {cookie: plan=gold}"), csp=csp)
    with stage.visit(DESKTOP) as visit:
        visit.context.add_cookies([{"name": "plan", "value": "gold", "url": stage.origin}])
        page = visit.open(scene)
        told(lambda: len(withheld(scene.events())) == 4, scene, page)
        assert set(withheld(scene.events()).values()) == {"ad_free"}
        boxes = "[...document.querySelectorAll('[data-adproxy-slot]')].filter(e => e.getClientRects().length).length"
        page.wait_for_function("performance.getEntriesByType('paint').length > 0")  # a busy machine paints late
        assert page.evaluate(boxes) == 0
        # before the first paint: at no frame was there a slot
        assert page.evaluate("seen") == {"moved": 0, "violations": []}
        assert visit.outside == []
    with stage.visit(DESKTOP) as visit:
        visit.context.add_cookies([{"name": "plan", "value": "golden", "url": stage.origin}])
        assert visit.open(scene).evaluate(boxes) == 4


def test_a_slot_that_has_no_size_on_this_device_withholds_nothing_there(stage: Stage) -> None:
    scene = stage.scene(
        "visitors: {ad_free: {cookie: subscriber}}\nslots:\n"
        "  wide: {place: above-headline, sizes: {phone: [], desktop: [728x90]}, div: {id: wide}}\n"
        "  all: {place: end-of-article, sizes: {phone: [300x250]}, div: {id: all}}\n"
    )
    with stage.visit(PHONE) as visit:
        visit.context.add_cookies([{"name": "subscriber", "value": "1", "url": stage.origin}])
        page = visit.open(scene)
        told(lambda: withheld(scene.events()), scene, page)
        assert withheld(scene.events()) == {"all": "ad_free"}


def test_a_pause_reaches_a_page_that_was_made_before_it(stage: Stage) -> None:
    scene = stage.scene(rules(""))
    scene.paused = {"off": False, "paused": ["gpt", "own"]}
    with stage.visit(DESKTOP) as visit:
        page = visit.open(scene)
        scroll_to(page, "[data-adproxy-slot=own]")
        told(lambda: len(withheld(scene.events())) == 2, scene, page)
        assert withheld(scene.events()) == {"gpt": "paused", "own": "paused"}
        told(lambda: "rendered" in scene.kinds("frame"), scene, page)
        assert not page.locator("[data-adproxy-slot=own] p").is_visible()
        assert page.evaluate("seen.moved") == 0
    scene.paused = {"off": True, "paused": []}
    scene.beacons.clear()
    with stage.visit(TALL) as visit:
        page = visit.open(scene)
        told(lambda: len(withheld(scene.events())) == 4, scene, page)
        assert visit.outside == []
        assert page.locator("iframe").count() == 0


def test_who_can_not_be_told_of_a_pause_sees_ads(stage: Stage) -> None:
    scene = stage.scene(rules(""))
    with stage.visit(TALL) as visit:
        visit.context.route("**/config/*.json", lambda route: route.abort())
        page = visit.open(scene)
        told(lambda: "rendered" in scene.kinds("gpt"), scene, page)


def test_only_a_token_and_nonces_are_sent_and_nothing_is_stored(stage: Stage) -> None:
    scene = stage.scene(rules(""))
    with stage.visit(TALL) as visit:
        page = visit.open(scene)
        told(lambda: "rendered" in scene.kinds("gpt"), scene, page)
        assert all(set(beacon) <= {"v", "t", "n", "e", "w"} for beacon in scene.beacons)
        assert visit.context.cookies() == []
        assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
