"""Pages that would hurt the parser are refused; pages that people write are not."""

from __future__ import annotations

import json
import random

import pytest
from selectolax.lexbor import LexborHTMLParser

from adproxy.demo.content import load_articles
from adproxy.demo.pages import article_page
from adproxy.page import follow_pure, guard
from adproxy.page.guard import hostile

DEEP = guard.MAX_DEPTH + 100
DIVS = "<div>" * DEEP
MANY = " ".join(f"a{i}" for i in range(guard.MAX_ATTRIBUTES + 2))

# What each would do to the parser: seconds of time or hundreds of megabytes, most of them in 200 KB.
BOMBS = {
    "too many bytes": "<p>" + "a" * guard.MAX_BYTES,
    "too many tags": "<br>" * (guard.MAX_TAGS + 1),
    "deep nesting": DIVS,
    "deep nesting in lists": "<ul><li>" * DEEP,
    "deep nesting in tables": "<table><tr><td>" * DEEP,
    "deep nesting of elements that nobody knows": "<x-box>" * DEEP,
    "deep nesting of links and blocks": "<a><div>" * DEEP,
    "a slash that closes nothing": "<div/>" * DEEP,
    "formatting left open": "<b>" * DEEP,
    "formatting before many blocks": "<p>" + "".join(f"<b x={i}>" for i in range(300)) + "<p>" * 300,
    "formatting that ends only in table cells": (
        "".join(f"<b x={i}><table><td></b></table>" for i in range(500)) + "<p>x" * 1000
    ),
    "attributes on one tag": "<p " + " ".join(f"a{i}" for i in range(guard.MAX_ATTRIBUTES + 2)) + ">",
    "attributes that look like a script": ("<p " + " ".join(f"{i:x};" for i in range(11_000)) + ">") * 3,
    "attributes on a script": "<script " + " ".join(f"a{i}" for i in range(guard.MAX_ATTRIBUTES + 2)) + "></script>",
    "templates": "<template>" * (guard.MAX_TEMPLATES + 1) + "<br>" * DEEP,
    "tags in what is no quoted value": ('<p a=b=">' + "<div>" * 500 + '">') * 4,
    "tags behind an equals sign that begins a name": ('<p =">' + "<div>" * 500 + '">') * 4,
    "end tags in comments": "<div><!-- </div> -->" * DEEP,
    "end tags in scripts": "<div><script></div></script>" * DEEP,
    "end tags in attributes": "<div><br a='</div>'>" * DEEP,
    "end tags in noscript": "<div><noscript></div></noscript>" * DEEP,
    "end tags in cells": "<div><table><td></div></table>" * DEEP,
    "end tags in objects": "<div><object></div>" * DEEP,
    "end tags of spans around a div": "<span><div></span>" * DEEP,
    "end tags of forms around a div": "<form><div></form>" * DEEP,
    "end tags of the body": ("<body>" + "<div>" * 50 + "</body>") * 40,
    "end tags of captions": ("<caption>" + "<div>" * 50 + "</caption>") * 40,
    "a comment that is none": "<!x <!-- >" + DIVS,
    "a comment in a question": "<?x <!-- >" + DIVS,
    "a comment in an end tag that is none": "</ <!-- >" + DIVS,
    "a comment in noscript": "<noscript><!-- </noscript>" + DIVS,
    "raw text in noscript": "<noscript><style> </noscript>" + DIVS,
    "a title in svg": "<svg><title>" + DIVS,
    "a title in svg that seems closed": "<svg><foreignObject><div></svg></div></foreignObject><title>" + DIVS,
    "a section of character data in svg": "<svg><![CDATA[<!--]]>" + DIVS,
    "paths outside of svg": "<svg><div></svg>" + "<path/>" * DEEP,
    "behind a script in a script's comment": "<script><!-- <script> </script> --></script>" + DIVS,
    "behind a script's comment that hides no end": "<script><!-- </script>" + DIVS + "--></script>",
    "links in svg": "<svg>" + "<a>" * DEEP,
    "cells in svg": "<svg>" + "<td>" * DEEP,
    "void elements in svg": "<svg>" + "<link>" * DEEP,
    "shapes whose slash is the end of a value": "<svg>" + "<g x=a/>" * DEEP,
    "shapes whose slash and quote are the end of a value": "<svg>" + '<g x=a"/>' * DEEP,
    "svg whose slash is the end of a value": "<svg x=a/>" * DEEP,
    "end tags that each walk many elements": "<span>" * 1_400 + "</x>" * 60_000,
    "end tags that each walk many elements of svg": "<svg>" * 1_400 + "</x>" * 60_000,
    "list items that each walk many elements": "<span>" * 1_400 + "<li>" * 30_000,
    "attributes that a noscript hides": f'<noscript><p x="</noscript><p {MANY}">',
    "attributes that an end tag in a noscript hides": f"<noscript></p x='</noscript><p {MANY}'>",
    "attributes behind markup in svg": f"<svg><title><p x='</title></svg><p {MANY}'></svg>" + "<br>" * 100,
    "attributes behind a misread script": f"<script>i<n a='</script><p {MANY}'>",
    "options": "<select>" + "<optgroup>" * DEEP,
    "ruby": "<rt>" * DEEP,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_page_that_would_hurt_the_parser_is_refused_with_a_reason(name: str) -> None:
    reason = hostile(f"<!doctype html><html><body>{BOMBS[name]}".encode())
    assert reason
    assert len(reason) < 200


SAFE = {
    "the most tags": "<br>" * (guard.MAX_TAGS - 2),
    "nesting below the bound": "<div>" * (guard.MAX_DEPTH - 3),
    "nesting that is closed again": "<div><div></div></div>" * DEEP,
    "paragraphs without end tags": "<p>a" * DEEP,
    "list items without end tags": "<ul>" + "<li>a" * DEEP + "</ul>",
    "definitions without end tags": "<dl>" + "<dt>a<dd>b" * DEEP + "</dl>",
    "table cells without end tags": "<table>" + "<tr><td>a<td>b" * DEEP + "</table>",
    "tables with all end tags": "<table><tbody>" + "<tr><td><b>a</b></td></tr>" * DEEP + "</tbody></table>",
    "links left open": "<a href=x>b<br>" * DEEP,
    "formatting that is closed": "<p><b>a</b> <i>c</i></p>" * DEEP,
    "some formatting left open": "<p><b>" * 20 + "<p>a</p>" * 500,
    "void elements": "<img src=a><br><hr><input><wbr>" * DEEP,
    "elements in comments": "<!-- " + DIVS + " -->",
    "elements in scripts": "<script>" + DIVS + "</script>",
    "elements in a text area": "<textarea>" + DIVS + "</textarea>",
    "a drawing of many paths": "<svg>" + "<path d='M0 0'/>" * DEEP + "</svg><p>a</p>",
    "many icons": "<svg viewBox='0 0 1 1'><title>x</title><g><path d=x /></g></svg>" * DEEP,
    "scripts with markup after an icon": "<svg><path/></svg><script>'<div>'</script>" * DEEP,
    "noscripts with pictures": "<noscript><img src=x><iframe src=y></iframe></noscript>" * DEEP,
    "links and cells in svg": "<svg><a><path/></a><td></td><link/></svg>" * DEEP,
    "closed elements and many end tags": "<span><p>a</p></span>" * 8_900,
    "forms": "<form><div><input></div></form>" * DEEP,
    "options in many menus": ("<select>" + "<option>a</option>" * 300 + "</select>") * 6,
    "options without end tags": "<p>a</p>" * DEEP + "<select>" + "<option>a" * 300 + "</select>",
    "a picture as a data URL": f'<img src="data:image/png;base64,{"A" * 60 * 1024}" alt="x y=z">',
    "a very long value": f'<div data-state="{"a b c " * 40_000}"></div>',
    "a long list of sources": f'<img srcset="{", ".join(f"/p/{i}.jpg {i}w" for i in range(900))}">',
    "a comparison in a long script": "<script>for(i=0;i<n;i++){" + "a(b, c); d = e + f; " * 4000 + "}</script>",
    "json in an attribute": f"<div data-x='{json.dumps([{'a': i, 'b': '<p>'} for i in range(2000)])}'></div>",
    "attributes below the bound": "<p " + " ".join(f"a{i}" for i in range(guard.MAX_ATTRIBUTES - 2)) + ">",
    "templates": "<template><p></p></template>" * guard.MAX_TEMPLATES,
    "an empty page": "",
    "text": "just text < and > with & signs",
    "a tag that never ends": "<div class='",
}


@pytest.mark.parametrize("name", SAFE)
def test_a_page_that_only_looks_like_one_is_let_through(name: str) -> None:
    assert hostile(f"<!doctype html><html><body>{SAFE[name]}".encode()) is None


def test_every_page_of_the_demo_is_let_through() -> None:
    articles = load_articles()
    for article in articles:
        assert hostile(article_page(article, articles).encode()) is None


def test_an_ordinary_page_passes_the_long_check_too() -> None:
    page = article_page(load_articles()[0], load_articles()).encode()
    assert hostile(page + b"<br>" * DEEP) is None


@pytest.mark.parametrize("name", [name for name in BOMBS if len(BOMBS[name]) < 300_000])
def test_bytes_that_are_no_text_change_nothing(name: str) -> None:
    assert hostile(b"\xff\x00\xfe<body>" + BOMBS[name].encode() + b"\x80") is not None


@pytest.mark.parametrize(
    "hiding",
    [
        b"<script>if(i<n a='</script>%s'></div>",
        b"<!-- <n a='-->%s'></div>",
        b"<title><n a='</title>%s'></div>",
        b"<?n <p a='>%s'></div>",
    ],
)
@pytest.mark.parametrize(
    "bomb", [b"<div>" * 20_000, b"<p " + b" ".join(b"a%d" % i for i in range(20_000)) + b">", b"<b x=%s><p>" * 5_000]
)
def test_a_bomb_is_not_hidden_by_what_only_looks_like_a_tag_before_it(hiding: bytes, bomb: bytes) -> None:
    if bomb.startswith(b"<b"):
        bomb = b"".join(b"<b x=%d><p>" % i for i in range(5_000))
    assert hostile(b"<!doctype html><p>x</p>" + hiding.replace(b"%s", bomb)) is not None
    assert hostile(b"<!doctype html><p>x</p>" + hiding.replace(b"%s", b"<p>x</p>" * 20)) is None


@pytest.mark.parametrize("false", ["<script>i<n a={q}</script>", "<!-- <n a={q}-->", "<title><n a={q}</title>"])
@pytest.mark.parametrize("quote", ["'", '"', "\n'", '\f"', "\r\t'"])
@pytest.mark.parametrize("equals", ["=", " =", "= ", "\t=\f", "\n=\r"])
@pytest.mark.parametrize("tag", ["<p", "<DIV", "<x<y", "<p><p"])
def test_a_tag_that_goes_on_behind_what_only_looks_like_one_hides_nothing(
    false: str, quote: str, equals: str, tag: str
) -> None:
    # the real tag's value begins behind an equals sign; what only looks like a tag takes that quote for its end
    other = '"' if "'" in quote else "'"
    page = f"<!doctype html>{false.format(q=quote)}{tag} x{equals}{other}{quote.strip()}>{other} %s>y"
    for bomb in (MANY, f"z> {DIVS}"):
        assert hostile((page % bomb).encode()) is not None
    assert hostile((page % "z").encode()) is None


def test_a_bomb_is_not_hidden_in_many_small_parts() -> None:
    part = b"<script>i<n a='</script>" + b"<div>" * 150 + b"'>"
    assert hostile(b"<!doctype html>" + part * 100) is not None


def test_what_stands_in_a_script_in_a_scripts_comment_is_text() -> None:
    assert hostile(("<script><!-- <script> </script>" + DIVS + "--></script>").encode()) is None


def test_scripts_end_where_the_parser_ends_them() -> None:
    parts = [b"<!--", b"-->", b"<script>", b"</script>", b"<script ", b"</script ", b"-", b"<", b">", b"x", b"--", b"!"]
    parts += [b"</scripty>", b"<!-->", b"<!--->", b"</SCRIPT\n", b"\n"]
    dice = random.Random(5)
    for _ in range(4_000):
        text = b"".join(dice.choices(parts, k=dice.randint(1, 14)))
        html = b"<body><script>" + text
        read = next(found for found in follow_pure._TOKEN.findall(html) if found[1])[3]
        parsed = LexborHTMLParser(html).css_first("script")
        assert parsed is not None
        assert read.decode() == parsed.text(), html


def test_nuls_by_the_thousand_are_refused_and_a_few_are_not() -> None:
    text = b"<p>a</p>" + b"word " * 110_000
    assert hostile(text + b"\0" * 9_000) is None
    assert "NUL" in (hostile(text + b"\0" * 11_000) or "")
