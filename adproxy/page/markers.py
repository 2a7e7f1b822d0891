"""An editor's own marks in the content: where a slot is to stand, or that the page is to have none.

``<!-- adproxy:slot NAME -->`` and an element with ``data-ads-here="NAME"`` place a slot, ``<!-- adproxy:off -->`` keeps
the page without ads. Only comments of the parsed page count: what looks like one in a script, a text field, a template
or an attribute is text. The spot is that of an element beside the mark, proven as every anchor is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from selectolax.lexbor import LexborNode

from adproxy.model import Reason, Spot
from adproxy.page import places
from adproxy.page.landmarks import MARKING
from adproxy.page.tree import Tree
from adproxy.page.walk import comments_of

MAX_MARKS = 40
"""Of all slots together: as many as a selector's spots. What follows is not looked at."""

_COMMENT = re.compile(r"\s*adproxy:(?:(off)|slot\s+([a-z][a-z0-9-]{0,39}))\s*")
# A mark in a paragraph, a span, a list item: so far up is looked for the box that it stands in.
_CLIMB = 12

_Edge = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Marks:
    off: bool
    """The page is to have no ads."""
    slots: Mapping[str, tuple[LexborNode, ...]]
    """By slot: the comments and elements that mark its places, comments first, each in document order."""


NONE = Marks(False, MappingProxyType({}))


def find(tree: Tree) -> Marks:
    """The marks of a page. Pages without any are not searched: their bytes say so."""
    found: dict[str, list[LexborNode]] = {}
    left = MAX_MARKS
    if tree.marked.scanned.holds_adproxy():
        for node in comments_of(tree.parser):
            match = _COMMENT.fullmatch(node.comment_content or "")
            if match is None:
                continue
            if match[1]:
                return Marks(True, NONE.slots)
            if left > 0:
                found.setdefault(match[2], []).append(node)
                left -= 1
    for node in tree.landmarks.marked[:left]:
        found.setdefault((node.attributes.get(MARKING) or "").strip(), []).append(node)
    return Marks(False, {name: tuple(nodes) for name, nodes in found.items()}) if found else NONE


def spots(tree: Tree, nodes: tuple[LexborNode, ...]) -> tuple[Spot, ...]:
    """The spots that marks mean, in document order; those without a legal place come last."""
    made = [_spot(tree, node) for node in nodes]
    return tuple(sorted(made, key=lambda spot: (spot.anchor is None, spot.anchor.offset if spot.anchor else 0)))


def _spot(tree: Tree, mark: LexborNode) -> Spot:
    """The nearest legal spot at a mark: none farther away than the next element, or the paragraph's own edges."""
    for node, edge in _candidates(tree, mark):
        spot = places.at_element(tree, edge, node)
        if spot.anchor is not None:
            return spot
    return Spot(None, Reason.NO_LEGAL_ANCHOR)


def _candidates(tree: Tree, mark: LexborNode) -> list[tuple[LexborNode, _Edge]]:
    """Elements beside whose start or end a slot would stand where the mark is, the best first."""
    at = mark
    for _ in range(_CLIMB):
        if tree.legal_container(at.parent):
            break
        if at.parent is None:
            return []
        at = at.parent
    else:
        return []
    if at.is_element_node:
        # The mark is an element, or stands in what can't hold a slot: on the side that has less of its text
        # between, which is in front of an element that is the mark itself.
        leading, trailing = _text_around(at, mark)
        sides: tuple[_Edge, _Edge] = ("before", "after") if leading <= trailing else ("after", "before")
        return [(at, side) for side in sides]
    beside: list[tuple[LexborNode, _Edge]] = []
    following, preceding = _neighbour(at, forward=True), _neighbour(at, forward=False)
    if following is not None:
        beside.append((following, "before"))
    if preceding is not None:
        beside.append((preceding, "after"))
    return beside


def _text_around(box: LexborNode, mark: LexborNode) -> tuple[int, int]:
    """Characters of a box's text before a mark in it, and from the mark on."""
    before = after = 0
    passed = False
    for node in box.traverse(include_text=True):
        passed = passed or node.mem_id == mark.mem_id
        if node.is_text_node:
            length = len((node.text_content or "").strip())
            before, after = (before, after + length) if passed else (before + length, after)
    return before, after


def _neighbour(mark: LexborNode, *, forward: bool) -> LexborNode | None:
    """The next element in that direction if no text of the same box lies between."""
    at = mark.next if forward else mark.prev
    while at is not None:
        if at.is_element_node:
            return at
        if at.is_text_node and not (at.text_content or "").isspace():
            return None
        at = at.next if forward else at.prev
    return None
