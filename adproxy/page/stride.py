"""From node to node through a page, past all that says nothing: blank text, comments, what merely wraps text.

Half of what stands around a spot is of that kind, so compiled code passes it where there is some
(`page/walk_native.pyx`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from adproxy.page import walk
from adproxy.page.glance import Glance

Stride = Callable[[LexborNode, bool | None, bool, int], tuple[LexborNode | None, str | None, int]]
"""`stride(node, enter, forward, left)`: the next node that may say something, its text if it is text, and how many more
nodes may be passed; no node where none is left, and at the end of the page's body.

`enter`: whether what the node holds comes next, or what is beside it; None: the node itself is the first. `forward`: or
else backwards. `left`: how many nodes may be passed at most.
"""


def step(node: LexborNode, forward: bool) -> LexborNode | None:
    """The next node in that direction that is no child of this one."""
    at: LexborNode | None = node
    while at is not None:
        beside = at.next if forward else at.prev
        if beside is not None:
            return beside
        at = at.parent
        if at is not None and at.tag in ("body", "html"):
            return None
    return None


class Ordinary(NamedTuple):
    """Elements that merely wrap text unless they are called something that matters."""

    tags: frozenset[str]
    glance: Glance
    """Gives None for one that has more to say than its names do."""
    matters: Callable[[str, str], bool]
    """Whether a class and an id do; asked once for the same ones, as a rule, and never where there is neither."""


def pure(wrapping: Collection[str], silent: Collection[str], ordinary: Ordinary | None = None) -> Stride:
    """`wrapping`: names of elements that merely wrap text, and are entered; `silent`: of those that are passed;
    `ordinary`: which others are entered too."""
    entered, passed = frozenset(wrapping), frozenset(silent)
    perhaps = ordinary.tags if ordinary is not None else frozenset()

    def is_ordinary(node: LexborNode, tag: str) -> bool:
        if ordinary is None or tag not in perhaps:
            return False
        names = ordinary.glance(node)
        return names is not None and (names == ("", "") or not ordinary.matters(*names))

    def stride(
        node: LexborNode, enter: bool | None, forward: bool, left: int
    ) -> tuple[LexborNode | None, str | None, int]:
        at: LexborNode | None = node
        while at is not None:
            if enter is not None:
                inside = (at.first_child if forward else at.last_child) if enter else None
                at = inside or step(at, forward)
            if at is None or left <= 0:
                break
            left -= 1
            enter = False
            if at.is_text_node:
                if not at.is_empty_text_node:
                    return at, at.text_content or "", left
            elif (tag := at.tag or "-") in entered or is_ordinary(at, tag):
                enter = True
            elif tag not in passed and tag[0] != "-":
                return at, None, left
        return None, None, left

    return stride


def _best() -> Callable[[Collection[str], Collection[str], Ordinary | None], Stride]:
    if not walk.IS_COMPILED:
        return pure
    from adproxy.page import walk_native

    return walk_native.Stride


stride_past = _best()
"""Makes what strides; once, not for each page."""
