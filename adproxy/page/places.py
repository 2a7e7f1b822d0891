"""Spots outside the row of blocks: over and under the headline, after the article, in the sidebar, at selectors.

A spot knows what stands around it: words to the next advertising of the page's own, media or a heading right beside it.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from selectolax.lexbor import LexborNode

from adproxy.labels import is_label
from adproxy.model import Anchor, BlockKind, Reason, Spot
from adproxy.page import ads
from adproxy.page.blocks import Outline, is_hidden
from adproxy.page.contents import visible_size
from adproxy.page.names import Says, says, tokens
from adproxy.page.stride import Ordinary, step, stride_past
from adproxy.page.tree import Tree, holds_words
from adproxy.page.walk import all_of, text_in
from adproxy.page.words import count_words

# So many words around a spot are looked at: an ad farther away is no neighbour.
REACH: Final = 16
# Characters that are mostly as many words: the rest of a longer text need not be counted then.
_LONG: Final = 200
_STEPS: Final = 160
# Of what a selector matches, and of headlines; whatever more there are is not looked at.
MAX_MATCHES: Final = 40
_MAX_DEPTH: Final = 200
_MAX_BETWEEN: Final = 100
_PARAGRAPH: Final = BlockKind.PARAGRAPH
_MOST_BOXES: Final = 24
_to_click: Final = all_of("input", "button", "img")
_COMPANY: Final = frozenset("aside footer nav hr br".split())
# Of an article's text such a part at most stands in a box at its end.
_SMALL: Final = 3
SKIPPED: Final = frozenset("script style template noscript link meta title base head source track select svg".split())
_MEDIA: Final = frozenset("img picture video audio iframe embed object figure canvas amp-img amp-video".split())
# Never an ad by their names, and rarely hidden: gone through without a look at their attributes.
_TEXT_LEVEL: Final = frozenset("p h1 h2 h3 h4 h5 h6 em strong b i small time br ul ol li".split())
# Gone through too, where neither their names nor an attribute of theirs makes them more than a box.
_BOXES: Final = frozenset(
    """div section article main header footer aside nav form a span button label table tbody thead tr td th dl dt dd
    fieldset blockquote u cite input hr""".split()
)
_HEADINGS: Final = frozenset("h1 h2 h3 h4 h5 h6".split())
_TITLES: Final = "[itemprop~=headline],.entry-title,.post-title,.article-title,.story-title,article>header>h2"
_links: Final = all_of("a", attribute="href")
_of_mastheads: Final = all_of("nav", "form", "ul", "aside")
_LOGO: Final = frozenset(["logo", "brand", "sitename", "sitetitle"])
_OF_SITES: Final = frozenset(["title", "name"])
_FIRST_PAGE: Final = re.compile(r"/?|(?:https?:)?//[^/?#\s]+/?", re.I)
_pictures: Final = all_of("img")
_FILE_NAME: Final = 40
"""Characters at the end of an address that are looked at."""
_CLIMB: Final = frozenset("header hgroup a span strong em b i".split())
# Where no slot stands, whatever the rules say: an editor's "never" list (inside of these).
_NEVER_INSIDE: Final = frozenset(
    """p li ul ol dl dt dd table figure figcaption pre blockquote details nav form a button svg template noscript
    select label dialog""".split()
)


class _Side:
    def __init__(self, ad: int | None, media: bool, heading: bool, lead_in: bool) -> None:
        self.ad = ad
        self.media = media
        self.heading = heading
        self.lead_in = lead_in


_NOTHING_NEAR: Final = _Side(None, False, False, False)


def _matters(classes: str, ident: str) -> bool:
    return ads.is_named_as_ad(classes, ident) or bool(says(classes, "") & Says.EMBED)


_stride: Final = stride_past(_TEXT_LEVEL, SKIPPED, Ordinary(_BOXES, ads.glance, _matters))


def spot(tree: Tree, anchor: Anchor | None, before: LexborNode | None, after: LexborNode | None) -> Spot:
    """A spot at an anchor. `before` and `after`: the nodes from which to look back and ahead, those included."""
    if anchor is None:
        return Spot(None, Reason.NO_LEGAL_ANCHOR)
    back = _look(before, forward=False)
    ahead = _look(after, forward=True)
    return Spot(anchor, None, back.ad, ahead.ad, back.media, ahead.media, back.heading, back.lead_in)


def _look(start: LexborNode | None, *, forward: bool) -> _Side:
    """What comes first in a direction: words are counted until an ad is met or enough words are.

    Headings and lead-ins matter only where they stand before a spot, and are looked for only backwards.
    """
    words = 0
    media = heading = lead_in = False
    if start is None:
        return _NOTHING_NEAR
    at, text, left = _stride(start, None, forward, _STEPS)
    while at is not None:
        enter = False
        if text is not None:
            text = text.strip()
            if text:
                if is_label(text):
                    return _Side(words, media, heading, lead_in)
                if words == 0 and not forward:
                    heading = _inside_heading(at)
                    lead_in = text.endswith((":", "："))
                if len(text) > _LONG and count_words(text[:_LONG]) > REACH:
                    break
                words += count_words(text)
                if words > REACH:
                    break
        else:
            tag = at.tag or ""
            names = ads.ordinary_names(tag, at)
            if names is not None:
                classes = names[0]
            else:
                attributes = at.attributes
                if is_hidden(attributes):
                    at, text, left = _stride(at, False, forward, left)
                    continue
                if ads.is_ad(tag, attributes) and not holds_words(at, ads.MAX_WORDS):
                    return _Side(words, media, heading, lead_in)
                classes = attributes.get("class") or ""
            enter = tag not in _MEDIA and not (classes and says(classes, "") & Says.EMBED)
            if not enter and words < 2 and not media:
                media = visible_size(at.attributes, tag) is not None  # an icon or a pixel crowds nobody
        at, text, left = _stride(at, enter, forward, left)
    return _Side(None, media, heading, lead_in)


def _inside_heading(text: LexborNode) -> bool:
    at = text.parent
    for _ in range(6):
        if at is None:
            return False
        if at.tag in _HEADINGS:
            return True
        at = at.parent
    return False


def _inside_never(tree: Tree, node: LexborNode) -> bool:
    """True inside of what no slot may stand in, by element, by name or because it is hidden.

    What contains the article itself is the page's layout, not one of these.
    """
    known = tree.off_limits
    chain: list[int] = []
    verdict = True
    at = node.parent
    for _ in range(_MAX_DEPTH):
        if at is None or (tag := at.tag) in ("body", "html"):
            verdict = False
            break
        if at.mem_id in known:
            verdict = known[at.mem_id]
            break
        chain.append(at.mem_id)
        around = tree.is_around_article(at)
        if tag in _NEVER_INSIDE and not around:
            break
        if ads.ordinary_names(tag or "", at) is None:  # of most, nothing more is to be asked
            attributes = at.attributes
            if is_hidden(attributes):
                break
            if not around:
                if attributes.get("role") == "navigation":
                    break
                if ads.is_ad(tag or "", attributes) and not holds_words(at, ads.MAX_WORDS):
                    break
        at = at.parent
    for mem_id in chain:
        known[mem_id] = verdict
    return verdict


# --- the headline -----------------------------------------------------------------------------


def headline(tree: Tree, outline: Outline, article: LexborNode | None) -> LexborNode | None:
    """The article's headline: the last h1 before its first block, or the first one of the page. Where there is
    none but the site's name, the last heading before that block that is called the title of a post, or stands in its
    header."""
    first_ones = tree.landmarks.headlines[:MAX_MATCHES]
    found = [h for h in first_ones if text_in(h).strip() and not is_hidden(h.attributes)]
    candidates = [h for h in found if not _names_the_site(h)]
    first = next((g.anchor.offset for g in outline.gaps if g.anchor is not None), -1)
    if not candidates:
        titles = [h for h in tree.css(_TITLES) if h.tag in _HEADINGS]
        if sum(bool(_links(h)) for h in titles) <= 1:  # a list has more, which lead to its stories
            text = next((n for b, n in zip(outline.blocks, outline.nodes, strict=True) if b.kind is _PARAGRAPH), None)
            before_text = max(first, tree.start(text) if text is not None else -1)
            candidates = [h for h in titles if 0 <= tree.start(h) <= before_text]
    if not candidates:
        return None
    if article is None:
        return candidates[0]
    before = [h for h in candidates if 0 <= tree.start(h) <= first]
    return before[-1] if before else candidates[0]


def _names_the_site(heading: LexborNode) -> bool:
    """True for an h1 that is called so, holds a logo, or leads to the site's first page."""
    attributes = heading.attributes
    for name in f"{attributes.get('class') or ''} {attributes.get('id') or ''}".split():
        words = tokens(name)
        if not _LOGO.isdisjoint(words) or ("site" in words and not _OF_SITES.isdisjoint(words)):
            return True
    if any("logo" in tokens((picture.attributes.get("src") or "")[-_FILE_NAME:]) for picture in _pictures(heading)):
        return True
    links = _links(heading)
    if not links:
        return False
    link = links[0].attributes
    return (link.get("rel") or "").lower() == "home" or _FIRST_PAGE.fullmatch(
        (link.get("href") or "").strip()
    ) is not None


