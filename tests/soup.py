# ruff: noqa: E501 - lists of snippets
"""Hostile pages and free-handed rules for the laws: what authors, editors and attackers leave in HTML.

Pages hold real paragraphs among the soup, so that slots are placed; what surrounds them is as broken as HTML gets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from adproxy.model import PerDevice
from adproxy.rules.ruleset import (
    ByPage,
    Clearance,
    Counts,
    Creative,
    Distance,
    DistancePerDevice,
    FixedPlace,
    GptCreative,
    HtmlCreative,
    ImageCreative,
    KeepClear,
    Limits,
    MidArticle,
    Place,
    Policy,
    SelectorPlace,
    SidebarPlace,
    Sides,
    Size,
    SizeMap,
    Slot,
    Visitors,
)

# --- pages ------------------------------------------------------------------------------------------

_WORDS = """the ferry left harbour before dawn while gulls circled over empty boats and nobody on the pier could say
when it would be back again because winter storms had closed every crossing since Sunday evening""".split()
_WORDS_OF = {
    "utf-8": "größer façade naïve данные слово 日本語 中文字 คำว่า עברית مرحبا 😀 —".split(),
    "cp1251": "данные слово паром гавань зима ёж № —".split(),
    "cp1252": "größer façade naïve œuvre € —".split(),
    "iso8859-2": "příliš žluťoučký kůň łódź ősz".split(),
    "cp932": "日本語 表示 ソース 能力 十五 ｶﾅ ～".split(),
    "gb18030": "中文字 渡轮 冬天 镕 €".split(),
    "cp949": "한국어 나룻배 겨울 항구".split(),
    "big5hkscs": "中文字 功蓋 許願 冬天".split(),
}
ENCODINGS = tuple(_WORDS_OF)
"""Python codecs of the encodings that the laws are tried in."""


def prose(words: int, start: int, encoding: str = "utf-8") -> str:
    """So many words, always the same for the same `start`; some in the encoding's own script."""
    own = _WORDS_OF[encoding]
    picked = [
        own[(start + i) % len(own)] if (start + i) % 11 == 0 else _WORDS[(start * 5 + i * 7) % len(_WORDS)]
        for i in range(words)
    ]
    return " ".join(picked)


