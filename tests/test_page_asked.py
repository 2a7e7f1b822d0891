"""Attributes that the parsed copy goes without: nothing else about a page changes by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import test_page_left_out
from hypothesis import given, settings
from hypothesis import strategies as st
from scans import compiled, differences
from soup import pages
from test_page_left_out import POLICY

from adproxy.page import kinds, scan_pure
from adproxy.page.asked import ASKED, PREFIX, asks_for_others, is_asked
from adproxy.page.read import Wanted, compile_wanted, read
from adproxy.rules.ruleset import When

# Quotes, and what they may or may not end, in tags, end tags, doctypes, comments and texts.
PIECES = [
    *b"""<p> </p> <div> </div> <table> <td> </table> <svg> </svg> <title> </title> <textarea> </textarea> <script>
    </script> <style> </style> <noscript> </noscript> <template> </template> <b> </b> <select> <option> <!-- -->
    --!> <![CDATA[ ]]> ]] -- > < " ' = / text <plaintext> <math> <mi> <foreignObject> <font> <!doctype
    <input""".split(),
    *(b' alt="x"', b" alt='x'", b' alt="x y"', b' d="M 0 0"', b' alt="--"', b' alt="]]"', b' alt="a=', b' alt=""'),
    *(b'<p alt="x">', b'<p x alt="v"="w">', b"<p x= alt=\"v\">", b'<p alt="x"/>', b'<input type alt="v"="hidden">'),
    *(b'</p a="<p alt="x">', b"</div a='<p alt=\"x'y\">", b'<!doctype html public "<p alt="x">', b'</div a="', b"</p "),
    *(b'<b alt="x">', b'<b alt="y">', b'<font size="1">', b'<a href="/" title="t">', b'<p class="a" data-x="1">'),
    *(b'<path d="M0 0h1">', b'<img srcset="a 1x"alt="b">', b'<p/alt="x"class="c">', b"word " * 8, b" ", b'">', b"'>"),
]  # fmt: skip


def lean(html: bytes, scan: Callable[[bytes], scan_pure.Scanned] = scan_pure.scan) -> bytes:
    return scan(html).marked(b"_m", (), idle=False)


def tree_of(html: bytes) -> list[object]:
    """A page's tree with those of its attributes that are asked about."""
    return test_page_left_out.tree_of(html, NO_MARKUP, lambda name: is_asked(name.encode()))


# Where what looks like a tag may be text, and lose an attribute.
NO_MARKUP = {kind.decode() for kind in kinds.RAW | kinds.BULK | kinds.FOREIGN} | {"noscript"}


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
def test_the_tree_is_the_same_but_for_what_nobody_asks(html: bytes) -> None:
    html = b"<body>" + html
    assert tree_of(lean(html)) == tree_of(html)


