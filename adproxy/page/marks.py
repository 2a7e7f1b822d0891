"""Byte offsets through a parser that has none.

selectolax tells no source positions. So a running number goes, as the first attribute, into every tag of a *copy* of
the page that a byte scan takes for a start tag we care for; the copy is parsed; the numbers are read from the tree.

A number proves its offset only if the bytes there spell the element's own name. What the scan mistakes for a tag in an
attribute's value gives its number to the element around it, whose name is another or which carries an earlier number;
in comments, scripts and raw text no element appears at all. Formatting elements are never marked: unique attributes
would switch off the parser's limit on equal ones ("Noah's Ark", HTML 13.2.4.3) and change the tree.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from adproxy.page import kinds
from adproxy.page.scan import Scanned, scan

# Known to nobody outside of this process: an attribute that a page brings itself can't pass for a mark. Short because
# it is parsed for every marked tag.
ATTRIBUTE = "_" + secrets.token_hex(2)

BEFORE_START = frozenset(name.decode() for name in kinds.BEFORE_START)
MARKED = frozenset(name.decode() for name in kinds.MARKED)


@dataclass(frozen=True, slots=True)
class Marked:
    """A marked copy, and what its numbers mean."""

    copy: bytes
    scanned: Scanned
    offset: Callable[[str | None, str], int]
    """Offset of the start tag of an element with that number and name; -1 where the bytes do not prove it."""


def mark(html: bytes, scanned: Scanned | None = None) -> Marked:
    """The marked copy of a page, in the page's own encoding (any in which ASCII bytes mean ASCII).

    `scanned`: its scan, if it was made already.
    """
    scanned = scanned or scan(html)
    return Marked(scanned.marked(ATTRIBUTE.encode(), kinds.MARKED), scanned, scanned.offset)
