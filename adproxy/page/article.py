"""Where the article is: the deepest element that holds nearly all of the page's good paragraphs.

A good paragraph has words of its own that are not mostly links and stands in nothing that its names call navigation,
related, comments and the like, nor in a teaser of another page. The words of good paragraphs are added up along their
ancestors; then, from the body down, the way goes on into a child as long as that child alone holds most of what its
parent holds.

What holds more than one text is told apart:

- A list of teasers (a home page, a section, search results) has no article, and a slot between teasers would stand in
  the way of those who are looking for something to read.
- Articles one below the other, each with its own h1 (endless scroll): the first is the article. It is what the address
  stands for, and what the reader sees; the others have addresses, and advertising, of their own.
- Posts (a live blog, a blog's latest entries in full): all of them together are the article, and a short post is not
  torn apart, so that slots come between posts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from selectolax.lexbor import LexborNode

from adproxy.page import teasers, walk
from adproxy.page.glance import glance_for
from adproxy.page.landmarks import Paragraphs, paragraphs_in
from adproxy.page.names import ASIDE, COMMENTS, Says, says, tokens
from adproxy.page.walk import Sought, all_of, ancestors, text_in
from adproxy.page.words import count_words, fold

# A paragraph of fewer words is a caption, a byline or a teaser more often than text.
GOOD_WORDS: Final = 12
# Share of an element's good words that one child must hold for the way to go on into it.
_MOST: Final = 0.7
# An element whose names say "related" but which holds so much of the page's text is the article with a strange name.
_TOO_MUCH_TO_IGNORE: Final = 0.5
MIN_ARTICLE_WORDS: Final = 40
# An article of its own among others has so many words: fewer are a post or a teaser.
_WHOLE_ARTICLE: Final = 150
# So many times the words of its p elements a page's other text must have to be its article.
_MUCH_MORE: Final = 3
# Where more boxes than that lead to one page they are answers, and it has all the questions.
_BOXES_OF_ONE: Final = 2
# Of a list's boxes, for each teaser.
_FEW_LONGER: Final = 0.5
_BEHIND_DOTS: Final = 120
"""Characters."""
# Fewer boxes with a date each are comments or related stories as well.
_FEWEST_POSTS: Final = 4
_IN_THEIR_NAME: Final = COMMENTS | frozenset("list area section wrap wrapper container thread block box".split())
_IN_ITS_NAME: Final = ASIDE | frozenset(
    """area section wrap wrapper container block bloc box site page main primary secondary inner outer left right column
    columns col row bottom""".split()
)
# Share of an article's words beside its largest section that makes them its own.
_MUCH_BESIDE: Final = 0.1
# The classes of Bootstrap, Foundation and Tailwind for a copy of the text that only printers see.
_FOR_PRINT: Final = frozenset(
    "d-print-block visible-print visible-print-block show-for-print print:block print-only".split()
)
# Share of the page's words that a box must hold for it to matter what it is called beside the others.
_LARGE: Final = 0.2
# What boxes are called that follow each other in a forum or a log.
_POST_NAMES: Final = frozenset(["post", "message", "entry"])
# What says when, or by whom, a post was written.
_DATED: Final = "time,[datetime],[itemprop~=datePublished],[itemprop~=author]"

# Where there are no p: elements with text of their own. Typewriter text is read whole; a program's code is none.
_TEXT_BOXES: Final = frozenset("div section article td main center font span li".split())
_LEAST_TEXT: Final = 80
"""Characters; a shorter text is no paragraph."""
_text_boxes: Final = walk.finder(((Sought(_TEXT_BOXES, own_text=_LEAST_TEXT),), (Sought(frozenset(["pre"])),)))
_LIST_PARTS: Final = frozenset(["ul", "ol", "li"])
_NOT_ARTICLE: Final = Says.NOT_ARTICLE | Says.AD | Says.CAPTION | Says.SIDEBAR
_BESIDE: Final = Says.NOT_ARTICLE | Says.SIDEBAR
_NOT_ARTICLE_ROLES: Final = frozenset("navigation complementary contentinfo dialog search".split())
# Without any of these, only its names and its kind tell that an element is no part of an article.
_glance: Final = glance_for(("hidden", "role", "style"))
_links: Final = all_of("a")
_headlines: Final = all_of("h1")
_NEVER_ARTICLE_TAGS: Final = frozenset(["footer", "nav", "dialog"])
_NOT_ARTICLE_TAGS: Final = frozenset(
    "a nav aside footer form figure figcaption button dialog menu details template".split()
)

Folded = tuple[str, int]
"""A text with its white space folded, and its words."""


class Group:
    """Good paragraphs that share a parent."""

    def __init__(self, parent: LexborNode, words: int = 0, paragraphs: Iterable[LexborNode] = ()) -> None:
        self.parent = parent
        self.words = words
        self.paragraphs = list(paragraphs)


class Article:
    def __init__(
        self,
        root: LexborNode,
        words: int,
        nodes: tuple[LexborNode, ...],
        paragraphs: frozenset[int],
        texts: Mapping[int, Folded],
        posts: frozenset[int] = frozenset(),
    ) -> None:
        self.root = root
        self.words = words
        """Of the good paragraphs in it."""
        self.nodes = nodes
        """The good paragraphs in it."""
        self.paragraphs = paragraphs
        """Their `mem_id`s."""
        self.texts = texts
        """By `mem_id`: what readers see of the text of the page's good p elements."""
        self.posts = posts
        """`mem_id`s of the elements in it that are posts, one below the other."""