_CONTAINERS = "div section article main aside header footer nav center form".split()
_TAGS = (
    _CONTAINERS
    + """p p p h1 h2 h3 h4 ul ol li dl dt dd tbody thead tr td th caption colgroup col blockquote pre figure figcaption
    details summary fieldset address hgroup menu dir a b i em strong font u s code nobr small big tt span ins del
    q label button option optgroup svg math foreignObject desc mi annotation-xml video ruby rb rt rp x-box listing body html head frameset""".split()
)
_VOIDS = "br br br hr img input wbr meta link base col embed frame image".split()
_ATTRIBUTES = [
    "", "", "", "", "", "", ' class="story"', " class=ad", ' id="x"', ' title="<p>"', " title=<p>", " title='<div>'", " x=<p<div",
    ' title="a > b <p class=c>"', " class=a class=b", " _ap=0", " _ap=1 ", ' _ap="3"', " /", " / x", " =", ' ="<p"', " a'b", ' a"b',
    " x=y/", " hidden", ' role="complementary"', ' class="sidebar"', ' class="related"', "\n\tclass\n=\n'story'\f", " href=#", " color=red",
    ' encoding="text/html"', " type=hidden", ' class="ad-slot"', ' data-x="</p>"', " x='\">'", " \u00e9=1", " <p", ' style="display:none"',
]  # fmt: skip
_MILD = [
    "<!-- <p>trap</p> -->", "<!-- --!> ", "<!-->", "<!--->", "<!>", "<?php <p> ?>", "</>", "</ p>", "<", "</", "<p",
    "<p ", "<![CDATA[<p>]]>", "&amp", "&lt;p&gt;", "\x00", "<p\x00>", "\r\n", "\r", " ", "\n", "<!DOCTYPE x>",
    "<script>var s = '<p>no</p><div>';</script>", "<script><!--<script>'</script>x'</script>--></script>",
    "<style>p{}</style>", "<script>document.write('<div><p>')</script>", "<style><p></style>",
    "<textarea><p>x</p></textarea>", "<title><p></title>", "<noscript><img src=x></noscript>",
    "<noscript><p>n</p></noscript>", "<noscript><!-- </noscript> --><p>", "<template><p>t</p></template>", "<svg><p>",
    "<svg/>", "<svg><desc><div><p>d</p></div></desc></svg>", "<math><mi><p>m</p></mi></math>", "<svg><path/></svg>",
    "<svg><style><p></style></svg>", "<svg><script><p></script></svg>", "<svg><a><b></svg>",
    "<select><option>a<option>b</select>", "<select><hr></select>", "<table><p>foster</p><tr><td>c</td></tr></table>",
    "<table><tr><td><p>cell</p></td></tr></table>", "</td></tr></table>", "<table><div></table>", "<b><p>", "<p><b>",
    "<a href=x>", "<a href=x><p>", "<b><i><u><p>", "</b></p>", "<p><b>x</p>", "<font><font><font><font>",
    "<nobr><p><nobr>", "<a>1<p>2<a>3</p>", "<b>1<div>2</b>3</div>", "<ul><li>a<p>b<li>c</ul>", "<dl><dt>a<dd>b</dl>",
    "<ol><p>", "<li><p>", "<br><br>", "<br /><br/>", "<h1>Head</h1>", "<h1>a<h2>b</h1>", "<h1><p>x</h1>",
    "<h2>x</h3>", "<p>x<h2>y</p>", "<body class=second>", "<html lang=de>", "</body>", "</html>",
    "<frameset><frame></frameset>", "<iframe><p></iframe>", "<noembed><p></noembed>", "<noframes><p></noframes>",
    "<xmp><p></xmp>", "<object><p></object>", "<marquee><p></marquee>", "<button><p>x</button>",
    "<form><div></form></div>", "<form><form>", "<P>UPPER</P>", "<DIV><P>X</DIV>", "<p/>", "<div/>", "<p>Also:</p>",
    "<div class=story>", "</p>", "</p></p>", "</div></div>", "</section></p>", "<image>", "<isindex>",
    "<p hidden>x</p>", "<ins class=adsbygoogle></ins>", "<figure><img src=a><figcaption>c</figcaption></figure>",
    "<p>x</div>", "<details><summary>s</summary><p>d</details>", "<blockquote><p>q</p></blockquote>",
    "<pre>\n<p>x</pre>", "<listing>\nx", "<aside class=sidebar><div>w</div><p>v</p></aside>",
    "<header><h1><a href=x>T</a></h1></header>", "<a><b><i><p>", "<div></p>", "<p><span><div>",
    "<noscript><b></noscript>", "<noscript></b></noscript>", "<noscript></div></noscript>", "<td>", "<tr>", "<td><p>", "</td>",
    "<table><tr><td>a<td><p>b</table>", "One two three.<br><div></div>Four five six.", "<div class=x></div>Words.<p></p>More words.",
    "<script>for(i=0;i<n.length;i++){x='<p class=\"z\">'}</script>", "<script>if(a<b&&c){y=\"='\"}</script>", "<ul><li><div><p>x</div></ul>",
    "<div class=row><div class=col><p>a</p><p>b</p></div><div class=col><p>c</p></div></div>",
]  # fmt: skip
"""Soup after which there may still be legal places."""
_RUINOUS = [
    "<!--<p>--", "<!-- unclosed <p>", "<div x='", '<div title="', "<script>", "<plaintext>",
    "<noscript></p><div></noscript>", "<noscript><div></noscript>", "<noscript>", "<template><div>",
    "<svg><title><p>x</title></svg>", "<math><annotation-xml encoding='text/html'><div>", "<select><p>",
    "<table>text<div>moved</div>", "<table><tr><td>", "<table><b>", "<table></p>", "<p><table>",
    "<table><form><input type=hidden><div>", "<table><caption><p>", "<button><div>", "<table>", "<select>", "<title>",
    "<template>", "<noscript><p>", "<object>", "<applet>", "<marquee>", "<textarea>", "<iframe>", "<xmp>",
    "<svg><foreignObject>", "<math><mi>", "<svg><desc>", "<frameset>",
]  # fmt: skip
"""Soup that makes the rest of a page, or of what is around it, illegal or no markup at all."""
_STARTS = [
    "<!DOCTYPE html>", "<!doctype html>\n", '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">', "", "", "<!-- c --><!DOCTYPE html>",
    "<html>", "<!DOCTYPE html><html><head><title>T</title></head><body>", "<!DOCTYPE html><html><head><meta charset=utf-8></head><body>",
    "<!DOCTYPE html><html><head><noscript><style>p{}</style></noscript></head><body>", "<!DOCTYPE html><head><noscript><p>early</p></noscript>",
    "<!DOCTYPE html><html><head><script>'<body>'</script></head><body class=a>", "<head></head><frameset>", "<!DOCTYPE html><body><body>",
    "<!DOCTYPE html><html><head><title><body><p></title></head>", "<!DOCTYPE html><html></html>", "<p></body><!DOCTYPE html>", "<table><tr><td>",
    "<!DOCTYPE html><body><form><table><tr><td>", "<!DOCTYPE html><BODY><TABLE><TBODY><TR><TD><CENTER>", "<!DOCTYPE html><template>",
    "<!DOCTYPE html><body><ul class=columns><li class=left>", "<!DOCTYPE html><body><ul><li><p><ol><li><div>",
]  # fmt: skip
_ENDS = [
    "",
    "",
    "</body></html>",
    "</body></html>\n<!-- x -->",
    "</html></body>",
    "</p></div>",
    "<plaintext><p>",
    "</body>text<p>",
]


