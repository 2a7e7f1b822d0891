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

from adproxy.page.walk import all_of

# A text of more words is no teaser but a post that is shown whole.
MOST_WORDS: Final = 90
# Two boxes of the kind stand in many an article ("read also"); a list has more.
FEWEST: Final = 3
# Share of a list's paragraphs that stand right below such a headline.
_MOSTLY: Final = 0.6

_HEADINGS: Final = frozenset("h1 h2 h3 h4 h5 h6".split())
_headings: Final = all_of(*_HEADINGS)
_links: Final = all_of("a", attribute="href")
_pictures: Final = all_of("img", "picture")
# Between a headline and its text: a date, a byline, a picture.
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


def is_teaser(node: LexborNode, host: Callable[[], str]) -> bool:
    """True for a box of few words below a linked headline or picture; `host`: tells the site's own."""
    headings = _headings(node)
    return _leads_on(headings[0], host) if headings else _is_card(node, host)


def _is_card(node: LexborNode, host: Callable[[], str]) -> bool:
    """True if a picture and a text lead to the same other page of the site."""
    if not _pictures(node):
        return False
    pictured: set[str] = set()
    titled: set[str] = set()
    for link in _links(node):
        target = (link.attributes.get("href") or "").strip()
        (pictured if _pictures(link) else titled).add(target)
    return any(_is_other_page(target, host) for target in pictured & titled)


def is_list(paragraphs: Sequence[LexborNode], words: int, host: Callable[[], str]) -> bool:
    """True if most of these paragraphs, of so many words together, are the text below a headline that leads on."""
    if len(paragraphs) < FEWEST or words > len(paragraphs) * MOST_WORDS:
        return False
    allowed = len(paragraphs) * (1 - _MOSTLY)
    for node in paragraphs:
        heading = _heading_before(node)
        if heading is None or not _leads_on(heading, host):
            allowed -= 1
            if allowed < 0:
                return False
    return True


def _heading_before(node: LexborNode) -> LexborNode | None:
    at = node.prev
    for _ in range(2 * _BETWEEN):  # white space stands between elements
        if at is None or at.tag == "p":
            return None
        if at.tag in _HEADINGS:
            return at
        at = at.prev
    return None


def _leads_on(heading: LexborNode, host: Callable[[], str]) -> bool:
    """True if a link in a heading, or around it, leads to another page of the site and is most of what it says."""
    links = _links(heading)
    link = links[0] if links else None
    if link is None:
        link = heading.parent
        for _ in range(_AROUND):
            if link is None or link.tag == "a":
                break
            link = link.parent
        if link is None or link.tag != "a":
            return False
    if not _is_other_page((link.attributes.get("href") or "").strip(), host):
        return False
    return len(link.text(strip=True)) * 2 > len(heading.text(strip=True))


def _is_other_page(target: str, host: Callable[[], str]) -> bool:
    """True for an address that leads neither to the page itself nor to another site."""
    if not target or target[0] == "#":
        return False
    elsewhere = _HOST.match(target)
    return not elsewhere or elsewhere[1].lower() == host()
