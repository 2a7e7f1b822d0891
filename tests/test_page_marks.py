"""Offsets that are proven by marks, and what proves nothing."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from adproxy.page.marks import ATTRIBUTE, BEFORE_START, MARKED, mark

FORMATTING = "a b big code em font i nobr s small strike strong tt u".split()


def proven(html: bytes) -> dict[int, str]:
    """Offset → name of every element whose place is proven, in the tree of the marked copy."""
    marked = mark(html)
    found = {}
    for node in LexborHTMLParser(marked.copy, scripting=True).css("*"):
        name = node.tag or ""
        offset = marked.offset(node.attrs.get(ATTRIBUTE), name)
        if offset >= 0:
            assert offset not in found, "two elements at one offset"
            assert html[offset + 1 :].lower().startswith(name.encode())
            found[offset] = name
    return found


@pytest.mark.parametrize("name", sorted(MARKED))
def test_every_kind_of_element_that_is_marked_is_found_where_it_begins(name: str) -> None:
    html = f"<body>text <{name} class=x>a".encode()
    assert proven(html) == {html.index(b"<" + name.encode() + b" "): name}


@pytest.mark.parametrize("spelling", ["P", "p", "DiV", "div", "Section", "SECTION", "bR", "H2", "BLOCKquote"])
def test_names_are_found_in_any_case(spelling: str) -> None:
    assert proven(f"<body><{spelling}>x".encode()) == {6: spelling.lower()}


@pytest.mark.parametrize("space", ["\t", "\n", "\f", "\r", " ", "/"])
def test_every_separator_of_the_standard_ends_a_name(space: str) -> None:
    assert proven(f"<body><p{space}class=x>y".encode()) == {6: "p"}


@pytest.mark.parametrize("no_space", ["\v", "\u00a0", "\x00", "\x1c", "\u0085", "-", ":"])
def test_nothing_else_ends_a_name(no_space: str) -> None:
    assert proven(f"<body><p{no_space}class=x>y".encode()) == {}


@pytest.mark.parametrize("tag", ["<p/>", "<p />", "<p>", "<p\n>", "<p/ class>"])
def test_a_slash_closes_nothing_and_hides_nothing(tag: str) -> None:
    assert proven(f"<body>{tag}x".encode()) == {6: "p"}


@pytest.mark.parametrize(
    "html",
    [
        b'<span title="<p class=x>">a</span>',
        b"<span title='<p>'>a</span>",
        b'<span title="a\n<p\n>b">a</span>',
        b"<!-- <p> <div> -->",
        b"<!--><!-- <p> -->",
        b"<script>document.write('<p class=x>a</p>')</script>",
        b"<style>/* <p > */</style>",
        b"<textarea><p>a</p></textarea>",
        b"<iframe><p>a</p></iframe>",
        b"<noscript><p>a</p></noscript>",
        b"<template><p>a</p></template>",
        b"<![if IE <p > ]>",
        b"</p ><a>",
        b"< p>a",
        b"a <",
        b"<p",
        b"<p ",
        b"<p class='",
    ],
)
def test_what_looks_like_a_tag_and_is_none_proves_nothing(html: bytes) -> None:
    assert not {"p", "div"} & set(proven(b"<body>" + html).values())


def test_a_mark_in_a_quoted_value_moves_no_other_element() -> None:
    html = b'<body><div title="<p class=x> <div >"><p>y'
    assert proven(html) == {6: "div", html.rindex(b"<p>"): "p"}


def test_a_tag_within_an_unquoted_value_gives_its_number_to_an_element_of_another_name_and_proves_nothing() -> None:
    assert proven(b"<body><span title=x<p id=y>z") == {}


def test_a_tag_within_the_unquoted_value_of_a_marked_element_does_not_take_its_number() -> None:
    assert proven(b"<body><div title=x<div id=y>z") == {6: "div"}


@pytest.mark.parametrize("false", [b"<script>i<n a='</script>", b"<!-- <n a='-->", b"<title><n a='</title>"])
def test_a_tag_that_the_scan_has_lost_gets_no_number_from_within_itself(false: bytes) -> None:
    assert "p" not in proven(b"<body>" + false + b'<p t="\'>" u=x<p id=y>z').values()


def test_a_paragraph_that_only_a_stray_end_tag_implies_has_no_offset() -> None:
    html = b"<body><p>a</p></p>b"
    assert proven(html) == {6: "p"}
    assert LexborHTMLParser(mark(html).copy).body.html.count("<p") == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("name", FORMATTING)
def test_formatting_elements_are_never_marked(name: str) -> None:
    assert name not in MARKED
    html = f"<{name} class=x><{name.upper()}>a".encode()
    assert mark(html).copy == html


@pytest.mark.parametrize(
    "name", ["li", "td", "span", "option", "body", "section-box", "ps", "h7", "time", "footnote", "audio"]
)
def test_other_elements_are_left_as_they_are(name: str) -> None:
    html = f"<{name} class=x>a".encode()
    assert mark(html).copy == html


@pytest.mark.parametrize(
    "value",
    ["x", "", "-1", "1e0", "0x0", "1.0", "²", "\u0661", "99", "999999999999999999999", " 0", "+0", "0 ", "\u00bd"],
)
def test_a_number_that_the_page_made_up_proves_nothing(value: str) -> None:
    assert mark(b"<p>a").offset(value, "p") == -1


def test_no_number_proves_nothing() -> None:
    assert mark(b"<p>a").offset(None, "p") == -1


def test_a_number_proves_nothing_for_an_element_of_another_name() -> None:
    marked = mark(b"<p>a")
    assert marked.offset("0", "p") == 0
    assert marked.offset("0", "div") == -1
    assert marked.offset("0", "pre") == -1


def test_an_attribute_of_that_name_on_the_page_can_not_take_the_place_of_ours() -> None:
    html = b'<body><p _ap=1 class=x>a</p><div _ap="0">b</div><span _ap=0>c</span>'
    assert proven(html) == {6: "p", html.index(b"<div"): "div"}


def test_a_page_that_numbers_an_unmarked_element_itself_is_not_believed() -> None:
    # <li> is never marked, so this number is the page's own; the bytes there spell another name
    assert proven(b"<body><ul><li _ap=0>c") == {6: "ul"}


def test_the_tree_of_the_copy_is_the_tree_of_the_page() -> None:
    html = (
        b"<!doctype html><body><p>a<b>b<p>c<b><b><b><b>d<p>e<table><p>f<tr><td>g</table>"
        b"<ul><li>h<li>i</ul><a href=x><div>j</a>k</div></p>l<center>m<font size=1>n<div>o</font></center>"
    )
    expected = LexborHTMLParser(html, scripting=True).html
    copied = LexborHTMLParser(mark(html).copy, scripting=True)
    for node in copied.css(f"[{ATTRIBUTE}]"):
        del node.attrs[ATTRIBUTE]
    assert copied.html == expected


def test_an_anchor_before_a_start_tag_is_only_for_elements_that_close_a_paragraph_as_a_div_does() -> None:
    for name in sorted(BEFORE_START):
        body = LexborHTMLParser(f"<p>a<{name}>b".encode()).body
        assert body is not None
        assert (body.html or "").startswith(f"<body><p>a</p><{name}>"), name


def test_offsets_are_bytes_of_the_page_whatever_its_encoding() -> None:
    for encoding in ("utf-8", "cp1252", "shift_jis", "gb18030"):
        text = "<body>価格<p>x" if encoding != "cp1252" else "<body>é<p>x"
        html = text.encode(encoding)
        assert html[next(iter(proven(html))) :] == b"<p>x"