def above_headline(tree: Tree, heading: LexborNode | None) -> Spot:
    """The spot before the outermost element that is nothing but the headline."""
    if heading is None:
        return Spot(None, Reason.NO_SUCH_PLACE)
    return spot_before(tree, outermost(tree, heading))


def below_headline(tree: Tree, heading: LexborNode | None) -> Spot:
    """The spot after that element; what stands before it is the headline itself, and nothing to keep clear of."""
    if heading is None:
        return Spot(None, Reason.NO_SUCH_PLACE)
    node = outermost(tree, heading)
    if _inside_never(tree, node):
        return Spot(None, Reason.NO_LEGAL_ANCHOR)
    return spot(tree, tree.after(node), None, step(node, forward=True))


def outermost(tree: Tree, heading: LexborNode) -> LexborNode:
    """The headline, or what wraps it and nothing else: a header of its own, a link, an hgroup."""
    node = heading
    for _ in range(8):
        parent = node.parent
        if parent is None or parent.tag not in _CLIMB or (tree.legal_container(parent) and parent.tag != "header"):
            break
        if parent.tag == "header" and not _heads_little(parent, heading):
            break
        node = parent
    return node


def _heads_little(header: LexborNode, heading: LexborNode) -> bool:
    """True for a header that holds the headline and its company, not the site's masthead."""
    return not _of_mastheads(header) and len(text_in(header)) < len(text_in(heading)) + 1200


