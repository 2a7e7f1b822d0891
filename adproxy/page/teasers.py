"""Teasers: a headline that leads to another page of the site, with a few words below it. A page of those is a list.

An article's own sections may be headed by links too: to themselves, or, where it presents products, to shops.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from selectolax.lexbor import LexborNode

# A text of more words is no teaser but a post that is shown whole.
MOST_WORDS = 90
# Two boxes of the kind stand in many an article ("read also"); a list has more.
FEWEST = 3
# Share of a list's paragraphs that stand right below such a headline.
_MOSTLY = 0.6

_LINKED_HEADINGS = ",".join(f"h{n} a[href],a[href] h{n}" for n in range(1, 7))
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
# Between a headline and its text: a date, a byline, a picture.
_BETWEEN = 3
_HOST = re.compile(r"\s*(?:https?:)?//(?:www\.)?([^/?#:\s]+)", re.I)


def own_host(body: LexborNode) -> str:
    """The site's host as the page's head says it, without "www."; empty where it does not."""
    html = body.parent
    if html is None:
        return ""
    for selector, attribute in (("link[rel=canonical]", "href"), ("meta[property='og:url']", "content")):
        node = html.css_first(selector)
        found = _HOST.match(node.attributes.get(attribute) or "") if node is not None else None
        if found:
            return found[1].lower()
    return ""


def is_teaser(node: LexborNode, host: str) -> bool:
    """True for a box of few words with a linked headline; `host`: the site's own."""
    return any(_leads_on(found, host) for found in node.css(_LINKED_HEADINGS))


def is_list(paragraphs: Sequence[LexborNode], words: int, host: str) -> bool:
    """True if most of these paragraphs, of so many words together, are the text below a headline that leads on."""
    if len(paragraphs) < FEWEST or words > len(paragraphs) * MOST_WORDS:
        return False
    allowed = len(paragraphs) * (1 - _MOSTLY)
    for node in paragraphs:
        heading = _heading_before(node)
        if heading is None or not is_teaser(heading, host):
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


def _leads_on(node: LexborNode, host: str) -> bool:
    """True if a link in a heading, or a heading in a link, is the headline of another page of the site."""
    heading, link = (node.parent, node) if node.tag == "a" else (node, node.parent)
    for _ in range(4):
        if heading is not None and heading.tag not in _HEADINGS:
            heading = heading.parent
        if link is not None and link.tag != "a":
            link = link.parent
    if heading is None or link is None:
        return False
    target = (link.attributes.get("href") or "").strip()
    if not target or target[0] == "#":
        return False
    elsewhere = _HOST.match(target)
    if elsewhere and elsewhere[1].lower() != host:
        return False
    return len(link.text(strip=True)) * 2 > len(heading.text(strip=True))
