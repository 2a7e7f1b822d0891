"""Byte offsets through a parser that has none.

selectolax tells no source positions. So a running number goes, as the first attribute, into every tag of a *copy* of
the page that a byte scan takes for a start tag we care for; the copy is parsed; the numbers are read from the tree.

A number proves its offset only if the bytes there spell the element's own name. What the scan mistakes for a tag in an
attribute's value gives its number to the element around it, whose name is another or which carries an earlier number;
in comments, scripts and raw text no element appears at all. Formatting elements are never marked: unique attributes
would switch off the parser's limit on equal ones ("Noah's Ark", HTML 13.2.4.3) and change the tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

# An attribute name that no page has a reason to use, short because it is parsed for every marked tag.
ATTRIBUTE = "_ap"

# Elements whose start tag closes an open p, as our div's does, and has all of the div's effects (HTML 13.2.6.4.7).
# They can have an anchor before their start.
BEFORE_START = frozenset(
    """address article aside blockquote center details dir div dl fieldset figcaption figure footer header hgroup h1 h2
    h3 h4 h5 h6 main menu nav ol p pre section summary ul""".split()
)
# Marked only so that their place in the bytes is known: what a table moves out of itself is told by it, and the end of
# a table is looked for from its start; where an author separates paragraphs by line breaks, a slot may follow a break.
MARKED = BEFORE_START | {"table", "br"}

# By first letters, not by whole names: the scan looks at every "<" of the page, and a class is several times quicker
# than an alternation. What else begins so (option, td, body, but also the formatting elements b and font) is found in
# vain and left unmarked below. After s and a a second letter is asked for: a, span, script and strong are too many.
_SCAN = re.compile(rb"(<[pPdDhHoOuUmMfFnNtTbBcCsSaA](?<![sSaA](?![eErRsSdDuU]))[a-zA-Z1-6]*+(?=[\t\n\f\r />]))")
_IS_MARKED: dict[bytes, bool] = {
    b"<" + spelling.encode(): True for name in MARKED for spelling in (name, name.upper(), name.capitalize())
}
_SPELLED = {name: b"<" + name.encode() for name in MARKED}
# More marks than nearly any page needs; those for larger pages are made anew each time, so that none of them stay.
_KEPT = 8_192


@cache
def _kept_marks() -> list[bytes]:
    return [b" _ap=%d " % i for i in range(_KEPT)]


def _marks(n: int) -> list[bytes]:
    """At least n markers. A list is whole before anybody sees it and never changes: pages are read in many threads."""
    return _kept_marks() if n <= _KEPT else [b" _ap=%d " % i for i in range(n)]


@dataclass(frozen=True, slots=True)
class Marked:
    """A marked copy, and what its numbers mean."""

    copy: bytes
    tags: list[bytes]
    """By number: the bytes that the scan found, ``<name``."""
    offsets: list[int]
    """By number: where they begin in the original."""

    def has(self, name: str) -> bool:
        """Whether the scan met what looks like a start tag of that name, one whose letters it looks for."""
        lower = b"<" + name.encode()
        return lower in self.tags or any(tag.lower() == lower for tag in set(self.tags))

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


def mark(html: bytes) -> Marked:
    """The marked copy of a page, in the page's own encoding (any in which ASCII bytes mean ASCII)."""
    pieces = _SCAN.split(html)
    tags = pieces[1::2]
    n = len(tags)
    marks = _marks(n)
    known = _IS_MARKED.get
    copy: list[bytes] = [b""] * (3 * n + 1)
    copy[0::3] = pieces[0::2]
    copy[1::3] = tags
    copy[2::3] = [
        mark if known(tag) or tag[1:].lower().decode() in MARKED else b""
        for mark, tag in zip(marks, tags, strict=False)
    ]
    # tag i begins where the first 2i + 1 pieces end
    return Marked(b"".join(copy), tags, list(accumulate(map(len, pieces)))[0::2][:n])
