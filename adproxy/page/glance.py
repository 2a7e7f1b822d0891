"""What an element is called, read without all the rest of its attributes: most have nothing else that says anything.

Asked of every element that is met, so compiled code does it where there is some (`page/walk_native.pyx`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from selectolax.lexbor import LexborNode

from adproxy.page import walk

Glance = Callable[[LexborNode], tuple[str, str] | None]
"""An element's class and id, each empty where it has none; None if it has an attribute that tells more."""


def pure(telling: Collection[str]) -> Glance:
    """`telling`: the attributes that tell more."""
    more = frozenset(telling)

    def glance(node: LexborNode) -> tuple[str, str] | None:
        attributes = node.attributes
        if not more.isdisjoint(attributes):
            return None
        return attributes.get("class") or "", attributes.get("id") or ""

    return glance


def _best() -> Callable[[Collection[str]], Glance]:
    if not walk.IS_COMPILED:
        return pure
    from adproxy.page import walk_native

    return walk_native.Glance


glance_for = _best()
"""Makes what glances; once, not for each element."""
