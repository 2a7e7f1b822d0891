"""What a page is made of, told to whoever begins to write rules for it."""

from __future__ import annotations

import pytest

from adproxy.page.ad_stack import AdStack, ad_stack
from adproxy.page.survey import survey

TEXT = "".join(
    f"<p>Paragraph {n} speaks of the harbour and the long road that leads to it, in many words.</p>" for n in range(9)
)


def page(body: str, head: str = "") -> bytes:
    return f"<!doctype html><html lang=de-AT><head>{head}</head><body>{body}</body></html>".encode()


def test_article_and_sidebar_are_named_as_a_person_would() -> None:
    look = survey(page(
        f"<main><div class='x1f9a story-body wide' id=content>{TEXT}</div></main>"
        "<aside class=rail><div>Most read</div></aside>"
    ))  # fmt: skip
    assert look.language == "de-at"
    assert look.article == ("div.story-body", "div.wide", "div#content")
    assert look.words > 100
    assert look.sidebar == ("aside.rail", "aside")
    assert look.has_sidebar


def test_a_name_that_something_before_it_has_too_does_not_name_it() -> None:
    look = survey(page(f"<div class=box>Menu</div><div class='box story'>{TEXT}</div>"))
    assert look.article == ("div.story",)


def test_a_page_without_an_article_says_so() -> None:
    look = survey(page("<p>Moved."))
    assert (look.article, look.words, look.has_sidebar) == ((), 0, False)


def test_ads_are_counted_once_each_by_the_name_that_speaks_of_them() -> None:
    slot = "<div class='w-full ad-slot'><ins class=adsbygoogle></ins></div>"
    look = survey(page(slot * 3 + "<div id=div-gpt-ad-1234></div><div class=header>Ad lib</div>" + TEXT))
    assert dict(look.ads) == {".ad-slot": 3, '[id^="div-gpt-ad-"]': 1}


def test_links_and_feeds_are_those_of_the_page() -> None:
    feed = '<link rel="alternate" type="application/rss+xml" href="/feed.xml">'
    look = survey(page("<a href=/a>A</a><a name=b>B</a><a href='https://x.example/'>C</a>", feed))
    assert (look.links, look.feeds) == (("/a", "https://x.example/"), ("/feed.xml",))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("https://securepubads.g.doubleclick.net/tag/js/gpt.js", AdStack(("Google Publisher Tag",))),
        (
            "googletag.cmd.push(f); googletag.defineSlot(\"/1234,56/news/top\", [300,250]).defineSlot('/1234/b')",
            AdStack(("Google Publisher Tag",), "1234"),
        ),
        (
            "https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js?client=ca-pub-1",
            AdStack(("Google AdSense",)),
        ),
        ("/static/prebid9.1.0.js?v=1 __tcfapi('ping')", AdStack(("Prebid",), "", True)),
        ("var pbjs = pbjs || {}; pbjs.que = []", AdStack(("Prebid",))),
        ("https://cdn.example/app.js; load('/2024/05/story')", AdStack()),
    ],
)
def test_ad_technology_is_told_by_its_scripts(script: str, expected: AdStack) -> None:
    assert ad_stack(script) == expected


def test_an_article_that_writes_about_ad_technology_loads_none() -> None:
    assert survey(page("<p>securepubads.g.doubleclick.net/tag/js/gpt.js" + TEXT)).stack == AdStack()
