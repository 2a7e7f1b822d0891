"""What a page says of itself."""

from __future__ import annotations

import json

import pytest

from adproxy.model import Facts
from adproxy.page import facts, landmarks
from adproxy.page.marks import mark
from adproxy.page.tree import Tree


def read(html: str, metas: tuple[str, ...] = (), json_ld: tuple[str, ...] = (), ids: tuple[str, ...] = ()) -> Facts:
    page = html.encode()
    marked = mark(page)
    wanted = frozenset(ids)
    find = landmarks.finder(headlines=False, sidebars=False, ids=wanted)
    return facts.read(Tree(page, marked, marked.copy, find=find), metas=metas, json_ld=json_ld, ids=wanted)


def ld(*values: object) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(value)}</script>' for value in values)


@pytest.mark.parametrize(
    ("attributes", "lang"),
    [
        ("lang=en", "en"),
        ('lang=" PT-br "', "pt-br"),
        ('xml:lang="de"', "de"),
        ("", ""),
        ("lang", ""),
        ("lang=" + "x" * 99, "x" * 35),
    ],
)
def test_the_language_is_the_html_elements_in_lower_case(attributes: str, lang: str) -> None:
    assert read(f"<html {attributes}><body>").lang == lang


@pytest.mark.parametrize(
    ("html", "rtl"),
    [
        ("<html lang=ar>", True),
        ("<html lang=he-IL>", True),
        ("<html lang=fa dir=ltr>", False),
        ("<html dir=RTL>", True),
        ("<html><body dir=rtl>", True),
        ("<html lang=en>", False),
        ("<html lang=arn>", False),
    ],
)
def test_the_direction_is_what_the_page_says_or_else_its_languages(html: str, rtl: bool) -> None:
    assert read(html).rtl is rtl


def test_wanted_metas_are_found_by_name_and_property_and_the_first_holds() -> None:
    html = (
        "<meta name=section content=News><meta property='og:type' content=article><meta name=section content=B>"
        "<meta name=other content=x><meta name=empty>"
    )
    assert dict(read(html, metas=("section", "og:type", "empty")).meta) == {"section": "News", "og:type": "article"}


def test_json_ld_is_read_from_objects_lists_and_graphs() -> None:
    article = {"@type": "NewsArticle", "articleSection": "World"}
    for value in (article, [article], {"@graph": [{"@type": "WebSite"}, article]}):
        assert read(ld(value), json_ld=("articleSection",)).json_ld["articleSection"] == "World"


def test_the_article_comes_before_other_objects_whatever_their_order() -> None:
    html = ld({"@type": "Organization", "name": "Paper"}, {"@type": "NewsArticle", "name": "Story"})
    assert read(html, json_ld=("name",)).json_ld["name"] == "Story"


def test_what_the_article_does_not_say_another_object_may() -> None:
    html = ld({"@type": "NewsArticle"}, {"@type": "Thing", "keywords": "a"})
    assert read(html, json_ld=("keywords",)).json_ld["keywords"] == "a"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["a", "b"], "a,b"),
        (["a", None, ["b"]], "a,b"),
        ({"name": "a"}, "a"),
        ([{"name": "a"}, {"name": "b"}], "a,b"),
        (True, "true"),
        (12, "12"),
        ("x" * 900, "x" * 500),
    ],
)
def test_a_fields_value_becomes_a_text(value: object, text: str) -> None:
    assert read(ld({"@type": "Article", "f": value}), json_ld=("f",)).json_ld["f"] == text


@pytest.mark.parametrize("value", [None, "", [], {}, {"url": "x"}, [None]])
def test_a_field_that_says_nothing_is_not_there(value: object) -> None:
    assert dict(read(ld({"@type": "Article", "f": value}), json_ld=("f",)).json_ld) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{'f': 1}",
        "[" * 100_000,
        '"f"',
        "null",
        "12",
        '{"@graph": {"f": "x"}, "@type": 3}',
        '[[{"f": 1}]]',
        '{"f',
    ],
)
def test_broken_and_odd_json_ld_is_survived(text: str) -> None:
    html = f'<script type="application/ld+json">{text}</script>' + ld({"@type": "Article", "g": "ok"})
    assert read(html, json_ld=("f", "g")).json_ld.get("g") == "ok"


def test_a_huge_block_of_json_ld_is_not_read() -> None:
    huge = {"@type": "Article", "f": "x", "text": "a" * facts.MAX_JSON_LD}
    assert dict(read(ld(huge), json_ld=("f",)).json_ld) == {}


def test_only_the_first_blocks_of_json_ld_are_read() -> None:
    assert dict(read(ld(*({"x": 1} for _ in range(20)), {"f": "y"}), json_ld=("f",)).json_ld) == {}


def test_policies_are_found_in_any_case_and_in_order() -> None:
    html = (
        "<META HTTP-EQUIV='Content-Security-Policy' content=\"default-src 'self'\">"
        "<meta http-equiv=' content-security-policy ' content='img-src *'>"
        "<meta http-equiv=content-security-policy-report-only content=x><meta http-equiv=refresh content=1>"
    )
    assert read(html).csp == ("default-src 'self'", "img-src *")


def test_the_nonce_is_that_of_the_first_element_with_one() -> None:
    assert read("<script>1</script><script nonce=abc>2</script><style nonce=def></style>").nonce == "abc"
    assert read("<script nonce>1</script>").nonce == ""
    assert read("<script>nonce=1</script>").nonce == ""


def test_ids_are_those_wanted_that_the_page_has() -> None:
    html = "<body><div id=ad-1></div><p id='ad-3'>ad-2</p>"
    assert read(html, ids=("ad-1", "ad-2", "ad-3", "ad")).ids == {"ad-1", "ad-3"}
    assert read(html).ids == frozenset()


@pytest.mark.parametrize("ids", [("Ad-In-1", "Ad-In-2"), ("Ad-In-1",), ("Ad-In-1", "x"), ("Ad-In-1", "Ad-In-1'\"]é")])
def test_ids_are_found_whatever_they_have_in_common(ids: tuple[str, ...]) -> None:
    html = "<p id='Ad-In-&#49;'>one</p><p id=ad-in-2>another</p><p id=\"Ad-In-1'&quot;]é\">third</p>"
    assert read(html, ids=ids).ids == {"Ad-In-1", *(name for name in ids if "é" in name)}


def test_nothing_is_looked_for_that_is_not_wanted() -> None:
    found = read("<meta name=a content=b>" + ld({"@type": "Article", "f": "x"}))
    assert (dict(found.meta), dict(found.json_ld)) == ({}, {})
