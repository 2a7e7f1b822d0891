"""Where nothing is ever inserted, element by element, under rules that forbid next to nothing."""

from __future__ import annotations

import pytest
from oracles import Html5lib, check_bytes, check_trees
from soup import EVERYWHERE, INERT, NOTHING_CLEAR, OPEN, prose

from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.ruleset import FixedPlace, MidArticle, Place, Policy, SelectorPlace, Slot

PLACES: tuple[Place, ...] = (
    MidArticle(),
    FixedPlace.END_OF_ARTICLE,
    FixedPlace.ABOVE_HEADLINE,
    *(
        SelectorPlace(where, name)
        for where in ("before", "after", "prepend", "append")
        for name in ("p", "div", "g", "h2")
    ),
)
GREEDY = Policy(
    "site", None, None, OPEN, NOTHING_CLEAR,
    tuple(Slot(f"s{i}", place, EVERYWHERE, INERT, max=1000) for i, place in enumerate(PLACES)),
)  # fmt: skip
TEXT = "".join(f"<p>{prose(40, i)}.</p>\n" for i in range(4))
DECOY = f"</body></article><p>{prose(30, 9)}</p><div>x</div><h2>y</h2></body>"
"""What would be places elsewhere."""
INLINE = f"{prose(30, 9)}<br>{prose(30, 8)}"

FORBIDDEN = {
    "script": f"<script>document.write('{DECOY}')</script>",
    "style": f"<style>/* {DECOY} */</style>",
    "textarea": f"<textarea>{DECOY}</textarea>",
    "title": f"<title>{DECOY}</title>",
    "template": f"<template><p>{prose(30, 9)}</p><div>x</div></template>",
    "noscript": f"<noscript><p>{prose(30, 9)}</p><div>x</div></noscript>",
    "iframe": f"<iframe>{DECOY}</iframe>",
    "noembed": f"<noembed>{DECOY}</noembed>",
    "noframes": f"<noframes>{DECOY}</noframes>",
    "xmp": f"<xmp>{DECOY}</xmp>",
    "select": f"<select><option>{prose(30, 9)}</option></select>",
    "svg": f"<svg><g><title>{prose(30, 9)}</title></g><g></g></svg>",
    "math": f"<math><mi>{prose(30, 9)}</mi><g></g></math>",
    "table": f"<table><tr><td>{prose(30, 9)}</td></tr><tr><td>x</td></tr></table>",
    "button": f"<button>{INLINE}</button>",
    "a": f"<a href=x>{INLINE}</a>",
    "p": f"<p>{INLINE}</p>",
    "pre": f"<pre>{INLINE}</pre>",
    "ul": f"<ul><li>{prose(30, 9)}</li><li>{prose(30, 8)}</li></ul>",
    "ol": f"<ol><li><p>{prose(30, 9)}</p></li><li><div>x</div></li></ol>",
    "dl": f"<dl><dt>{prose(30, 9)}</dt><dd><p>{prose(30, 8)}</p></dd></dl>",
    "comment": f"<!-- {DECOY} -->",
    "CDATA in svg": f"<svg><![CDATA[{DECOY}]]></svg>",
    "attribute": f'<span title="{DECOY}">x</span>',
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_d3_f15_nothing_is_inserted_in_what_holds_no_slot(html5lib_parser: Html5lib, name: str) -> None:
    forbidden = FORBIDDEN[name].encode()
    before = f"<!DOCTYPE html><body><article>{TEXT}".encode()
    html = before + forbidden + f"{TEXT}</article>".encode()
    start = len(before)
    result = rewrite(html, GREEDY)
    assert isinstance(result, Rewritten)
    assert any(insertion.offset <= start for insertion in result.insertions), "there are places before it"
    inside = [i.offset for i in result.insertions if start < i.offset < start + len(forbidden)]
    assert inside == []
    check_bytes(html, result.body, result.insertions)
    if name != "template":  # html5lib takes a template's content for the page's
        check_trees(html, result.body, result.insertions, html5lib_parser, scripting=True)


def test_d3_nothing_is_inserted_behind_plaintext() -> None:
    html = f"<!DOCTYPE html><body><article><h1>H</h1>{TEXT}<plaintext>{DECOY}{TEXT}".encode()
    result = rewrite(html, GREEDY)
    assert isinstance(result, Rewritten)
    assert result.insertions
    assert max(insertion.offset for insertion in result.insertions) <= html.index(b"<plaintext>")


STARTS = [
    '\ufeff<!DOCTYPE html><html><head><meta charset="utf-8"><title>T</title></head><body>',
    "<!-- a --><!--[if IE]><p>old</p><![endif]--><!DOCTYPE html>\n<html><head><meta charset=utf-8></head><body>",
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">\r\n<HTML><HEAD><META CHARSET=utf-8></HEAD><BODY>',
]


@pytest.mark.parametrize("start", STARTS)
def test_d2_what_stands_before_the_content_is_kept_where_it_was(start: str) -> None:
    html = f"{start}<article><h1>H</h1>{TEXT}</article>".encode()
    result = rewrite(html, GREEDY)
    assert isinstance(result, Rewritten)
    assert result.insertions
    head = start.encode()
    assert result.body.startswith(head)
    assert b"charset" in result.body[:1024].lower()


WITHOUT_TAGS = [
    f"<!DOCTYPE html><title>T</title><h1>H</h1>{TEXT}",
    f"<!DOCTYPE html><meta charset=utf-8><title>T</title><main><h1>H</h1>{TEXT}</main>",
    f"<!DOCTYPE html><html lang=en><title>T</title><article><h1>H</h1>{TEXT}",
    f"<h1>H</h1>{TEXT}",
    f"<!DOCTYPE html><head><title>T</title></head><h1>H</h1>{TEXT}</html>",
]


@pytest.mark.parametrize("page", WITHOUT_TAGS)
def test_d4_pages_without_the_tags_that_may_be_left_out_get_slots(html5lib_parser: Html5lib, page: str) -> None:
    html = page.encode()
    result = rewrite(html, GREEDY)
    assert isinstance(result, Rewritten)
    assert len(result.insertions) > 3
    check_bytes(html, result.body, result.insertions)
    check_trees(html, result.body, result.insertions, html5lib_parser, scripting=True)
