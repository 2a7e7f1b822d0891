"""The page's sidebar: the column beside the article, and the spots between what stands in it.

A page may have several elements that call themselves one. Those that are named so come first; an ``aside`` without
such a name is one only where it belongs to no story. What holds little but a menu is no sidebar, whatever it is called:
it is as narrow as its links, and readers would look for them below the advertising.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from selectolax.lexbor import LexborNode

from adproxy.model import Spot
from adproxy.page.blocks import is_hidden
from adproxy.page.glance import glance_for
from adproxy.page.names import COMMENTS, Remembered, Says, says, tokens
from adproxy.page.places import SKIPPED, is_clear, spot_after, spot_before
from adproxy.page.tree import Tree
from adproxy.page.walk import Sought, all_of, ancestors, finder, text_in

# A slot whose place is forbidden shifts by so many widgets at most.
_SHIFT: Final = 2
# More elements that call themselves one are not looked at.
_MAX_SIDEBARS: Final = 200
_MOST_JUDGED: Final = 12
"""Of those, so many are read: they may stand in each other."""
_MAX_DEPTH: Final = 200

_NEVER: Final = frozenset("body html main article a span li button".split())
# What stands beside an article too and is no column for advertising: a bar of share buttons, a table of contents. And
# areas for widgets that lie across the page.
_NO_SIDEBAR: Final = frozenset("share sharing sharebar social socials toc header footer masthead".split())
# Asides that belong to a story, and what comes over the page or below it.
_OF_A_STORY: Final = COMMENTS | frozenset(
    """author authors bio byline contributor discussion respond related newsletter newsletters signup subscribe
    notes footnotes endnotes references meta infobox fact facts factbox correction corrections cookie consent gdpr
    modal popup overlay dialog toast notice alert banner disclaimer legal pagination pager""".split()
)
_STORY_PARTS: Final = frozenset("article header footer nav figure".split())

_MENU_NAMES: Final = frozenset("nav navigation navbar menu submenu toc toctree sidenav tree".split())
_glance: Final = glance_for(("hidden", "role", "style"))
_NO_ATTRIBUTES: Final[dict[str, str | None]] = {}
_menus: Final = finder(
    (
        (
            Sought(frozenset(["nav"])),
            Sought(attribute="role", how="is", value="navigation"),
            *(Sought(attribute="class", how="holds", value=name) for name in ("menu", "nav", "toc", "tree")),
        ),
    )
)
_links: Final = all_of("a")
_stories: Final = all_of("article")
_RELATED: Final = 2
"""So many stories in an aside are what to read next."""
_navs: Final = all_of("nav")
_pictures: Final = all_of("img")
_ILLUSTRATED: Final = 3
_seen: Final = all_of("img", "iframe", "ins", "video", "svg")
_TITLES: Final = ("h2", "h3", "h4", "h5", "h6")
_titles: Final = all_of("h1", *_TITLES)
_headers: Final = all_of("header", "h1", *_TITLES)
# Share of a column's text from which on it is a menu; and of links, where nothing in it is called one.
_MENU: Final = 0.34
_ALL_LINKS: Final = 0.9
_LONG_LINK: Final = 24
"""Characters: longer on the average are headlines, not the entries of a menu."""


def sidebar(
    tree: Tree,
    selector: str | None,
    article: LexborNode | None,
    headline: LexborNode | None,
    wanted: tuple[Literal["first", "last"] | int, ...],
) -> tuple[Spot | None, ...]:
    """Before each widget of the sidebar, then after the last; empty where the page has none.

    `selector`: the rules' own; None: it is found by what it is called and where it stands. `headline`: the page's, if
    it was looked for; what holds it is no sidebar.
    `wanted`: the places that slots ask for; what a slot would not shift to is not looked at, and None.
    """
    for node in _found(tree, article, headline) if selector is None else tree.css(selector)[:_MAX_SIDEBARS]:
        widgets = _widgets(node)
        if not widgets:
            continue
        last = len(widgets)
        spots: list[Spot | None] = [None] * (last + 1)
        for place in wanted:
            ideal = 0 if place == "first" else last if place == "last" else min(place, last)
            for i in sorted(range(max(0, ideal - _SHIFT), min(last, ideal + _SHIFT) + 1), key=lambda i: abs(i - ideal)):
                found = spots[i]
                if found is None:
                    found = spot_before(tree, widgets[i]) if i < last else spot_after(tree, widgets[-1])
                    spots[i] = found
                if is_clear(found):
                    break  # nothing would make a slot shift on from here
        if selector is None and all(s is None or s.anchor is None for s in spots):
            continue
        return tuple(spots)
    return ()


def sidebar_element(tree: Tree, article: LexborNode | None) -> LexborNode | None:
    """The element that the page's sidebar is, if it has one."""
    return next((node for node in _found(tree, article, None) if _widgets(node)), None)


