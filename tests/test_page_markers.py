"""An editor's own marks: comments and attributes that place a slot, or keep a page without ads."""

from __future__ import annotations

import pytest

from adproxy.model import Page, Skip, SkipReason, Spot
from adproxy.page import markers
from adproxy.page.read import Wanted, read
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.ruleset import ByPage, KeepClear, Limits, MidArticle, Policy, SelectorPlace, Size, SizeMap, Slot

SENTENCE = "The harbour lay quiet and nobody had seen the boat since late in the evening."
P = f"<p>{SENTENCE} {SENTENCE}</p>\n"
HERE = "<!-- adproxy:slot in-article -->"
OFF = "<!-- adproxy:off -->"
SLOT = Slot("in-article", MidArticle(), SizeMap(((0, (Size(300, 50),)),)), ByPage(id="ad-{n}"), max=3)


def html(content: str, before: str = "", after: str = "") -> bytes:
    return (
        f"{before}<!doctype html><html lang=en><body><main><h1>T</h1>\n{content}</main></body></html>{after}".encode()
    )


def read_page(content: str, marked: frozenset[str] | None = frozenset({"in-article"}), **around: str) -> Page:
    return read(html(content, **around), Wanted(marked=marked))


def spots(page: Page) -> tuple[Spot, ...]:
    return page.named.get(SelectorPlace("marked", "in-article").key, ())


def around(content: str) -> list[tuple[str, str]]:
    """For each spot, the bytes right before and after it."""
    page, whole = read_page(content), html(content)
    found = []
    for spot in spots(page):
        assert spot.anchor is not None, spot
        at = spot.anchor.offset
        found.append((whole[:at].decode().rstrip()[-4:], whole[at:].decode()[:4]))
    return found


@pytest.mark.parametrize(
    ("content", "before", "after"),
    [
        (P * 3 + HERE + "\n<p class=next>Next.</p>" + P, "-->\n", "<p c"),
        (P * 3 + HERE + "<!-- another -->\n<h2>Next</h2>" + P, "-->\n", "<h2>"),
        (P * 3 + f"<p>{HERE}</p>" + P * 2, "</p>\n", "<p><"),
        (P * 3 + f"<p>{HERE}{SENTENCE}</p>" + P * 2, "</p>\n", "<p><"),
        (P * 3 + f"<p>{SENTENCE}{HERE}</p><!-- -->" + P * 2, "</p>", "<!--"),
        (P * 3 + f"<p><b>{SENTENCE} {SENTENCE} <i>{HERE}</i></b> End.</p><!-- -->" + P * 2, "</p>", "<!--"),
        (P * 3 + f"<ul><li>One</li><li>{HERE}</li></ul><!-- -->" + P * 2, "/ul>", "<!--"),
        (P * 3 + HERE + "<table><tr><td>1</table>" + P * 2, "</p>", "\n<!-"),
        (P * 3 + "<div data-ads-here='in-article'></div>" + P * 2, "</p>\n", "<div"),
        (P * 3 + "<p data-ads-here=' in-article '>Next.</p>" + P * 2, "</p>\n", "<p d"),
        (P * 3 + f"<p>{SENTENCE} <span data-ads-here=in-article></span></p><!-- -->" + P * 2, "</p>", "<!--"),
        (P * 3 + HERE.replace(" ", "\n\t") + P * 2, "-->", "<p>T"),
        (P * 3 + "<!--adproxy:slot in-article-->" + P * 2, "e-->", "<p>T"),
    ],
)
def test_a_mark_means_the_legal_spot_beside_it(content: str, before: str, after: str) -> None:
    ((left, right),) = around(content)
    assert (left.strip(), right.strip()) == (before.strip()[-4:], after.strip())


@pytest.mark.parametrize(
    "content",
    [
        f"<script>var a = '{HERE}{OFF}'</script>",
        f"<style>a::before{{content: '{HERE}{OFF}'}}</style>",
        f"<textarea>{HERE}{OFF}</textarea>",
        f"<template>{HERE}{OFF}</template>",
        f"<noscript>{HERE}{OFF}</noscript>",
        f"<iframe>{HERE}{OFF}</iframe>",
        f'<div title="{HERE}{OFF}"></div>',
        f"<!-- for editors: {HERE[4:-3]} and {OFF[4:-3]} -->",
        "<!-- adproxy:slot -->",
        "<!-- adproxy:slot In-Article -->",
        "<!-- adproxy:offline -->",
        "<!-- adproxy: off -->",
        "<p>&lt;!-- adproxy:off --></p>",
        "<p>data-ads-here=in-article</p>",
    ],
)
def test_what_only_looks_like_a_mark_is_none(content: str) -> None:
    page = read_page(P * 3 + content + P * 3)
    assert spots(page) == ()
    assert page.marked_off is False


@pytest.mark.parametrize(
    "content", [f"<nav>{HERE}<p>x</p></nav>", f"<p>{SENTENCE}</p>{HERE} and text<br>", f"<p hidden>{HERE}</p>"]
)
def test_a_mark_without_a_legal_spot_beside_it_has_none(content: str) -> None:
    page = read_page(f"{P * 3}<div>{content}</div>{P * 3}" if "text" not in content else P * 3 + "x" + HERE + "y" + P)
    assert [spot.anchor for spot in spots(page)] == [None]


def test_marks_come_in_document_order_and_no_more_than_some() -> None:
    mixed = P + "<div data-ads-here=in-article></div>" + P + HERE + P + "<div data-ads-here=in-article></div>" + P * 2
    offsets = [spot.anchor.offset for spot in spots(read_page(mixed)) if spot.anchor]
    assert len(offsets) == 3
    assert offsets == sorted(offsets)
    assert len(spots(read_page((P + HERE) * 60 + P))) == markers.MAX_MARKS
    many = spots(read_page((P + HERE) * 30 + "<div data-ads-here=in-article></div>" * 30 + P))
    assert len(many) == markers.MAX_MARKS


def test_only_slots_that_may_be_marked_are() -> None:
    content = P * 3 + HERE + P * 3
    assert spots(read_page(content, marked=frozenset({"other"}))) == ()
    assert spots(read_page(content, marked=None)) == ()
    assert len(spots(read_page(content))) == 1


@pytest.mark.parametrize("where", ["before", "content", "after"])
def test_off_holds_wherever_on_the_page_it_stands(where: str) -> None:
    around = {"before": OFF} if where == "before" else {"after": OFF} if where == "after" else {}
    content = P * 3 + (f"<div><p>{OFF}</p></div>" if where == "content" else "") + P
    assert read_page(content, **around).marked_off is True
    assert read_page(content, marked=None, **around).marked_off is False


def policy(markers: tuple[str, ...] | None) -> Policy:
    return Policy("s", None, None, Limits(), KeepClear(), (SLOT,), markers=markers)


def test_a_page_that_is_off_is_left_alone_and_says_why() -> None:
    page = html(P * 20 + OFF)
    result = rewrite(page, policy(None))
    assert isinstance(result, Skip)
    assert result.reason is SkipReason.MARKED_OFF
    ignored = rewrite(page, policy(()))
    assert isinstance(ignored, Rewritten)
    assert ignored.insertions


def test_a_marked_slot_stands_where_it_is_marked_and_nowhere_else() -> None:
    page = html(P * 20 + HERE + P * 20)
    marked, free = rewrite(page, policy(None)), rewrite(page, policy(()))
    assert isinstance(marked, Rewritten)
    assert isinstance(free, Rewritten)
    assert [i.offset for i in marked.insertions] == [page.index(HERE.encode()) + len(HERE)]
    assert len(free.insertions) > 1
