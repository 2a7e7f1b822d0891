"""What a whole page is searched for, whatever it is about; found in one walk for all who ask."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from selectolax.lexbor import LexborNode

from adproxy.page import hydration, walk
from adproxy.page.marks import ATTRIBUTE, BULK
from adproxy.page.syntax import LEFT_OUT
from adproxy.page.walk import Sought

MARKING: Final = "data-ads-here"
"""The attribute by which editors say where a slot is to stand."""

_P: Final = frozenset(["p"])
_PARAGRAPHS: Final[walk.Lists] = (
    (Sought(_P),),
    (
        Sought(_P, "hidden"),
        Sought(_P, "style", "holds", "display:none"),
        Sought(_P, "style", "holds", "display: none"),
    ),
    (Sought(_P, inside="p"),),
)
# By class or id a sidebar is looked for among the boxes that pages are laid out with: links and list items have classes
# too, and reading those of all elements takes longer than all else.
_BOXES: Final = frozenset(["div", "section"])
_SIDEBARS: Final = (
    Sought(frozenset(["aside"])),
    Sought(attribute="role", how="is", value="complementary"),
    Sought(_BOXES, "class", "holds", "sidebar"),
    Sought(_BOXES, "id", "holds", "sidebar"),
    Sought(_BOXES, "class", "holds", "rail"),
    Sought(_BOXES, "class", "holds", "widget-area"),
)
# What needs no escape in a selector.
_SIMPLE: Final = re.compile(r"[a-z0-9_-]*")


def _same_beginning(ids: frozenset[str]) -> str:
    """What all of some ids begin with in lower case, as far as a selector can be made of it."""
    if not ids:
        return ""
    first, last = min(ids), max(ids)  # what these have in common all between them have
    size = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    simple = _SIMPLE.match(first[:size].lower())
    return simple[0] if simple else ""


class Paragraphs:
    """The p elements of something, in document order."""

    def __init__(self, every: list[LexborNode], unseen: list[LexborNode], nested: list[LexborNode]) -> None:
        self.every = every
        self.unseen = unseen
        """Those that their own attributes hide."""
        self.nested = nested
        """Those that stand in another, by an object or a table."""


class Landmarks:
    """Elements of a page, each list in document order."""

    def __init__(
        self,
        tables: list[LexborNode],
        noscripts: list[LexborNode],
        headlines: list[LexborNode],
        sidebars: list[LexborNode],
        policies: list[LexborNode],
        identified: list[LexborNode],
        marked: list[LexborNode],
        bulk: list[LexborNode],
        applications: list[LexborNode],
        paragraphs: Paragraphs,
    ) -> None:
        self.tables = tables
        self.noscripts = noscripts
        self.headlines = headlines
        """The h1; empty where nobody asks for them."""
        self.sidebars = sidebars
        """What may be one; empty where nobody asks."""
        self.policies = policies
        """What may hold a policy, or a nonce."""
        self.identified = identified
        """Elements with an id, if any is asked for; those whose id can't be one of these may be left out."""
        self.marked = marked
        """Those with an editor's attribute (`MARKING`)."""
        self.bulk = bulk
        """Scripts and style sheets with a mark of ours, in which at least so much text stands as is written for what is
        left out."""
        self.applications = applications
        """What says that a script takes the page over (`page.hydration`)."""
        self.paragraphs = paragraphs


NOTHING: Final = Landmarks([], [], [], [], [], [], [], [], [], Paragraphs([], [], []))


@lru_cache(maxsize=256)
def finder(*, headlines: bool, sidebars: bool, ids: frozenset[str]) -> Callable[[LexborNode], Landmarks]:
    """What finds the landmarks in a page's root; the arguments: whether these are asked for."""
    same = _same_beginning(ids)
    identified = Sought(attribute="id", how="holds", value=same) if same else Sought(attribute="id")
    find = walk.finder(
        (
            (Sought(frozenset(["table"])),),
            (Sought(frozenset(["noscript"])),),
            (Sought(frozenset(["h1"])),) if headlines else (),
            _SIDEBARS if sidebars else (),
            (Sought(frozenset(["meta"]), "http-equiv"), Sought(attribute="nonce")),
            (identified,) if ids else (),
            (Sought(attribute=MARKING),),
            (Sought(BULK, ATTRIBUTE, own_text=len(LEFT_OUT)),),
            hydration.SOUGHT,
            *_PARAGRAPHS,
        )
    )

    def found(root: LexborNode) -> Landmarks:
        tables, noscripts, h1, boxes, policies, with_id, marked, bulk, applications, every, unseen, nested = find(root)
        paragraphs = Paragraphs(every, unseen, nested)
        return Landmarks(tables, noscripts, h1, boxes, policies, with_id, marked, bulk, applications, paragraphs)

    return found


_find_paragraphs: Final = walk.finder(_PARAGRAPHS)


def paragraphs_in(root: LexborNode) -> Paragraphs:
    """Those of a part of a page."""
    every, unseen, nested = _find_paragraphs(root)
    return Paragraphs(every, unseen, nested)