@settings(max_examples=800, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
def test_the_compiled_scan_leaves_out_the_same(html: bytes) -> None:
    assert differences(html, compiled()(html), scan_pure.scan(html)) == []


@settings(max_examples=200, deadline=None)
@given(html=pages(), pieces=st.lists(st.sampled_from(PIECES), max_size=8), at=st.integers(0, 10**6))
def test_a_page_is_read_as_if_nothing_were_left_out(html: bytes, pieces: list[bytes], at: int) -> None:
    at %= len(html) + 1
    html = html[:at] + b"".join(pieces) + html[at:]
    wanted = compile_wanted(POLICY)
    assert read(html, wanted) == read(html, replace(wanted, others=True))


@pytest.mark.parametrize(
    ("html", "left"),
    [
        (b'<p alt="x">', b"<p >"),
        (b'<p alt="x"/>', b"<p />"),
        (b'<P ALT="x y" CLASS="c">', b'<P  CLASS="c">'),
        (b'<p alt="a"title="b"class="c">', b'<p class="c">'),
        (b'<p\n  srcset="a 1x,\n b 2x"\n  src="c">', b'<p\n  \n  src="c">'),
        (b'<svg viewBox="0 0 1 1"><path d="M0 0"/></svg>', b"<svg ><path /></svg>"),
        (b'<a href="/" title="t" onclick="go()" data-t="1">', b'<a href="/"   >'),
        (b'<p data-id="1" data-ad-slot="2" data-sizes="3">', b'<p  data-ad-slot="2" data-sizes="3">'),
    ],
)  # fmt: skip
def test_what_nobody_asks_about_is_left_out(html: bytes, left: bytes) -> None:
    assert lean(html) == left
    assert lean(html, compiled()) == left


@pytest.mark.parametrize(
    ("why", "html"),
    [
        ("it may be read without quotes", b"<p alt=x title='y'>"),
        ("two of these that say the same are one too many to the parser", b'<b alt="x"><i title="y"><font face="z">'),
        ("the one before it would get a value", b'<input type alt="v" ="hidden">'),
        ("a comment may end in it", b'<p alt="-->">'),
        ("it may be two tags", b'<p alt="<i">'),
        ("its value may be another than it seems", b'<p alt="&quot;size">'),
        ("its quotes may be an end tag's", b'</p a="<p alt="x">'),
        ("its quotes may be the doctype's", b'<!doctype html system "<p alt="x">'),
        ("it is text", b'<plaintext><p alt="x">'),
        ("it is text", b'<textarea><p alt="x"></textarea>'),
        ("it is text where scripts run", b'<noscript><img alt="x"></noscript>'),
        ("it is a script's", b"<script>x='<p alt=\"x\">'</script>"),
        ("it does not end", b'<p alt="x'),
        ("a tag may swallow another", b'<p a=\'<p b="\'><p c="<p d=\'" alt="x">'),
    ],
)
def test_what_may_be_more_is_kept(why: str, html: bytes) -> None:
    assert lean(html) == html, why
    assert lean(html, compiled()) == html, why


def test_too_many_long_end_tags_are_not_read_to_their_ends() -> None:
    few, many = (b"</p a=1>" * n + b'<p alt="x">' for n in (16, 17))
    for scan in (scan_pure.scan, compiled()):
        assert b"alt" not in lean(few, scan)
        assert b"alt" in lean(many, scan)


@pytest.mark.parametrize("name", sorted(ASKED | {PREFIX, b"data-ads-here", b"size", b"data-slot-sizes", b"DATA-AD-X"}))
def test_each_name_that_is_asked_about_stays_in_any_case(name: bytes) -> None:
    for spelled in (name, name.upper()):
        html = b'<div %s="x" %sx="y" x%s="z">' % (spelled, spelled, spelled)
        for scan in (scan_pure.scan, compiled()):
            assert b' %s="x"' % spelled in lean(html, scan)
            if b"size" not in name.lower() and not name.lower().startswith(PREFIX):
                assert lean(html, scan) == b'<div %s="x"  >' % spelled


def test_without_the_shadow_of_end_tags_a_tag_would_swallow_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    html = b'<div></div a="<p alt="x"><p>one</p><p title="y">two</p>'
    assert tree_of(lean(html)) == tree_of(html)
    monkeypatch.setattr(scan_pure.Scanned, "_shadows", lambda _self: [])
    assert tree_of(lean(html)) != tree_of(html)


@pytest.mark.parametrize(
    ("selector", "asks"),
    [
        (".story > p", False),
        ("[itemprop=articleBody], a[ href^='/x']", False),
        ("div[data-ad-slot]:not([class*=big])", False),
        ("img[alt]", True),
        ("p:not([ data-x = 'y' ])", True),
        ("[DATA-X]", True),
        ("*[*|href]", True),
        ("[\\64 ir]", True),
    ],
)
def test_a_selector_may_ask_for_others(selector: str, asks: bool) -> None:
    assert asks_for_others([".a", selector]) == asks


def test_a_page_whose_rules_ask_for_others_is_read_with_them() -> None:
    html = b'<body><h1>x</h1><p title="here">' + b"word " * 40
    for selector, found in (("p[title=here]", True), ("p[title=there]", False)):
        wanted = compile_wanted(replace(POLICY, when=When(has=(selector,))))
        assert wanted.others
        assert bool(read(html, wanted).facts.matched) == found
    assert not Wanted().others
