"""Byte offsets through a parser that has none.

selectolax tells no source positions. So a running number goes, as the first attribute, into every tag of a *copy* of
the page that a byte scan takes for a start tag we care for; the copy is parsed; the numbers are read from the tree.

A number proves its offset only if the bytes there spell the element's own name. What the scan mistakes for a tag in an
attribute's value gives its number to the element around it, whose name is another or which carries an earlier number;
in comments, scripts and raw text no element appears at all. Formatting elements are never marked: unique attributes
would switch off the parser's limit on equal ones ("Noah's Ark", HTML 13.2.4.3) and change the tree.

Half of many a page is scripts and style sheets, which the copy does without where it may. Such a text is left out only
if the tree proves it to be one: an element with its tag's number, in which what stands for the text was not read as
markup, was begun by that tag, at which the parser was where it is in the page itself; and from there a script with no
comment in it, or a style sheet, ends at the first end tag of its name, whatever it says (HTML 13.2.5.4 and 15).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from adproxy.page import kinds
from adproxy.page.scan import Scanned, scan
from adproxy.page.syntax import Stretch

# Known to nobody outside of this process: an attribute that a page brings itself can't pass for a mark. Short because
# it is parsed for every marked tag.
ATTRIBUTE: Final = "_" + secrets.token_hex(2)
_ATTRIBUTE: Final = ATTRIBUTE.encode()

BEFORE_START: Final = frozenset(name.decode() for name in kinds.BEFORE_START)
MARKED: Final = frozenset(name.decode() for name in kinds.MARKED)
BULK: Final = frozenset(name.decode() for name in kinds.BULK)
# Shorter texts of scripts are read in the time that leaving them out takes.
_LONG: Final = 64


class Marked:
    """A marked copy, and what its numbers mean."""

    def __init__(self, copy: bytes, scanned: Scanned, left_out: tuple[Stretch, ...]) -> None:
        self.copy = copy
        self.scanned = scanned
        self.offset: Callable[[str | None, str], int] = scanned.offset
        """Offset of the start tag of an element with that number and name; -1 where the bytes do not prove it."""
        self.left_out = left_out
        """The scripts and style sheets that the copy goes without, to be proven."""


def mark(html: bytes, scanned: Scanned | None = None, *, whole: bool = True, idle: bool = True) -> Marked:
    """The marked copy of a page, in the page's own encoding (any in which ASCII bytes mean ASCII).

    `scanned`: its scan, if it was made already; `whole`: False if the texts of scripts and style sheets may be missing;
    `idle`: False if attributes that nobody asks about may be.
    """
    scanned = scanned or scan(html)
    left_out = tuple(scanned.bulk(_LONG)) if scanned.is_clear and not whole else ()
    return Marked(scanned.marked(_ATTRIBUTE, kinds.MARKED, left_out, idle=idle), scanned, left_out)
