"""What a page is made of, for somebody who begins to write rules for its site: names of its parts, its ads, its links.

Other than `page.read`, which answers what loaded rules ask, this looks at a page that nobody knows yet.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from selectolax.lexbor import LexborNode

from adproxy.page import ads, article, facts, sidebars
from adproxy.page.ad_stack import AdStack, ad_stack
from adproxy.page.marks import mark
from adproxy.page.scan import Scanned
from adproxy.page.tree import Tree
from adproxy.rules.selectors import selector_problem

MAX_LINKS: Final = 2000
"""Of one page."""
MAX_NAMES: Final = 12
"""Of ads that are told apart."""
_MAX_SCRIPTS: Final = 1 << 20
"""Characters of a page's scripts that are looked through."""

# What may be an ad by itself; is_ad decides.
_MAY_BE_AD: Final = ",".join(
    (
        *(sought.css() for sought in ads.NAMED),
        *("ins", "iframe", "amp-ad", "[data-ad-slot]", "[data-ad-unit]", "[data-ad-client]", "[data-google-query-id]"),
    )
)
# A name that a person gave; others have digits or hashes in them and change with the next build.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z_-]{1,39}")
_NAMED_BY_TAG: Final = frozenset(["article", "main", "aside"])


@dataclass(frozen=True, slots=True)
class Look:
    """One page as it was found."""

    language: str
    article: tuple[str, ...]
    """Selectors whose first match is the article's element, the most telling first; empty where there is none."""
    words: int
    """Of the article's paragraphs; 0 where there is no article."""
    sidebar: tuple[str, ...]
    """The same of the sidebar."""
    has_sidebar: bool
    ads: tuple[tuple[str, int], ...]
    """Names of the ads that the page has already, each with how many there are of it."""
    stack: AdStack
    section: bool
    """Whether its JSON-LD names the article's section."""
    links: tuple[str, ...]
    """As the page writes them, in its order."""
    feeds: tuple[str, ...]


def survey(html: bytes, encoding: str = "utf-8", scanned: Scanned | None = None) -> Look:
    """Look at a page that `guard.hostile` has let pass. `encoding`: as for `page.read.read`."""
    marked = mark(html, scanned)
    text: str | bytes = marked.copy
    if codecs.lookup(encoding).name != "utf-8":
        text = marked.copy.decode(encoding, "replace")
    tree = Tree(html, marked, text, settled=False)
    known = facts.read(tree, json_ld=("articleSection",))
    found = article.find(tree.body, tree.landmarks.paragraphs) if tree.body is not None else None
    if found is not None:
        tree.open_for([found.root])
    rail = sidebars.sidebar_element(tree, found.root if found is not None else None)
    feeds = tree.css("link[rel~=alternate][type*=rss][href],link[rel~=alternate][type*=atom][href]")
    return Look(
        language=known.lang,
        article=tuple(_selectors(tree, found.root)) if found is not None else (),
        words=found.words if found is not None else 0,
        sidebar=tuple(_selectors(tree, rail)) if rail is not None else (),
        has_sidebar=rail is not None,
        ads=_ads(tree),
        stack=ad_stack(_scripts(tree)),
        section="articleSection" in known.json_ld,
        links=tuple(link.attributes.get("href") or "" for link in tree.css("a[href]")[:MAX_LINKS]),
        feeds=tuple(feed.attributes.get("href") or "" for feed in feeds[:3]),
    )


def _selectors(tree: Tree, node: LexborNode) -> Iterator[str]:
    """Short selectors whose first match is that element."""
    attributes = node.attributes
    tag = node.tag or ""
    tried = [f"{tag}.{name}" for name in (attributes.get("class") or "").split()[:8] if _NAME.fullmatch(name)]
    ident = attributes.get("id") or ""
    tried += [f"{tag}#{ident}"] if _NAME.fullmatch(ident) else []
    tried += [f"{tag}[itemprop=articleBody]"] if attributes.get("itemprop") == "articleBody" else []
    tried += [tag] if tag in _NAMED_BY_TAG else []
    for selector in tried:
        first = tree.parser.css_first(selector) if selector_problem(selector) is None else None
        if first is not None and first.mem_id == node.mem_id:
            yield selector


def _ads(tree: Tree) -> tuple[tuple[str, int], ...]:
    """Ads that stand in no other ad, by name."""
    inside: set[int] = set()
    names: Counter[str] = Counter()
    for node in tree.css(_MAY_BE_AD):
        tag, attributes = node.tag or "", node.attributes
        if node.parent is not None and node.parent.mem_id in inside:
            inside.add(node.mem_id)
        elif ads.is_ad(tag, attributes):
            inside.add(node.mem_id)
            inside.update(child.mem_id for child in node.css("*")[:500])
            names[_ad_name(tag, attributes.get("class") or "", attributes.get("id") or "")] += 1
    return tuple(names.most_common(MAX_NAMES))


def _ad_name(tag: str, classes: str, ident: str) -> str:
    """As a selector that a person would write: by a class that speaks of ads, by an id, or by the tag alone."""
    for name in classes.split()[:24]:
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{1,39}", name) and ads.is_ad("div", {"class": name}):
            return f".{name}"
    stem = re.match(r"[A-Za-z][A-Za-z_-]+", ident)
    return f'[id^="{stem[0]}"]' if stem else tag


def _scripts(tree: Tree) -> str:
    parts: list[str] = []
    room = _MAX_SCRIPTS
    for node in tree.css("script"):
        part = f"{node.attributes.get('src') or ''}\n{node.text()}"[:room]
        parts.append(part)
        room -= len(part)
        if room <= 0:
            break
    return "\n".join(parts)
