"""Where the article is: the deepest element that holds nearly all of the page's good paragraphs.

A good paragraph has words of its own that are not mostly links and stands in nothing that its names call navigation,
related, comments and the like. The words of good paragraphs are added up along their ancestors; then, from the body
down, the way goes on into a child as long as that child alone holds most of what its parent holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from selectolax.lexbor import LexborNode

from adproxy.page.names import Says, says
from adproxy.page.words import count_words

# A paragraph of fewer words is a caption, a byline or a teaser more often than text.
GOOD_WORDS = 12
# Share of an element's good words that one child must hold for the way to go on into it.
_MOST = 0.7
# An element whose names say "related" but which holds so much of the page's text is the article with a strange name.
_TOO_MUCH_TO_IGNORE = 0.5
MIN_ARTICLE_WORDS = 40

_NOT_ARTICLE_TAGS = frozenset("a nav aside footer form figure figcaption button dialog menu details template".split())
_MAX_DEPTH = 200


@dataclass(slots=True)
class Group:
    """Good paragraphs that share a parent."""

    parent: LexborNode
    words: int = 0
    paragraphs: list[LexborNode] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Article:
    root: LexborNode
    words: int
    """Of the good paragraphs in it."""
    nodes: tuple[LexborNode, ...]
    """The good paragraphs in it."""
    paragraphs: frozenset[int]
    """Their `mem_id`s."""


def _linked_characters(root: LexborNode) -> dict[int, int]:
    """By `mem_id` of the paragraphs that hold links: how many characters of theirs are linked."""
    linked: dict[int, int] = {}
    for link in root.css("p a"):
        at = link.parent
        for _ in range(8):
            if at is None:
                break
            if at.tag == "p":
                linked[at.mem_id] = linked.get(at.mem_id, 0) + len(link.text())
                break
            at = at.parent
    return linked


def _paragraphs(root: LexborNode) -> dict[int, Group]:
    groups: dict[int, Group] = {}
    linked = _linked_characters(root)
    for node in root.css("p"):
        text = node.text()
        if len(text) < 24:
            continue
        words = count_words(text)
        if words < GOOD_WORDS or linked.get(node.mem_id, 0) * 2 > len(text):
            continue
        parent = node.parent
        if parent is None:
            continue
        group = groups.get(parent.mem_id)
        if group is None:
            group = groups[parent.mem_id] = Group(parent)
        group.words += words
        group.paragraphs.append(node)
    return groups


def find(body: LexborNode) -> Article | None:
    """The article of a page, or None where there are too few good words for one."""
    groups = _paragraphs(body)
    if sum(g.words for g in groups.values()) < MIN_ARTICLE_WORDS * 2:
        # Some sites have no p at all: elements that hold text of their own, and text between line breaks.
        groups = _own_text(body) or groups
    return _descend(body, groups)


def _article(root: LexborNode, groups: Iterable[Group]) -> Article:
    groups = list(groups)
    nodes = tuple(p for g in groups for p in g.paragraphs)
    return Article(root, sum(g.words for g in groups), nodes, frozenset(p.mem_id for p in nodes))


def within(root: LexborNode) -> Article:
    """The article in an element that the rules name."""
    groups = _paragraphs(root)
    return _article(root, groups.values())


def _own_text(body: LexborNode) -> dict[int, Group]:
    groups: dict[int, Group] = {}
    for node in body.css("div,section,article,td,main,center,font,span"):
        own = node.text(deep=False)
        if len(own) < 80:
            continue
        words = count_words(own)
        if words < GOOD_WORDS:
            continue
        parent = node if words > 150 else node.parent
        if parent is None:
            continue
        group = groups.setdefault(parent.mem_id, Group(parent))
        group.words += words
        group.paragraphs.append(node)
    return groups


def _descend(body: LexborNode, groups: dict[int, Group]) -> Article | None:
    total = sum(g.words for g in groups.values())
    if total < MIN_ARTICLE_WORDS:
        return None
    # Ancestors of each group, from its parent up to body; and the words below each of them.
    chains: list[tuple[Group, list[LexborNode]]] = []
    below: dict[int, int] = {}
    for group in groups.values():
        chain: list[LexborNode] = []
        at: LexborNode | None = group.parent
        for _ in range(_MAX_DEPTH):
            if at is None:
                break
            chain.append(at)
            below[at.mem_id] = below.get(at.mem_id, 0) + group.words
            if at.tag == "body":
                break
            at = at.parent
        chains.append((group, chain))
    verdicts: dict[int, bool] = {}
    good: list[tuple[Group, list[LexborNode]]] = []
    for group, chain in chains:
        if not any(_not_article(node, below, total, verdicts) for node in chain):
            good.append((group, chain))
    if not good:
        return None
    weights: dict[int, int] = {}
    for group, chain in good:
        for node in chain:
            weights[node.mem_id] = weights.get(node.mem_id, 0) + group.words
    # From body down: the chains are read from their ends.
    root = body
    depth = 1
    live = good
    while True:
        held = sum(g.words for g, _ in live)
        children: dict[int, tuple[LexborNode, int]] = {}
        for _, chain in live:
            if len(chain) > depth:
                child = chain[-1 - depth]
                children[child.mem_id] = (child, weights[child.mem_id])
        if not children:
            break
        best, words = max(children.values(), key=lambda pair: pair[1])
        if words < held * _MOST:
            break
        live = [(g, c) for g, c in live if len(c) > depth and c[-1 - depth].mem_id == best.mem_id]
        root = best
        depth += 1
    words = sum(g.words for g, _ in live)
    if words < MIN_ARTICLE_WORDS:
        return None
    return _article(root, [g for g, _ in live])


def _not_article(node: LexborNode, below: dict[int, int], total: int, verdicts: dict[int, bool]) -> bool:
    known = verdicts.get(node.mem_id)
    if known is None:
        attributes = node.attributes
        tag = node.tag or ""
        said = says(attributes.get("class") or "", attributes.get("id") or "")
        suspicious = (
            tag in _NOT_ARTICLE_TAGS
            or bool(said & (Says.NOT_ARTICLE | Says.AD | Says.CAPTION | Says.SIDEBAR))
            or "hidden" in attributes
            or (attributes.get("role") or "") in ("navigation", "complementary", "contentinfo", "dialog", "search")
            or "display:none" in (attributes.get("style") or "").replace(" ", "")
        )
        known = suspicious and below[node.mem_id] < total * _TOO_MUCH_TO_IGNORE and tag not in ("body", "html")
        verdicts[node.mem_id] = known
    return known