class _Branch:
    """An element with good paragraphs somewhere in it."""

    def __init__(self, node: LexborNode, around: _Branch | None) -> None:
        self.node = node
        self.around = around
        """What it stands in; None for the body."""
        self.words = 0
        """Of all good paragraphs in it."""
        self.own_words = 0
        """Of those that are its children."""
        self.ignored = False
        """It is, or stands in, what is no part of an article."""
        self.weight = 0
        """Words of the good paragraphs in it that are not ignored."""


def is_plain(node: LexborNode) -> bool:
    """True for an element that holds nothing but text: there is nothing to search for in it."""
    child = node.first_child
    while child is not None and child.is_text_node:
        child = child.next
    return child is None


def linked_characters(node: LexborNode) -> int:
    """How much of an element's text is within links."""
    return sum(len(text_in(link)) for link in _links(node))


def _is_mostly_linked(node: LexborNode, text: str) -> bool:
    """True if more than half of an element's text is within links."""
    if is_plain(node):
        return False
    if len(node.text(deep=False)) * 2 >= len(text):  # at least half stands in the element itself
        return False
    return linked_characters(node) * 2 > len(text)


def _paragraphs(all_p: Paragraphs) -> tuple[dict[int, Group], dict[int, Folded]]:
    """The good p elements, by their parents' `mem_id`; and their texts.

    Those that hold others are left out: no text is read twice, however deep they nest. So are those that nobody sees.
    """
    groups: dict[int, Group] = {}
    texts: dict[int, Folded] = {}
    left_out = {node.mem_id for node in all_p.unseen} | ancestors(all_p.nested)
    for node in all_p.every:
        if left_out and node.mem_id in left_out:
            continue
        text = text_in(node)
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


def find(body: LexborNode, all_p: Paragraphs) -> Article | None:
    """The article of a page, or None where there are too few good words for one, or where it is a list.

    `all_p`: the page's p elements.
    """
    groups, texts = _paragraphs(all_p)
    host = _HostOf(body)
    branches, root = _search(body, groups, host)
    if root.weight < _WHOLE_ARTICLE or _holds_comments(root.node):
        # Some sites have p for comments and notices alone: their articles are elements that hold text of their own, and
        # text between line breaks. Menus and footers are such elements too, so a brief in p is rather believed.
        more = _with_own_text(body, groups)
        branches_too, root_too = _search(body, more, host)
        if root.weight < MIN_ARTICLE_WORDS or root_too.weight >= root.weight * _MUCH_MORE:
            groups, branches, root = more, branches_too, root_too
    if root.weight < MIN_ARTICLE_WORDS:
        return None
    posts = _posts(branches, root)
    while (
        root.node.tag in _LIST_PARTS and root.around is not None
    ):  # what stands before and behind a list belongs to it
        root = root.around
    found = _article(root.node, _groups_in(root, branches, groups), texts, posts)
    return None if teasers.is_list(found.nodes, found.words, host) else found


