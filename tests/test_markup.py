"""A placement as bytes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from types import MappingProxyType

import pytest
from selectolax.lexbor import LexborHTMLParser

from adproxy import markup
from adproxy.csp import ScriptVerdict, StyleVerdict
from adproxy.model import Anchor, Edge, Facts, Page, Placement, Plan
from adproxy.rules.ruleset import (
    AdsenseCreative,
    ByPage,
    Creative,
    FixedPlace,
    FromJsonLd,
    FromMeta,
    GptCreative,
    HtmlCreative,
    IframeCreative,
    ImageCreative,
    KeepClear,
    KeyValue,
    Limits,
    Policy,
    SidebarPlace,
    Size,
    SizeMap,
    Slot,
    Visitors,
)
from adproxy.scripts import CLIENT, VISITOR
from adproxy.tokens import PageMarks

SIZES = SizeMap(((0, (Size(320, 50), Size(320, 100))), (768, ()), (1024, (Size(970, 250),))))
BY_PAGE = ByPage()
HOSTILE = "a\"b'c<script>&amp;</div>\x00\u202e😀ü--><!--]]>{slot}"


def slot(name: str = "top", creative: Creative = BY_PAGE, **more: object) -> Slot:
    return replace(Slot(name, FixedPlace.ABOVE_HEADLINE, SIZES, creative), **more)  # type: ignore[arg-type]


def policy(*slots: Slot, **more: object) -> Policy:
    return replace(Policy("site", None, None, Limits(), KeepClear(), slots, revision=""), **more)  # type: ignore[arg-type]


def render(
    rules: Policy,
    facts: Facts = Facts(),  # noqa: B008 - frozen
    times: int = 1,
    style: StyleVerdict = StyleVerdict("inline"),  # noqa: B008 - frozen
    script: ScriptVerdict = ScriptVerdict("plain"),  # noqa: B008 - frozen
    inline_script: ScriptVerdict = ScriptVerdict("plain"),  # noqa: B008 - frozen
    pictures: bool = True,
    marks: PageMarks | None = None,
    **placed: object,
) -> list[str]:
    """The markup of each slot of a policy, placed so many times each."""
    placements = [
        replace(Placement(s.name, Anchor(100 * i + n, Edge.BEFORE_START), n), **placed)  # type: ignore[arg-type]
        for i, s in enumerate(rules.slots)
        for n in range(1, times + 1)
    ]
    found = markup.render(
        Plan(tuple(placements)),
        Page(facts=facts),
        rules,
        style=style,
        script=script,
        inline_script=inline_script,
        pictures=pictures,
        prefix="/_adproxy/",
        marks=marks,
    )
    assert [insertion.offset for insertion in found] == [placement.anchor.offset for placement in placements]
    return [insertion.markup.decode("ascii") for insertion in found]


def element(html: str, selector: str) -> dict[str, str | None]:
    """The attributes of the only element that matches."""
    found = LexborHTMLParser(html).css(selector)
    assert len(found) == 1
    return dict(found[0].attributes)


class Balance(HTMLParser):
    """Fails where a tag is closed that is not the innermost open one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert any(name.startswith("data-adproxy") for name, _ in attrs) or tag == "img"
        if tag not in ("link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


CREATIVES: tuple[Creative, ...] = (
    ByPage(id="ad-{n}", classes="js-ad", data=(("unit", "{ad_unit}"),)),
    ImageCreative("/a.png", "/a", "A", Size(300, 250)),
    GptCreative(),
    HtmlCreative(b'<b data-adproxy="x">{n}</b>', inert=False),
    IframeCreative("/frame", "", Size(300, 250)),
    AdsenseCreative("ca-pub-1234567890123456", "1234"),
)
MARKS = PageMarks("t0ken", "/_adproxy/")


@pytest.mark.parametrize("creative", CREATIVES)
def test_a_slot_is_one_balanced_div_whose_elements_all_carry_our_mark(creative: Creative) -> None:
    free = Visitors(ad_free_cookie="subscriber")
    fallback = b'<i data-adproxy="x"></i>'
    rules = policy(slot(creative=creative), slot("b", creative, fallback=fallback), visitors=free)
    bare = render(rules, times=2)
    for html in (*bare, *(html.replace('="b"', '="top"') for html in render(rules, times=2, marks=MARKS))):
        html = html.replace('data-adproxy-slot="b"', 'data-adproxy-slot="top"')  # noqa: PLW2901
        balance = Balance()
        balance.feed(html)
        balance.close()
        assert not balance.open
        assert html.startswith('<div data-adproxy-slot="top"')
        assert html.endswith("</div>")
        assert re.search(r"\s$|^\s", html) is None


# --- the container


def test_d18_a_slot_is_a_region_with_a_name_of_its_own() -> None:
    names = [element(html, "[data-adproxy-slot]")["aria-label"] for html in render(policy(slot()), times=3)]
    assert names == ["Advertisement", "Advertisement 2", "Advertisement 3"]


@pytest.mark.parametrize(
    ("lang", "label"), [("de-at", "Anzeige"), ("ja", "広告"), ("ar", "إعلان"), ("", "Advertisement")]
)
def test_the_label_is_in_the_pages_language(lang: str, label: str) -> None:
    (html,) = render(policy(slot()), Facts(lang=lang))
    found = element(html, "[data-adproxy-slot]")
    assert (found["data-adproxy-label"], found["aria-label"]) == (label, label)


def test_the_rules_own_label_is_shown_and_an_empty_one_is_not() -> None:
    (own,) = render(policy(slot(label="Partner <b>")), Facts(lang="de"))
    assert element(own, "[data-adproxy-slot]")["data-adproxy-label"] == "Partner <b>"
    (none,) = render(policy(slot(label="")), Facts(lang="de"))
    found = element(none, "[data-adproxy-slot]")
    assert "data-adproxy-label" not in found
    assert found["aria-label"] == "Anzeige", "those who can't see it still hear what it is"


def test_a_slot_for_one_device_says_so_only_where_the_sizes_do_not() -> None:
    everywhere = replace(slot(), sizes=SizeMap(((0, (Size(300, 250),)),)))
    (html,) = render(policy(everywhere), devices=("phone",))
    assert element(html, "[data-adproxy-slot]")["data-adproxy-on"] == "phone"
    (html,) = render(policy(everywhere))
    assert "data-adproxy-on" not in element(html, "[data-adproxy-slot]")
    phones = replace(slot(), sizes=SizeMap(((0, (Size(300, 250),)), (768, ()))))
    (html,) = render(policy(phones), devices=("phone",))
    assert "data-adproxy-on" not in element(html, "[data-adproxy-slot]")


# --- styles and scripts


def test_the_style_sheet_comes_once_in_the_first_slot() -> None:
    first, *others = render(policy(slot(), slot("end")), times=2)
    assert first.count("<style") == 1
    assert not [html for html in others if "<style" in html]


def test_d9_f23_a_nonce_goes_onto_style_and_script() -> None:
    rules = policy(slot(creative=GptCreative()))
    (html,) = render(rules, style=StyleVerdict("nonce", 'a"b'), script=ScriptVerdict("nonce", "c"))
    assert element(html, "style")["nonce"] == 'a"b'
    assert element(html, "script")["nonce"] == "c"


def test_d9_f23_where_inline_styles_are_forbidden_a_sheet_of_the_revision_is_linked() -> None:
    (html,) = render(policy(slot(), revision="abc"), style=StyleVerdict("linked"))
    assert element(html, "link") == {
        "data-adproxy": "style", "rel": "stylesheet", "href": "/_adproxy/slots-abc.css",
    }  # fmt: skip
    assert "<style" not in html


def test_d14_our_script_comes_once_and_only_where_a_slot_needs_it_or_something_is_counted() -> None:
    assert not [html for html in render(policy(slot()), times=2) if "<script" in html]
    rules = policy(slot(), slot("a", GptCreative()), slot("b", GptCreative()))
    for htmls in (render(rules, times=2), render(policy(slot()), times=2, marks=MARKS)):
        assert ["<script" in html for html in htmls] == [True] + [False] * (len(htmls) - 1)
        script = element(htmls[0], "script")
        assert script["src"] == f"/_adproxy/client.js?v={CLIENT.version}"
        assert "defer" in script


def test_the_token_and_the_site_come_only_where_something_is_counted() -> None:
    rules = policy(slot(creative=GptCreative()), visitors=Visitors(consent="required", vendors=(9,)))
    bare, counted = (element(render(rules, marks=marks)[0], "script") for marks in (None, MARKS))
    assert "data-adproxy-token" not in bare
    assert counted["data-adproxy-token"] == "t0ken"
    said = {"consent": "required", "vendors": [9], "refused": "house"}
    assert json.loads(bare["data-adproxy-rules"] or "") == said
    assert json.loads(counted["data-adproxy-rules"] or "") == {"site": "site", **said}


def test_a_script_that_the_policy_forbids_does_not_come() -> None:
    (html,) = render(policy(slot()), marks=MARKS, script=ScriptVerdict("forbidden"))
    assert "<script" not in html


FREE = Visitors(ad_free_cookie="plan=gold")


def test_readers_who_see_no_ads_are_told_before_the_first_slot_is_painted() -> None:
    first, second = render(policy(slot(), visitors=FREE), times=2)
    script = element(first, "script")
    assert (script["data-adproxy"], script["data-adproxy-cookie"]) == ("visitor", "plan=gold")
    assert "src" not in script
    assert first.index("<script") < first.index("<style"), "no script waits for a style sheet"
    assert "visitor" not in second
    assert "[data-adproxy-off]" in css(policy(slot(), visitors=FREE))
    assert "[data-adproxy-off]" not in css(policy(slot()))


def test_where_no_inline_script_may_come_that_one_is_linked_and_blocks() -> None:
    nonce = ScriptVerdict("nonce", "abc")
    (html,) = render(policy(slot(), visitors=FREE), script=nonce, inline_script=ScriptVerdict("forbidden"))
    script = element(html, "script")
    assert (script["src"], script["nonce"]) == (f"/_adproxy/visitor.js?v={VISITOR.version}", "abc")
    assert not {"defer", "async"} & set(script)


# --- what is counted


def test_placements_of_a_slot_are_numbered_whatever_their_ids_are() -> None:
    htmls = render(policy(slot(creative=ByPage(id="ad-{n}"))), Facts(ids=frozenset({"ad-1"})), times=2)
    assert [element(html, "[data-adproxy-slot]")["data-adproxy-n"] for html in htmls] == ["1", "2"]


def test_a_slot_says_whether_it_counts_into_the_density() -> None:
    end = replace(slot("end"), place=FixedPlace.END_OF_ARTICLE)
    above, below = render(policy(slot(), end))
    assert "data-adproxy-main" not in element(above, "[data-adproxy-slot]")
    assert "data-adproxy-main" in element(below, "[data-adproxy-slot]")


def test_the_link_of_a_counted_picture_leads_over_us_and_names_no_address() -> None:
    rules = policy(slot(creative=ImageCreative("/a.png", "https://shop.example/", "A", Size(300, 250))))
    html = render(rules, times=2, marks=MARKS)[1]
    assert element(html, "a")["href"] == MARKS.click("top", 2)
    assert "shop.example" not in html


def test_readers_without_scripts_report_house_ads_by_a_picture() -> None:
    rules = policy(slot(creative=HtmlCreative(b"<b>x</b>", inert=False)))
    (html,) = render(rules, marks=MARKS)
    assert (
        f'<noscript data-adproxy="seen"><img data-adproxy="seen" src="{MARKS.seen("top", 1)}"'.replace("&", "&amp;")
        in html
    )
    assert "<noscript" not in render(rules, marks=MARKS, pictures=False)[0]
    assert "<noscript" not in render(rules)[0]
    inert = policy(slot(creative=HtmlCreative(b"<div></div>", inert=True)))
    assert "<noscript" not in render(inert, marks=MARKS)[0], "a picture is no content for an anchor that is not settled"


# --- escaping


@pytest.mark.parametrize(
    "creative",
    [
        ByPage(id="x{v}", classes="{v}", data=(("a", "{v}"),)),
        ImageCreative(HOSTILE, HOSTILE, HOSTILE, Size(1, 1)),
        GptCreative(),
    ],
)
def test_f16_hostile_facts_of_the_page_stay_in_their_attributes(creative: Creative) -> None:
    rules = policy(slot(creative=creative, label=HOSTILE), key_values=(("v", FromMeta("m")),))
    harmless = render(rules, Facts(meta=MappingProxyType({"m": "x"})))[0]
    (html,) = render(rules, Facts(meta=MappingProxyType({"m": HOSTILE})))
    assert html.isascii()
    tags = [node.tag for node in LexborHTMLParser(html).css("*")]
    assert tags == [node.tag for node in LexborHTMLParser(harmless).css("*")]
    assert "<script>" not in html.partition("</style>")[2]


def test_what_went_in_comes_out_of_the_parser_again() -> None:
    text = HOSTILE.replace("\x00", "")
    rules = policy(slot(creative=ByPage(data=(("a", "{v}"),))), key_values=(("v", FromMeta("m")),))
    (html,) = render(rules, Facts(meta=MappingProxyType({"m": text})))
    assert element(html, "[data-a]")["data-a"] == text


def test_f16_a_template_in_a_fact_is_not_filled() -> None:
    rules = policy(slot(creative=ByPage(data=(("a", "{v}"),))), key_values=(("v", FromMeta("m")),))
    (html,) = render(rules, Facts(meta=MappingProxyType({"m": "{slot}{n}"})))
    assert element(html, "[data-a]")["data-a"] == "{slot}{n}"


# --- what fills it


def test_ids_count_up_and_leave_out_those_that_the_page_has() -> None:
    rules = policy(slot(creative=ByPage(id="{slot}-{n}", data=(("pos", "{n}"),))))
    htmls = render(rules, Facts(ids=frozenset({"top-1", "top-3"})), times=3)
    found = [element(html, "[data-adproxy=ad]") for html in htmls]
    assert [one["id"] for one in found] == ["top-2", "top-4", "top-5"]
    assert [one["data-pos"] for one in found] == ["2", "4", "5"]


def test_ids_of_two_slots_with_one_template_differ() -> None:
    rules = policy(slot("a", ByPage(id="ad-{n}")), slot("b", ByPage(id="ad-{n}")))
    ids = [element(html, "[data-adproxy=ad]")["id"] for html in render(rules, times=2)]
    assert len(set(ids)) == 4


def test_a_div_for_the_pages_own_stack_has_what_the_rules_give_and_nothing_in_it() -> None:
    creative = ByPage(id="ad", classes="js-ad {slot}", data=(("unit", "{ad_unit}"), ("k", "{section}")))
    rules = policy(
        slot(creative=creative, ad_unit="/{network}/{section}/{slot}"),
        network="12",
        key_values=(("section", FromJsonLd("s")),),
    )
    (html,) = render(rules, Facts(json_ld=MappingProxyType({"s": "World & <News>"})))
    assert element(html, "[data-adproxy=ad]") == {
        "data-adproxy": "ad", "id": "ad", "class": "js-ad top", "data-unit": "/12/world-news/top",
        "data-k": "World & <News>",
    }  # fmt: skip
    assert html.endswith("></div></div>")


def test_a_fact_that_is_missing_is_none_in_an_ad_unit() -> None:
    rules = policy(
        slot(creative=ByPage(data=(("u", "{ad_unit}"),)), ad_unit="/1/{section}"),
        key_values=(("section", FromMeta("x")),),
    )
    assert element(render(rules)[0], "[data-u]")["data-u"] == "/1/none"


def test_gpt_gets_its_request_as_json() -> None:
    values: tuple[tuple[str, KeyValue], ...] = (
        ("section", FromMeta("s")),
        ("pos", "{slot}-{n}"),
        ("none", FromMeta("x")),
    )
    rules = policy(slot(creative=GptCreative(), ad_unit="/1/{section}"), key_values=values)
    html = render(rules, Facts(meta=MappingProxyType({"s": "Wörld"})), times=2)[1]
    found = element(html, "[data-adproxy=gpt]")
    assert found["id"] == "adproxy-top-2"
    assert json.loads(found["data-adproxy-ad"] or "") == {
        "unit": "/1/w-rld",
        "sizes": [[0, [[320, 50], [320, 100]]], [768, []], [1024, [[970, 250]]]],
        "targeting": {"section": "Wörld", "pos": "top-2"},
    }


def test_a_frame_gets_its_address_with_facts_encoded() -> None:
    creative = IframeCreative("https://ads.example/f?s={section}&n={n}", "", Size(300, 250))
    rules = policy(slot(creative=creative), key_values=(("section", FromMeta("s")),))
    html = render(rules, Facts(meta=MappingProxyType({"s": "a&b/ü"})), times=2)[1]
    assert json.loads(element(html, "[data-adproxy=iframe]")["data-adproxy-ad"] or "") == {
        "src": "https://ads.example/f?s=a%26b%2F%C3%BC&n=2", "title": "Advertisement 2", "size": [300, 250],
    }  # fmt: skip
    assert "<iframe" not in html


def test_a_unit_of_adsense_gets_its_sizes() -> None:
    (html,) = render(policy(slot(creative=AdsenseCreative("ca-pub-1234567890123456", "42"))))
    found = json.loads(element(html, "[data-adproxy=adsense]")["data-adproxy-ad"] or "")
    assert (found["client"], found["unit"]) == ("ca-pub-1234567890123456", "42")
    assert found["sizes"] == [[0, [[320, 50], [320, 100]]], [768, []], [1024, [[970, 250]]]]


def test_what_stands_in_for_an_ad_waits_in_a_template() -> None:
    (html,) = render(policy(slot(creative=GptCreative(), fallback=b"<p>Subscribe</p>")))
    assert html.endswith('<template data-adproxy="fallback"><p>Subscribe</p></template></div>')


def test_a_picture_is_a_link_that_says_that_it_is_paid_for() -> None:
    (html,) = render(policy(slot(creative=ImageCreative("/a.png?x=1&y=2", "/go", "Read on", Size(300, 250)))))
    link, image = element(html, "a"), element(html, "img")
    assert (link["href"], link["rel"]) == ("/go", "sponsored noopener")
    assert (image["src"], image["alt"], image["width"], image["height"]) == ("/a.png?x=1&y=2", "Read on", "300", "250")


def test_an_operators_markup_is_left_alone_but_for_two_names() -> None:
    creative = HtmlCreative(b"<i>{n} {slot} {site} {ad_unit} {x: 1} &lt;</i>", inert=False)
    html = render(policy(slot(creative=creative)), times=2)[1]
    assert "<i>2 top {site} {ad_unit} {x: 1} &lt;</i>" in html


# --- the style sheet


def css(rules: Policy) -> str:
    return markup.stylesheet(rules).decode("ascii")


def test_the_style_sheet_is_ascii_and_its_braces_balance() -> None:
    text = css(policy(slot(), slot("end", label="")))
    depth = 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert 0 <= depth <= 2
    assert depth == 0
    assert "<" not in text


def test_widths_ascend_so_that_the_wider_one_wins() -> None:
    rules = policy(slot(), replace(slot("end"), sizes=SizeMap(((0, (Size(1, 1),)), (500, (Size(2, 2),))))))
    widths = [int(w) for w in re.findall(r"min-width:(\d+)px", css(rules))]
    assert widths[:-1] == sorted(widths[:-1]) == [500, 768, 1024]


def test_d14_the_reserved_height_is_the_tallest_size_and_the_label_at_each_width() -> None:
    text = css(policy(slot()))
    assert '[data-adproxy-slot="top"]{display:block;min-height:124px;min-width:min(100%,320px)}' in text
    assert '@media (min-width:768px){[data-adproxy-slot="top"]{display:none;min-height:0}}' in text
    assert '[data-adproxy-slot="top"]{display:block;min-height:274px;min-width:min(100%,' in text
    assert "min-height:100px" in text, "the creative's own box has no label"


def test_a_slot_in_a_sidebar_stays_beside_what_floats() -> None:
    assert "clear:none" not in css(policy(slot()))
    assert '[data-adproxy-slot="top"]{clear:none}' in css(policy(replace(slot(), place=SidebarPlace("first"))))


def test_without_a_label_or_with_a_likeliest_size_less_is_reserved() -> None:
    assert "min-height:124px" not in css(policy(slot(label="")))
    assert "min-height:74px" in css(policy(slot(reserve=Size(320, 50))))


def test_a_policy_without_a_revision_is_worked_out_each_time_and_others_once() -> None:
    rules = policy(slot(), revision="f00f00f00f00")
    assert markup.stylesheet(rules) is markup.stylesheet(rules)
    assert css(policy(slot("a"))) != css(policy(slot("b")))