_MAINS = ["", "", "<main>", "<article>", "<div><h1>Headline of the story</h1>", "<article><header><h1>H</h1></header>"]


def _weighted(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of the strategies, each so often as its weight says (`one_of` forgets repetitions)."""
    return st.sampled_from([one for weight, one in choices for _ in range(weight)]).flatmap(lambda one: one)


def _open_tag(name: str, attributes: str, upper: bool) -> str:
    return f"<{name.upper() if upper else name}{attributes}>"


_NAMES = _TAGS + _VOIDS
_tags = st.builds(
    _open_tag, st.sampled_from(_NAMES), st.sampled_from(_ATTRIBUTES), st.integers(0, 3).map(lambda n: n == 3)
)
_ends = st.sampled_from([f"</{name}>" for name in _TAGS])
_soup = _weighted((5, st.sampled_from(_MILD)), (2, _tags), (2, _ends))


def _paragraph(words: int, start: int, opening: str, inside: str, closing: str, encoding: str) -> str:
    text = prose(words, start, encoding)
    half = len(text) // 2
    return f"{opening}{text[:half]}{inside}{text[half:]}.{closing}"


def _paragraphs(encoding: str) -> st.SearchStrategy[str]:
    return st.builds(
        _paragraph,
        st.sampled_from([14, 20, 25, 35, 50, 60]),
        st.integers(0, 30),
        st.sampled_from(["<p>"] * 20 + ["<p class=x>", "<P>", "<div>", "<p><b>", "<p><a href=x>", "", "<br><br>", "<p title='<p>'>"]),
        st.sampled_from([""] * 20 + [" <b>bold</b> ", " <i> ", "<a href=y>", "<br>", "<br><br>", " <p> ", "<span>", "</p>", "<img src=i>"]),
        st.sampled_from(["</p>"] * 20 + ["", "</P>", "</p >", "</p></p>", "</b></p>", "</div>", "</p>\n\n", "</p>text", "</a>", "</p x='>'>"]),
        st.just(encoding),
    )  # fmt: skip


def _wrap(name: str, attributes: str, parts: list[str], closed: bool) -> str:
    return f"<{name}{attributes}>{''.join(parts)}{f'</{name}>' if closed else ''}"


_mostly = st.integers(0, 5).map(lambda n: n > 0)


def _segments(encoding: str) -> st.SearchStrategy[str]:
    paragraph = _paragraphs(encoding)
    plain = _weighted((4, paragraph), (1, _soup))
    some = st.lists(plain, max_size=6)
    nested = st.builds(_wrap, st.sampled_from(_TAGS), st.sampled_from(_ATTRIBUTES), some, _mostly)
    box = st.builds(
        _wrap,
        st.sampled_from(["div", "section", "article", "x-box"]),
        _weighted((4, st.just("")), (1, st.sampled_from(_ATTRIBUTES))),
        st.lists(_weighted((6, plain), (1, nested)), min_size=2, max_size=9),
        _mostly,
    )
    return _weighted((1, plain), (2, box))


_SEGMENTS = {encoding: _segments(encoding) for encoding in ENCODINGS}


def _page(start: str, before: str, body: list[str], ruinous: list[tuple[int, str]], end: str, encoding: str) -> bytes:
    pieces = list(body)
    for place, text in ruinous:
        pieces.insert(place % (len(pieces) + 1), text)
    return f"{start}{before}{''.join(pieces)}{end}".encode(encoding, "xmlcharrefreplace")


def pages(encoding: str = "utf-8") -> st.SearchStrategy[bytes]:
    """Pages in an encoding: some nearly whole, some ruined, most with paragraphs enough for slots."""
    return st.builds(
        _page,
        st.sampled_from(_STARTS),
        st.sampled_from(_MAINS),
        st.lists(_SEGMENTS[encoding], min_size=3, max_size=8),
        _weighted((2, st.just([])), (1, st.lists(st.tuples(st.integers(0, 9), st.sampled_from(_RUINOUS)), max_size=2))),
        st.sampled_from(_ENDS),
        st.just(encoding),
    )


# --- rules ------------------------------------------------------------------------------------------

EVERYWHERE = SizeMap(((0, (Size(300, 50),)),))
INERT = ByPage(id="ad-{n}", classes="js-ad", data=(("pos", "{slot}-{n}"),))
TALKING = HtmlCreative(b'<p>Our <a href="/x">own <b>offer</b></a></p><ul class=a><i>x</i></ul>', inert=False)
PICTURE = ImageCreative("/house.png", "/subscribe", "Subscribe & save", Size(300, 50))
SCRIPTED = HtmlCreative(b"<script>var a = '<p>';</script><style>b{}</style><div class=a></div>", inert=True)
TEMPLATED = HtmlCreative(b"<template><p>x <a href=y>z</a></p></template>", inert=True)
"""Not among the others: html5lib knows no template, and takes its content for the page's."""
FALLBACK = b'<p>Our <a href="/x">own <b>offer</b></a></p>'
CREATIVES: tuple[Creative, ...] = (INERT, TALKING, PICTURE, SCRIPTED, GptCreative())
NO_GAP = DistancePerDevice(Distance(0, "words"), Distance(0, "words"))
NOTHING = Distance(0, "words")
OPEN = Limits(ad_share=PerDevice(1.0, 1.0), gap=NO_GAP, in_article=1000)
NOTHING_CLEAR = KeepClear(NOTHING, NOTHING, NOTHING, NOTHING)

_SELECTORS = "p div section article h1 h2 ul table blockquote figure header aside br center td form x-box * *:first-child".split()
_PLACES: list[Place] = [
    FixedPlace.ABOVE_HEADLINE, FixedPlace.BELOW_HEADLINE, FixedPlace.END_OF_ARTICLE, SidebarPlace("first"), SidebarPlace("last"),
    SidebarPlace(2), MidArticle(), MidArticle(), MidArticle(after_paragraph=2), MidArticle(after_paragraph=-2), MidArticle(at=0.5),
    MidArticle(every=Distance(30, "words")), MidArticle(every=Distance(2, "blocks")),
]  # fmt: skip
_places = st.one_of(
    st.sampled_from(_PLACES),
    st.builds(SelectorPlace, st.sampled_from(["before", "after", "prepend", "append"]), st.sampled_from(_SELECTORS)),
)


def _open_policy(article: str | None, places: list[Place], creatives: list[Creative]) -> Policy:
    slots = tuple(
        Slot(
            f"s{i}",
            place,
            EVERYWHERE,
            creative,
            max=1000,
            fallback=FALLBACK if isinstance(creative, GptCreative) else b"",
        )
        for i, (place, creative) in enumerate(zip(places, creatives, strict=False))
    )
    return Policy("site", article, None, OPEN, NOTHING_CLEAR, slots, visitors=Visitors(ad_free_cookie="subscriber"))


def open_policies() -> st.SearchStrategy[Policy]:
    """Rules that forbid next to nothing: whatever place is legal is used."""
    return st.builds(
        _open_policy,
        st.sampled_from([None, None, "body", "article", "div"]),
        st.lists(_places, min_size=1, max_size=5),
        st.lists(st.sampled_from(CREATIVES), min_size=5, max_size=5),
    )


_distances = st.builds(
    Distance,
    st.sampled_from([0, 0, 0, 0, 0, 1, 2, 5, 20, 60, 150]),
    st.sampled_from(["words", "characters", "blocks", "px"]),
)
_clearances: st.SearchStrategy[Clearance] = st.one_of(
    _distances, st.builds(Sides, _distances, _distances, st.booleans())
)
_sizes = st.sampled_from([
    EVERYWHERE, SizeMap(((0, (Size(300, 250),)),)), SizeMap(((0, ()), (1024, (Size(970, 250), Size(728, 90))))),
    SizeMap(((0, (Size(320, 100),)), (768, ()))), SizeMap(((0, ()),)), SizeMap(((0, (Size(320, 50),)), (1024, (Size(300, 600),)))),
])  # fmt: skip
_shares = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.3, 0.3, 0.5, 0.5, 1.0, 1.0])


