"""The compiled scan says of any bytes what the one in Python says; and one can see which of them is at work."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bombs import PAGE_BYTES, bombs
from hypothesis import given, settings
from hypothesis import strategies as st
from scans import Scan, compiled, differences
from soup import pages
from test_page_guard import BOMBS, SAFE

from adproxy.page import follow_pure, guard, scan, scan_pure
from adproxy.page.kinds import KNOWN

# What pages are made of that is read in more than one way.
PIECES = [
    *(b"<", b">", b"/", b"=", b'"', b"'", b" ", b"\n", b"\t", b"\f", b"\r", b"\v", b"\0", b"\xa0", b"-", b"a", b"x"),
    *(b"\xc3\xa9", b"<br/", b"<hr>"),
    *(b"<p", b"<P ", b"<div ", b"<DIV>", b"<br/>", b"<b ", b"<B>", b"<em", b"<i x=1>", b"</p>", b"<!--", b"-->"),
    *(b"<table>", b"<td", b"<svg>", b"<math ", b"<template>", b"<noscript>", b"<script>", b"</script>", b"<x-y "),
    *(b"<blockquote", b"<figcaption>", b"<blockquotes>", b"<body", b"<BoDy>", b"<body/", b"<bodyx", b"<body"),
    *(b' a="', b" a='", b' class="x y"', b" a=b", b" a = b", b"=<p", b'="<p ', b"='<b>'", b'"="', b"'='", b"/=", b" /"),
    *(b"data-adproxy", b"adproxy:", b"adprox", b"data-ads-here", b"data-ads-her", b"xads-h", b"ADPROXY"),
    *(b" a=1 b c='2'" * 20, b"text " * 30, b"<n a=\t'<p ", b'<p "<b x=\f"'),
]  # fmt: skip
# What decides which tags are followed, and what they close.
TAGS = [
    *b"""<div> </div> <p> </p> <span> </span> <b> </b> <b/> </I> <em> <a> </a> <table> </table> <td> </td> <svg> <SVG/>
    </svg> <g> <g/> </path> <title> </title> <math> </math> <select> </select> <object> </object> <template> </template>
    <form> </form> <x-y> </X-y> <x-z> </x-z> <li> </li> <link> <link/> <img> <body> </body> <plaintext> <ul> </ul>
    <foreignObject> <noscript> </noscript> <script> </script> <style> </style> </Style/ <textarea> </textarea> <xmp>
    </xmp> <iframe> <!-- --> --!> <!--> <!---> - ! <! <? </ </> <![CDATA[ <![cdata[ < > x text ' " = /""".split(),
    *(b" ", b"<i x>", b"<svg x=/>", b"<g x=a/>", b"<path d='1'/>", b"</noscript ", b"<noscript x='>'", b"<script "),
    *(b"</script ", b"<STYLE x>", b"<p a b c d e f>", b"<p a='<b>' b=\"</p>\" c=d/>", b"</p a b c d e>", b"<b x=1>"),
    *(b"<script a b c d e>", b"<p" + b" ab=c" * 30 + b">", b"<b x=2>", b"</ "),
    *(b"<script><!--<script>", b"</script><div><div>", b"--></script>"),
]  # fmt: skip
# The same, without what ends the reading early.
NESTING = b"""<div> </div> <div> </div> <p> <span> </span> <x-y> </x-y> <form> </form> <object> </object> <table>
    </table> <td> <b> </b> <template> </template> <svg> <g/> <g> </svg> <li> <img> <b/>""".split()  # fmt: skip
FOLLOWED = st.one_of(st.lists(st.sampled_from(pool), max_size=60).map(b"".join) for pool in (TAGS, NESTING))
HTML = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)


@pytest.fixture(scope="module")
def native() -> Scan:
    return compiled()


@settings(max_examples=800, deadline=None)
@given(HTML)
def test_of_any_pieces_both_say_the_same(native: Scan, html: bytes) -> None:
    assert differences(html, native(html), scan_pure.scan(html)) == []


@settings(max_examples=800, deadline=None)
@given(FOLLOWED)
def test_of_any_tags_both_say_the_same(native: Scan, html: bytes) -> None:
    assert differences(html, native(html), scan_pure.scan(html)) == []


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_of_any_bytes_both_say_the_same(native: Scan, html: bytes) -> None:
    assert differences(html, native(html), scan_pure.scan(html)) == []


@settings(max_examples=100, deadline=None)
@given(pages())
def test_of_any_page_both_say_the_same(native: Scan, html: bytes) -> None:
    assert differences(html, native(html), scan_pure.scan(html)) == []


@pytest.mark.parametrize("name", [*BOMBS, *SAFE])
def test_of_what_the_guard_is_there_for_both_say_the_same(native: Scan, name: str) -> None:
    html = f"<!doctype html><html><body>{(BOMBS | SAFE)[name]}".encode()
    assert differences(html, native(html), scan_pure.scan(html)) == []


@pytest.mark.parametrize(("name", "html"), list(bombs()), ids=lambda value: value if isinstance(value, str) else "")
def test_of_every_bomb_both_say_the_same(native: Scan, name: str, html: bytes) -> None:
    html = html[: PAGE_BYTES // 8]  # all that is in them repeats
    assert differences(html, native(html), scan_pure.scan(html)) == []


def test_a_needle_is_found_wherever_it_lies(native: Scan) -> None:
    needle = b"adproxy"
    for before in [*range(20), *range(2_030, 2_060), *range(4_085, 4_110)]:
        for behind in (0, 1, 3, 50):
            page = b"." * before + needle + b"." * behind
            assert native(page).holds_adproxy()
            for cut in (page.replace(needle, needle[:-1]), page.replace(needle, needle[1:])):
                assert not native(cut).holds_adproxy()


def test_every_kind_is_told_from_every_other_and_in_any_case(native: Scan) -> None:
    for kind in KNOWN:
        page = b"<%s><%s x><%sx><x%s a='<%s>'>" % (kind, kind.upper(), kind, kind, kind.title())
        found = native(page)
        assert {other: found.count((other,)) for other in KNOWN if found.count((other,))}.get(kind) == 3
        assert found.count_swallowed((kind,)) == 1


def test_a_kind_that_the_scan_does_not_tell_apart_may_not_be_asked_for(native: Scan) -> None:
    with pytest.raises(KeyError):
        native(b"<p>").count((b"no-such",))


_SCRIPT = '<script>for(i=0;i<n.length;i++){x="a="+n[i];%s}</script><p>one</p>'


@pytest.mark.parametrize(
    ("html", "clear"),
    [
        (_SCRIPT % "y='<p class=\"z\">'", True),
        (_SCRIPT % "y=\"<p class='z'>\"", True),
        (_SCRIPT % "y='<p'+z+'>'", True),
        (_SCRIPT % "y='<p class=\"'+z+'\">'", True),
        ("""<img src='data:image/svg+xml,<svg x="y=="/></svg>'><p>one</p>""", True),
        # to the tag around it the value ends where that of the one in it begins
        ("""<a b='<p c="' y>x"><p>one</p>""", False),
        ("""<a i<n;x='<p c="' y='>' z>"><p>one</p>""", False),
        ("<a " + "<b " * 20 + "c='d='>", False),
    ],
)  # fmt: skip
def test_what_is_swallowed_may_end_in_what_swallowed_it(native: Scan, html: str, clear: bool) -> None:
    page = html.encode()
    for made in (native(page), scan_pure.scan(page)):
        assert made.is_clear == clear
    assert differences(page, native(page), scan_pure.scan(page)) == []


# --- the comparison can fail ------------------------------------------------------------------------


def _with_pattern(change: Callable[[bytes], bytes]) -> Callable[[pytest.MonkeyPatch], None]:
    def break_it(patch: pytest.MonkeyPatch) -> None:
        pattern = change(scan_pure._START_TAG.pattern)
        assert pattern != scan_pure._START_TAG.pattern
        patch.setattr(scan_pure, "_START_TAG", re.compile(pattern))

    return break_it


BROKEN: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "unquoted values end at a quote": _with_pattern(
        lambda p: p.replace(rb"[^\t\n\f\r >]*+)?+", rb"[^\t\n\f\r >\"']*+)?+")
    ),
    "an equals sign begins no name": _with_pattern(lambda p: p.replace(rb"[^\t\n\f\r />][^", rb"[^\t\n\f\r />=][^")),
    "a vertical tab is white": _with_pattern(lambda p: p.replace(rb"\t\n", rb"\t\v\n")),
    "a slash ends no name": _with_pattern(lambda p: p.replace(rb"<[a-zA-Z][^\t\n\f\r />]", rb"<[a-zA-Z][^\t\n\f\r >]")),
    "nothing may be left": lambda patch: patch.setattr(scan_pure, "_may_be_left", lambda rest: False),
    "little is read of what others swallowed": lambda patch: patch.setattr(scan_pure, "MOST_WITHIN", 0),
    "white space before a quote counts": lambda patch: patch.setattr(scan_pure, "_WHITE", b" "),
    "all tags are notable": lambda patch: patch.setattr(scan_pure, "NOTABLE", 0),
    "a slash separates no attributes": lambda patch: patch.setattr(
        scan_pure, "_SEPARATORS", tuple(s for s in scan_pure._SEPARATORS if s != b"/")
    ),
    "the body is any element that begins so": lambda patch: patch.setattr(
        scan_pure, "_BODY", re.compile(rb"<[bB][oO][dD][yY]")
    ),
}  # fmt: skip


BROKEN_FOLLOWING: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a script in a script's comment ends the script": lambda patch: patch.setattr(
        follow_pure,
        "_TOKEN",
        re.compile(
            follow_pure._TOKEN.pattern.replace(follow_pure._SCRIPT, rb"(?:[^<]++|<(?!/script[\t\n\f\r />]))*+"), re.I
        ),
    ),
    "a comment ends at any two dashes": lambda patch: patch.setattr(
        follow_pure, "_TOKEN", re.compile(follow_pure._TOKEN.pattern.replace(rb"-(?!-!?>)", rb"-(?!-)"), re.I)
    ),
    "every slash closes": lambda patch: patch.setattr(follow_pure, "_closes_itself", lambda rest: True),
    "end tags reach one element": lambda patch: patch.setattr(follow_pure, "_REACH", 1),
    "no scopes": lambda patch: patch.setattr(follow_pure, "SCOPES", frozenset()),
    "all ends close all": lambda patch: patch.setattr(follow_pure, "STOPS", frozenset()),
    "paragraphs nest": lambda patch: patch.setattr(follow_pure, "NEVER_OPEN", follow_pure.NEVER_OPEN - {b"p"}),
    "nothing leaves svg": lambda patch: patch.setattr(follow_pure, "LEAVES_SVG", frozenset()),
    "no noscripts": lambda patch: patch.setattr(follow_pure, "_noscripts", lambda html: []),
    "all tags are notable where tags are followed": lambda patch: patch.setattr(follow_pure, "NOTABLE", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", [*BROKEN, *BROKEN_FOLLOWING])
def test_the_comparison_catches_a_scan_that_is_broken(native: Scan, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(11)
    pools = (PIECES,) if name in BROKEN else (TAGS, NESTING)
    made = [b"".join(dice.choices(dice.choice(pools), k=dice.randint(1, 60))) for _ in range(1_500)]
    (BROKEN | BROKEN_FOLLOWING)[name](monkeypatch)
    assert any(differences(html, native(html), scan_pure.scan(html)) for html in made)


# --- which one is at work ---------------------------------------------------------------------------


def test_the_compiled_scan_is_that_of_its_source() -> None:
    compiled()
    from adproxy.page import scan_native

    folder = Path(scan.__file__).parent
    sources = [folder / name for name in ("scan_native.pyx", "markup_native.pxi", "follow_native.pxi")]
    others = {folder / name for name in ("walk_native.pyx", "words_native.pyx", "ends_native.pyx")}
    assert set(sources) == {*folder.glob("*.pyx"), *folder.glob("*.pxi")} - others
    made_from = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    assert made_from == scan_native.SOURCE, "the sources were changed since they were compiled: make .venv/product"


@pytest.mark.parametrize(("pure", "told"), [("", "compiled code"), ("1", "Python")])
def test_the_environment_forces_the_one_in_python_and_the_version_tells_which_is_used(pure: str, told: str) -> None:
    compiled()
    said = subprocess.run(
        [sys.executable, "-m", "adproxy", "--version"],
        env=os.environ | {"ADPROXY_PURE_PYTHON": pure},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert re.fullmatch(rf"adproxy \S+ \(pages are scanned by {told}\)\n", said)


def test_the_guard_asks_only_for_kinds_that_the_scan_tells_apart() -> None:
    html = b"<svg><b x=1>" * (guard.MAX_DEPTH + 1)  # asks all that the guard may ask
    assert guard.hostile(html, compiled()(html))
