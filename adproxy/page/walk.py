"""One walk through a tree finds everything that is looked for in it.

A walk costs more than what is compared on the way: each element is fetched from memory, once more for each search. So
what all parts of a page's reading look for is put together, and found in one go. What may be looked for is little
enough to be said in a few words (`Sought`), and to be compared by compiled code (`page/walk_native.pyx`) where adproxy
was installed with a compiler at hand; elsewhere the parser's own CSS finds the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from selectolax.lexbor import LexborHTMLParser, LexborNode

from adproxy.page.kinds import SILENT

Find = Callable[[LexborNode], list[list[LexborNode]]]
"""Finds elements in an element, itself included: a list for each that was asked for, each in document order."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Elements of some names, or with an attribute, or both; names and texts are ASCII in lower case, and texts without
    quotes."""

    tags: frozenset[str] = frozenset()
    """Empty: any."""
    attribute: str = ""
    how: Literal["", "is", "holds"] = ""
    """What is asked of the attribute's value; `holds` makes no difference between upper and lower case."""
    value: str = ""
    inside: str = ""
    """The name of an element that they stand in, however deep; one name for all that is found in a walk."""
    own_text: int = 0
    """How many bytes of text, as UTF-8, stand in it itself and in no element of its own; the same for all of a list."""

    def css(self) -> str:
        """The same as selectors."""
        test = {"": "", "is": f'="{self.value}"', "holds": f'*="{self.value}" i'}[self.how]
        attribute = f"[{self.attribute}{test}]" if self.attribute else ""
        around = f"{self.inside} " if self.inside else ""
        return ",".join(f"{around}{tag}{attribute}" for tag in sorted(self.tags) or [""])


Lists = Sequence[Sequence[Sought]]
"""For each list what its elements may be, one of these; none is an empty list."""


def pure(lists: Lists) -> Find:
    """Finds by CSS."""
    selectors = [",".join(sought.css() for sought in one) for one in lists]
    own_texts = [one[0].own_text if one else 0 for one in lists]

    def find(root: LexborNode) -> list[list[LexborNode]]:
        # the parser gives an element for each part of a selector that it matches
        found = [
            list({node.mem_id: node for node in root.css(selector)}.values()) if selector else []
            for selector in selectors
        ]
        return [
            [node for node in nodes if len(node.text(deep=False).encode()) >= least] if least else nodes
            for nodes, least in zip(found, own_texts, strict=True)
        ]

    return find


def pure_text(node: LexborNode, enough: int = sys.maxsize) -> str:
    """What readers see of an element's text, no scripts, no style sheets; the rest may be missing where it has so many
    characters."""
    parts: list[str] = []
    length = 0
    silent: set[int] = set()
    for child in node.traverse(include_text=True):
        unseen = child.parent is not None and child.parent.mem_id in silent
        if not child.is_text_node:
            if unseen or child.tag in SILENT:
                silent.add(child.mem_id)
        elif not unseen:
            parts.append(text := child.text())
            length += len(text)
            if length >= enough:
                break
    return "".join(parts)


class Text(Protocol):
    def __call__(self, node: LexborNode, enough: int = ..., /) -> str: ...


def _best() -> tuple[Callable[[Lists], Find], Text, bool]:
    if os.environ.get("ADPROXY_PURE_PYTHON") != "1":
        try:
            from adproxy.page import walk_native

            return walk_native.Walk, walk_native.text_in, True
        except ImportError:
            pass
    return pure, pure_text, False


finder, text_in, IS_COMPILED = _best()
"""Makes what finds; once, not for each page. And what reads the text in an element."""


def all_of(*tags: str, attribute: str = "") -> Callable[[LexborNode], list[LexborNode]]:
    """Finds the elements of some names, with an attribute if one is given, in an element, itself included; in document
    order. For what many small elements are asked: a selector would be read anew each time."""
    find = finder(((Sought(frozenset(tags), attribute),),))

    def found(root: LexborNode) -> list[LexborNode]:
        return find(root)[0]

    return found


def ancestors(nodes: Iterable[LexborNode]) -> set[int]:
    """All that some elements stand in, by `mem_id`."""
    found: set[int] = set()
    for node in nodes:
        at = node.parent
        while at is not None and at.mem_id not in found:
            found.add(at.mem_id)
            at = at.parent
    return found


def comments_of(parser: LexborHTMLParser) -> Iterator[LexborNode]:
    """All comments of a page in document order, those around its html element too."""
    root = parser.root
    document = root.parent if root is not None else None
    for node in document.traverse(include_text=True) if document is not None else ():
        if node.is_comment_node:
            yield node
