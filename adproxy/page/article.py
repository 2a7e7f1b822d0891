"""Where the article is: the deepest element that holds nearly all of the page's good paragraphs.

A good paragraph has words of its own that are not mostly links and stands in nothing that its names call navigation,
related, comments and the like. The words of good paragraphs are added up along their ancestors; then, from the body
down, the way goes on into a child as long as that child alone holds most of what its parent holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from selectolax.lexbor import LexborNode

from adproxy.page.names import Says, says
from adproxy.page.words import count_words, fold

# A paragraph of fewer words is a caption, a byline or a teaser more often than text.
GOOD_WORDS = 12
# Share of an element's good words that one child must hold for the way to go on into it.
_MOST = 0.7
# An element whose names say "related" but which holds so much of the page's text is the article with a strange name.
_TOO_MUCH_TO_IGNORE = 0.5
MIN_ARTICLE_WORDS = 40

# Those that hold others (by an object or a table) are left out: no text is read twice, however deep they nest.
_PARAGRAPHS = "p:not(:has(p))"
_NOT_ARTICLE = Says.NOT_ARTICLE | Says.AD | Says.CAPTION | Says.SIDEBAR
_NOT_ARTICLE_ROLES = frozenset("navigation complementary contentinfo dialog search".split())
_NOT_ARTICLE_TAGS = frozenset("a nav aside footer form figure figcaption button dialog menu details template".split())

Folded = tuple[str, int]
"""A text with its white space folded, and its words."""


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
    texts: Mapping[int, Folded]
    """By `mem_id`: the whole text of the page's good p elements, scripts in them included."""


@dataclass(slots=True)
class _Branch:
    """An element with good paragraphs somewhere in it."""

    node: LexborNode
    around: _Branch | None
    """What it stands in; None for the body."""
    words: int = 0
    """Of all good paragraphs in it."""
    own_words: int = 0
    """Of those that are its children."""
    ignored: bool = False
    """It is, or stands in, what is no part of an article."""
    weight: int = 0
    """Words of the good paragraphs in it that are not ignored."""


def _is_mostly_linked(node: LexborNode, text: str) -> bool:
    """True if more than half of an element's text is within links."""
    if len(node.text(deep=False)) * 2 >= len(text):  # at least half stands in the element itself
        return False
    return sum(len(link.text()) for link in node.css("a")) * 2 > len(text)


def _paragraphs(root: LexborNode) -> tuple[dict[int, Group], dict[int, Folded]]:
    """The good p elements, by their parents' `mem_id`; and their texts."""
    groups: dict[int, Group] = {}
    texts: dict[int, Folded] = {}
    for node in root.css(_PARAGRAPHS):
        text = node.text()
        if len(text) < 24:
            continue
        folded = fold(text)
        words = folded[1]
        if words < GOOD_WORDS or _is_mostly_linked(node, text):
            continue
        parent = node.parent
        if parent is None:
            continue
        group = groups.get(parent.mem_id)
        if group is None:
            group = groups[parent.mem_id] = Group(parent)
        group.words += words
        group.paragraphs.append(node)
        texts[node.mem_id] = folded
    return groups, texts


def find(body: LexborNode) -> Article | None:
    """The article of a page, or None where there are too few good words for one."""
    groups, texts = _paragraphs(body)
    if sum(g.words for g in groups.values()) < MIN_ARTICLE_WORDS * 2:
        # Some sites have no p at all: elements that hold text of their own, and text between line breaks.
        groups = _own_text(body) or groups
    total = sum(g.words for g in groups.values())
    if total < MIN_ARTICLE_WORDS:
        return None
    branches = _branches(body, groups)
    _weigh(branches, total)
    root = branches[0]
    for branch in branches[1:]:  # what is in an element comes behind it, so one pass leads all the way down
        if branch.around is root and branch.weight >= root.weight * _MOST:
            root = branch
    if root.weight < MIN_ARTICLE_WORDS:
        return None
    return _article(root.node, _groups_in(root, branches, groups), texts)


def _article(root: LexborNode, groups: Iterable[Group], texts: dict[int, Folded]) -> Article:
    groups = list(groups)
    nodes = tuple(p for g in groups for p in g.paragraphs)
    return Article(root, sum(g.words for g in groups), nodes, frozenset(p.mem_id for p in nodes), texts)


def within(root: LexborNode) -> Article:
    """The article in an element that the rules name."""
    groups, texts = _paragraphs(root)
    return _article(root, groups.values(), texts)


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


def _branches(body: LexborNode, groups: dict[int, Group]) -> list[_Branch]:
    """All elements that groups stand in, once each, from the body down: what is around comes first."""
    branches = [_Branch(body, None)]
    known = {body.mem_id: branches[0]}
    for group in groups.values():
        new: list[LexborNode] = []
        at: LexborNode | None = group.parent
        while at is not None and at.mem_id not in known:
            new.append(at)
            at = at.parent
        branch = known[at.mem_id] if at is not None else branches[0]
        for node in reversed(new):
            branch = known[node.mem_id] = _Branch(node, branch)
            branches.append(branch)
        branch.own_words = group.words
    return branches


def _weigh(branches: list[_Branch], total: int) -> None:
    """Fill in what the words of groups mean for the elements around them; `total`: the words of all groups."""
    for branch in reversed(branches):
        branch.words += branch.own_words
        if branch.around is not None:
            branch.around.words += branch.words
    for branch in branches[1:]:
        around = branch.around
        branch.ignored = (around is not None and around.ignored) or _is_ignored(branch, total)
    for branch in reversed(branches):
        if branch.ignored:
            continue
        branch.weight += branch.own_words
        if branch.around is not None:
            branch.around.weight += branch.weight


def _is_ignored(branch: _Branch, total: int) -> bool:
    """True for what its name or its attributes call no part of an article, unless it holds so much of the text."""
    if branch.words >= total * _TOO_MUCH_TO_IGNORE:
        return False
    node = branch.node
    attributes = node.attributes
    return (
        node.tag in _NOT_ARTICLE_TAGS
        or bool(says(attributes.get("class") or "", attributes.get("id") or "") & _NOT_ARTICLE)
        or "hidden" in attributes
        or attributes.get("role") in _NOT_ARTICLE_ROLES
        or "display:none" in (attributes.get("style") or "").replace(" ", "")
    )


def _groups_in(root: _Branch, branches: list[_Branch], groups: dict[int, Group]) -> list[Group]:
    """The groups in an element that are not ignored."""
    inside = {root.node.mem_id}
    for branch in branches:
        if branch.around is not None and not branch.ignored and branch.around.node.mem_id in inside:
            inside.add(branch.node.mem_id)
    return [group for mem_id, group in groups.items() if mem_id in inside]
