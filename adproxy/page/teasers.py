"""Teasers: a headline that leads to another page of the site, with a few words below it. A page of those is a list.
Or a card: a picture and a title that lead to the same page.

An article's own sections may be headed by links too: to themselves, or, where it presents products, to shops.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from selectolax.lexbor import LexborNode

from adproxy.page.names import tokens
from adproxy.page.walk import all_of

# A text of more words is no teaser but a post that is shown whole.
MOST_WORDS: Final = 90
MOST_OF_AN_EXCERPT: Final = 250
"""A longer one is a post too, though "read more" stands below it."""
# Two boxes of the kind stand in many an article ("read also"); a list has more.
FEWEST: Final = 3
# Share of a list's paragraphs that stand right below such a headline.
_MOSTLY: Final = 0.6

_HEADINGS: Final = frozenset("h1 h2 h3 h4 h5 h6".split())
_headings: Final = all_of(*_HEADINGS)
_links: Final = all_of("a", attribute="href")
_pictures: Final = all_of("img", "picture")
# What some themes call a headline that is no heading.
_TITLE: Final = frozenset(["title", "headline"])
_FIRST_LINKS: Final = 3
# Below a post: what leads to its comments, to where it may be shared.
_LAST_LINKS: Final = 4
_PERMANENT: Final = re.compile(r"\d|perma", re.I)
_DATE: Final = 60
"""Characters: a longer line below a headline is its text."""
# Between a headline and its text: a date, a byline, both of which may be headings too, a picture.
_BETWEEN: Final = 3
# Boxes between a headline and the link that is around it.
_AROUND: Final = 3
# Lists of posts have no canonical address as a rule.
_SAYING_WHERE: Final = (
    ("link[rel=canonical]", "href"),
    ("meta[property='og:url']", "content"),
    ("a[rel~=home]", "href"),
    ("link[rel='https://api.w.org/']", "href"),
)
_LINKS: Final = 400
"""So many of a page's links are asked where they lead."""
_NEARLY_ALL: Final = 0.75
# On a page of fewer, all of them may lead to one shop.
_FEWEST_LINKS: Final = 12
_HOST: Final = re.compile(r"\s*(?:https?:)?//(?:www\.)?([^/?#:\s]+)", re.I)


def own_host(body: LexborNode) -> str:
    """The site's host as the page says it, without "www.", else the one that nearly all of its links lead to; empty
    where neither is any."""
    html = body.parent
    if html is None:
        return ""
    for selector, attribute in _SAYING_WHERE:
        node = html.css_first(selector)
        found = _HOST.match(node.attributes.get(attribute) or "") if node is not None else None
        if found:
            return found[1].lower()
    links = _links(body)[:_LINKS]
    hosts = [found[1].lower() for link in links if (found := _HOST.match(link.attributes.get("href") or ""))]
    usual, times = Counter(hosts).most_common(1)[0] if hosts else ("", 0)
    return usual if len(links) >= _FEWEST_LINKS and times > len(links) * _NEARLY_ALL else ""


def leads_to(node: LexborNode, host: Callable[[], str]) -> str:
    """The other page of the site that a box with a linked headline or picture leads to; empty where it is no teaser.

    `host`: tells the site's own.
    """
    headings = _headings(node)
    return _leads_on(headings[0], host) if headings else _titled(node, host) or _carded(node, host)


def leads_on_again(node: LexborNode, host: Callable[[], str]) -> str:
    """The same, of a box whose last links lead there once more: "read more" below a long excerpt. A date or the word
    for a permanent link stands below posts that are whole too."""
    page = leads_to(node, host)
    if not page:
        return ""
    links = _links(node)
    for link in links[max(1, len(links) - _LAST_LINKS) :]:
        text = link.text(strip=True)
        if text and _other_page(link, host) == page and not _PERMANENT.search(text) and not _in_heading(link):
            return page
    return ""


def _in_heading(link: LexborNode) -> bool:
    at = link.parent
    for _ in range(_AROUND):
        if at is None or at.tag in _HEADINGS:
            break
        at = at.parent
    return at is not None and at.tag in _HEADINGS


def _titled(node: LexborNode, host: Callable[[], str]) -> str:
    """Where the first of the first links that is called a title leads, if that is another page of the site."""
    for link in _links(node)[:_FIRST_LINKS]:
        parent = link.parent
        around = parent.attributes.get("class") if parent is not None else None
        names = [*(link.attributes.get("class") or "").split(), *(around or "").split()]
        if any(not _TITLE.isdisjoint(tokens(name)) for name in names):
            return _other_page(link, host)
    return ""


def _carded(node: LexborNode, host: Callable[[], str]) -> str:
    """The other page of the site that both a picture and a text lead to."""
    if not _pictures(node):
        return ""
    pictured: set[str] = set()
    titled: set[str] = set()
    for link in _links(node):
        target = _other_page(link, host)
        if target:
            (pictured if _pictures(link) else titled).add(target)
    return min(pictured & titled, default="")


def is_list(paragraphs: Sequence[LexborNode], words: int, host: Callable[[], str]) -> bool:
    """True if most of these paragraphs, of so many words together, are the text below a headline that leads on, each to
    another page."""
    if len(paragraphs) < FEWEST or words > len(paragraphs) * MOST_WORDS:
        return False
    allowed = len(paragraphs) * (1 - _MOSTLY)
    pages: set[str] = set()
    for node in paragraphs:
        heading = _heading_of(node)
        page = _leads_on(heading, host) if heading is not None else ""
        if not page or page in pages:
            allowed -= 1
            if allowed < 0:
                return False
        pages.add(page)
    return True


def _heading_of(node: LexborNode) -> LexborNode | None:
    """The heading of a paragraph: before it, or within a box that has text of its own."""
    if node.tag != "p" and (within := _headings(node)):
        return within[0]
    if node.parent is not None and node.parent.tag == "dd":
        node = node.parent
    at = node.prev
    found: LexborNode | None = None
    for _ in range(2 * _BETWEEN):  # white space stands between elements
        if at is None or (at.tag == "p" and (found is not None or len(at.text(strip=True)) > _DATE)):
            break
        if at.tag in _HEADINGS or (at.tag == "dt" and node.tag == "dd"):
            found = at
        elif found is not None and at.is_element_node:
            break
        at = at.prev
    return found


def _leads_on(heading: LexborNode, host: Callable[[], str]) -> str:
    """The other page of the site that a link in a heading, or around it, leads to, if it is most of what it says."""
    links = _links(heading)
    link = links[0] if links else None
    if link is None:
        link = heading.parent
        for _ in range(_AROUND):
            if link is None or link.tag == "a":
                break
            link = link.parent
        if link is None or link.tag != "a":
            return ""
    return _other_page(link, host) if len(link.text(strip=True)) * 2 > len(heading.text(strip=True)) else ""


def _other_page(link: LexborNode, host: Callable[[], str]) -> str:
    """A link's address; empty for one that leads to the page itself or to another site."""
    target = (link.attributes.get("href") or "").strip()
    if not target or target[0] == "#":
        return ""
    elsewhere = _HOST.match(target)
    return target if not elsewhere or elsewhere[1].lower() == host() else ""