def _search(body: LexborNode, groups: dict[int, Group], host: _HostOf) -> tuple[list[_Branch], _Branch]:
    """All elements that good paragraphs stand in, and of these the article's."""
    branches = _branches(body, groups)
    _add_up(branches)
    _weigh(branches, sum(g.words for g in groups.values()) - _leave_out_teasers(branches, host))
    root = _deepest(branches, branches[0])
    wholes = _whole_articles(branches, root)
    return branches, _up_to_headline(branches, _deepest(branches, wholes[0]) if wholes else root)


class _HostOf:
    """A page's own host, looked for when it is asked for: most pages have nothing that could be a teaser."""

    def __init__(self, body: LexborNode) -> None:
        self._body = body
        self._known: str | None = None

    def __call__(self) -> str:
        if self._known is None:
            self._known = teasers.own_host(self._body)
        return self._known


def _article(
    root: LexborNode, groups: Iterable[Group], texts: dict[int, Folded], posts: frozenset[int] = frozenset()
) -> Article:
    groups = list(groups)
    nodes = tuple(p for g in groups for p in g.paragraphs)
    return Article(root, sum(g.words for g in groups), nodes, frozenset(p.mem_id for p in nodes), texts, posts)


def within(root: LexborNode) -> Article:
    """The article in an element that the rules name."""
    groups, texts = _paragraphs(paragraphs_in(root))
    return _article(root, groups.values(), texts)


def _with_own_text(body: LexborNode, groups: dict[int, Group]) -> dict[int, Group]:
    """Groups of good paragraphs with what holds text of its own besides."""
    groups = {mem_id: Group(g.parent, g.words, g.paragraphs) for mem_id, g in groups.items()}
    boxes, typewritten = _text_boxes(body)
    for node in (body, *boxes, *typewritten):
        preformatted = node.tag == "pre"
        if preformatted and node.css_first("code") is not None:
            continue
        own = node.text(deep=preformatted)
        if len(own) < _LEAST_TEXT:
            continue
        words = count_words(own)
        if words < GOOD_WORDS:
            continue
        many = words > _WHOLE_ARTICLE and not preformatted
        parent = node if many or node.tag == "body" else node.parent
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


def _add_up(branches: list[_Branch]) -> None:
    for branch in reversed(branches):
        branch.words += branch.own_words
        if branch.around is not None:
            branch.around.words += branch.words


def _leave_out_teasers(branches: list[_Branch], host: _HostOf) -> int:
    """Ignore the boxes that are teasers, if there are enough for a list; returns how many words that leaves out."""
    boxes = [b for b in branches if b.around is not None and b.words <= teasers.MOST_WORDS < b.around.words]
    boxes += _long_ones_in_a_row(branches)
    if len(boxes) < teasers.FEWEST:
        return 0
    leads = [(b, address) for b in boxes if (address := _leads_to(b, host))]
    found = [b for b, _ in leads]
    pages = len({address for _, address in leads})
    if pages < teasers.FEWEST or pages * _BOXES_OF_ONE < len(found):
        return 0
    found += _longer_ones(branches, found)
    for branch in found:
        branch.ignored = True
    return sum(b.words for b in found if not _is_in_ignored(b))


def _long_ones_in_a_row(branches: list[_Branch]) -> list[_Branch]:
    """Boxes beside each other that may be long excerpts."""
    rows: dict[int, list[_Branch]] = {}
    for branch in branches:
        if branch.around is not None and teasers.MOST_WORDS < branch.words <= teasers.MOST_OF_AN_EXCERPT:
            rows.setdefault(branch.around.node.mem_id, []).append(branch)
    return [branch for row in rows.values() if len(row) >= teasers.FEWEST for branch in row]


def _leads_to(branch: _Branch, host: _HostOf) -> str:
    leads_to = teasers.leads_to if branch.words <= teasers.MOST_WORDS else teasers.leads_on_again
    return leads_to(branch.node, host)