def strict_policies() -> st.SearchStrategy[Policy]:
    """Rules with every limit that there is, small and large."""
    slots = st.builds(
        Slot,
        name=st.just("s"),
        place=_places,
        sizes=_sizes,
        creative=st.sampled_from(CREATIVES),
        priority=st.integers(-2, 2),
        max=st.integers(1, 5),
        article_min=_distances,
        first_after=_distances,
        before_end=_distances,
        label=st.sampled_from([None, "", "Ad"]),
        instead_of=st.sampled_from(["", "", "", "s0"]),
        max_on=st.one_of(st.none(), st.none(), st.builds(Counts, st.integers(1, 4), st.integers(1, 4))),
    )
    named = st.lists(slots, min_size=1, max_size=4).map(
        lambda made: tuple(
            replace(s, name=f"s{i}", max=max(s.max_on or (s.max,)),
                    instead_of=s.instead_of if i and not made[0].instead_of else "")
            for i, s in enumerate(made)
        )
    )  # fmt: skip
    around = st.lists(
        st.tuples(st.sampled_from(["h2", "img", ".x", "b"]), _clearances), max_size=2, unique_by=lambda pair: pair[0]
    )
    return st.builds(
        Policy,
        site=st.just("site"),
        article=st.sampled_from([None, None, "body", "article"]),
        sidebar=st.none(),
        limits=st.builds(
            Limits,
            ad_share=st.builds(PerDevice, _shares, _shares),
            gap=st.builds(DistancePerDevice, _distances, _distances),
            in_article=st.sampled_from([0, 1, 2, 3, 5, 8, 8, 8]),
            in_article_on=st.one_of(st.none(), st.none(), st.builds(Counts, st.integers(0, 4), st.integers(0, 4))),
        ).map(lambda limits: replace(limits, in_article=max(limits.in_article_on or (limits.in_article,)))),
        keep_clear=st.builds(
            KeepClear,
            after_heading=_distances,
            around_media=_clearances,
            around_existing_ads=_clearances,
            around_asides=_clearances,
            around=around.map(tuple),
            before_heading=_distances,
            around_lists=_clearances,
            around_tables=_clearances,
            around_quotes=_clearances,
            around_code=_clearances,
            around_captions=_clearances,
        ),
        slots=named,
    )
