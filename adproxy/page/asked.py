"""Attributes that somebody asks about. The parsed copy goes without the others: where pictures come in other sizes, how
icons are drawn, what scripts are told, which is a fifth of what is left of a page without its scripts.

No attribute but these has a say in what the parser makes of a tag, or what anything here makes of an element. A page
that is read for a rule's selectors which ask for another keeps all of them (`asks_for_others`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

ASKED: Final = frozenset(
    b"""class id style hidden href src width height role aria-label itemprop datetime name property content rel
    http-equiv nonce lang xml:lang dir type encoding data-server-rendered data-type data-google-query-id
    data-freestar-ad data-widget-id-ad data-src data-lazy-src data-lazy data-original""".split()
)
"""By their names in lower case. `type` and `encoding` are asked by the parser (HTML 13.2.6.4.9, 13.2.6.5)."""
PREFIX: Final = b"data-ad"
"""What begins with it is asked about too: ad units, an editor's marks, and ours."""
PART: Final = b"size"
"""And what has this in it: how large an ad may be."""

_IN_SELECTOR: Final = re.compile(r"\[\s*([^\]=~^$*\s]*)")


def is_asked(name: bytes) -> bool:
    """Whether somebody may ask about an attribute."""
    name = name.lower()
    return name in ASKED or name.startswith(PREFIX) or PART in name


def asks_for_others(selectors: Iterable[str]) -> bool:
    """Whether one of some CSS selectors, which have no problem (`rules.selectors`), asks about another attribute."""
    return any(
        "|" in selector  # another's namespace
        or "\\" in selector
        or not all(is_asked(name.encode()) for name in _IN_SELECTOR.findall(selector))
        for selector in selectors
    )