def _is_in_ignored(branch: _Branch) -> bool:
    around = branch.around
    while around is not None and not around.ignored:
        around = around.around
    return around is not None


def _longer_ones(branches: list[_Branch], short: list[_Branch]) -> list[_Branch]:
    """The boxes that stand in a row with teasers and are called the same, where most of the row are teasers whose text
    is cut off. Answers, or posts that are shown whole, are not."""
    rows: dict[tuple[int, str], list[_Branch]] = {}
    for branch in short:
        rows.setdefault(_row_of(branch), []).append(branch)
    cut_off = {key for key, row in rows.items() if key[1] and len(row) >= teasers.FEWEST and _are_cut_off(row)}
    if not cut_off:
        return []
    known = {branch.node.mem_id for branch in short}
    longer: dict[tuple[int, str], list[_Branch]] = {}
    for branch in branches[1:]:
        if branch.node.mem_id not in known and (key := _row_of(branch)) in cut_off:
            longer.setdefault(key, []).append(branch)
    return [b for key, boxes in longer.items() for b in boxes if len(boxes) < len(rows[key]) * _FEW_LONGER]


def _are_cut_off(row: list[_Branch]) -> bool:
    """True if most of these texts end in dots, or in a few words behind them ("Read more")."""
    ends = [text_in(branch.node)[-_BEHIND_DOTS:] for branch in row]
    return sum("..." in end or "…" in end for end in ends) * 2 > len(row)


def _row_of(branch: _Branch) -> tuple[int, str]:
    around = branch.around
    return around.node.mem_id if around is not None else 0, branch.node.attributes.get("class") or ""


def _weigh(branches: list[_Branch], total: int) -> None:
    """Say what is no part of an article, and weigh the rest; `total`: words of the page that are no teasers."""
    left = total - _set_aside(branches, total)
    for branch in branches[1:]:
        around = branch.around
        branch.ignored = branch.ignored or (around is not None and around.ignored) or _is_ignored(branch, total, left)
    for branch in reversed(branches):
        if branch.ignored:
            continue
        branch.weight += branch.own_words
        if branch.around is not None:
            branch.around.weight += branch.weight


def _set_aside(branches: list[_Branch], total: int) -> int:
    """Ignore the large boxes that are comments, a footer or a sidebar, if enough is left; returns their words.

    A brief may have more words there than in itself, and an article fewer than its readers.
    """
    left = total
    for branch in branches[1:]:
        if branch.ignored or branch.words < total * _LARGE:
            continue
        around = branch.around
        if around is not None and around.ignored:
            branch.ignored = True
        elif _is_beside(branch.node, left - branch.words):
            branch.ignored = True
            left -= branch.words
    return total - left


def _is_beside(node: LexborNode, left: int) -> bool:
    """True for a box that is no article by its name, with `left` words beside it that may be one."""
    if left < MIN_ARTICLE_WORDS:
        return False
    classes, ident = _names_of(node)
    if not says(classes, ident) & _BESIDE:  # as most boxes
        return False
    named = classes.split()
    if not _FOR_PRINT.isdisjoint(named):
        return True
    words = [tokens(name) for name in (*named, ident)]
    if not (
        _are_called(words, COMMENTS, _IN_THEIR_NAME)
        or _are_called(words, ASIDE, _IN_ITS_NAME)
        or (left >= _WHOLE_ARTICLE and not all(map(COMMENTS.isdisjoint, words)))
    ):
        return False
    return not _headlines(node)  # an editor's comment is an article


def _is_ignored(branch: _Branch, total: int, left: int) -> bool:
    """True for what its name or its attributes call no part of an article, unless it holds so much of the text.

    `left`: words of the page that are not set aside.
    """
    node = branch.node
    if branch.words >= left * _TOO_MUCH_TO_IGNORE and (
        branch.words >= _WHOLE_ARTICLE or branch.words >= total * _TOO_MUCH_TO_IGNORE
    ):
        # An article that a script shows as soon as it runs has its headline in it; what opens in a window has none.
        return node.tag in _NEVER_ARTICLE_TAGS or (
            _glance(node) is None and _hides(node.attributes) and not _headlines(node)
        )
    if node.tag in _NOT_ARTICLE_TAGS:
        return True
    names = _glance(node)
    if names is not None:
        classes, ident = names
        return bool(says(classes, ident) & _NOT_ARTICLE)
    attributes = node.attributes
    return (
        bool(says(attributes.get("class") or "", attributes.get("id") or "") & _NOT_ARTICLE)
        or attributes.get("role") in _NOT_ARTICLE_ROLES
        or _hides(attributes)
    )