def _found(tree: Tree, article: LexborNode | None, headline: LexborNode | None) -> Iterator[LexborNode]:
    """What may be the sidebar, the likeliest first."""
    others: list[LexborNode] = []
    around_headline = ancestors([headline]) if headline is not None else set()
    judged = 0
    for node in tree.landmarks.sidebars[:_MAX_SIDEBARS]:
        if tree.is_around_article(node) or node.mem_id in around_headline or (tag := node.tag) in _NEVER:
            continue
        names = _glance(node)
        attributes = node.attributes if names is None else _NO_ATTRIBUTES
        classes, ident = names or (attributes.get("class") or "", attributes.get("id") or "")
        said = _remembered.of(classes, ident)
        if said == _IS_NONE or (names is None and is_hidden(attributes)):
            continue
        if said == _IS_ONE:
            if article is not None and _is_within(node, article):
                continue
            judged += 1
            if judged > _MOST_JUDGED:
                return
            if not _is_menu(node):
                yield node
        elif said != _IS_A_STORYS and (tag == "aside" or attributes.get("role") == "complementary"):
            others.append(node)
    for node in others[:_MOST_JUDGED]:
        if _is_of_a_story(node, article) or len(_stories(node)) >= _RELATED or not (_length(node) or _seen(node)):
            continue
        if not _is_menu(node):
            yield node


_IS_NONE: Final = 1
_IS_ONE: Final = 2
_IS_A_STORYS: Final = 3


def _names_a_sidebar(classes: str, ident: str) -> int:
    """What an element's class and id say of its being a sidebar; 0: nothing."""
    names = f"{classes} {ident}".split()
    words = [tokens(name) for name in names]
    if any(_NO_SIDEBAR.intersection(each) for each in words):
        return _IS_NONE
    if any("widget" in each and "area" in each for each in words):
        return _IS_ONE
    if any(says(name, "") & Says.SIDEBAR for name in names if name.lower() != "aside"):
        return _IS_ONE
    return _IS_A_STORYS if any(_OF_A_STORY.intersection(each) for each in words) else 0


_remembered: Final = Remembered(_names_a_sidebar)


def _is_within(node: LexborNode, article: LexborNode | None, tags: frozenset[str] = frozenset()) -> bool:
    """Whether an element stands in the article, or in one of some tags. What stands deeper than a walk goes counts as
    within: there is no place for a slot."""
    at = node.parent
    for _ in range(_MAX_DEPTH):
        if at is None:
            return False
        if (article is not None and at.mem_id == article.mem_id) or at.tag in tags:
            return True
        at = at.parent
    return True


def _is_of_a_story(node: LexborNode, article: LexborNode | None) -> bool:
    """Whether an aside stands in the article, or in what is around it and its company: the author, notes, comments."""
    return _is_within(node, article, _STORY_PARTS)


def _is_menu(node: LexborNode) -> bool:
    """Whether a column holds little but a menu or a table of contents, beside who the site is."""
    if (
        not _navs(node) and len(_pictures(node)) >= _ILLUSTRATED
    ):  # of stories; asked first, since most columns have some
        return False
    menus = [box for box in _menus(node)[0] if box.mem_id != node.mem_id and _is_a_menu(box, node)]
    if menus:
        return _length_of(menus) >= _MENU * (_length(node) - _length_of(_headers(node)))
    if _titles(node):
        return False
    links = _links(node)
    if not links:
        return False
    linked = _length_of(links)
    return linked > _ALL_LINKS * _length(node) and linked < _LONG_LINK * len(links)


def _is_a_menu(box: LexborNode, column: LexborNode) -> bool:
    """A menu of the site's, or a table of contents; not what a widget of the column lists below its own title."""
    attributes = box.attributes
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}".split()
    words = [tokens(name) for name in names]
    if any("toc" in each for each in words):
        return True
    if box.tag != "nav" and attributes.get("role") != "navigation" and not any(map(_MENU_NAMES.intersection, words)):
        return False
    around = box.parent
    for _ in range(2):
        if around is None or around.mem_id == column.mem_id:
            break
        if any(beside.tag in _TITLES for beside in around.iter()):
            return False
        around = around.parent
    return True


def _length_of(boxes: list[LexborNode]) -> int:
    """Characters of text in boxes, those within others of them once."""
    total = 0
    seen: set[int] = set()
    for box in boxes[:400]:
        at = box.parent
        for _ in range(_MAX_DEPTH):
            if at is None or at.mem_id in seen:
                break
            at = at.parent
        if at is None:
            total += _length(box)
        seen.add(box.mem_id)
    return total


def _length(node: LexborNode) -> int:
    return len("".join(text_in(node).split()))


def _widgets(node: LexborNode) -> list[LexborNode]:
    """The elements of a sidebar; a wrapper that is its only content is gone through."""
    at = node
    widgets: list[LexborNode] = []
    for _ in range(8):
        children = [c for c in at.iter() if c.is_element_node and c.tag not in SKIPPED and not is_hidden(c.attributes)]
        if not children:  # nothing but text: the wrapper is the widget
            break
        widgets = children[:60]
        if len(children) != 1 or children[0].tag not in ("div", "section", "aside"):
            break
        at = children[0]
    return widgets