# --- after the article ------------------------------------------------------------------------


def end_of_article(tree: Tree, outline: Outline, article: LexborNode | None) -> Spot:
    """After the article's last block that is its own."""
    if article is None or not outline.gaps:
        return Spot(None, Reason.NO_ARTICLE)
    own = (BlockKind.AD, BlockKind.ASIDE, BlockKind.OTHER)
    for i in range(len(outline.blocks), 0, -1):
        if outline.blocks[i - 1].kind in own:
            continue
        anchor = outline.gaps[i].anchor
        node = outline.nodes[i - 1]
        if anchor is None or node is None:
            break
        box = _box_around(node, article)
        behind = tree.after(box) if box is not None else None
        if box is not None and behind is not None:
            return spot(tree, behind, box, step(box, forward=True))
        return spot(tree, anchor, node, step(node, forward=True))
    # The last block can't carry it: behind the article's own element, then.
    return spot(tree, tree.after(article), article.last_child, step(article, forward=True))


def _box_around(last: LexborNode, article: LexborNode) -> LexborNode | None:
    """The outermost small box of the article in which more follows its last block: a button below a call for donations,
    a form, what a recipe needs. A slot would part them. None where nothing follows."""
    found: LexborNode | None = None
    at, follows = last, False
    length = -1
    for _ in range(_MOST_BOXES):
        parent = at.parent
        if parent is None or parent.mem_id == article.mem_id:
            break
        follows = follows or _is_followed(at)
        if follows:
            if length < 0:
                length = len(text_in(article))
            if len(text_in(parent)) * _SMALL > length:
                break
            found = parent
        at = parent
    return found


def _is_followed(node: LexborNode) -> bool:
    """Whether anything stands behind a node in the same element that belongs to it: no share buttons, no comments."""
    at = node.next
    for _ in range(_MAX_BETWEEN):
        if at is None:
            break
        if at.is_element_node and at.tag not in SKIPPED and at.tag not in _COMPANY:
            attributes = at.attributes
            if not says(attributes.get("class") or "", attributes.get("id") or "") & (Says.NOT_ARTICLE | Says.AD) and (
                text_in(at).strip() or _to_click(at)
            ):
                return True
        at = at.next
    return False


# --- beside an element -------------------------------------------------------------------------


def is_clear(spot: Spot, *, settled: bool = False) -> bool:
    """True for a spot that no rule about its surroundings can forbid; `settled`: to a slot with text of its own too."""
    near = spot.ad_before is not None or spot.ad_after is not None or spot.media_before or spot.media_after
    if spot.anchor is None or (settled and not spot.anchor.settled):
        return False
    return not (near or spot.heading_before or spot.lead_in_before)


def spot_before(tree: Tree, node: LexborNode) -> Spot:
    """The spot before an element's start."""
    if _inside_never(tree, node):
        return Spot(None, Reason.NO_LEGAL_ANCHOR)
    return spot(tree, tree.before(node), step(node, forward=False), node)


def spot_after(tree: Tree, node: LexborNode) -> Spot:
    """The spot behind an element's end."""
    if _inside_never(tree, node):
        return Spot(None, Reason.NO_LEGAL_ANCHOR)
    return spot(tree, tree.after(node), node, step(node, forward=True))


# --- selectors --------------------------------------------------------------------------------


def at_selector(tree: Tree, edge: Literal["before", "after", "prepend", "append"], selector: str) -> tuple[Spot, ...]:
    """A spot for each element that matches, in document order."""
    return tuple(at_element(tree, edge, node) for node in tree.css(selector)[:MAX_MATCHES])


def at_element(tree: Tree, edge: Literal["before", "after", "prepend", "append"], node: LexborNode) -> Spot:
    """The spot on one side of an element, or at one end of what it holds."""
    if is_hidden(node.attributes) or _inside_never(tree, node):
        return Spot(None, Reason.NO_LEGAL_ANCHOR)
    if edge == "before":
        return spot_before(tree, node)
    if edge == "after":
        return spot_after(tree, node)
    children = [c for c in node.iter() if c.is_element_node and c.tag not in SKIPPED]
    if not children or node.tag in _NEVER_INSIDE:
        return Spot(None, Reason.NO_LEGAL_ANCHOR)
    return spot_before(tree, children[0]) if edge == "prepend" else spot_after(tree, children[-1])
