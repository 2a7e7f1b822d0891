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
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from adproxy.page.scan import Scanned, scan

# Known to nobody outside of this process: an attribute that a page brings itself can't pass for a mark. Short because
# it is parsed for every marked tag.
ATTRIBUTE = "_" + secrets.token_hex(2)

# Elements whose start tag closes an open p, as our div's does, and has all of the div's effects (HTML 13.2.6.4.7).
# They can have an anchor before their start.
BEFORE_START = frozenset(
    """address article aside blockquote center details dir div dl fieldset figcaption figure footer header hgroup h1 h2
    h3 h4 h5 h6 main menu nav ol p pre section summary ul""".split()
)
# Marked only so that their place in the bytes is known: what a table moves out of itself is told by it, and the end of
# a table is looked for from its start; where an author separates paragraphs by line breaks, a slot may follow a break.
MARKED = BEFORE_START | {"table", "br"}

_IS_MARKED = frozenset(
    b"<" + spelling.encode() for name in MARKED for spelling in (name, name.upper(), name.capitalize())
)
_SPELLED = {name: b"<" + name.encode() for name in MARKED}
# More marks than nearly any page needs; those for larger pages are made anew each time, so that none of them stay.
_KEPT = 8_192


@cache
def _kept_marks() -> list[bytes]:
    return [f" {ATTRIBUTE}={i} ".encode() for i in range(_KEPT)]


def _marks(n: int) -> list[bytes]:
    """At least n markers. A list is whole before anybody sees it and never changes: pages are read in many threads."""
    return _kept_marks() if n <= _KEPT else [f" {ATTRIBUTE}={i} ".encode() for i in range(n)]


@dataclass(slots=True)
class Marked:
    """A marked copy, and what its numbers mean."""

    copy: bytes
    scanned: Scanned
    tags: list[bytes]
    """By number: the bytes that the scan found, ``<name``."""
    _offsets: list[int] | None = None

    @property
    def offsets(self) -> list[int]:
        """By number: where the tags begin in the original."""
        if self._offsets is None:
            # tag i begins where the first 3i + 1 pieces end
            self._offsets = list(accumulate(map(len, self.scanned.pieces)))[0::3]
        return self._offsets

    def offset(self, number: str | None, name: str) -> int:
        """Offset of the start tag of an element with that number and name; -1 where the bytes do not prove it."""
        # isascii: "²".isdigit() is true, and int() would raise
        if number is None or not (number.isascii() and number.isdigit() and len(number) < 9):
            return -1
        i = int(number)
        if i >= len(self.tags):
            return -1
        tag = self.tags[i]
        spelled = _SPELLED.get(name)
        return self.offsets[i] if tag == spelled or tag[1:].lower() == name.encode() else -1


def mark(html: bytes, scanned: Scanned | None = None) -> Marked:
    """The marked copy of a page, in the page's own encoding (any in which ASCII bytes mean ASCII).

    `scanned`: its scan, if it was made already.
    """
    scanned = scanned or scan(html)
    if not scanned.is_clear:  # a mark might get into a tag, or a tag might go without its own
        return Marked(html, scanned, [])
    tags = scanned.names
    spelled = frozenset(
        tag for tag in scanned.spelled if tag in _IS_MARKED or tag[1:].lower().decode("latin-1") in MARKED
    )
    copy = scanned.pieces.copy()
    copy[1::3] = [tag + mark if tag in spelled else tag for mark, tag in zip(_marks(len(tags)), tags, strict=False)]
    return Marked(b"".join(copy), scanned, tags)
