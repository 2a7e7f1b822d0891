"""What stands between a headline and its article, and where behind it a slot below the headline shifts to.

A headline has company: a standfirst, a byline, a date. A slot may stand behind any of it, but neither behind a picture
or its caption nor beside a foreign box; and whatever is none of these, an ad of the page's own above all, ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from selectolax.lexbor import LexborNode

from adproxy.model import Spot
from adproxy.page import ads
from adproxy.page.blocks import MEDIA, Outline, is_caption, is_hidden
from adproxy.page.names import Says, says, tokens
from adproxy.page.places import outermost, spot_after
from adproxy.page.tree import Tree, holds_words, visible_text
from adproxy.page.walk import all_of
from adproxy.page.words import count_words

# More nodes behind a headline are not looked at; a longer text is no standfirst.
_MOST_NODES: Final = 200
_MOST_WORDS: Final = 100
_MAX_DEPTH: Final = 200
# A text of no more words right below a picture that has none is taken for its caption.
_CAPTION_WORDS: Final = 40
_HEADINGS: Final = frozenset("h2 h3 h4 h5 h6".split())
_TEXTS: Final = frozenset("p time address".split())
_BOXES: Final = frozenset("div span section header hgroup ul dl".split())
_FOREIGN_TAGS: Final = frozenset("aside nav form footer dialog details".split())
_FOREIGN: Final = Says.NOT_ARTICLE | Says.SIDEBAR | Says.AD
_SILENT: Final = frozenset("script style template noscript link meta base title hr br wbr".split())
_media_in: Final = all_of(*MEDIA)
# Names that sites give it, by whole words: who wrote the article and when, and what it says in a sentence.
_BY_AND_WHEN: Final = frozenset(
    """byline author authors contributor dateline date time timestamp published posted submitted updated meta metadata
    autor auteur fecha datum""".split()
)
_STANDFIRST: Final = frozenset(
    """standfirst subtitle subtitel subheadline subheading subhead dek deck summary excerpt description intro abstract
    lead lede chapo vorspann sommario entradilla ingress""".split()
)


class _Kind(Enum):
    SILENT = auto()
    COMPANY = auto()
    PICTURE = auto()
    CAPTION = auto()
    FOREIGN = auto()
    UNKNOWN = auto()


def further_below(tree: Tree, outline: Outline, heading: LexborNode, most: int) -> tuple[Spot | None, ...]:
    """The n-th spot lies behind n elements that follow the headline, all of them before the article's first block; None
    where no slot may stand. `most`: elements at most."""
    spots: list[Spot | None] = []
    under = _Under()
    for node in _on_the_way(outermost(tree, heading), _around_the_article(tree, outline, heading)):
        kind = under.kind_of(node, first=not spots)
        if kind is _Kind.FOREIGN and spots:
            spots[-1] = None
        if kind in (_Kind.FOREIGN, _Kind.UNKNOWN) or len(spots) == most:
            break
        if kind is not _Kind.SILENT:
            spots.append(spot_after(tree, node) if kind is _Kind.COMPANY else None)
    return tuple(spots)


class _Under:
    """Tells what an element is, by what stands right above it."""

    def __init__(self) -> None:
        self._picture = False
        self._captioned = False

    def kind_of(self, node: LexborNode, *, first: bool) -> _Kind:
        """`first`: whether the headline stands right above it."""
        tag, attributes = node.tag or "", node.attributes
        classes, ident = attributes.get("class") or "", attributes.get("id") or ""
        if tag in _SILENT or is_hidden(attributes):
            return _Kind.SILENT
        words = frozenset(word for name in (*classes.split()[:24], ident) for word in tokens(name))
        by_and_when = not words.isdisjoint(_BY_AND_WHEN)
        if ads.is_ad(tag, attributes):
            return _Kind.FOREIGN
        if holds_words(node, _MOST_WORDS + 1):
            return _Kind.UNKNOWN
        text = visible_text(node)
        count = count_words(text)
        has_media = bool(_media_in(node))
        if has_media and (tag in MEDIA or not by_and_when):
            self._picture, self._captioned = True, count > 1
            return _Kind.PICTURE
        if not count and not has_media:
            return _Kind.SILENT
        named = by_and_when or not words.isdisjoint(_STANDFIRST)
        # a picture may have a credit besides its caption
        if self._picture and count <= _CAPTION_WORDS and (is_caption(node, text) or not (self._captioned or named)):
            self._captioned = True
            return _Kind.CAPTION
        if tag in _TEXTS or (tag in _BOXES and named) or (tag in _HEADINGS and (named or first)):
            self._picture = False
            return _Kind.COMPANY
        foreign = tag in _FOREIGN_TAGS or says(classes, ident) & _FOREIGN
        return _Kind.FOREIGN if foreign else _Kind.UNKNOWN


def _around_the_article(tree: Tree, outline: Outline, heading: LexborNode) -> tuple[int, ...]:
    """The first block of the article behind its headline and all that it stands in; empty where that is not known."""
    start = tree.start(heading)
    first = next((node for node in outline.nodes if node is None or tree.start(node) > start), None)
    around: list[int] = []
    while first is not None and len(around) < _MAX_DEPTH:
        around.append(first.mem_id)
        first = first.parent
    return tuple(around)


def _on_the_way(headline: LexborNode, around: tuple[int, ...]) -> Iterator[LexborNode]:
    """The elements between a headline and the article's first block, without those that the block stands in; none
    behind text that has no element of its own."""
    at = headline
    for _ in range(_MOST_NODES if around else 0):
        following = at.next
        if following is None:
            parent = at.parent
            if parent is None or parent.mem_id in around:
                return
            at = parent
            continue
        while following is not None and following.mem_id in around:
            if following.mem_id == around[0]:
                return
            following = following.first_child
        if following is None:
            return
        at = following
        if at.is_text_node:
            if (at.text_content or "").strip():
                return
        elif at.is_element_node:
            yield at
