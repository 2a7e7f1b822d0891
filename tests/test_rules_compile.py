"""Merged values to compiled rules: what the planner and the markup read, and the revisions that name it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from adproxy.errors import RulesError
from adproxy.rules import revision
from adproxy.rules.compile import load_rules
from adproxy.rules.creative_html import check_html
from adproxy.rules.revision import revision_of
from adproxy.rules.ruleset import (
    LAYOUT,
    AdsenseCreative,
    ByPage,
    Distance,
    FixedPlace,
    FromJsonLd,
    FromMeta,
    GptCreative,
    HtmlCreative,
    IframeCreative,
    ImageCreative,
    MidArticle,
    Policy,
    RuleBook,
    SelectorPlace,
    SidebarPlace,
    Size,
    Slot,
    Visitors,
)
from adproxy.rules.selectors import selector_problem
from adproxy.rules.values import Mismatch, parse_url

HEAD = "version: 1\nsite: s\n"


def load(tmp_path: Path, text: str) -> RuleBook:
    file = tmp_path / "site.yaml"
    file.write_text(HEAD + text, "utf-8")
    return load_rules(file)


def policy_of(tmp_path: Path, text: str) -> Policy:
    policy = load(tmp_path, text).rule_sets[0].pages[0].policy
    assert policy is not None
    return policy


def slot_of(tmp_path: Path, keys: str, more: str = "") -> Slot:
    return policy_of(tmp_path, f"slots:\n  a: {{{keys}}}\n{more}").slots[0]


SIZES = "sizes: {phone: [300x250]}"


def test_visitors_are_as_stated_and_page_by_page(tmp_path: Path) -> None:
    text = (
        "visitors: {consent: required, ad_free: {cookie: plan=gold, header: X-Subscriber}, vendors: [9, 755, 9]}\n"
        "pages:\n  - {path: /free/**, visitors: {consent: none}}\n  - {path: /**}\n"
    )
    free, rest = (page.policy for page in load(tmp_path, text).rule_sets[0].pages)
    assert free is not None
    assert rest is not None
    assert rest.visitors == Visitors("required", "house", (9, 755), "plan=gold", "x-subscriber")
    assert free.visitors == replace(rest.visitors, consent="none")
    assert free.revision != rest.revision


def test_a_pause_changes_the_book_and_no_page(tmp_path: Path) -> None:
    slots = f"slots:\n  a: {{place: mid-article, {SIZES}}}\n"
    going, some, all_of_it = (load(tmp_path, pause + slots) for pause in ("", "pause: [a]\n", "pause: true\n"))
    assert [book.rule_sets[0].paused for book in (going, some, all_of_it)] == [(), ("a",), None]
    assert len({book.revision for book in (going, some, all_of_it)}) == 3
    assert len({book.rule_sets[0].pages[0].policy for book in (going, some, all_of_it)}) == 1


def test_a_pause_comes_with_what_is_used(tmp_path: Path) -> None:
    (tmp_path / "group.yaml").write_text("version: 1\npause: true\n")
    assert load(tmp_path, "use: ./group.yaml\n").rule_sets[0].paused is None
    assert load(tmp_path, "use: ./group.yaml\npause: false\n").rule_sets[0].paused == ()


def test_a_frame_and_a_unit_of_adsense_are_as_stated(tmp_path: Path) -> None:
    frame = slot_of(tmp_path, 'place: mid-article, creative: {iframe: {src: "/f?{site}-{n}", size: 300x250}}')
    assert frame.creative == IframeCreative("/f?s-{n}", "", Size(300, 250))
    assert frame.sizes.at(390) == (Size(300, 250),), "a frame has one size, which need not be said twice"
    unit = slot_of(
        tmp_path,
        f"place: mid-article, {SIZES}, creative: {{adsense: {{client: ca-pub-1234567890123456, unit: 42424}}}}",
    )
    assert unit.creative == AdsenseCreative("ca-pub-1234567890123456", "42424")


def test_what_is_shown_where_no_ad_came_is_read_with_the_rules(tmp_path: Path) -> None:
    (tmp_path / "house.html").write_text("<p>Schöne Grüße</p>")
    keys = f"place: mid-article, {SIZES}, if_unfilled: house.html"
    first = slot_of(tmp_path, keys)
    assert first.fallback == b"<p>Sch&#246;ne Gr&#252;&#223;e</p>"
    before = policy_of(tmp_path, f"slots:\n  a: {{{keys}}}\n").revision
    (tmp_path / "house.html").write_text("<p>Anders</p>")
    assert policy_of(tmp_path, f"slots:\n  a: {{{keys}}}\n").revision != before


def test_a_layout_is_as_stated_and_as_usual_where_it_says_nothing(tmp_path: Path) -> None:
    text = "layout: {phone: {column: 343px, margin: 0px}, desktop: {font: 20.5 px, line: 30px, character: 9.1px}}\n"
    layout = policy_of(tmp_path, text).layout
    assert layout.phone == replace(LAYOUT.phone, column=343, margin=0)
    assert layout.desktop == replace(LAYOUT.desktop, font=20.5, line=30, character=9.1)
    assert policy_of(tmp_path, "").layout == LAYOUT
    of_a_page = policy_of(tmp_path, text + "pages: [{path: /**, layout: {phone: {font: 19px}}}]\n").layout
    assert of_a_page.phone == replace(LAYOUT.phone, column=343, margin=0, font=19)


@pytest.mark.parametrize(
    ("place", "compiled"),
    [
        ("above-headline", FixedPlace.ABOVE_HEADLINE),
        ("below-headline", FixedPlace.BELOW_HEADLINE),
        ("end-of-article", FixedPlace.END_OF_ARTICLE),
        ("mid-article", MidArticle()),
        ("mid-article, after: paragraph 3", MidArticle(after_paragraph=3)),
        ("mid-article, after: paragraph -2", MidArticle(after_paragraph=-2)),
        ("mid-article, every: 2 blocks", MidArticle(every=Distance(2, "blocks"))),
        ("mid-article, every: 300 words", MidArticle(every=Distance(300, "words"))),
        ("mid-article, at: 50%", MidArticle(at=0.5)),
        ("{sidebar: first}", SidebarPlace("first")),
        ("{sidebar: last}", SidebarPlace("last")),
        ("{sidebar: 2}", SidebarPlace(2)),
        ("{before: '.x > p'}", SelectorPlace("before", ".x > p")),
        ("{append: main}", SelectorPlace("append", "main")),
    ],
)
def test_every_placement_compiles(tmp_path: Path, place: str, compiled: object) -> None:
    assert slot_of(tmp_path, f"place: {place}, {SIZES}").place == compiled


@pytest.mark.parametrize(
    ("text", "distance"),
    [
        ("1 block", Distance(1, "blocks")),
        ("1 word", Distance(1, "words")),
        ("200 words", Distance(200, "words")),
        ("400 characters", Distance(400, "characters")),
        ("600 px", Distance(600, "px")),
        ("600px", Distance(600, "px")),
    ],
)
def test_distances_take_singular_and_plural(tmp_path: Path, text: str, distance: Distance) -> None:
    assert slot_of(tmp_path, f"place: mid-article, {SIZES}, first_after: {text}").first_after == distance


def test_a_breakpoint_left_out_has_the_sizes_of_the_next_smaller_one(tmp_path: Path) -> None:
    sizes = slot_of(tmp_path, "place: mid-article, sizes: {desktop: [970x250], phone: [300x250]}").sizes
    assert [sizes.at(width) for width in (0, 800, 1024)] == [(Size(300, 250),), (Size(300, 250),), (Size(970, 250),)]


def test_an_empty_list_of_sizes_means_not_there(tmp_path: Path) -> None:
    slot = slot_of(tmp_path, "place: {sidebar: first}, sizes: {phone: [], desktop: [300x600]}")
    assert (slot.height_at(390), slot.height_at(1366)) == (0, 624)


def test_own_breakpoints_join_the_common_ones(tmp_path: Path) -> None:
    slot = slot_of(tmp_path, "place: mid-article, sizes: {wide: [970x250]}", "breakpoints: {wide: 1600}\n")
    assert (slot.sizes.at(1599), slot.sizes.at(1600)) == ((), (Size(970, 250),))


@pytest.mark.parametrize("reserve", ["{likeliest: 300x50}", "likeliest 300x50", "'likeliest: 300x50'"])
def test_the_likeliest_size_can_be_reserved_for(tmp_path: Path, reserve: str) -> None:
    slot = slot_of(tmp_path, f"place: mid-article, sizes: {{phone: [300x250, 300x50]}}, reserve: {reserve}")
    assert slot.height_at(390) == 50 + 24


@pytest.mark.parametrize(
    ("keys", "times"),
    [
        ("place: mid-article", 8),
        ("place: mid-article, every: 2 blocks", 8),
        ("place: mid-article, after: paragraph 3", 1),
        ("place: mid-article, at: 50%", 1),
        ("place: mid-article, max: 3", 3),
        ("place: end-of-article", 1),
        ("place: {after: p}, max: 2", 2),
    ],
)
def test_a_slot_stands_once_or_in_the_article_as_often_as_limits_allow(tmp_path: Path, keys: str, times: int) -> None:
    assert slot_of(tmp_path, f"{keys}, {SIZES}").max == times


@pytest.mark.parametrize(("label", "compiled"), [("", None), (", label: false", ""), (", label: Anzeige", "Anzeige")])
def test_a_label_is_the_pages_language_an_own_text_or_none(tmp_path: Path, label: str, compiled: str | None) -> None:
    assert slot_of(tmp_path, f"place: mid-article, {SIZES}{label}").label == compiled


def test_filled_by_the_page_means_a_div_of_theirs(tmp_path: Path) -> None:
    div = "{id: 'ad-{n}', class: 'js-ad {site}', data: {pos: '{slot}', n: 3}}"
    keys = f"place: mid-article, {SIZES}, div: {div}"
    assert slot_of(tmp_path, keys).creative == ByPage("ad-{n}", "js-ad s", (("pos", "{slot}"), ("n", "3")))
    assert slot_of(tmp_path, f"place: mid-article, {SIZES}").creative == ByPage()


def test_filled_by_adproxy_with_an_ad_unit_means_gpt_under_the_network(tmp_path: Path) -> None:
    keys = f"place: mid-article, {SIZES}, ad_unit: '{{section}}/{{slot}}'"
    ads = "ads: {filled_by: adproxy, network: 1234, key_values: {section: {json_ld: articleSection}, k: {meta: a}}}\n"
    policy = policy_of(tmp_path, f"slots:\n  a: {{{keys}}}\n{ads}")
    assert policy.slots[0].creative == GptCreative()
    assert policy.slots[0].ad_unit == "/1234/{section}/{slot}"
    assert policy.key_values == (("section", FromJsonLd("articleSection")), ("k", FromMeta("a")))
    assert (policy.filled_by, policy.network) == ("adproxy", "1234")


def test_an_ad_unit_with_its_own_network_stays_as_it_is(tmp_path: Path) -> None:
    slot = slot_of(tmp_path, f"place: mid-article, {SIZES}, ad_unit: /9/x", "ads: {network: 1234}\n")
    assert slot.ad_unit == "/9/x"


@pytest.mark.parametrize("filled_by", ["page", "adproxy"])
def test_own_creatives_work_whoever_fills_the_others(tmp_path: Path, filled_by: str) -> None:
    ads = f"ads: {{filled_by: {filled_by}}}\n"
    html = slot_of(tmp_path, f"place: end-of-article, {SIZES}, creative: {{html: '<b>é</b>'}}", ads)
    assert html.creative == HtmlCreative(b"<b>&#233;</b>", inert=False)
    image = "creative: {image: {src: /x.png, link: 'https://x.example/', alt: '', size: 300x250}}"
    made = slot_of(tmp_path, f"place: end-of-article, {image}", ads)
    assert made.creative == ImageCreative("/x.png", "https://x.example/", "", Size(300, 250))
    assert made.sizes.at(390) == (Size(300, 250),)


def test_html_from_a_file_is_read_beside_the_rules(tmp_path: Path) -> None:
    (tmp_path / "house.html").write_text('\ufeff<div id="house-{n}"></div>\n', "utf-8")
    slot = slot_of(tmp_path, f"place: mid-article, {SIZES}, creative: {{html_file: house.html}}")
    assert slot.creative == HtmlCreative(b'<div id="house-{n}"></div>', inert=True)


# --- html ---


@pytest.mark.parametrize(
    ("source", "markup", "inert"),
    [
        ("<div></div>", b"<div></div>", True),
        (" <div></div>\n<script>a < b && '</b>'</script>\n", b"<div></div><script>a < b && '</b>'</script>", True),
        ("<template><p>日</p></template>", b"<template><p>&#26085;</p></template>", True),
        ("text", b"text", False),
        ("<div> <ins class='adsbygoogle'></ins> </div>", b"<div> <ins class='adsbygoogle'></ins> </div>", False),
        ("<img src='/x.png'>", b"<img src='/x.png'>", False),
        ("<IMG SRC='/x.png' />", b"<IMG SRC='/x.png' />", False),
        ("<p>a</p><p>b<br>c</p>", b"<p>a</p><p>b<br>c</p>", False),
        ("<a href='/x?a=1&amp;b=2'>x</a>", b"<a href='/x?a=1&amp;b=2'>x</a>", False),
        ("<my-ad data-x='>'></my-ad>", b"<my-ad data-x='>'></my-ad>", False),
        ("<iframe src='https://x.example/'></iframe>", b"<iframe src='https://x.example/'></iframe>", False),
    ],
)
def test_good_html_is_kept_as_ascii_and_known_to_be_inert_or_not(source: str, markup: bytes, inert: bool) -> None:
    checked = check_html(source)
    assert (checked.markup, checked.inert) == (markup, inert)


@pytest.mark.parametrize(
    "source",
    [
        *("", " ", "<div>", "</div>", "<b><i></b></i>", "<p><div></div></p>", "<p><b><p></p></b></p>", "<br></br>"),
        *("<div/>", "<a><span><a></a></span></a>", "<h2><h3></h3></h2>", "a < b", "a > b", "<div", "<div class='x>"),
        *("<!-- x -->", "<!doctype html>", "<![CDATA[x]]>", "<?php ?>", "<script>", "<script><!-- </script>"),
        *("<form></form>", "<li></li>", "<body></body>", "<html></html>", "<head></head>", "<meta charset=x>"),
        *("<base href=/>", "<table></table>", "<tr></tr>", "<td></td>", "<option></option>", "<select></select>"),
        *(
            "<svg></svg>",
            "<math></math>",
            "<noscript></noscript>",
            "<textarea></textarea>",
            "<plaintext>",
            "<xmp></xmp>",
        ),
        *(
            "<frameset></frameset>",
            "<title></title>",
            "<input>",
            "<nobr></nobr>",
            "<dd></dd>",
            "<ruby><rt></rt></ruby>",
        ),
        *("<a onclick='x'></a>", "<a OnClick=x></a>", "<a href='javascript:x'></a>", "<a href=' JaVaScript:x'></a>"),
        *("<a href='java&Tab;script:x'></a>", "<a href='&#106;avascript:x'></a>", "<iframe srcdoc='x'></iframe>"),
        *("<iframe src='data:text/html,x'></iframe>", "<iframe>x</iframe>", "<iframe><b></b></iframe>"),
        *("<a href='x' href='y'></a>", "<div a'b=c></div>", "<div =x></div>", "<div class='a'id='b'></div>"),
        *("<div data-adproxy-slot='x'></div>", "<script>é</script>", "<style>a{content:'é'}</style>", "</div x>"),
        *("<button><button></button></button>", "<div>" * 60 + "</div>" * 60, "x" * 70_000),
    ],
)
def test_f16_html_that_could_reach_out_of_its_slot_is_refused(source: str) -> None:
    with pytest.raises(Mismatch):
        check_html(source)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:x",
        "JAVASCRIPT:x",
        "data:text/html,x",
        "mailto:a@b",
        "ftp://x/",
        "//x y",
        "/a\\b",
        'x"y',
        "http:x",
        "",
    ],
)
def test_f16_f17_an_address_that_could_run_or_break_out_is_refused(address: str) -> None:
    with pytest.raises(Mismatch):
        parse_url(address)


@pytest.mark.parametrize(
    "selector",
    [
        *("p", ".a.b", "#x > p", "h2 + p", "article p, .story p", "[href$='.pdf']", "[class~=x]", "p:first-child"),
        *(":is(h1, h2) + p", "p:not(.ad)", "div:has(> img)", "a\\:b", ".x:not(.y) > p:last-of-type", "main .a .b"),
    ],
)
def test_a_useful_selector_is_taken(selector: str) -> None:
    assert selector_problem(selector) is None


@pytest.mark.parametrize(
    "selector",
    [
        *(
            "",
            " ",
            "..a",
            "p >",
            "> p",
            "p,,q",
            "p{",
            "[a",
            "[a=b",
            "p:not(",
            "p)",
            "'",
            "p::before",
            "p:hover",
            "p:nope",
        ),
        *("p:nth-child(2)", "p:NTH-LAST-OF-TYPE(1)", "p:not(:nth-child(2))", "a ~ b", "a~b", "a b c d", "a:has(b c)"),
        *("a:has(b:has(c))", "a || b", "svg|p", "p/**/", "@x", "p\0", "x" * 301),
    ],
)
def test_a_selector_that_is_wrong_or_could_be_slow_is_refused(selector: str) -> None:
    assert selector_problem(selector) is not None


# --- directories ---


def test_a_directory_gives_a_rule_set_for_each_file_with_a_site(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\nsite: a\nhosts: a.example\nuse: ./part.yml\n")
    (tmp_path / "b.yml").write_text("version: 1\nsite: b\n")
    (tmp_path / "part.yml").write_text("version: 1\nlimits: {in_article: 2}\n")
    (tmp_path / "_off.yaml").write_text("not: [valid")
    (tmp_path / ".hidden.yaml").write_text("not: [valid")
    (tmp_path / "notes.txt").write_text("not: [valid")
    assert [rule_set.site for rule_set in load_rules(tmp_path).rule_sets] == ["a", "b"]


def test_a_single_file_without_site_is_named_after_itself(tmp_path: Path) -> None:
    file = tmp_path / "my rules.yaml"
    file.write_text("version: 1\n")
    assert load_rules(file).rule_sets[0].site == "my-rules"


# --- revisions ---

PLAIN = "use: [news]\nlimits: {in_article: 3, gap: 100 words}\n"


def test_a_number_is_the_same_however_it_is_kept() -> None:
    assert revision_of((120, 0.5)) == revision_of((120.0, 0.5))
    assert revision_of((120, 0.5)) != revision_of((120.5, 0.5))


def test_comments_white_space_and_spelling_leave_the_revision(tmp_path: Path) -> None:
    gap = "gap: {desktop: 100  words, phone: '100 words'}"
    other = f"# a comment\nuse:   news\n\nlimits:\n  {gap}  # again\n  in_article: 3\n"
    one, two = load(tmp_path, PLAIN), load(tmp_path, other)
    assert one.revision == two.revision
    assert one.rule_sets[0].pages[0].policy == two.rule_sets[0].pages[0].policy
    assert len(one.revision) == 12
    assert one.files != two.files


@pytest.mark.parametrize(
    "change",
    [
        *("limits: {in_article: 4, gap: 100 words}\n", "limits: {in_article: 3, gap: 100 words, ad_share: 29%}\n"),
        *(PLAIN + "article: main\n", PLAIN + "sidebar: aside\n", PLAIN + "hosts: x.example\n"),
        PLAIN + "pages: [{path: /x}]\n",
        PLAIN + "slots: {end: false}\n",
        PLAIN + "slots: {end: {label: x}}\n",
        PLAIN + "slots: {end: {priority: 3}}\n",
        PLAIN + "slots: {end: {div: {class: y}}}\n",
        PLAIN + "slots: {end: {reserve: {likeliest: 300x250}}}\n",
        PLAIN + "slots: {end: {creative: {html: <br>}}}\n",
        PLAIN + "slots: {end: {creative: {html: <hr>}}}\n",
        PLAIN + "keep_clear: {around: {.x: 1 block}}\n",
        PLAIN + "ads: {key_values: {a: b}}\n",
        PLAIN + "ads: {network: 7}\n",
        PLAIN + "layout: {phone: {font: 20px}}\n",
    ],
)
def test_any_change_of_meaning_changes_the_revision(tmp_path: Path, change: str) -> None:
    assert load(tmp_path, PLAIN).revision != load(tmp_path, change).revision


def test_another_version_of_adproxy_has_other_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = policy_of(tmp_path, PLAIN)
    monkeypatch.setattr(revision, "__version__", "999")
    after = policy_of(tmp_path, PLAIN)
    assert before.revision != after.revision


def test_only_pages_that_differ_have_policies_of_other_revisions(tmp_path: Path) -> None:
    book = load(tmp_path, PLAIN + "pages: [{path: [/a, /b]}, {path: /c}, {path: /d, limits: {in_article: 1}}]\n")
    revisions = [page.policy.revision for page in book.rule_sets[0].pages if page.policy]
    assert len(revisions) == 4
    assert len(set(revisions)) == 2


def test_a_wrong_file_compiles_to_nothing(tmp_path: Path) -> None:
    with pytest.raises(RulesError):
        load(tmp_path, "slots: {a: {place: mid-article}}\n")