def _hides(attributes: Mapping[str, str | None]) -> bool:
    return "hidden" in attributes or "display:none" in (attributes.get("style") or "").replace(" ", "")


def _names_of(node: LexborNode) -> tuple[str, str]:
    """An element's classes and its id."""
    names = _glance(node)
    if names is not None:
        return names
    attributes = node.attributes
    return attributes.get("class") or "", attributes.get("id") or ""


def _holds_comments(node: LexborNode) -> bool:
    """True for an element that is called a list of comments, and nothing else."""
    classes, ident = _names_of(node)
    return _are_called(map(tokens, (*classes.split(), ident)), COMMENTS, _IN_THEIR_NAME)


def _are_called(names: Iterable[tuple[str, ...]], what: frozenset[str], whole: frozenset[str]) -> bool:
    """True if one of the names has a word of `what` in it, and none but those of `whole`."""
    return any(whole.issuperset(words) and not what.isdisjoint(words) for words in names)


def _deepest(branches: list[_Branch], root: _Branch) -> _Branch:
    """From an element down into the child that holds most of it, and on."""
    for branch in branches:  # what is in an element comes behind it, so one pass leads all the way down
        if branch.around is root and branch.weight >= root.weight * _MOST:
            root = branch
    return root


def _up_to_headline(branches: list[_Branch], root: _Branch) -> _Branch:
    """From a section that holds most of an article, or one of several boxes in a row, up to what holds the headline
    too, if paragraphs stand there beside it."""
    inner, outer = root, root.around
    while outer is not None:
        least = outer.weight * _MUCH_BESIDE
        if outer.weight - inner.weight >= least:  # seldom; nothing more is asked of all others
            beside = outer.own_words + sum(
                b.weight for b in branches if b.around is outer and b is not inner and _are_alike(b.node, inner.node)
            )
            if beside >= least and _headlines(outer.node) and not _headlines(inner.node):
                return outer
        inner, outer = outer, outer.around
    return root


def _are_alike(one: LexborNode, other: LexborNode) -> bool:
    return one.tag == other.tag and one.attributes.get("class") == other.attributes.get("class")


def _whole_articles(branches: list[_Branch], root: _Branch) -> list[_Branch]:
    """The articles that stand one below the other in an element, if there is more than one."""
    found = [
        b
        for b in branches
        if b.around is root and b.weight >= _WHOLE_ARTICLE and b.node.tag == "article" and _headlines(b.node)
    ]
    return found if len(found) > 1 else []


def _posts(branches: list[_Branch], root: _Branch) -> frozenset[int]:
    """Elements right below the article's that are posts, each with its date or its author."""
    children = [b for b in branches if b.around is root and b.weight]
    if len(children) < _FEWEST_POSTS or sum(b.weight for b in children) < root.weight * _MOST:
        return frozenset()
    posts = [b for b in children if _is_post(b.node)]
    if len(posts) < _FEWEST_POSTS or len(posts) < len(children) * _MOST:
        return frozenset()
    return frozenset(b.node.mem_id for b in posts)


def _is_post(node: LexborNode) -> bool:
    if node.tag == "article" or node.css_first(_DATED) is not None:
        return True
    return any(not _POST_NAMES.isdisjoint(tokens(name)) for name in (node.attributes.get("class") or "").split())


def _groups_in(root: _Branch, branches: list[_Branch], groups: dict[int, Group]) -> list[Group]:
    """The groups in an element that are not ignored."""
    inside = {root.node.mem_id}
    for branch in branches:
        if branch.around is not None and not branch.ignored and branch.around.node.mem_id in inside:
            inside.add(branch.node.mem_id)
    return [group for mem_id, group in groups.items() if mem_id in inside]
