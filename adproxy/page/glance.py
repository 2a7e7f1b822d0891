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


def pure_value(name: str) -> Callable[[LexborNode], str | None]:
    """Reads one attribute of elements; None where there is none, or none with a value."""

    def value_of(node: LexborNode) -> str | None:
        return node.attrs.get(name) if node.is_element_node else None

    return value_of


def _best() -> tuple[Callable[[Collection[str]], Glance], Callable[[str], Callable[[LexborNode], str | None]]]:
    if not walk.IS_COMPILED:
        return pure, pure_value
    from adproxy.page import walk_native

    return walk_native.Glance, walk_native.Value


glance_for, value_for = _best()
"""Make what glances, and what reads one attribute; once, not for each element."""
