"""What a container holds, without what is not for readers: its texts and elements, one after the other.

Half of a container's children are the white space between its elements, so compiled code lists them where there is some
(`page/walk_native.pyx`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from selectolax.lexbor import LexborNode

from adproxy.page import walk

Child = tuple[LexborNode | None, str]
"""An element with its name; None with a text, empty if it is all white space."""

Children = Callable[[LexborNode, int], tuple[list[Child], int, LexborNode | None]]
"""`children(first, most)`: a container's children from one on, no more than that many; how many of them were left out;
and the first that was not looked at, None where all were."""


def pure(ignored: Collection[str], usual: Collection[str] = ()) -> Children:
    """`ignored`: names of elements that are left out, as comments are; `usual`: names that most others have, which are
    spelled alike wherever an element stands."""
    silent = frozenset(ignored)

    def children(first: LexborNode, most: int) -> tuple[list[Child], int, LexborNode | None]:
        found: list[Child] = []
        left_out = 0
        at: LexborNode | None = first
        while at is not None and len(found) + left_out < most:
            if at.is_text_node:
                found.append((None, "" if at.is_empty_text_node else at.text_content or ""))
            elif (tag := at.tag or "-") in silent or tag[0] == "-":
                left_out += 1
            else:
                found.append((at, tag))
            at = at.next
        return found, left_out, at

    return children


def _best() -> Callable[[Collection[str], Collection[str]], Children]:
    if not walk.IS_COMPILED:
        return pure
    from adproxy.page import walk_native

    return walk_native.Children


children_without = _best()
"""Makes what lists; once, not for each container."""
